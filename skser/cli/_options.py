"""Arguments and options that several commands share."""

import enum
import math
from pathlib import Path
from typing import Annotated

import typer


def dimensions(targets):
    """Return the targets without the emotion, which is what no target means."""
    if targets == ["emotion"]:
        return None
    reason = None
    if targets and "emotion" in targets:
        reason = "the emotion and dimensions are trained apart. Give one of them."
    elif targets and len(set(targets)) < len(targets):
        reason = f"{', '.join(targets)}: a target is given twice. Give it once."
    if reason is not None:
        raise typer.BadParameter(reason, param_hint="'--target'")
    return targets


def finite(param: typer.CallbackParam, value: float):
    """Return a number of an option, or refuse NaN and infinity."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.", param_hint=_name(param))
    return value


def _not_zero(param: typer.CallbackParam, value: int):
    """Return a number of processes, which may be negative as in joblib, but not 0."""
    if value == 0:
        reason = "0 processes compute nothing. Give 1 or more, or -1 for all."
        raise typer.BadParameter(reason, param_hint=_name(param))
    return value


def _name(param):
    """Return the name of an option, to which old versions of typer add more."""
    return f"'{param.opts[0]}'"


class System(enum.StrEnum):
    """Functions of `skser.pipelines`."""

    attention_fcn = "attention-fcn"
    fcn_and_functionals = "fcn-and-functionals"
    functionals = "functionals"
    whisper_linear = "whisper-linear"
    zhang2018 = "zhang2018"
    gans2020 = "gans2020"


MODEL_HELP = (
    "Saved model (.skser, .onnx), the name of one that skser includes, or hf:owner/name for one on "
    "the Hugging Face Hub."
)

TableOrFolder = Annotated[
    Path,
    typer.Argument(
        help="CSV file with the columns audio, emotion and speaker, the folder of a corpus, or a "
        "folder with one subfolder per emotion."
    ),
]
Model = Annotated[str, typer.Option(envvar="SKSER_MODEL", help=MODEL_HELP)]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Trust the author of the saved model as the author of a program."),
]
Corpus = Annotated[
    str | None,
    typer.Option(help="Name of the corpus in the folder, such as emodb; see: skser corpora."),
]
ChosenSystem = Annotated[System, typer.Option(help="System to train.")]
Epochs = Annotated[
    int | None,
    typer.Option(
        min=1, help="Number of training epochs of a network; by default that of the system."
    ),
]
Conditions = Annotated[
    bool | None,
    typer.Option(
        "--conditions/--clean",
        help="Train on copies in noise, rooms and telephones too, or on clean recordings only; by "
        "default as the system does.",
    ),
]
Refuse = Annotated[
    bool,
    typer.Option(
        "--refuse",
        help="Refuse audio without speech, and audio unlike the training recordings. The "
        "thresholds come from held-out speakers, or utterances if speakers are unknown, for which "
        "the system is trained five times more.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all random numbers.")]
Memory = Annotated[
    Path | None,
    typer.Option(file_okay=False, help="Folder that caches features; a later run reuses them."),
]
Jobs = Annotated[
    int,
    typer.Option(callback=_not_zero, help="Number of threads or processes that compute features."),
]
FoldJobs = Annotated[
    int, typer.Option(callback=_not_zero, help="Number of processes over folds and seeds.")
]
Device = Annotated[str, typer.Option(help="Torch device: auto, cpu, cuda or mps.")]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="Dimension, such as valence, in place of the emotion; may be given several times.",
    ),
]
WINDOW, HOP = 2.0, 0.5
# None shows whether an option was given.
Window = Annotated[
    float | None,
    typer.Option(
        min=0, callback=finite, show_default=str(WINDOW), help="Length of a window, in seconds."
    ),
]
Hop = Annotated[
    float | None,
    typer.Option(
        min=0,
        callback=finite,
        show_default=str(HOP),
        help="Time between the starts of windows, in seconds.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Home = Annotated[
    Path | None,
    typer.Option(
        file_okay=False, help="Folder for downloads; by default $SKSER_HOME, or ~/skser_data."
    ),
]
