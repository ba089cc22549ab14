"""Turn benchmarks/results/*.json into tables of the documentation."""

import json
from pathlib import Path

TITLES = {"emodb-loso": "EmoDB-LOSO", "ravdess-5": "RAVDESS-5"}


def percent(summary):
    """Mean over seeds and, with several, their standard deviation, in percent."""
    mean, sd = 100 * summary["pooled_mean"], summary["pooled_sd_over_seeds"]
    return f"{mean:.1f}" if sd is None else f"{mean:.1f} ± {100 * sd:.1f}"


def write_tables(docs):
    """Write the tables into ``generated/``."""
    target = docs / "generated"
    target.mkdir(exist_ok=True)
    (target / "attention_fcn.rst").write_text(attention_fcn(docs))
    (target / "made_up.rst").write_text(made_up(docs))
    (target / "scale.rst").write_text(scale(docs))


def scale(docs):
    """Time and memory of a block larger than memory."""
    path = docs.parent / "benchmarks/results/scale.json"
    if not path.exists():
        return "Not measured yet.\n"
    result = json.loads(path.read_text())
    titles = {
        "extraction": f"extraction to disk, ``n_jobs={result['n_jobs']}``",
        "epoch": f"one epoch of AttentionFCNClassifier, ``n_threads={result['n_threads']}``",
        "pipeline": "SequenceScaler and one epoch",
    }
    lines = [
        f"{result['hours_of_speech']:.1f} hours of speech, {result['n_utterances']:,} utterances, "
        f"a block of {result['block_gigabytes']:.1f} GB.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - what",
        "     - seconds",
        "     - peak of anonymous memory in MB",
    ]
    for name, title in titles.items():
        if name in result:
            lines += [
                f"   * - {title}",
                f"     - {result[name]['seconds']:.0f}",
                f"     - {result[name]['peak_anonymous_megabytes']:.0f}",
            ]
    if "kill" in result:
        kill = result["kill"]
        same = "the same bytes" if kill["same_bytes"] else "OTHER BYTES"
        lines += [
            "",
            f"Killed after {kill['finished_when_killed']:,} utterances and started again: {same}, "
            f"{kill['computed_again']} utterances computed twice.",
        ]
    return "\n".join(lines) + "\n"


def made_up(docs):
    """UAR of statistics and of the network on the made-up corpus."""
    path = docs.parent / "benchmarks/results/made_up.json"
    result = json.loads(path.read_text())
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - model", "     - UAR"]
    titles = {
        "linear": "logistic regression on mean and variance of log-mels",
        "attention_fcn": "AttentionFCNClassifier()",
    }
    for name, title in titles.items():
        scores = result["summary"][name]
        uar = f"{100 * scores['uar_mean']:.1f} ± {100 * scores['uar_sd_over_seeds']:.1f}"
        lines += [f"   * - {title}", f"     - {uar}"]
    return "\n".join(lines) + "\n"


def attention_fcn(docs):
    """UAR, accuracy and cost of the default pipeline on each protocol."""
    results = sorted((docs.parent / "benchmarks/results").glob("attention_fcn_*.json"))
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - protocol",
        "     - UAR",
        "     - accuracy",
        "     - worst fold's UAR",
        "     - seeds",
        "     - seconds of one core per fit, machine idle",
        "     - with other work, at most",
    ]
    for path in results:
        result = json.loads(path.read_text())
        summary = result["summary"]
        cells = [
            TITLES[result["protocol"]],
            percent(summary["uar"]),
            percent(summary["accuracy"]),
            f"{100 * summary['uar']['worst_fold']:.1f}",
            str(summary["n_seeds"]),
            f"{result['alone']['fit_cpu_seconds']:.0f}" if result.get("alone") else "",
            f"{summary['fit_cpu_seconds_max']:.0f}",
        ]
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_tables(Path(__file__).parent)
