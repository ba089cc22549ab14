"""Stored results of benchmarks, and marks for those that other code made."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from results_check import status

_read = []
_MARKS = {
    "reproduced": "was measured with a version of the code whose first fold the present one "
    "reproduces",
    "earlier code": "was measured with an earlier version of the code",
    "unknown code": "was measured before results recorded the code that made them",
}


def read_result(path):
    """Return the content of a result file, and note that it was read."""
    result = json.loads(Path(path).read_text("utf-8"))
    _read.append(result)
    return result


def write_generated(path, make, *arguments):
    """Write what a function makes of results, with a mark if other code made them.

    Parameters
    ----------
    path : Path
        Path of the generated page.
    make : callable
        Function ``make(*arguments)`` -> str that reads results by `read_result`.
    *arguments
        Arguments of the function.
    """
    _read.clear()
    text = make(*arguments)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + mark(_read), "utf-8")


def mark(results):
    """Return a note that names the state of results, or nothing if all are current."""
    states = {status(result) for result in results}
    reasons = "; some ".join(_MARKS[name] for name in sorted(states & set(_MARKS)))
    if not reasons:
        return ""
    some = "This" if len(states) == 1 else "Some of this"
    return f"\n.. note::\n\n   {some} {reasons}; see :doc:`/provenance`.\n"
