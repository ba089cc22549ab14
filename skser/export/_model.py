"""Prediction with an exported model, on onnxruntime."""

import copy
import functools
import math
import os
import types

import numpy as np

from skser._nested import estimators_in
from skser.audio import AudioReadError
from skser.export._check import check_model
from skser.export._description import OUTPUTS, unpacked
from skser.export._file import read_sealed
from skser.export._given import source_of
from skser.persistence import SavedModelError, naming

# Largest number of utterances in a run, and of values in its padded input.
_BATCH_SIZE, _BATCH_VALUES = 16, 2**22
# Number of samples or frames that are read before they are sorted by length and computed.
_VALUES_AT_ONCE = 2**23

# Share of an utterance, and number of seconds, from which on it has enough speech.
_LEAST_SPEECH, _ENOUGH_SPEECH = 0.2, 1.0


def load_onnx(path, *, input_sampling_rate=None, n_threads=None):
    """Load a file that `export_onnx` has written, with onnxruntime and without torch.

    The file's digest, operators, attributes and shapes are checked before onnxruntime sees it.

    Parameters
    ----------
    path : path-like
        File to read, the name of a model that comes with the package as an ONNX file, such as
        "emodb-whisper", or a file on the Hugging Face Hub, such as "hf:owner/name/model.onnx".
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
    from skser.persistence import list_pretrained, local_path, path_of

    if path in list_pretrained():
        graph = path_of(path).with_suffix(".onnx")
        if not graph.exists():
            raise ValueError(f"The model {path!r} has no ONNX file; use skser.load_pretrained.")
        path = graph
    path = local_path(path)
    return OnnxModel(path, input_sampling_rate=input_sampling_rate, n_threads=n_threads)


class _Where:
    """Method that only some models have, as by `available_if`, which would import scikit-learn."""

    def __init__(self, condition, method):
        self._condition, self._method = condition, method
        functools.update_wrapper(self, method)

    def __get__(self, model, owner=None):
        if model is None:
            return self._method
        if not self._condition(model):
            raise AttributeError(f"{model!r} has no {self._method.__name__!r}")
        return types.MethodType(self._method, model)


_of_classifiers = functools.partial(_Where, lambda model: hasattr(model, "classes_"))
_of_refusing = functools.partial(_Where, lambda model: model._description["rejection"] is not None)


class OnnxModel:
    """Exported model, as returned by `load_onnx`.

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
        Version, class, labels and inputs. Each input lists its form, its sizes, and the steps
        that are part of the graph (``inside``), computed before it (``outside``), or left to the
        user (``missing``).

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
    >>> loaded.classes_.tolist(), loaded.predict_proba(X).shape
    (['angry', 'calm'], (30, 2))
    """

    def __init__(self, path, *, input_sampling_rate=None, n_threads=None):
        self.path = os.fspath(path)
        self._n_threads = n_threads
        with naming(self.path):
            self._session, self._description = _opened(self.path, n_threads)
            self._inputs = _made(self._description, self.path)
            classes = self._description["classes"]
            if classes is not None:
                self.classes_ = np.array(classes["values"], dtype=classes["dtype"])
        first = self._description["inputs"][0]
        self.input_sampling_rate = input_sampling_rate or first["input_sampling_rate"]
        for given, steps in self._inputs:
            rate = input_sampling_rate or given["input_sampling_rate"]
            given["input_sampling_rate"] = rate
            for part in estimators_in(steps[:1]):
                if rate is not None and hasattr(part, "input_sampling_rate"):
                    part.input_sampling_rate = rate

    def __repr__(self):
        return f"OnnxModel({self.path!r})"

    def __reduce__(self):
        settings = {"input_sampling_rate": self.input_sampling_rate, "n_threads": self._n_threads}
        return functools.partial(OnnxModel, self.path, **settings), ()

    @property
    def sampling_rate(self):
        """Sampling rate in Hz of the graph's features; None if they are outside it."""
        rates = [given["sampling_rate"] for given in self._description["inputs"]]
        return next((rate for rate in rates if rate is not None), None)

    @property
    def description(self):
        """Description in the file, as a dict."""
        content = copy.deepcopy(self._description)
        for given in content["inputs"]:
            del given["archive"]  # bytes, whose steps ``outside`` names
        return content

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
        if not hasattr(self, "classes_"):
            return outputs[:, 0] if self._description["targets"]["one_dimensional"] else outputs
        labels = self.classes_[outputs[:, : len(self.classes_)].argmax(axis=1)]
        rejection = self._description["rejection"]
        if rejection is None:
            return labels
        refused = self._judged(outputs, 0.9)["reasons"] != ""
        if refused.any():
            # A longer text than any class must not be cut off.
            unknown = np.asarray(rejection["unknown_label"])
            labels = labels.astype(np.result_type(labels, unknown.dtype))
            labels[refused] = unknown
        return labels

    @_of_classifiers
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
        return self._outputs(X)[:, : len(self.classes_)]

    @_of_refusing
    def judge(self, X, confidence_level=0.9):
        """Judge each utterance, as an exported `RejectingClassifier` does.

        Parameters
        ----------
        X : list, array, DataFrame or Sequences
            Audio, frame sequences or vectors, as in the notes of the class.
        confidence_level : float, default=0.9
            Share of utterances like the held-out ones whose set of labels holds their class.

        Returns
        -------
        dict of ndarray
            As `skser.compose.RejectingClassifier.judge` returns it.
        """
        if not 0 < confidence_level < 1:
            raise ValueError(f"confidence_level={confidence_level} must be between 0 and 1.")
        return self._judged(self._outputs(X), confidence_level)

    def _judged(self, outputs, confidence_level):
        n_classes, rejection = len(self.classes_), self._description["rejection"]
        probabilities, distances = outputs[:, :n_classes], outputs[:, n_classes]
        scores, best = rejection["conformity_scores"], probabilities.argmax(axis=1)
        rank = math.ceil((len(scores) + 1) * confidence_level)
        limit = np.inf if rank > len(scores) else scores[rank - 1]
        sets = 1 - probabilities <= limit
        sets[np.arange(len(sets)), best] = True
        speech, reasons = np.full(len(outputs), np.nan), np.full(len(outputs), "", "U16")
        reasons[probabilities.max(axis=1) < (rejection["min_confidence"] or 0)] = "unsure"
        if rejection["max_distance"] is not None:
            reasons[~(distances <= rejection["max_distance"])] = "unlike training"
        if outputs.shape[1] > n_classes + 1:
            speech, durations = outputs[:, n_classes + 1 :].T
            enough = np.minimum(_LEAST_SPEECH * durations, _ENOUGH_SPEECH)
            reasons[speech * durations < enough] = "no speech"
        return {
            "probabilities": probabilities,
            "sets": sets,
            "reasons": reasons,
            "distances": distances,
            "speech": speech,
        }

    def _outputs(self, X):
        """Return one float64 row per utterance, in the order of X."""
        if len(self._inputs) > 1 and not hasattr(X, "__len__"):
            X = list(X)  # read once per input
        sources = [source_of(X, *of_input, self.path) for of_input in self._inputs]
        n_utterances = len(sources[0][0])
        failures, outputs, waiting, n_waiting = [], [], [], 0
        for i in range(n_utterances):
            try:
                values = [read(i) for _, read in sources]
            except AudioReadError as error:
                failures += error.failures
            if failures:
                continue  # all that is left to do is to name the others
            waiting.append(values)
            n_waiting += sum(map(len, values))
            if n_waiting >= _VALUES_AT_ONCE or i == n_utterances - 1:
                outputs.append(self._computed(waiting))
                waiting, n_waiting = [], 0
        if failures:
            raise AudioReadError(failures, n_utterances)
        return np.concatenate(outputs)

    def _computed(self, utterances):
        """Return the outputs of utterances, given the values of each input."""
        lengths = np.array([[len(values) for values in of_one] for of_one in utterances])
        of_vectors = [given["form"] == "vectors" for given, _ in self._inputs]
        most = _BATCH_SIZE * 8 if all(of_vectors) else _BATCH_SIZE
        outputs = [None] * len(utterances)
        sizes = [sum(np.size(values) for values in of_one) for of_one in utterances]
        for batch in _batches(sizes, most):
            feeds = {}
            for k, (given, _) in enumerate(self._inputs):
                padded = _padded([utterances[i][k] for i in batch])
                feeds |= dict(zip(given["names"], (padded, lengths[batch, k]), strict=False))
            rows = np.concatenate(self._session.run(None, feeds), axis=1)
            for i, row in zip(batch, rows, strict=True):
                outputs[i] = row
        return np.array(outputs, dtype=np.float64)


