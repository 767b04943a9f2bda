"""Typed, validated configuration: one model per section of `data/config.yaml`."""
