"""The command line: the Python API with the shell's manners, and nothing that it lacks."""

import csv
import enum
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

_AT_ONCE = 16  # files between two steps of the progress bar
# Columns of the list of corpora that fit a terminal; --json has all.
_SHOWN = ("language", "speech", "n_utterances", "n_speakers", "license", "download")

app = typer.Typer(
    name="skser",
    help="Speech emotion recognition as ordinary scikit-learn.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_messages = Console(stderr=True, highlight=False, soft_wrap=True)
_output = Console(highlight=False, soft_wrap=True)


class System(enum.StrEnum):
    """Functions of `skser.pipelines`."""

    attention_fcn = "attention-fcn"
    fcn_and_functionals = "fcn-and-functionals"
    zhang2018 = "zhang2018"
    mpg2020 = "mpg2020"


TableOrFolder = Annotated[
    Path,
    typer.Argument(
        help="CSV file with the columns audio, emotion and speaker; or a corpus's folder."
    ),
]
Corpus = Annotated[
    Optional[str],  # noqa: UP045 - typer reads it in this form on every version
    typer.Option(help="The folder is one of this corpus, such as emodb; see: skser corpora."),
]
ChosenSystem = Annotated[System, typer.Option(help="What to train.")]
Epochs = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(min=1, help="Epochs of the network; else those of the system."),
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Memory = Annotated[
    Optional[Path], typer.Option(help="Folder where features are kept and found again.")  # noqa: UP045
]
Jobs = Annotated[int, typer.Option(help="Processes that compute features.")]
Device = Annotated[str, typer.Option(help="Torch device: auto, cpu, cuda, mps.")]
Home = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Folder of downloads; else SKSER_HOME, else ~/skser_data."),
]


@app.command()
def predict(
    files: Annotated[
        list[str],
        typer.Argument(help="Audio files; - reads audio, or names of files, from a pipe."),
    ],
    model: Annotated[
        str,
        typer.Option(help="Saved model (.skser, .onnx), or the name of one that comes along."),
    ] = "emodb-afcn",
    timeline: Annotated[bool, typer.Option(help="Emotion over time, window by window.")] = False,
    window: Annotated[float, typer.Option(help="Of the timeline, in seconds.")] = 2.0,
    hop: Annotated[float, typer.Option(help="Between windows, in seconds.")] = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
):
    """Say which emotion is portrayed in each file, with probabilities."""
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other.")
    fitted = _model(model)
    with tempfile.TemporaryDirectory() as folder:
        names = _named_files(files, Path(folder) / "standard input")
        rows, failures = _predictions(fitted, names, (window, hop) if timeline else None)
    if as_json:
        print(json.dumps(rows, indent=1))
    elif as_csv:
        _print_csv(rows)
    else:
        for row in rows:
            _output.print(escape(_in_words(row)))
    for name, reason in failures:
        _messages.print(f"skser: error: {escape(name)}: {escape(reason)}")
    if failures:
        raise typer.Exit(1)


def _model(name):
    if Path(name).suffix == ".onnx":
        from skser.persistence import load_onnx

        return load_onnx(name)
    from skser.persistence import list_pretrained, load, load_pretrained

    return load_pretrained(name) if name in list_pretrained() else load(name)


def _named_files(files, standard_input):
    """Path by the name to print; a pipe holds the audio itself, or names, one per line."""
    names = {}
    for file in files:
        if file != "-":
            names[file] = file
            continue
        content = sys.stdin.buffer.read()
        try:
            lines = content.decode().splitlines()
            is_text = "\0" not in lines[0] if lines else True
        except UnicodeDecodeError:
            is_text = False
        if is_text:
            names |= {line: line for line in lines if line}
        else:
            standard_input.write_bytes(content)
            names["-"] = str(standard_input)
    if not names:
        raise ValueError("The pipe is empty: neither audio nor names of files came through it.")
    return names


def _predictions(model, names, windows):
    """A row per file or window, and (name, reason) of the files that could not be read."""
    from skser.audio import AudioReadError
    from skser.inspection import emotion_timeline

    rows, failures = [], []

    def predicted(batch):
        paths = [names[name] for name in batch]
        if windows is None:
            found = [
                _row(name, model, outputs)
                for name, outputs in zip(batch, _outputs(model, paths), strict=True)
            ]
            return found
        tables = [emotion_timeline(model, path, *windows) for path in paths]
        return [
            {"file": name, "start": start, "end": end} | _scores(model.classes_, scores)
            for name, table in zip(batch, tables, strict=True)
            for start, end, *scores in table.itertuples(index=False)
        ]

    size = _AT_ONCE if windows is None else 1
    batches = [list(names)[i : i + size] for i in range(0, len(names), size)]
    for batch in track(
        batches, "predicting", console=_messages, transient=True, disable=len(batches) == 1
    ):
        try:
            rows += predicted(batch)
        except AudioReadError as error:
            by_path = {names[name]: name for name in batch}
            failed = {by_path[path]: reason for path, reason in error.failures}
            failures += failed.items()
            if left := [name for name in batch if name not in failed]:
                rows += predicted(left)
    return rows, failures


def _outputs(model, paths):
    is_classifier = hasattr(model, "predict_proba")
    return model.predict_proba(paths) if is_classifier else model.predict(paths)


def _row(name, model, outputs):
    if hasattr(model, "predict_proba"):
        return {"file": name} | _scores(model.classes_, outputs)
    values = outputs.tolist() if outputs.ndim else [float(outputs)]
    return {"file": name} | {f"output {i}": value for i, value in enumerate(values)}


def _scores(classes, scores):
    """The class, and the probability of each."""
    shares = dict(zip(map(str, classes), map(float, scores), strict=True))
    return {"emotion": max(shares, key=shares.get), "probabilities": shares}


