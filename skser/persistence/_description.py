"""What a manifest tells of a model: labels, features, training, versions."""

import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from numbers import Real

import numpy as np

import skser
from skser.persistence._errors import SavedModelError
from skser.persistence._registry import left_out, name_of
from skser.persistence._test_signal import digest, require_same

_SIGNAL = "of_test_signal"
_LIBRARIES = ("numpy", "scikit-learn", "scipy", "skops", "skorch", "torch", "transformers")


def versions():
    """Versions of Python, of this package and of the libraries a model depends on."""
    found = {"python": platform.python_version(), "skser": skser.__version__}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def describe(model):
    """What is told of a model.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    dict
        ``model``, its classes in words; ``labels``, those of a classifier; ``features``, what
        each transformer gives, also of a test signal, and each network takes; ``training``, one
        entry per network.
    """
    found = list(_estimators(model, "", set()))
    return {
        "model": _in_words(model),
        "labels": _labels(model),
        "features": [entry for where, e in found if (entry := _features(where, e))],
        "training": [entry for where, e in found if (entry := _training(where, e))],
    }


def compare(saved, now):
    """Refuse a model whose features or labels are no longer what the file says of them.

    Features are compared by their layout, and by what they are of a test signal.

    Raises
    ------
    SavedModelError
        Naming the first difference: what the file says, and what there is.
    """
    for part in ("labels", "features"):
        difference = _difference(saved.get(part), now[part], part)
        if difference is not None:
            where, theirs, ours = difference
            raise SavedModelError(
                f"{where} was {_short(theirs)} when the model was saved and would be "
                f"{_short(ours)} here: its predictions would not be the same."
            )
    for theirs, ours in zip(saved["features"], now["features"], strict=True):
        require_same(theirs.get(_SIGNAL), ours.get(_SIGNAL), ours.get("gives"))


def _difference(theirs, ours, where):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        keys = dict.fromkeys([*ours, *theirs])
        keys.pop(_SIGNAL, None)  # its numbers are compared less narrowly
        for key in keys:
            found = _difference(theirs.get(key), ours.get(key), f"{where}: {key}")
            if found is not None:
                return found
        return None
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for i, pair in enumerate(zip(theirs, ours, strict=True)):
            found = _difference(*pair, f"{where}[{i}]")
            if found is not None:
                return found
        return None
    numbers = type(theirs) in (int, float) and type(ours) in (int, float)
    # Other versions of NumPy may round the last digit of a frequency otherwise.
    same = np.isclose(theirs, ours, rtol=1e-9, atol=0) if numbers else theirs == ours
    return None if same else (where, theirs, ours)


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _estimators(thing, where, seen):
    """Every estimator inside of another, with its place."""
    if id(thing) in seen:
        return
    if isinstance(thing, list | tuple | np.ndarray):
        if isinstance(thing, np.ndarray) and thing.dtype != object:
            return
        for i, item in enumerate(np.ravel(thing) if isinstance(thing, np.ndarray) else thing):
            named = isinstance(item, tuple) and len(item) > 1 and isinstance(item[0], str)
            yield from _estimators(
                item[1] if named else item, _join(where, item[0] if named else str(i)), seen
            )
    elif isinstance(thing, dict):
        for key, item in thing.items():
            yield from _estimators(item, _join(where, str(key)), seen)
    elif hasattr(thing, "get_params") and not isinstance(thing, type):
        seen.add(id(thing))
        yield where or type(thing).__name__, thing
        attributes = vars(thing)
        for name, value in attributes.items():
            # What was fitted, rather than what it was cloned from, or started from.
            fitted = {f"{name}_", f"named_{name}"} & attributes.keys()
            if not fitted and name != "source":
                listed = name in ("steps", "named_estimators_", "transformers_")
                inner = where if listed else _join(where, name.rstrip("_"))
                yield from _estimators(value, inner, seen)


def _join(*parts):
    return ".".join(part for part in parts if part)


def _features(where, estimator):
    from skser.feature_extraction import AudioTransformer

    name = type(estimator).__name__
    if isinstance(estimator, AudioTransformer):
        entry = {"at": where, "gives": name, "sampling_rate": None, "layout": None}
        parameters = estimator.get_params(deep=False)
        if "checkpoint" in parameters:  # what it gives is in a file of its own
            entry["checkpoint"] = str(parameters["checkpoint"])
        elif name != "OpenSmile":  # whose names are in a library that may not be here
            entry["layout"] = _layout(estimator._layout(estimator._prepare()))
            entry["sampling_rate"] = float(estimator.sampling_rate)
            entry[_SIGNAL] = digest(estimator)
        return entry
    if name_of(estimator) == "skser.feature_extraction.Functionals":
        entry = {"at": where, "gives": name, "sampling_rate": None, "layout": None}
        return {**entry, _SIGNAL: digest(estimator)}
    layout = vars(estimator).get("_layout")
    if layout is not None and hasattr(estimator, "net_"):
        return {"at": where, "takes": name, "layout": _layout(layout)}
    return None


def _layout(layout):
    if layout is None:
        return None
    facts = asdict(layout)
    names = [str(name) for name in facts["feature_names"]]
    frequencies = facts["frequencies"]
    return {
        "n_columns": len(names),
        "n_channels": int(facts["n_channels"]),
        "hop": _number(facts["hop"]),
        "offset": _number(facts["offset"]),
        "frequencies": None if frequencies is None else [float(f) for f in frequencies],
        "names": names,
    }


def _training(where, estimator):
    history = getattr(estimator, "history_", None)
    if not history or not hasattr(estimator, "net_"):
        return None
    last = history[-1]
    sizes = [batch.get("train_batch_size", 0) for batch in last.get("batches", [])]
    away = left_out(name_of(estimator) or "")
    return {
        "at": where,
        "network": type(estimator).__name__,
        "epochs": len(history),
        "utterances": int(sum(sizes)),
        "last_epoch": {
            key: _number(value)
            for key, value in last.items()
            if isinstance(value, Real) and not isinstance(value, bool) and "batch" not in key
        },
        "parameters": {
            key: _number(value) if type(value) is float else value
            for key, value in estimator.get_params(deep=False).items()
            if key not in away
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
    if value is None:
        return None
    value = float(value)
    return value if np.isfinite(value) else str(value)


def _in_words(estimator):
    steps = getattr(estimator, "steps", None) or getattr(estimator, "estimators", None)
    inner = [pair[1] for pair in steps] if isinstance(steps, list) else []
    if not inner and hasattr(getattr(estimator, "estimator", None), "get_params"):
        inner = [estimator.estimator]
    name = type(estimator).__name__
    inner = [step for step in inner if hasattr(step, "get_params")]
    return f"{name}({', '.join(map(_in_words, inner))})" if inner else name
