"""What of this folder is no documentation by hand, and so no doctest."""

collect_ignore = ["_build", "conf.py", "generated"]
