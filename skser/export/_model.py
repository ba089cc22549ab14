"""Prediction with an exported network, on onnxruntime."""

import functools
import os
import types

import numpy as np

from skser.audio import (
    AudioReadError,
    Utterance,
    audio_inputs,
    read_utterance,
    utterance_name,
)
from skser.export._check import check_graph
from skser.export._description import METADATA, Description
from skser.export._file import parsed, read_sealed
from skser.persistence import SavedModelError, naming

# Largest number of utterances in a run, and of values in its padded input.
_BATCH_SIZE, _BATCH_VALUES = 16, 2**22
# Number of samples that are read before they are sorted by length and computed.
_SAMPLES_AT_ONCE = 2**23


def load_onnx(path, *, input_sampling_rate=None, n_threads=None):
    """Load a file that `export_onnx` has written, with onnxruntime and without torch.

    The file's digest, operators, attributes and shapes are checked before onnxruntime sees it.

    Parameters
    ----------
    path : path-like
        File to read.
    input_sampling_rate : float or None, default=None
        Sampling rate of arrays given to the model, in Hz; None means that of the exported
        transformer.
    n_threads : int or None, default=None
        Number of threads of onnxruntime; None means one per core.

    Returns
    -------
    OnnxModel

    Raises
    ------
    SavedModelError
        If the file is refused. The message names it and the reason.
    OSError
        If the file cannot be read.

    Examples
    --------
    See `export_onnx`. Other files are refused:

    >>> import os, tempfile
    >>> from skser.export import load_onnx
    >>> path = os.path.join(tempfile.mkdtemp(), "other.onnx")
    >>> with open(path, "wb") as file:
    ...     _ = file.write(b"something else")
    >>> load_onnx(path)
    Traceback (most recent call last):
        ...
    skser.persistence...SavedModelError: ...other.onnx is not a model that ...
    """
    return OnnxModel(path, input_sampling_rate=input_sampling_rate, n_threads=n_threads)


def _is_classifier(model):
    return model._description.classes is not None


class _classifiers_only:
    """Method that regressors lack, as by `available_if`, which would import scikit-learn."""

    def __init__(self, method):
        self._method = method
        functools.update_wrapper(self, method)

    def __get__(self, model, owner=None):
        if model is None:
            return self._method
        if not _is_classifier(model):
            raise AttributeError(f"This {owner.__name__} has no {self._method.__name__!r}")
        return types.MethodType(self._method, model)


