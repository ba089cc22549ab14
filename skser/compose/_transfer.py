"""Transfer learning: training that starts from the weights of another fitted network."""

from numbers import Integral, Real

from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    _fit_context,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skser._delegation import InnerFeatures
from skser._docstrings import insert_descriptions
from skser.compose._metadata import inner_keywords, routing_to_inner

_DESCRIPTIONS = {
    "source": """\
source : fitted network, or fitted Pipeline that ends in one
    Network whose weights are copied. It must have the same architecture and input as
    `estimator`. If its classes, or the number of its targets, differ, the layers
    that depend on them are newly initialized. A
    clone of this estimator shares the fitted source. To search over several sources, wrap each
    in a `sklearn.frozen.FrozenEstimator`, because the search clones the values of its grid.""",
    "strategy": """\
strategy : {"single-stage", "two-stage"}, default="single-stage"
    Training schedule. "single-stage" trains all weights at once. "two-stage" first trains only
    the head, which consists of the layers that depend on the targets, and then all weights.
    During the first stage, the copied weights are frozen, but the statistics of normalization
    layers are still updated from the new data.""",
    "head_epochs": """\
head_epochs : int, default=10
    Number of epochs that train the head alone, before `max_epochs` epochs train all weights.
    Used only by the strategy "two-stage".""",
    "lr_multiplier": """\
lr_multiplier : float, default=1.0
    Factor by which the learning rate is multiplied for copied weights. With 1, all weights have
    the same learning rate.""",
    "estimator_": """\
estimator_ : estimator
    The fitted clone of `estimator`. It can be used without this meta-estimator. For example, with
    ``warm_start=True``, its own `fit` continues from the trained weights.""",
    "n_features_in_": """\
n_features_in_ : int
    Number of features seen by `estimator_`, if it records them.""",
    "feature_names_in_": """\
feature_names_in_ : ndarray of shape (n_features,), str
    Names of the features. Defined only if X was a DataFrame of numbers.""",
}


def _inner_has(method):
    """Return a check, for `available_if`, that the inner estimator has a method."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class _Transfer(InnerFeatures, MetaEstimatorMixin, BaseEstimator):
    """Base of the transfer classifier and the transfer regressor."""

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"])],
        "source": [HasMethods("predict"), None],  # saved models do not include their source
        "strategy": [StrOptions({"single-stage", "two-stage"})],
        "head_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr_multiplier": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self, estimator, source, strategy="single-stage", head_epochs=10, lr_multiplier=1.0
    ):
        self.estimator = estimator
        self.source = source
        self.strategy = strategy
        self.head_epochs = head_epochs
        self.lr_multiplier = lr_multiplier

    @_fit_context(prefer_skip_nested_validation=False)
    def _fit(self, X, y, **metadata):
        from skser.neural_network import Transfer, transferring

        self._check_estimator()
        source = self._fitted_source()
        transfer = Transfer(source, self.strategy, self.head_epochs, self.lr_multiplier)
        given = {name: value for name, value in metadata.items() if value is not None}
        routed = inner_keywords(self, given)
        estimator = clone(self.estimator)
        with transferring(_last_step(estimator), transfer):
            self.estimator_ = estimator.fit(X, y, **routed)
        return self

    def _check_estimator(self):
        from skser.neural_network import NeuralEstimator

        network = _last_step(self.estimator)
        if not isinstance(network, NeuralEstimator) or not self._is_right_kind(network):
            kind = type(self).__name__.removeprefix("Transfer").lower()
            raise ValueError(
                f"estimator={type(network).__name__} cannot start from copied weights. Give a "
                f"{kind} from skser.neural_network, or a Pipeline that ends in one."
            )

    def _fitted_source(self):
        """Return the fitted network inside `source`, or raise if there is none."""
        from skser.neural_network import NeuralEstimator

        if self.source is None:
            raise ValueError(
                "source is None, but fit needs a network to copy weights from. A saved model does "
                "not include its source: set source to a fitted network before fitting again."
            )
        source = self.source
        # A source may itself be a transfer, in a Pipeline, in a FrozenEstimator: unwrap them all.
        while isinstance(source, FrozenEstimator | Pipeline | _Transfer):
            if isinstance(source, _Transfer):
                source = getattr(source, "estimator_", source.estimator)
            else:
                source = source.estimator if isinstance(source, FrozenEstimator) else source[-1]
        if not isinstance(source, NeuralEstimator):
            raise ValueError(
                f"source={type(source).__name__} has no weights to copy. Give a fitted network "
                "from skser.neural_network, or a Pipeline that ends in one."
            )
        if not hasattr(source, "net_"):
            raise NotFittedError(
                f"source={type(source).__name__} is not fitted. Call its fit first. If a search "
                "has cloned it, wrap it in a sklearn.frozen.FrozenEstimator."
            )
        return source

    def predict(self, X):
        """Predict with the fitted clone of the estimator.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances to predict.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_outputs)
            Predicted class labels or targets.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def get_params(self, deep=True):
        """Return the parameters, without those of the fitted source.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of `estimator`.

        Returns
        -------
        dict
            Parameters by name.
        """
        params = super().get_params(deep=deep)
        return {name: value for name, value in params.items() if not name.startswith("source__")}

    def get_metadata_routing(self):
        """Return the metadata routing: all metadata of `fit` go to the inner `fit`.

        Returns
        -------
        MetadataRouter
            Router from this estimator's `fit` to that of `estimator`.
        """
        return routing_to_inner(self)

    def __sklearn_clone__(self):
        # Share the source: cloning it would discard its weights.
        copy = super().__sklearn_clone__()
        copy.source = self.source
        return copy

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        return tags


