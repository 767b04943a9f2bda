"""The report: the figures and the page that people decide by."""
