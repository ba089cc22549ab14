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
# Name in recommended.json, title, and start of the name in the results of conditions.py.
ROWS = [
    ("whisper_linear", "`whisper_linear`, on Whisper tiny", "whisper-tiny"),
    ("fcn_and_functionals", "`fcn_and_functionals`, from scratch", "fcn-and-functionals"),
    ("functionals", "`functionals`, from scratch", "functionals"),
    ("ComParE and SVM", "openSMILE's ComParE and a linear SVM", None),
]  # fmt: skip


def rows():
    """Return the rows of the table, headings first."""
    systems = read_result(RESULTS / "recommended.json")["systems"]
    found = [HEADINGS]
    for name, title, of_conditions in ROWS:
        entry = systems[name]
        if of_conditions is None:
            uar = {c: f"{100 * value:.1f}" for c, value in entry["emodb-loso"].items()}
        else:
            path = RESULTS / f"conditions_emodb-loso_{of_conditions}-in-conditions.json"
            summary = read_result(path)["summary"]
            uar = {c: f"{100 * summary[c]['uar']['mean']:.1f}" for c in ("clean", "white 10 dB")}
        foreign = entry["foreign"]
        adapted = f"{100 * foreign['adapted']:.1f}" if "adapted" in foreign else "–"
        found.append(
            [
                title,
                uar["clean"],
                uar["white 10 dB"],
                f"{100 * foreign['inductive']:.1f}",
                adapted,
                f"{entry['train_cpu_seconds']:.0f}\u00a0s",
                f"{1000 * entry['predict_cpu_seconds']:.0f}\u00a0ms",
                f"{entry['megabytes']:.1f}\u00a0MB",
            ]
        )
    return found


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