def _padded(parts):
    longest = max(len(values) for values in parts)
    padded = np.zeros((len(parts), longest, *parts[0].shape[1:]), np.float32)
    for row, values in zip(padded, parts, strict=True):
        row[: len(values)] = values
    return padded


def _batches(sizes, most):
    """Yield positions of utterances of similar size, a few at a time."""
    batch, order = [], np.argsort(sizes, kind="stable")
    for i in order:
        if batch and (len(batch) == most or (len(batch) + 1) * int(sizes[i]) > _BATCH_VALUES):
            yield np.array(batch)
            batch = []
        batch.append(i)
    yield np.array(batch)


def _opened(path, n_threads):
    """Return the session and the description of a file, after everything in it was checked."""
    import onnxruntime as runtime

    model = read_sealed(path)
    try:
        description, outside = check_model(model, path)
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        reason = _first_line(error).rstrip(".")
        raise SavedModelError(f"{path} is refused: {reason}.") from error
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, and need not be printed as well
    options.intra_op_num_threads = n_threads or 0
    if outside:
        values = [runtime.OrtValue.ortvalue_from_numpy(array) for array in outside.values()]
        options.add_external_initializers(list(outside), values)
    try:
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no other base
        raise SavedModelError(f"{path} is refused by onnxruntime: {_first_line(error)}") from error
    outputs = {value.name: value.shape[-1] for value in session.get_outputs()}
    labels = description["classes"] and description["classes"]["values"]
    main = "probabilities" if labels else "predictions"
    if labels and outputs.get(main, len(labels)) != len(labels):
        raise SavedModelError(
            f"{path} is refused: it names {len(labels)} classes for outputs of [{outputs[main]}]."
        )
    n_more = 0 if description["rejection"] is None else max(len(outputs) - 1, 1)
    wanted = {main: outputs.get(main)} | dict(list(OUTPUTS.items())[:n_more])
    if outputs != wanted or list(outputs) != list(wanted):
        raise SavedModelError(f"{path} is refused: its operators are not what it describes.")
    return session, description


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


def _made(description, path):
    """Return each input's description and the steps before it."""
    try:
        return [
            (dict(given), [] if given["archive"] is None else unpacked(given["archive"]))
            for given in description["inputs"]
        ]
    except ValueError as error:
        raise SavedModelError(f"{path} is refused: {str(error).rstrip('.')}.") from error
