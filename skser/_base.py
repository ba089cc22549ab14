"""What every estimator of frame sequences does: check its input, keep the rows' labels."""

import os
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import validate_data

from skser.audio import as_one_column
from skser.sequences import Sequences, as_sequences, row_index


class SequenceTransformerMixin(TransformerMixin, auto_wrap_output_keys=None):
    """Mixin of transformers that return or take `Sequences`.

    A class that returns vectors, if only under some settings, is declared with
    ``auto_wrap_output_keys=("transform",)`` and hands them to `in_container`.
    """

    def __init_subclass__(cls, auto_wrap_output_keys=None, **kwargs):
        # What scikit-learn wraps by itself would lose the index of Sequences, and may not be
        # Sequences.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)
        cls._sklearn_auto_wrap_output_keys = set(auto_wrap_output_keys or ())

    def set_output(self, *, transform=None):
        """Choose the container of vectors; `Sequences` stay what they are.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            As in scikit-learn; None changes nothing.

        Returns
        -------
        self : object
        """
        if self._sklearn_auto_wrap_output_keys:
            super().set_output(transform=transform)
        return self

    def fit_transform(self, X, y=None):
        """Fit, and transform X.

        Parameters
        ----------
        X : as for `fit`
        y : as for `fit`

        Returns
        -------
        What `transform` returns
        """
        # scikit-learn's own wraps what it returns.
        return self.fit(X, y).transform(X)


def in_container(estimator, vectors, X):
    """Put vectors into the container that `set_output` asks for, with the labels of X.

    Parameters
    ----------
    estimator : transformer
    vectors : ndarray of shape (n_utterances, n_columns)
    X : any form of X
        What the vectors were computed from.

    Returns
    -------
    ndarray, pandas DataFrame or polars DataFrame
    """
    index = row_index(X)
    labelled = X if index is None else pd.DataFrame(index=index)
    return _wrap_data_with_container("transform", vectors, labelled, estimator)


def validate_sequences(estimator, X, *, reset):
    """Check X and return it as `Sequences`.

    Sets (`reset`) or compares the number of columns, which is ``n_features_in_`` only where X is
    a 2-D array, with ``feature_names_in_``. A 2-D array is a
    batch of one-channel sequences of one length, and its columns are its features. To an
    estimator that says ``_takes_vectors`` each row is an utterance of one frame.

    Parameters
    ----------
    estimator : estimator instance
    X : Sequences, list of 2-D arrays, or 2-D or 3-D array
    reset : bool
        True in `fit`.

    Returns
    -------
    Sequences

    Raises
    ------
    ValueError
        In scikit-learn's wording, naming the first offending utterance.
    TypeError
        If X is no form of numbers.
    """
    is_flat = not is_sequences(X)
    if is_flat and _is_audio(X):
        raise TypeError(
            f"{type(estimator).__name__} takes frame sequences, not audio: put a transformer "
            "such as MelSpectrogram before it in a Pipeline."
        )
    if not reset and is_flat != estimator._fitted_on_flat:
        forms = ("frame sequences", "a 2-D array")
        raise ValueError(
            f"{type(estimator).__name__} was fitted on {forms[estimator._fitted_on_flat]} and "
            f"is now given {forms[is_flat]}."
        )
    if is_flat:
        array = validate_data(estimator, X, dtype=np.float32, reset=reset)
        takes_vectors = getattr(estimator, "_takes_vectors", False)
        sequences = as_sequences(array[:, None] if takes_vectors else array)
        sequences.index = row_index(X)
    else:
        sequences = X if isinstance(X, Sequences) else as_sequences(X)
        check_sequences(sequences)
        n_columns = sequences.values.shape[1]
        if reset:
            for attribute in ("n_features_in_", "feature_names_in_"):
                estimator.__dict__.pop(attribute, None)
        elif n_columns != estimator._n_columns:
            raise ValueError(
                f"X has {n_columns} features, but {type(estimator).__name__} is "
                f"expecting {estimator._n_columns} features as input."
            )
    if reset:
        estimator._fitted_on_flat = is_flat
        estimator._n_columns = sequences.values.shape[1]
    return sequences


def _is_audio(X):
    """Whether X is a path, several paths, arrays of samples, or an utterance table."""
    X = as_one_column(X)
    if isinstance(X, str) or "audio" in getattr(X, "columns", ()):
        return True
    if not isinstance(X, list | tuple) and getattr(X, "ndim", None) != 1:
        return False
    first = next(iter(X), None)
    return isinstance(first, str | os.PathLike | np.ndarray)


def is_sequences(X):
    """Whether X is a form of frame sequences other than a 2-D array."""
    if isinstance(X, Sequences):
        return True
    if isinstance(X, list | tuple):
        return len(X) > 0 and np.ndim(X[0]) == 2
    return getattr(X, "ndim", None) == 3


def check_sequences(X):
    """Raise if an utterance of `X` (Sequences) has no frames, or a value that is not finite.

    Raises
    ------
    ValueError
        Naming the first offending utterance by its position.
    """
    if len(X) == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if X.lengths.min() == 0:
        raise ValueError(f"Utterance {int(np.argmin(X.lengths))} has 0 frames; leave it out.")
    check_finite(X)


def check_finite(X):
    """Raise if a value of `X` (Sequences) is not finite, naming the first such utterance."""
    # A finite sum has finite terms; only a sum that is not calls for a look at each utterance.
    with np.errstate(over="ignore", invalid="ignore"):
        places = zip(X.starts, X.lengths, strict=True)
        total = sum(float(X.values[start : start + n].sum()) for start, n in places)
    if np.isfinite(total):
        return
    for i, frames in enumerate(X):
        if not np.isfinite(frames).all():
            kind = "NaN" if np.isnan(frames).any() else "infinity"
            raise ValueError(f"Input X contains {kind} (utterance {i}).")


def unlabeled(y, marker):
    """Rows of y without a label.

    Parameters
    ----------
    y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
    marker : int, str, NaN or None
        Value that stands for no label, also if y holds it as digits; NaN means rows of NaN
        alone; None means that all are labeled.

    Returns
    -------
    ndarray of shape (n_utterances,), bool
    """
    if marker is None:
        return np.zeros(len(y), dtype=bool)
    if is_nan(marker):
        y = check_array(y, dtype=float, ensure_2d=False, ensure_all_finite="allow-nan")
        return np.isnan(y).reshape(len(y), -1).all(axis=1)
    values = column_or_1d(y).tolist()
    return np.array([v == marker or (isinstance(v, str) and v == str(marker)) for v in values])


def is_nan(value):
    """Whether a value is the number NaN."""
    return isinstance(value, Real) and np.isnan(value)
