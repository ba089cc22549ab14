"""Tables of features, the attention FCN, level contours, training and prediction."""

import statistics
from pathlib import Path

from stored_results import read_result, write_generated

TITLES = {"emodb-loso": "EmoDB-LOSO", "ravdess-5": "RAVDESS-5"}


def percent(summary):
    """Return the mean and, with several seeds, the standard deviation in percent."""
    mean, sd = 100 * summary["pooled_mean"], summary["pooled_sd_over_seeds"]
    return f"{mean:.1f}" if sd is None else f"{mean:.1f} ± {100 * sd:.1f}"


def write_tables(docs):
    """Write the tables into ``generated/``."""
    target = docs / "generated"
    target.mkdir(exist_ok=True)
    write_generated(target / "intervals.rst", intervals, docs)
    write_generated(target / "mutants.rst", mutants, docs)
    write_generated(target / "attention_fcn.rst", attention_fcn, docs)
    write_generated(target / "ablation.rst", ablation, docs)
    write_generated(target / "network_attempts.rst", network_attempts, docs)
    write_generated(target / "zhang2018.rst", zhang2018, docs)
    write_generated(target / "attention_planted.rst", attention_planted, docs)
    write_generated(target / "attention_deletion.rst", attention_deletion, docs)
    write_generated(target / "made_up.rst", made_up, docs)
    write_generated(target / "features.rst", features, docs)
    write_generated(target / "functionals.rst", functionals, docs)
    write_generated(target / "functionals_ablation.rst", functionals_ablation, docs)
    write_generated(target / "prediction.rst", prediction, docs)
    write_generated(target / "mpg.rst", mpg, docs)
    write_generated(target / "mpg_search.rst", mpg_search, docs)
    write_generated(target / "training.rst", training, docs)


def intervals(docs):
    """Return the share of false and of true findings of each test, by design."""
    result = read_result(docs.parent / "benchmarks/results/intervals.json")
    designs = result["designs"]
    heads = [f"{d['n_speakers']} speakers, {d['n_folds']} folds" for d in designs]
    tables = []
    for name, title in (("type_1", "false differences, %"), ("power", "real differences, %")):
        rows = [[title, *heads]]
        for method in sorted(designs[0][name], key=lambda method: "jackknife" not in method):
            shown = f"**{method}**" if "jackknife" in method else method
            rows.append([shown, *(f"{100 * design[name][method]:.1f}" for design in designs)])
        tables.append(list_table(rows))
    error = 100 * (result["level"] * (1 - result["level"]) / result["n_simulations"]) ** 0.5
    covers = ", ".join(f"{100 * design['score_coverage']:.1f}" for design in designs)
    fair = {name: f"{100 * share:.1f} %" for name, share in result["fairness"].items()}
    return (
        f"{tables[0]}\nThe method in bold is the one that the package uses. There were "
        f"{result['n_simulations']:,} simulations of each design, so a true share of 5 % is "
        f"measured with a standard error of {error:.1f} points. The intervals of single scores "
        f"contained the true score in {covers} % of them.\n\nThe next table shows how often each "
        "method finds a small difference that is real.\n\n"
        f"{tables[1]}\nOf {result['n_fairness_simulations']:,} models that treat both sexes alike, "
        f"``recall_gap`` called {fair['by speaker']} unfair when it assigned the sexes to "
        f"speakers at random, and {fair['by utterance']} when it treated utterances as "
        "independent.\n"
    )


def mutants(docs):
    """Return the share of mutants that the tests notice, by room."""
    path = docs.parent / "benchmarks/results/mutants.json"
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    rows = [["subpackage", "mutants", "noticed", "survived", "not covered", "noticed, %"]]
    for room, counts in result["rooms"].items():
        kinds = ("killed", "timeout", "survived", "not covered")
        killed, timeout, survived, missed = (counts.get(kind, 0) for kind in kinds)
        total = killed + timeout + survived + missed
        score = f"{100 * counts['score']:.0f}" if total else "–"
        rows.append([room, total, killed + timeout, survived, missed, score])
        after = counts.get("after")
        if after is not None:
            found = [after.get("killed", 0) + after.get("timeout", 0)]
            found += [f"{100 * after['score']:.0f}" if total else "–"]
            rows[-1] += found
    if len(rows[-1]) > len(rows[0]):
        rows[0] += ["noticed with new tests", "noticed with new tests, %"]
    return f"{list_table(rows)}\nDrawn at random from {result['n_possible']:,} possible mutants.\n"


