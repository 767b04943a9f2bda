"""What the device does around the network, as models of the C modules in ``firmware/runtime``, state for state."""
