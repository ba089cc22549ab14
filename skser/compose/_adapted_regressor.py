"""Regressor that adapts to the settings of the utterances that it predicts."""

from sklearn.base import RegressorMixin, _fit_context

from skser._docstrings import insert_descriptions
from skser.compose._adapted_base import ADAPTED, BaseAdapted


@insert_descriptions(ADAPTED)
class AdaptedRegressor(RegressorMixin, BaseAdapted):
    """Regressor that adapts to recordings without labels, or to each setting it predicts.

    Training is that of `estimator`. Afterwards, the statistics of its scalers and normalization
    layers follow the recordings: those given to the method `adapt`, or, with a `setting`, those
    of each speaker or setting in the table that is predicted. See `skser.compose.adapt`.

    Parameters
    ----------
    estimator : estimator
        Regressor, usually a Pipeline with a scaler.
    {setting}
    {method}
    {prior_weight}

    Attributes
    ----------
    {estimator_}
    {adapted_}
    {linear_means_}
    {linear_covariances_}
    {n_features_in_}
    {feature_names_in_}

    See Also
    --------
    AdaptedClassifier : The same for classes.

    Notes
    -----
    {notes}

    Adaptation assumes that the targets have about the same mean and spread in every setting.

    References
    ----------
    Sun, B., Feng, J. and Saenko, K. (2016). Return of Frustratingly Easy Domain Adaptation. AAAI.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.compose import AdaptedRegressor
    >>> X = np.random.default_rng(0).standard_normal((200, 3))
    >>> y = X.mean(axis=1)
    >>> model = AdaptedRegressor(make_pipeline(StandardScaler(), Ridge())).fit(X, y)
    >>> elsewhere = 5 + 2 * X
    >>> model.score(elsewhere, y) < 0
    True
    >>> round(model.adapt(elsewhere[:50]).score(elsewhere, y), 2)
    0.93
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None):
        """Train a clone of the estimator.

        Parameters
        ----------
        X : any input that `estimator` takes
            Training utterances. A column of settings is ignored.
        y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
            Targets.
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, for inner estimators that take them.

        Returns
        -------
        self : object
            Fitted regressor.
        """
        return self._fit(X, y, groups=groups)

    def predict(self, X):
        """Predict the targets of each utterance.

        Parameters
        ----------
        X : any input that `estimator` takes, or a DataFrame that has the column `setting`
            Utterances.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_targets)
            Predicted targets.
        """
        return self._outputs("predict", X)
