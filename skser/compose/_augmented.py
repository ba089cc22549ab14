"""Training on utterances and on altered copies of them."""

import copy
import hashlib
import os
from collections.abc import Iterator, Set
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
    clone,
)
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from skser._delegation import HasMethodsOnceFitted, will_have
from skser.audio import (
    PART_COLUMNS,
    AudioReadError,
    Utterance,
    Waveform,
    as_one_column,
    audio_inputs,
    read_utterance,
    utterance_name,
    without_parts,
)
from skser.augmentation import altered
from skser.compose._metadata import metadata_of_rows, routing_to_inner


def _inner_has(method):
    def check(self):
        if hasattr(self, "estimator_"):
            getattr(self.estimator_, method)
            return True
        return will_have(self.estimator, method)

    return check


class AugmentedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Train on every utterance and on altered copies of its waveform.

    The copies are made in `fit`, from the training utterances alone. So whatever splits the
    utterances, cross-validation or a search around this estimator, an utterance and its copies
    are always on one side, and predictions are those of plain audio.

    Parameters
    ----------
    estimator : estimator
        Classifier that takes audio: a pipeline whose first step is a transformer such as
        `MelSpectrogram`. It is always given arrays at `sampling_rate`, and the
        `input_sampling_rate` of its first step is set accordingly in the clone. Given an
        utterance table, it is given one too, with the arrays as its column ``audio``.
    augment : callable
        Either ``augment(samples, sampling_rate, random_state)`` -> samples, or a transform of
        the library audiomentations, such as a ``Compose``. Samples are 1-D float32, full scale
        1; their number may change. ``random_state`` is a `numpy.random.RandomState`.
    n_copies : int, default=1
        Altered copies of each training utterance; 0 trains on the utterances alone.
    sampling_rate : float, default=16000
        Rate that utterances are read and altered at, in Hz; at least that of the features.
    input_sampling_rate : float or None, default=None
        Rate of arrays given as X, in Hz.
    n_jobs : int or None, default=None
        Processes that read and alter utterances, as in joblib.
    random_state : int, RandomState instance or None, default=None
        With an int, a copy depends on the utterance's samples and on its own number only, so it
        is the same in every fold and fit, and the first step's `memory` finds its features
        again.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone of `estimator`.
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
        Only if X was a 2-D array, which is a batch of utterances of one length: its columns.
    feature_names_in_ : ndarray of shape (n_features,), str
        Only if X was a DataFrame of numbers.

    Notes
    -----
    All training audio and its copies are in memory at once: 230 MB per hour at 16 kHz, times
    ``1 + n_copies``.

    audiomentations draws from the global generators of `random` and `numpy.random`. They are
    seeded for each copy and put back as they were.

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

    _parameter_constraints = {
        "estimator": [HasMethodsOnceFitted(["fit", "predict"])],
        "augment": [callable],
        "n_copies": [Interval(Integral, 0, None, closed="left")],
        "sampling_rate": [Interval(Real, 0, None, closed="neither")],
        "input_sampling_rate": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    # They are the inner estimator's.
    __metadata_request__fit = {"groups": UNUSED, "soft_targets": UNUSED}

    def __init__(
        self,
        estimator,
        augment,
        n_copies=1,
        sampling_rate=16000,
        input_sampling_rate=None,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.augment = augment
        self.n_copies = n_copies
        self.sampling_rate = sampling_rate
        self.input_sampling_rate = input_sampling_rate
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None, soft_targets=None):
        """Train a clone of the estimator on the utterances and their copies.

        Parameters
        ----------
        X : list or 1-D array of paths, list or object array of 1-D arrays, 2-D array, or \
                DataFrame with a column ``audio``
            Audio; arrays need `input_sampling_rate`.
        y : array-like of shape (n_utterances,)
        groups : array-like of shape (n_utterances,) or None, default=None
            Speakers, repeated per copy for an inner estimator that takes them. None makes each
            utterance a group: early stopping then has it and its copies on one side, but one
            speaker may be on both.
        soft_targets : array-like of shape (n_utterances, n_classes) or None, default=None
            Shares of the classes, repeated per copy for an inner classifier that takes them.

        Returns
        -------
        self : object

        Raises
        ------
        AudioReadError
            Naming every utterance that could not be read.
        ValueError
            Naming the first utterance that `augment` fails on, or makes empty, not finite or
            anything but 1-D floats of.
        """
        items = self._audio_inputs(X, reset=True)
        if y is None:
            raise ValueError(
                "AugmentedClassifier requires y to be passed, but the target y is None."
            )
        y = column_or_1d(y, warn=True)
        check_consistent_length(items, y, groups, soft_targets)
        estimator = clone(self.estimator)
        _take_arrays(estimator, self.sampling_rate)
        utterances = np.tile(np.arange(len(items)), 1 + self.n_copies)
        routed = metadata_of_rows(self, utterances, groups, soft_targets)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        versions = self._read(items, [f"{seed} {k}" for k in range(self.n_copies)])
        samples = [of_one[k] for k in range(1 + self.n_copies) for of_one in versions]
        self.estimator_ = estimator.fit(_like(X, samples, utterances), y[utterances], **routed)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        """Predict plain audio.

        Parameters
        ----------
        X : audio, as in `fit`

        Returns
        -------
        ndarray of shape (n_utterances,)
        """
        plain = self._plain(X)
        return self.estimator_.predict(plain)

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X):
        """Probabilities of the classes for plain audio.

        Parameters
        ----------
        X : audio, as in `fit`

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
        """
        plain = self._plain(X)
        return self.estimator_.predict_proba(plain)

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X):
        """Decision function of the inner estimator for plain audio.

        Parameters
        ----------
        X : audio, as in `fit`

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
        """
        plain = self._plain(X)
        return self.estimator_.decision_function(plain)

    def _plain(self, X):
        check_is_fitted(self)
        items = self._audio_inputs(X, reset=False)
        samples = [samples for (samples,) in self._read(items, [])]
        return _like(X, samples, np.arange(len(items)))

    def _audio_inputs(self, X, *, reset):
        if reset:
            for attribute in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(attribute, None)
        X = as_one_column(X)
        if _is_2d_array(X):
            # Whatever made a table of equal utterances knows their scale.
            rows = validate_data(self, X, reset=reset)
            if rows.dtype.itemsize > 4 and rows.dtype.kind in "iu":
                rows = rows.astype(np.float64)
            X = [Utterance(row, max_amplitude=None) for row in rows]
        return audio_inputs(X, self.input_sampling_rate)

    def _read(self, items, seeds):
        """Samples of each utterance, followed by those of a copy per seed."""
        augment = copy.deepcopy(self.augment)  # transforms of audiomentations keep a state
        rates = self.input_sampling_rate, self.sampling_rate
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(_read_one)(item, i, *rates, augment, seeds) for i, item in enumerate(items)
        )
        failures = [result for result in results if isinstance(result, tuple)]
        if failures:
            raise AudioReadError(failures, len(items))
        return results

    def get_metadata_routing(self):
        """How metadata are routed: `groups` and `soft_targets` go to the inner `fit`.

        Returns
        -------
        MetadataRouter
        """
        return routing_to_inner(self)


