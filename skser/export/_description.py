"""Description of an exported network: its input, its outputs, and the steps before it."""

import dataclasses
import importlib
import json
from dataclasses import dataclass
from numbers import Real

import numpy as np

from skser.persistence import check_sizes, fingerprint, require_same

METADATA = "skser"  # entry of an ONNX file's metadata
_FORMAT = 1
FORMS = ("waveform", "frames", "contours", "vectors")

# Transformers that are rebuilt from their parameters, with the module of each.
_REBUILT = {
    "FrameFeatures": "skser.feature_extraction",
    "Functionals": "skser.feature_extraction",
    "LevelContour": "skser.feature_extraction",
    "MFCC": "skser.feature_extraction",
    "MelSpectrogram": "skser.feature_extraction",
    "OpenSmile": "skser.feature_extraction",
    "Spectrogram": "skser.feature_extraction",
    "VoiceActivityTrimmer": "skser.preprocessing",
}
# Parameters that do not change the features.
_LEFT_OUT = {"device", "memory", "n_jobs", "on_error", "verbose"}
_SIGNAL = "of_test_signal"
_DTYPES = {"U": "str", "b": "bool", "f": "float64", "i": "int64", "u": "int64"}


@dataclass(frozen=True)
class Description:
    """Description that is stored with the operators, as JSON.

    Parameters
    ----------
    skser : str
        Version that exported the network.
    estimator : str
        Class of the network.
    form : {"waveform", "frames", "contours", "vectors"}
        Input of the operators: samples; frames (n_frames, n_columns); rows that are one-channel
        sequences of one length; or a vector per utterance.
    n_columns : int or None
        Number of columns of a frame or a row.
    sampling_rate : float or None
        Sampling rate of a waveform, in Hz.
    shortest : int or None
        Smallest number of samples of a waveform.
    input_sampling_rate : float or None
        Sampling rate of arrays that are given instead of files, in Hz.
    classes : dict or None
        ``dtype`` and ``values`` of a classifier's labels.
    targets : dict or None
        ``names`` (or None) of a regressor's targets, and whether y was ``one_dimensional``.
    outside : list of dict
        Steps that this package computes before the operators, with their fingerprints.
    inside : list of dict
        Steps that are part of the operators.
    missing : list of dict
        Steps that the user has to compute.
    """

    skser: str
    estimator: str
    form: str
    n_columns: int | None
    sampling_rate: float | None
    shortest: int | None
    input_sampling_rate: float | None
    classes: dict | None
    targets: dict | None
    outside: list
    inside: list
    missing: list

    def to_json(self):
        """Return the description as text."""
        return json.dumps({"format": _FORMAT, **dataclasses.asdict(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text):
        """Read and check a description.

        Raises
        ------
        ValueError
            If the text is not a valid description.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or not isinstance(content.get("format"), int):
            raise ValueError("its description has no format")
        if content.pop("format") != _FORMAT:
            version = content.get("skser")
            raise ValueError(f"it has the format of another version of skser, {version!r}")
        fields = {field.name: field.type for field in dataclasses.fields(cls)}
        if set(content) != set(fields):
            differing = sorted(set(content) ^ set(fields))
            raise ValueError(f"its description differs in the fields {differing}")
        for name, kind in fields.items():
            value = content[name]
            if not isinstance(value, kind) and not (isinstance(value, int) and kind == _NUMBER):
                raise ValueError(f"its description has {name}={value!r}")
        if content["form"] not in FORMS or (content["classes"] is None) == (
            content["targets"] is None
        ):
            raise ValueError("its description has no known input or no task")
        _check_labels(content["classes"])
        _check_numbers(content)
        targets = content["targets"]
        if targets is not None and not isinstance(targets.get("one_dimensional"), bool):
            raise ValueError(f"its description has invalid targets: {targets!r}")
        for step in content["missing"]:
            if not isinstance(step, dict) or not isinstance(step.get("class"), str):
                raise ValueError(f"its description has an invalid step: {step!r}")
        return cls(**content)

    def inputs(self):
        """Return the shape of each input of the graph, for one utterance of any length, -1."""
        shapes = {
            "waveform": (1, -1),
            "frames": (1, -1, self.n_columns),
            "contours": (1, self.n_columns, 1),
            "vectors": (1, self.n_columns),
        }
        name = "frames" if self.form == "contours" else self.form
        return {name: shapes[self.form]} | ({} if self.form == "vectors" else {"lengths": (1,)})

    def labels(self):
        """Return the labels of the classes as an array."""
        return np.array(self.classes["values"], dtype=self.classes["dtype"])

    def transformers(self):
        """Rebuild and check the transformers to compute before the operators.

        Raises
        ------
        ValueError
            If one is not on the list, asks for too much memory, or gives other features than at
            export.
        """
        return [_outside(step) for step in self.outside]


_NUMBER = float | None
_LARGEST = 2**31


def _check_numbers(content):
    for name in ("n_columns", "sampling_rate", "shortest", "input_sampling_rate"):
        value = content[name]
        if value is not None and not 0 < value <= _LARGEST:
            raise ValueError(f"its description has {name}={value!r}")
    needed = ("sampling_rate", "shortest") if content["form"] == "waveform" else ("n_columns",)
    for name in needed:
        if content[name] is None:
            raise ValueError(f"its description has no {name}")


def _check_labels(classes):
    if classes is None:
        return
    kinds = {"str": str, "object": str, "bool": bool, "float64": float, "int64": int}
    kind, values = kinds.get(classes.get("dtype")), classes.get("values")
    if kind is None or not isinstance(values, list) or any(type(v) is not kind for v in values):
        raise ValueError(f"its description has invalid labels: {classes!r}")


def described_labels(classes):
    """Return `classes_` of a classifier as plain values, for `Description`."""
    kind = _DTYPES.get(classes.dtype.kind)
    if classes.dtype.kind == "O" and all(isinstance(label, str) for label in classes):
        kind = "object"
    if kind is None:
        raise ValueError(
            f"Labels of dtype {classes.dtype} cannot be exported: {classes.tolist()}; fit with "
            "text or numbers."
        )
    return {"dtype": kind, "values": classes.tolist()}


def described(step):
    """Return class and plain parameters of a step, for readers and for rebuilding it."""
    parameters = step.get_params(deep=False) if hasattr(step, "get_params") else {}
    plain = {}
    for name, value in parameters.items():
        if name in _LEFT_OUT:
            continue
        if hasattr(value, "get_params"):
            plain[name] = described(value)
        elif _is_plain(value):
            plain[name] = _plain(value)
    return {"class": type(step).__name__, "parameters": plain}


def described_outside(step):
    """Return class, parameters and fingerprint of a transformer."""
    return {**described(step), _SIGNAL: fingerprint(step)}


def is_rebuilt(step):
    """Return whether a step can be rebuilt from its description, without torch."""
    kind = type(step)
    if kind.__name__ not in _REBUILT or not kind.__module__.startswith("skser."):
        return False
    if getattr(step, "method", None) == "silero":
        return False
    parameters = step.get_params(deep=False)
    return all(
        is_rebuilt(value) if hasattr(value, "get_params") else _is_plain(value)
        for name, value in parameters.items()
        if name not in _LEFT_OUT
    )


def _outside(step):
    if not isinstance(step, dict) or _SIGNAL not in step:
        raise ValueError(f"its description has an invalid step: {step!r}")
    theirs = step[_SIGNAL]
    made = _rebuilt({name: value for name, value in step.items() if name != _SIGNAL})
    require_same(theirs, fingerprint(made), step["class"])
    return made


def _rebuilt(step):
    if not isinstance(step, dict) or set(step) != {"class", "parameters"}:
        raise ValueError(f"its description has an invalid step: {step!r}")
    name, parameters = step["class"], step["parameters"]
    if name not in _REBUILT or not isinstance(parameters, dict):
        raise ValueError(f"its description has the step {name!r}, which cannot be rebuilt")
    kind = getattr(importlib.import_module(_REBUILT[name]), name)
    unknown = sorted(set(parameters) - (set(kind._parameter_constraints) - _LEFT_OUT))
    if unknown:
        raise ValueError(f"its description gives {name} the parameters {unknown}")
    made = {
        key: _rebuilt(value) if isinstance(value, dict) else _as_tuples(value)
        for key, value in parameters.items()
    }
    transformer = kind(**made)
    transformer._validate_params()
    check_sizes(transformer)
    return transformer


def _is_plain(value):
    if isinstance(value, list | tuple | np.ndarray):
        return all(_is_plain(part) for part in value)
    return value is None or isinstance(value, str | Real | np.bool_)


def _plain(value):
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def _as_tuples(value):
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
