"""Base classes of transformers of audio and of text."""

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
from skser._docstrings import insert_descriptions
from skser._fingerprint import digest
from skser._offset import without_offset
from skser.audio import AudioReadError, audio_inputs, printable, read_utterance, utterance_name
from skser.feature_extraction._engine import ExtractionEngine, FrameBuffer
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.feature_extraction._to_disk import extract_to
from skser.sequences import Sequences, row_index

# These do not change the values, so they are not part of a cache entry's key.
_RUNTIME_PARAMETERS = {"n_jobs", "verbose", "on_error", "memory", "input_sampling_rate"}
_A_FEW = 16  # utterances; up to this many, starting the engine costs more than it saves


class UtteranceTooShort(ValueError):
    """An utterance shorter than one analysis window."""


class StatelessTransformer(SequenceTransformerMixin, BaseEstimator):
    """Base of transformers of audio or text that learn nothing in `fit`.

    A subclass implements `_prepare`, `_layout` and `transform`.
    """

    @abstractmethod
    def _prepare(self):
        """Check the parameters against each other; return what every utterance needs."""

    @abstractmethod
    def _layout(self, prepared):
        """Return the meaning of the columns, a `Layout`."""

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

    def fit_transform(self, X, y=None):
        """Check the parameters and compute the features of every utterance.

        Parameters
        ----------
        X : list, array or DataFrame
            Utterances, as for `transform`.
        y : ignored

        Returns
        -------
        Whatever `transform` returns
        """
        return self.fit(X, y).transform(X)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns.

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