def _is_2d_array(X):
    if isinstance(X, list | tuple | str | os.PathLike | Set | Iterator):
        return False
    if hasattr(X, "columns"):
        if "audio" in X.columns:
            return False
        return all(d.kind in "biuf" if hasattr(d, "kind") else d.is_numeric() for d in X.dtypes)
    return getattr(X, "ndim", 2) != 1 or X.dtype.kind in "biufc"


def _like(X, samples, utterances):
    """The samples, in the table of their utterances if X is a table."""
    if hasattr(X, "columns") and "audio" in X.columns:
        if not hasattr(X, "iloc"):  # polars
            audio = np.empty(len(samples), dtype=object)
            for i, of_one in enumerate(samples):  # arrays of one length would become a 2-D array
                audio[i] = of_one
            audio = type(X["audio"])("audio", list(audio), dtype=object)
            parts = [column for column in PART_COLUMNS if column in X.columns]
            return X[utterances].with_columns(audio, **dict.fromkeys(parts))
        return without_parts(X.iloc[utterances], samples).reset_index(drop=True)
    return samples


def _take_arrays(estimator, sampling_rate):
    """Tell what takes the audio, wherever it is in `estimator`, the rate of its input."""
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        inner = steps[:1]
    elif isinstance(estimator, FeatureUnion):
        inner = [t for _, t in estimator.transformer_list if not isinstance(t, str)]
    elif isinstance(estimator, ColumnTransformer):
        inner = [t for _, t, _ in estimator.transformers if not isinstance(t, str)]
    else:
        parameters = estimator.get_params(deep=False)
        if "input_sampling_rate" in parameters:
            rate = parameters.get("sampling_rate") or sampling_rate
            if rate > sampling_rate:
                raise ValueError(
                    f"{type(estimator).__name__} works at sampling_rate={rate} Hz, but "
                    f"AugmentedClassifier reads audio at {sampling_rate} Hz: set its "
                    f"sampling_rate={rate}."
                )
            estimator.set_params(input_sampling_rate=sampling_rate)
            return
        parameters.pop("source", None)  # of a transfer: it is fitted, and not to be changed
        inner = [p for p in parameters.values() if isinstance(p, BaseEstimator)]
    for part in inner:
        _take_arrays(part, sampling_rate)


def _read_one(item, index, input_sampling_rate, sampling_rate, augment, seeds):
    try:
        samples = read_utterance(item, index, input_sampling_rate, sampling_rate)
    except AudioReadError as error:
        return error.failures[0]
    name = utterance_name(item, index)
    plain = Waveform(samples, sampling_rate, name, max_amplitude=None)  # checked already
    return [plain, *(_altered(samples, sampling_rate, augment, seed, name) for seed in seeds)]


def _altered(samples, sampling_rate, augment, seed, name):
    digest = hashlib.blake2b(samples.tobytes(), digest_size=4, key=seed.encode()).digest()
    seed = int.from_bytes(digest, "little")
    samples = altered(samples, sampling_rate, augment, seed, name, what="augment")
    return Waveform(samples, sampling_rate, name, max_amplitude=None)  # noise may be far louder
