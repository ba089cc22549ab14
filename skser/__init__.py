"""Speech emotion recognition as ordinary scikit-learn.

Submodules and functions load on first use, so that ``import skser`` stays fast and imports
neither torch nor librosa.
"""

import importlib

__version__ = "0.1.0"

_SUBMODULES = (
    "audio",
    "augmentation",
    "compose",
    "datasets",
    "discriminant_analysis",
    "evaluation",
    "export",
    "feature_extraction",
    "inspection",
    "metrics",
    "model_selection",
    "neural_network",
    "persistence",
    "pipelines",
    "preprocessing",
    "sequences",
)
# Functions of the top level, and the modules that define them.
_FUNCTIONS = {
    "export_onnx": "skser.export",
    "load": "skser.persistence",
    "load_onnx": "skser.export",
    "load_pretrained": "skser.persistence",
    "save": "skser.persistence",
    "show_versions": "skser._versions",
}

__all__ = ["__version__", *_SUBMODULES, *_FUNCTIONS]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"skser.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'skser' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
