"""Utterances that are given to an exported model, in any form that it takes."""

import os

import numpy as np

from skser.audio import AudioReadError, Utterance, audio_inputs, read_utterance, utterance_name


def source_of(X, given, steps, path):
    """Return the utterances of an input, and a function that returns the values of one.

    Parameters
    ----------
    X : list, array, `Sequences` or DataFrame
        Utterances, as the exported model took them.
    given : dict
        Description of the input.
    steps : list of transformer
        Steps that are computed before the graph.
    path : str
        Path of the model, for messages.

    Returns
    -------
    utterances : sequence
    read : callable
        Takes a position and returns samples, frames or a vector.

    Raises
    ------
    TypeError
        If audio is given instead of features.
    ValueError
        If features are of another number, or have other names or times, than those of `fit`.
    """
    rate = given["input_sampling_rate"]
    for step in steps:
        X = step.transform(X)
        rate = getattr(step, "sampling_rate", None)
    if given["form"] == "waveform":
        items = audio_inputs(X, rate)
        return items, lambda i: _samples(items[i], i, rate, given)
    _refuse_audio(X, given, path)
    if given["form"] == "frames":
        X, names = _frames(X, given, path), None
    else:
        from sklearn.utils import check_array

        names = getattr(X, "columns", None)
        X = check_array(X, dtype=np.float32)
    n_columns = X.shape[1] if given["form"] == "vectors" else X.n_columns
    if n_columns != given["n_columns"]:
        raise ValueError(
            f"X has {n_columns} features, but {path} is expecting {given['n_columns']} features as "
            "input."
        )
    if names is not None and given["columns"] not in (None, list(names)):
        wanted = given["columns"]
        i = next(i for i, name in enumerate(wanted) if name != names[i])
        raise ValueError(
            f"X has {names[i]!r} in column {i}, where the model in {path} was fitted on "
            f"{wanted[i]!r}. Give the columns in the order of fit."
        )
    return X, X.__getitem__


def _frames(X, given, path):
    """Return X as `Sequences`, whose columns and times must mean what they meant in `fit`."""
    from skser._base import check_sequences
    from skser.sequences import Layout, as_sequences

    X = as_sequences(X)
    check_sequences(X)
    if X.n_columns == given["n_columns"]:
        names, bands = given["columns"], given["frequencies"]
        fitted = Layout.unnamed(X.n_columns)
        if names is not None:
            fitted = Layout(
                tuple(names),
                given["hop"],
                frequencies=None if bands is None else tuple(bands),
                n_channels=1 if bands is None else len(names) // len(bands),
            )
        different = fitted.difference(X.layout)
        if different:
            raise ValueError(
                f"The model in {path} was fitted on {different[0]}, but X has {different[1]}. "
                "Compute X with the transformer, and the parameters, that were used for fit."
            )
    return X


def _refuse_audio(X, given, path):
    is_frame = hasattr(X, "columns")  # it iterates over names of columns
    is_table = is_frame and "audio" in X.columns
    first = None if is_frame or not hasattr(X, "__len__") or not len(X) else next(iter(X))
    if not is_table and not isinstance(first, str | os.PathLike | bytes | Utterance):
        return
    form = {"frames": "frame sequences", "vectors": "vectors"}[given["form"]]
    steps = " and ".join(step["class"] for step in given["missing"])
    remedy = f" that {steps} gives" if steps else ""
    raise TypeError(
        f"{path} takes {form} of {given['n_columns']} columns{remedy}, not audio: "
        "compute them first."
    )


def _samples(item, i, rate, given):
    """Return the samples of an utterance, which must be of a length that the graph takes."""
    samples = read_utterance(item, i, rate, given["sampling_rate"])
    n_samples, longest = len(samples), given["longest"]
    wrong = None
    if n_samples < given["shortest"]:
        wrong, limit, remedy = "less than", given["shortest"], "needs: leave it out"
    elif longest is not None and n_samples > longest:
        wrong, limit, remedy = "more than", longest, "takes at once: give parts of it"
    if wrong is None:
        return samples
    reason = (
        f"has {n_samples} samples at {given['sampling_rate']:g} Hz, {wrong} the {limit} "
        f"({limit / given['sampling_rate']:.3g} s) that the model {remedy}"
    )
    raise AudioReadError([(utterance_name(item, i), reason)], 1)
