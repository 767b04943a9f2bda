"""The overview of a release: one page that needs nothing beside it, and one screen of a terminal."""
