"""The boards: building firmware for them and running it on the host or in the emulator."""
