"""Commands about corpora: their list, and downloads."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from skser.audio import printable
from skser.cli._console import messages, output
from skser.cli._files import check_place, writing
from skser.cli._options import Home, Json

# Columns of the list of corpora that fit into a terminal; --json prints all.
_SHOWN = ("language", "speech", "n_utterances", "n_speakers", "license", "download")


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
        check_place(table)
    known = {key: i for k, i in CORPORA.items() for key in (k, i.name.lower())}.get(name.lower())
    if known is not None and version is None:
        if known.fetcher is None:
            raise ValueError(
                f"{known.name} is distributed only by its publishers. Request it at {known.url}"
            )
        fetch_it = getattr(datasets, known.fetcher.removesuffix("()"))
        data = fetch_it(data_home, progressbar=True)
    else:
        name = known.audb.name if known is not None and known.audb is not None else name
        data = datasets.fetch_audb(name, version, data_home=data_home, progressbar=True)
    output.print(str(data))
    if table is not None:
        with writing(table):
            data.frame.to_csv(table, index=False)
        messages.print(f"table: {printable(table)}")


def corpora(as_json: Json = False):
    """List the corpora that have a loader."""
    from skser.datasets import corpus_facts

    found = corpus_facts()
    if as_json:
        print(json.dumps(found, indent=1))
        return
    if not output.is_terminal:  # for other programs, a line for each corpus
        for name, facts in found.items():
            print("\t".join([name, *("" if facts[k] is None else str(facts[k]) for k in _SHOWN)]))
        return
    table = Table(box=None, pad_edge=False)
    for column in ["corpus", *_SHOWN[:-1], "fetch"]:
        side = "right" if "n_" in column else "left"
        table.add_column(column.replace("n_", ""), justify=side, overflow="fold")
    for name, facts in found.items():
        *cells, call = (facts[key] for key in _SHOWN)
        table.add_row(name, *("" if v is None else str(v) for v in cells), "yes" if call else "no")
    output.print(table)
