"""Order of the emotions in the latent of the regressor, compared with published norms.

    python benchmarks/adversarial_latent.py --seeds 3

Needs SKSER_DATA and SKSER_MODELS. The targets of an utterance are the norms of its emotion word:
valence, activation and dominance as rated by English speakers (Warriner et al. 2013, 1 to 9). The
three nodes of the emotion latent of `AdversarialAERegressor` are trained on them, with the vectors
of the Whisper encoder as input, and computed for speakers who were not in the training data. The
systems are the regressor with the phases of the paper, the same network trained conventionally, and
ridge regression on the same vectors. The settings are the defaults; none was tuned. The script
reports the concordance correlation of each dimension, the difference between the first two systems
with its interval over speakers, and the rank correlation between the norms of the emotions and
their means in the latent. Finished fits are stored in the result files.

Warriner, A. B., Kuperman, V. and Brysbaert, M. (2013). Norms of valence, arousal, and dominance for
13,915 English lemmas. Behavior Research Methods 45(4), 1191-1207.
"""

import argparse

import numpy as np
from adversarial_gain import load_task, scaled
from adversarial_speakers import TWIN, features
from provenance import RESULTS, kept_result, write_result
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV

from skser.evaluation import jackknife_by_speaker
from skser.metrics import concordance_correlation_coefficient
from skser.neural_network import AdversarialAERegressor

DIMENSIONS = ("valence", "activation", "dominance")
# Means of the ratings of each word.
NORMS = {
    "anger": (2.5, 5.93, 5.14),
    "boredom": (2.77, 2.58, 5.04),
    "calm": (6.89, 1.67, 7.44),
    "disgust": (3.32, 5.0, 4.84),
    "fear": (2.93, 6.14, 3.32),
    "happiness": (8.48, 6.5, 7.05),
    "neutral": (5.5, 3.45, 5.81),
    "sadness": (2.4, 2.81, 3.84),
    "surprise": (7.44, 6.57, 5.17),
}
SYSTEMS = {"ridge": None, "twin": TWIN, "paper": {}}
TASKS = ("emodb-loso", "ravdess-5")


def predict(system, train, targets, test, seed):
    """Return the three dimensions (n_utterances, 3) of the test rows."""
    if system == "ridge":
        return RidgeCV(10.0 ** np.arange(0, 6)).fit(train, targets).predict(test)
    model = AdversarialAERegressor(
        random_state=seed, n_threads=1, device="cpu", **SYSTEMS[system]
    ).fit(train, targets)
    return model.transform(test)


def run(task, n_seeds):
    """Fit all folds and seeds that are missing from the result file, and write the summary."""
    path = RESULTS / f"adversarial_latent_{task}.json"
    paths, y, speakers, folds = load_task(task)
    X = features(paths, "whisper")
    targets = np.array([NORMS[name] for name in y])
    result = kept_result(path) or {
        "task": task,
        "input": "whisper",
        "protocol": f"speaker-disjoint, as published: {task}",
        "norms": NORMS,
        "fits": [],
    }
    done = {(fit["system"], fit["seed"], fit["fold"]) for fit in result["fits"]}
    for fold, held_out in enumerate(folds):
        in_test = np.isin(speakers, held_out)
        todo = [
            (system, seed)
            for seed in range(n_seeds)
            for system in SYSTEMS
            if (system, seed, fold) not in done and (system != "ridge" or seed == 0)
        ]
        if not todo:
            continue
        train, test = scaled(X, np.flatnonzero(~in_test), np.flatnonzero(in_test))
        for system, seed in todo:
            predicted = predict(system, train, targets[~in_test], test, seed)
            result["fits"].append(
                {
                    "system": system,
                    "seed": seed,
                    "fold": fold,
                    "predicted": np.asarray(predicted, float).round(2).tolist(),
                }
            )
            write_result(path, result)
        print(task, f"fold {fold}", flush=True)
    result["summary"] = summarize(result["fits"], y, speakers, folds)
    write_result(path, result)
    for system, entry in result["summary"].items():
        print(task, system, {k: v for k, v in entry.items() if k != "means"}, flush=True)


def summarize(fits, y, speakers, folds):
    """Return the scores of each system over all utterances, as means over its seeds."""
    targets = np.array([NORMS[name] for name in y])
    runs = {}
    for fit in fits:
        run = runs.setdefault(fit["system"], {}).setdefault(
            fit["seed"], np.full(targets.shape, np.nan)
        )
        run[np.isin(speakers, folds[fit["fold"]])] = fit["predicted"]
    summary = {}
    for system, found in runs.items():
        complete = {seed: run for seed, run in found.items() if not np.isnan(run).any()}
        if complete:
            summary[system] = scores(np.array(list(complete.values())), y, targets)
            twin = runs.get("twin", {})
            seeds = [s for s in complete if s in twin and not np.isnan(twin[s]).any()]
            if system == "paper" and seeds:
                pairs = [np.concatenate([side[s] for s in seeds]) for side in (complete, twin)]
                summary[system]["gain"] = gains(pairs, targets, speakers, len(seeds))
    return summary


def scores(runs, y, targets):
    """Return the concordance correlation, rank correlation and means of predictions of seeds."""
    names = np.unique(y)
    norms = np.array([NORMS[name] for name in names])
    means = np.array([runs[:, y == name].mean(axis=(0, 1)) for name in names])
    ccc = np.array(
        [concordance_correlation_coefficient(targets, r, multioutput="raw_values") for r in runs]
    )
    return {
        "n_seeds": len(runs),
        "ccc": dict(zip(DIMENSIONS, ccc.mean(axis=0).tolist(), strict=True)),
        "rank_correlation": {
            name: float(spearmanr(norms[:, i], means[:, i]).statistic)
            for i, name in enumerate(DIMENSIONS)
        },
        "means": {name: mean.round(3).tolist() for name, mean in zip(names, means, strict=True)},
    }


def gains(pairs, targets, speakers, n_seeds):
    """Return the gain in concordance of each dimension, and its interval over speakers."""
    paper, twin = pairs
    gain = {}
    for i, name in enumerate(DIMENSIONS):
        found = jackknife_by_speaker(
            np.tile(targets[:, i], n_seeds),
            paper[:, i],
            twin[:, i],
            np.tile(speakers, n_seeds),
            metric=concordance_correlation_coefficient,
        )
        gain[name] = {"mean": found.difference, "interval": [found.low, found.high]}
    return gain


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    _, y, speakers, folds = load_task(result["task"])
    return {"summary": summarize(result["fits"], y, speakers, folds)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    for task in arguments.task:
        run(task, arguments.seeds)


if __name__ == "__main__":
    main()
