"""Versions and devices for bug reports."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import skser

_CORE = (
    "numpy", "scipy", "pandas", "scikit-learn", "joblib", "torch", "skorch", "numba",
    "soundfile", "soxr", "safetensors", "skops",
)  # fmt: skip
_OPTIONAL = (
    "transformers", "peft", "opensmile", "audiomentations", "onnx", "onnxruntime",
    "audb", "matplotlib", "jinja2", "dask", "mlflow",
)  # fmt: skip


def show_versions():
    """Print the versions of Python, libraries and devices that a bug report should include.

    Examples
    --------
    >>> import skser
    >>> skser.show_versions()  # doctest: +ELLIPSIS
    System
    ...
    """
    sections = {
        "System": {
            "python": sys.version.replace("\n", " "),
            "platform": platform.platform(),
            "processors": os.cpu_count(),
        },
        "Libraries": {"skser": skser.__version__, **{name: _installed(name) for name in _CORE}},
        "Optional libraries": {name: _installed(name) for name in _OPTIONAL},
        "Devices": _devices(),
    }
    for title, facts in sections.items():
        print(title)
        for name, value in facts.items():
            print(f"  {name}: {value}")


def _installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _devices():
    if _installed("torch") == "not installed":
        return {"torch": "not installed"}
    import torch

    cuda = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "cpu": f"{torch.get_num_threads()} threads",
        "cuda": ", ".join(cuda) or "none",
        "mps": "available" if torch.backends.mps.is_available() else "none",
    }
