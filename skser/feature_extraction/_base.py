"""What all transformers of audio share: reading, parallel work, errors, cache."""

import os
import warnings
from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils._set_output import _wrap_data_with_container

from skser._base import SequenceTransformerMixin
from skser.audio import AudioReadError, audio_inputs, printable, read_utterance, utterance_name
from skser.feature_extraction._cache import FeatureCache
from skser.feature_extraction._frame_buffer import FrameBuffer
from skser.feature_extraction._parallel import WorkersLost, in_order, n_workers
from skser.feature_extraction._to_disk import extract_to
from skser.sequences import Sequences

# Not part of what is computed, so not part of a cached entry's key.
_HOW_NOT_WHAT = {"n_jobs", "verbose", "on_error", "memory", "input_sampling_rate"}
# One task of parallel work is a run of utterances, of so many, or so many bytes, at most.
_RUN_UTTERANCES = 64
_RUN_BYTES = 2**22
_VALID, _MOST_VALID = set(), 1000  # settings found to be so


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
        results, prepared = self._results(X)
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

    def _validate_params(self):
        # Once per setting: at every call the checks would be a good part of one utterance's time.
        setting = type(self), repr(vars(self))
        if setting in _VALID:
            return
        super()._validate_params()
        if len(_VALID) >= _MOST_VALID:
            _VALID.clear()
        _VALID.add(setting)

    def _results(self, X, reduce=None, nothing=None, nothing_said=None):
        """An array per utterance, after all errors are dealt with, and what was prepared.

        `reduce` takes the frames of some utterances, a list, and gives an array for each, where
        they are computed; `nothing` then stands for an utterance that could not be read.
        """
        self._validate_params()
        items = audio_inputs(X, self.input_sampling_rate)
        prepared = self._prepare()
        results = self._extract_all(items, prepared, reduce)
        failures = [result for result in results if isinstance(result, tuple)]
        if failures:
            error = AudioReadError(failures, len(items))
            if self.on_error == "raise":
                raise error
            self._warn_of(error, nothing_said, stacklevel=4)
            if nothing is None:
                nothing = self._nothing(prepared)
            for i, result in enumerate(results):
                if isinstance(result, tuple):
                    results[i] = nothing
        return results, prepared

    def transform_to(self, X, directory):
        """Write the features of every utterance into a directory, in bounded memory.

        After an interruption of any kind the same call goes on where it was: what is done is
        kept in ``<directory>.partial`` until all is done, and no utterance in it is computed
        again. A directory that this call has finished before is opened as it is.

        Parameters
        ----------
        X : list or 1-D array of paths, list or object array of 1-D arrays, or DataFrame
            Audio, as in `transform`. Files must not change until all is done; they are known
            again by path, size and time of change.
        directory : path-like
            Of a `Sequences` that is new, or that an earlier call has written.

        Returns
        -------
        Sequences of shape (n_utterances,)
            Mapped from the directory: ``Sequences.open(directory, mmap_mode="r")``.

        Raises
        ------
        AudioReadError
            As in `transform`. The others are kept, and after the bad ones are mended the same
            call computes these alone; they then come last in the block.
        TypeError
            If this transformer does not give frame sequences.
        ValueError
            If a setting, or an input that is done, is no longer what it was.
        FileExistsError
            If `directory` exists and was not written by this method.
        OSError
            If the disk is full, say. What is done is kept.
        RuntimeError
            If another process is writing this directory, or workers keep dying.
        """
        self._validate_params()
        items = audio_inputs(X, self.input_sampling_rate)
        prepared = self._prepare()
        layout = self._sequence_layout(prepared)
        return extract_to(directory, self, items, prepared, layout)

    def _sequence_layout(self, prepared):
        """Layout of the `Sequences` that come out; TypeError if something else does."""
        nothing = self._collect([self._nothing(prepared)], prepared)
        if not isinstance(nothing, Sequences):
            raise TypeError(
                f"{type(self).__name__} gives {type(nothing).__name__} here, not frame sequences: "
                "use its transform."
            )
        return nothing.layout

    def _warn_of(self, error, nothing_said=None, stacklevel=3):
        nothing_said = nothing_said or self._nothing_said
        warnings.warn(f"{error}. They are left with {nothing_said}.", stacklevel=stacklevel)

    _nothing_said = "0 frames"

    def _nothing(self, prepared):
        """What stands for an utterance that could not be read."""
        return np.empty((0, len(self._layout(prepared).feature_names)), np.float32)

    def _collect(self, results, prepared):
        """The result of `transform` from one array per utterance."""
        layout = self._layout(prepared)
        if isinstance(results, FrameBuffer):
            return results.sequences(layout)
        return Sequences.from_list(results, layout)

    def _extract_all(self, items, prepared, reduce=None):
        """One array, or (name, reason), per item."""
        cache = self._cache()
        results = FrameBuffer()
        for result in self._run(range(len(items)), items, prepared, cache, False, reduce):
            results.append(result)
        # What another process was busy with has waited until the end.
        left = [i for i, result in enumerate(results) if result is None]
        late = self._run(left, items, prepared, cache, True, reduce) if left else ()
        for i, result in zip(left, late, strict=True):
            results[i] = result
        return results

    def _cache(self):
        return None if self.memory is None else FeatureCache(self.memory, self._setting())

    def _run(self, indices, items, prepared, cache, wait, reduce=None):
        """Yield what `_extract_one`, or then `reduce`, gives for each index, in order.

        Arrays are the reader's until the next one is asked for.
        """
        runs = _runs(indices, items, n_workers(self.n_jobs), together=reduce is not None)
        work = in_order(
            _extract_run,
            [(self, run, [items[i] for i in run], prepared, cache, wait, reduce) for run in runs],
            self.n_jobs,
        )
        results = (result for results in work for result in results)
        if self.verbose:
            from tqdm.auto import tqdm

            results = tqdm(results, total=len(indices), desc=type(self).__name__, unit="utterance")
        try:
            yield from results
        except WorkersLost as lost:
            i = runs[lost.task][0]
            name = printable(utterance_name(items[i], i))
            raise RuntimeError(
                f"Worker processes died again and again at, or soon after, {name}: "
                "short of memory, or over a file that crashes its reader?"
            ) from lost

    def _extract_kept(self, read, prepared, cache, key, wait):
        """What `_extract` gives for what `read` gives, by way of the cache if there is a key."""

        def compute():
            return self._extract(read(), prepared)

        return compute() if not key else cache.get(key, compute, wait=wait)

    def _settings(self):
        """Parameters that matter to the values."""
        return {
            name: repr(_plain(value))
            for name, value in sorted(self.get_params().items())
            if name not in _HOW_NOT_WHAT
        }

    def _setting(self):
        return f"{type(self).__module__}.{type(self).__qualname__} {self._settings()!r}"

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


