"""The command line: its commands, which are thin wrappers around the Python API, and its errors."""

import codecs
import os
import sys
import warnings
from typing import Annotated

import typer

import skser
from skser.cli._compare import compare
from skser.cli._console import complain, messages
from skser.cli._corpora import corpora, fetch
from skser.cli._info import info, versions
from skser.cli._predict import listen, predict
from skser.cli._train import evaluate, train


class _Commands(typer.core.TyperGroup):
    """Commands that Ctrl-C ends with one line and the exit code 130, as shells do."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            messages.print("skser: interrupted")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="skser",
    cls=_Commands,
    help="Speech emotion recognition as ordinary scikit-learn.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (predict, listen, train, evaluate, compare, fetch, corpora, info, versions):
    app.command()(command)


def _print_version(asked):
    if asked:
        print(f"skser {skser.__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
):
    """Speech emotion recognition as ordinary scikit-learn."""


def main():
    """Run the command line; errors of files and values are reported on one line.

    With the environment variable ``SKSER_TRACEBACK`` set, they are raised instead.
    """
    _print_any_name()
    with warnings.catch_warnings():
        warnings.showwarning = _print_warning
        try:
            app(prog_name="skser")
        except (ImportError, OSError, TypeError, ValueError) as error:
            if os.environ.get("SKSER_TRACEBACK"):
                raise
            complain(error)
            sys.exit(1)


def _print_any_name():
    """Let standard output take names that its encoding lacks, rather than lose the results."""
    if getattr(sys.stdout, "errors", None) == "strict":
        is_utf_8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf_8 else "backslashreplace")


def _print_warning(message, *place, **more):
    complain(message, "warning")
