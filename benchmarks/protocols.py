"""The corpora's protocols, and what every result file says of its run."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from skser.datasets import load_emodb, load_ravdess

RESULTS = Path(__file__).parent / "results"
PROTOCOLS = ("emodb-loso", "ravdess-5")
# Luna-Jiménez et al. (2021), Sensors 21(22): 7665.
RAVDESS_FOLDS = (
    ("02", "05", "14", "15", "16"),
    ("03", "06", "07", "13", "18"),
    ("10", "11", "12", "19", "20"),
    ("08", "17", "21", "23", "24"),
    ("01", "04", "09", "22"),
)


def load(protocol):
    """The corpus and its folds, each a list of speakers."""
    data = Path(os.environ["SKSER_DATA"])
    if protocol == "emodb-loso":
        corpus = load_emodb(data / "emodb")
        return corpus, [[speaker] for speaker in sorted(set(corpus.speakers))]
    return load_ravdess(data / "ravdess"), [list(fold) for fold in RAVDESS_FOLDS]


def versions(*packages):
    """Versions of Python and of installed packages."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