def _plain(value):
    # 16000, 16000.0 and numpy's 16000 are one setting, and so are a list and a tuple.
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(_plain(part) for part in value)
    return str(value) if isinstance(value, str) else value


def _runs(indices, items, n_workers, together):
    """Cut into runs, short enough that every worker gets several.

    One process alone takes utterances one by one, unless working on them `together` pays.
    """
    share = len(indices) // (4 * n_workers)
    alone = n_workers == 1 and not together
    n_utterances = 1 if alone else max(1, min(_RUN_UTTERANCES, share))
    runs, total = [], np.inf
    for i in indices:
        size = _n_bytes(items[i])
        if total + size > _RUN_BYTES or len(runs[-1]) == n_utterances:
            runs.append([])
            total = 0
        runs[-1].append(i)
        total += size
    return runs


def _n_bytes(item):
    if not isinstance(item, str):
        return getattr(item, "nbytes", 0)
    try:
        return os.path.getsize(item)
    except (OSError, ValueError):  # a name that no file can have
        return 0


def _extract_run(transformer, indices, items, prepared, cache, wait, reduce=None):
    """What one task does."""
    results = [
        _extract_one(transformer, i, item, prepared, cache, wait)
        for i, item in zip(indices, items, strict=True)
    ]
    done = [i for i, result in enumerate(results) if isinstance(result, np.ndarray)]
    if reduce is not None and done:
        for i, reduced in zip(done, reduce([results[i] for i in done]), strict=True):
            results[i] = reduced
    return results


def _extract_one(transformer, index, item, prepared, cache, wait):
    def read():
        rates = transformer.input_sampling_rate, transformer.sampling_rate
        return read_utterance(item, index, *rates)

    try:
        key = cache and cache.key(item, transformer.input_sampling_rate)
        return transformer._extract_kept(read, prepared, cache, key, wait)
    except AudioReadError as error:
        return error.failures[0]
    except UtteranceTooShort as error:
        return utterance_name(item, index), str(error)
    except Exception as error:
        error.add_note(f"This came of {printable(utterance_name(item, index))}.")
        raise


class UtteranceTooShort(ValueError):
    """An utterance shorter than one analysis window."""
