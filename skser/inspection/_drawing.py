"""What the pictures have in common."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skser._optional import import_optional


def axes_for(display, ax, **figure):
    """The axes given, or those of a new figure.

    Parameters
    ----------
    display : object
        Whose name errors tell.
    ax : matplotlib Axes or None
    figure : dict
        Settings of the new figure.
    """
    if ax is not None:
        return ax
    return new_axes(display, **figure)


def new_axes(display, n_rows=1, **figure):
    """Axes of a new figure, an array of them if there are several rows."""
    plt = import_optional("matplotlib.pyplot", extra="plot", purpose=type(display).__name__)
    return plt.subplots(n_rows, layout="constrained", **figure)[1]


def predictions_of(estimator, X):
    """Predicted classes of a fitted classifier."""
    check_is_fitted(estimator)
    return np.asarray(estimator.predict(X))


def probabilities_of(estimator, X):
    """Probabilities and their classes of a fitted classifier that has them."""
    check_is_fitted(estimator)
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{type(estimator).__name__} has no predict_proba: calibrate it "
            "(sklearn.calibration.CalibratedClassifierCV) or give it probabilities."
        )
    return estimator.predict_proba(X), estimator.classes_
