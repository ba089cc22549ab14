"""Commands that describe saved models and the installation."""

import json
from typing import Annotated

import typer

from skser.audio import printable
from skser.cli._console import output
from skser.cli._files import describe_model
from skser.cli._options import MODEL_HELP

# Name in saved descriptions of the numbers that show whether a model still computes the same.
_SIGNAL = "of_test_signal"
_FIRST = 10  # number of entries of a list that `info` prints


def info(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with all values.")] = False,
):
    """Describe a saved model without loading it: its steps, its outputs and its card."""
    found = describe_model(model)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    card = found.pop("card", None)
    for line in _facts(found):
        output.print(line)
    if card:
        # A card may come from a stranger, who could write codes that rewrite the terminal.
        output.print("\n" + "".join(c if c in "\n\t" else printable(c) for c in card))


def _facts(found, margin=""):
    """Yield the lines of nested facts; unknown facts are left out and long lists are cut."""
    for name, value in found.items():
        if name == _SIGNAL:
            continue
        values = value if isinstance(value, list) else [value]
        if values and all(isinstance(value, dict) for value in values):
            for value in values:
                yield f"{margin}{name}:"
                yield from _facts(value, margin + "  ")
        elif values not in ([], [None]):
            words = [f"{v:g}" if isinstance(v, float) else str(v) for v in values[:_FIRST]]
            more = f", ... ({len(values)} in all)" if len(values) > _FIRST else ""
            yield f"{margin}{name}: {printable(', '.join(words))}{more}"


def versions():
    """Print the versions of skser, its dependencies and the system, for a bug report."""
    from skser import show_versions

    show_versions()
