"""Utterances of two modalities: acoustic frames and word pieces, either of which may be missing."""

import numpy as np
import pandas as pd

from skser._base import check_finite
from skser.sequences import Sequences


class Bimodal:
    """Frames and word pieces of the same utterances, indexed together.

    Where a modality is missing an utterance has 0 frames, or 0 word pieces, of it.

    Parameters
    ----------
    frames, words : Sequences of shape (n_utterances,)
    """

    def __init__(self, frames, words):
        self.frames, self.words = frames, words

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, key):
        return type(self)(self.frames[key], self.words[key])

    @property
    def layout(self):
        """That of the frames."""
        return self.frames.layout

    @property
    def values(self):
        """Those of the frames."""
        return self.frames.values

    @property
    def starts(self):
        """Where each utterance begins in either block, (n_utterances, 2)."""
        return np.stack([self.frames.starts, self.words.starts], axis=1)

    @property
    def lengths(self):
        """What utterances are batched by: their frames, or words where there are no frames."""
        return np.maximum(self.frames.lengths, self.words.lengths)


def utterance_table(X, column):
    """X as an utterance table: itself, or a list of what the column holds."""
    if hasattr(X, "columns"):
        return X
    if isinstance(X, str) or not hasattr(X, "__len__") or getattr(X, "ndim", 1) != 1:
        raise TypeError(
            f"X must be an utterance table, or a list of its column {column!r}, not "
            f"{type(X).__name__}."
        )
    cells = np.empty(len(X), dtype=object)
    cells[:] = list(X)
    return pd.DataFrame({column: cells})


def embed(X, column, transformer, layout):
    """Sequences of a column of an utterance table, of 0 frames where there is nothing.

    An utterance that the transformer leaves with 0 frames counts as one that is not there.

    Parameters
    ----------
    X : DataFrame
    column : {"audio", "transcript"}
        None and NaN in it, and its absence, mean that there is nothing.
    transformer : transformer that gives Sequences
    layout : Layout or None
        What they are like, in case there is nothing in any row.

    Returns
    -------
    Sequences of shape (n_utterances,)

    Raises
    ------
    ValueError
        Naming the first empty transcript; or if there is nothing in any row, and no layout.
    """
    cells = list(X[column]) if column in X else [None] * len(X)
    there = np.array([not _is_missing(cell) for cell in cells], dtype=bool)
    for i in np.flatnonzero(there):
        if isinstance(cells[i], str) and not cells[i].strip():
            raise ValueError(f"Utterance {i} has an empty {column!r}; None says that it has none.")
    rows = np.flatnonzero(there)
    if len(rows):
        found = transformer.transform(X.iloc[rows])
        if not isinstance(found, Sequences):
            raise TypeError(
                f"{type(transformer).__name__} gives {type(found).__name__}, not Sequences: set "
                "pooling=None."
            )
    elif layout is None:
        raise ValueError(
            f"No utterance has anything in the column {column!r}: leave its transformer out."
        )
    else:
        nothing = np.zeros((1, len(layout.feature_names)), np.float32)
        found = Sequences(nothing, np.zeros(0, np.int64), layout=layout)
    lengths, starts = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int64)
    lengths[rows], starts[rows] = found.lengths, found.starts
    embedded = Sequences(found.values, lengths, starts, found.layout)
    check_finite(embedded)
    return embedded


def _is_missing(cell):
    return cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell))
