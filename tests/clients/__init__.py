"""Other libraries with models of this package: one file each, skipped where it is missing."""

import warnings

import pytest


def installed(name):
    """Import a library, whatever it warns of, or skip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)
