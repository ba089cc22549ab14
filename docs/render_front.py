"""Table of the recommended systems, for the landing page and the README."""

from pathlib import Path

from render_results import list_table
from stored_results import read_result, write_generated

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
HEADINGS = [
    "system",
    "unheard speakers",
    "in noise (10 dB)",
    "foreign corpus",
    "adapted",
    "training",
    "one file",
    "size",
]
# Name in recommended.json, title, and name in the leaderboard.
ROWS = [
    ("whisper_linear", "`whisper_linear`, on Whisper tiny", "whisper-linear"),
    ("fcn_and_functionals", "`fcn_and_functionals`, from scratch", "fcn-and-functionals"),
    ("functionals", "`functionals`, from scratch", "functionals"),
    ("ComParE and SVM", "openSMILE's ComParE and a linear SVM", "compare-svm"),
]


def rows():
    """Return the rows of the table, headings first."""
    costs = read_result(RESULTS / "recommended.json")["systems"]
    found = [HEADINGS]
    for name, title, listed in ROWS:
        unheard, foreign = (
            read_result(RESULTS / f"leaderboard_{task}_{listed}.json")["summary"]
            for task in ("emodb-loso", "emodb-to-ravdess")
        )
        low, high = (100 * bound for bound in unheard["uar"]["interval"])
        entry = costs[name]
        found.append(
            [
                title,
                f"{_percent(unheard['uar'])} ({low:.0f}\u2013{high:.0f})",
                _percent(unheard["uar_in_noise"]),
                _percent(foreign["uar"]),
                _percent({"mean": entry["foreign"].get("adapted")}),
                f"{entry['train_cpu_seconds']:.0f}\u00a0s",
                f"{1000 * entry['predict_cpu_seconds']:.0f}\u00a0ms",
                f"{entry['megabytes']:.1f}\u00a0MB",
            ]
        )
    return found


def _percent(summary):
    return "\u2013" if summary["mean"] is None else f"{100 * summary['mean']:.1f}"


def write_front(docs):
    """Write the table into ``generated/``."""
    write_generated(docs / "generated/front.rst", lambda: list_table(in_restructured_text()))


def in_restructured_text():
    """Return the rows with literals as reStructuredText has them."""
    return [[cell.replace("`", "``") for cell in row] for row in rows()]


def in_markdown():
    """Return the table in Markdown."""
    head, *body = (f"| {' | '.join(row)} |\n" for row in rows())
    return head + "|---" * len(HEADINGS) + "|\n" + "".join(body)
