"""Commands that predict: files, folders and the microphone."""

import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from skser.audio import Utterance, printable
from skser.cli._console import messages, output
from skser.cli._files import named_files, open_model
from skser.cli._options import Hop, Json, Model, Trust, Window


def predict(
    files: Annotated[
        list[str],
        typer.Argument(help="Audio files; - reads audio, or names of files, from a pipe."),
    ],
    model: Model = "emodb-afcn",
    trust: Trust = False,
    timeline: Annotated[bool, typer.Option(help="Predict window by window.")] = False,
    start: Annotated[float | None, typer.Option(help="Start of the part, in seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="End of the part, in seconds.")] = None,
    channel: Annotated[
        str | None,
        typer.Option(help="Index of a channel, or loudest; by default the mean of all channels."),
    ] = None,
    window: Window = 2.0,
    hop: Hop = 0.5,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
):
    """Predict the emotion portrayed in each file, with probabilities."""
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv cannot be combined; give one of them.")
    from skser.cli._predicted_rows import flat, in_words, predicted_rows

    fitted = open_model(model, trust)
    with tempfile.TemporaryDirectory() as folder:
        named = named_files(files, Path(folder) / "standard input")
        if (start, end, channel) != (None, None, None):
            named = [(name, Utterance(path, start, end, channel)) for name, path in named]
        windows = (window, hop) if timeline else None
        rows, failures = predicted_rows(fitted, named, windows, messages)
    if as_json:
        print(json.dumps(rows, indent=1))
    elif as_csv:
        columns = list(flat(rows[0])) if rows else ["file"]
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(flat, rows))
    else:
        for row in rows:
            output.print(in_words(row))
    for name, reason in failures:
        messages.print(f"skser: error: {printable(name)}: {reason}")
    if failures:
        raise typer.Exit(1)


def listen(
    model: Model = "emodb-afcn",
    trust: Trust = False,
    window: Window = 2.0,
    hop: Hop = 0.5,
    rate: Annotated[int, typer.Option(min=1, help="Sampling rate, in Hz.")] = 16000,
    microphone: Annotated[
        str | None, typer.Option(help="Number of a device, or a part of its name.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Length of the recording, in seconds; by default until Ctrl-C."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object per line.")] = False,
):
    """Predict the emotion portrayed in speech from the microphone, window by window."""
    from skser.cli import _microphone
    from skser.cli._predicted_rows import in_words, scored
    from skser.inspection import WindowOutputs

    device = int(microphone) if microphone is not None and microphone.isdigit() else microphone
    blocks = _microphone.microphone(rate, device, seconds)
    fitted = open_model(model, trust)
    for start, end, scores in WindowOutputs(fitted, None).stream(blocks, rate, window, hop):
        row = {"file": "microphone", "start": start, "end": end}
        row |= scored(fitted.classes_, scores)
        print(json.dumps(row) if as_json else in_words(row), flush=True)
