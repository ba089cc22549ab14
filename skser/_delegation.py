"""What an estimator around another estimator has from it: methods, and names of features."""

from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted


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


def inner_has(method):
    """Return a check, for `available_if`, that the inner estimator has or will have a method.

    Parameters
    ----------
    method : str
        Name of the method.

    Returns
    -------
    callable
        Function of the outer estimator, which has `estimator` and, once fitted, ``estimator_``.
    """

    def check(self):
        if hasattr(self, "estimator_"):
            getattr(self.estimator_, method)
            return True
        return will_have(self.estimator, method)

    return check


class InnerFeatures:
    """Mixin for estimators that have seen the features that their ``estimator_`` has seen."""

    @property
    def n_features_in_(self):
        """Number of features that `estimator_` has seen."""
        check_is_fitted(self)
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features that `estimator_` has seen."""
        check_is_fitted(self)
        return self.estimator_.feature_names_in_
