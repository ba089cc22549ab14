"""Models for other programs: ONNX."""

import lazy_loader

# Names load on first use, so that the command line starts without pandas and scikit-learn.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
