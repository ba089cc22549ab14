"""Tables and pictures of other recording conditions, foreign corpora and rejection."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from render_results import TITLES, list_table
from stored_results import read_result, write_generated

STAR = " \\*"  # of systems with weights that were trained on other data
SYSTEMS = {
    "whisper-tiny": f"Whisper tiny{STAR}",
    "functionals": "functionals",
    "fcn-and-functionals": "FCN and functionals",
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
}
COLORS = ("tab:blue", "tab:orange", "tab:green")


def write_robustness(docs):
    """Write the tables and pictures into ``generated/``."""
    target = docs / "generated"
    write_generated(target / "conditions.rst", conditions, docs)
    write_generated(target / "calibration_in_conditions.rst", calibration, docs)
    write_generated(target / "foreign.rst", foreign, docs)


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
                label=f"{system.removesuffix(STAR)}, {trained(in_conditions)}",
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
        result = found[name]
        numbers = list(result["directions"][0]["adapted"]["statistics"])
        rows = [["trained on", "tested on (labels)", "trained", "inductive",
                 *(f"statistics, {number}" for number in numbers),
                 *(f"CORAL, {number}" for number in numbers[2:])]]  # fmt: skip
        for entry in result["directions"]:
            adapted = entry["adapted"]
            rows.append(
                [
                    CORPORA[entry["trained_on"]],
                    f"{CORPORA[entry['tested_on']]} ({entry['n_labels']})",
                    trained(entry["in_conditions"]),
                    f"{100 * entry['inductive']:.1f}",
                    *(percent(adapted["statistics"][number]) for number in numbers),
                    *(percent(adapted["coral"][number]) for number in numbers[2:]),
                ]
            )
        parts.append(f"{title}\n{'~' * len(title)}\n\n{list_table(rows)}")
    return "\n".join(parts) or "Not measured yet.\n"


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
