"""Utterances of two modalities: acoustic frames and word pieces, either of which may be missing."""

import re

import numpy as np
import pandas as pd

from skser._base import check_finite
from skser.audio import AudioReadError
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
        """Layout of the frames."""
        return self.frames.layout

    @property
    def values(self):
        """Values of the frames."""
        return self.frames.values

    @property
    def lengths(self):
        """Lengths to batch utterances by: in frames, or in words where there are no frames."""
        return np.maximum(self.frames.lengths, self.words.lengths)


def utterance_table(X, column):
    """X as an utterance table: itself, or a list of what the column holds."""
    if hasattr(X, "columns"):
        table = X
    elif isinstance(X, list | tuple | pd.Series) or (isinstance(X, np.ndarray) and X.ndim == 1):
        cells = np.empty(len(X), dtype=object)
        for i, cell in enumerate(X):  # pairs of samples and rate would become rows
            cells[i] = cell
        table = pd.DataFrame({column: cells})
    else:
        raise TypeError(
            f"X must be an utterance table, or a list of its column {column!r}, not "
            f"{type(X).__name__}."
        )
    if not len(table):
        raise ValueError("There are 0 utterances, at least 1 is required.")
    return table


def rows_with(X, column):
    """Rows of an utterance table that hold something in a column.

    None and NaN in it, and its absence, mean that there is nothing.

    Raises
    ------
    ValueError
        Naming the first transcript that is empty or no text.
    """
    if column not in X:
        return np.zeros(0, np.int64)
    there = [cell is not None and not _is_nan(cell) for cell in X[column]]
    rows = np.flatnonzero(there)
    if column == "transcript":
        for i in rows:
            text = X[column].iloc[i]
            if pd.api.types.is_number(text):
                raise ValueError(f"Utterance {i} has a transcript that is no text: {text!r}.")
            if isinstance(text, str) and not text.strip():
                raise ValueError(f"Utterance {i} has an empty transcript; None says there is none.")
    return rows


def _is_nan(cell):
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def embed(X, rows, transformer, layout):
    """Sequences of an utterance table, of 0 frames where there is nothing.

    An utterance that the transformer leaves with 0 frames counts as one that is not there.

    Parameters
    ----------
    X : DataFrame
    rows : ndarray of int
        Those to embed.
    transformer : transformer that gives Sequences
    layout : Layout
        What they are like, in case there are no rows.

    Returns
    -------
    Sequences of shape (n_utterances,)
    """
    lengths, starts = np.zeros(len(X), np.int64), np.zeros(len(X), np.int64)
    if not len(rows):
        nothing = np.zeros((1, len(layout.feature_names)), np.float32)
        return Sequences(nothing, lengths, starts, layout)
    try:
        found = transformer.transform(X.iloc[rows])
    except AudioReadError as error:
        raise AudioReadError(_numbered_as(rows, error.failures), error.n_inputs) from error
    if not isinstance(found, Sequences):
        raise TypeError(
            f"{type(transformer).__name__} gives {type(found).__name__}, not Sequences: set "
            "pooling=None."
        )
    lengths[rows], starts[rows] = found.lengths, found.starts
    embedded = Sequences(found.values, lengths, starts, found.layout)
    check_finite(embedded)
    return embedded


def _numbered_as(rows, failures):
    """Failures of some rows, with arrays called by their number among all."""
    number = re.compile(r"(?<![^,] )\butterance (\d+)(?= |$)")

    def renumbered(name):
        return number.sub(lambda found: f"utterance {rows[int(found[1])]}", name, count=1)

    return [(renumbered(name), reason) for name, reason in failures]
