"""What every transformer of audio is: parameters, one utterance, and an engine for many."""

import functools
import os
import warnings
from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions, make_constraint

from skser._base import SequenceTransformerMixin, in_container
from skser._device import resolve_device
from skser.audio import AudioReadError, audio_inputs, printable, read_utterance, utterance_name
from skser.feature_extraction._engine import ExtractionEngine, FrameBuffer
from skser.feature_extraction._to_disk import extract_to
from skser.sequences import Sequences, row_index

# Not part of what is computed, so not part of the setting that an entry is kept by.
_RUNTIME_PARAMETERS = {"n_jobs", "verbose", "on_error", "memory", "input_sampling_rate"}


_A_FEW = 16  # utterances, for which the engine is not worth starting


class UtteranceTooShort(ValueError):
    """An utterance shorter than one analysis window."""


class AudioTransformer(SequenceTransformerMixin, BaseEstimator):
    """Base of transformers from audio, to `Sequences` unless `_collect` says otherwise.

    A subclass gives `_prepare`, which turns the parameters into whatever is the same for
    every utterance, `_extract`, which turns one utterance into frames, and `_layout`. One that
    may compute many utterances at a time, on an accelerator, says so by `_in_batches`, and gives
    `_check_length` and `_extract_batch`.
    """

    _parameter_constraints = {
        "sampling_rate": [Interval(Real, 0, None, closed="neither")],
        "input_sampling_rate": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "on_error": [StrOptions({"raise", "empty"})],
        "memory": [str, os.PathLike, None],
    }

    _in_batches = False
    _empty_result_name = "0 frames"

    @abstractmethod
    def _prepare(self):
        """Check parameters against each other; return what every utterance needs."""

    @abstractmethod
    def _extract(self, samples, prepared):
        """Frames (n_frames, n_columns) float32 of mono float32 `samples`."""

    @abstractmethod
    def _layout(self, prepared):
        """Meaning of the columns, a `Layout`."""

    def _check_length(self, samples, prepared):
        """Raise `UtteranceTooShort` where `_extract_batch` would have nothing to compute."""

    def _extract_batch(self, utterances, prepared):
        """List of what `_extract` gives, for a list of samples."""
        return [self._extract(samples, prepared) for samples in utterances]

    def _read(self, item, index):
        """Mono float32 samples of one element of `audio_inputs`."""
        return read_utterance(item, index, self.input_sampling_rate, self.sampling_rate)

    def _extract_one(self, item, index, prepared, compute=None):
        """Features of an element of `audio_inputs`, or its name and why it cannot be used.

        `compute` is called instead, without arguments, if it is given.
        """
        try:
            if compute is not None:
                return compute()
            return self._extract(self._read(item, index), prepared)
        except AudioReadError as error:
            return error.failures[0]
        except UtteranceTooShort as error:
            return utterance_name(item, index), str(error)
        except Exception as error:
            error.add_note(f"This came of {printable(utterance_name(item, index))}.")
            raise

    def _empty_result(self, prepared):
        """What stands for an utterance that could not be read."""
        return np.empty((0, len(self._layout(prepared).feature_names)), np.float32)

    def _collect(self, results, prepared):
        """Result of `transform` from one array per utterance."""
        layout = self._layout(prepared)
        if isinstance(results, FrameBuffer):
            return results.sequences(layout)
        return Sequences(
            np.concatenate(results), [len(frames) for frames in results], layout=layout
        )

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
        X : list or 1-D array of sources, or DataFrame
            Audio: paths, `skser.audio.Utterance`, `skser.audio.Waveform`, contents of files,
            or 1-D arrays, which need `input_sampling_rate`. A DataFrame has them in its column
            ``audio``, and may have ``start`` and ``end`` in seconds and ``channel``.

        Returns
        -------
        Sequences of shape (n_utterances,), unless the class says otherwise

        Raises
        ------
        AudioReadError
            After all other utterances are done, naming each that could not be used, if
            `on_error` is "raise".
        """
        results, prepared = self._extract_all(X)
        collected = self._collect(results, prepared)
        if isinstance(collected, Sequences):
            if not isinstance(X, list | np.ndarray):
                collected.index = row_index(X)
            return collected
        return in_container(self, collected, X)

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
        return self.fit(X, y).transform(X)

    def transform_to(self, X, output_dir):
        """Write the features of every utterance into a directory, in bounded memory.

        After an interruption of any kind the same call goes on where it was: what is done is
        kept in ``<output_dir>.partial`` until all is done, and no utterance in it is computed
        again. A directory that this call has finished before is opened as it is.

        Parameters
        ----------
        X : list or 1-D array of paths, list or object array of 1-D arrays, or DataFrame
            Audio, as in `transform`. Files must not change until all is done; they are known
            again by their content.
        output_dir : path-like
            Of a `Sequences` that is new, or that an earlier call has written.

        Returns
        -------
        Sequences of shape (n_utterances,)
            Mapped from the directory: ``Sequences.open(output_dir, mmap_mode="r")``.

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
            If `output_dir` exists and was not written by this method.
        OSError
            If the disk is full, say. What is done is kept.
        RuntimeError
            If another process is writing this directory, or workers keep dying.
        """
        self._validate_params()
        items = audio_inputs(X, self.input_sampling_rate)
        prepared = self._prepare()
        layout = self._sequence_layout(prepared)
        return extract_to(output_dir, ExtractionEngine(self, prepared), items, layout, row_index(X))

    def _validate_params(self):
        # Making scikit-learn's constraints takes longer than checking them, and is a good part of
        # one utterance's time; so they are made once, and it is asked to explain what fails.
        parameters = vars(self)
        for name, constraints in _constraints_of(type(self)).items():
            if not any(c.is_satisfied_by(parameters.get(name)) for c in constraints):
                super()._validate_params()
        if parameters.get("device") is not None:
            resolve_device(self.device)

    def _extract_all(self, X, reduce=None, unread=None, unread_name=None):
        """An array per utterance, after all errors are dealt with, and what was prepared.

        `reduce` is that of `ExtractionEngine`; `unread` then stands for an utterance that could
        not be read.
        """
        self._validate_params()
        items = audio_inputs(X, self.input_sampling_rate)
        prepared = self._prepare()
        aided = reduce or self.memory or self.verbose or self._in_batches
        if len(items) <= _A_FEW and not aided and effective_n_jobs(self.n_jobs) == 1:
            results = [self._extract_one(item, i, prepared) for i, item in enumerate(items)]
        else:
            results = ExtractionEngine(self, prepared, reduce).run(items)
        failures = [result for result in results if isinstance(result, tuple)]
        if failures:
            error = AudioReadError(failures, len(items))
            if self.on_error == "raise":
                raise error
            self._warn_of(error, unread_name, stacklevel=4)
            if unread is None:
                unread = self._empty_result(prepared)
            for i, result in enumerate(results):
                if isinstance(result, tuple):
                    results[i] = unread
        return results, prepared

    def _sequence_layout(self, prepared):
        """Layout of the `Sequences` that come out; TypeError if something else does."""
        empty = self._collect([self._empty_result(prepared)], prepared)
        if not isinstance(empty, Sequences):
            raise TypeError(
                f"{type(self).__name__} gives {type(empty).__name__} here, not frame sequences: "
                "use its transform."
            )
        return empty.layout

    def _warn_of(self, error, unread_name=None, stacklevel=3):
        unread_name = unread_name or self._empty_result_name
        warnings.warn(f"{error}. They are left with {unread_name}.", stacklevel=stacklevel)

    def _settings(self):
        """Parameters that matter to the values, as text."""
        return {
            name: repr(_plain(value))
            for name, value in sorted(self.get_params().items())
            if name not in _RUNTIME_PARAMETERS
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


@functools.cache
def _constraints_of(cls):
    named = cls._parameter_constraints.items()
    return {name: [make_constraint(c) for c in constraints] for name, constraints in named}


def _plain(value):
    # 16000, 16000.0 and numpy's 16000 are one setting, and so are a list and a tuple.
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(_plain(part) for part in value)
    return str(value) if isinstance(value, str) else value
