"""Table and leakage report of folds that share speakers."""

import json
import textwrap

from render_results import list_table


def write_shared_speakers(docs):
    """Write the table and the report into ``generated/``."""
    target, path = docs / "generated", docs.parent / "benchmarks/results/shared_speakers.json"
    if not path.exists():
        for name in ("shared_speakers", "shared_speakers_report"):
            (target / f"{name}.rst").write_text("Not measured yet.\n")
        return
    result = json.loads(path.read_text())
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
    (target / "shared_speakers.rst").write_text(f"{list_table(rows)}\n{system}")
    report = textwrap.indent(result["report"], "   ")
    (target / "shared_speakers_report.rst").write_text(f"::\n\n{report}\n")
