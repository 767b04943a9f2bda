"""The proof that a split does not leak, recomputed from the window index and the sessions alone."""
