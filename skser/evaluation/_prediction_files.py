"""Predictions of an evaluation as a CSV file."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from skser._name_key import name_key
from skser._whole_file import whole_file
from skser.evaluation._speaker_evaluation import SpeakerEvaluation
from skser.evaluation._target_metrics import ignore_constant_predictions, metrics_of
from skser.evaluation._targets import DIMENSIONS, EMOTION, PROBA, VOTES
from skser.evaluation._unknown_speakers import UNKNOWN_SPEAKER

_SIDES = ("true", "predicted")
_COMPRESSION = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zip": "zip"}
_SOME = 10  # number of emotions that a message lists


def write_predictions(evaluation, path):
    """Write the predictions of an evaluation to a CSV file.

    The columns are those of ``evaluation.predictions``. The columns of a single dimension bear its
    name, as in ``true_valence``.

    Parameters
    ----------
    evaluation : SpeakerEvaluation
        Result of `cross_validate_speakers`.
    path : path-like
        File to write. A file that is there is replaced in one step. A name that ends in .gz,
        .bz2, .xz or .zip compresses it.

    See Also
    --------
    read_predictions : Read the file, with an example.
    """
    table = evaluation.predictions
    if evaluation.target in DIMENSIONS:
        table = table.rename(columns={side: f"{side}_{evaluation.target}" for side in _SIDES})
    if not isinstance(path, str | os.PathLike) or (
        os.path.exists(path) and not os.path.isfile(path)
    ):
        table.to_csv(path, index=False)  # a stream, or a device such as /dev/stdout
        return
    with whole_file(os.path.realpath(path)) as file:  # a symbolic link stays one
        compression = _COMPRESSION.get(Path(path).suffix.lower())
        table.to_csv(file, index=False, mode="wb", compression=compression)


def read_predictions(path):
    r"""Read predictions from a CSV file, such as one that `write_predictions` wrote.

    Parameters
    ----------
    path : path-like
        CSV file in UTF-8, with commas between values and one row per utterance and seed, of this
        package or another program. Each seed must have the same utterances. The
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
        If the file is not such a table, columns are missing or unknown, a value is missing or not
        a number, an utterance occurs twice with the same seed or not at all, or it has different
        true values or speakers. The message names the line.

    Warns
    -----
    UserWarning
        If emotions or speakers that differ only in case, spaces or a final ".0" were merged, or if
        no predicted emotion is among the true ones.

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
    text = _cells(path, name)
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
    table = _with_merged_spellings(table, ["speaker"], "speakers", name)
    if target == EMOTION:
        table = _with_merged_spellings(table, list(_SIDES), "emotions", name)
        _check_classes(table, name)
    twice = table.duplicated(["seed", "utterance"])
    if twice.any():
        raise ValueError(
            f"{_line(name, twice)}: the utterance {table['utterance'][twice.idxmax()]} occurs "
            "twice with the same seed."
        )
    fixed = ["speaker", *(column for column in table if column.partition("_")[0] == "true")]
    first = table.groupby("utterance")[fixed].transform("first")
    changed = ((first != table[fixed]) & (first.notna() | table[fixed].notna())).any(axis=1)
    if changed.any():
        raise ValueError(
            f"{_line(name, changed)}: the utterance {table['utterance'][changed.idxmax()]} has "
            "another true value or speaker than in another line."
        )
    if target in DIMENSIONS:
        table = table[table["true"].notna()]
        if table.empty:
            raise ValueError(f"{name} has no ratings in the column true_{target}.")
    _check_seeds(table, name)
    table = table.sort_values(["seed", "utterance"], kind="stable").reset_index(drop=True)
    n = table["utterance"].nunique()
    protocol = {"corpus": f"{name}, {n} utterances", "cv": "unknown", "versions": {}}
    if target != EMOTION:
        protocol["target"] = target
    tested = table.drop_duplicates("utterance")["speaker"] == UNKNOWN_SPEAKER
    if tested.any():
        counts = {"n": int(tested.sum()), "tested_on": int(tested.sum()), "trained_on": 0}
        protocol["unknown_speakers"] = counts | {"n_utterances": n}
    evaluation = SpeakerEvaluation(table, pd.DataFrame(), [], protocol)
    return SpeakerEvaluation(table, _fold_results(evaluation), [], protocol)


