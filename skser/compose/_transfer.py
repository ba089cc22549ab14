"""Training that starts from the weights of another fitted network."""

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

from skser._docstrings import insert_descriptions
from skser.compose._metadata import inner_keywords, routing_to_inner

_DESCRIPTIONS = {
    "source": """\
source : fitted network, or fitted Pipeline that ends in one
    Network whose weights are copied. Its architecture and input must be those of `estimator`;
    its targets may be others, then the layers that depend on them start anew. A clone keeps the
    source as it is, fitted. A search over several sources needs each in a
    `sklearn.frozen.FrozenEstimator`, because it clones the values of its grid.""",
    "strategy": """\
strategy : {"single-stage", "two-stage"}, default="single-stage"
    Whether all weights are trained at once, or the head first and then all. The head
    are the layers that depend on the targets. While it is trained alone, the copied weights are
    frozen; statistics of normalisation follow the new data all the same.""",
    "head_epochs": """\
head_epochs : int, default=10
    Number of epochs that train the head alone, before `max_epochs` epochs train everything.
    Only for the strategy "two-stage".""",
    "lr_multiplier": """\
lr_multiplier : float, default=1.0
    Factor of the learning rate for copied weights.""",
    "estimator_": """\
estimator_ : estimator
    The fitted clone of `estimator`. Its network is an ordinary one: with ``warm_start=True``, its
    own `fit` continues from its weights.""",
    "n_features_in_": """\
n_features_in_ : int
    That of `estimator_`, if it has any.""",
    "feature_names_in_": """\
feature_names_in_ : ndarray of shape (n_features,), str
    Only if X was a DataFrame of numbers.""",
}


def _inner_has(method):
    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class _Transfer(MetaEstimatorMixin, BaseEstimator):
    """What the classifier and the regressor share."""

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"])],
        "source": [HasMethods("predict"), None],  # a saved model is without it
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
        if not isinstance(network, NeuralEstimator) or not self._is_of_its_kind(network):
            kind = type(self).__name__.removeprefix("Transfer").lower()
            raise ValueError(
                f"estimator={type(network).__name__} cannot take over weights: give a {kind} of "
                "skser.neural_network, or a Pipeline that ends in one."
            )

    def _fitted_source(self):
        from skser.neural_network import NeuralEstimator

        if self.source is None:
            raise ValueError(
                "source is None, as in a model that was saved and loaded: set it to a fitted "
                "network."
            )
        source = self.source
        while isinstance(source, FrozenEstimator | Pipeline | _Transfer):
            if isinstance(source, _Transfer):
                source = getattr(source, "estimator_", source.estimator)
            else:
                source = source.estimator if isinstance(source, FrozenEstimator) else source[-1]
        if not isinstance(source, NeuralEstimator):
            raise ValueError(
                f"source={type(source).__name__} has no weights to copy: give a fitted network of "
                "skser.neural_network, or a Pipeline that ends in one."
            )
        if not hasattr(source, "net_"):
            raise NotFittedError(
                f"source={type(source).__name__} is not fitted: call its fit first. Where a search "
                "clones it, put it into a sklearn.frozen.FrozenEstimator."
            )
        return source

    def predict(self, X):
        """Predict with the fitted clone of the estimator.

        Parameters
        ----------
        X : what `estimator` takes

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_outputs)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @property
    def n_features_in_(self):
        """Number of features that `estimator_` has seen."""
        check_is_fitted(self)
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features that `estimator_` has seen."""
        check_is_fitted(self)
        return self.estimator_.feature_names_in_

    def get_params(self, deep=True):
        """Return the parameters; those of the source, which is fitted, are not this estimator's.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the parameters of `estimator` too.

        Returns
        -------
        dict
        """
        params = super().get_params(deep=deep)
        return {name: value for name, value in params.items() if not name.startswith("source__")}

    def get_metadata_routing(self):
        """How metadata are routed: all that `fit` is given goes to the inner `fit`.

        Returns
        -------
        MetadataRouter
        """
        return routing_to_inner(self)

    def __sklearn_clone__(self):
        # A clone of the source would have no weights.
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
    """Train a classifier that starts from the weights of another fitted network.

    The source may have learned other classes, another task or another corpus. Its weights are
    copied in `fit`, into a clone of the estimator.

    Parameters
    ----------
    estimator : estimator
        Classifier of `skser.neural_network`, or a Pipeline that ends in one; unfitted.
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

    # They are the inner estimator's.
    __metadata_request__fit = {"groups": UNUSED, "soft_targets": UNUSED}

    @staticmethod
    def _is_of_its_kind(network):
        return is_classifier(network)

    def fit(self, X, y, *, groups=None, soft_targets=None):
        """Copy the source's weights into a clone of the estimator and train it.

        Parameters
        ----------
        X : what `estimator` takes
        y : array-like of shape (n_utterances,)
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, for the validation split of `early_stopping`.
        soft_targets : array-like of shape (n_utterances, n_classes) or None, default=None
            Shares of the classes.

        Returns
        -------
        self : object

        Raises
        ------
        NotFittedError
            If `source` is not fitted.
        ValueError
            Naming the layers of `source` that do not fit, or if either is not a network.
        """
        self._fit(X, y, groups=groups, soft_targets=soft_targets)
        self.classes_ = self.estimator_.classes_
        return self

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : what `estimator` takes

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X):
        """Decision function of the fitted clone of the estimator.

        Parameters
        ----------
        X : what `estimator` takes

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)


@insert_descriptions(_DESCRIPTIONS)
class TransferRegressor(RegressorMixin, _Transfer):
    """Train a regressor that starts from the weights of another fitted network.

    The source may have learned other targets, classes or another corpus. Its weights are copied
    in `fit`, into a clone of the estimator.

    Parameters
    ----------
    estimator : estimator
        Regressor of `skser.neural_network`, or a Pipeline that ends in one; unfitted.
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

    __metadata_request__fit = {"groups": UNUSED}  # it is the inner estimator's

    @staticmethod
    def _is_of_its_kind(network):
        return is_regressor(network)

    def fit(self, X, y, *, groups=None):
        """Copy the source's weights into a clone of the estimator and train it.

        Parameters
        ----------
        X : what `estimator` takes
        y : array-like of shape (n_utterances,) or (n_utterances, n_outputs)
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, for the validation split of `early_stopping`.

        Returns
        -------
        self : object

        Raises
        ------
        NotFittedError
            If `source` is not fitted.
        ValueError
            Naming the layers of `source` that do not fit, or if either is not a network.
        """
        return self._fit(X, y, groups=groups)

    def score(self, X, y, sample_weight=None):
        """Score of the fitted clone of the estimator: the coefficient of determination.

        Parameters
        ----------
        X : what `estimator` takes
        y : array-like of shape (n_utterances,) or (n_utterances, n_outputs)
            Missing targets are NaN where the network takes such.
        sample_weight : array-like of shape (n_utterances,) or None, default=None

        Returns
        -------
        float
        """
        check_is_fitted(self)
        return self.estimator_.score(X, y, sample_weight=sample_weight)


def _last_step(estimator):
    """The network of an estimator: itself, or what a Pipeline ends in."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator
