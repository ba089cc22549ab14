"""Base of the estimators that adapt to the settings of the utterances that they predict."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from skser._base import unchanged_on_failure
from skser._codes import codes_of
from skser._delegation import HasMethodsOnceFitted, InnerFeatures
from skser.compose._adapted_covariance import align_covariances, training_moments
from skser.compose._adapted_model import adapt, first_with_statistics
from skser.compose._metadata import inner_keywords, routing_to_inner

# Parameter descriptions of the classifier and the regressor, for `insert_descriptions`.
ADAPTED = {
    "setting": """setting : str or None, default=None
    Column of the utterance table with the setting of each utterance: its speaker, microphone,
    session or corpus. Utterances with the same value that are predicted together are predicted
    by a model adapted to them. None adapts to nothing but the recordings given to `adapt`.""",
    "method": """method : {"statistics", "coral"}, default="statistics"
    Kind of adaptation. "statistics" adapts scalers and normalization layers, as
    `skser.compose.adapt` does. "coral" then also aligns the covariance of the vectors that enter
    a linear model with that of the training set (correlation alignment). In our measurements it
    was worse.""",
    "prior_weight": """prior_weight : float, default=4.0
    Weight of the training set's statistics, as a number of recordings; see
    `skser.compose.adapt`.""",
    "estimator_": """estimator_ : estimator
    The fitted clone of `estimator`, as it was trained.""",
    "adapted_": """adapted_ : estimator
    Copy of `estimator_`, adapted to the recordings given to `adapt`. Defined only after that.""",
    "linear_means_": """linear_means_ : list of ndarray of shape (n_columns,), float32
    Mean of the training vectors that enter each linear model. Defined only for "coral".""",
    "linear_covariances_": """linear_covariances_ : list of ndarray of shape \
(n_columns, n_columns), float32
    Covariance of these vectors. Defined only for "coral".""",
    "n_features_in_": """n_features_in_ : int
    Number of features seen by `estimator_`, if it records them.""",
    "feature_names_in_": """feature_names_in_ : ndarray of shape (n_features,), str
    Names of the features. Defined only if X was a DataFrame of numbers.""",
    "notes": """With a `setting`, predictions are transductive: they depend on which utterances
of the same setting are predicted with them, and must be reported as such. A setting's only
utterance, and utterances whose setting is missing (NaN or None), are predicted without it.
Give all utterances of a setting at once.

If `estimator` is a Pipeline, its steps before the first scaler or network are computed once.
Otherwise, set their `memory`, so that features are not computed twice.""",
}


class BaseAdapted(InnerFeatures, MetaEstimatorMixin, BaseEstimator):
    """Base class of the estimators that adapt to the settings of what they predict."""

    _parameter_constraints = {
        "estimator": [HasMethodsOnceFitted(["fit", "predict"])],
        "setting": [str, None],
        "method": [StrOptions({"statistics", "coral"})],
        "prior_weight": [Interval(Real, 0, None, closed="left")],
    }

    # The inner estimator requests these metadata; this one only forwards them.
    __metadata_request__fit = {"groups": UNUSED, "soft_targets": UNUSED}

    def __init__(self, estimator, setting=None, method="statistics", prior_weight=4.0):
        self.estimator = estimator
        self.setting = setting
        self.method = method
        self.prior_weight = prior_weight

    def _fit(self, X, y, **metadata):
        """Train a clone of the estimator, and forget what an earlier one was adapted to."""
        given = {name: value for name, value in metadata.items() if value is not None}
        routed = inner_keywords(self, given)
        with unchanged_on_failure(self):
            self.estimator_ = clone(self.estimator).fit(self._without_setting(X), y, **routed)
            for name in ("adapted_", "linear_means_", "linear_covariances_"):
                vars(self).pop(name, None)
            if self.method == "coral":
                moments = training_moments(self.estimator_, self._without_setting(X))
                self.linear_means_, self.linear_covariances_ = moments
        return self

    def adapt(self, recordings):
        """Adapt the trained estimator to recordings without labels.

        Earlier recordings are forgotten: give all of them in each call.

        Parameters
        ----------
        recordings : any input that `estimator` takes
            Utterances of the new setting, as varied in emotion as those of the training set.

        Returns
        -------
        self : object
            This estimator.

        Raises
        ------
        ValueError
            If the estimator has no statistics to adapt, there are no recordings, or `method` is
            "coral" although there is a `setting`.
        """
        check_is_fitted(self)
        if self.method == "coral" and self.setting is not None:
            raise ValueError(
                f"method='coral' adapts either to the column setting={self.setting!r} or to "
                "recordings, not to both. Set setting=None before fit, or method='statistics'."
            )
        self.adapted_ = self._adapted(self.estimator_, self._without_setting(recordings))
        return self

    def _adapted(self, model, recordings):
        """Return a copy of the model, adapted by `method`."""
        adapted = adapt(model, recordings, prior_weight=self.prior_weight)
        if self.method == "coral":
            if not hasattr(self, "linear_means_"):
                raise ValueError(
                    "method='coral' needs the covariance of the training set, which only fit can "
                    "measure: call fit again after setting the method."
                )
            moments = self.linear_means_, self.linear_covariances_
            align_covariances(adapted, recordings, *moments, self.prior_weight)
        return adapted

    def _outputs(self, method, X):
        """Return the outputs of a method, each from the model of the utterance's setting."""
        check_is_fitted(self)
        model = getattr(self, "adapted_", self.estimator_)
        plain = self._without_setting(X)
        if self.setting is None:
            return getattr(model, method)(plain)
        codes = self._codes(X)
        if isinstance(model, Pipeline):
            # A model without statistics keeps its last step, and `adapt` then says what is missing.
            n_unchanged = min(first_with_statistics(model), len(model.steps) - 1)
            for _, step in model.steps[:n_unchanged]:
                if step not in (None, "passthrough"):
                    plain = step.transform(plain)
            model = model[n_unchanged:]
        order, outputs = [], []
        for code in np.unique(codes):
            rows = np.flatnonzero(codes == code)
            of_setting = _safe_indexing(plain, rows)
            adapted = model
            if code >= 0:
                adapted = self._adapted(model, of_setting)
            order.append(rows)
            outputs.append(getattr(adapted, method)(of_setting))
        # Joined at the end, because labels such as "unknown" may be longer in one setting.
        return np.concatenate(outputs)[np.argsort(np.concatenate(order))]

    def _codes(self, X):
        """Return the code of each utterance's setting, -1 where it is missing."""
        if not hasattr(X, "columns"):
            raise TypeError(
                f"setting={self.setting!r} is a column of an utterance table, but X is a "
                f"{type(X).__name__}. Give a DataFrame with that column, as corpus.frame or "
                "cross_validate_speakers(..., use_frame=True) do, or set setting=None."
            )
        if self.setting not in X.columns:
            raise ValueError(
                f"The utterance table has no column {self.setting!r}; its columns are "
                f"{list(X.columns)}. Set setting= to the one with the settings, or to None."
            )
        return codes_of(X[self.setting])[0]

    def _without_setting(self, X):
        """Return X; a table of numbers loses the column of the settings, not a feature."""
        columns = getattr(X, "columns", ())
        if self.setting is None or self.setting not in columns or "audio" in columns:
            return X
        if hasattr(X, "iloc"):
            return X.drop(columns=self.setting)
        return X.drop(self.setting)  # polars

    def get_metadata_routing(self):
        """Return the metadata routing: all metadata of `fit` go to the inner `fit`.

        Returns
        -------
        MetadataRouter
            Router from this estimator's `fit` to that of `estimator`.
        """
        return routing_to_inner(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        return tags
