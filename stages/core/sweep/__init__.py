"""Sweeps: many pipeline runs of one workspace, each isolated, all sharing one cache."""
