"""The corpora's protocols, and what every result file says of its run."""

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
    """The corpus and its folds, each a list of speakers."""
    data = Path(os.environ["SKSER_DATA"])
    if protocol == "emodb-loso":
        corpus = load_emodb(data / "emodb")
    else:
        corpus = load_ravdess(data / "ravdess")
    return corpus, published_folds(corpus, protocol).folds


def write_result(path, result):
    """Write a result file in one step: a kill leaves the old one or the new one."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result) + "\n")
    part.replace(path)


def versions(*packages):
    """Versions of Python and of installed packages."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