def prediction(docs):
    """Return a table of the time of `predict` and its parts, with many files and long ones."""
    result = read_result(docs.parent / "benchmarks/results/prediction.json")
    one, many = result["one_file"], result["many_files"]
    titles = {
        "decode": "reading the samples with soundfile",
        "feature": "computing the frames",
        "forward": "running the torch module on a tensor",
        "by_hand": "all three and scaling in a hand-written function",
        "predict": "``model.predict([path])``",
    }
    rows = [["operation", "CPU time, ms", "elapsed time, ms"]]
    rows += [
        [title, *(f"{one[clock]['milliseconds'][name]:.2f}" for clock in ("cpu", "wall"))]
        for name, title in titles.items()
    ]
    ratios = {clock: one[clock]["predict_to_pieces"] for clock in ("cpu", "wall")}
    hours = "; ".join(
        f"{entry['minutes']} minutes, {entry['n_windows']:,} windows: "
        f"{entry['cpu_seconds']:.0f} s of CPU time, memory grew by {entry['growth_mb']:.0f} MB"
        for entry in result["timeline"]
    )
    return (
        f"{list_table(rows)}\n``predict`` takes {ratios['cpu']:.2f} times the CPU time of its "
        f"parts and {ratios['wall']:.2f} times their elapsed time (medians of "
        f"{one['n_turns']} repetitions at a load average of {one['load_average']:.1f}). With "
        f"{many['n_files']} files in one call, {many['files_per_cpu_second']:.0f} files are "
        "predicted per second of CPU time.\n\n``emotion_timeline`` with its default window and "
        f"hop: {hours}.\n"
    )


def training(docs):
    """Return a table of training time and memory compared with other training loops."""
    path = docs.parent / "benchmarks/results/training.json"
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    rows = [["quantity", "value"]]
    if "loop" in result:
        loop = result["loop"]
        cost = f"{loop['fit_milliseconds_per_utterance_and_epoch']:.2f} ms"
        rows.append(["CPU time per utterance and epoch on one thread", cost])
        rows.append(["CPU time relative to a hand-written loop", f"{loop['ratio']:.2f}"])
    if "skorch" in result:
        rows.append(["speedup over plain skorch", f"{result['skorch']['times_faster']:.2f}"])
    if "memory" in result:
        rows.append(["peak memory relative to that loop", f"{result['memory']['ratio']:.2f}"])
    if "earlier" in result:
        earlier = result["earlier"]
        label = f"speedup over an earlier version of the package ({earlier['earlier_commit']})"
        rows.append([label, f"{earlier['times_faster']:.2f}"])
    if "growth" in result:
        growth = result["growth"]
        sizes = growth["n_utterances"]
        rows.append(
            [
                f"exponent of the time per epoch for {sizes[0]:,} to {sizes[-1]:,} utterances",
                f"{growth['exponent']:.2f}",
            ]
        )
    if "device" in result:
        device = result["device"]
        name, accuracy = device["device"], device["accuracy"]
        rows += [
            [f"utterances per second on {name}", f"{device['utterances_per_second']:,.0f}"],
            [
                f"throughput relative to that loop on {name}",
                f"{device['share_of_loop']:.2f}",
            ],
            [f"share of time in which {name} is busy", f"{device['busy_share']:.2f}"],
            [
                "accuracy with float32 and bfloat16",
                f"{accuracy['float32']:.3f}, {accuracy['bfloat16']:.3f}",
            ],
        ]
    return list_table(rows)


