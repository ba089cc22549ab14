"""Base of the classifiers: classes, class weights, soft targets and probabilities."""

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

from skser._docstrings import insert_descriptions
from skser.neural_network._base import NeuralEstimator, n_group_folds
from skser.neural_network._callbacks import WarnOfSingleClass
from skser.neural_network._losses import SoftCrossEntropy
from skser.neural_network._mixup import Mixup
from skser.neural_network._parameters import SHARED

# Largest deviation from 1 of a row's sum: shares may be rounded, or summed in single precision.
_SHARES_TOLERANCE = 1e-3


class SequenceClassifier(ClassifierMixin, NeuralEstimator):
    """Base class of the classifiers: classes, class weights, soft targets and probabilities."""

    _parameter_constraints = {
        **NeuralEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "mixup": [Interval(Real, 0, None, closed="left")],
    }

    @insert_descriptions(SHARED)
    def fit(self, X, y, *, groups=None, soft_targets=None):
        """Train from new weights, or from the current ones if `warm_start` is True.

        Parameters
        ----------
        {X}
        y : array-like of shape (n_utterances,)
            Class of each utterance.
        {groups}
        soft_targets : array-like of shape (n_utterances, n_classes) or None, default=None
            Share of each class in each utterance, such as the share of raters who chose it.
            Columns are in the order of ``classes_`` (the sorted labels of y), and each row sums
            to 1. The loss is the cross-entropy against these shares instead of y: the mean of
            the losses of all classes as labels, weighted by the shares. `label_smoothing` spreads
            part of each target evenly over all classes, and `class_weight` multiplies the shares.
            y still determines ``classes_``, the stratification of the validation split and the
            weights of ``class_weight="balanced"``. None trains on y alone.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If X, y, `groups` and `soft_targets` differ in length, if `soft_targets` does not have
            one column per class, or if one of its rows does not hold shares that sum to 1.
        """
        return self._fit(X, y, groups, soft_targets)

    @insert_descriptions(SHARED)
    def partial_fit(self, X, y, classes=None):
        """Train all weights for one epoch, at a constant learning rate.

        Parameters
        ----------
        {X}
        y : array-like of shape (n_utterances,)
            Class of each utterance.
        classes : array-like of shape (n_classes,) or None, default=None
            All classes. Required in the first call if y does not hold them all.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If `class_weight` is "balanced".
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all labels at once, which partial_fit does not "
                "have. Pass the weights as a dict."
            )
        return self._partial_fit(X, y, classes)

    @insert_descriptions(SHARED)
    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            Probabilities in the order of ``classes_``.
        """
        return scipy.special.softmax(self._outputs(X), axis=1)

    @insert_descriptions(SHARED)
    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            Log-probabilities in the order of ``classes_``.
        """
        return scipy.special.log_softmax(self._outputs(X), axis=1)

    @insert_descriptions(SHARED)
    def decision_function(self, X):
        """Compute the score of each class before the softmax.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), or (n_utterances,) for two classes, float64
            Scores in the order of ``classes_``. For two classes, the score of the second minus
            that of the first.
        """
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    @insert_descriptions(SHARED)
    def predict(self, X):
        """Predict the most probable class of each utterance.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_utterances,)
            Predicted classes.
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
                    f"y holds one class, {str(self.classes_[0])!r}, but a classifier needs at "
                    "least 2 classes."
                )
        known = np.isin(y, self.classes_)
        if not known.all():
            unknown = np.unique(y[~known]).tolist()
            raise ValueError(
                f"y holds classes that the classifier does not know: {unknown}. It knows "
                f"{self.classes_.tolist()}. Include all classes in the first fit, or pass them as "
                "classes to the first partial_fit."
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
            raise ValueError(
                f"soft_targets has the columns {columns}; they must be {classes}, in this order."
            )
        total = shares.sum(axis=1)
        wrong = ~((shares >= 0).all(axis=1) & (np.abs(total - 1) <= _SHARES_TOLERANCE))
        wrong &= targets >= 0  # unlabeled utterances need no shares
        if wrong.any():
            first = int(wrong.argmax())
            raise ValueError(
                "Each row of soft_targets must be nonnegative and finite and sum to 1, but that of "
                f"utterance {first} is {shares[first].tolist()}, with sum {total[first]:.6g}."
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
            # "balanced" weighs classes with utterances only; partial_fit allows others.
            present = np.unique(targets)
            if isinstance(self.class_weight, dict):
                present = np.arange(len(self.classes_))
            weight = np.ones(len(self.classes_))
            weight[present] = compute_class_weight(
                self.class_weight, classes=self.classes_[present], y=self.classes_[targets]
            )
            # Mean 1 over utterances: class weights must not change the size of the updates.
            weight /= weight[targets].mean()
            weight = torch.tensor(weight, dtype=torch.float32)
        return SoftCrossEntropy(weight, self.label_smoothing)

    def _own_callbacks(self):
        return [WarnOfSingleClass(self.classes_)]

    def _can_learn_from(self, strata, rows):
        return len(np.unique(strata[rows])) == len(np.unique(strata))

    def _validation_splitter(self, targets, groups, seed):
        if groups is None:
            return StratifiedShuffleSplit(1, test_size=self.validation_fraction, random_state=seed)
        n_splits = n_group_folds(groups, self.validation_fraction)
        return StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
