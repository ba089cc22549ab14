"""Input checks and output containers that all estimators of frame sequences share."""

import contextlib
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


@contextlib.contextmanager
def unchanged_on_failure(estimator):
    """Let an estimator keep all attributes that it had if a fit fails or is interrupted.

    The fit must replace what an earlier fit made, not change it in place.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class SequenceTransformerMixin(TransformerMixin, auto_wrap_output_keys=None):
    """Mixin for transformers that take or return `Sequences`.

    A subclass that can return vectors, even if only under some settings, is declared with
    ``auto_wrap_output_keys=("transform",)`` and passes them through `in_container`.
    """

    def __init_subclass__(cls, auto_wrap_output_keys=None, **kwargs):
        # scikit-learn's automatic wrapping would drop the index of Sequences and cannot wrap
        # Sequences at all, so it is switched off and `in_container` does the wrapping.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)
        cls._sklearn_auto_wrap_output_keys = set(auto_wrap_output_keys or ())

    def set_output(self, *, transform=None):
        """Set the container in which vectors are returned.

        `Sequences` are returned unchanged.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Container of the output, as in scikit-learn. None keeps the current setting.

        Returns
        -------
        self : object
            This estimator.
        """
        if self._sklearn_auto_wrap_output_keys:
            super().set_output(transform=transform)
        return self

    def fit_transform(self, X, y=None):
        """Fit to X and return the transformed X.

        Parameters
        ----------
        X : input of `fit`
            Utterances to fit to and to transform.
        y : target of `fit`, default=None
            Targets that are passed to `fit`.

        Returns
        -------
        output of `transform`
            Transformed X.
        """
        # TransformerMixin.fit_transform would wrap the output a second time.
        return self.fit(X, y).transform(X)


def in_container(estimator, vectors, X):
    """Return vectors in the container chosen by `set_output`, with the row labels of X.

    Parameters
    ----------
    estimator : transformer
        Transformer whose output the vectors are.
    vectors : ndarray of shape (n_utterances, n_columns)
        One row per utterance of X.
    X : any form of X
        Input that the vectors were computed from.

    Returns
    -------
    ndarray, pandas DataFrame or polars DataFrame
    """
    index = row_index(X)
    labelled = X if index is None else pd.DataFrame(index=index)
    return _wrap_data_with_container("transform", vectors, labelled, estimator)


def validate_sequences(estimator, X, *, reset):
    """Check X and return it as `Sequences`.

    With ``reset=True`` the layout and number of columns are stored on the estimator; otherwise
    they are compared with those stored. ``n_features_in_`` and ``feature_names_in_`` are set for
    2-D arrays only. A 2-D array is a batch of one-column sequences of equal length, so that its
    columns are frames. An estimator with a true attribute ``_takes_vectors`` reads each row as an
    utterance of a single frame instead.

    Parameters
    ----------
    estimator : estimator instance
        Estimator that receives X and stores the number of columns.
    X : Sequences, list of 2-D arrays, or 2-D or 3-D array
        Frame sequences to check.
    reset : bool
        True in `fit`, False in `predict` and `transform`.

    Returns
    -------
    Sequences

    Raises
    ------
    ValueError
        If X is empty, has an utterance without frames, holds NaN or infinity, or differs from
        the X of `fit` in its form, number of columns, their names or bands, or its hop. The
        wording is scikit-learn's where it has one, and the first offending utterance is named.
    TypeError
        If X is audio, or cannot be converted to numbers.
    """
    is_flat = not is_sequences(X)
    if is_flat and is_audio(X):
        raise TypeError(
            f"{type(estimator).__name__} takes frame sequences, not audio: put a transformer "
            "such as MelSpectrogram before it in a Pipeline."
        )
    if not reset and is_flat != estimator._fitted_on_flat:
        forms = ("frame sequences", "a 2-D array")
        raise ValueError(
            f"{type(estimator).__name__} was fitted on {forms[estimator._fitted_on_flat]} and "
            f"is now given {forms[is_flat]}: pass the form that was given to fit."
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
        else:
            _check_layout(estimator, sequences.layout)
    if reset:
        estimator._fitted_on_flat = is_flat
        estimator._layout = sequences.layout
        estimator._n_columns = sequences.values.shape[1]
    return sequences


def _check_layout(estimator, given):
    """Raise an error if columns or frames do not mean what they meant in `fit`."""
    fitted = vars(estimator).get("_layout")
    different = fitted and fitted.difference(given)
    if different:
        raise ValueError(
            f"{type(estimator).__name__} was fitted on {different[0]}, but X has {different[1]}. "
            "Compute X with the transformer, and the parameters, that were used for fit."
        )


def is_audio(X):
    """Return True if X is a path, a list of paths, arrays of samples, or an utterance table."""
    X = as_one_column(X)
    if isinstance(X, str) or "audio" in getattr(X, "columns", ()):
        return True
    if not isinstance(X, list | tuple) and getattr(X, "ndim", None) != 1:
        return False
    first = next(iter(X), None)
    return isinstance(first, str | os.PathLike | np.ndarray)


def is_sequences(X):
    """Return True if X is a form of frame sequences other than a 2-D array."""
    if isinstance(X, Sequences):
        return True
    if isinstance(X, list | tuple):
        return len(X) > 0 and np.ndim(X[0]) == 2
    return getattr(X, "ndim", None) == 3


def check_sequences(X):
    """Raise an error if an utterance of X has no frames or holds NaN or infinity.

    Parameters
    ----------
    X : Sequences
        Frame sequences to check.

    Raises
    ------
    ValueError
        If X is empty or an utterance is not usable; the first such utterance is named by its
        position.
    """
    if len(X) == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if X.lengths.min() == 0:
        raise ValueError(
            f"Utterance {int(np.argmin(X.lengths))} has 0 frames, at least 1 is required: remove "
            "it from X."
        )
    check_finite(X)


def check_finite(X):
    """Raise ValueError naming the first utterance of X (Sequences) with NaN or infinity."""
    # A finite sum has finite terms, so the slow search runs only if the sum is not finite.
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
    """Return a mask of the rows of y that carry no label.

    Parameters
    ----------
    y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
        Targets of each utterance.
    marker : int, str, NaN or None
        Value that stands for a missing label. A number also matches its digits as a string. NaN
        marks the rows in which all targets are NaN. None means that every row is labeled.

    Returns
    -------
    ndarray of shape (n_utterances,), bool
        True where the label is missing.
    """
    if marker is None:
        return np.zeros(len(y), dtype=bool)
    if is_nan(marker):
        y = check_array(y, dtype=float, ensure_2d=False, ensure_all_finite="allow-nan")
        return np.isnan(y).reshape(len(y), -1).all(axis=1)
    values = column_or_1d(y).tolist()
    return np.array([v == marker or (isinstance(v, str) and v == str(marker)) for v in values])


def is_nan(value):
    """Return True if a value is the number NaN."""
    return isinstance(value, Real) and np.isnan(value)
