"""Models of this package in other libraries. Each file is skipped if its library is missing."""
