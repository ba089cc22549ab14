"""Statistics of a network's normalization layers, measured on recordings without labels."""

from functools import partial

import numpy as np
import torch

from skser.neural_network.modules.attention_rnn import PresentBatchNorm, RecurrentEncoder
from skser.neural_network.modules.layers import MaskedBatchNormReLU, time_mask

# Buffers of each layer: a location, and a spread that is a variance or a standard deviation.
_BUFFERS = {
    MaskedBatchNormReLU: ("running_mean", "running_var"),
    PresentBatchNorm: ("running_mean", "running_var"),
    RecurrentEncoder: ("center", "scale"),
}


def normalization_statistics(estimator):
    """Return the statistics of a fitted network's normalization layers.

    Parameters
    ----------
    estimator : NeuralEstimator
        Fitted network.

    Returns
    -------
    dict of str to ndarray
        Arrays by layer and buffer, such as ``"blocks.0.batch_norm.running_mean"``. Empty if the
        network has no such layers.
    """
    return {
        f"{name}.{buffer}": getattr(layer, buffer).detach().cpu().numpy().copy()
        for name, layer in _layers(estimator).items()
        for buffer in _BUFFERS[type(layer)]
    }


def set_normalization_statistics(estimator, statistics):
    """Set the statistics of a fitted network's normalization layers, in place.

    Parameters
    ----------
    estimator : NeuralEstimator
        Fitted network.
    statistics : dict of str to ndarray
        Arrays in the form of `normalization_statistics`.
    """
    layers = _layers(estimator)
    for name, values in statistics.items():
        layer, buffer = name.rpartition(".")[::2]
        buffer = getattr(layers[layer], buffer)
        with torch.no_grad():
            buffer.copy_(torch.from_numpy(np.asarray(values, np.float32)))


def measure_normalization_statistics(estimator, X):
    """Replace the statistics of a fitted network's normalization layers by those of X, in place.

    The statistics of a layer are those of all frames of X that reach it after the layers before
    it have been replaced. They are exact, so they do not depend on the batches.

    Parameters
    ----------
    estimator : NeuralEstimator
        Fitted network.
    X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
        Utterances.
    """
    sequences = estimator._check_input(X, reset=False)
    for layer in _in_order(estimator, sequences):
        moments = _Moments()
        _run(estimator, sequences, {layer: moments.add})
        if moments.count:
            _set(layer, *moments.mean_and_variance())


def _layers(estimator):
    """Return the normalization layers of the network, by name."""
    return {
        name: layer
        for name, layer in estimator.net_.module_.named_modules()
        # A frame encoder without recurrent layers leaves its buffers unused.
        if type(layer) in _BUFFERS and getattr(layer, "recurrent", True) is not None
    }


def _in_order(estimator, sequences):
    """Return the normalization layers in the order in which data pass through them."""
    order = []
    hooks = {layer: lambda layer, _: order.append(layer) for layer in _layers(estimator).values()}
    _run(estimator, sequences[:1], hooks)
    return list(dict.fromkeys(order))


def _run(estimator, sequences, hooks):
    """Run the network on all utterances, and call each hook with its layer and valid rows."""
    handles = [
        layer.register_forward_pre_hook(partial(_call_with_rows, hook))
        for layer, hook in hooks.items()
    ]
    try:
        for indices, batch in estimator._batches(sequences):
            # Batches of a 2-D array repeat rows to have equal size, which must not count twice.
            estimator.net_.module_(**{name: part[: len(indices)] for name, part in batch.items()})
    finally:
        for handle in handles:
            handle.remove()


def _call_with_rows(hook, layer, inputs):
    hook(layer, _valid_rows(layer, *inputs))


def _valid_rows(layer, x, places, *_):
    """Return the input of a layer as rows of its columns, without padding."""
    if isinstance(layer, RecurrentEncoder):
        frames = layer.states(x, places.clamp(min=1))  # (batch, channels, time, columns)
        mask = time_mask(places, frames.shape[2])
        return frames.transpose(1, 2)[mask].flatten(1)
    if isinstance(layer, PresentBatchNorm):
        return x[places]
    positions = x.permute(0, 2, 3, 1)[places.mask]  # (positions, bands, channels)
    return positions.flatten(0, 1)


class _Moments:
    """Sums in double precision, because a difference of squares loses digits."""

    def __init__(self):
        self.count = 0
        self.sum = self.squares = 0.0

    def add(self, layer, rows):
        """Add rows (n_rows, n_columns)."""
        rows = rows.detach().float().cpu().double()
        self.count += len(rows)
        self.sum = self.sum + rows.sum(dim=0)
        self.squares = self.squares + rows.square().sum(dim=0)

    def mean_and_variance(self):
        """Return the mean and the variance of each column."""
        mean = self.sum / self.count
        return mean, (self.squares / self.count - mean.square()).clamp(min=0.0)


def _set(layer, mean, variance):
    location, spread = (getattr(layer, name) for name in _BUFFERS[type(layer)])
    # A column without spread among these utterances says nothing about that of other utterances.
    constant = variance <= (1e-6 * mean).square()
    values = variance.sqrt() if isinstance(layer, RecurrentEncoder) else variance
    with torch.no_grad():
        known = spread.detach().cpu().double().flatten()
        values = torch.where(constant, known, values).reshape(spread.shape)
        location.copy_(mean.reshape(location.shape))
        spread.copy_(values)
