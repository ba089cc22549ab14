"""Utterances with two modalities, acoustic frames and word pieces; either may be missing."""

import re

import numpy as np
import pandas as pd

from skser._base import check_finite
from skser.audio import AudioReadError
from skser.sequences import Sequences


class Bimodal:
    """Frames and word pieces of the same utterances, indexed together.

    An utterance without audio has 0 frames; one without text has 0 word pieces.

    Parameters
    ----------
    frames, words : Sequences of shape (n_utterances,)
        Both modalities, in the same order of utterances.
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
        """Lengths by which utterances are batched: the larger of frames and word pieces."""
        return np.maximum(self.frames.lengths, self.words.lengths)


def utterance_table(X, column):
    """Return X as an utterance table; a list becomes its only column."""
    if hasattr(X, "columns"):
        table = X
    elif isinstance(X, list | tuple | pd.Series) or (isinstance(X, np.ndarray) and X.ndim == 1):
        cells = np.empty(len(X), dtype=object)
        # One by one: numpy would turn a list of (samples, rate) pairs into a 2-D array.
        for i, cell in enumerate(X):
            cells[i] = cell
        table = pd.DataFrame({column: cells})
    else:
        raise TypeError(
            f"X must be an utterance table (a DataFrame), or a list with the values of its column "
            f"{column!r}, not {type(X).__name__}."
        )
    if not len(table):
        raise ValueError("X has 0 utterances; at least 1 is required.")
    return table


def rows_with(X, column):
    """Return the rows of an utterance table that have a value in a column.

    None and NaN mark a missing value. A table without the column has no such rows.

    Raises
    ------
    ValueError
        If a transcript is empty or a number. The message names the first one.
    """
    if column not in X:
        return np.zeros(0, np.int64)
    present = [cell is not None and not _is_nan(cell) for cell in X[column]]
    rows = np.flatnonzero(present)
    if column == "transcript":
        for i in rows:
            text = X[column].iloc[i]
            if pd.api.types.is_number(text):
                raise ValueError(
                    f"The transcript of utterance {i} must be a str, not the number {text!r}."
                )
            if isinstance(text, str) and not text.strip():
                raise ValueError(
                    f"The transcript of utterance {i} is empty; mark a missing one with None."
                )
    return rows


def _is_nan(cell):
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def embed(X, rows, transformer, layout):
    """Embed some rows of an utterance table; the other utterances get 0 frames.

    An utterance that the transformer leaves with 0 frames counts as missing, too.

    Parameters
    ----------
    X : DataFrame
        Utterance table.
    rows : ndarray of int
        Rows to embed.
    transformer : transformer that returns Sequences
        Transformer of the table.
    layout : Layout
        Layout of the result if `rows` is empty.

    Returns
    -------
    Sequences of shape (n_utterances,)
        Embedded utterances, in the order of the table.
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
            f"{type(transformer).__name__} must return Sequences, but returned "
            f"{type(found).__name__}: set its pooling=None."
        )
    lengths[rows], starts[rows] = found.lengths, found.starts
    embedded = Sequences(found.values, lengths, starts, found.layout)
    check_finite(embedded)
    return embedded


def _numbered_as(rows, failures):
    """Renumber the utterances in failures of some rows by their position in the whole table."""
    number = re.compile(r"(?<![^,] )\butterance (\d+)(?= |$)")

    def renumbered(name):
        return number.sub(lambda found: f"utterance {rows[int(found[1])]}", name, count=1)

    return [(renumbered(name), reason) for name, reason in failures]
