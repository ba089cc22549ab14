"""Tables and bar charts of the leaderboard."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from render_results import TITLES, list_table
from render_robustness import beside_the_clean_figure
from stored_results import read_result, write_generated

NO_BREAK = "\N{NO-BREAK SPACE}"
TASKS = {**TITLES, "mpg-actors": "Emotion in Motion, by actor"}
# Tasks that are columns of EmoDB's table.
OTHERS = {"emodb-sentences": "unheard sentences", "emodb-to-ravdess": "on RAVDESS (6 emotions)"}


def write_leaderboard(docs):
    """Write a table and a picture per task into ``generated/``."""
    write_generated(docs / "generated/leaderboard.rst", leaderboard, docs)


def finished(docs, task):
    """Return the results of a task whose folds are all measured, the best system first."""
    paths = sorted((docs.parent / "benchmarks/results").glob(f"leaderboard_{task}_*"))
    found = [result for result in map(read_result, paths) if result["summary"]["n_seeds"]]
    return sorted(found, key=lambda result: -result["summary"]["uar"]["mean"])


def leaderboard(docs):
    """Return the tables of all tasks, and draw their pictures."""
    target = docs / "generated"
    parts = []
    others = {
        heading: {result["system"]: result["summary"]["uar"] for result in finished(docs, task)}
        for task, heading in OTHERS.items()
    }
    for task, title in TASKS.items():
        found = finished(docs, task)
        if not found:
            continue
        draw(found, target / f"leaderboard_{task}.svg")
        table = scores(found, others if task == "emodb-loso" else {})
        parts.append(
            f"{title}\n{'-' * len(title)}\n\n{table}\n{costs(found)}\n"
            f"{beside_the_clean_figure(docs, task)}"
            f".. image:: /generated/leaderboard_{task}.svg\n   :alt: UAR, {title}\n\n"
            f"Commands:\n\n.. code-block:: console\n\n"
            + "".join(f"   $ {command(result)}\n" for result in found)
        )
    return "\n".join(parts) or "Not measured yet.\n"


def command(result):
    """Return the command that repeats the measurement with the same number of seeds."""
    return f"{result['command']} --seeds {result['summary']['n_seeds']}"


def scores(found, others):
    """Return the table of accuracies, with columns for the UAR of other tasks that are measured."""
    others = {heading: of_system for heading, of_system in others.items() if of_system}
    rows = [
        [
            "system", "seeds", "UAR", "95 % interval", "accuracy", "worst speaker",
            "gap between sexes (by chance)", "noise at 10 dB SNR", *others,
        ]
    ]  # fmt: skip
    for result in found:
        summary = result["summary"]
        star = "" if result["from_scratch"] else " \\*"
        gap, chance = (100 * summary[n]["mean"] for n in ("sex_gap", "sex_gap_by_chance"))
        rows.append(
            [
                result["system"] + star,
                summary["n_seeds"],
                _percent(summary["uar"]),
                f"{NO_BREAK}to{NO_BREAK}".join(
                    f"{100 * bound:.1f}" for bound in summary["uar"]["interval"]
                ),
                _percent(summary["accuracy"]),
                _percent(summary["worst_speaker"]),
                f"{gap:.1f} ({chance:.1f})",
                _percent(summary["uar_in_noise"]),
                *(
                    _percent(of_system[result["system"]]) if result["system"] in of_system else "–"
                    for of_system in others.values()
                ),
            ]
        )
    return list_table(rows)


def costs(found):
    """Return the table of times and sizes."""
    rows = [["system", "fit", "predict", "parameters", "pickle size"]]
    for result in found:
        summary = result["summary"]
        rows.append(
            [
                result["system"],
                f"{summary['fit_seconds']:.1f}{NO_BREAK}s" if summary["fit_seconds"] else "–",
                f"{summary['milliseconds_per_utterance']:.0f}{NO_BREAK}ms",
                f"{summary['numbers']:,}",
                f"{summary['bytes'] / 1e6:.2f}{NO_BREAK}MB",
            ]
        )
    return list_table(rows)


def _percent(summary):
    mean, sd = 100 * summary["mean"], summary["sd"]
    deviation = "" if sd is None else f" ± {100 * sd:.1f}".replace(" ", NO_BREAK)
    return f"{mean:.1f}{deviation}"


def draw(found, path):
    """Draw bars of UAR on clean and noisy speech."""
    figure, ax = plt.subplots(figsize=(8, 1 + 0.4 * len(found)), layout="constrained")
    places = range(len(found))
    for shift, name, color, label in (
        (-0.2, "uar", "tab:blue", "clean"),
        (0.2, "uar_in_noise", "tab:grey", "noise at 10 dB SNR"),
    ):
        values = [100 * result["summary"][name]["mean"] for result in found]
        errors = [100 * (result["summary"][name]["sd"] or 0) for result in found]
        ax.barh([p + shift for p in places], values, 0.4, xerr=errors, color=color, label=label)
    ax.set_yticks(places, [result["system"] for result in found])
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="UAR in %")
    ax.legend(loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
