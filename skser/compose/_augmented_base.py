"""Base of the estimators that are trained on utterances and altered copies of them."""

import contextlib
import copy
import hashlib
import os
import warnings
from collections.abc import Iterator, Set
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from skser._delegation import HasMethodsOnceFitted
from skser.audio import (
    PART_COLUMNS,
    AudioReadError,
    Utterance,
    Waveform,
    as_one_column,
    audio_inputs,
    read_utterance,
    utterance_name,
    with_index_columns,
    without_parts,
)
from skser.augmentation import altered
from skser.compose._fresh_copies import check_network, fit_on_fresh_copies
from skser.compose._metadata import metadata_of_rows, routing_to_inner
from skser.compose._sample_file import SampleFile
from skser.compose._targets import as_named
from skser.preprocessing import SpeakerScaler

_TASKS_AT_ONCE = 512

# Parameter descriptions of the classifier and the regressor, for `insert_descriptions`.
AUGMENTED = {
    "augment": """augment : callable
    `Conditions`, another function ``augment(samples, sampling_rate, random_state)`` that
    returns altered samples, or a transform of the library audiomentations, such as a
    ``Compose``. Samples are 1-D float32 with full scale 1, and their number may change.
    ``random_state`` is a `numpy.random.RandomState`. If it has a method
    ``bind(utterances, speakers)``, `fit` calls it with the training utterances and uses what
    it returns.""",
    "sampling_rate": """sampling_rate : float, default=16000
    Rate at which utterances are read and altered, in Hz. It must be at least the rate of the
    features.""",
    "input_sampling_rate": """input_sampling_rate : float or None, default=None
    Rate of arrays given as X, in Hz.""",
    "fresh_copies": """fresh_copies : bool, default=False
    Whether each epoch trains on new copies. `estimator` must then be a pipeline whose last step
    is an attention FCN or RNN without `early_stopping`. The steps before it are fitted on the
    utterances and the copies of the first epoch. Copies after that do not enter `memory`.""",
    "n_jobs": """n_jobs : int or None, default=None
    Number of processes that read and alter utterances, as in joblib.""",
    "random_state": """random_state : int, RandomState instance or None, default=None
    Seed of the alterations. With an int, a copy depends only on the utterance's samples, on
    the number of the copy, and, in babble, on the voices of training. It is then the same in
    every fold and fit, and the `memory` of the first step can reuse its features.""",
}


class BaseAugmented(MetaEstimatorMixin, BaseEstimator):
    """Base class of the estimators that are trained on utterances and altered copies of them."""

    _parameter_constraints = {
        "estimator": [HasMethodsOnceFitted(["fit", "predict"])],
        "augment": [callable],
        "n_copies": [Interval(Integral, 0, None, closed="left")],
        "fresh_copies": ["boolean"],
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
        fresh_copies=False,
        sampling_rate=16000,
        input_sampling_rate=None,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.augment = augment
        self.n_copies = n_copies
        self.fresh_copies = fresh_copies
        self.sampling_rate = sampling_rate
        self.input_sampling_rate = input_sampling_rate
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, X, y, groups, soft_targets=None):
        """Train a clone of the estimator on the utterances and their copies."""
        items = self._audio_inputs(X, reset=True)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        named, y = y, self._checked_targets(y)
        check_consistent_length(items, y, groups, soft_targets)
        estimator = clone(self.estimator)
        _take_arrays(estimator, self.sampling_rate, type(self).__name__)
        _restate_rates(estimator, self.input_sampling_rate, self.sampling_rate)
        if any(isinstance(p, SpeakerScaler) for p in (estimator, *estimator.get_params().values())):
            warnings.warn(
                f"The SpeakerScaler in {type(self).__name__} scales the utterances of a speaker "
                "together with their altered copies in fit, but without any in predict. Put "
                "StandardScaler in its place, or use AdaptedClassifier.",
                stacklevel=3,
            )
        if self.fresh_copies:
            check_network(estimator)
        utterances = np.tile(np.arange(len(items)), 1 + self.n_copies)
        routed = metadata_of_rows(self, utterances, groups, soft_targets)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        with SampleFile() as file:
            for samples in self._read(items):
                file.append(samples)
            names = [utterance_name(item, i) for i, item in enumerate(items)]
            plain = self._waveforms(file.arrays(), names)
            augment = self._bound_alteration(plain, _speakers_of(X, groups))
            # All utterances come first, then the first copy of each, as in `utterances`.
            samples = plain + self._copies(plain, augment, seed, file)
            given = _like(X, samples, utterances), as_named(y[utterances], named)
            if not self.fresh_copies or not self.n_copies:
                self.estimator_ = estimator.fit(*given, **routed)
                return self

            @contextlib.contextmanager
            def copies_of(epoch):
                with SampleFile() as own:
                    samples = self._copies(plain, augment, f"{seed} epoch {epoch}", own)
                    yield _like(X, samples, utterances[len(items) :])

            self.estimator_ = fit_on_fresh_copies(estimator, *given, routed, copies_of)
        return self

    def _bound_alteration(self, samples, speakers):
        """Return the alteration, which may need to know the utterances of training."""
        if hasattr(self.augment, "bind"):
            return self.augment.bind(samples, speakers)
        return copy.deepcopy(self.augment)  # audiomentations transforms change when called

    def _waveforms(self, samples, names):
        # Copies may exceed full scale, and the samples of utterances have been checked.
        return [
            Waveform(of_one, self.sampling_rate, name, max_amplitude=None)
            for of_one, name in zip(samples, names, strict=True)
        ]

    def _plain(self, X):
        check_is_fitted(self)
        items = self._audio_inputs(X, reset=False)
        names = [utterance_name(item, i) for i, item in enumerate(items)]
        return _like(X, self._waveforms(self._read(items), names), np.arange(len(items)))

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

    def _read(self, items):
        """Return the samples of each utterance."""
        rates = self.input_sampling_rate, self.sampling_rate
        tasks = [(item, i, *rates) for i, item in enumerate(items)]
        results = list(self._parallel(_read_one, tasks))
        failures = [result for result in results if isinstance(result, tuple)]
        if failures:
            raise AudioReadError(failures, len(items))
        return results

    def _copies(self, waveforms, augment, seed, file):
        """Write all copies of each utterance to a file, and return them."""
        copies, names = [], [samples.name for samples in waveforms]
        for k in range(self.n_copies):
            tasks = [(samples, augment, f"{seed} {k}") for samples in waveforms]
            for samples in self._parallel(_altered_one, tasks):
                file.append(samples)
            copies += self._waveforms(file.arrays(), names)
        return copies

    def _parallel(self, function, tasks):
        """Yield ``function(*task)`` for each task; few results at a time are in memory."""
        with Parallel(n_jobs=self.n_jobs) as parallel:
            for start in range(0, len(tasks), _TASKS_AT_ONCE):
                some = tasks[start : start + _TASKS_AT_ONCE]
                yield from parallel(delayed(function)(*task) for task in some)

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
    X = _with_audio_column(X)
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


