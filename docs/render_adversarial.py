"""Tables and a picture of the adversarial autoencoder's results."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from render_results import list_table
from stored_results import read_result, write_generated

TITLES = {
    "valence": "valence, RAVDESS",
    "ravdess-5": "8 classes, RAVDESS-5",
    "emodb-loso": "7 classes, EmoDB-LOSO",
    "indowave": "5 classes, IndoWave",
}
SYSTEMS = {
    "twin": "conventional",
    "reconstruction": "with reconstruction",
    "adversarial": "with reconstruction and adversaries",
    "unlabeled": "adversarial, unlabeled speech included",
}


def write_adversarial_tables(docs):
    """Write the tables into ``generated/``."""
    results, target = docs.parent / "benchmarks/results", docs / "generated"
    write_generated(target / "adversarial_gain.rst", gain, results)
    write_generated(target / "adversarial_attempts.rst", attempts, results)
    write_generated(target / "adversarial_made_up.rst", made_up, results)
    write_generated(target / "adversarial_cost.rst", cost, results)
    # Empty until their experiments have been run.
    write_generated(target / "adversarial_collapse.rst", collapse, results)
    write_generated(target / "adversarial_latent.rst", latent, results, target)
    write_generated(target / "adversarial_speakers.rst", speakers, results)


def gain(results):
    """Return a table of both systems and their difference, by task, input and share of labels."""
    rows = [["task", "input", "labels", "training", "accuracy", "UAR", "gain in accuracy", "p"]]
    linear = read_result(results / "functionals.json")["systems"]["functionals"]
    seeds = set()
    for task, title in TITLES.items():
        if task in linear:
            figures = (f"{100 * linear[task][m]:.1f}" for m in SCORES)
            rows.append([title, "vectors", "100 %", "linear SVM", *figures, "", ""])
        for path in sorted(results.glob(f"adversarial_gain_{task}_*.json"), reverse=True):
            result = read_result(path)
            for entry in sorted(result["summary"], key=lambda entry: -entry["labels"]):
                seeds.add(entry["n_seeds"])
                system = entry["system"]
                if system == "unlabeled" and entry["labels"] == 1:
                    system = "adversarial"
                row = [title, result["input"], f"{100 * entry['labels']:.0f} %", SYSTEMS[system]]
                row += [f"{100 * entry[m]:.1f} ± {100 * entry[f'{m}_sd']:.1f}" for m in SCORES]
                row += difference(entry.get("gain"))
                rows.append(row)
    n_seeds = " or ".join(map(str, sorted(seeds)))
    return (
        f"{list_table(rows)}\nMean ± standard deviation over {n_seeds} seeds, in percent. The gain "
        "is given with its 95 % interval and its p-value, both over speakers.\n"
    )


SCORES = ("accuracy", "uar")


def difference(entry):
    """Return the cells of a paired difference, which are empty for the reference system."""
    if entry is None:
        return ["", ""]
    low, high = (100 * end for end in entry["interval"])
    return [f"{100 * entry['mean']:+.1f} ({low:+.1f} to {high:+.1f})", f"{entry['p']:.2f}"]


def attempts(results):
    """Return a table of the accuracy of both systems on inner folds, by setting."""
    path = results / "adversarial_gain_attempts.json"
    rows = [["setting", *(f"{share} % of labels: {side}" for share in (100, 10) for side in SIDES)]]
    for name, entry in read_result(path)["attempts"].items():
        row = [name]
        for share in ("1.0", "0.1"):
            twin, full = (100 * np.mean(entry[side][share]) for side in ("twin", "full"))
            row += [f"{twin:.1f}", f"{full:.1f}", f"{full - twin:+.1f}"]
        rows.append(row)
    return f"{list_table(rows)}\nAccuracy of valence in percent, as mean over two seeds.\n"


SIDES = ("conventional", "adversarial", "gain")


def made_up(results):
    """Return a table of the accuracy and the probes on the synthetic problem."""
    systems = read_result(results / "adversarial_made_up.json")["systems"]
    rows = [["measure", *systems]]
    for name in next(iter(systems.values())):
        cells = (100 * np.array(system[name]) for system in systems.values())
        rows.append([name, *(f"{c.mean():.1f} ± {c.std(ddof=1):.1f}" for c in cells)])
    return (
        f"{list_table(rows)}\nAll values are in percent, as mean ± standard deviation over "
        "five problems: the accuracy of the classifier and of a probe that predicts the emotion "
        "from a latent (25 by chance), and R² of a probe that predicts the style.\n"
    )


def cost(results):
    """Return a table of the processor time of an epoch with both systems."""
    path = results / "adversarial_cost.json"
    rows = [["input", "conventional, s", "adversarial, s", "ratio", "range over rounds"]]
    for name, entry in read_result(path)["inputs"].items():
        rounds = f"{min(entry['rounds']):.2f} to {max(entry['rounds']):.2f}"
        seconds = (f"{entry[f'{side}_seconds']:.3f}" for side in ("twin", "full"))
        rows.append([name, *seconds, f"{entry['ratio']:.2f}", rounds])
    return list_table(rows)


SHORT = {
    "twin": "conventional",
    "paper, statistics as they are": "adversarial, statistics left as they are",
    "paper": "adversarial",
    "paper, gradient penalty and warm-up": "adversarial, gradient penalty and warm-up",
}


def speakers(results):
    """Return a table of the systems that use unlabeled speech, by task and number of labels."""
    rows = [["task", "input", "labels", "system", "accuracy", "UAR", "gain in accuracy",
             "gain in UAR"]]  # fmt: skip
    entries = []
    for task, title in TITLES.items():
        for path in sorted(results.glob(f"adversarial_speakers_{task}_*.json"), reverse=True):
            result = read_result(path)
            places = {name: place for place, name in enumerate(SYSTEM_TITLES)}
            for entry in sorted(
                result["summary"], key=lambda entry: (entry["labels"], places[entry["system"]])
            ):
                entries.append(entry)
                amount = entry["labels"]
                labels = f"{100 * amount:.0f} %" if amount <= 1 else f"{amount:.0f} per class"
                system = SYSTEM_TITLES[entry["system"]]
                scores = (f"{100 * entry[name]:.1f}" for name in SCORES)
                gains = (difference(entry.get(name))[0] for name in ("gain", "uar_gain"))
                rows.append([title, result["input"], labels, system, *scores, *gains])
    if not entries:
        return ""
    return (
        f"{list_table(rows)}\nIn percent, with {seeds_of(entries)}. All systems were tuned with "
        "the same number of trials on inner folds, by the accuracy of valence and the UAR of "
        "classes. Gains are those over the conventional network, with 95 % intervals over "
        "speakers.\n"
    )


SYSTEM_TITLES = {
    "twin": "conventional",
    "paper": "phases of the paper",
    "speakers": "objectives",
    "paper and speakers": "phases of the paper and objectives",
    "labels of the adapted": "labels of the adapted",
    "self-training": "self-training",
    "label spreading": "label spreading",
    "twin, adapted": "conventional, adapted (transductive)",
}


def collapse(results):
    """Return a table of training on EmoDB with RAVDESS as unlabeled speech."""
    path = results / "adversarial_collapse.json"
    if not path.exists():
        return ""
    rows = [
        ["input", "training", "UAR, EmoDB", "difference", "UAR, RAVDESS", "largest class, RAVDESS"]
    ]
    summary = read_result(path)["summary"]
    for entry in summary:
        scores = (f"{100 * entry[name]:.1f}" for name in ("ravdess_uar", "ravdess_largest_class"))
        rows.append(
            [
                entry["input"],
                SHORT[entry["system"]],
                f"{100 * entry['emodb_uar']:.1f}",
                difference(entry.get("gain"))[0],
                *scores,
            ]
        )
    return (
        "The table shows training on eight speakers of EmoDB, with RAVDESS as unlabeled speech "
        f"(``benchmarks/adversarial_speakers.py collapse``):\n\n{list_table(rows)}\nIn percent, "
        f"with {seeds_of(summary)}. The difference is that from conventional training on the other "
        "two speakers of EmoDB, over five folds, with its 95 % interval over speakers. The largest "
        "class is the share of the most frequent prediction.\n"
    )


def latent(results, target):
    """Return a table of the latent's dimensions, and draw the means of the emotions."""
    titles = {"ridge": "ridge regression", "twin": "conventional", "paper": "adversarial"}
    rows = [["corpus", "training", "measure", "valence", "activation", "dominance"]]
    paths = {task: results / f"adversarial_latent_{task}.json" for task in TITLES}
    found = {task: read_result(path) for task, path in paths.items() if path.exists()}
    if not found:
        return ""
    for task, result in found.items():
        title = TITLES[task].split(", ")[1]
        for system, entry in result["summary"].items():
            for measure, name in (("ccc", "CCC"), ("rank_correlation", "rank correlation")):
                values = (f"{value:.2f}" for value in entry[measure].values())
                rows.append([title, titles[system], name, *values])
            if "gain" in entry:
                cells = (
                    f"{g['mean']:+.3f} ({g['interval'][0]:+.3f} to {g['interval'][1]:+.3f})"
                    for g in entry["gain"].values()
                )
                rows.append([title, titles[system], "gain in CCC", *cells])
    draw_latent(found, target / "adversarial_latent.svg")
    networks = [result["summary"][name] for result in found.values() for name in ("twin", "paper")]
    return (
        "Does such a latent order the emotions as people do? The targets here are the norms of the "
        "emotion words (Warriner et al. 2013), and the input consists of Whisper vectors of "
        "speakers who were not in the training data (``benchmarks/adversarial_latent.py``). The "
        "table shows the concordance correlation (CCC) of each dimension, and the rank correlation "
        "between the norms of the emotions and their means in the latent. Arrows lead from the "
        f"norms to these means:\n\n{list_table(rows)}\n"
        ".. image:: /generated/adversarial_latent.svg\n   :alt: Norms of the emotions in the plane "
        "of valence and activation, with arrows to their means in the latent\n\n"
        f"Networks were trained with {seeds_of(networks)}.\n"
    )


def seeds_of(entries):
    """Return the numbers of seeds of some entries, as text."""
    numbers = sorted({entry["n_seeds"] for entry in entries})
    return "1 seed" if numbers == [1] else f"{' or '.join(map(str, numbers))} seeds"


def draw_latent(found, path):
    """Draw arrows from the norm of each emotion to its mean in the latent."""
    figure, axes = plt.subplots(1, len(found), figsize=(4.2 * len(found), 3.8), squeeze=False)
    for ax, (task, result) in zip(axes[0], found.items(), strict=True):
        means = result["summary"]["paper"]["means"]
        for name, mean in means.items():
            norm = result["norms"][name]
            ax.annotate("", mean[:2], norm[:2], arrowprops={"arrowstyle": "->", "color": "0.6"})
            ax.plot(*norm[:2], "o", color="tab:blue")
            ax.text(norm[0] + 0.1, norm[1] + 0.1, name, fontsize=8)
        title = TITLES[task].split(", ")[1]
        ax.set(title=title, xlabel="valence", ylabel="activation", xlim=(1.5, 10), ylim=(1, 7.5))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
