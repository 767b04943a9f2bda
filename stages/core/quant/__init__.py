"""Quantisation: the quantizer, calibration, PTQ and QAT."""
