"""Base of the classifiers: classes, class weights, probabilities."""

from numbers import Real

import numpy as np
import scipy.special
import torch
from sklearn.base import ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit
from sklearn.utils import check_array, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import _assert_all_finite, check_consistent_length

from skser.neural_network._base import NeuralEstimator, n_group_folds
from skser.neural_network._callbacks import WarnOfSingleClass
from skser.neural_network._losses import SoftCrossEntropy
from skser.neural_network._mixup import Mixup

# Shares that were rounded or summed in single precision still pass.
_SHARES_TOLERANCE = 1e-3


class SequenceClassifier(ClassifierMixin, NeuralEstimator):
    """Base of classifiers: classes, class weights, probabilities."""

    _parameter_constraints = {
        **NeuralEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "mixup": [Interval(Real, 0, None, closed="left")],
    }

    def fit(self, X, y, *, groups=None, soft_targets=None):
        """Train from new weights, or go on from the present ones if `warm_start`.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Or an utterance table, if the estimator embeds one itself.
        y : array-like of shape (n_utterances,)
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, held apart by the validation split of `early_stopping`.
        soft_targets : array-like of shape (n_utterances, n_classes) or None, default=None
            Share of each class in an utterance, such as that of the raters who named it, in
            the order of ``classes_`` (the sorted labels of y); rows sum to 1. The loss is the
            cross-entropy against these shares instead of y: the mean, by shares, of the
            losses that the classes would have as labels. So `label_smoothing` moves a share
            of each target to all classes alike, and `class_weight` multiplies the shares.
            From y still come ``classes_``, the stratification of the validation split and
            the weights of ``class_weight="balanced"``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X, y, `groups` and `soft_targets` differ in length, or `soft_targets` has
            other columns than one per class, or a row, which is named, that holds no shares.
        """
        return self._fit(X, y, groups, soft_targets)

    def partial_fit(self, X, y, classes=None):
        """Train all weights for one epoch at a constant learning rate, in one stage.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Or an utterance table, if the estimator embeds one itself.
        y : array-like of shape (n_utterances,)
        classes : array-like of shape (n_classes,) or None, default=None
            All classes; needed in the first call if y does not hold them all.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `class_weight` is "balanced".
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all labels at once, which partial_fit does not "
                "have; give the weights as a dict."
            )
        return self._partial_fit(X, y, classes)

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Or an utterance table, if the estimator embeds one itself.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            In the order of ``classes_``.
        """
        return scipy.special.softmax(self._outputs(X), axis=1)

    def predict_log_proba(self, X):
        """Logarithms of the classes' probabilities.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Or an utterance table, if the estimator embeds one itself.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            In the order of ``classes_``.
        """
        return scipy.special.log_softmax(self._outputs(X), axis=1)

    def decision_function(self, X):
        """Scores of the classes before the softmax.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Or an utterance table, if the estimator embeds one itself.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), or (n_utterances,) for two classes, float64
            In the order of ``classes_``. Of two classes, the score of the second minus that of
            the first.
        """
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def predict(self, X):
        """The most probable class of every utterance.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Or an utterance table, if the estimator embeds one itself.

        Returns
        -------
        ndarray of shape (n_utterances,)
        """
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=1)]

    def _encode_targets(self, y, *, reset, classes=None):
        y = column_or_1d(y, warn=True)
        _assert_all_finite(y, input_name="y", estimator_name=type(self).__name__)
        check_classification_targets(y)
        if reset:
            self.classes_ = unique_labels(y if classes is None else classes)
            if len(self.classes_) < 2:
                raise ValueError(
                    f"y holds one class, {str(self.classes_[0])!r}; "
                    "a classifier needs at least 2 classes."
                )
        known = np.isin(y, self.classes_)
        if not known.all():
            unknown = np.unique(y[~known]).tolist()
            raise ValueError(
                f"y holds classes that the classifier does not know: {unknown}. It knows "
                f"{self.classes_.tolist()}; name them all in the first fit or partial_fit."
            )
        return np.searchsorted(self.classes_, y)

    def _check_soft_targets(self, soft_targets, targets):
        classes = self.classes_.tolist()
        n_columns = np.shape(soft_targets)[-1]
        columns = list(getattr(soft_targets, "columns", range(n_columns)))
        shares = check_array(
            soft_targets, dtype=float, input_name="soft_targets", ensure_all_finite=False
        )
        check_consistent_length(targets, shares)
        if shares.shape[1] != len(classes):
            raise ValueError(
                f"soft_targets has {shares.shape[1]} columns, but {type(self).__name__} is "
                f"expecting {len(classes)}, one per class: {classes}."
            )
        if columns not in (classes, list(range(n_columns))):
            raise ValueError(f"soft_targets has the columns {columns}; they must be {classes}.")
        total = shares.sum(axis=1)
        wrong = ~((shares >= 0).all(axis=1) & (np.abs(total - 1) <= _SHARES_TOLERANCE))
        wrong &= targets >= 0  # nobody is asked about an utterance without a label
        if wrong.any():
            first = int(wrong.argmax())
            raise ValueError(
                "soft_targets must be nonnegative, finite and sum to 1 in every row; those of "
                f"utterance {first} are {shares[first].tolist()}, with sum {total[first]:.6g}."
            )
        return shares.astype(np.float32)

    def _make_mixup(self):
        return Mixup(self.mixup, self._n_outputs) if self.mixup else None

    @property
    def _n_classes(self):
        return len(self.classes_)

    @property
    def _n_outputs(self):
        return len(self.classes_)

    def _make_criterion(self, targets):
        weight = None
        if self.class_weight is not None:
            present = np.unique(targets)
            weight = np.ones(len(self.classes_))
            weight[present] = compute_class_weight(
                self.class_weight, classes=self.classes_[present], y=self.classes_[targets]
            )
            weight /= weight[targets].mean()
            weight = torch.tensor(weight, dtype=torch.float32)
        return SoftCrossEntropy(weight, self.label_smoothing)

    def _own_callbacks(self):
        return [WarnOfSingleClass(self.classes_)]

    def _validation_splitter(self, targets, groups, seed):
        if groups is None:
            return StratifiedShuffleSplit(1, test_size=self.validation_fraction, random_state=seed)
        n_splits = n_group_folds(groups, self.validation_fraction)
        return StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
