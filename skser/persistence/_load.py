"""Load saved models without executing anything that is in the file."""

import inspect
import io
import operator
import os
import warnings

from skser.persistence._archive import (
    INFO,
    SCHEMA,
    members_of,
    packed,
    parsed,
    read_archive,
    read_description,
)
from skser.persistence._builder import Builder
from skser.persistence._description import compare, describe, estimators_of, set_requests, versions
from skser.persistence._errors import SavedModelError, naming
from skser.persistence._hub import local_path
from skser.persistence._schema import untrusted_types, with_device


def load(path, *, device=None, trusted=False):
    """Load a model that `save` wrote.

    Without trust, only these types are built: networks, transformers and estimators around them
    of this package, and scikit-learn's scalers, linear models, discriminant analysis,
    calibration, pipelines, votes and stacks. Each array must fit the others, and memory is
    limited by the size of the file. Trees, forests, boosting, support vector machines, nearest
    neighbors, embeddings, functions and everything else need `trusted`.

    The features are compared with those of training: columns, hop, frequencies, sampling rate,
    and what each transformer makes of a test signal. Transformers that need a checkpoint or
    another library (`SpeechEmbedding`, `TextEmbedding`, `OpenSmile`) are compared by name only.

    Parameters
    ----------
    path : path-like
        File to read, or a model on the Hugging Face Hub (extra ``hub``): ``"hf:owner/name"``, a
        file of it such as ``"hf:owner/name/emotions.skser"``, or a tag, branch or commit, as in
        ``"hf:owner/name@v1.0"``. Without a file, its ``model.skser`` is read, or its only
        ``*.skser``. Files of the hub need the same trust as any other.
    device : str or None, default=None
        Torch device of every step that has one, such as "cpu" or "auto"; None takes the saved
        one.
    trusted : bool or list of type or str, default=False
        True builds whatever the file holds. Types, or their full names, are built in addition to
        the types above. Trust a file as you would trust a program of the same author: its arrays
        are not checked.

    Returns
    -------
    estimator
        Predicts on the same machine what the saved one predicted, to the last digit.

    Raises
    ------
    SavedModelError
        If the file is damaged, has another format, holds types that need trust, or takes features
        that this version computes differently. The message names the file.
    FileNotFoundError
        If there is no file at `path`.
    ImportError
        If the model is on the hub, and huggingface_hub is not installed.
    ConnectionError
        If the hub cannot be reached, and the model was not downloaded before.

    Warns
    -----
    UserWarning
        If the model holds parts of scikit-learn and that has another version, or if NumPy, skser
        or (for a network) torch has another major version.

    See Also
    --------
    save : Save a model, with an example.
    read_info : Read the description of a saved model.

    Notes
    -----
    A model from a stranger cannot run code here, but it can predict nonsense.

    Examples
    --------
    >>> import skser
    >>> skser.load("emotions.skser").predict(["my recording.wav"])  # doctest: +SKIP
    >>> skser.load("hf:owner/name").predict(["my recording.wav"])  # doctest: +SKIP
    """
    model, others = read_model(path, device, trusted)
    if others is not None:
        warnings.warn(
            f"{os.fspath(path)} was saved with other versions than those installed, and may "
            f"predict differently or not at all: {others}.",
            stacklevel=2,
        )
    return model


def loads(data):
    """Build a model from the bytes that `dumps` returned, without trust.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    estimator

    Raises
    ------
    SavedModelError
        As `load` raises it.
    """
    return _read(members_of(io.BytesIO(data), len(data)))[0]


def read_model(path, device=None, trusted=False):
    """Return a model and a text that lists versions that differ, or None; see `load`."""
    with naming(path):
        return _read(read_archive(local_path(path)), device, trusted)


def _read(members, device=None, trusted=False):
    info = read_description(members)
    members = with_device(members, device)
    model = _built(members, trusted)
    if not hasattr(model, "get_params"):
        raise SavedModelError("It does not hold an estimator.")
    _add_new_parameters(model)
    set_requests(model)
    compare(info, describe(model))
    return model, _differing(info["versions"], model)


