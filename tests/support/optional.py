"""Libraries that a test needs and that may not be installed."""

import warnings

import pytest


def installed(name):
    """Import a library, whatever it warns of, or skip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)
