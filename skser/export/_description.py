"""Description of an exported model: its inputs, its outputs, and the steps before it."""

import base64
import copy
import json
from numbers import Real

from skser.persistence import SavedModelError

METADATA = "skser"  # entry of an ONNX file's metadata
_FORMAT = 3
# Parameters that do not change the features.
_LEFT_OUT = {"device", "memory", "n_jobs", "on_error", "verbose"}
_LARGEST = 2**31
_MOST_SCORES = 2**20
# What each field holds. A tuple lists alternatives.
_NUMBER = (int, float)
_TOP = {
    "format": int,
    "skser": str,  # version that exported the model
    "estimator": str,  # its class
    "inputs": list,
    "classes": (dict, None),  # dtype and values of a classifier's labels
    "targets": (dict, None),  # names (or None) of a regressor's targets; y was one_dimensional
    "rejection": (dict, None),  # what a classifier refuses by, as `_REJECTION` lists it
    "weights": list,  # location and SHA-256 of each file beside the model
}
_INPUT = {
    "form": str,  # waveform, frames or vectors
    "names": list,  # of the graph's inputs: values, and except for vectors their lengths
    "n_columns": (int, None),  # of a frame or a vector
    "columns": (list, None),  # their names in `fit`, if it was given any
    "hop": (*_NUMBER, None),  # time between the frames of `fit`, in seconds
    "frequencies": (list, None),  # of the bands of each channel, in Hz
    "sampling_rate": (*_NUMBER, None),  # of a waveform, in Hz
    "shortest": (int, None),  # smallest number of samples
    "longest": (int, None),  # largest number of samples; None sets no limit
    "input_sampling_rate": (*_NUMBER, None),  # of arrays that are given instead of files, in Hz
    "outside": list,  # steps that are computed before the graph: class and parameters
    "archive": (str, None),  # these steps as a saved pipeline, in base64
    "inside": list,  # steps that are part of the graph
    "missing": list,  # steps that the user has to compute
}
_REJECTION = {
    "unknown_label": (str, *_NUMBER),  # of refused utterances
    "max_distance": (*_NUMBER, None),  # from the training utterances; None refuses none
    "min_confidence": (*_NUMBER, None),  # the probability of the most probable class
    "conformity_scores": list,  # one minus the probability of the true class, in rising order
}
OUTPUTS = {"distance": 1, "speech": 2}  # of a classifier that refuses, with their columns
_NEEDED = {"waveform": ("sampling_rate", "shortest"), "frames": ("n_columns",)}
_NEEDED["vectors"] = _NEEDED["frames"]
_KINDS = {"str": str, "object": str, "bool": bool, "float64": float, "int64": int}
_DTYPES = {"U": "str", "b": "bool", "f": "float64", "i": "int64", "u": "int64"}


def to_json(description):
    """Return a description as text."""
    return json.dumps({"format": _FORMAT, **description}, ensure_ascii=False)


