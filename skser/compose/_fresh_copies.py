"""Training of a network on new altered copies in each epoch."""

import copy

import numpy as np
from sklearn.pipeline import Pipeline

from skser.sequences import Sequences, as_sequences


def check_network(estimator):
    """Raise ValueError unless an estimator is a pipeline of features and a suitable network."""
    from skser import neural_network

    network = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else None
    kinds = (
        neural_network.AttentionFCNClassifier,
        neural_network.AttentionFCNRegressor,
        neural_network.AttentionRNNClassifier,
        neural_network.AttentionRNNRegressor,
    )
    if not isinstance(network, kinds) or len(estimator.steps) < 2:
        found = estimator if network is None else network
        raise ValueError(
            "fresh_copies=True needs a pipeline of features and an attention FCN or RNN, not "
            f"{type(found).__name__}. Set fresh_copies=False, and n_copies to the number of "
            "copies."
        )
    if network.early_stopping:
        raise ValueError(
            "fresh_copies=True cannot be combined with early_stopping=True of the network, whose "
            "validation utterances would change in each epoch. Set early_stopping=False."
        )


def fit_on_fresh_copies(pipeline, X, y, routed, copies_of):
    """Fit a pipeline whose network is trained on other copies from the second epoch on.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted pipeline that `check_network` accepts.
    X : list of Waveform, or utterance table, of n_rows
        Utterances, followed by their copies in the first epoch.
    y : array-like of shape (n_rows,) or (n_rows, n_targets)
        Targets.
    routed : dict
        Keyword arguments of the pipeline's `fit`.
    copies_of : callable
        Function of the epoch, from 2 on, that returns a context manager, which gives the copies
        in the form of X.

    Returns
    -------
    Pipeline
        The fitted pipeline.
    """
    from skser.neural_network import FreshSequences

    name, network = pipeline.steps[-1]
    features = pipeline[:-1]
    first = features.fit_transform(X, y)
    sequences = as_sequences(first)
    kept, of_copies = None, _without_memory(features)

    def sequences_of(epoch):
        nonlocal kept
        if epoch == 1:
            return sequences
        with copies_of(epoch) as copies:
            new = as_sequences(of_copies.transform(copies))
        if kept is None:
            kept = sequences[: len(sequences) - len(new)].compact()
        return Sequences(
            np.concatenate([kept.values, new.values]),
            np.concatenate([kept.lengths, new.lengths]),
            layout=kept.layout,
        )

    callbacks = network.callbacks
    network.set_params(callbacks=[*callbacks, FreshSequences(sequences_of)])
    routed = {keyword.removeprefix(f"{name}__"): value for keyword, value in routed.items()}
    try:
        network.fit(first, y, **routed)
    finally:
        network.set_params(callbacks=callbacks)
    return pipeline.set_params(steps=[*features.steps, (name, network)])


def _without_memory(features):
    """Return a copy of fitted features that does not store what it will never need again."""
    features = copy.deepcopy(features)
    names = [name for name in features.get_params() if name.split("__")[-1] == "memory"]
    return features.set_params(**dict.fromkeys(names))
