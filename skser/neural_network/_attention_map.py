"""Attention on the grid of a network's last layer, in seconds and Hz."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AttentionMap:
    """Attention weights of one utterance, on the grid of the network's last layer.

    Attributes
    ----------
    weights : ndarray of shape (n_heads, n_times, n_bands), float64
        Weight of each cell. The weights of each head sum to 1.
    times : ndarray of shape (n_times,)
        Centers of the cells in seconds, or in frames if the hop of the input is unknown.
    time_extents : ndarray of shape (n_times, 2)
        First and last time that each cell covers, clipped to the utterance's frames. The unit is
        that of `times`.
    frequencies : ndarray of shape (n_bands,)
        Centers of the cells in Hz, or in bands if the frequencies of the input are unknown.
    frequency_extents : ndarray of shape (n_bands, 2)
        Lowest and highest frequency that each cell covers, clipped to the input's bands. The unit
        is that of `frequencies`.

    Examples
    --------
    >>> from skser.audio import Waveform
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.persistence import load_pretrained
    >>> corpus = make_emotional_speech(1, 5, random_state=0)
    >>> utterance = Waveform(corpus.data[0], corpus.sampling_rate)
    >>> model = load_pretrained("emodb-afcn", device="cpu")
    >>> (attention,) = model[-1].attention(model[:-1].transform([utterance]))
    >>> attention.weights.shape == (4, len(attention.times), len(attention.frequencies))
    True
    >>> attention.weights.sum(axis=(1, 2)).round(3).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    weights: np.ndarray
    times: np.ndarray
    time_extents: np.ndarray
    frequencies: np.ndarray
    frequency_extents: np.ndarray


def cell_positions(steps, n_cells, positions):
    """Return centers and extents of the last layer's cells, in the units of `positions`.

    Cell i of a layer with kernel size k, stride s and padding k // 2 covers its inputs from
    i s - k // 2 to i s - k // 2 + k - 1.
    """
    first, last, spacing = 0, 0, 1
    for kernel, stride in steps:
        first -= kernel // 2 * spacing
        last += (kernel - 1 - kernel // 2) * spacing
        spacing *= stride
    index = np.arange(n_cells) * spacing
    known = np.arange(len(positions))
    edges = np.stack([index + first, index + last], axis=1)
    # Padding reaches beyond the utterance: np.interp clips to the first and last position.
    return np.interp(edges.mean(axis=1), known, positions), np.interp(edges, known, positions)
