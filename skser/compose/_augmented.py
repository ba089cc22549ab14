"""Data augmentation: a classifier trained on utterances and altered copies of them."""

from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from skser._delegation import inner_has
from skser._docstrings import insert_descriptions
from skser.compose._augmented_base import AUGMENTED, BaseAugmented


@insert_descriptions(AUGMENTED)
class AugmentedClassifier(ClassifierMixin, BaseAugmented):
    """Classifier trained on every utterance and on altered copies of its waveform.

    The copies are made in `fit`, from the training utterances only. An utterance and its copies
    therefore never end up on different sides of a split, whether cross-validation or a search
    wraps this estimator. Predictions use the audio as it is, without alteration.

    Parameters
    ----------
    estimator : estimator
        Classifier that takes audio: a pipeline whose first step is a transformer such as
        `MelSpectrogram`. It always receives arrays at `sampling_rate`, and the
        `input_sampling_rate` of its first step is set to that rate in the clone. If X is an
        utterance table, the estimator receives a table whose column ``audio`` holds the arrays.
    {augment}
    n_copies : int, default=1
        Number of altered copies of each training utterance. With 0, the classifier is trained
        on the original utterances only.
    {fresh_copies}
    {sampling_rate}
    {input_sampling_rate}
    {n_jobs}
    {random_state}

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone of `estimator`.
    classes_ : ndarray of shape (n_classes,)
        Class labels, as in `estimator_`.
    n_features_in_ : int
        Number of columns of X. Defined only if X was a 2-D array, which is a batch of utterances
        of equal length.
    feature_names_in_ : ndarray of shape (n_features,), str
        Names of the columns of X. Defined only if X was a DataFrame of numbers.

    Notes
    -----
    All training audio and all copies are written to a temporary file that is mapped into memory:
    230 MB per hour at 16 kHz, times ``1 + n_copies``. It is deleted at the end of `fit`.

    audiomentations draws from the global generators of `random` and `numpy.random`. They are
    seeded for each copy, and their previous state is restored afterwards.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import MelSpectrogram
    >>> from skser.compose import AugmentedClassifier
    >>> from skser.neural_network import AttentionFCNClassifier
    >>> def add_noise(samples, sampling_rate, random_state):
    ...     return samples + 0.01 * random_state.standard_normal(len(samples))
    >>> corpus = make_emotional_speech(2, 10, random_state=0)
    >>> model = AugmentedClassifier(
    ...     make_pipeline(MelSpectrogram(n_mels=16), AttentionFCNClassifier(max_epochs=5)),
    ...     add_noise,
    ...     n_copies=2,
    ...     input_sampling_rate=corpus.sampling_rate,
    ...     random_state=0,
    ... )
    >>> model.fit(corpus.data, corpus.target).predict(corpus.data).shape
    (20,)
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None, soft_targets=None):
        """Train a clone of the estimator on the utterances and their copies.

        Parameters
        ----------
        X : list or 1-D array of paths, list or object array of 1-D arrays, 2-D array, or \
                DataFrame with a column ``audio``
            Audio. Arrays require `input_sampling_rate`.
        y : array-like of shape (n_utterances,)
            Class labels.
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, repeated for each copy if the inner estimator takes groups. With None, each
            utterance is its own group. Early stopping then keeps an utterance and its copies on
            one side of its split, but the same speaker may be on both sides.
        soft_targets : array-like of shape (n_utterances, n_classes) or None, default=None
            Shares of the classes, repeated for each copy if the inner classifier takes them.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        AudioReadError
            If utterances cannot be read. The message names all of them.
        ValueError
            If `augment` fails, or if it does not return a nonempty 1-D array of finite floats.
            The message names the first such utterance.
        """
        self._fit(X, y, groups, soft_targets)
        self.classes_ = self.estimator_.classes_
        return self

    def _checked_targets(self, y):
        return column_or_1d(y, warn=True)

    def predict(self, X):
        """Predict the class of each utterance from its unaltered audio.

        Parameters
        ----------
        X : audio, as in `fit`
            Utterances to classify.

        Returns
        -------
        ndarray of shape (n_utterances,)
            Predicted class labels.
        """
        plain = self._plain(X)
        return self.estimator_.predict(plain)

    @available_if(inner_has("predict_proba"))
    def predict_proba(self, X):
        """Predict class probabilities from unaltered audio.

        Parameters
        ----------
        X : audio, as in `fit`
            Utterances to classify.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        plain = self._plain(X)
        return self.estimator_.predict_proba(plain)

    @available_if(inner_has("decision_function"))
    def decision_function(self, X):
        """Compute the inner estimator's decision function from unaltered audio.

        Parameters
        ----------
        X : audio, as in `fit`
            Utterances to classify.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
            Decision values of the inner estimator.
        """
        plain = self._plain(X)
        return self.estimator_.decision_function(plain)
