"""Base of the estimators that are trained on windows of utterances."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skser._base import unchanged_on_failure, validate_sequences
from skser.compose._metadata import metadata_of_rows, routing_to_inner
from skser.compose._targets import as_named

# Parameter descriptions of the classifier and the regressor, for `insert_descriptions`.
SEGMENTED = {
    "window": """window : float, default=2.0
    Length of a window in seconds, converted with the hop of the frames (``layout.hop``) and
    rounded to a whole number of frames. For arrays and lists, which have no hop, `window` is
    a number of frames. A shorter utterance forms one window.""",
    "hop": """hop : float, default=1.0
    Time between the starts of successive windows, in the unit of `window`. If frames remain
    at the end, one more window is added that ends with the utterance.""",
}


class BaseSegmented(MetaEstimatorMixin, BaseEstimator):
    """Base class of the estimators that are trained on windows of utterances."""

    _parameter_constraints = {
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
    }

    # The inner estimator requests these metadata; this one only forwards them.
    __metadata_request__fit = {"groups": UNUSED, "soft_targets": UNUSED}

    def _fit(self, X, y, groups, soft_targets=None):
        """Train a clone of the estimator on the windows of all utterances."""
        with unchanged_on_failure(self):
            return self._fit_windows(X, y, groups, soft_targets)

    def _fit_windows(self, X, y, groups, soft_targets):
        sequences = validate_sequences(self, X, reset=True)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        named, y = y, self._checked_targets(y)
        check_consistent_length(sequences, y, groups, soft_targets)
        self.window_frames_ = self._in_frames("window")
        self.hop_frames_ = self._in_frames("hop")
        windows, utterances = self._windows(sequences)
        routed = metadata_of_rows(self, utterances, groups, soft_targets)
        self.estimator_ = clone(self.estimator)
        self.estimator_.fit(self._as_given(windows), as_named(y[utterances], named), **routed)
        return self

    def _predict_windows(self, X, method):
        """Return a method's outputs for all windows, their utterances and their bounds."""
        check_is_fitted(self)
        sequences = validate_sequences(self, X, reset=False)
        windows, utterances = self._windows(sequences)
        outputs = getattr(self.estimator_, method)(self._as_given(windows))
        starts = windows.starts - sequences.starts[utterances]
        bounds = np.stack([starts, starts + windows.lengths])
        if self._layout.hop is not None:
            # Round to nanoseconds, so that 0.15 s does not become 0.15000000000000002 s.
            bounds = (bounds * self._layout.hop + sequences.layout.offset).round(9)
        return outputs, utterances, bounds

    def _in_frames(self, name):
        """Convert the parameter `name` to a whole number of frames."""
        given = getattr(self, name)
        n_frames = round(given / (self._layout.hop or 1))
        if n_frames < 1:
            unit = "frames" if self._layout.hop is None else "s"
            raise ValueError(f"{name}={given} {unit} is less than one frame. Give a larger {name}.")
        return n_frames

    def _windows(self, sequences):
        """Return the windows as views, and the position of each window's utterance."""
        lengths = np.minimum(sequences.lengths, self.window_frames_)
        last = sequences.lengths - lengths
        # Ceiling division counts the additional window that ends with the utterance.
        counts = 1 - (-last // self.hop_frames_)
        utterances = np.repeat(np.arange(len(sequences)), counts)
        # Number of each window within its utterance.
        nth = np.arange(len(utterances)) - np.repeat(np.cumsum(counts) - counts, counts)
        starts = np.minimum(nth * self.hop_frames_, last[utterances])
        index = None if sequences.index is None else sequences.index[utterances]
        starts = sequences.starts[utterances] + starts
        return sequences._view(starts, lengths[utterances], index), utterances

    def _as_given(self, windows):
        return windows.frames().reshape(len(windows), -1) if self._fitted_on_flat else windows

    def get_metadata_routing(self):
        """Return the metadata routing: `groups` and `soft_targets` go to the inner `fit`.

        Returns
        -------
        MetadataRouter
            Router from this estimator's `fit` to that of `estimator`.
        """
        return routing_to_inner(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
