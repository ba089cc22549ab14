"""Turn benchmarks/results/*.json into tables of the documentation."""

import json
import statistics
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
    (target / "features.rst").write_text(features(docs))
    (target / "functionals.rst").write_text(functionals(docs))
    (target / "functionals_ablation.rst").write_text(functionals_ablation(docs))
    (target / "scale.rst").write_text(scale(docs))
    (target / "training.rst").write_text(training(docs))


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
    rows = [["what", "seconds", "peak of anonymous memory in MB"]]
    rows += [
        [
            title,
            f"{result[name]['seconds']:.0f}",
            f"{result[name]['peak_anonymous_megabytes']:.0f}",
        ]
        for name, title in titles.items()
        if name in result
    ]
    text = (
        f"{result['hours_of_speech']:.1f} hours of speech, {result['n_utterances']:,} utterances, "
        f"a block of {result['block_gigabytes']:.1f} GB.\n\n{list_table(rows)}"
    )
    if "kill" in result:
        kill = result["kill"]
        same = "the same bytes" if kill["same_bytes"] else "OTHER BYTES"
        text += (
            f"\nKilled after {kill['finished_when_killed']:,} utterances and started again: "
            f"{same}, {kill['computed_again']} utterances computed twice.\n"
        )
    return text


def training(docs):
    """What training costs beside loops of one's own."""
    path = docs.parent / "benchmarks/results/training.json"
    if not path.exists():
        return "Not measured yet.\n"
    result = json.loads(path.read_text())
    rows = [["what", "measured"]]
    if "loop" in result:
        loop = result["loop"]
        cost = f"{loop['fit_milliseconds_per_utterance_and_epoch']:.2f} ms"
        rows.append(["CPU time per utterance and epoch, one thread", cost])
        rows.append(["times that of a hand-written loop", f"{loop['ratio']:.2f}"])
    if "skorch" in result:
        rows.append(["times faster than plain skorch", f"{result['skorch']['times_faster']:.2f}"])
    if "memory" in result:
        rows.append(["peak memory, times that of the loop", f"{result['memory']['ratio']:.2f}"])
    if "growth" in result:
        growth = result["growth"]
        sizes = growth["n_utterances"]
        rows.append(
            [
                f"power by which an epoch of {sizes[0]:,} to {sizes[-1]:,} utterances grows",
                f"{growth['exponent']:.2f}",
            ]
        )
    if "device" in result:
        device = result["device"]
        name, accuracy = device["device"], device["accuracy"]
        rows += [
            [f"utterances per second on {name}", f"{device['utterances_per_second']:,.0f}"],
            [f"share of the loop's on {name}", f"{device['share_of_loop']:.2f}"],
            [f"share of time that {name} is busy", f"{device['busy_share']:.2f}"],
            [
                "accuracy with float32 and bfloat16",
                f"{accuracy['float32']:.3f}, {accuracy['bfloat16']:.3f}",
            ],
        ]
    return list_table(rows)


def list_table(rows):
    """A table of the documentation, the first row its heads."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def made_up(docs):
    """UAR of statistics and of the network on the made-up corpus."""
    path = docs.parent / "benchmarks/results/made_up.json"
    result = json.loads(path.read_text())
    titles = {
        "linear": "logistic regression on mean and variance of log-mels",
        "attention_fcn": "AttentionFCNClassifier()",
    }
    rows = [["model", "UAR"]]
    for name, title in titles.items():
        scores = result["summary"][name]
        uar = f"{100 * scores['uar_mean']:.1f} ± {100 * scores['uar_sd_over_seeds']:.1f}"
        rows.append([title, uar])
    return list_table(rows)


def attention_fcn(docs):
    """UAR, accuracy and cost of the default pipeline on each protocol."""
    results = sorted((docs.parent / "benchmarks/results").glob("attention_fcn_*.json"))
    heads = ["protocol", "UAR", "accuracy", "worst fold's UAR", "seeds"]
    heads += ["seconds of one core per fit, machine idle", "with other work, at most"]
    rows = [heads]
    for path in results:
        result = json.loads(path.read_text())
        summary = result["summary"]
        row = [
            TITLES[result["protocol"]],
            percent(summary["uar"]),
            percent(summary["accuracy"]),
            f"{100 * summary['uar']['worst_fold']:.1f}",
            str(summary["n_seeds"]),
            f"{result['alone']['fit_cpu_seconds']:.0f}" if result.get("alone") else "",
            f"{summary['fit_cpu_seconds_max']:.0f}",
        ]
        rows.append(row)
    return list_table(rows)


def functionals(docs):
    """UAR and accuracy of a linear SVM on each kind of sentence-level vector."""
    result = json.loads((docs.parent / "benchmarks/results/functionals.json").read_text())
    heads = ["vectors", "columns"]
    for protocol in result["protocols"]:
        heads += [f"{TITLES[protocol]} UAR", "accuracy", "over folds", "first fold"]
    rows = [heads]
    for name, entries in result["systems"].items():
        row = [name, str(entries[result["protocols"][0]]["n_features"])]
        for protocol in result["protocols"]:
            entry = entries[protocol]
            folds = [100 * uar for uar in entry["fold_uar"]]
            row += [
                f"{100 * entry['uar']:.1f}",
                f"{100 * entry['accuracy']:.1f}",
                f"{statistics.mean(folds):.1f} ± {statistics.stdev(folds):.1f}",
                f"{folds[0]:.1f}",
            ]
        rows.append(row)
    return list_table(rows)


def functionals_ablation(docs):
    """UAR on inner folds with some statistics left out."""
    path = docs.parent / "benchmarks/results/functionals_ablation.json"
    result = json.loads(path.read_text())
    protocols = list(result["uar"]["all"])
    rows = [["statistics", *(protocol.split("-")[0] for protocol in protocols)]]
    rows += [
        [name, *(f"{100 * entry[protocol]:.1f}" for protocol in protocols)]
        for name, entry in result["uar"].items()
    ]
    return list_table(rows)


def features(docs):
    """Each peer's time as a multiple of this package's, and how fast that is."""
    result = json.loads((docs.parent / "benchmarks/results/features.json").read_text())
    rows = [["corpus, feature, input", "skser: times real time", "time of others, of ours"]]
    for name, compared in result["comparisons"].items():
        sides = dict(compared["sides"])
        own = sides.pop("skser")
        others = ", ".join(f"{side} {entry['times_ours']:.1f}" for side, entry in sides.items())
        rows.append([name, f"{own['times_real_time']:.0f}", others])
    for name, two in result["two_processes"].items():
        rows.append(
            [
                f"two processes, {two['n_files']} files, {name}",
                "",
                f"one process {two['times_faster']:.2f}",
            ]
        )
    grown = " and ".join(
        f"{entry['growth_mb']:.0f} MB for {entry['n_files']} files ({entry['returned_mb']:.0f} MB "
        "of them returned)"
        for entry in result["memory"]
    )
    return f"{list_table(rows)}\nMemory of ``Functionals(FrameFeatures())`` grew by {grown}.\n"


if __name__ == "__main__":
    write_tables(Path(__file__).parent)