def from_json(text):
    """Read and check a description.

    Raises
    ------
    ValueError
        If the text is not a valid description.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise ValueError("its description has no format")
    if content["format"] != _FORMAT:
        version = content.get("skser")
        raise ValueError(f"it has the format of another version of skser, {version!r}")
    _check_fields(content, _TOP)
    for given in content["inputs"]:
        _check_input(given)
    if not content["inputs"] or (content["classes"] is None) == (content["targets"] is None):
        raise ValueError("its description has no known input or no task")
    names = [name for given in content["inputs"] for name in given["names"]]
    if len(set(names)) < len(names):
        raise ValueError(f"its description names the inputs {names}")
    _check_labels(content["classes"])
    _check_rejection(content["rejection"])
    targets = content["targets"]
    if targets is not None and not isinstance(targets.get("one_dimensional"), bool):
        raise ValueError(f"its description has invalid targets: {targets!r}")
    del content["format"]
    return content


def _check_fields(content, fields):
    if not isinstance(content, dict) or set(content) != set(fields):
        found = set(content) if isinstance(content, dict) else set()
        raise ValueError(f"its description differs in the fields {sorted(found ^ set(fields))}")
    for name, kinds in fields.items():
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        value = content[name]
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if type(value) not in kinds and not (value is None and None in kinds):
            raise ValueError(f"its description has {name}={value!r}")
        if is_number and name != "unknown_label" and not 0 < value <= _LARGEST:
            raise ValueError(f"its description has {name}={value!r}")


def _check_input(given):
    _check_fields(given, _INPUT)
    form = given["form"]
    if form not in _NEEDED:
        raise ValueError(f"its description has no known input, but {form!r}")
    for name in _NEEDED[form]:
        if given[name] is None:
            raise ValueError(f"its description has no {name}")
    columns = given["columns"]
    if columns is not None and (
        len(columns) != given["n_columns"] or not all(type(name) is str for name in columns)
    ):
        raise ValueError("its description has invalid names of columns")
    bands = given["frequencies"]
    if bands is not None and (
        not bands
        or columns is None
        or len(columns) % len(bands)
        or not all(type(band) in _NUMBER for band in bands)
    ):
        raise ValueError("its description has invalid frequencies")
    names = given["names"]
    if len(names) != 2 - (form == "vectors") or not all(type(name) is str for name in names):
        raise ValueError(f"its description has names={names!r}")
    for step in given["missing"]:
        if not isinstance(step, dict) or not isinstance(step.get("class"), str):
            raise ValueError(f"its description has an invalid step: {step!r}")


def _check_labels(classes):
    if classes is None:
        return
    kind, values = _KINDS.get(classes.get("dtype")), classes.get("values")
    if kind is None or not isinstance(values, list) or any(type(v) is not kind for v in values):
        raise ValueError(f"its description has invalid labels: {classes!r}")


def _check_rejection(rejection):
    if rejection is None:
        return
    _check_fields(rejection, _REJECTION)
    scores = rejection["conformity_scores"]
    if len(scores) > _MOST_SCORES or not all(type(s) in _NUMBER and 0 <= s <= 1 for s in scores):
        raise ValueError("its description has invalid conformity scores")


def described_rejection(model):
    """Return the thresholds of a fitted `RejectingClassifier`."""
    limit, unknown = float(model.max_distance_), model.unknown_label
    return {
        "unknown_label": unknown.item() if hasattr(unknown, "item") else unknown,
        "max_distance": limit if limit < _LARGEST else None,
        "min_confidence": float(model.min_confidence_) or None,
        "conformity_scores": [round(float(score), 7) for score in model.conformity_scores_],
    }


def shapes_of(description):
    """Return the shape of each input of the graph, for one utterance of any length, -1."""
    shapes = {}
    for given in description["inputs"]:
        n_columns = given["n_columns"]
        values = {"waveform": (1, -1), "frames": (1, -1, n_columns), "vectors": (1, n_columns)}
        shapes |= dict(zip(given["names"], (values[given["form"]], (1,)), strict=False))
    return shapes


def described_labels(classes):
    """Return `classes_` of a classifier as plain values."""
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
    """Return class and plain parameters of a step, for readers."""
    parameters = step.get_params(deep=False) if hasattr(step, "get_params") else {}
    plain = {}
    for name, value in parameters.items():
        if hasattr(value, "get_params"):
            plain[name] = described(value)
        elif name not in _LEFT_OUT:
            try:
                plain[name] = json.loads(json.dumps(value))
            except TypeError:
                plain[name] = str(value)
    return {"class": type(step).__name__, "parameters": plain}


def packed(steps):
    """Return steps as a saved pipeline, or None if they need trust, torch or the speakers."""
    from sklearn.pipeline import make_pipeline

    from skser.persistence import dumps, loads

    if not steps or any(_needs_more(step) for step in steps):
        return None
    steps = copy.deepcopy(steps)
    for step in steps:
        names = [name for name in step.get_params() if name.rpartition("__")[2] == "on_error"]
        step.set_params(**dict.fromkeys(names, "raise"))  # no prediction from empty features
    try:
        data = dumps(make_pipeline(*steps))
        loads(data)
    except SavedModelError:
        return None
    return base64.b64encode(data).decode()


def _needs_more(step):
    return getattr(step, "method", None) == "silero" or type(step).__name__ == "SpeakerScaler"


def unpacked(text):
    """Return the steps that `packed` stored.

    Raises
    ------
    ValueError
        If one needs trust, asks for too much memory, or gives other features than at export.
    """
    from skser.persistence import loads

    pipeline = loads(base64.b64decode(text, validate=True))
    steps = [step for _, step in getattr(pipeline, "steps", ())]
    if not steps or not all(hasattr(step, "transform") for step in steps):
        raise ValueError("the steps before its graph are not transformers")
    return steps
