"""Readers of stored recordings, one per format, each block by block."""