def _cells(path, name):
    """Return the cells of a CSV file as text; the index holds the line of each row."""
    try:
        # Text stays as it is: a speaker "03", and an emotion that looks like a missing value.
        text = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except IsADirectoryError as error:
        raise IsADirectoryError(f"{path} is a folder. Give a CSV file of predictions.") from error
    except pd.errors.EmptyDataError as error:
        raise ValueError(f"{name} is empty. Give a CSV file of predictions.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not encoded in UTF-8. Save it as CSV in UTF-8.") from error
    except pd.errors.ParserError as error:
        reason = str(error).rpartition("C error: ")[2].strip()
        raise ValueError(
            f"{name} cannot be read as CSV: {reason}. Put quotes around values that hold a comma, "
            "and close each quote."
        ) from error
    if not isinstance(text.index, pd.RangeIndex):  # the first values became row labels
        raise ValueError(
            f"{name} has more values than its {len(text.columns)} headings in each row. Put quotes "
            "around values that hold a comma, or remove commas at the ends of lines."
        )
    text.columns = text.columns.str.strip()
    if len(text.columns) == 1 and set(";\t") & set(text.columns[0]):
        raise ValueError(
            f"{name} has semicolons or tabs between its values. Save it with commas, and with "
            "points in numbers."
        )
    text.index += 2  # the headings are line 1
    text = text.fillna("")  # of rows with too few values
    text = text[text.ne("").any(axis=1)]
    if text.empty:
        raise ValueError(f"{name} has no rows.")
    return text


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
        found = text[column][wrong.idxmax()]
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


def _with_merged_spellings(table, columns, what, name):
    """Replace names that differ only in case, spaces or a final .0 by one spelling.

    That of the first column is preferred, and in it the most frequent one.
    """
    of_classes = columns == list(_SIDES)
    proba = [column for column in table if of_classes and column.startswith(PROBA)]
    counts = table[columns[0]].value_counts()
    spellings = sorted(counts.index, key=lambda label: (-counts[label], not label.islower(), label))
    for column in columns[1:]:
        spellings += table[column].unique().tolist()
    spellings += [column.removeprefix(PROBA) for column in proba]
    chosen = {}
    for spelling in spellings:
        chosen.setdefault(name_key(spelling), spelling)
    chosen = {spelling: chosen[name_key(spelling)] for spelling in spellings}
    merged = [f"{old!r} as {new!r}" for old, new in chosen.items() if old != new]
    if not merged:
        return table
    table = table.rename(columns={c: PROBA + chosen[c.removeprefix(PROBA)] for c in proba})
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"{name} has the column {repeated[0]} in two spellings. Remove one.")
    warnings.warn(
        f"{name}: {what} that differ only in spelling were merged: {', '.join(merged)}.",
        stacklevel=3,
    )
    for column in columns:
        table[column] = table[column].map(chosen)
    return table


def _check_classes(table, name):
    """Raise if classes are in fact ratings, and warn if no prediction can be right."""
    values = pd.to_numeric(table["true"], errors="coerce")
    if values.notna().all() and (values % 1 != 0).any():
        raise ValueError(
            f"{name} has numbers in the column true. Name the columns of a dimension after it, as "
            "in true_valence and predicted_valence."
        )
    true, predicted = (sorted(table[side].unique()) for side in _SIDES)
    if not set(true) & set(predicted):
        warnings.warn(
            f"{name}: no predicted emotion is among the true ones, so that each score is 0. "
            f"Predicted are {', '.join(predicted[:_SOME])}; true are {', '.join(true[:_SOME])}. "
            "Give both the same names.",
            stacklevel=3,
        )


def _check_seeds(table, name):
    """Raise if a seed lacks an utterance that another one has."""
    everywhere = table["utterance"].unique()
    for seed, part in table.groupby("seed")["utterance"]:
        missing = everywhere[~np.isin(everywhere, part)]
        if len(missing):
            raise ValueError(
                f"{name}: seed {seed} lacks the utterance {missing[0]}, which another seed has. "
                "Give each seed a prediction of each utterance."
            )


def _line(name, rows):
    """Name the first line of a file that a mask of its rows selects."""
    return f"{name}, line {rows.idxmax()}"


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
