"""Load a saved model, and execute nothing that is in it."""

import operator
import os
import warnings

from skser.persistence._archive import ARRAYS, CARD, MODEL, PARTS, read_archive, read_json
from skser.persistence._decoding import Decoder
from skser.persistence._description import compare, describe, versions
from skser.persistence._errors import SavedModelError, naming


def load(path, *, device=None):
    """Load a model that `save` wrote.

    Nothing in the file is executed. Before anything is built, the members must be those of the
    manifest, of the size and SHA-256 that it says, and scikit-learn's parts hold listed types
    alone. While the model is built, every class is looked up in a list, and weights must fit the
    parameters before memory is taken. At last the features are compared with those of training:
    columns, hop, frequencies, rate, and the numbers that each transformer makes of a test signal.
    Transformers that need a checkpoint or a library of others (`SpeechEmbedding`,
    `TextEmbedding`, `OpenSmile`, Silero's `VoiceActivityTrimmer`) are not tried on one.

    Parameters
    ----------
    path : path-like
        File or folder.
    device : str or None, default=None
        Torch device for every step that has one, such as "cpu" or "auto"; None takes what was
        saved.

    Returns
    -------
    estimator
        Predicts on the same machine what the saved one predicted, to the last digit.

    Raises
    ------
    SavedModelError
        Naming the file and what is wrong: damaged, of another format, of a type that is not on
        the list, or of features that this version computes otherwise.
    FileNotFoundError
        If there is nothing at `path`.

    Warns
    -----
    UserWarning
        Once, of all versions that differ: if anything of scikit-learn's is in it, and that is of
        another version; or if NumPy, skser or, of a network, torch is of another major one.

    See Also
    --------
    save : Save a model, with an example.
    read_info : What the file says of the model.

    Notes
    -----
    The digests show damage, not who wrote a file. A model from a stranger cannot run code
    here, but it can predict nonsense.

    Examples
    --------
    >>> import skser
    >>> skser.load("emotions.skser").predict(["my recording.wav"])  # doctest: +SKIP
    """
    model, others = read_model(path, device)
    if others is not None:
        warnings.warn(
            f"{os.fspath(path)} was saved with other versions than there are here, and may predict "
            f"otherwise, or not at all: {others}.",
            stacklevel=2,
        )
    return model


def read_model(path, device=None):
    """A model, and what to say of versions that differ, or None; see `load`."""
    with naming(path):
        manifest, members = read_archive(path)
        tree = read_json(members[MODEL], MODEL)
        arrays = _arrays(members.get(ARRAYS))
        parts = []
        if PARTS in members:
            from skser.persistence._sklearn_parts import load_parts

            parts = load_parts(members[PARTS])
        decoder = Decoder(arrays, parts, device)
        model = decoder.decode(tree)
        if not hasattr(model, "get_params"):
            raise SavedModelError("It holds no estimator.")
        compare(manifest, describe(model))
    return model, _differing(manifest["versions"], decoder.names, bool(parts))


def read_info(path):
    """Read what a saved model says of itself, without building the model.

    Parameters
    ----------
    path : path-like
        File or folder.

    Returns
    -------
    dict
        ``model``, its classes in words; ``format``; ``versions``; ``labels`` or None;
        ``features``, a list of what each transformer gives and each network takes;
        ``training``, one entry per network; ``card``, Markdown or None; ``size`` in bytes.

    Raises
    ------
    SavedModelError
        If the file is damaged or no saved model.
    FileNotFoundError
        If there is nothing at `path`.

    Examples
    --------
    >>> from skser.persistence import read_info
    >>> read_info("emotions.skser")["labels"]  # doctest: +SKIP
    ['anger', 'boredom', 'happiness', 'sadness']
    """
    with naming(path):
        manifest, members = read_archive(path)
        card = members.get(CARD)
        info = {
            name: manifest.get(name)
            for name in ("model", "format", "versions", "labels", "features", "training")
        }
        info["card"] = None if card is None else card.decode()
        info["size"] = sum(map(len, members.values()))
        return info


def _arrays(data):
    if data is None:
        return {}
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_arrays

    try:
        return load_arrays(data)
    except SafetensorError as error:
        raise SavedModelError(f"{ARRAYS} is not readable ({error}).") from error


def _differing(saved, names, has_parts):
    """What to say of versions that differ, None if nothing that matters does.

    Parameters
    ----------
    saved : dict
        From the manifest.
    names : collection of str
        Classes of the model.
    has_parts : bool
        Whether there are parts of skops.
    """
    here = versions()
    pairs = {name: (saved.get(name), here[name]) for name in here}
    matters = ["numpy", "skser"]
    if any(name.startswith("skser.neural_network.") for name in names):
        matters.append("torch")
    others = any(_series(pairs[name][0]) != _series(pairs[name][1]) for name in matters)
    if has_parts or any(name.startswith("sklearn.") for name in names):
        # Attributes of its estimators are its own affair, in any version.
        others |= operator.ne(*pairs["scikit-learn"])
    if not others:
        return None
    return ", ".join(
        f"{name} {then} (here {now})" for name, (then, now) in pairs.items() if then != now
    )


def _series(version):
    """The part of a version that changes when something breaks: 2 of 2.13.0, 0.1 of 0.1.3."""
    numbers = (version or "").split(".")
    return numbers[:2] if numbers[0] == "0" else numbers[:1]
