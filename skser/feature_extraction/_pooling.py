"""From the hidden states of an utterance, or a text, to one vector."""

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
    """One vector (n_layers * n_statistics * width,) of states (n_frames, n_layers, width).

    Columns go from layer to layer, within a layer from statistic to statistic. Without pooling
    they are the states themselves, (n_frames, n_layers * width).
    """
    if pooling is None:
        return np.ascontiguousarray(states.reshape(len(states), states.shape[1] * states.shape[2]))
    statistics = [s for name in pooling.split("+") for s in _STATISTICS[name](states)]
    return np.stack(statistics, axis=1).ravel()


def column_names(layers, width, pooling):
    """Names of these columns."""
    statistics = [""] if pooling is None else pooling.split("+")
    names = [part for name in statistics for part in _NAMES.get(name, [""])]
    return tuple(
        "_".join(part for part in (f"layer{layer}", name, str(i)) if part)
        for layer in layers
        for name in names
        for i in range(width)
    )
