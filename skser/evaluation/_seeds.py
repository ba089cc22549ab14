"""One seed for everything random in an estimator."""


def set_seed(estimator, seed):
    """Set every ``random_state`` of an estimator and of what it holds.

    Parameters
    ----------
    estimator : estimator
        Changed in place.
    seed : int

    Returns
    -------
    estimator
    """
    names = [name for name in estimator.get_params() if name.split("__")[-1] == "random_state"]
    return estimator.set_params(**dict.fromkeys(names, seed))