@insert_descriptions(_DESCRIPTIONS)
class TransferClassifier(ClassifierMixin, _Transfer):
    """Classifier whose training starts from the weights of another fitted network.

    The source may have been trained on other classes, another task or another corpus. `fit`
    copies its weights into a clone of the estimator.

    Parameters
    ----------
    estimator : estimator
        Unfitted classifier from `skser.neural_network`, or a Pipeline that ends in one.
    {source}
    {strategy}
    {head_epochs}
    {lr_multiplier}

    Attributes
    ----------
    {estimator_}
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    {n_features_in_}
    {feature_names_in_}

    References
    ----------
    Chen, L. (2020). Journal of Intelligent & Fuzzy Systems. Single-stage and two-stage transfer.

    Examples
    --------
    >>> from sklearn.base import clone
    >>> from skser.compose import TransferClassifier
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import MelSpectrogram
    >>> from skser.neural_network import AttentionFCNClassifier
    >>> corpus = make_emotional_speech(2, 10, random_state=0)
    >>> X = MelSpectrogram(n_mels=16, input_sampling_rate=16000).transform(corpus.data)
    >>> network = AttentionFCNClassifier(max_epochs=10, device="cpu", random_state=0)
    >>> source = clone(network).fit(X, corpus.speakers)
    >>> model = TransferClassifier(network, source, strategy="two-stage", head_epochs=1)
    >>> model.fit(X, corpus.target).predict_proba(X).shape
    (20, 5)
    >>> model.estimator_.n_iter_
    11
    """

    # The inner estimator requests these metadata; this one only forwards them.
    __metadata_request__fit = {"groups": UNUSED, "soft_targets": UNUSED}

    @staticmethod
    def _is_right_kind(network):
        return is_classifier(network)

    def fit(self, X, y, *, groups=None, soft_targets=None):
        """Copy the source's weights into a clone of the estimator and train it.

        Parameters
        ----------
        X : any input that `estimator` takes
            Training utterances.
        y : array-like of shape (n_utterances,)
            Class labels.
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, for the validation split of `early_stopping`.
        soft_targets : array-like of shape (n_utterances, n_classes) or None, default=None
            Shares of the classes.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        NotFittedError
            If `source` is not fitted.
        ValueError
            If `estimator` or `source` is not a network, or if layers of `source` do not match
            those of `estimator`. The message names these layers.
        """
        self._fit(X, y, groups=groups, soft_targets=soft_targets)
        self.classes_ = self.estimator_.classes_
        return self

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X):
        """Predict class probabilities with the fitted clone of the estimator.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances to predict.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            Probabilities, in the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X):
        """Compute the decision function of the fitted clone of the estimator.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances to predict.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
            Decision values.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)


@insert_descriptions(_DESCRIPTIONS)
class TransferRegressor(RegressorMixin, _Transfer):
    """Regressor whose training starts from the weights of another fitted network.

    The source may have been trained on other targets, on classes or on another corpus. `fit`
    copies its weights into a clone of the estimator.

    Parameters
    ----------
    estimator : estimator
        Unfitted regressor from `skser.neural_network`, or a Pipeline that ends in one.
    {source}
    {strategy}
    {head_epochs}
    {lr_multiplier}

    Attributes
    ----------
    {estimator_}
    {n_features_in_}
    {feature_names_in_}

    References
    ----------
    Chen, L. (2020). Journal of Intelligent & Fuzzy Systems. Single-stage and two-stage transfer.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.compose import TransferRegressor
    >>> from skser.neural_network import AttentionFCNRegressor
    >>> X = np.random.RandomState(0).randn(20, 30, 4)
    >>> y = X.mean(axis=(1, 2))
    >>> network = AttentionFCNRegressor(max_epochs=2, device="cpu", random_state=0)
    >>> source = AttentionFCNRegressor(max_epochs=2, device="cpu", random_state=0).fit(X, -y)
    >>> TransferRegressor(network, source).fit(X, y).predict(X).shape
    (20,)
    """

    # The inner estimator requests these metadata; this one only forwards them.
    __metadata_request__fit = {"groups": UNUSED}

    @staticmethod
    def _is_right_kind(network):
        return is_regressor(network)

    def fit(self, X, y, *, groups=None):
        """Copy the source's weights into a clone of the estimator and train it.

        Parameters
        ----------
        X : any input that `estimator` takes
            Training utterances.
        y : array-like of shape (n_utterances,) or (n_utterances, n_outputs)
            Targets.
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, for the validation split of `early_stopping`.

        Returns
        -------
        self : object
            Fitted regressor.

        Raises
        ------
        NotFittedError
            If `source` is not fitted.
        ValueError
            If `estimator` or `source` is not a network, or if layers of `source` do not match
            those of `estimator`. The message names these layers.
        """
        return self._fit(X, y, groups=groups)

    def score(self, X, y, sample_weight=None):
        """Return the coefficient of determination of the fitted clone's predictions.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances to predict.
        y : array-like of shape (n_utterances,) or (n_utterances, n_outputs)
            True targets. Missing targets are NaN, if the network accepts missing targets.
        sample_weight : array-like of shape (n_utterances,) or None, default=None
            Weight of each utterance. With None, all weights are equal.

        Returns
        -------
        float
            Coefficient of determination.
        """
        check_is_fitted(self)
        return self.estimator_.score(X, y, sample_weight=sample_weight)


def _last_step(estimator):
    """Return the estimator itself, or the last step of a Pipeline."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator
