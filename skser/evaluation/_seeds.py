"""Seeding of whole estimators."""


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
    for name in estimator.get_params():
        if name.split("__")[-1] == "random_state":
            estimator.set_params(**{name: seed})
    return estimator
