"""Attention on the grid of a network's last layer, in seconds and Hz."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AttentionMap:
    """Where a network looked in one utterance.

    Attributes
    ----------
    weights : ndarray of shape (n_heads, n_times, n_bands), float64
        Each head sums to 1.
    times : ndarray of shape (n_times,)
        Centres of the cells in seconds; in frames where the input has no hop.
    time_extents : ndarray of shape (n_times, 2)
        First and last instant that each cell sees, clipped to the utterance's frames.
    frequencies : ndarray of shape (n_bands,)
        Centres of the cells in Hz; in bands where the input has no frequencies.
    frequency_extents : ndarray of shape (n_bands, 2)
        Lowest and highest frequency that each cell sees, clipped to the input's bands.
    """

    weights: np.ndarray
    times: np.ndarray
    time_extents: np.ndarray
    frequencies: np.ndarray
    frequency_extents: np.ndarray


def cell_positions(steps, n_cells, positions):
    """Centres and extents of the last layer's cells, in the units of `positions`.

    Cell i of a layer with kernel k, stride s and k // 2 of padding covers the inputs from
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
    # np.interp clips what lies outside to the first and last position.
    return np.interp(edges.mean(axis=1), known, positions), np.interp(edges, known, positions)
