"""Protocols of the corpora, and contents that all result files share."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from skser.datasets import load_emodb, load_ravdess
from skser.model_selection import published_folds

RESULTS = Path(__file__).parent / "results"
PROTOCOLS = ("emodb-loso", "ravdess-5")


def load(protocol):
    """Return the corpus of a protocol and its folds, each a list of speakers."""
    data = Path(os.environ["SKSER_DATA"])
    if protocol == "emodb-loso":
        corpus = load_emodb(data / "emodb")
    else:
        corpus = load_ravdess(data / "ravdess")
    return corpus, published_folds(corpus, protocol).folds


def write_result(path, result):
    """Write a result file atomically: if killed, the old or the new file remains whole."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result) + "\n")
    part.replace(path)


def versions(*packages):
    """Return the versions of Python and of the named packages, None if not installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
