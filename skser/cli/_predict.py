"""Commands that predict: files, folders, tables and the microphone."""

import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from skser.audio import Utterance, printable
from skser.cli._console import complain, messages, output
from skser.cli._files import named_files, open_model
from skser.cli._options import (
    HOP,
    WINDOW,
    Hop,
    Json,
    Model,
    Targets,
    Trust,
    Window,
    dimensions,
    finite,
)

DEFAULT_MODEL = "emodb-whisper"


def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Audio files, folders of them, patterns such as 'calls/**/*.wav', or tables (CSV) "
            "with a column audio; - reads audio, or names of files, from a pipe. m4a, webm and "
            "other formats of phones need the extra containers."
        ),
    ],
    model: Model = DEFAULT_MODEL,
    trust: Trust = False,
    timeline: Annotated[bool, typer.Option("--timeline", help="Predict window by window.")] = False,
    start: Annotated[
        float | None, typer.Option(callback=finite, help="Start of the part, in seconds.")
    ] = None,
    end: Annotated[
        float | None, typer.Option(callback=finite, help="End of the part, in seconds.")
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(help="Index of a channel, or loudest; by default the mean of all channels."),
    ] = None,
    window: Window = None,
    hop: Hop = None,
    target: Targets = None,
    adapt: Annotated[
        bool,
        typer.Option(
            "--adapt",
            help="Adapt the model to these files before predicting them. No labels are needed, but "
            "the files should vary in emotion.",
        ),
    ] = False,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
):
    """Predict the emotion portrayed in each file, with probabilities."""
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv cannot be combined; give one of them.")
    if not timeline and (window, hop) != (None, None):
        raise typer.BadParameter(
            "--window and --hop are for --timeline. Add it, or leave them out."
        )
    from skser.cli._predicted_rows import in_words, predicted_rows

    target = dimensions(target)
    fitted = open_model(model, trust, needs_estimator=adapt)
    with tempfile.TemporaryDirectory() as folder:
        named = named_files(files, Path(folder) / "standard input")
        if (start, end, channel) != (None, None, None):
            named = [(name, _part(path, start, end, channel)) for name, path in named]
        if adapt:
            from skser.cli._adaptation import adapted

            fitted = adapted(fitted, [path for _, path in named])
        windows = _windows(window, hop) if timeline else None
        rows, failures = predicted_rows(fitted, named, windows, target, messages)
    if as_json:
        print(json.dumps(rows, indent=1))
    elif as_csv:
        _print_csv(rows)
    else:
        for row in rows:
            output.print(in_words(row, is_adapted=adapt))
    for name, reason in failures:
        complain(f"{printable(name)}: {reason}")
    if failures:
        raise typer.Exit(1)


def _windows(window, hop):
    """Return the length and hop of windows, with defaults for what is not given."""
    return WINDOW if window is None else window, HOP if hop is None else hop


def _part(path, start, end, channel):
    """Return a part of a file, which must not be a part already."""
    if isinstance(path, Utterance):
        raise ValueError(
            "The table states parts of recordings. Leave out --start, --end and --channel."
        )
    return Utterance(path, start, end, channel)


def _print_csv(rows):
    from skser.cli._predicted_rows import flat

    rows = list(map(flat, rows))
    # A column that only some rows have, such as the end of a part, is empty in the others.
    columns = dict.fromkeys(name for row in rows for name in row) or ["file"]
    writer = csv.DictWriter(sys.stdout, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def listen(
    model: Model = DEFAULT_MODEL,
    trust: Trust = False,
    window: Window = None,
    hop: Hop = None,
    target: Targets = None,
    rate: Annotated[int, typer.Option(min=1, help="Sampling rate, in Hz.")] = 16000,
    microphone: Annotated[
        str | None, typer.Option(help="Number of a device, or a part of its name.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            help="Length of the recording, in seconds; by default until Ctrl-C.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object per line.")] = False,
):
    """Predict the emotion portrayed in speech from the microphone, window by window."""
    from skser.cli import _microphone
    from skser.cli._predicted_rows import Rows, in_words

    target = dimensions(target)
    device = int(microphone) if microphone is not None and microphone.isdigit() else microphone
    blocks = _microphone.microphone(rate, device, seconds)
    rows = Rows(open_model(model, trust), target)
    for row in rows.of_stream(blocks, rate, *_windows(window, hop)):
        print(json.dumps(row) if as_json else in_words(row), flush=True)
