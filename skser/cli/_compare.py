"""Command that compares evaluations."""

import json
from pathlib import Path
from typing import Annotated

import typer

from skser.cli._console import output
from skser.cli._options import Json, finite


def compare(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="CSV files with the predictions of two or more systems for the same utterances, "
            "from: skser evaluate --predictions."
        ),
    ],
    level: Annotated[
        float,
        typer.Option(
            min=0.5, max=0.999, callback=finite, help="Confidence level of the intervals."
        ),
    ] = 0.95,
    as_json: Json = False,
):
    """Compare evaluated systems: scores, differences and p-values over speakers."""
    from skser import evaluation

    if len(files) < 2:
        raise typer.BadParameter("a comparison needs at least two files.")
    found = evaluation.compare(
        {name: _predictions(path) for name, path in _names(files).items()},
        confidence_level=level,
    )
    if not as_json:
        output.print(str(found))
        return
    result = {
        "metric": found.metric,
        "confidence_level": found.confidence_level,
        "p_value": found.p_value,  # of Friedman's test over speakers
        "systems": found.systems.to_dict("index"),
        "pairs": found.pairs.to_dict("records"),
        "speakers": found.speaker_scores.to_dict("index"),
    }
    print(json.dumps(_without_nan(result), indent=1))


def _predictions(path):
    from skser.evaluation import read_predictions

    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    return read_predictions(path)


def _names(files):
    """Return the files by the names of their systems, which are those without folder and suffix."""
    names = [path.stem for path in files]
    if len(set(names)) < len(names):
        names = [str(path) for path in files]
    if len(set(names)) < len(names):
        raise typer.BadParameter("a file is given twice.")
    return dict(zip(names, files, strict=True))


def _without_nan(value):
    """Return nested values with None in place of NaN, which JSON lacks."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value
