"""Predictions of an evaluation as a CSV file."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from skser.evaluation._speaker_evaluation import SpeakerEvaluation
from skser.evaluation._target_metrics import ignore_constant_predictions, metrics_of
from skser.evaluation._targets import DIMENSIONS, EMOTION, PROBA, VOTES

_SIDES = ("true", "predicted")


def write_predictions(evaluation, path):
    """Write the predictions of an evaluation to a CSV file.

    The columns are those of ``evaluation.predictions``. The columns of a single dimension bear its
    name, as in ``true_valence``.

    Parameters
    ----------
    evaluation : SpeakerEvaluation
        Result of `cross_validate_speakers`.
    path : path-like
        File to write.

    See Also
    --------
    read_predictions : Read the file, with an example.
    """
    table = evaluation.predictions
    if evaluation.target in DIMENSIONS:
        table = table.rename(columns={side: f"{side}_{evaluation.target}" for side in _SIDES})
    table.to_csv(path, index=False)


def read_predictions(path):
    r"""Read predictions from a CSV file, such as one that `write_predictions` wrote.

    Parameters
    ----------
    path : path-like
        CSV file with one row per utterance and seed, of this package or another program. The
        columns ``utterance`` (any name or number), ``speaker``, ``true`` and ``predicted`` are
        required, or for dimensions ``true_valence``, ``predicted_valence`` and so on, and for
        shares of votes ``true_anger``, ``predicted_anger`` and so on. The columns ``seed``,
        ``fold`` and ``proba_anger`` etc. are optional; other columns are refused. Empty cells are
        missing ratings; rows without the rating of a single dimension are left out.

    Returns
    -------
    SpeakerEvaluation
        Evaluation for `compare`, with the scores of each fold. Its `folds` are empty and its times
        are NaN, since the file does not contain them.

    Raises
    ------
    ValueError
        If columns are missing or unknown, a value is missing or not a number, or an utterance
        occurs twice with the same seed or has different true values. The message names the line.

    Examples
    --------
    >>> import io
    >>> from skser.evaluation import compare, read_predictions
    >>> head = "utterance,speaker,true,predicted\n"
    >>> a = head + "1,x,joy,joy\n2,x,fear,fear\n3,y,joy,joy\n4,y,fear,joy\n"
    >>> b = head + "1,x,joy,joy\n2,x,fear,joy\n3,y,joy,joy\n4,y,fear,joy\n"
    >>> evaluations = {"a": read_predictions(io.StringIO(a)), "b": read_predictions(io.StringIO(b))}
    >>> compare(evaluations).systems["score"].to_dict()
    {'a': 0.75, 'b': 0.5}
    """
    name = Path(path).name if isinstance(path, str | Path) else "table"
    # Text stays as it is: a speaker "03", and an emotion that looks like a missing value.
    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    text.columns = text.columns.str.strip()
    if text.empty:
        raise ValueError(f"{name} has no rows.")
    if not isinstance(text.index, pd.RangeIndex):  # the first values became row labels
        raise ValueError(
            f"{name} has more values than its {len(text.columns)} headings in each row. Put quotes "
            "around values that hold a comma, or remove commas at the ends of lines."
        )
    target, columns = _target(text, name)
    table = pd.DataFrame(
        {
            "seed": _integers(text, "seed", name),
            "fold": _integers(text, "fold", name),
            "utterance": _numbered(_filled(text, "utterance", name)),
            "speaker": _filled(text, "speaker", name),
        }
    )
    for column in columns:
        side = column.partition("_")[0]
        known = side == "true" and target != VOTES
        values = (
            _filled(text, column, name)
            if column in _SIDES
            else _numbers(text, column, name, may_be_empty=known)
        )
        table[side if target in DIMENSIONS else column] = values
    for column in [column for column in text if column.startswith(PROBA)]:
        table[column] = _numbers(text, column, name)
        wrong = ~table[column].between(0, 1)
        if wrong.any():
            raise ValueError(f"{_line(name, wrong)}: {column} is not a probability from 0 to 1.")
    _check_classes(table, target, name)
    twice = table.duplicated(["seed", "utterance"])
    if twice.any():
        raise ValueError(
            f"{_line(name, twice)}: the utterance {table['utterance'][twice.argmax()]} occurs "
            "twice with the same seed."
        )
    true = [column for column in table if column.partition("_")[0] == "true"]
    first = table.groupby("utterance")[true].transform("first")
    changed = ((first != table[true]) & table[true].notna()).any(axis=1)
    if changed.any():
        raise ValueError(
            f"{_line(name, changed)}: the utterance {table['utterance'][changed.argmax()]} has "
            "another true value than in an earlier line."
        )
    if target in DIMENSIONS:
        table = table[table["true"].notna()]
        if table.empty:
            raise ValueError(f"{name} has no ratings in the column true_{target}.")
    table = table.sort_values(["seed", "utterance"], kind="stable").reset_index(drop=True)
    n = table["utterance"].nunique()
    protocol = {"corpus": f"{name}, {n} utterances", "cv": "unknown", "versions": {}}
    if target != EMOTION:
        protocol["target"] = target
    evaluation = SpeakerEvaluation(table, pd.DataFrame(), [], protocol)
    return SpeakerEvaluation(table, _fold_results(evaluation), [], protocol)


def _target(text, name):
    """Return the target that the columns of a table are for, and those columns."""
    columns = {side: [c for c in text if c.startswith(f"{side}_")] for side in _SIDES}
    needed = {"utterance", "speaker"}
    if not columns["true"]:
        needed |= set(_SIDES)
        target, found = EMOTION, list(_SIDES)
    else:
        names = [column.removeprefix("true_") for column in columns["true"]]
        found = [f"{side}_{each}" for side in _SIDES for each in names]
        needed |= set(found)
        is_dimension = set(names) <= set(DIMENSIONS)
        target = (names[0] if len(names) == 1 else names) if is_dimension else VOTES
    missing = sorted(needed - set(text))
    proba = [column for column in text if column.startswith(PROBA)]
    unknown = sorted(set(text) - needed - {"seed", "fold", *proba})
    if missing:
        raise ValueError(f"{name} lacks the columns {missing}; it has {list(text)}.")
    if unknown:
        raise ValueError(f"{name} has the unknown columns {unknown}. Remove or rename them.")
    return target, found


def _filled(text, column, name):
    """Return a column of text, whose cells must not be empty."""
    values = text[column].str.strip()
    empty = values == ""
    if empty.any():
        raise ValueError(f"{_line(name, empty)}: the column {column} is empty.")
    return values


def _numbered(names):
    """Return utterances as row numbers if all of them are."""
    return names.astype(np.int64) if names.str.fullmatch(r"\d{1,18}").all() else names


def _numbers(text, column, name, may_be_empty=False):
    values = pd.to_numeric(text[column], errors="coerce").astype(float)
    wrong = ~np.isfinite(values)
    if may_be_empty:
        wrong &= text[column].str.strip() != ""
    if wrong.any():
        found = text[column][wrong.argmax()]
        raise ValueError(f"{_line(name, wrong)}: {column}={found!r} is not a number.")
    return values


def _integers(text, column, name):
    """Return a column of integers, zeros where there is none."""
    if column not in text:
        return np.zeros(len(text), dtype=np.int64)
    values = _numbers(text, column, name)
    wrong = values % 1 != 0
    if wrong.any():
        raise ValueError(f"{_line(name, wrong)}: {column} is not a whole number.")
    return values.astype(np.int64)


def _check_classes(table, target, name):
    """Raise if classes are in fact ratings, which other scores apply to."""
    if target != EMOTION:
        return
    values = pd.to_numeric(table["true"], errors="coerce")
    if values.notna().all() and (values % 1 != 0).any():
        raise ValueError(
            f"{name} has numbers in the column true. Name the columns of a dimension after it, as "
            "in true_valence and predicted_valence."
        )


def _line(name, rows):
    """Name the first line of a file that a mask of its rows selects."""
    return f"{name}, line {int(np.argmax(rows)) + 2}"


def _fold_results(evaluation):
    """Return the scores of each fold and seed, as in a `SpeakerEvaluation`."""
    rows, metrics = [], metrics_of(evaluation.target)
    true, predicted = evaluation.y_true, evaluation.y_pred
    for (seed, fold), at in evaluation.predictions.groupby(["seed", "fold"]).indices.items():
        speakers = evaluation.predictions["speaker"].iloc[at]
        with warnings.catch_warnings():
            ignore_constant_predictions()
            scores = {
                name: float(metric(true[at], predicted[at])) for name, metric in metrics.items()
            }
        rows.append(
            {
                "seed": seed,
                "fold": fold,
                "n_train": np.nan,
                "n_test": len(at),
                "fit_seconds": np.nan,
                "predict_seconds": np.nan,
                **scores,
                "fitted": {},
                "held_out": sorted(speakers.unique()),
            }
        )
    return pd.DataFrame(rows)
