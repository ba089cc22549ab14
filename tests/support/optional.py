"""Optional libraries that tests need."""

import warnings

import pytest


def installed(name):
    """Import a library without its warnings, or skip the test if it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)
