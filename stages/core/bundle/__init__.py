"""What a device loads: one file with everything it needs to run the model, and what a signature on it says."""
