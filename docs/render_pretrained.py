"""Tables of the results of pretrained encoders and transfer."""

from render_adversarial import seeds_of
from render_results import TITLES, list_table
from render_robustness import CORPORA
from stored_results import read_result, write_generated

SYSTEMS = {
    "plain": "middle layers, mean and standard deviation, linear SVM",
    "trimmed": "trimmed silence, all layers, logistic regression",
    "middle": "trimmed silence, layers 2 and 3, logistic regression",
    "fine-tuned": "trimmed silence, speed augmentation, two fine-tuned layers",
    "networks": "vote of several fine-tuned networks",
    "vote": "vote of the fine-tuned network and the logistic regression on layers 2 and 3",
    "transductive": "as the second row, scaled within each speaker (transductive)",
    "transductive-vote": "vote of the previous row and the fine-tuned network, each scaled within "
    "each speaker (transductive)",
}
FUSION = ("without audio", "without text")


def write_pretrained_tables(docs):
    """Write the tables into ``generated/``."""
    results, target = docs.parent / "benchmarks/results", docs / "generated"
    write_generated(target / "embeddings.rst", embeddings, results)
    write_generated(target / "speed_averaging.rst", speed_averaging, results)
    write_generated(target / "embedding_speed.rst", embedding_speed, results)
    write_generated(target / "embedding_precision.rst", embedding_precision, results)
    write_generated(target / "fusion.rst", fusion, results)
    write_generated(target / "staged_transfer.rst", staged_transfer, results)
    write_generated(target / "label_efficiency.rst", label_efficiency, results)


def embeddings(results):
    """Return a table of UAR and accuracy of each measured system."""
    rows = [["corpus", "system", "seeds", "UAR", "accuracy", "worst fold's UAR", "gain"]]
    for protocol, title in TITLES.items():
        for name, system in SYSTEMS.items():
            path = results / f"embeddings_{protocol}_{name}.json"
            if not path.exists():
                continue
            result = read_result(path)
            n_seeds = result["summary"]["n_seeds"]
            if not n_seeds:
                continue
            seeded = name == "fine-tuned" or name.endswith("vote")
            if name != "networks":
                seeds = n_seeds if seeded else "none"
                rows.append([title, system, seeds, *_scores(result["summary"])])
            together = result.get("all_seeds", {"n_networks": 1})
            if together["n_networks"] > 1:
                several = f"vote of {together['n_networks']} networks of the previous row"
                name_of_row = system if name == "networks" else several
                rows.append([title, name_of_row, "all", *_scores(together)])
            elif name == "networks":
                continue
            if "against_plain" in result:
                difference, low, high = (
                    100 * result["against_plain"][key] for key in ("difference", "low", "high")
                )
                rows[-1][-1] = f"{difference:+.1f} ({low:+.1f} to {high:+.1f})"
    return (
        f"{list_table(rows)}\nAll values are in percent over all folds, as mean ± standard "
        "deviation over seeds. The gain is the difference in UAR to the first row of the corpus, "
        "with a 95 % interval over speakers.\n"
    )


def speed_averaging(results):
    """Return a table of the fine-tuned encoder at one speed and at five, on inner folds too."""
    rows = [["folds", "system", "seeds", "UAR", "accuracy", "worst fold's UAR"]]
    for protocol, title in TITLES.items():
        for ending, folds in ("_inner", f"{title}, inner folds"), ("", title):
            path = results / f"speed_averaging_{protocol}{ending}.json"
            found = read_result(path)["summary"] if path.exists() else {}
            for name, summary in found.items():
                if summary["n_seeds"]:
                    rows.append([folds, name, summary["n_seeds"], *_scores(summary)[:-1]])
    return list_table(rows) if len(rows) > 1 else "Not measured yet.\n"


def _scores(summary):
    scores = [_with_sd(summary[metric]) for metric in ("uar", "accuracy")]
    return [*scores, f"{100 * summary['worst_fold']:.1f}", ""]


def _with_sd(summary):
    mean, sd = 100 * summary["mean"], summary["sd_over_seeds"]
    return f"{mean:.1f}" if sd is None else f"{mean:.1f} ± {100 * sd:.1f}"


def embedding_speed(results):
    """Return a table of extraction times with and without padding."""
    result = read_result(results / "embedding_speed.json")
    rows = [["corpus", "with padding to 30 s", "``SpeechEmbedding``", "ratio"]]
    for protocol, entry in result["time"].items():
        each = (entry["seconds"][name] / entry["n_files"] for name in ("usual", "skser"))
        cells = [f"{1000 * seconds:.0f} ms" for seconds in each]
        rows.append([TITLES[protocol], *cells, f"{entry['ratio']:.1f}"])
    table = list_table(rows)
    for protocol, entry in result.get("accuracy", {}).items():
        pair = (f"{100 * entry[name]['uar']:.1f}" for name in ("usual", "skser"))
        table += "\nUAR of the same linear SVM on {}: {} with padding, {} without.\n".format(
            TITLES[protocol], *pair
        )
    return (
        f"{table}\nTime per utterance to read the file and compute the second layer of "
        "Whisper-tiny on one thread (``benchmarks/embedding_speed.py``).\n"
    )


