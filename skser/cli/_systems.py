"""The systems that the commands train: those of `skser.pipelines`, for emotions or dimensions."""

import inspect

import numpy as np


def system_for(name, targets, *, memory, jobs, device, seed=0, max_epochs=None, conditions=None):
    """Build an unfitted system.

    Parameters
    ----------
    name : System
        Name of the system.
    targets : list of str or None
        Dimensions to predict; None means the emotion.
    memory, jobs, device, seed, max_epochs, conditions
        Parameters ``memory``, ``n_jobs``, ``device``, ``random_state``, ``max_epochs`` and
        ``conditions`` of the system; None and the device "auto" mean its own.

    Returns
    -------
    estimator

    Raises
    ------
    ValueError
        If an option is given that the system does not have.
    """
    from skser import pipelines

    function = getattr(pipelines, name.replace("-", "_"))
    options = {
        "max_epochs": max_epochs,
        "conditions": conditions,
        "device": None if device == "auto" else device,
    }
    given = {key: value for key, value in options.items() if value is not None}
    unknown = given.keys() - inspect.signature(function).parameters.keys()
    if unknown:
        option = {"max_epochs": "--max-epochs", "conditions": "--conditions or --clean"}
        raise ValueError(
            f"The system {name} has no {option.get(min(unknown), '--device')}. Leave it out, or "
            "choose another --system."
        )
    system = function(random_state=seed, memory=memory, n_jobs=jobs, **given)
    return as_regressor(system) if targets else system


def refusing(system, targets):
    """Wrap a system so that it refuses audio that it cannot judge.

    Parameters
    ----------
    system : estimator
        System of emotions.
    targets : list of str or None
        Dimensions to predict, which must be None.

    Returns
    -------
    RejectingClassifier or AugmentedClassifier

    Raises
    ------
    ValueError
        If the system predicts dimensions.
    """
    from skser.compose import AugmentedClassifier, RejectingClassifier

    if targets:
        raise ValueError("--refuse is for emotions. Leave it out, or leave out --target.")
    if isinstance(system, AugmentedClassifier):  # the thresholds hold for altered copies too
        return system.set_params(estimator=RejectingClassifier(system.estimator))
    return RejectingClassifier(system)


def as_regressor(system):
    """Return a system like a classifier of emotions that predicts numbers.

    Features and altered copies stay. An attention FCN becomes its regressor, a discriminant
    analysis a ridge regression whose penalty is chosen on the training data, and a vote the mean
    of its parts.

    Parameters
    ----------
    system : estimator
        System of `skser.pipelines`, or a part of one.

    Returns
    -------
    estimator
    """
    from sklearn.ensemble import VotingClassifier, VotingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import Pipeline

    from skser.compose import AugmentedClassifier, AugmentedRegressor
    from skser.discriminant_analysis import WideDiscriminantAnalysis
    from skser.neural_network import AttentionFCNClassifier, AttentionFCNRegressor

    settings = system.get_params(deep=False)
    if isinstance(system, AugmentedClassifier):
        return AugmentedRegressor(**settings | {"estimator": as_regressor(system.estimator)})
    if isinstance(system, Pipeline):
        *steps, (_, last) = system.steps
        return Pipeline([*steps, ("regressor", as_regressor(last))])
    if isinstance(system, VotingClassifier):
        parts = [(name, as_regressor(part)) for name, part in system.estimators]
        return VotingRegressor(parts, weights=system.weights)
    if isinstance(system, AttentionFCNClassifier):
        kept = AttentionFCNRegressor().get_params(deep=False)
        return AttentionFCNRegressor(**{name: settings[name] for name in kept})
    if isinstance(system, WideDiscriminantAnalysis):
        return RidgeCV([10.0 ** (power / 2) for power in range(-2, 13)])
    raise TypeError(f"{type(system).__name__} has no counterpart that predicts numbers.")


def training_targets(data, targets):
    """Return the utterances of a corpus that have all ratings, and what to train on.

    Parameters
    ----------
    data : SpeechCorpus
    targets : list of str or None
        Dimensions; None means the emotion.

    Returns
    -------
    rows : ndarray of shape (n_utterances,), bool
        Whether an utterance has all ratings.
    y : ndarray of shape (n_rated,) or (n_rated, n_targets)

    Raises
    ------
    ValueError
        If the corpus has no ratings of a dimension, or text in their place.
    """
    if not targets:
        return np.ones(len(data.data), bool), data.target.astype(str)
    missing = [name for name in targets if name not in data.frame]
    if missing:
        raise ValueError(
            f"The corpus has no ratings of {', '.join(missing)}; its columns are "
            f"{', '.join(data.frame.columns)}."
        )
    for name in targets:  # text of digits, such as the speaker 01, is not a number
        text = [cell for cell in data.frame[name] if isinstance(cell, str)]
        if text:
            raise ValueError(
                f"The column {name} holds text, such as {text[0]!r}. Give a --target with numbers."
            )
    y = data.frame[targets].to_numpy(float)
    rows = ~np.isnan(y).any(axis=1)
    if not rows.any():
        raise ValueError(f"No utterance has all of the ratings {', '.join(targets)}.")
    return rows, y[rows, 0] if len(targets) == 1 else y[rows]
