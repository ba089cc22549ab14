"""Tables and pictures of other recording conditions, foreign corpora and rejection."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from render_results import TITLES, list_table
from stored_results import read_result, write_generated

STAR = " \\*"  # of systems with weights that were trained on other data
SYSTEMS = {
    "whisper-tiny": f"``whisper_linear``{STAR}",
    "functionals": "``functionals``",
    "attention-fcn": "attention FCN",
    "fcn-and-functionals": "``fcn_and_functionals``",
}
MEAN = "mean of all but clean"
ADAPTED = "20"  # number of recordings
SHOWN = ("clean", "white 10 dB", "white 0 dB", "pink 5 dB", "sounds 5 dB", "babble 5 dB", "room",
         "telephone", "codec", MEAN)  # fmt: skip
CORPORA = {
    "emodb": "EmoDB",
    "ravdess": "RAVDESS",
    "indowave": "IndoWave",
    "emodb+ravdess": "EmoDB and RAVDESS",
    "emodb+indowave": "EmoDB and IndoWave",
    "ravdess+indowave": "RAVDESS and IndoWave",
}
CORPORA |= {f"{pair}, evenly": f"{name}, evenly" for pair, name in CORPORA.items() if "+" in pair}
VECTORS = {"functionals": "``functionals``", "whisper": "``whisper_linear``"}
METHODS = {"statistics": "adapted", "coral": "CORAL"}
COLORS = ("tab:blue", "tab:orange", "tab:red", "tab:green")


def write_robustness(docs):
    """Write the tables and pictures into ``generated/``."""
    target = docs / "generated"
    write_generated(target / "conditions.rst", conditions, docs)
    write_generated(target / "calibration_in_conditions.rst", calibration, docs)
    write_generated(target / "foreign.rst", foreign, docs)
    write_generated(target / "rejection.rst", rejection, docs)
    write_generated(target / "fresh_copies.rst", fresh_copies, docs)
    write_generated(target / "utterance_vectors.rst", utterance_vectors, docs)
    write_generated(target / "vote_rules.rst", vote_rules, docs)


def results_of(docs, start):
    """Return the results whose name has this start, by the rest of their name."""
    paths = sorted((docs.parent / "benchmarks/results").glob(f"{start}_*.json"))
    return {path.stem.removeprefix(f"{start}_"): read_result(path) for path in paths}


def measured(docs, task):
    """Return the results of a task as (system, trained in conditions, result)."""
    found = results_of(docs, f"conditions_{task}")
    return [
        (title, training == "-in-conditions", found[name + training])
        for name, title in SYSTEMS.items()
        for training in ("", "-in-conditions")
        if name + training in found
    ]


def percent(scores):
    """Return a score in percent, with its standard deviation over seeds if there is one."""
    mean, sd = 100 * scores["mean"], scores["sd"]
    return f"{mean:.1f}" if sd is None else f"{mean:.1f} ± {100 * sd:.1f}"


def conditions(docs):
    """Return tables of UAR by system and condition, and draw pictures over the ratio to noise."""
    parts = []
    for task, title in TITLES.items():
        found = measured(docs, task)
        if not found:
            continue
        rows = [["system", "trained", "seeds", *SHOWN]]
        for system, in_conditions, result in found:
            n_seeds = len({fit["seed"] for fit in result["fits"]})
            scores = [percent(result["summary"][name]["uar"]) for name in SHOWN]
            rows.append([system, trained(in_conditions), n_seeds, *scores])
        draw(found, docs / f"generated/conditions_{task}.svg")
        commands = "".join(f"   $ {line}\n" for line in sorted(commands_of(found)))
        parts.append(
            f"{title}\n{'~' * len(title)}\n\n{list_table(rows)}\n"
            f".. image:: /generated/conditions_{task}.svg\n   :alt: UAR over the ratio of speech "
            f"to noise, {title}\n\nCommands:\n\n.. code-block:: console\n\n{commands}"
        )
    return "\n".join(parts) or "Not measured yet.\n"


def trained(in_conditions):
    """Return the word for the recordings of training."""
    return "in conditions" if in_conditions else "clean"


def commands_of(found):
    """Return the commands that measured the results."""
    return {result["origin"]["command"] for *_, result in found}


def draw(found, path):
    """Draw UAR over the ratio of speech to noise, one panel for each kind of noise."""
    noises = dict.fromkeys(c.split()[0] for c in found[0][2]["conditions"] if c.endswith(" dB"))
    figure, axes = plt.subplots(
        1, len(noises), figsize=(10, 3.4), sharey=True, layout="constrained"
    )
    for ax, noise in zip(axes, noises, strict=True):
        for system, in_conditions, result in found:
            names = [c for c in result["conditions"] if c.split()[0] == noise]
            ax.plot(
                [int(name.split()[1]) for name in names],
                [100 * result["summary"][name]["uar"]["mean"] for name in names],
                "o-" if in_conditions else "o--",
                color=COLORS[list(SYSTEMS.values()).index(system)],
                label=f"{system.removesuffix(STAR).strip('`')}, {trained(in_conditions)}",
            )
        ax.set(title=noise, xlabel="ratio in dB")
        ax.invert_xaxis()
    axes[0].set(ylabel="UAR in %", ylim=(0, 100))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def calibration(docs):
    """Return a table of calibration errors and confidence."""
    rows = [["protocol", "system", "trained", "error, clean", "confidence, clean",
             "error, other conditions", "confidence, other conditions"]]  # fmt: skip
    for task, title in TITLES.items():
        for system, in_conditions, result in measured(docs, task):
            figures = [
                f"{scores[name]:.3f}"
                for scores in result["calibration"].values()
                for name in ("ece", "confidence")
            ]
            rows.append([title, system, trained(in_conditions), *figures])
    return list_table(rows) if len(rows) > 1 else "Not measured yet.\n"


def foreign(docs):
    """Return tables of UAR on foreign corpora."""
    found = results_of(docs, "foreign")
    parts = []
    for name, title in SYSTEMS.items():
        if name not in found:
            continue
        directions = found[name]["directions"]
        columns = [(m, n) for m, by_number in directions[0]["adapted"].items() for n in by_number]
        heads = [f"{METHODS[method]}, {number}" for method, number in columns]
        rows = [["trained on", "tested on (labels)", "trained", "inductive", *heads]]
        for entry in directions:
            rows.append(
                [
                    CORPORA[entry["trained_on"]],
                    f"{CORPORA[entry['tested_on']]} ({entry['n_labels']})",
                    trained(entry["in_conditions"]),
                    f"{100 * entry['inductive']:.1f}",
                    *(percent(entry["adapted"][method][number]) for method, number in columns),
                ]
            )
        parts.append(f"{title}\n{'~' * len(title)}\n\n{list_table(rows)}")
    return "\n".join(parts) or "Not measured yet.\n"


def fresh_copies(docs):
    """Return a table of copies that stay the same, and of new ones in each epoch."""
    path = docs.parent / "benchmarks/results/fresh_copies.json"
    if not path.exists():
        return "Not measured yet.\n"
    summary = read_result(path)["summary"]
    tests = list(next(iter(summary.values()))["uar"])
    rows = [["training", "processor time, s", *tests]]
    for way, row in summary.items():
        scores = [f"{row['uar'][test]:.1f}" for test in tests]
        rows.append([way, f"{row['cpu_seconds']:.0f}", *scores])
    n_folds = next(iter(summary.values()))["n_folds"]
    folds = "one inner fold" if n_folds == 1 else f"the mean of {n_folds} inner folds"
    return f"UAR in percent on {folds} of EmoDB, of the attention FCN:\n\n{list_table(rows)}"


def rejection(docs):
    """Return a table of what was rejected and why, and one of the risk over coverage."""
    path = docs.parent / "benchmarks/results/rejection.json"
    if not path.exists():
        return "Not measured yet.\n"
    kinds = read_result(path)["kinds"]
    reasons = ("accepted", "no speech", "unlike training", "unsure")
    areas = ("speech", "distance", "confidence")
    rows = [["recordings", "number", *(f"{reason}, %" for reason in reasons),
             *(f"area under ROC by {name}" for name in areas)]]  # fmt: skip
    for row in kinds:
        shares = [f"{100 * row[reason]:.1f}" for reason in reasons]
        scores = [
            f"{row[key]:.3f}" if key in row else "" for key in map("area by {}".format, areas)
        ]
        rows.append([row["kind"], row["n"], *shares, *scores])
    labeled = [row for row in kinds if "risk" in row]
    risks = [["recordings", "calibration error", "mean confidence", "errors among accepted, %",
              *(f"errors at coverage {share}, %" for share in labeled[0]["risk"])]]  # fmt: skip
    for row in labeled:
        figures = [f"{row[name]:.3f}" for name in ("ece", "confidence")]
        errors = [row["risk_of_accepted"], *row["risk"].values()]
        figures += ["" if error is None else f"{100 * error:.1f}" for error in errors]
        risks.append([row["kind"], *figures])
    return f"{list_table(rows)}\n{list_table(risks)}"


def beside_the_clean_figure(docs, task):
    """Return a table of the recommended systems, clean, in conditions and on foreign corpora."""
    corpus = task.split("-")[0]
    tests = {}
    for name, result in results_of(docs, "foreign").items():
        for entry in result["directions"]:
            if entry["trained_on"] == corpus:
                place = SYSTEMS[name], entry["in_conditions"]
                tests.setdefault(entry["tested_on"], {})[place] = entry
    heads = [f"{CORPORA[test]}{when}" for test in tests for when in ("", f", adapted to {ADAPTED}")]
    rows = [["system", "trained", "clean", "white noise, 10 dB", MEAN, *heads]]
    for system, in_conditions, result in measured(docs, task):
        row = [percent(result["summary"][name]["uar"]) for name in ("clean", "white 10 dB", MEAN)]
        for of_test in tests.values():
            entry = of_test.get((system, in_conditions))
            if entry is None:
                row += ["", ""]
            else:
                adapted = entry["adapted"]["statistics"][ADAPTED]
                row += [f"{100 * entry['inductive']:.1f}", percent(adapted)]
        rows.append([system, trained(in_conditions), *row])
    if len(rows) == 1:
        return ""
    return (
        "Recommended systems in other recording conditions and, trained on this whole corpus, on "
        f"others (UAR in percent; see :doc:`/robustness`):\n\n{list_table(rows)}\n"
    )


def utterance_vectors(docs):
    """Return tables of the linear models on inner folds, by vectors and corpus."""
    parts = []
    for vectors, title in VECTORS.items():
        path = docs.parent / f"benchmarks/results/utterance_vectors_{vectors}.json"
        if not path.exists():
            continue
        for task, of_copies in read_result(path)["tasks"].items():
            rows = []
            for copies, of_models in of_copies.items():
                for name, entry in of_models.items():
                    uar = {c: f"{100 * value:.1f}" for c, value in entry["uar"].items()}
                    errors = {
                        f"error, T = {t}": f"{e['clean']:.2f} / {e['others']:.2f}"
                        for t, e in entry["calibration_error"].items()
                    }
                    fit = {"fit": f"{entry['cpu_seconds_per_fold']:.1f} s"}
                    rows.append({"model": name, "copies": copies} | uar | errors | fit)
            table = list_table([list(rows[0]), *(list(row.values()) for row in rows)])
            parts.append(f"{TITLES[task]}, inner folds, {title}:\n\n{table}")
    return "\n".join(parts) or "Not measured yet.\n"


def vote_rules(docs):
    """Return a table of ways to combine the parts of the vote, on inner folds."""
    summaries = {
        f"{TITLES[task]}, {recordings}": of_rules
        for task, result in results_of(docs, "vote_rules").items()
        for recordings, of_rules in result["summary"].items()
    }
    if not summaries:
        return "Not measured yet.\n"
    rows = [["combination", *summaries]]
    for rule in next(iter(summaries.values())):
        rows.append([rule, *(f"{100 * of_rules[rule]:.1f}" for of_rules in summaries.values())])
    return f"UAR in percent on inner folds:\n\n{list_table(rows)}"
