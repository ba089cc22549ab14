"""The description of a model that is saved beside it: labels, features, training, versions."""

import platform
from importlib.metadata import PackageNotFoundError, version
from numbers import Real

import numpy as np

import skser
from skser.persistence._allowed import MACHINE_PARAMETERS
from skser.persistence._errors import SavedModelError
from skser.persistence._test_signal import fingerprint, require_same

_SIGNAL = "of_test_signal"
_LIBRARIES = ("numpy", "scikit-learn", "scipy", "skops", "skorch", "torch", "transformers")


def versions():
    """Return the versions of Python, of this package and of the libraries under a model."""
    found = {"python": platform.python_version(), "skser": skser.__version__}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def describe(model):
    """Describe a model in plain values.

    Parameters
    ----------
    model : estimator
        Estimator, fitted or not.

    Returns
    -------
    dict
        ``model``, its classes in words; ``labels`` of a classifier; ``features``, the layout that
        each transformer gives, with its fingerprint, and that each network takes; ``training``,
        one entry per network.
    """
    found = list(estimators_of(model))
    return {
        "model": _in_words(model),
        "labels": _labels(model),
        "features": [entry for where, e in found if (entry := _features(where, e))],
        "training": [entry for where, e in found if (entry := _training(where, e))],
    }


def compare(saved, now):
    """Refuse a model whose labels or features are not those that its file describes.

    Parameters
    ----------
    saved, now : dict
        Descriptions that `describe` returned.

    Raises
    ------
    SavedModelError
        If they differ, with both values of the first difference.
    """
    _require_equal("labels", saved.get("labels"), now["labels"])
    theirs, ours = saved.get("features"), now["features"]
    _require_equal("number of features' steps", _length(theirs), len(ours))
    for i, (then, here) in enumerate(zip(theirs, ours, strict=True)):
        _require_equal(f"features[{i}]: keys", sorted(then), sorted(here))
        for key in [key for key in here if key != _SIGNAL]:
            for part, (a, b) in _parts(then[key], here[key]).items():
                _require_equal(f"features[{i}]: {key}{part}", a, b)
        require_same(then.get(_SIGNAL), here.get(_SIGNAL), here.get("gives"))


def _length(entries):
    return len(entries) if isinstance(entries, list) else entries


def _parts(then, here):
    """Return pairs to compare, those of a layout one by one."""
    if isinstance(then, dict) and isinstance(here, dict):
        return {f": {key}": (then.get(key), here.get(key)) for key in {**here, **then}}
    return {"": (then, here)}


def _require_equal(where, then, here):
    if then != here:
        shown = [text if len(text := repr(value)) <= 60 else f"{text[:57]}..."
                 for value in (then, here)]  # fmt: skip
        raise SavedModelError(
            f"{where} was {shown[0]} when the model was saved and is {shown[1]} here: its "
            "predictions would differ."
        )


def estimators_of(model):
    """Yield the place and the object of every estimator in a model, itself included."""
    yield from _estimators(model, "", set())


def _estimators(thing, where, seen):
    if id(thing) in seen:
        return
    if isinstance(thing, list | tuple | np.ndarray):
        if isinstance(thing, np.ndarray) and thing.dtype != object:
            return
        for i, item in enumerate(np.ravel(thing) if isinstance(thing, np.ndarray) else thing):
            named = isinstance(item, tuple) and len(item) > 1 and isinstance(item[0], str)
            place = _join(where, item[0] if named else str(i))
            yield from _estimators(item[1] if named else item, place, seen)
    elif isinstance(thing, dict):
        for key, item in thing.items():
            yield from _estimators(item, _join(where, str(key)), seen)
    elif hasattr(thing, "get_params") and not isinstance(thing, type):
        seen.add(id(thing))
        yield where or type(thing).__name__, thing
        attributes = vars(thing)
        for name, value in attributes.items():
            # Prefer fitted estimators to the ones that they were cloned from.
            fitted = {f"{name}_", f"named_{name}"} & attributes.keys()
            if not fitted and name not in ("net_", "source"):
                listed = name in ("steps", "named_estimators_", "transformers_")
                inner = where if listed else _join(where, name.rstrip("_"))
                yield from _estimators(value, inner, seen)


def _join(*parts):
    return ".".join(part for part in parts if part)


