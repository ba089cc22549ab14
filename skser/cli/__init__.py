"""Command line ``skser``."""

from skser.cli._commands import main

__all__ = ["main"]