class AudioTransformer(StatelessTransformer):
    """Base of transformers of audio, which return `Sequences` unless they override `_collect`.

    A subclass implements `_prepare`, which turns the parameters into everything that is the same
    for every utterance, `_extract`, which turns one utterance into frames, and `_layout`. A
    subclass that can compute many utterances at a time on an accelerator sets `_in_batches`, and
    implements `_check_length` and `_extract_batch`. A subclass that spends its time in functions
    that release the interpreter's lock sets `_prefer` to "threads".
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
    _prefer = "processes"  # kind of workers, as joblib's `prefer`
    _empty_result_name = "0 frames"

    def __init__(self, sampling_rate, input_sampling_rate, n_jobs, verbose, on_error, memory):
        self.sampling_rate = sampling_rate
        self.input_sampling_rate = input_sampling_rate
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.on_error = on_error
        self.memory = memory

    @abstractmethod
    def _extract(self, samples, prepared):
        """Return the frames, (n_frames, n_columns) float32, of mono float32 `samples`."""

    def _check_length(self, samples, prepared):
        """Raise `UtteranceTooShort` if `_extract_batch` would have nothing to compute."""

    def _extract_batch(self, utterances, prepared):
        """Return the results of `_extract` for a list of utterances, as a list."""
        return [self._extract(samples, prepared) for samples in utterances]

    def _read(self, item, index):
        """Return the mono float32 samples of one element of `audio_inputs`, without an offset."""
        samples = read_utterance(item, index, self.input_sampling_rate, self.sampling_rate)
        return without_offset(samples)

    def _extract_one(self, item, index, prepared, compute=None):
        """Return the features of one element of `audio_inputs`, or its name and the problem.

        If `compute` is given, it is called without arguments in place of reading and extracting.
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
            error.add_note(f"Raised while processing {printable(utterance_name(item, index))}.")
            raise

    def _empty_result(self, prepared):
        """Return the result of an utterance that could not be read."""
        return np.empty((0, len(self._layout(prepared).feature_names)), np.float32)

    def _collect(self, results, prepared):
        """Join one array per utterance into the result of `transform`."""
        layout = self._layout(prepared)
        if isinstance(results, FrameBuffer):
            return results.sequences(layout)
        return Sequences(
            np.concatenate(results), [len(frames) for frames in results], layout=layout
        )

    @insert_descriptions(DESCRIPTIONS)
    def transform(self, X):
        """Compute the features of every utterance.

        A constant offset, that is, a mean of more than 5 % of an utterance's root mean square, is
        subtracted first.

        Parameters
        ----------
        {sources}

        Returns
        -------
        Sequences of shape (n_utterances,), unless the class documents otherwise

        Raises
        ------
        AudioReadError
            If some utterances cannot be used and `on_error` is "raise". The error comes after
            all other utterances are done, and names every unusable one.
        """
        results, prepared = self._extract_all(X)
        collected = self._collect(results, prepared)
        if isinstance(collected, Sequences):
            if not isinstance(X, list | np.ndarray):
                collected.index = row_index(X)
            return collected
        return in_container(self, collected, X)

    def transform_to(self, X, output_dir):
        """Write the features of every utterance into a directory, in bounded memory.

        After any interruption, the same call resumes where it stopped: finished utterances are
        kept in ``<output_dir>.partial`` until all are done, and are not computed again. If an
        earlier call has finished the directory, it is only opened.

        Parameters
        ----------
        X : list or 1-D array of sources, or DataFrame
            Audio, as for `transform`. Files are recognized by their content, so they must not
            change until all utterances are done.
        output_dir : path-like
            Directory of the `Sequences` to write. It must be new, or written by an earlier call.

        Returns
        -------
        Sequences of shape (n_utterances,)
            Frames mapped from the directory: ``Sequences.open(output_dir, mmap_mode="r")``.

        Raises
        ------
        AudioReadError
            As in `transform`. The other utterances are kept. After the bad files are repaired,
            the same call computes these alone; they then come last in the block.
        TypeError
            If this transformer does not return frame sequences.
        ValueError
            If a setting or a finished input has changed since an earlier call.
        FileExistsError
            If `output_dir` exists and was not written by this method.
        OSError
            If the directory cannot be written, for example because the disk is full. Finished
            utterances are kept.
        RuntimeError
            If another process is writing this directory, or worker processes keep dying.
        """
        self._validate_params()
        items = audio_inputs(X, self.input_sampling_rate)
        prepared = self._prepare()
        layout = self._sequence_layout(prepared)
        return extract_to(output_dir, ExtractionEngine(self, prepared), items, layout, row_index(X))

    def _validate_params(self):
        # Building scikit-learn's constraint objects takes longer than checking them, and a good
        # part of one utterance's time. So they are built once per class, and scikit-learn is only
        # called to word the error.
        parameters = vars(self)
        for name, constraints in _constraints_of(type(self)).items():
            if not any(c.is_satisfied_by(parameters.get(name)) for c in constraints):
                super()._validate_params()
        if parameters.get("device") is not None:
            resolve_device(self.device)

    def _extract_all(self, X, reduce=None, unread=None, unread_name=None):
        """Return one array per utterance, and the result of `_prepare`.

        Unusable utterances raise or warn, as `on_error` says. `reduce` is passed on to
        `ExtractionEngine`. `unread` replaces the result of an utterance that could not be read,
        and `unread_name` describes it in the warning.
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
        """Return the layout of the resulting `Sequences`; raise TypeError if they are not."""
        empty = self._collect([self._empty_result(prepared)], prepared)
        if not isinstance(empty, Sequences):
            raise TypeError(
                f"{type(self).__name__} returns {type(empty).__name__} with these parameters, "
                "where frame sequences are needed: call its transform instead, or change them."
            )
        return empty.layout

    def _warn_of(self, error, unread_name=None, stacklevel=3):
        unread_name = unread_name or self._empty_result_name
        warnings.warn(f"{error}. They are left with {unread_name}.", stacklevel=stacklevel)

    def _settings(self):
        """Return the parameters that affect the values, as text."""
        return {
            name: repr(_plain(value))
            for name, value in sorted(self.get_params().items())
            if name not in _RUNTIME_PARAMETERS
        }

    def _setting(self):
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        own = "" if name.startswith("skser.") else digest(type(self))  # the code of a user's class
        return f"{name} {self._settings()!r}{own}"


@functools.cache
def _constraints_of(cls):
    named = cls._parameter_constraints.items()
    return {name: [make_constraint(c) for c in constraints] for name, constraints in named}


def _plain(value):
    # Equal settings must share a key: 16000, 16000.0 and NumPy's 16000; a list and a tuple.
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(_plain(part) for part in value)
    return str(value) if isinstance(value, str) else value
