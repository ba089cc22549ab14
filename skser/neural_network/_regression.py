"""Base of the regressors: targets of any number, standardised for training."""

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.model_selection import GroupKFold, ShuffleSplit
from sklearn.utils.validation import _check_y

from skser.neural_network._base import NeuralEstimator, n_group_folds


class SequenceRegressor(RegressorMixin, NeuralEstimator):
    """Base of regressors: targets are standardised for training and scaled back."""

    def partial_fit(self, X, y):
        """Train all weights for one epoch at a constant learning rate, in one stage.

        Targets are scaled as in the first call.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Or an utterance table, if the estimator embeds one itself.
        y : array-like of shape (n_utterances,) or (n_utterances, n_outputs)

        Returns
        -------
        self : object
        """
        return self._partial_fit(X, y)

    def predict(self, X):
        """Predict the targets of every utterance.

        Parameters
        ----------
        X : Sequences, list of 2-D arrays (n_frames, n_columns), or 2-D or 3-D array
            Or an utterance table, if the estimator embeds one itself.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_outputs), float64
            As many dimensions as the y of `fit`.
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
            self._target_scale[self._target_scale == 0] = 1
        elif y.shape[1] != self._n_outputs:
            raise ValueError(f"y has {y.shape[1]} outputs, the regressor has {self._n_outputs}.")
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
