"""Predictions for audio files, as rows for people and for programs."""

from rich.progress import track

from skser.audio import AudioReadError, printable
from skser.inspection import WindowOutputs

_AT_ONCE = 16  # number of files per batch, and per step of the progress bar


def predicted_rows(model, files, windows=None, console=None):
    """Predict audio files; a file that fails does not affect the others.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
        Model to predict with.
    files : list of (str, str or Utterance)
        Name to print, and path or part of a file. A name may occur twice.
    windows : (float, float) or None, default=None
        Length and hop of the windows of a timeline, in seconds; None predicts whole files.
    console : rich.console.Console or None, default=None
        Terminal that shows the progress; None shows none.

    Returns
    -------
    rows : list of dict
        Prediction for each file, or for each window of it. The keys are ``file``, for windows
        ``start`` and ``end`` in seconds, and either ``emotion``, with ``probabilities`` if the
        model computes them, or the outputs of a regressor.
    failures : list of (str, str)
        Name of each file without a row, and the reason on one line.

    Raises
    ------
    ValueError
        If `windows` is given and the model has no probabilities.
    """
    if windows is not None and not hasattr(model, "predict_proba"):
        raise ValueError(
            "A timeline needs probabilities, but this model has no predict_proba. Leave out "
            "--timeline, or choose another --model."
        )
    # The windows of a single file already fill batches.
    size = _AT_ONCE if windows is None else 1
    batches = [files[i : i + size] for i in range(0, len(files), size)]
    silent = console is None or not console.is_terminal or len(batches) == 1
    rows, failures = [], []
    for batch in track(batches, "predicting", console=console, transient=True, disable=silent):
        found, failed = _attempted(model, batch, windows)
        rows += found
        failures += failed
    return rows, failures


def _attempted(model, batch, windows):
    """Return rows and failures of a batch; if it fails as a whole, predict file by file."""
    try:
        return _rows(model, batch, windows), []
    except (OSError, RuntimeError, ValueError) as error:
        if len(batch) == 1:
            ((name, path),) = batch
            return [], [(name, _reason(error, path))]
    parts = [_attempted(model, [file], windows) for file in batch]
    return [row for rows, _ in parts for row in rows], [
        one for _, failed in parts for one in failed
    ]


def _reason(error, path):
    """Return the message of an error on one line, without the path, which is printed before."""
    reason = str(error) or type(error).__name__
    path = getattr(path, "source", path)
    if isinstance(error, AudioReadError):
        # A window is named after its file, and an array from a file is named "utterance 0".
        places = [
            (name.removeprefix(path).lstrip(", ").removeprefix("utterance 0").strip(), reason)
            for name, reason in error.failures
        ]
        reason = "; ".join(": ".join(filter(None, place)) for place in places)
    return printable(" ".join(reason.split()))


def _rows(model, batch, windows):
    """Return the rows of a batch."""
    paths = [path for _, path in batch]
    if windows is not None:
        outputs = WindowOutputs(model, None)
        return [
            {"file": name, "start": start, "end": end} | scored(model.classes_, scores)
            for name, path in batch
            for bounds, values in outputs.timeline(path, *windows)
            for (start, end), scores in zip(bounds.tolist(), values, strict=True)
        ]
    if hasattr(model, "predict_proba"):
        found = [scored(model.classes_, scores) for scores in model.predict_proba(paths)]
    elif _is_classifier(model):
        found = [{"emotion": str(label)} for label in model.predict(paths)]
    else:
        values = model.predict(paths).reshape(len(paths), -1).tolist()
        found = [{f"output {i}": v for i, v in enumerate(row)} for row in values]
    return [{"file": name} | row for (name, _), row in zip(batch, found, strict=True)]


def _is_classifier(model):
    tags = getattr(model, "__sklearn_tags__", None)  # an OnnxModel has none
    return tags is not None and tags().estimator_type == "classifier"


def scored(classes, scores):
    """Return the most probable class, and the probability of each class."""
    shares = dict(zip(map(str, classes), map(float, scores), strict=True))
    return {"emotion": max(shares, key=shares.get), "probabilities": shares}


def in_words(row):
    """Return a row as one line of text, with the three most probable emotions."""
    words = [printable(row["file"])]
    if "start" in row:
        words.append(f"{row['start']:.2f}-{row['end']:.2f} s")
    if "probabilities" in row:
        ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])[:3]
        words.append(", ".join(f"{name} {share:.0%}" for name, share in ranked))
    elif "emotion" in row:
        words.append(row["emotion"])
    else:
        words.append(", ".join(f"{value:.3f}" for value in list(row.values())[1:]))
    return ": ".join(words)


def flat(row):
    """Return a row as a flat dict, for a table."""
    shares = row.get("probabilities", {})
    return {name: value for name, value in row.items() if name != "probabilities"} | {
        f"proba_{name}": share for name, share in shares.items()
    }
