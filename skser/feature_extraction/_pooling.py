"""Pooling of the hidden states of an utterance, or a text, into one vector."""

import numpy as np

PERCENTILES = (10, 25, 50, 75, 90)
_STATISTICS = {
    "mean": lambda states: [states.mean(axis=0)],
    "std": lambda states: [states.std(axis=0)],
    "percentiles": lambda states: np.percentile(states, PERCENTILES, axis=0).astype(np.float32),
}
_NAMES = {
    "mean": ["mean"],
    "std": ["std"],
    "percentiles": [f"percentile{q}" for q in PERCENTILES],
}
POOLINGS = {"mean", "mean+std", "percentiles", "mean+std+percentiles"}


def pooled(states, pooling):
    """Pool states (n_frames, n_layers, width) to a vector (n_layers * n_statistics * width,).

    Columns are ordered by layer, and within a layer by statistic. If `pooling` is None, the
    result is the states themselves, as (n_frames, n_layers * width).
    """
    if pooling is None:
        return np.ascontiguousarray(states.reshape(len(states), states.shape[1] * states.shape[2]))
    statistics = [s for name in pooling.split("+") for s in _STATISTICS[name](states)]
    return np.stack(statistics, axis=1).ravel()


def column_names(layers, width, pooling):
    """Return the names of the columns that `pooled` returns."""
    statistics = [""] if pooling is None else pooling.split("+")
    names = [part for name in statistics for part in _NAMES.get(name, [""])]
    return tuple(
        "_".join(part for part in (f"layer{layer}", name, str(i)) if part)
        for layer in layers
        for name in names
        for i in range(width)
    )
