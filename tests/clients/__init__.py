"""Models of this package in other libraries: one file for each, skipped where it is missing."""