def embedding_precision(results):
    """Return a table of the gain in speed and the UAR of each precision."""
    path = results / "embedding_precision.json"
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    rows = [["``precision``", "speed relative to float32", "UAR", "accuracy"]]
    for precision, scores in result["scores"].items():
        gain = result["time"][precision]["gain"]
        cells = [f"{100 * scores[metric]:.1f}" for metric in ("uar", "accuracy")]
        rows.append([f'``"{precision}"``', f"{gain:.2f}", *cells])
    machine = result["origin"]["machine"]
    return (
        f"{list_table(rows)}\nLayer {result['layer']} of Whisper-tiny on one thread of "
        f"{machine['processor']}, decoding included, and a linear SVM that leaves one speaker of "
        "EmoDB out (``benchmarks/embedding_precision.py``).\n"
    )


def label_efficiency(results):
    """Return a table of UAR by labels per class, and of the labels that the baseline needs."""
    result = read_result(results / "label_efficiency.json")
    rows = [["corpus", "labels per class", "pretrained", "hand-crafted", "label factor"]]
    for protocol, entry in result["protocols"].items():
        scores = {(row["estimator"], row["n_labels"]): row for row in entry["scores"]}
        for row in entry["multiples"]:
            n = row["n_labels"]
            cells = [
                f"{100 * scores[name, n]['mean']:.1f} ± {100 * scores[name, n]['std']:.1f}"
                for name in ("pretrained", "hand-made")
            ]
            multiple, low, high = (
                "more than all" if row[key] is None else f"{row[key]:.1f}"
                for key in ("multiple", "low", "high")
            )
            catches_up = f"{multiple} ({low} to {high})"
            if multiple == low == "more than all":
                catches_up = multiple
            rows.append([TITLES[protocol], f"{n:.0f}", *cells, catches_up])
    return (
        f"{list_table(rows)}\nUAR is in percent over all folds, as mean ± standard deviation over "
        f"{result['n_repeats']} draws. The label factor states how many times as many labels the "
        "hand-crafted vectors need for the same UAR, with its 95 % interval (bootstrap over "
        "speakers and draws). The last row of each corpus uses all labels.\n"
    )


def fusion(results):
    """Return a table of UAR with either modality, with both, and with one of them dropped."""
    result = read_result(results / "fusion.json")
    rows = [["input", "UAR"]]
    for name, values in [*result["uar"].items(), *((name, result[name]) for name in FUSION)]:
        label = f"words look at frames, predicting {name}" if name in FUSION else name
        label = label.replace("look at", "attend to")
        rows.append([label, mean_and_sd(values)])
    return (
        f"{list_table(rows)}\nMean ± standard deviation over {len(result['planted_mass'])} seeds, "
        f"in percent. The marked word directs {mean_and_sd(result['planted_mass'])} % of its "
        "attention to its own frames, which are a fifth of all frames.\n"
    )


def mean_and_sd(values):
    """Return mean and standard deviation in percent."""
    mean = sum(values) / len(values)
    sd = (sum((v - mean) ** 2 for v in values) / max(1, len(values) - 1)) ** 0.5
    return f"{100 * mean:.1f} ± {100 * sd:.1f}"


def staged_transfer(results):
    """Return tables of UAR by share of labels, with differences to training from scratch."""
    parts = []
    for target, title in CORPORA.items():
        path = results / f"staged_transfer_{target}.json"
        if not path.exists():
            continue
        result = read_result(path)
        uars = {(row["source"], row["share"], row["system"]): row for row in result["summary"]}
        shares = sorted({share for _, share, _ in uars})
        seeds = {
            share: seeds_of([row for row in result["summary"] if row["share"] == share])
            for share in shares
        }
        heads = [f"{100 * share:g} % of labels, {seeds[share]}" for share in shares]
        rows = [["weights from", "system", *heads]]
        for source, system in dict.fromkeys((s, name) for s, _, name in uars):
            cells = []
            for share in shares:
                row = uars.get((source, share, system))
                cell = "" if row is None else _mean_and_sd(row["uar"])
                for pair in result.get("paired", ()):
                    key = pair["source"], pair["share"], pair["system"], pair["against"]
                    if key == (source, share, system, "from scratch"):
                        low, high = 100 * pair["low"], 100 * pair["high"]
                        cell += f" ({100 * pair['difference']:+.1f}; {low:+.1f} to {high:+.1f})"
                cells.append(cell)
            rows.append([CORPORA.get(source, source) or "none", system, *cells])
        parts.append(f"{title}, five speaker-disjoint folds:\n\n{list_table(rows)}")
        direct = [pair for pair in result.get("paired", ()) if pair["against"] == "single-stage"]
        if direct:
            differences = "; ".join(
                f"{CORPORA.get(pair['source'], pair['source'])}, {100 * pair['share']:g} %: "
                f"{100 * pair['difference']:+.1f} "
                f"({100 * pair['low']:+.1f} to {100 * pair['high']:+.1f})"
                for pair in direct
            )
            parts.append(f"Difference of two-stage to single-stage transfer: {differences}.\n")
    return "\n".join(parts) or "Not measured yet.\n"


def _mean_and_sd(summary):
    mean, sd = 100 * summary["mean"], summary["sd"]
    return f"{mean:.1f}" if sd is None else f"{mean:.1f} ± {100 * sd:.1f}"
