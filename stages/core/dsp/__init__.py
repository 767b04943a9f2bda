"""Integer preprocessing: the programs that the device runs, executed here in numpy."""
