"""Table and leakage report of folds that share speakers."""

import textwrap

from render_results import list_table
from stored_results import read_result, write_generated


def write_shared_speakers(docs):
    """Write the table and the report into ``generated/``."""
    path = docs.parent / "benchmarks/results/shared_speakers.json"
    for name, make in (("shared_speakers", table), ("shared_speakers_report", report)):
        write_generated(docs / f"generated/{name}.rst", make, path)


def table(path):
    """Return the table of scores, by kind of folds."""
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    rows = [
        ["folds", "number of folds", "speakers on both sides", "sentences on both sides", "UAR, %",
         "accuracy, %"]
    ]  # fmt: skip
    for found in result["protocols"]:
        rows.append(
            [
                found["protocol"],
                found["n_folds"],
                f"{found['shared_speakers']} of {result['n_speakers']}",
                f"{found['shared_sentences']} of {result['n_sentences']}",
                f"{100 * found['uar']:.1f}",
                f"{100 * found['accuracy']:.1f}",
            ]
        )
    system = f"The system is ``{result['system']}`` on {result['corpus']}.\n"
    return f"{list_table(rows)}\n{system}"


def report(path):
    """Return the leakage report of EmoBox's folds."""
    if not path.exists():
        return "Not measured yet.\n"
    return f"::\n\n{textwrap.indent(read_result(path)['report'], '   ')}\n"
