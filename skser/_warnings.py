"""Warnings that point at the line of the caller, however deep the code that gives them lies."""

import sys
import warnings

_BETWEEN = {"skser", "sklearn", "skorch", "torch", "joblib", "contextlib"}


def warn_caller(message, category=UserWarning):
    """Warn at the line that called into this package.

    Parameters
    ----------
    message : str
    category : type of Warning, default=UserWarning
    """
    frame, level = sys._getframe(1), 2
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
