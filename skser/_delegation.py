"""Checks for methods that an estimator has only after `fit`."""

from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods


class HasMethodsOnceFitted(HasMethods):
    """Parameter constraint like scikit-learn's `HasMethods`, for the estimator after `fit`.

    A stacking estimator without `final_estimator`, for example, has no `predict` until `fit` sets
    the default one.
    """

    def is_satisfied_by(self, val):
        """Return True if an object has all the methods, or will have them once fitted."""
        return all(will_have(val, method) for method in self.methods)


def will_have(estimator, method):
    """Return True if an estimator has a method, or will have it once it is fitted.

    Parameters
    ----------
    estimator : object
        Estimator to look at, fitted or not.
    method : str
        Name of the method.

    Returns
    -------
    bool
    """
    if callable(getattr(estimator, method, None)):
        return True
    if isinstance(estimator, Pipeline):
        return will_have(estimator.steps[-1][1], method)
    # `available_if` hides a method of the class until an inner estimator provides it too.
    if not hasattr(type(estimator), method) or not hasattr(estimator, "get_params"):
        return False
    inner = estimator.get_params(deep=False)
    if inner.get("estimator") is not None:
        return will_have(inner["estimator"], method)
    return any(name.endswith("estimator") and value is None for name, value in inner.items())
