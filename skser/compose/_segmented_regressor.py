"""Regressor that is trained on windows of utterances and predicts whole utterances."""

import numpy as np
import pandas as pd
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions

from skser._delegation import HasMethodsOnceFitted
from skser._docstrings import insert_descriptions
from skser.compose._segmented_base import SEGMENTED, BaseSegmented
from skser.compose._targets import numbers_of, target_tags_of


@insert_descriptions(SEGMENTED)
class SegmentedRegressor(RegressorMixin, BaseSegmented):
    """Regressor trained on windows of each utterance, whose predictions are pooled.

    Each window of a training utterance becomes a training sequence with the utterance's targets.
    To predict an utterance, the predictions for all its windows are pooled.

    Parameters
    ----------
    estimator : estimator
        Regressor of frame sequences, or a pipeline that ends in one. It may predict several
        targets.
    {window}
    {hop}
    pooling : {"mean", "median"}, default="mean"
        Function that pools the predictions for the windows of an utterance.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone of `estimator`.
    n_features_in_ : int
        Number of columns of X. Defined only if X was a 2-D array.
    feature_names_in_ : ndarray of shape (n_features,), str
        Names of the columns of X. Defined only if X was a DataFrame of numbers.
    window_frames_, hop_frames_ : int
        `window` and `hop`, as numbers of frames.

    See Also
    --------
    SegmentedClassifier : The same for classes.

    Notes
    -----
    A 2-D array is a batch of one-channel sequences of equal length. In this case the inner
    estimator receives the windows as a 2-D array; otherwise it receives `Sequences`.

    Missing targets (NaN) are passed on, for inner estimators that accept them.

    Examples
    --------
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import MelSpectrogram
    >>> from skser.compose import SegmentedRegressor
    >>> from skser.neural_network import AttentionFCNRegressor
    >>> corpus = make_emotional_speech(2, 10, random_state=0)
    >>> X = MelSpectrogram(n_mels=16, input_sampling_rate=16000).transform(corpus.data)
    >>> network = AttentionFCNRegressor(max_epochs=5, random_state=0)
    >>> model = SegmentedRegressor(network, window=0.5, hop=0.25).fit(X, corpus.valence)
    >>> model.predict(X).shape
    (20,)
    >>> model.window_predictions(X[:1], ["valence"]).columns.tolist()
    ['utterance', 'start', 'end', 'valence']
    """

    _parameter_constraints = {
        **BaseSegmented._parameter_constraints,
        "estimator": [HasMethodsOnceFitted(["fit", "predict"])],
        "pooling": [StrOptions({"mean", "median"})],
    }

    def __init__(self, estimator, window=2.0, hop=1.0, pooling="mean"):
        self.estimator = estimator
        self.window = window
        self.hop = hop
        self.pooling = pooling

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None):
        """Train a clone of the estimator on the windows of all utterances.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Frame sequences of the training utterances.
        y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
            Targets. Missing ones may be NaN if the inner estimator accepts that.
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, repeated for each window if the inner estimator takes groups. With None,
            each utterance is its own group. Early stopping then keeps all windows of an
            utterance on one side of its split, but the same speaker may be on both sides.

        Returns
        -------
        self : object
            Fitted regressor.

        Raises
        ------
        ValueError
            If `window` or `hop` is shorter than one frame.
        """
        return self._fit(X, y, groups)

    def _checked_targets(self, y):
        return numbers_of(y, self)

    def predict(self, X):
        """Predict the targets of each utterance, pooled over its windows.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Frame sequences of the utterances.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_targets), float64
            Predicted targets, with as many dimensions as the predictions of `estimator_`.
        """
        values, utterances, _ = self._predict_windows(X, "predict")
        first = np.flatnonzero(np.diff(utterances, prepend=-1))  # first window of each utterance
        if self.pooling == "median":
            return np.stack([np.median(part, axis=0) for part in np.split(values, first[1:])])
        counts = np.bincount(utterances).reshape(-1, *[1] * (np.ndim(values) - 1))
        return np.add.reduceat(np.asarray(values, dtype=np.float64), first) / counts

    def window_predictions(self, X, names=None):
        """Predict the targets of every window.

        The table shows how the targets change within an utterance.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Frame sequences of the utterances.
        names : list of str or None, default=None
            Name of each target, such as "valence". None means "target0", "target1" and so on.

        Returns
        -------
        DataFrame of shape (n_windows, 3 + n_targets)
            Columns ``utterance`` (position in X), ``start`` and ``end`` of the window, and each
            target. Times are in seconds, or in frames if the training frames had no hop.
        """
        values, utterances, bounds = self._predict_windows(X, "predict")
        values = np.reshape(values, (len(utterances), -1))
        names = [f"target{i}" for i in range(values.shape[1])] if names is None else list(names)
        table = pd.DataFrame({"utterance": utterances, "start": bounds[0], "end": bounds[1]})
        return pd.concat([table, pd.DataFrame(values, columns=names)], axis=1)

    def __sklearn_tags__(self):
        return target_tags_of(self, super().__sklearn_tags__())
