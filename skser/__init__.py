"""Speech emotion recognition as ordinary scikit-learn.

The submodules load on first use, so that ``import skser`` stays quick and pulls in neither
torch nor librosa.
"""

import importlib

__version__ = "0.1.0"

_SUBMODULES = (
    "audio",
    "datasets",
    "feature_extraction",
    "inspection",
    "metrics",
    "model_selection",
    "neural_network",
    "pipelines",
    "preprocessing",
    "sequences",
)

__all__ = ["__version__", *_SUBMODULES]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"skser.{name}")
    raise AttributeError(f"module 'skser' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
