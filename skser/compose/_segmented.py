"""Classifier that is trained on windows of utterances and predicts whole utterances."""

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions

from skser._delegation import HasMethodsOnceFitted
from skser._docstrings import insert_descriptions
from skser.compose._segmented_base import SEGMENTED, BaseSegmented


@insert_descriptions(SEGMENTED)
class SegmentedClassifier(ClassifierMixin, BaseSegmented):
    """Classifier trained on windows of each utterance, whose probabilities are pooled.

    Each window of a training utterance becomes a training sequence with the utterance's label.
    To predict an utterance, the probabilities of all its windows are pooled. Windows are views
    of the frames; only the inner estimator may copy them.

    Parameters
    ----------
    estimator : estimator
        Classifier of frame sequences with `predict_proba`, or a pipeline that ends in one.
    {window}
    {hop}
    pooling : {"mean", "geometric", "max"}, default="mean"
        Function that pools the windows' probabilities: their mean, their geometric mean (mean
        log probability) or their maximum. The latter two are then normalized to sum to 1 over
        the classes.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone of `estimator`.
    classes_ : ndarray of shape (n_classes,)
        Class labels, as in `estimator_`.
    n_features_in_ : int
        Number of columns of X. Defined only if X was a 2-D array.
    feature_names_in_ : ndarray of shape (n_features,), str
        Names of the columns of X. Defined only if X was a DataFrame of numbers.
    window_frames_, hop_frames_ : int
        `window` and `hop`, as numbers of frames.

    Notes
    -----
    A 2-D array is a batch of one-channel sequences of equal length. In this case the inner
    estimator receives the windows as a 2-D array; otherwise it receives `Sequences`.

    If a scaler is part of `estimator`, it scales and copies the frames of overlapping windows
    once per window. Place the scaler before the `SegmentedClassifier` to process each frame only
    once.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import MelSpectrogram
    >>> from skser.compose import SegmentedClassifier
    >>> from skser.neural_network import AttentionFCNClassifier
    >>> corpus = make_emotional_speech(2, 10, random_state=0)
    >>> X = MelSpectrogram(n_mels=16, input_sampling_rate=16000).transform(corpus.data)
    >>> network = AttentionFCNClassifier(max_epochs=5, random_state=0)
    >>> model = SegmentedClassifier(network, window=0.5, hop=0.25).fit(X, corpus.target)
    >>> model.window_frames_, model.predict_proba(X).shape
    (50, (20, 5))
    >>> model.window_proba(X[:1])[["utterance", "start", "end"]].head(2)
       utterance  start   end
    0          0   0.00  0.50
    1          0   0.25  0.75
    """

    _parameter_constraints = {
        **BaseSegmented._parameter_constraints,
        "estimator": [HasMethodsOnceFitted(["fit", "predict_proba"])],
        "pooling": [StrOptions({"mean", "geometric", "max"})],
    }

    def __init__(self, estimator, window=2.0, hop=1.0, pooling="mean"):
        self.estimator = estimator
        self.window = window
        self.hop = hop
        self.pooling = pooling

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None, soft_targets=None):
        """Train a clone of the estimator on the windows of all utterances.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Frame sequences of the training utterances.
        y : array-like of shape (n_utterances,)
            Class labels.
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, repeated for each window if the inner estimator takes groups. With None,
            each utterance is its own group. Early stopping then keeps all windows of an
            utterance on one side of its split, but the same speaker may be on both sides.
        soft_targets : array-like of shape (n_utterances, n_classes) or None, default=None
            Shares of the classes, repeated for each window if the inner classifier takes them.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError
            If `window` or `hop` is shorter than one frame.
        """
        self._fit(X, y, groups, soft_targets)
        self.classes_ = self.estimator_.classes_
        return self

    def _checked_targets(self, y):
        return column_or_1d(y, warn=True)

    def predict_proba(self, X):
        """Predict class probabilities, pooled over the windows of each utterance.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Frame sequences of the utterances.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            Probabilities, in the order of ``classes_``.
        """
        proba, utterances, _ = self._predict_windows(X, "predict_proba")
        first = np.flatnonzero(np.diff(utterances, prepend=-1))  # first window of each utterance
        if self.pooling == "mean":
            return np.add.reduceat(proba, first) / np.bincount(utterances)[:, None]
        if self.pooling == "max":
            pooled = np.maximum.reduceat(proba, first)
        else:
            log = np.log(np.maximum(proba, np.finfo(float).tiny))
            mean = np.add.reduceat(log, first) / np.bincount(utterances)[:, None]
            # Subtracting the maximum keeps exp from underflowing to zero in every class.
            pooled = np.exp(mean - mean.max(axis=1, keepdims=True))
        return pooled / pooled.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Predict the most probable class of each utterance.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Frame sequences of the utterances.

        Returns
        -------
        ndarray of shape (n_utterances,)
            Predicted class labels.
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def window_proba(self, X):
        """Predict the class probabilities of every window.

        The table shows how the emotion changes within an utterance.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Frame sequences of the utterances.

        Returns
        -------
        DataFrame of shape (n_windows, 3 + n_classes)
            Columns ``utterance`` (position in X), ``start`` and ``end`` of the window, and the
            probability of each class. Times are in seconds, or in frames if the training frames
            had no hop.
        """
        proba, utterances, bounds = self._predict_windows(X, "predict_proba")
        table = pd.DataFrame({"utterance": utterances, "start": bounds[0], "end": bounds[1]})
        return pd.concat([table, pd.DataFrame(proba, columns=self.classes_)], axis=1)
