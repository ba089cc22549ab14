"""Predictions for audio files, as rows for people and for programs."""

from rich.progress import track

from skser.audio import AudioReadError, Utterance, printable
from skser.cli._console import in_options
from skser.inspection import stream_outputs, timeline_outputs

_AT_ONCE = 16  # number of files per batch, and per step of the progress bar
# Words for the reasons of a model that refuses audio; "unsure" lists the likely emotions instead.
_REASONS = {
    "no speech": "no speech",
    "unlike training": "unlike the training recordings",
}

# How scikit-learn's errors begin if a model of vectors gets the paths of files.
_OF_NUMBERS = (
    "could not convert string to float",
    "Expected 2D array, got 1D array instead",
    "dtype='numeric' is not compatible with arrays of bytes/strings",
)


def predicted_rows(model, files, windows=None, targets=None, console=None):
    """Predict audio files; a file that fails does not affect the others.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
        Model to predict with.
    files : list of (str, str or Utterance)
        Name to print, and path or part of a file. A name may occur twice.
    windows : (float, float) or None, default=None
        Length and hop of the windows of a timeline, in seconds; None predicts whole files.
    targets : list of str or None, default=None
        Name of each number that a regressor predicts; None numbers them.
    console : rich.console.Console or None, default=None
        Terminal that shows the progress; None shows none.

    Returns
    -------
    rows : list of dict
        Prediction for each file, or for each window of it. The keys are ``file``, for windows and
        parts ``start`` and ``end`` in seconds, and either ``emotion``, with ``probabilities`` if
        the model computes them, or the outputs of a regressor.
    failures : list of (str, str)
        Name of each file without a row, and the reason on one line.

    Raises
    ------
    ValueError
        If `windows` is given and the model is a classifier without probabilities, or if
        `targets` do not fit the model.
    """
    maker = Rows(model, targets)
    if windows is not None:
        maker.require_outputs()
    # The windows of a single file already fill batches, and an ONNX model gains little by them.
    # Alone, a file has the same probabilities to the last digit, whatever else is predicted.
    size = _AT_ONCE if windows is None and hasattr(model, "fit") else 1
    batches = [files[i : i + size] for i in range(0, len(files), size)]
    silent = console is None or not console.is_terminal or len(batches) == 1
    rows, failures = [], []
    for batch in track(batches, "predicting", console=console, transient=True, disable=silent):
        found, failed = _attempted(maker, batch, windows)
        rows += found
        failures += failed
    return rows, failures


def _attempted(maker, batch, windows):
    """Return rows and failures of a batch; if it fails as a whole, predict file by file."""
    try:
        return maker.of_files(batch, windows), []
    except (OSError, RuntimeError, ValueError) as error:
        if len(batch) == 1:
            ((name, path),) = batch
            return [], [(name, _reason(error, path))]
    parts = [_attempted(maker, [file], windows) for file in batch]
    return [row for rows, _ in parts for row in rows], [
        one for _, failed in parts for one in failed
    ]


def _reason(error, path):
    """Return the message of an error on one line, without the path, which is printed before."""
    reason = str(error) or type(error).__name__
    if reason.startswith(_OF_NUMBERS):
        return "the model takes numbers, not audio. Save it as a pipeline with its features."
    path = getattr(path, "source", path)
    if isinstance(error, AudioReadError):
        # A window is named after its file, and an array from a file is named "utterance 0".
        places = [
            (name.removeprefix(path).lstrip(", ").removeprefix("utterance 0").strip(), reason)
            for name, reason in error.failures
        ]
        reason = "; ".join(": ".join(filter(None, place)) for place in places)
    return in_options(reason)


class Rows:
    """Rows of one model: an emotion with probabilities, or numbers.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
    targets : list of str or None
        Name of each number that a regressor predicts. None means those that `skser train` was
        given, if the model has them.

    Raises
    ------
    ValueError
        If `targets` are given and the model is a classifier, or predicts others.
    """

    def __init__(self, model, targets=None):
        self.model = model
        of_onnx = getattr(model, "description", {}).get("targets") or {}
        known = getattr(model, "target_names_", of_onnx.get("names"))
        self.targets = targets or known
        if known and targets and known != targets:
            raise ValueError(
                f"The model predicts {', '.join(known)}, but --target names {', '.join(targets)}. "
                "Leave it out."
            )
        self.has_shares = hasattr(model, "predict_proba")
        self.decides_otherwise = self.has_shares and _decides_otherwise(model)
        tags = getattr(model, "__sklearn_tags__", None)  # an OnnxModel has none
        self.is_classifier = self.has_shares or (
            tags is not None and tags().estimator_type == "classifier"
        )
        if self.is_classifier and targets:
            raise ValueError(
                "--target names the numbers of a regressor, but this model predicts emotions. "
                "Leave it out, or choose another --model."
            )

    def require_outputs(self):
        """Raise ValueError if the model predicts an emotion and nothing else."""
        if self.is_classifier and not self.has_shares:
            raise ValueError(
                "A timeline needs probabilities, but this model has no predict_proba. Leave out "
                "--timeline, or choose another --model."
            )

    def of_files(self, batch, windows):
        """Return the rows of some files, given as pairs of name and path or part."""
        if windows is None:
            rows = self.predict([path for _, path in batch])
            return [
                {"file": name} | _bounds(path) | row
                for (name, path), row in zip(batch, rows, strict=True)
            ]
        return [
            {"file": name} | _bounds(path) | {"start": start, "end": end} | row
            for name, path in batch
            for bounds, rows in timeline_outputs(self.model, self.predict, path, *windows)
            for (start, end), row in zip(bounds.tolist(), rows, strict=True)
        ]

    def of_stream(self, blocks, rate, window, hop):
        """Yield a row for each window of audio that arrives in blocks."""
        self.require_outputs()
        stream = stream_outputs(self.model, self.predict, blocks, rate, window, hop)
        for start, end, row in stream:
            yield {"file": "microphone", "start": start, "end": end} | row

    def predict(self, X):
        """Return the predictions for some audio, as rows without its name."""
        if hasattr(self.model, "judge"):  # it refuses audio, and says why
            found = self.model.judge(X)
            return [
                judged(self.model.classes_, *of_one)
                for of_one in zip(
                    found["probabilities"], found["reasons"], found["sets"], strict=True
                )
            ]
        if self.has_shares:
            rows = [scored(self.model.classes_, shares) for shares in self.model.predict_proba(X)]
            if self.decides_otherwise:
                for row, label in zip(rows, self.model.predict(X), strict=True):
                    row["emotion"] = str(label)
            return rows
        if self.is_classifier:
            return [{"emotion": str(label)} for label in self.model.predict(X)]
        return [self._named(values) for values in self.model.predict(X).reshape(len(X), -1)]

    def _named(self, values):
        names = self.targets or [f"output {i}" for i in range(len(values))]
        if len(names) != len(values):
            raise ValueError(
                f"The model predicts {len(values)} numbers, but --target names {len(names)}: "
                f"{', '.join(names)}. Name each of them, in their order."
            )
        return dict(zip(names, map(float, values), strict=True))