def _built(members, trusted):
    needed = untrusted_types(parsed(members, SCHEMA))
    if needed:
        _require_trust(needed, trusted)
        return _built_by_skops(members)
    try:
        return Builder(members).model()
    except SavedModelError:
        if trusted is not True:
            raise
        return _built_by_skops(members)


def _add_new_parameters(model):
    """Set the parameters of scikit-learn's estimators that the version which saved them lacks."""
    for _, estimator in estimators_of(model):
        if not type(estimator).__module__.startswith("sklearn."):
            continue
        for name, parameter in inspect.signature(type(estimator)).parameters.items():
            if parameter.default is not parameter.empty and not hasattr(estimator, name):
                setattr(estimator, name, parameter.default)


def _require_trust(needed, trusted):
    if trusted is True:
        return
    names = {
        kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__name__}"
        for kind in trusted or ()
    }
    missing = [name for name in needed if name not in names]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise SavedModelError(
            f"It holds {', '.join(missing[:5])}{more}, which load does not build without trust. "
            "If you trust its author as you would trust a program of theirs: "
            "load(path, trusted=True), trusted=[types], or --trust on the command line."
        )


def _built_by_skops(members):
    import skops.io
    from sklearn.exceptions import InconsistentVersionWarning

    data = packed({name: content for name, content in members.items() if name != INFO})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        kinds = skops.io.get_untrusted_types(data=data)
        try:
            return skops.io.loads(data, trusted=kinds)
        except ModuleNotFoundError as error:
            held = [kind for kind in kinds if kind.startswith(f"{error.name}.")]
            if not held:
                raise
            raise SavedModelError(
                f"It holds {held[0]}, but the module {error.name} is missing. Make it "
                "importable: install it, or add its folder to PYTHONPATH."
            ) from error


def read_info(path):
    """Read the description of a saved model without building the model.

    Parameters
    ----------
    path : path-like
        File to read, or a model on the Hugging Face Hub, as in `load`.

    Returns
    -------
    dict
        ``model``, its classes in words; ``format``; ``versions``; ``labels`` or None;
        ``features``, a list of what each transformer gives and each network takes;
        ``training``, one entry per network; ``card``, Markdown or None; ``trust``, the types that
        `load` builds with trust only; ``size`` in bytes.

    Raises
    ------
    SavedModelError
        If the file is damaged or not a saved model.
    FileNotFoundError
        If there is no file at `path`.

    Examples
    --------
    >>> from skser.persistence import read_info
    >>> read_info("emotions.skser")["labels"]  # doctest: +SKIP
    ['anger', 'boredom', 'happiness', 'sadness']
    """
    with naming(path):
        members = read_archive(local_path(path))
        info = read_description(members)
        names = ("model", "format", "versions", "labels", "features", "training", "card")
        return {
            **{name: info.get(name) for name in names},
            "trust": untrusted_types(parsed(members, SCHEMA)),
            "size": sum(map(len, members.values())),
        }


def _differing(saved, model):
    """Return a text that lists versions that differ, None if no difference matters."""
    here = versions()
    pairs = {name: (saved.get(name), here[name]) for name in here}
    modules = [type(estimator).__module__ for _, estimator in estimators_of(model)]
    matters = ["numpy", "skser"]
    if any(module.startswith("skser.neural_network.") for module in modules):
        matters.append("torch")
    others = any(_series(pairs[name][0]) != _series(pairs[name][1]) for name in matters)
    if any(module.startswith("sklearn.") for module in modules):
        # scikit-learn may rename an attribute in any version.
        others |= operator.ne(*pairs["scikit-learn"])
    if not others:
        return None
    return ", ".join(
        f"{name} {then} (here {now})" for name, (then, now) in pairs.items() if then != now
    )


def _series(version):
    """Return the part of a version that changes when something breaks: 2 of 2.13, 0.1 of 0.1.3."""
    numbers = (version or "").split(".")
    return numbers[:2] if numbers[0] == "0" else numbers[:1]