def _in_words(row):
    words = [row["file"]]
    if "start" in row:
        words.append(f"{row['start']:.2f}-{row['end']:.2f} s")
    if "emotion" in row:
        ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])[:3]
        return ": ".join([*words, ", ".join(f"{name} {share:.0%}" for name, share in ranked)])
    return ": ".join([*words, ", ".join(f"{value:.3f}" for value in list(row.values())[1:])])


def _print_csv(rows):
    flat = [
        {k: v for k, v in row.items() if k != "probabilities"}
        | {f"proba_{name}": share for name, share in row.get("probabilities", {}).items()}
        for row in rows
    ]
    writer = csv.DictWriter(sys.stdout, list(flat[0]) if flat else ["file"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)


@app.command()
def train(
    table: TableOrFolder,
    out: Annotated[Path, typer.Option(help="File to write, such as model.skser.")],
    corpus: Corpus = None,
    system: ChosenSystem = System.attention_fcn,
    max_epochs: Epochs = None,
    seed: Seed = 0,
    memory: Memory = None,
    jobs: Jobs = 1,
    device: Device = "auto",
):
    """Train a model on all utterances of a table and save it."""
    from skser.persistence import save

    data = _corpus(table, corpus)
    if not out.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {out.absolute().parent} to write {out.name} to."
        )
    model = _system(system, max_epochs, seed, memory, jobs, device)
    with _messages.status(f"training {system} on {len(data.target)} utterances"):
        model.fit(data.data, data.target.astype(str))
        save(model, out)
    _messages.print(
        f"{escape(str(out))}: {system}, {len(data.target_names)} emotions, trained on all "
        f"{len(data.target)} utterances. How good it is on strangers: skser evaluate."
    )


@app.command()
def evaluate(
    table: TableOrFolder,
    corpus: Corpus = None,
    system: ChosenSystem = System.attention_fcn,
    report: Annotated[
        Optional[Path], typer.Option(help="HTML file to write.")  # noqa: UP045
    ] = None,
    protocol: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Published folds, such as emodb-loso or ravdess-5."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Speaker-disjoint folds, if no protocol.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Fits per fold.")] = 1,
    folder: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Where finished folds are kept; a later run goes on behind them."),
    ] = None,
    max_epochs: Epochs = None,
    memory: Memory = None,
    jobs: Annotated[int, typer.Option(help="Processes over folds and seeds.")] = 1,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
):
    """Judge a system on speakers that it was not trained on."""
    from skser.inspection import EvaluationReport
    from skser.model_selection import cross_validate_speakers, published_folds

    data = _corpus(table, corpus)
    evaluation = cross_validate_speakers(
        _system(system, max_epochs, 0, memory, 1, device),
        data,
        cv=folds if protocol is None else published_folds(data, protocol),
        n_seeds=seeds,
        folder=folder,
        n_jobs=jobs,
        verbose=True,
    )
    if as_json:
        summary = evaluation.summary().astype(object)
        print(json.dumps(summary.where(summary.notna(), None).to_dict("index"), indent=1))
    else:
        _output.print(escape(str(evaluation)))
    if report is not None:
        written = EvaluationReport(evaluation, data).save(report)
        _messages.print(f"report: {escape(str(written))}")


def _corpus(path, name):
    """The utterance table of a CSV file, or of the folder of a corpus."""
    from skser.datasets import load_corpus, load_table

    if name is not None:
        return load_corpus(name, path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: say with --corpus which corpus it holds.")
    return load_table(path)


def _system(system, max_epochs, seed, memory, jobs, device):
    from skser import pipelines

    given = {} if max_epochs is None else {"max_epochs": max_epochs}
    return getattr(pipelines, system.replace("-", "_"))(
        random_state=seed, memory=memory, n_jobs=jobs, device=device, **given
    )


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Corpus; see: skser corpora.")],
    version: Annotated[Optional[str], typer.Option(help="Of an audb database.")] = None,  # noqa: UP045
    data_home: Home = None,
    table: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="CSV file to write, for skser train and evaluate."),
    ] = None,
):
    """Download a corpus, check it and unpack it."""
    from skser.datasets import fetch_audb, fetch_ravdess

    if name.lower() == "ravdess" and version is None:
        data = fetch_ravdess(data_home, progressbar=True)
    else:
        data = fetch_audb(name, version, data_home=data_home)
    _output.print(escape(str(data)))
    if table is not None:
        data.frame.to_csv(table, index=False)
        _messages.print(f"table: {escape(str(table))}")


@app.command()
def corpora(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False):
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
        table.add_row(*(escape(str(cell)) for cell in row))
    _output.print(table)


@app.command()
def info(
    model: Annotated[str, typer.Argument(help="Saved model, or the name of one that comes along.")],
):
    """Say what a saved model was trained on and what it gives, without loading it."""
    from skser.persistence import list_pretrained, read_info
    from skser.persistence._pretrained import path_of

    path = path_of(model) if model in list_pretrained() else model
    found = read_info(path)
    card = found.pop("card")
    print(json.dumps(found, indent=1, ensure_ascii=False))
    if card:
        print(f"\n{card}")


@app.command()
def versions():
    """Versions of everything that matters, for a bug report."""
    from skser import show_versions

    show_versions()


def main():
    """Run the command line; what goes wrong with files and values is told on one line."""
    try:
        app(prog_name="skser")
    except (ImportError, OSError, ValueError) as error:
        if os.environ.get("SKSER_TRACEBACK"):
            raise
        _messages.print(f"skser: error: {escape(' '.join(str(error).split()))}")
        sys.exit(1)