def list_table(rows):
    """Return rows as a reStructuredText table; the first row contains the headings."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def made_up(docs):
    """Return a table of UAR on the synthetic corpus."""
    path = docs.parent / "benchmarks/results/made_up.json"
    result = read_result(path)
    titles = {
        "linear": "logistic regression on mean and variance of log-mel bands",
        "attention_fcn": "``AttentionFCNClassifier()``",
    }
    rows = [["model", "UAR"]]
    for name, title in titles.items():
        scores = result["summary"][name]
        uar = f"{100 * scores['uar_mean']:.1f} ± {100 * scores['uar_sd_over_seeds']:.1f}"
        rows.append([title, uar])
    return list_table(rows)


FCN_SYSTEMS = {
    "network": "``AttentionFCNClassifier`` on mel spectrograms",
    "networks": "vote of these networks, one per seed",
    "functionals": "linear model of sentence vectors",
    "network + functionals": "vote of a network and the linear model",
    "networks + functionals": "vote of all networks and the linear model",
}


def attention_fcn(docs):
    """Return a table of the default pipeline and its votes on each protocol."""
    results = sorted((docs.parent / "benchmarks/results").glob("attention_fcn_*.json"))
    rows = [["protocol", "system", "UAR", "accuracy", "UAR of first fold", "UAR of worst fold"]]
    costs = []
    for path in results:
        result = read_result(path)
        title = TITLES[result["protocol"]]
        for name, system in FCN_SYSTEMS.items():
            summary = result["summary"][name]
            row = [
                title,
                system,
                percent(summary["uar"]),
                percent(summary["accuracy"]),
                f"{100 * next(iter(summary['uar']['by_fold'].values())):.1f}",
                f"{100 * summary['uar']['worst_fold']:.1f}",
            ]
            rows.append(row)
        seconds = [fit["fit_cpu_seconds"] for fit in result["fits"]]
        alone = result.get("alone")
        quiet = f", {alone['fit_cpu_seconds']:.0f} on an idle machine" if alone else ""
        costs.append(
            f"{title}: {result['summary']['network']['n_seeds']} seeds. Training a network took "
            f"{min(seconds):.0f} to {max(seconds):.0f} seconds on one core{quiet}."
        )
    return list_table(rows) + "\n" + "\n".join(costs) + "\n"


def ablation(docs):
    """Return tables of UAR on inner folds, of each network and of the linear models."""
    results = [
        read_result(docs.parent / f"benchmarks/results/ablation_{protocol}.json")
        for protocol in TITLES
    ]
    heads = [f"{title}: {what}" for title in TITLES.values() for what in ("UAR", "CPU seconds")]
    rows = [["network", *heads]]
    for name in dict.fromkeys(name for result in results for name in result["networks"]):
        row = [name]
        for result in results:
            entry = result["networks"].get(name)
            row += (
                [f"{100 * entry['uar']:.1f}", f"{entry['cpu_seconds']:.0f}"] if entry else ["", ""]
            )
        rows.append(row)
    ways = list(next(iter(results[0]["linear"].values())))
    heads = [f"{title}: {way}" for title in TITLES.values() for way in ways]
    linear = [["logistic regression", *heads]]
    for penalty in results[0]["linear"]:
        entries = [result["linear"][penalty] for result in results]
        linear.append([penalty, *(f"{100 * e[way]:.1f}" for e in entries for way in ways)])
    return f"{list_table(rows)}\n{list_table(linear)}"


def network_attempts(docs):
    """Return a table of attempts to make the attention FCN more accurate, on inner folds."""
    path = docs.parent / "benchmarks/results/network_attempts.json"
    if not path.exists():
        return "Not measured yet.\n"
    attempts = read_result(path)["attempts"]
    columns = ("network", "network at five speeds", "vote", "vote at five speeds")
    rows = [["attempt", *columns, "CPU seconds per fold"]]
    for name, entry in attempts.items():
        cells = [
            " / ".join(f"{100 * value:.1f}" for value in entry["uar"][column].values())
            for column in columns
        ]
        rows.append([name, *cells, f"{entry['cpu_seconds_per_fold']:.0f}"])
    linear = " / ".join(f"{100 * v:.1f}" for v in entry["uar"]["functionals"].values())
    return f"{list_table(rows)}\nThe other part of the vote alone has {linear}.\n"


def zhang2018(docs):
    """Return a table of the folds that the published system was trained on, beside ours."""
    folder = docs.parent / "benchmarks/results"
    path = folder / "leaderboard_emodb-loso_zhang2018.json"
    ours = folder / "attention_fcn_emodb-loso.json"
    if not path.exists() or not ours.exists():
        return "Not measured yet.\n"
    by_fold = read_result(ours)["summary"]["network"]["uar"]["by_fold"]
    rows = [
        ["speaker held out", "zhang2018, UAR", "CPU seconds of training", "default network, UAR"]
    ]
    for fit in read_result(path)["fits"]:
        speaker, uar = list(by_fold)[fit["fold"]], by_fold[list(by_fold)[fit["fold"]]]
        rows.append(
            [speaker, f"{100 * fit['uar']:.1f}", f"{fit['fit_seconds']:.0f}", f"{100 * uar:.1f}"]
        )
    return list_table(rows)


MPG_TITLES = {
    "ExtraTrees": "statistics of the contour, ``ExtraTreesClassifier(300)``",
    "SVC": "statistics of the contour, standardized, ``SVC()``",
    "LogisticRegression": "statistics of the contour, standardized, ``LogisticRegression()``",
    "paper": "``gans2020()``",
    "best": "``gans2020()`` with the settings above",
    "default": "whole spectrograms, ``AttentionFCNClassifier()``",
}


def mpg(docs):
    """Return a table of the systems on the task of "Emotion in Motion", by row and by actor."""
    rows = [["system", "folds", "accuracy", "UAR", "UAR of worst fold", "collapsed folds"]]
    for file in ("statistics", "paper", "best", "default"):
        path = docs.parent / f"benchmarks/results/mpg_{file}.json"
        if not path.exists():
            continue
        for model, of_model in read_result(path)["summary"].items():
            for folds, summary in of_model.items():
                row = [
                    MPG_TITLES[model],
                    f"by {folds.removesuffix('s')}",
                    percent(summary["accuracy"]),
                    percent(summary["uar"]),
                    f"{100 * summary['uar']['worst_fold']:.1f}",
                    f"{summary['collapsed_folds']} of {summary['n_fits']}",
                ]
                rows.append(row)
    return list_table(rows)


def mpg_search(docs):
    """Return a table of accuracy and UAR on inner folds, by setting."""
    path = docs.parent / "benchmarks/results/mpg_search.json"
    rows = [["settings", "by row: accuracy", "by row: UAR", "by actor: accuracy", "by actor: UAR"]]
    for name, entry in read_result(path)["candidates"].items():
        measured = [entry[f][score] for f in ("rows", "actors") for score in ("accuracy", "uar")]
        rows.append([name, *(f"{100 * value:.1f}" for value in measured)])
    return list_table(rows)


def with_sd(summary, factor=1.0):
    """Return the mean and, with several seeds, the standard deviation."""
    mean = f"{factor * summary['mean']:.1f}"
    return f"{mean} ± {factor * summary['sd']:.1f}" if "sd" in summary else mean


def attention_planted(docs):
    """Return a table of the attention to the replaced half second, relative to its duration."""
    path = docs.parent / "benchmarks/results/attention_planted.json"
    if not path.exists():
        return "Not measured yet.\n"
    result = read_result(path)
    summary = result["summary"]
    rows = [["replaced by", "attention relative to duration"]]
    rows += [[name, with_sd(ratio)] for name, ratio in summary["times_share"].items()]
    return (
        f"{list_table(rows)}\nMean ± standard deviation over {summary['uar']['n_seeds']} seeds; "
        f"the half second is {100 * summary['share_of_time']:.0f} % of the utterance, and its "
        f"emotion is recognized with a UAR of {with_sd(summary['uar'], 100)} %.\n"
    )


def attention_deletion(docs):
    """Return a table of UAR without the most attended frames, or without random ones."""
    path = docs.parent / "benchmarks/results/attention_deletion.json"
    if not path.exists():
        return "Not measured yet.\n"
    summary = read_result(path)["summary"]
    rows = [["frames are", "random", "most attended", "difference", "95 % interval"]]
    for way, difference in summary["attended_costs_more"].items():
        interval = "to".join(f" {100 * end:.1f} " for end in difference.get("interval", ()))
        uar = [with_sd(summary["uar"][f"{what} {way}"], 100) for what in ("random", "attended")]
        rows.append([way, *uar, with_sd(difference, 100), interval.strip()])
    return (
        f"{list_table(rows)}\nUAR in percent, as mean ± standard deviation over "
        f"{summary['uar']['whole']['n_seeds']} seeds. With complete utterances, UAR is "
        f"{with_sd(summary['uar']['whole'], 100)}.\n"
    )


def functionals(docs):
    """Return a table of a linear SVM on each kind of sentence-level vector."""
    result = read_result(docs.parent / "benchmarks/results/functionals.json")
    heads = ["vectors", "columns"]
    for protocol in result["protocols"]:
        heads += [f"{TITLES[protocol]} UAR", "accuracy", "UAR over folds", "UAR of first fold"]
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
    """Return a table of UAR on inner folds without some of the statistics."""
    path = docs.parent / "benchmarks/results/functionals_ablation.json"
    result = read_result(path)
    protocols = list(result["uar"]["all"])
    rows = [["statistics", *(protocol.split("-")[0] for protocol in protocols)]]
    rows += [
        [name, *(f"{100 * entry[protocol]:.1f}" for protocol in protocols)]
        for name, entry in result["uar"].items()
    ]
    return list_table(rows)


def features(docs):
    """Return a table of extraction speed, with the time of other libraries relative to skser."""
    result = read_result(docs.parent / "benchmarks/results/features.json")
    rows = [["corpus, feature, input", "skser, times real time", "time relative to skser"]]
    for name, compared in result["comparisons"].items():
        sides = dict(compared["sides"])
        own = sides.pop("skser")
        others = ", ".join(f"{side} {entry['times_ours']:.1f}" for side, entry in sides.items())
        rows.append([name, f"{own['times_real_time']:.0f}", others])
    for name, two in result["two_jobs"].items():
        rows.append(
            [
                f"two jobs, {two['n_files']} files, {name}",
                "",
                f"one process: {two['times_faster']:.2f}",
            ]
        )
    grown = " and ".join(
        f"{entry['growth_mb']:.0f} MB for {entry['n_files']} files (with a result of "
        f"{entry['returned_mb']:.0f} MB)"
        for entry in result["memory"]
    )
    return f"{list_table(rows)}\nMemory of ``Functionals(FrameFeatures())`` grew by {grown}.\n"


if __name__ == "__main__":
    write_tables(Path(__file__).parent)