class OnnxModel:
    """Exported network, as returned by `load_onnx`.

    Parameters
    ----------
    path : path-like
        File to read.
    input_sampling_rate : float or None, default=None
        Sampling rate of arrays given to the model, in Hz; None means that of the exported
        transformer.
    n_threads : int or None, default=None
        Number of threads of onnxruntime; None means one per core.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels. Defined only for classifiers.
    description : dict
        Version, class, form of input, labels, and the steps that are part of the graph
        (``inside``), computed before it (``outside``), or left to the user (``missing``).

    Notes
    -----
    X may be anything that the exported model took: paths, arrays of samples,
    `skser.audio.Waveform` or an utterance table; or frame sequences or vectors if the file holds no
    transformer of audio. `skser.inspection.emotion_timeline` takes the model too. A pickle holds
    the path only. Padding, order and batches change no output beyond rounding (1e-6).

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skser.neural_network import AttentionRNNClassifier
    >>> from skser.export import OnnxModel, export_onnx
    >>> X = np.random.RandomState(0).randn(30, 6)
    >>> model = AttentionRNNClassifier(max_epochs=5, device="cpu", random_state=0)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.onnx")
    >>> export_onnx(model.fit(X, np.where(X[:, 0] > 0, "angry", "calm")), path)
    >>> loaded = OnnxModel(path)
    >>> loaded.classes_.tolist(), loaded.description["form"], loaded.predict_proba(X).shape
    (['angry', 'calm'], 'vectors', (30, 2))
    """

    def __init__(self, path, *, input_sampling_rate=None, n_threads=None):
        self.path = os.fspath(path)
        self._n_threads = n_threads
        with naming(self.path):
            self._session, self._description = _opened(self.path, n_threads)
            self._transformers = _made(self._description, self.path)
            if _is_classifier(self):
                self.classes_ = self._description.labels()
        self.input_sampling_rate = input_sampling_rate or self._description.input_sampling_rate
        if self._transformers:
            _set_rate(self._transformers[0], self.input_sampling_rate)

    def __repr__(self):
        return f"OnnxModel({self.path!r})"

    def __reduce__(self):
        settings = {"input_sampling_rate": self.input_sampling_rate, "n_threads": self._n_threads}
        return functools.partial(OnnxModel, self.path, **settings), ()

    @property
    def sampling_rate(self):
        """Sampling rate in Hz of the graph's features; None if they are outside it."""
        return self._description.sampling_rate

    @property
    def description(self):
        """Description in the file, as a dict."""
        return dict(vars(self._description))

    def predict(self, X):
        """Predict the most probable class, or the targets, of each utterance.

        Parameters
        ----------
        X : list, array, DataFrame or Sequences
            Audio, frame sequences or vectors, as in the notes of the class.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_targets)

        Raises
        ------
        AudioReadError
            If utterances cannot be read. The message names all of them.
        """
        outputs = self._outputs(X)
        if _is_classifier(self):
            return self.classes_[outputs.argmax(axis=1)]
        return outputs[:, 0] if self._description.targets["one_dimensional"] else outputs

    @_classifiers_only
    def predict_proba(self, X):
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : list, array, DataFrame or Sequences
            Audio, frame sequences or vectors, as in the notes of the class.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            In the order of ``classes_``.

        Raises
        ------
        AudioReadError
            If utterances cannot be read. The message names all of them.
        """
        return self._outputs(X)

    def _outputs(self, X):
        """Return one float64 row per utterance, in the order of X."""
        form = self._description.form
        rate = self.input_sampling_rate
        for transformer in self._transformers:
            X = transformer.fit_transform(X)
            rate = getattr(transformer, "sampling_rate", None)
        if form == "waveform":
            return self._of_audio(audio_inputs(X, rate), rate)
        if form == "frames":
            X = self._frames(X)
            return self._of_sequences(X.lengths, lambda i: X[i])
        vectors = self._vectors(X)
        if form == "contours":
            return self._of_sequences(
                np.full(len(vectors), vectors.shape[1]), lambda i: vectors[i, :, None]
            )
        runs = np.array_split(vectors, -(-len(vectors) // 1024))
        return np.concatenate([self._run({"vectors": run}) for run in runs])

    def _of_audio(self, items, rate):
        failures, outputs, waiting, n_waiting = [], [], [], 0
        for i, item in enumerate(items):
            try:
                samples = read_utterance(item, i, rate, self._description.sampling_rate)
            except AudioReadError as error:
                failures += error.failures
                continue
            if len(samples) < self._description.shortest:
                failures.append((utterance_name(item, i), self._too_short(len(samples))))
            if failures:
                continue  # all that is left to do is to name the others
            waiting.append(samples)
            n_waiting += len(samples)
            if n_waiting >= _SAMPLES_AT_ONCE or i == len(items) - 1:
                outputs.append(self._of_waveforms(waiting))
                waiting, n_waiting = [], 0
        if failures:
            raise AudioReadError(failures, len(items))
        return np.concatenate(outputs)

    def _too_short(self, n_samples):
        seconds = self._description.shortest / self._description.sampling_rate
        return (
            f"has {n_samples} samples at {self._description.sampling_rate:g} Hz, less than the "
            f"{self._description.shortest} ({seconds:.3g} s) that the model needs: leave it out"
        )

    def _of_waveforms(self, waveforms):
        lengths = np.array([len(samples) for samples in waveforms])
        return self._of_sequences(lengths, lambda i: waveforms[i], "waveform")

    def _of_sequences(self, lengths, values, name="frames"):
        """Return the outputs of utterances, whose values the function `values` returns."""
        outputs = None
        for indices in _batches(lengths, self._description.n_columns or 1):
            first = values(indices[0])
            padded = np.zeros((len(indices), lengths[indices].max(), *first.shape[1:]), np.float32)
            for row, i in zip(padded, indices, strict=True):
                row[: lengths[i]] = values(i)
            part = self._run({name: padded, "lengths": lengths[indices].astype(np.int64)})
            if outputs is None:
                outputs = np.empty((len(lengths), part.shape[1]))
            outputs[indices] = part
        return outputs

    def _run(self, inputs):
        return self._session.run(None, inputs)[0].astype(np.float64)

    def _frames(self, X):
        from skser._base import check_sequences
        from skser.sequences import as_sequences

        self._refuse_audio(X)
        sequences = as_sequences(X)
        check_sequences(sequences)
        self._check_width(sequences.n_columns)
        return sequences

    def _vectors(self, X):
        from sklearn.utils import check_array

        self._refuse_audio(X)
        vectors = check_array(X, dtype=np.float32)
        self._check_width(vectors.shape[1])
        return vectors

    def _check_width(self, n_columns):
        wanted = self._description.n_columns
        if n_columns != wanted:
            raise ValueError(
                f"X has {n_columns} features, but {self.path} is expecting {wanted} features as "
                "input."
            )

    def _refuse_audio(self, X):
        is_table = "audio" in getattr(X, "columns", ())
        first = None if is_table or not hasattr(X, "__len__") or not len(X) else next(iter(X))
        if not is_table and not isinstance(first, str | os.PathLike | bytes | Utterance):
            return
        form = {"frames": "frame sequences", "vectors": "vectors", "contours": "contours"}
        steps = " and ".join(step["class"] for step in self._description.missing)
        remedy = f" that {steps} gives" if steps else ""
        raise TypeError(
            f"{self.path} takes {form[self._description.form]} of {self._description.n_columns} "
            f"columns{remedy}, not audio: compute them first."
        )


def _opened(path, n_threads):
    """Return the session and the description of a file, after everything in it was checked."""
    import onnxruntime as runtime

    model = read_sealed(path)
    try:
        nodes, constants, inputs, metadata = parsed(model)
        description = Description.from_json(metadata.get(METADATA, "null"))
        if inputs != list(description.inputs()):
            raise ValueError("its operators are not what it describes")
        check_graph(nodes, constants, description.inputs())
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        reason = _first_line(error).rstrip(".")
        raise SavedModelError(f"{path} is refused: {reason}.") from error
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, and need not be printed as well
    options.intra_op_num_threads = n_threads or 0
    try:
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no other base
        raise SavedModelError(f"{path} is refused by onnxruntime: {_first_line(error)}") from error
    outputs = [(value.name, value.shape[-1:]) for value in session.get_outputs()]
    labels = description.classes and description.classes["values"]
    if [name for name, _ in outputs] != ["probabilities" if labels else "predictions"]:
        raise SavedModelError(f"{path} is refused: its operators are not what it describes.")
    if labels and outputs[0][1] != [len(labels)]:
        raise SavedModelError(
            f"{path} is refused: it names {len(labels)} classes for outputs of {outputs[0][1]}."
        )
    return session, description


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


def _made(description, path):
    try:
        return description.transformers()
    except ValueError as error:
        raise SavedModelError(f"{path} is refused: {str(error).rstrip('.')}.") from error


def _set_rate(transformer, rate):
    for name in ("input_sampling_rate", "transformer__input_sampling_rate"):
        if name in transformer.get_params():
            transformer.set_params(**{name: rate})


def _batches(lengths, n_columns):
    """Yield positions of utterances of similar length, a few at a time."""
    batch, order = [], np.argsort(lengths, kind="stable")
    for i in order:
        size = (len(batch) + 1) * int(lengths[i]) * n_columns
        if batch and (len(batch) == _BATCH_SIZE or size > _BATCH_VALUES):
            yield np.array(batch)
            batch = []
        batch.append(i)
    yield np.array(batch)
