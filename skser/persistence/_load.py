"""Load a saved model, and execute nothing that is in it."""

import os
import warnings

from skser.persistence._archive import ARRAYS, CARD, MODEL, PARTS, read_archive, read_json
from skser.persistence._decoding import Decoder
from skser.persistence._description import compare, describe, versions
from skser.persistence._errors import SavedModelError


def load(path, *, device=None):
    """Load a model that `save` wrote.

    Everything is checked before anything is built: the members are those of the manifest, of
    the size and SHA-256 that it says; classes are those of a list; the arrays fit the
    parameters; and the features are still what they were. Nothing in the file is executed.

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
        If it contains estimators of another version of scikit-learn.

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
    with _named(path):
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
    if parts:
        _warn_of_other_version(path, manifest, parts)
    return model


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
    with _named(path):
        manifest, members = read_archive(path)
        card = members.get(CARD)
        info = {
            name: manifest.get(name)
            for name in ("model", "format", "versions", "labels", "features", "training")
        }
        info["card"] = None if card is None else card.decode()
        info["size"] = sum(map(len, members.values()))
        return info


class _named:
    """Whatever goes wrong with a file is an error that names it."""

    def __init__(self, path):
        self._path = os.fspath(path)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is None or not isinstance(error, Exception):
            return
        # A library that is not installed, and a file that cannot be opened, name themselves.
        if isinstance(error, ImportError | OSError):
            return
        reason = str(error) if isinstance(error, SavedModelError) else _in_short(error)
        raise SavedModelError(f"{self._path} cannot be loaded. {reason}") from error


def _in_short(error):
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return f"Its content makes no model ({type(error).__name__}: {first})."


def _arrays(data):
    if data is None:
        return {}
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_arrays

    try:
        return load_arrays(data)
    except SafetensorError as error:
        raise SavedModelError(f"{ARRAYS} is not readable ({error}).") from error


def _warn_of_other_version(path, manifest, parts):
    saved, here = manifest["versions"].get("scikit-learn"), versions()["scikit-learn"]
    if saved != here:
        names = ", ".join(sorted({type(part).__name__ for part in parts}))
        warnings.warn(
            f"{os.fspath(path)} was saved with scikit-learn {saved}, and this is {here}: its "
            f"{names} may predict otherwise, or not at all.",
            stacklevel=3,
        )
