"""Exclude generated pages and the Sphinx configuration from the doctests."""

collect_ignore = ["_build", "conf.py", "generated"]
