"""Base of the regressors: any number of targets, standardized for training."""

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.model_selection import GroupKFold, ShuffleSplit
from sklearn.utils.validation import _check_y

from skser._docstrings import insert_descriptions
from skser.neural_network._base import NeuralEstimator, n_group_folds
from skser.neural_network._parameters import SHARED


class SequenceRegressor(RegressorMixin, NeuralEstimator):
    """Base class of the regressors: standardizes targets for training and scales them back."""

    @insert_descriptions(SHARED)
    def partial_fit(self, X, y):
        """Train all weights for one epoch, at a constant learning rate.

        The first call determines the mean and scale by which targets are standardized.

        Parameters
        ----------
        {X}
        y : array-like of shape (n_utterances,) or (n_utterances, n_outputs)
            Targets of each utterance.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        return self._partial_fit(X, y)

    @insert_descriptions(SHARED)
    def predict(self, X):
        """Predict the targets of each utterance.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_outputs), float64
            Predicted targets, with as many dimensions as the y of `fit`.
        """
        predicted = self._outputs(X) * self._target_scale + self._target_mean
        return predicted[:, 0] if self._target_is_1d else predicted

    def _encode_targets(self, y, *, reset, classes=None):
        y = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
        is_1d = y.ndim == 1
        y = y.reshape(len(y), -1).astype(np.float64)
        if reset:
            self._target_is_1d = is_1d
            self._target_mean = y.mean(axis=0)
            self._target_scale = y.std(axis=0)
            self._target_scale[self._target_scale == 0] = 1  # a constant target
        elif y.shape[1] != self._n_outputs:
            raise ValueError(
                f"y has {y.shape[1]} targets, but the {type(self).__name__} was fitted on "
                f"{self._n_outputs}."
            )
        return ((y - self._target_mean) / self._target_scale).astype(np.float32)

    @property
    def _n_outputs(self):
        return len(self._target_mean)

    def _make_criterion(self, targets):
        return torch.nn.MSELoss()

    def _own_callbacks(self):
        return []

    def _validation_splitter(self, targets, groups, seed):
        if groups is None:
            return ShuffleSplit(1, test_size=self.validation_fraction, random_state=seed)
        n_splits = n_group_folds(groups, self.validation_fraction)
        return GroupKFold(n_splits, shuffle=True, random_state=seed)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
