"""C from the IR: constants, weights and calls to the hand-written kernels."""
