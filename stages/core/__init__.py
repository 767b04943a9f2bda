"""The library behind the stages, one module or package per idea: no paths, no config reading, no printing."""
