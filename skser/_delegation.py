"""Methods that an estimator will have once it is fitted."""

from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods


class HasMethodsOnceFitted(HasMethods):
    """scikit-learn's constraint of the same name, on what an estimator will be after `fit`.

    A stack without a `final_estimator` shows no `predict` before `fit` puts its default there.
    """

    def is_satisfied_by(self, val):
        """Whether an object has all the methods, or will have them."""
        return all(will_have(val, method) for method in self.methods)


def will_have(estimator, method):
    """Whether an estimator has a method, or will have it once it is fitted.

    Parameters
    ----------
    estimator : object
    method : str

    Returns
    -------
    bool
    """
    if callable(getattr(estimator, method, None)):
        return True
    if isinstance(estimator, Pipeline):
        return will_have(estimator.steps[-1][1], method)
    # It may be a method of its class that an inner estimator must have as well.
    if not hasattr(type(estimator), method) or not hasattr(estimator, "get_params"):
        return False
    inner = estimator.get_params(deep=False)
    if inner.get("estimator") is not None:
        return will_have(inner["estimator"], method)
    return any(name.endswith("estimator") and value is None for name, value in inner.items())
