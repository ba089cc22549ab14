"""Corpora of the protocols and their folds."""

import os
from pathlib import Path

from skser.datasets import load_emodb, load_ravdess
from skser.model_selection import published_folds

PROTOCOLS = ("emodb-loso", "ravdess-5")


def load(protocol):
    """Return the corpus of a protocol and its folds, each a list of speakers."""
    data = Path(os.environ["SKSER_DATA"])
    if protocol == "emodb-loso":
        corpus = load_emodb(data / "emodb")
    else:
        corpus = load_ravdess(data / "ravdess")
    return corpus, published_folds(corpus, protocol).folds
