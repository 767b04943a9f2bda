"""A release as it is handed over: a folder of files that account for each other, under one signature."""
