"""Classifier that adapts to the settings of the utterances that it predicts."""

from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.metaestimators import available_if

from skser._delegation import inner_has
from skser._docstrings import insert_descriptions
from skser.compose._adapted_base import ADAPTED, BaseAdapted


@insert_descriptions(ADAPTED)
class AdaptedClassifier(ClassifierMixin, BaseAdapted):
    """Classifier that adapts to recordings without labels, or to each setting it predicts.

    Training is that of `estimator`. Afterwards, the statistics of its scalers and normalization
    layers follow the recordings: those given to the method `adapt`, or, with a `setting`, those
    of each speaker or setting in the table that is predicted. See `skser.compose.adapt`.

    Parameters
    ----------
    estimator : estimator
        Classifier, usually a Pipeline with a scaler.
    {setting}
    {method}
    {prior_weight}

    Attributes
    ----------
    {estimator_}
    {adapted_}
    {linear_means_}
    {linear_covariances_}
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    {n_features_in_}
    {feature_names_in_}

    See Also
    --------
    adapt : Adaptation of any fitted model.
    skser.preprocessing.SpeakerScaler : Scaling within speakers, in training too.

    Notes
    -----
    {notes}

    References
    ----------
    Sun, B., Feng, J. and Saenko, K. (2016). Return of Frustratingly Easy Domain Adaptation. AAAI.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.compose import AdaptedClassifier
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> corpus = make_emotional_speech(4, 10, random_state=0)
    >>> audio = FrameFeatures(input_sampling_rate=corpus.sampling_rate)
    >>> model = AdaptedClassifier(
    ...     make_pipeline(Functionals(audio), StandardScaler(), LogisticRegression()),
    ...     setting="speaker",
    ... )
    >>> train = corpus.speakers < "03"
    >>> model = model.fit(corpus.frame[train], corpus.target[train])
    >>> model.predict_proba(corpus.frame[~train]).shape
    (20, 5)
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None, soft_targets=None):
        """Train a clone of the estimator.

        Parameters
        ----------
        X : any input that `estimator` takes
            Training utterances. A column of settings is ignored.
        y : array-like of shape (n_utterances,)
            Class labels.
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, for inner estimators that take them.
        soft_targets : array-like of shape (n_utterances, n_classes) or None, default=None
            Shares of the classes, for inner classifiers that take them.

        Returns
        -------
        self : object
            Fitted classifier.
        """
        self._fit(X, y, groups=groups, soft_targets=soft_targets)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        """Predict the class of each utterance.

        Parameters
        ----------
        X : any input that `estimator` takes, or a DataFrame that has the column `setting`
            Utterances to classify.

        Returns
        -------
        ndarray of shape (n_utterances,)
            Predicted class labels.
        """
        return self._outputs("predict", X)

    @available_if(inner_has("predict_proba"))
    def predict_proba(self, X):
        """Predict class probabilities.

        Parameters
        ----------
        X : any input that `estimator` takes, or a DataFrame that has the column `setting`
            Utterances to classify.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        return self._outputs("predict_proba", X)

    @available_if(inner_has("decision_function"))
    def decision_function(self, X):
        """Compute the decision function of the inner estimator.

        Parameters
        ----------
        X : any input that `estimator` takes, or a DataFrame that has the column `setting`
            Utterances to classify.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
            Decision values.
        """
        return self._outputs("decision_function", X)
