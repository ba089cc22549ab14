"""Data augmentation: training on utterances and altered copies of them."""

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
    """Return a check, for `available_if`, that the inner estimator has or will have a method."""

    def check(self):
        if hasattr(self, "estimator_"):
            getattr(self.estimator_, method)
            return True
        return will_have(self.estimator, method)

    return check


class AugmentedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
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
    augment : callable
        Function ``augment(samples, sampling_rate, random_state)`` that returns altered samples,
        or a transform of the library audiomentations, such as a ``Compose``. Samples are 1-D
        float32 with full scale 1, and their number may change. ``random_state`` is a
        `numpy.random.RandomState`.
    n_copies : int, default=1
        Number of altered copies of each training utterance. With 0, the classifier is trained
        on the original utterances only.
    sampling_rate : float, default=16000
        Rate at which utterances are read and altered, in Hz. It must be at least the rate of the
        features.
    input_sampling_rate : float or None, default=None
        Rate of arrays given as X, in Hz.
    n_jobs : int or None, default=None
        Number of processes that read and alter utterances, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Seed of the alterations. With an int, a copy depends only on the utterance's samples and
        on the number of the copy. It is then the same in every fold and fit, and the `memory` of
        the first step can reuse its features.

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
    All training audio and all copies are held in memory at once: 230 MB per hour at 16 kHz,
    times ``1 + n_copies``.

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

    _parameter_constraints = {
        "estimator": [HasMethodsOnceFitted(["fit", "predict"])],
        "augment": [callable],
        "n_copies": [Interval(Integral, 0, None, closed="left")],
        "sampling_rate": [Interval(Real, 0, None, closed="neither")],
        "input_sampling_rate": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    # The inner estimator requests these metadata; this one only forwards them.
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
        # All utterances come first, then the first copy of each, as in `utterances`.
        samples = [of_one[k] for k in range(1 + self.n_copies) for of_one in versions]
        self.estimator_ = estimator.fit(_like(X, samples, utterances), y[utterances], **routed)
        self.classes_ = self.estimator_.classes_
        return self

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

    @available_if(_inner_has("predict_proba"))
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

    @available_if(_inner_has("decision_function"))
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
            # The rows of a 2-D array may have any scale, so their amplitude is not limited.
            rows = validate_data(self, X, reset=reset)
            # Audio rejects 64-bit integers, which have no full scale, but tables often hold them.
            if rows.dtype.itemsize > 4 and rows.dtype.kind in "iu":
                rows = rows.astype(np.float64)
            X = [Utterance(row, max_amplitude=None) for row in rows]
        return audio_inputs(X, self.input_sampling_rate)

    def _read(self, items, seeds):
        """Read each utterance and return its samples, followed by those of one copy per seed."""
        augment = copy.deepcopy(self.augment)  # audiomentations transforms change when called
        rates = self.input_sampling_rate, self.sampling_rate
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(_read_one)(item, i, *rates, augment, seeds) for i, item in enumerate(items)
        )
        failures = [result for result in results if isinstance(result, tuple)]
        if failures:
            raise AudioReadError(failures, len(items))
        return results

    def get_metadata_routing(self):
        """Return the metadata routing: `groups` and `soft_targets` go to the inner `fit`.

        Returns
        -------
        MetadataRouter
            Router from this estimator's `fit` to that of `estimator`.
        """
        return routing_to_inner(self)


def _is_2d_array(X):
    """Return whether X is a 2-D array or table of numbers, not a collection of audio."""
    if isinstance(X, list | tuple | str | os.PathLike | Set | Iterator):
        return False
    if hasattr(X, "columns"):
        if "audio" in X.columns:
            return False
        return all(d.kind in "biuf" if hasattr(d, "kind") else d.is_numeric() for d in X.dtypes)
    return getattr(X, "ndim", 2) != 1 or X.dtype.kind in "biufc"


def _like(X, samples, utterances):
    """Return the samples; if X is a table, as the column ``audio`` of its selected rows."""
    if hasattr(X, "columns") and "audio" in X.columns:
        if not hasattr(X, "iloc"):  # polars
            audio = np.empty(len(samples), dtype=object)
            for i, of_one in enumerate(samples):  # np.array() would stack arrays of equal length
                audio[i] = of_one
            audio = type(X["audio"])("audio", list(audio), dtype=object)
            parts = [column for column in PART_COLUMNS if column in X.columns]
            return X[utterances].with_columns(audio, **dict.fromkeys(parts))
        return without_parts(X.iloc[utterances], samples).reset_index(drop=True)
    return samples


def _take_arrays(estimator, sampling_rate):
    """Set the `input_sampling_rate` of every part of `estimator` that takes audio."""
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
                    f"AugmentedClassifier reads audio at {sampling_rate} Hz. Pass "
                    f"sampling_rate={rate} to AugmentedClassifier."
                )
            estimator.set_params(input_sampling_rate=sampling_rate)
            return
        parameters.pop("source", None)  # the fitted source of a transfer must stay unchanged
        inner = [p for p in parameters.values() if isinstance(p, BaseEstimator)]
    for part in inner:
        _take_arrays(part, sampling_rate)


def _read_one(item, index, input_sampling_rate, sampling_rate, augment, seeds):
    """Return the samples of one utterance and of its copies, or the failure to read it."""
    try:
        samples = read_utterance(item, index, input_sampling_rate, sampling_rate)
    except AudioReadError as error:
        return error.failures[0]
    name = utterance_name(item, index)
    plain = Waveform(samples, sampling_rate, name, max_amplitude=None)  # already checked
    return [plain, *(_altered(samples, sampling_rate, augment, seed, name) for seed in seeds)]


def _altered(samples, sampling_rate, augment, seed, name):
    # Seeding by content makes a copy independent of the utterance's position and fold.
    digest = hashlib.blake2b(samples.tobytes(), digest_size=4, key=seed.encode()).digest()
    seed = int.from_bytes(digest, "little")
    samples = altered(samples, sampling_rate, augment, seed, name, what="augment")
    return Waveform(samples, sampling_rate, name, max_amplitude=None)  # may exceed full scale
