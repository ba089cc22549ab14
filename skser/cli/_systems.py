"""The systems that the commands train: those of `skser.pipelines`, for emotions or dimensions."""

import numpy as np


def system_for(name, targets, seed, memory, jobs, device, max_epochs):
    """Build an unfitted system.

    Parameters
    ----------
    name : System
        Name of the system.
    targets : list of str or None
        Dimensions to predict; None means the emotion.
    seed, memory, jobs, device
        Parameters ``random_state``, ``memory``, ``n_jobs`` and ``device`` of the system.
    max_epochs : int or None
        Number of training epochs; None means that of the system.

    Returns
    -------
    estimator
    """
    from skser import pipelines

    given = {} if max_epochs is None else {"max_epochs": max_epochs}
    system = getattr(pipelines, name.replace("-", "_"))(
        random_state=seed, memory=memory, n_jobs=jobs, device=device, **given
    )
    return as_regressor(system) if targets else system


def as_regressor(system):
    """Return a system like a classifier of emotions that predicts numbers.

    The features stay. An attention FCN becomes its regressor, a logistic regression a ridge
    regression whose penalty is chosen on the training data, and a vote the mean of its parts.

    Parameters
    ----------
    system : estimator
        System of `skser.pipelines`, or a part of one.

    Returns
    -------
    estimator
    """
    from sklearn.ensemble import VotingClassifier, VotingRegressor
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import Pipeline

    from skser.neural_network import AttentionFCNClassifier, AttentionFCNRegressor

    if isinstance(system, Pipeline):
        *steps, (_, last) = system.steps
        return Pipeline([*steps, ("regressor", as_regressor(last))])
    if isinstance(system, VotingClassifier):
        parts = [(name, as_regressor(part)) for name, part in system.estimators]
        return VotingRegressor(parts, weights=system.weights)
    if isinstance(system, AttentionFCNClassifier):
        kept = AttentionFCNRegressor().get_params(deep=False)
        settings = system.get_params(deep=False)
        return AttentionFCNRegressor(**{name: settings[name] for name in kept})
    if isinstance(system, LogisticRegression):
        return RidgeCV([10.0 ** (power / 2) for power in range(-2, 13)])
    raise TypeError(f"{type(system).__name__} has no counterpart that predicts numbers.")


def rated(data, targets):
    """Return the utterances of a corpus that have all ratings, and the ratings.

    Parameters
    ----------
    data : SpeechCorpus
    targets : list of str
        Dimensions.

    Returns
    -------
    audio : ndarray of shape (n_rated,)
    y : ndarray of shape (n_rated,) or (n_rated, n_targets)

    Raises
    ------
    ValueError
        If the corpus has no ratings of a dimension.
    """
    missing = [name for name in targets if name not in data.frame]
    if missing:
        raise ValueError(
            f"The corpus has no ratings of {', '.join(missing)}; its columns are "
            f"{', '.join(data.frame.columns)}."
        )
    y = data.frame[targets].to_numpy(float)
    known = ~np.isnan(y).any(axis=1)
    if not known.any():
        raise ValueError(f"No utterance has all of the ratings {', '.join(targets)}.")
    return data.data[known], y[known, 0] if len(targets) == 1 else y[known]
