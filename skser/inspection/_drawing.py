"""Helpers shared by the displays."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skser._optional import import_optional


def axes_for(display, ax, **figure):
    """Return the given axes, or those of a new figure.

    Parameters
    ----------
    display : object
        Display that needs the axes. Its name appears in the error if matplotlib is missing.
    ax : matplotlib Axes or None
        Axes to return. With None, a new figure is created.
    **figure : dict
        Keyword arguments of ``matplotlib.pyplot.subplots`` for the new figure.
    """
    if ax is not None:
        return ax
    return new_axes(display, **figure)


def new_axes(display, n_rows=1, **figure):
    """Create a figure and return its axes, as an array if there are several."""
    plt = import_optional("matplotlib.pyplot", extra="plot", purpose=type(display).__name__)
    return plt.subplots(n_rows, layout="constrained", **figure)[1]


def predictions_of(estimator, X):
    """Return the predictions of a fitted classifier."""
    check_is_fitted(estimator)
    return np.asarray(estimator.predict(X))


def probabilities_of(estimator, X):
    """Return the class probabilities of a fitted classifier and the classes of the columns."""
    check_is_fitted(estimator)
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{type(estimator).__name__} has no predict_proba. Calibrate it with "
            "sklearn.calibration.CalibratedClassifierCV, or enable its probabilities."
        )
    return estimator.predict_proba(X), estimator.classes_