def _with_audio_column(X):
    """Return a pandas table whose index holds audio with a column of it; anything else as given."""
    return with_index_columns(X) if hasattr(X, "iloc") and hasattr(X, "columns") else X


def _take_arrays(estimator, sampling_rate, owner, frozen=False):
    """Set the `input_sampling_rate` of every part of `estimator` that takes audio.

    A frozen part stays as it is; the samples that it gets state their rate.
    """
    if isinstance(estimator, FrozenEstimator):
        frozen, inner = True, [estimator.estimator]
    elif isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        inner = steps[:1]
    elif isinstance(estimator, FeatureUnion):
        inner = [t for _, t in estimator.transformer_list if not isinstance(t, str)]
    elif isinstance(estimator, ColumnTransformer):
        inner = [t for _, t, _ in estimator.transformers if not isinstance(t, str)]
    else:
        parameters = estimator.get_params(deep=False)
        if "input_sampling_rate" in parameters:
            rate = getattr(estimator, "sampling_rate", None) or sampling_rate
            if rate > sampling_rate:
                raise ValueError(
                    f"{type(estimator).__name__} works at sampling_rate={rate} Hz, but "
                    f"{owner} reads audio at {sampling_rate} Hz. Pass "
                    f"sampling_rate={rate} to {owner}."
                )
            if not frozen:
                estimator.set_params(input_sampling_rate=sampling_rate)
            return
        parameters.pop("source", None)  # the fitted source of a transfer must stay unchanged
        # An ensemble has its estimators in a list, mostly as pairs of name and estimator.
        listed = [
            part for value in parameters.values() if isinstance(value, list) for part in value
        ]
        parts = [p for part in listed for p in (part if isinstance(part, tuple) else (part,))]
        inner = [p for p in [*parameters.values(), *parts] if isinstance(p, BaseEstimator)]
    for part in inner:
        _take_arrays(part, sampling_rate, owner, frozen)


def _restate_rates(estimator, given, sampling_rate):
    """Set rates of the given arrays, which later steps of a pipeline state, to the new rate."""
    for part in (estimator, *estimator.get_params().values()):
        for _, step in part.steps[1:] if isinstance(part, Pipeline) else ():
            rates = step.get_params() if hasattr(step, "get_params") else {}
            for name, rate in rates.items():
                if name.endswith("input_sampling_rate") and rate is not None and rate == given:
                    step.set_params(**{name: sampling_rate})


def _speakers_of(X, groups):
    """Return the speakers: `groups`, or the column of an utterance table, or None."""
    X = _with_audio_column(X)
    if groups is None and hasattr(X, "columns") and {"audio", "speaker"} <= set(X.columns):
        return np.asarray(X["speaker"])
    return groups


def _read_one(item, index, input_sampling_rate, sampling_rate):
    """Return the samples of one utterance, or the failure to read it."""
    try:
        return read_utterance(item, index, input_sampling_rate, sampling_rate)
    except AudioReadError as error:
        return error.failures[0]


def _altered_one(waveform, augment, seed):
    """Return the samples of an altered copy."""
    samples, name = np.asarray(waveform), waveform.name
    # Seeding by content makes a copy independent of the utterance's position and fold.
    code = hashlib.blake2b(samples.tobytes(), digest_size=4, key=seed.encode()).digest()
    seed = int.from_bytes(code, "little")
    return altered(samples, waveform.sampling_rate, augment, seed, name, what="augment")
