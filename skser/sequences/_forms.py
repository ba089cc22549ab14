"""Conversion of all accepted forms of frame sequences to `Sequences`."""

import numpy as np

from skser.sequences._index import row_index
from skser.sequences._sequences import Sequences


def as_sequences(X):
    """Convert any accepted form of frame sequences to `Sequences`.

    Parameters
    ----------
    X : Sequences, 3-D array (n_utterances, n_frames, n_columns), 2-D array (one column: \
            n_utterances, n_frames), or list of 2-D arrays (n_frames, n_columns)
        Frame sequences. `Sequences` are returned as given, and the pandas index of a 2-D table is
        kept as the labels of the utterances.

    Returns
    -------
    Sequences

    Raises
    ------
    ValueError
        If an array has another number of axes, or the arrays of a list have different widths.
    """
    if isinstance(X, Sequences):
        return X
    if isinstance(X, list | tuple):
        return Sequences.from_list(X)
    index = row_index(X)
    X = np.asarray(X)
    if X.ndim == 2:
        X = X[:, :, None]
    if X.ndim != 3:
        raise ValueError(
            "X must be Sequences, a list of 2-D arrays, or a 2-D or 3-D array, "
            f"not an array of shape {X.shape}."
        )
    return Sequences.from_array(X, index=index)
