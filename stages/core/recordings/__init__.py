"""Recordings: where they come from, how one is stored, and what is known about its quality."""
