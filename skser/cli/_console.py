"""The two streams that the command line prints to, without markup, colors or wrapped lines."""

from rich.console import Console

_PLAIN = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
messages = Console(stderr=True, **_PLAIN)
output = Console(**_PLAIN)
