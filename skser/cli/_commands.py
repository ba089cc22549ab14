"""Commands of the command line, which are thin wrappers around the Python API."""

import csv
import enum
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from skser._optional import import_optional
from skser.audio import Utterance, printable
from skser.cli._model_file import describe_model, is_onnx, open_model

_FIRST = 10  # number of entries of a list that `info` prints
# Columns of the list of corpora that fit into a terminal; --json prints all.
_SHOWN = ("language", "speech", "n_utterances", "n_speakers", "license", "download")

_plain = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
_messages = Console(stderr=True, **_plain)
_output = Console(**_plain)


class _Commands(typer.core.TyperGroup):
    """Commands that Ctrl-C ends with one line and the exit code 130, as shells do."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _messages.print("skser: interrupted")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="skser",
    cls=_Commands,
    help="Speech emotion recognition as ordinary scikit-learn.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class System(enum.StrEnum):
    """Functions of `skser.pipelines`."""

    attention_fcn = "attention-fcn"
    fcn_and_functionals = "fcn-and-functionals"
    zhang2018 = "zhang2018"
    gans2020 = "gans2020"


TableOrFolder = Annotated[
    Path,
    typer.Argument(
        help="CSV file with the columns audio, emotion and speaker, or the folder of a corpus."
    ),
]
_MODEL_HELP = "Saved model (.skser, .onnx), or the name of one that skser includes."
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Trust the author of the saved model as the author of a program."),
]
Model = Annotated[str, typer.Option(help=_MODEL_HELP)]
Corpus = Annotated[
    str | None,
    typer.Option(help="Name of the corpus in the folder, such as emodb; see: skser corpora."),
]
ChosenSystem = Annotated[System, typer.Option(help="System to train.")]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Number of training epochs; by default that of the system."),
]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
Memory = Annotated[
    Path | None, typer.Option(help="Folder that caches features; a later run reuses them.")
]
Jobs = Annotated[int, typer.Option(help="Number of processes that compute features.")]
Device = Annotated[str, typer.Option(help="Torch device: auto, cpu, cuda or mps.")]
Window = Annotated[float, typer.Option(help="Length of a window, in seconds.")]
Hop = Annotated[float, typer.Option(help="Time between the starts of windows, in seconds.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Home = Annotated[
    Path | None,
    typer.Option(help="Folder for downloads; by default $SKSER_HOME, or ~/skser_data."),
]


@app.command()
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
        named = _named_files(files, Path(folder) / "standard input")
        if (start, end, channel) != (None, None, None):
            named = [(name, Utterance(path, start, end, channel)) for name, path in named]
        windows = (window, hop) if timeline else None
        rows, failures = predicted_rows(fitted, named, windows, _messages)
    if as_json:
        print(json.dumps(rows, indent=1))
    elif as_csv:
        columns = list(flat(rows[0])) if rows else ["file"]
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(flat, rows))
    else:
        for row in rows:
            _output.print(in_words(row))
    for name, reason in failures:
        _messages.print(f"skser: error: {printable(name)}: {reason}")
    if failures:
        raise typer.Exit(1)


@app.command()
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
    from skser.inspection import emotion_stream

    device = int(microphone) if microphone is not None and microphone.isdigit() else microphone
    blocks = _microphone.microphone(rate, device, seconds)
    fitted = open_model(model, trust)
    for row in emotion_stream(fitted, blocks, rate, window, hop):
        start, end, *scores = row.values()
        row = {"file": "microphone", "start": start, "end": end}
        row |= scored(fitted.classes_, scores)
        print(json.dumps(row) if as_json else in_words(row), flush=True)


def _named_files(files, standard_input):
    """Return a pair of name to print and path for each file.

    For ``-``, standard input is either audio, which is copied to the path `standard_input`, or
    the names of files, one per line.
    """
    named = []
    for file in files:
        if file != "-":
            named.append((file, file))
            continue
        content = sys.stdin.buffer.read()
        try:
            lines = content.decode().splitlines()
            # A null byte is valid UTF-8, but cannot be part of a file's name.
            is_text = "\0" not in lines[0] if lines else True
        except UnicodeDecodeError:
            is_text = False
        if is_text:
            named += [(line, line) for line in lines if line]
        else:
            standard_input.write_bytes(content)
            named.append(("-", str(standard_input)))
    if not named:
        raise ValueError("The pipe is empty. Send audio or the names of files through it.")
    return named


@app.command()
def train(
    table: TableOrFolder,
    out: Annotated[str, typer.Option(help="File to write, such as model.skser or model.onnx.")],
    corpus: Corpus = None,
    system: ChosenSystem = System.attention_fcn,
    max_epochs: Epochs = None,
    seed: Seed = 0,
    memory: Memory = None,
    jobs: Jobs = 1,
    device: Device = "auto",
):
    """Train a model on all utterances of a table or corpus, and save it."""
    from skser.export import export_onnx
    from skser.persistence import save

    _check_place(Path(out), holds_model=True)
    model = _system(system, max_epochs, seed, memory, jobs, device)
    if is_onnx(out):
        import_optional("onnx", extra="onnx", purpose="--out *.onnx")
        if not hasattr(model, "steps"):
            raise ValueError(
                f"{system} combines several models, but an ONNX file holds only one. Give --out "
                "the name of a .skser file."
            )
    data = _corpus(table, corpus)
    _messages.print(f"training {system} on {len(data.target)} utterances")
    _show_progress(model)
    model.fit(data.data, data.target.astype(str))
    if is_onnx(out):
        export_onnx(model, Path(out))
    else:
        save(model, out)
    _messages.print(
        f"{printable(out)}: {system}, {len(data.target_names)} emotions, trained on all "
        f"{len(data.target)} utterances. To test it on unknown speakers: skser evaluate."
    )


def _check_place(path, holds_model=False):
    """Raise OSError before hours of work if their result could not be written to `path`."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder} to write {path.name} to. Create it first."
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Give the name of a file to write.")
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(f"{path} is write-protected. Choose another file.")
    if holds_model or not path.exists():  # models are written to a new file first, then moved
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise OSError(
                f"{path} cannot be written ({error.strerror}). Choose another folder."
            ) from error