def _features(where, estimator):
    from skser.feature_extraction import AudioTransformer, Functionals

    name = type(estimator).__name__
    if isinstance(estimator, AudioTransformer | Functionals):
        entry = {"at": where, "gives": name, "sampling_rate": None, "layout": None}
        if "checkpoint" in estimator.get_params(deep=False):
            return entry | {"checkpoint": str(estimator.checkpoint)}
        if isinstance(estimator, Functionals):
            return entry | {_SIGNAL: fingerprint(estimator)}
        if name == "OpenSmile":  # its columns are named by a library that may be missing here
            return entry
        return entry | {
            "layout": _layout(estimator._layout(estimator._prepare())),
            "sampling_rate": _number(estimator.sampling_rate),
            _SIGNAL: fingerprint(estimator),
        }
    layout = vars(estimator).get("_layout")
    if layout is not None and hasattr(estimator, "net_"):
        return {"at": where, "takes": name, "layout": _layout(layout)}
    return None


def _layout(layout):
    if layout is None:
        return None
    frequencies = layout.frequencies
    return {
        "n_columns": len(layout.feature_names),
        "n_channels": int(layout.n_channels),
        "hop": _number(layout.hop),
        "offset": _number(layout.offset),
        "frequencies": None if frequencies is None else [_number(f) for f in frequencies],
        "names": [str(name) for name in layout.feature_names],
    }


def _training(where, estimator):
    history = getattr(estimator, "history_", None)
    if not history or not hasattr(estimator, "net_"):
        return None
    last = history[-1]
    sizes = [batch.get("train_batch_size", 0) for batch in last.get("batches", [])]
    n_utterances = {"utterances": int(sum(sizes))} if sizes else {}  # batches may be left out
    return {
        "at": where,
        "network": type(estimator).__name__,
        "epochs": len(history),
        **n_utterances,
        "last_epoch": {
            key: _number(value)
            for key, value in last.items()
            if isinstance(value, Real) and not isinstance(value, bool) and "batch" not in key
        },
        "parameters": {
            key: _number(value) if type(value) is float else value
            for key, value in estimator.get_params(deep=False).items()
            if key not in MACHINE_PARAMETERS
            and (value is None or isinstance(value, bool | int | str) or type(value) is float)
        },
    }


def _labels(model):
    classes = getattr(model, "classes_", None)
    return None if classes is None else [_plain(label) for label in np.ravel(classes)]


def _plain(label):
    label = label.item() if isinstance(label, np.generic) else label
    if isinstance(label, float):
        return _number(label)
    return label if isinstance(label, bool | int | str) else str(label)


def _number(value):
    """Return a float of nine digits, the same with every version of NumPy."""
    if value is None:
        return None
    value = float(value)
    return float(f"{value:.9g}") if np.isfinite(value) else str(value)


def _in_words(estimator):
    steps = getattr(estimator, "steps", None) or getattr(estimator, "estimators", None)
    inner = [pair[1] for pair in steps] if isinstance(steps, list) else []
    if not inner and hasattr(getattr(estimator, "estimator", None), "get_params"):
        inner = [estimator.estimator]
    name = type(estimator).__name__
    inner = [step for step in inner if hasattr(step, "get_params")]
    return f"{name}({', '.join(map(_in_words, inner))})" if inner else name


def plain_requests(request):
    """Return the metadata that an estimator asks for as a dict, by method."""
    from sklearn.utils._metadata_requests import SIMPLE_METHODS

    return {m: dict(getattr(request, m).requests) for m in SIMPLE_METHODS if hasattr(request, m)}


def set_requests(model):
    """Replace the dicts of `plain_requests` in a model with scikit-learn's objects."""
    from sklearn.utils._metadata_requests import SIMPLE_METHODS, MetadataRequest

    for _, estimator in estimators_of(model):
        requests = vars(estimator).get("_metadata_request")
        if not isinstance(requests, dict):
            continue
        made = MetadataRequest(owner=estimator)
        for method, asked in requests.items():
            if method not in SIMPLE_METHODS:
                raise SavedModelError(f"{method!r} is not a method that takes metadata.")
            for name, alias in asked.items():
                getattr(made, method).add_request(param=name, alias=alias)
        estimator._metadata_request = made
