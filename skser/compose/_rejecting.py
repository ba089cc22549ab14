"""Classifier that answers only where its answer can be trusted, and says why where it does not."""

import warnings
from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, column_or_1d, get_tags, indexable
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skser._delegation import HasMethodsOnceFitted, InnerFeatures
from skser.compose._metadata import inner_keywords, routing_to_inner
from skser.compose._rejecting_distance import distances, fit_gaussian, scores_and_vectors
from skser.compose._rejecting_held_out import check_has_scores, held_out_outputs, split_head
from skser.compose._rejecting_speech import audio_transformer, find_speech
from skser.compose._rejecting_thresholds import (
    best_temperature,
    check_unknown_label,
    label_sets,
    largest_typical,
    least_confidence,
    with_unknown,
)

NO_SPEECH, UNLIKE_TRAINING, UNSURE = "no speech", "unlike training", "unsure"
_GAUSSIAN = ("center_", "scale_", "components_", "explained_variance_", "noise_variance_")


class RejectingClassifier(ClassifierMixin, InnerFeatures, MetaEstimatorMixin, BaseEstimator):
    """Classifier that gives no label to utterances that it cannot judge, and names the reason.

    `predict` returns `unknown_label` for three reasons:

    - *no speech*: the audio holds silence, noise, music, an animal, but no voice that speaks;
    - *unlike training*: the utterance is farther from the training utterances than new speakers
      of the same corpus are, such as a foreign language, another microphone or much noise;
    - *unsure*: the most probable class is not probable enough for the `coverage` or the `risk`
      that was asked for.

    Thresholds come from predictions of held-out utterances, and of held-out speakers if `groups`
    are given. So does the temperature that calibrates the probabilities of `predict_proba`.

    Parameters
    ----------
    estimator : estimator
        Classifier with `predict_proba` or `decision_function`, usually a pipeline that takes
        audio. Vectors and frame sequences work as well; they cannot be checked for speech.
    coverage : float or None, default=None
        Share of utterances like the held-out ones that get a label, from 0 to 1. It includes the
        share `novelty` that does not. None sets no such share.
    risk : float or None, default=None
        Largest share of errors among the labels given to utterances like the held-out ones. None
        sets no such limit. With neither `coverage` nor `risk`, no utterance is refused as unsure.
    unknown_label : str or number, default="unknown"
        Label of refused utterances. It must not be a class. If the classes are numbers, it must be
        a number too, such as -1.
    novelty : float or None, default=0.01
        Share of utterances like the held-out ones that may be refused as unlike the training
        utterances. None refuses none.
    detect_speech : bool, default=True
        Whether to refuse audio in which less than a fifth, and less than one second, is speech.
        The detector is `skser.feature_extraction.SpeechProbability`. Without effect if `estimator`
        does not take audio.
    calibrate : bool, default=True
        Whether to divide log probabilities by a temperature that is fitted to the held-out
        utterances. A classifier without `predict_proba` needs it.
    cv : int or cross-validator, default=5
        Number of folds that are held out in turn, or a splitter. At most one fold is made per
        speaker, or per utterance of the rarest class.

    Attributes
    ----------
    estimator_ : estimator
        The clone of `estimator`, fitted on all training utterances.
    classes_ : ndarray of shape (n_classes,)
        Class labels, as in `estimator_`, without `unknown_label`.
    temperature_ : float
        Number that log probabilities are divided by. It is above 1 if the classifier is too sure.
    max_distance_ : float
        Distance above which an utterance is unlike the training utterances.
    min_confidence_ : float
        Probability of the most probable class below which an utterance is unsure.
    coverage_ : float
        Share of the held-out utterances that gets a label with these thresholds.
    risk_ : float
        Share of errors among these labels.
    conformity_scores_ : ndarray of shape (n_held_out,)
        One minus the probability of the true class of each held-out utterance, in rising order.
    center_, scale_ : ndarray of shape (n_columns,), float32
        Mean and standard deviation of the vectors that the last estimator receives.
    components_ : ndarray of shape (n_components, n_columns), float32
        Directions in which the standardized training vectors vary most, at most 32.
    explained_variance_ : ndarray of shape (n_components,)
        Variance along each of them.
    noise_variance_ : float
        Mean variance along all other directions.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features,)
        Number and names of the features seen by `estimator_`, if it records them.

    See Also
    --------
    skser.metrics.selective_scores : Coverage and risk of predictions of which some are refused.

    Notes
    -----
    `fit` trains the classifier once for each fold and once on everything. Transformers of audio
    at the start of a pipeline run only once, since they learn nothing.

    To train on altered copies, put this estimator inside:
    ``AugmentedClassifier(RejectingClassifier(pipeline), Conditions())``. Its thresholds and
    temperature then hold for altered recordings too.

    Distances are those of [1]_: Mahalanobis distances in the 32 widest directions of the vectors
    that enter the last estimator, and Euclidean ones in all others, whose mean variance is
    known. Frames of sequences are replaced by their mean and standard deviation. Label sets are
    split-conformal [2]_, over the held-out predictions of all folds. The threshold of `risk` is the
    lowest at which the share of errors among these, with one error more, keeps to it. Because it is
    chosen on them, the share among new answers may be higher, most of all if few thresholds do.

    References
    ----------
    .. [1] Tipping, M. E. and Bishop, C. M. (1999). Probabilistic Principal Component Analysis.
           JRSS B 61(3).
    .. [2] Sadinle, M., Lei, J. and Wasserman, L. (2019). Least Ambiguous Set-Valued Classifiers
           with Bounded Error Levels. JASA 114.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.audio import Waveform
    >>> from skser.compose import RejectingClassifier
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import Functionals, MelSpectrogram
    >>> corpus = make_emotional_speech(4, 10, random_state=0)
    >>> features = Functionals(MelSpectrogram(input_sampling_rate=corpus.sampling_rate))
    >>> pipeline = make_pipeline(features, StandardScaler(), LogisticRegression())
    >>> model = RejectingClassifier(pipeline, coverage=0.9, cv=2)
    >>> model = model.fit(corpus.data, corpus.target, groups=corpus.speakers)
    >>> silence = Waveform(np.zeros(16000), 16000)
    >>> model.assess([silence])[["label", "reason"]].values.tolist()
    [['unknown', 'no speech']]
    """

    _parameter_constraints = {
        "estimator": [HasMethodsOnceFitted(["fit", "predict"])],
        "coverage": [Interval(Real, 0, 1, closed="right"), None],
        "risk": [Interval(Real, 0, 1, closed="neither"), None],
        "unknown_label": [str, Real],
        "novelty": [Interval(Real, 0, 1, closed="neither"), None],
        "detect_speech": ["boolean"],
        "calibrate": ["boolean"],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"])],
    }

    # Groups make the folds here; the inner estimator requests them for itself.
    __metadata_request__fit = {"groups": True, "soft_targets": UNUSED}

    def __init__(
        self,
        estimator,
        *,
        coverage=None,
        risk=None,
        unknown_label="unknown",
        novelty=0.01,
        detect_speech=True,
        calibrate=True,
        cv=5,
    ):
        self.estimator = estimator
        self.coverage = coverage
        self.risk = risk
        self.unknown_label = unknown_label
        self.novelty = novelty
        self.detect_speech = detect_speech
        self.calibrate = calibrate
        self.cv = cv

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None, soft_targets=None):
        """Train the estimator, and find its temperature and thresholds on held-out utterances.

        Parameters
        ----------
        X : any input that `estimator` takes
            Training utterances.
        y : array-like of shape (n_utterances,)
            Class labels.
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, which are held out as a whole, and passed on if `estimator` takes groups.
            With None, single utterances are held out; the thresholds then promise too much for
            speakers that were not in training.
        soft_targets : array-like of shape (n_utterances, n_classes) or None, default=None
            Shares of the classes, passed on to `estimator`.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError
            If `coverage` and `risk` are both given, `unknown_label` does not suit the classes, a
            class has one utterance or `groups` one speaker, or no threshold keeps to `risk`.
        """
        if y is None:
            raise ValueError(
                "RejectingClassifier requires y to be passed, but the target y is None."
            )
        if self.coverage is not None and self.risk is not None:
            raise ValueError(
                f"coverage={self.coverage} and risk={self.risk} are both given, but each follows "
                "from the other: give one of them."
            )
        if issparse(X):
            raise TypeError("Sparse data was passed, but dense data is required: use X.toarray().")
        check_has_scores(self.estimator, self.calibrate)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        X, y, groups, soft_targets = indexable(X, y, groups, soft_targets)
        if groups is None and "speaker" in getattr(X, "columns", ()):
            warnings.warn(
                "X names the speakers, but groups is None, so that the thresholds promise too much "
                "for others: pass groups=X['speaker'].",
                stacklevel=3,
            )
        limits = (self.novelty, self.coverage, self.risk)
        if limits != (None, None, None) or self._takes_audio(self.estimator):
            check_unknown_label(self.unknown_label, np.unique(y))

        keywords_of = partial(_keywords, self, {"groups": groups, "soft_targets": soft_targets})
        whole = clone(self.estimator)
        head, rest = split_head(whole)
        for step in head:
            X = step.fit(X, y).transform(X)
        everything = np.arange(len(y))
        rest.fit(X, y, **keywords_of(everything))
        if rest is not whole:  # with `memory`, a pipeline replaces its steps when it is fitted
            whole.steps[len(head) :] = rest.steps
        gaussian = fit_gaussian(scores_and_vectors(rest, X)[1])
        classes = rest.classes_
        rows, scores, distance = held_out_outputs(rest, X, y, classes, groups, self.cv, keywords_of)
        known = np.isin(y[rows], classes)  # without those that a classifier takes as unlabeled
        true = np.searchsorted(classes, y[rows][known])
        thresholds = self._thresholds(scores[known], distance[known], true)
        # Set together, so that a fit that fails leaves the fitted classifier as it was.
        self.estimator_, self.classes_ = whole, classes
        vars(self).update(gaussian | thresholds)
        return self

    def _thresholds(self, scores, distance, true):
        """Return the fitted attributes that follow from held-out utterances."""
        temperature = best_temperature(scores, true) if self.calibrate else 1.0
        probability = softmax(scores / temperature, axis=1)
        confidence, right = probability.max(axis=1), probability.argmax(axis=1) == true
        max_distance = largest_typical(distance, self.novelty)
        typical = distance <= max_distance
        min_confidence = least_confidence(
            confidence[typical], right[typical], len(true), self.coverage, self.risk
        )
        answered = typical & (confidence >= min_confidence)
        return {
            "temperature_": temperature,
            "max_distance_": max_distance,
            "min_confidence_": min_confidence,
            "coverage_": float(answered.mean()),
            "risk_": float(1 - right[answered].mean()),
            "conformity_scores_": np.sort(1 - probability[np.arange(len(true)), true]),
        }

    def predict(self, X):
        """Predict the class of each utterance, or `unknown_label`.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances.

        Returns
        -------
        ndarray of shape (n_utterances,)
            Class labels and `unknown_label`.
        """
        return self._labels(self.judge(X))

    def predict_proba(self, X):
        """Predict calibrated class probabilities, also for utterances that `predict` refuses.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            Probabilities, in the order of ``classes_``.
        """
        check_is_fitted(self)
        return softmax(scores_and_vectors(self.estimator_, X)[0] / self.temperature_, axis=1)

    def predict_set(self, X, confidence_level=0.9):
        """Predict a set of classes that holds the true one with a given probability.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances.
        confidence_level : float, default=0.9
            Share of utterances like the held-out ones whose set holds their class.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), bool
            Whether the set of an utterance holds a class of ``classes_``. The most probable class
            is always in it.
        """
        return label_sets(self.predict_proba(X), self.conformity_scores_, confidence_level)

    def reasons(self, X):
        """Name the reason why an utterance gets no label.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances.

        Returns
        -------
        ndarray of shape (n_utterances,), str
            "no speech", "unlike training" or "unsure", the first of them that holds; "" if
            `predict` gives a class.
        """
        return self.judge(X)["reasons"]

    def assess(self, X, confidence_level=0.9):
        """Judge each utterance, with all that the judgment is based on.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances.
        confidence_level : float, default=0.9
            Share of utterances like the held-out ones whose set of labels holds their class.

        Returns
        -------
        DataFrame
            One row per utterance: ``label``, from `predict`; ``reason``, from `reasons`;
            ``confidence``, the probability of the most probable class; ``labels``, a tuple of the
            classes in `predict_set`, the most probable first; ``distance`` from the training
            utterances; ``speech``, the share of the audio that is speech, NaN if X is not audio or
            `detect_speech` is False.
        """
        judged = self.judge(X, confidence_level)
        probability = judged["probabilities"]
        order = np.argsort(-probability, axis=1, kind="stable")
        return pd.DataFrame(
            {
                "label": self._labels(judged),
                "reason": judged["reasons"],
                "confidence": probability.max(axis=1),
                "labels": [
                    tuple(self.classes_[ranks[is_in[ranks]]].tolist())
                    for ranks, is_in in zip(order, judged["sets"], strict=True)
                ],
                "distance": judged["distances"],
                "speech": judged["speech"],
            }
        )

    def judge(self, X, confidence_level=0.9):
        """Judge each utterance, as arrays; `assess` returns the same as a table.

        Parameters
        ----------
        X : any input that `estimator` takes
            Utterances.
        confidence_level : float, default=0.9
            Share of utterances like the held-out ones whose set of labels holds their class.

        Returns
        -------
        dict of ndarray
            ``probabilities`` and ``sets`` of shape (n_utterances, n_classes), as `predict_proba`
            and `predict_set` return them; ``reasons``, ``distances`` and ``speech`` of shape
            (n_utterances,), as in `assess`.
        """
        check_is_fitted(self)
        scores, vectors = scores_and_vectors(self.estimator_, X)
        probability = softmax(scores / self.temperature_, axis=1)
        distance = distances(vectors, {name: getattr(self, name) for name in _GAUSSIAN})
        speech, is_spoken = np.full(len(scores), np.nan), np.ones(len(scores), bool)
        if self._takes_audio(self.estimator_):
            speech, is_spoken = find_speech(self.estimator_, X)
        is_like = distance <= self.max_distance_
        is_sure = probability.max(axis=1) >= self.min_confidence_
        reasons = np.select(
            [~is_spoken, ~is_like, ~is_sure], [NO_SPEECH, UNLIKE_TRAINING, UNSURE], default=""
        )
        return {
            "probabilities": probability,
            "sets": label_sets(probability, self.conformity_scores_, confidence_level),
            "reasons": reasons,
            "distances": distance,
            "speech": speech,
        }

    def _takes_audio(self, estimator):
        return self.detect_speech and audio_transformer(estimator) is not None

    def _labels(self, judged):
        best = self.classes_[judged["probabilities"].argmax(axis=1)]
        return with_unknown(best, judged["reasons"] != "", self.unknown_label)

    def get_metadata_routing(self):
        """Return the metadata routing: groups are used here, and passed to the inner `fit`.

        Returns
        -------
        MetadataRouter
            Router from this estimator's `fit` to that of `estimator`.
        """
        return routing_to_inner(self).add_self_request(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        tags.input_tags.sparse = False
        return tags


def _keywords(owner, metadata, rows):
    """Return the keyword arguments that pass metadata of some rows to the inner `fit`."""
    given = {name: values for name, values in metadata.items() if values is not None}
    return inner_keywords(owner, {name: _safe_indexing(v, rows) for name, v in given.items()})