def _decides_otherwise(model):
    """Return True if a model may predict another class than its most probable one."""
    if not hasattr(model, "fit"):  # an OnnxModel
        return False
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
    from sklearn.pipeline import Pipeline
    from sklearn.svm import SVC, NuSVC

    while isinstance(model, Pipeline) or hasattr(model, "best_estimator_"):
        model = model[-1] if isinstance(model, Pipeline) else model.best_estimator_
    if isinstance(model, FixedThresholdClassifier | TunedThresholdClassifierCV | SVC | NuSVC):
        return True
    inner = getattr(model, "estimator_", None)  # inside of a meta-estimator of this package
    return hasattr(inner, "predict_proba") and _decides_otherwise(inner)


def _bounds(path):
    """Return the keys that identify a part of a recording."""
    if not isinstance(path, Utterance):
        return {}
    facts = {"start": path.start, "end": path.end, "channel": path.channel}
    return {name: value for name, value in facts.items() if value is not None}


def scored(classes, scores):
    """Return the most probable class, and the probability of each class."""
    shares = dict(zip(map(str, classes), map(float, scores), strict=True))
    return {"emotion": max(shares, key=shares.get), "probabilities": shares}


def judged(classes, scores, reason, in_set):
    """Return `scored` without an emotion if it is refused, the reason, and the likely emotions."""
    row = scored(classes, scores)
    likely = [str(label) for label, is_in in zip(classes, in_set, strict=True) if is_in]
    likely.sort(key=lambda label: -row["probabilities"][label])
    emotion = None if reason else row["emotion"]
    if reason in _REASONS:
        likely = []  # the sets of emotions are of recordings like those of the training
    return {"emotion": emotion, "reason": str(reason) or None, "likely": likely} | {
        "probabilities": row["probabilities"]
    }


def in_words(row, is_adapted=False):
    """Return a row as one line of text.

    An emotion is followed by the next two. Without a sure one, the likely ones are listed.

    Parameters
    ----------
    row : dict
        Row that `predicted_rows` returned.
    is_adapted : bool, default=False
        Whether the model is adapted to the recording already.
    """
    row = dict(row)
    words = [printable(row.pop("file"))]
    start, end, channel = (row.pop(name, None) for name in ("start", "end", "channel"))
    if start is not None or end is not None:
        words.append(f"{start or 0.0:.2f}-{'' if end is None else f'{end:.2f}'} s")
    if channel is not None:
        words.append(f"channel {channel}")
    if row.get("reason") in _REASONS:
        hint = "" if is_adapted or row["reason"] != "unlike training" else " (adapt?)"
        words.append(_REASONS[row["reason"]] + hint)
    elif "probabilities" in row:
        shares = row["probabilities"]
        likely = row.get("likely", [])
        first = row.get("emotion")  # the most probable one, unless a threshold was tuned
        by_share = sorted(shares, key=lambda name: (name != first, -shares[name]))
        ranked = likely if len(likely) > 1 else by_share[:3]
        joined = " or " if len(likely) > 1 else ", "
        words.append(joined.join(f"{printable(name)} {shares[name]:.0%}" for name in ranked))
    elif "emotion" in row:
        words.append(printable(row["emotion"]))
    else:
        named = not next(iter(row)).startswith("output ")
        words.append(
            ", ".join(
                f"{printable(name)} {v:.3f}" if named else f"{v:.3f}" for name, v in row.items()
            )
        )
    return ": ".join(words)


def flat(row):
    """Return a row as a flat dict, for a table."""
    shares = row.get("probabilities", {})
    plain = {name: value for name, value in row.items() if name != "probabilities"}
    if "likely" in plain:
        plain["likely"] = "|".join(plain["likely"])
    return plain | {f"proba_{name}": share for name, share in shares.items()}
