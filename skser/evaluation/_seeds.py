"""Seeding of whole estimators."""

from sklearn.frozen import FrozenEstimator


def set_seed(estimator, seed):
    """Set every ``random_state`` parameter of an estimator, nested ones included.

    Parameters
    ----------
    estimator : estimator
        Estimator to change in place. Frozen parts stay as they are.
    seed : int
        Value of every ``random_state``.

    Returns
    -------
    estimator
        The same estimator.
    """
    for name in unfrozen_parameters(estimator):
        if name.split("__")[-1] == "random_state":
            estimator.set_params(**{name: seed})
    return estimator


def unfrozen_parameters(estimator):
    """Return all parameters of an estimator, nested ones included, except those of frozen parts.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    dict
        Values by name.
    """
    parameters = estimator.get_params()
    frozen = [f"{name}__" for name, part in parameters.items() if _is_frozen(part)]
    inside = ("",) if _is_frozen(estimator) else tuple(frozen)
    return {name: value for name, value in parameters.items() if not name.startswith(inside)}


def _is_frozen(part):
    return isinstance(part, FrozenEstimator)
