"""Scaling of frame sequences, column by column."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, _fit_context
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from skser._base import (
    SequenceTransformerMixin,
    in_container,
    is_sequences,
    unchanged_on_failure,
    validate_sequences,
)


class SequenceScaler(
    OneToOneFeatureMixin,
    SequenceTransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=("transform",),
):
    """Standardization of each column over all frames of all utterances.

    A 2-D array is treated as a batch of one-channel sequences (n_utterances, n_frames): all its
    values share one mean and one standard deviation, and the result is a 2-D array too.

    Parameters
    ----------
    with_mean : bool, default=True
        Whether to subtract the mean.
    with_std : bool, default=True
        Whether to divide by the standard deviation. Constant columns are left unscaled.

    Attributes
    ----------
    mean_ : ndarray of shape (n_columns,) or None
        Mean over the frames seen.
    scale_ : ndarray of shape (n_columns,) or None
        Standard deviation over the frames seen.
    n_frames_seen_ : int
        Number of frames seen.
    n_features_in_ : int
        Number of columns of X. Only set if X is a 2-D array.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.preprocessing import SequenceScaler
    >>> from skser.sequences import Sequences
    >>> X = Sequences.from_list([[[1.0, 10.0]], [[3.0, 10.0], [5.0, 40.0]]])
    >>> scaled = SequenceScaler().fit_transform(X)
    >>> scaled.lengths, np.round(scaled.values.mean(axis=0), 6) + 0.0
    (array([1, 2]), array([0., 0.], dtype=float32))
    """

    _parameter_constraints = {"with_mean": ["boolean"], "with_std": ["boolean"]}

    def __init__(self, with_mean=True, with_std=True):
        self.with_mean = with_mean
        self.with_std = with_std

    def fit(self, X, y=None):
        """Learn the mean and standard deviation, replacing those of earlier calls.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays, or 2-D or 3-D array
            Utterances.
        y : ignored

        Returns
        -------
        self : object
        """
        with unchanged_on_failure(self):
            for attribute in ("_scaler", "n_features_in_", "feature_names_in_"):
                self.__dict__.pop(attribute, None)
            return self.partial_fit(X, y)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Update the mean and standard deviation with more utterances.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays, or 2-D or 3-D array
            Utterances to add.
        y : ignored

        Returns
        -------
        self : object
        """
        first = not hasattr(self, "_scaler")
        sequences = validate_sequences(self, X, reset=first)
        if first:
            self._scaler = StandardScaler(with_mean=self.with_mean, with_std=self.with_std)
        for frames in sequences.frame_runs():
            self._scaler.partial_fit(frames)
        self.mean_ = self._scaler.mean_
        self.scale_ = self._scaler.scale_
        self.n_frames_seen_ = int(self._scaler.n_samples_seen_)
        return self

    def transform(self, X):
        """Standardize every frame.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays, or 2-D or 3-D array
            Utterances.

        Returns
        -------
        Sequences, or ndarray of the shape of X if X is a 2-D array; float32
            Standardized frames. A 2-D X gives a DataFrame if `set_output` asks for one. A mapped
            block gives frames on disk; see `Sequences.map_values`.
        """
        scaled = self._apply(X, self._standardized)
        return scaled if is_sequences(X) else in_container(self, scaled, X)

    def inverse_transform(self, X):
        """Undo `transform`.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays, or 2-D or 3-D array
            Standardized utterances.

        Returns
        -------
        Sequences, or ndarray of the shape of X if X is a 2-D array; float32
            Frames in the original units.
        """
        return self._apply(X, self._unstandardized)

    # Written out here: for one utterance, StandardScaler's checks take longer than its arithmetic.

    def _standardized(self, frames):
        scaler = self._scaler
        frames = frames - scaler.mean_.astype(np.float32) if scaler.with_mean else frames.copy()
        if scaler.with_std:
            frames /= scaler.scale_.astype(np.float32)
        return frames

    def _unstandardized(self, frames):
        scaler = self._scaler
        frames = frames * scaler.scale_.astype(np.float32) if scaler.with_std else frames.copy()
        if scaler.with_mean:
            frames += scaler.mean_.astype(np.float32)
        return frames

    def _apply(self, X, function):
        if not hasattr(self, "_scaler"):  # scikit-learn's check takes long for one utterance
            check_is_fitted(self)
        sequences = validate_sequences(self, X, reset=False)
        result = sequences.map_values(function)
        return result if is_sequences(X) else result.values.reshape(len(sequences), -1)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns, which are those of X.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X. None uses ``feature_names_in_``, or "x0", "x1" and so on.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        if hasattr(self, "n_features_in_"):
            return super().get_feature_names_out(input_features)
        if input_features is None:
            input_features = [f"x{i}" for i in range(self._n_columns)]
        if len(input_features) != self._n_columns:
            raise ValueError(
                f"input_features has {len(input_features)} names, but SequenceScaler was fitted "
                f"on {self._n_columns} columns."
            )
        return np.asarray(input_features, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