def _show_progress(model):
    """Switch on the progress bars of a system's features; `save` does not keep the setting."""
    names = [
        name for name in model.get_params() if re.search(r"(^|__)features__(.*__)?verbose$", name)
    ]
    model.set_params(**dict.fromkeys(names, True))


@app.command()
def evaluate(
    table: TableOrFolder,
    corpus: Corpus = None,
    system: ChosenSystem = System.attention_fcn,
    report: Annotated[Path | None, typer.Option(help="HTML report to write.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Name of published folds, such as emodb-loso or ravdess-5."),
    ] = None,
    folds: Annotated[
        int, typer.Option(min=2, help="Number of speaker-disjoint folds without --protocol.")
    ] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds to train each fold with.")] = 1,
    results_dir: Annotated[
        Path | None,
        typer.Option(help="Folder that stores finished folds; a later run resumes from there."),
    ] = None,
    max_epochs: Epochs = None,
    memory: Memory = None,
    jobs: Annotated[int, typer.Option(help="Number of processes over folds and seeds.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
):
    """Evaluate a system on speakers that it was not trained on."""
    from skser.evaluation import EvaluationReport, cross_validate_speakers
    from skser.model_selection import published_folds

    if report is not None:
        _check_place(report)
        for library in ("jinja2", "matplotlib"):
            import_optional(library, extra="report", purpose="--report")
    data = _corpus(table, corpus)
    evaluation = cross_validate_speakers(
        _system(system, max_epochs, 0, memory, 1, device),
        data,
        cv=folds if protocol is None else published_folds(data, protocol),
        n_seeds=seeds,
        results_dir=results_dir,
        n_jobs=jobs,
        verbose=True,
    )
    if as_json:
        summary = evaluation.summary().astype(object)
        print(json.dumps(summary.where(summary.notna(), None).to_dict("index"), indent=1))
    else:
        _output.print(str(evaluation))
    if report is not None:
        written = EvaluationReport(evaluation, data).save(report)
        _messages.print(f"report: {printable(written)}")


def _corpus(path, name):
    """Load the utterance table in a CSV file, or the corpus in a folder."""
    from skser.datasets import load_corpus, load_table

    if name is not None:
        return load_corpus(name, path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Name the corpus in it with --corpus.")
    return load_table(path)


def _system(system, max_epochs, seed, memory, jobs, device):
    """Build an unfitted system of `skser.pipelines`."""
    from skser import pipelines

    given = {} if max_epochs is None else {"max_epochs": max_epochs}
    return getattr(pipelines, system.replace("-", "_"))(
        random_state=seed, memory=memory, n_jobs=jobs, device=device, **given
    )


@app.command()
def fetch(
    name: Annotated[
        str, typer.Argument(help="Name of a corpus (see: skser corpora) or of an audb database.")
    ],
    version: Annotated[
        str | None, typer.Option(help="Version of the audb database; by default the newest.")
    ] = None,
    data_home: Home = None,
    table: Annotated[
        Path | None,
        typer.Option(help="CSV file to write, as input for skser train and skser evaluate."),
    ] = None,
):
    """Download a corpus, verify it and unpack it."""
    from skser import datasets
    from skser.datasets import CORPORA

    if table is not None:
        _check_place(table)
    known = {key: i for k, i in CORPORA.items() for key in (k, i.name.lower())}.get(name.lower())
    if known is not None and known.archive is not None and version is None:
        fetch_it = getattr(datasets, known.loader.replace("load_", "fetch_"))
        data = fetch_it(data_home, progressbar=True)
    elif known is not None and known.fetcher is None and version is None:
        raise ValueError(
            f"{known.name} is distributed only by its publishers. Request it at {known.url}"
        )
    else:
        name = known.audb.name if known is not None and known.audb is not None else name
        data = datasets.fetch_audb(name, version, data_home=data_home, progressbar=True)
    _output.print(str(data))
    if table is not None:
        data.frame.to_csv(table, index=False)
        _messages.print(f"table: {printable(table)}")


@app.command()
def corpora(as_json: Json = False):
    """List the corpora that have a loader."""
    from skser.datasets import list_corpora

    found = list_corpora()
    if as_json:
        print(json.dumps(json.loads(found.to_json(orient="index")), indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for column in ["corpus", *_SHOWN]:
        table.add_column(column.replace("n_", ""), justify="right" if "n_" in column else "left")
    for row in found[[*_SHOWN]].itertuples():
        table.add_row(*map(str, row))
    _output.print(table)


@app.command()
def info(
    model: Annotated[str, typer.Argument(help=_MODEL_HELP)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all values.")] = False,
):
    """Describe the training data and the outputs of a saved model without loading it."""
    found = describe_model(model)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    card = found.pop("card", None)
    for line in _facts(found):
        _output.print(line)
    if card:
        _output.print(f"\n{card}")


def _facts(found, margin=""):
    """Yield the lines of nested facts; unknown facts are left out and long lists are cut."""
    for name, value in found.items():
        values = value if isinstance(value, list) else [value]
        if values and all(isinstance(value, dict) for value in values):
            for value in values:
                yield f"{margin}{name}:"
                yield from _facts(value, margin + "  ")
        elif values not in ([], [None]):
            words = [f"{v:g}" if isinstance(v, float) else str(v) for v in values[:_FIRST]]
            more = f", ... ({len(values)} in all)" if len(values) > _FIRST else ""
            yield f"{margin}{name}: {printable(', '.join(words))}{more}"


@app.command()
def versions():
    """Print the versions of skser, its dependencies and the system, for a bug report."""
    from skser import show_versions

    show_versions()


def main():
    """Run the command line; errors of files and values are reported on one line.

    With the environment variable ``SKSER_TRACEBACK`` set, they are raised instead.
    """
    try:
        app(prog_name="skser")
    except (ImportError, OSError, TypeError, ValueError) as error:
        if os.environ.get("SKSER_TRACEBACK"):
            raise
        _messages.print(f"skser: error: {printable(' '.join(str(error).split()))}")
        sys.exit(1)
