"""What all transformers of audio share: reading, parallel work, errors, cache."""

import os
import warnings
from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _wrap_data_with_container

from skser._base import SequenceTransformerMixin
from skser.audio import AudioReadError, audio_inputs, read_utterance
from skser.feature_extraction._cache import FeatureCache
from skser.sequences import Sequences

# Not part of what is computed, so not part of a cached entry's key.
_HOW_NOT_WHAT = {"n_jobs", "verbose", "on_error", "memory", "input_sampling_rate"}


class AudioTransformer(SequenceTransformerMixin, BaseEstimator):
    """Base of transformers from audio, to `Sequences` unless `_collect` says otherwise.

    A subclass gives `_prepare`, which turns the parameters into whatever is the same for
    every utterance, `_extract`, which turns one utterance into frames, and `_layout`.
    """

    _parameter_constraints = {
        "sampling_rate": [Interval(Real, 0, None, closed="neither")],
        "input_sampling_rate": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "on_error": [StrOptions({"raise", "empty"})],
        "memory": [str, os.PathLike, None],
    }

    @abstractmethod
    def _prepare(self):
        """Check parameters against each other; return what every utterance needs."""

    @abstractmethod
    def _extract(self, samples, prepared):
        """Frames (n_frames, n_columns) float32 of mono float32 `samples`."""

    @abstractmethod
    def _layout(self, prepared):
        """Meaning of the columns, a `Layout`."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X=None, y=None):
        """Check the parameters; nothing is learned from X.

        Parameters
        ----------
        X : ignored
        y : ignored

        Returns
        -------
        self : object
        """
        self._layout(self._prepare())
        return self

    def transform(self, X):
        """Compute the features of every utterance.

        Parameters
        ----------
        X : list or 1-D array of paths, list or object array of 1-D arrays, or DataFrame
            Audio; arrays need `input_sampling_rate`. A DataFrame is taken by its column
            ``audio``.

        Returns
        -------
        Sequences of shape (n_utterances,), unless the class says otherwise

        Raises
        ------
        AudioReadError
            After all other utterances are done, naming each that could not be used, if
            `on_error` is "raise".
        """
        self._validate_params()
        items = audio_inputs(X, self.input_sampling_rate)
        prepared = self._prepare()
        results = self._extract_all(items, prepared)
        failures = [result for result in results if isinstance(result, tuple)]
        if failures:
            error = AudioReadError(failures, len(items))
            if self.on_error == "raise":
                raise error
            warnings.warn(f"{error}. They are left with {self._nothing_said}.", stacklevel=2)
            nothing = self._nothing(prepared)
            results = [nothing if isinstance(result, tuple) else result for result in results]
        collected = self._collect(results, prepared)
        if isinstance(collected, Sequences):
            return collected
        return _wrap_data_with_container("transform", collected, X, self)

    def fit_transform(self, X, y=None):
        """Check the parameters and compute the features of every utterance.

        Parameters
        ----------
        X : list, array or DataFrame
            Audio, as for `transform`.
        y : ignored

        Returns
        -------
        What `transform` returns
        """
        # scikit-learn's own would wrap the result again, and cannot wrap Sequences.
        return self.fit(X, y).transform(X)

    _nothing_said = "0 frames"

    def _nothing(self, prepared):
        """What stands for an utterance that could not be read."""
        return np.empty((0, len(self._layout(prepared).feature_names)), np.float32)

    def _collect(self, results, prepared):
        """The result of `transform` from one array per utterance."""
        return Sequences.from_list(results, self._layout(prepared))

    def _extract_all(self, items, prepared):
        """One array, or (name, reason), per item."""
        cache = None
        if self.memory is not None:
            cache = FeatureCache(self.memory, self._setting())
        results = self._run(range(len(items)), items, prepared, cache, wait=False)
        # What another process was busy with has waited until the end.
        left = [i for i, result in enumerate(results) if result is None]
        if left:
            for i, result in zip(
                left, self._run(left, items, prepared, cache, wait=True), strict=True
            ):
                results[i] = result
        return results

    def _run(self, indices, items, prepared, cache, wait):
        work = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(_extract_one)(self, i, items[i], prepared, cache, wait) for i in indices
        )
        if self.verbose:
            from tqdm.auto import tqdm

            work = tqdm(work, total=len(indices), desc=type(self).__name__, unit="utterance")
        return list(work)

    def _setting(self):
        parameters = self.get_params()
        # 16000, 16000.0 and numpy's 16000 are one setting.
        setting = [
            (name, float(value) if isinstance(value, Real) else value)
            for name, value in sorted(parameters.items())
            if name not in _HOW_NOT_WHAT
        ]
        return f"{type(self).__qualname__} {setting!r}"

    def get_feature_names_out(self, input_features=None):
        """Names of the columns.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        return np.asarray(self._layout(self._prepare()).feature_names, dtype=object)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _extract_one(transformer, index, item, prepared, cache, wait):
    def compute():
        samples = read_utterance(
            item, index, transformer.input_sampling_rate, transformer.sampling_rate
        )
        return transformer._extract(samples, prepared)

    try:
        key = cache and cache.key(item, transformer.input_sampling_rate)
        return compute() if not key else cache.get(key, compute, wait=wait)
    except AudioReadError as error:
        return error.failures[0]
    except UtteranceTooShort as error:
        name = item if isinstance(item, str) else f"utterance {index}"
        return name, str(error)


class UtteranceTooShort(ValueError):
    """An utterance shorter than one analysis window."""
