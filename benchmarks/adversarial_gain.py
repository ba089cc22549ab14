"""Gain of adversarial training over conventional training of the same network.

    python benchmarks/adversarial_gain.py tune
    python benchmarks/adversarial_gain.py run
    python benchmarks/adversarial_gain.py tune --task emodb-loso --input vectors --labels 1.0
    python benchmarks/adversarial_gain.py run --task emodb-loso --input vectors --labels 1.0
    python benchmarks/adversarial_gain.py attempts

Needs SKSER_DATA. Each pair consists of one `AdversarialAEClassifier` with its auxiliary weights and
one with both weights set to 0, its twin. Encoder, head, folds, seeds, batches and the noise of the
supervised phase are the same.

The tasks are the valence of RAVDESS in three classes (positive: happy; neutral: neutral and calm;
negative: sad, angry, fearful and disgust; surprised is left out), and all classes of RAVDESS-5 and
EmoDB-LOSO. The inputs are sentence vectors (`Functionals(FrameFeatures())`, or openSMILE's
ComParE_2016), converted to ranks and rotated onto their principal components, and standardized
sequences of 20-ms frames (`FrameFeatures(hop=0.02)`). Either all labels are used, or a share of
each class that depends on the seed; the rest of the training fold is then unlabeled.

``tune`` draws the same number of settings for either side. It scores them on speaker-disjoint inner
folds of the first outer training fold, by accuracy for valence and by UAR for classes, with all
labels (seed 0) and with a share of them (seeds 0 to 2; for frames, seeds 0 and 1). ``run`` uses the
best settings of each side for each share. It reports differences of pooled accuracy, with
intervals and p-values over speakers, by leaving out one speaker at a time. ``attempts`` changes one
setting at a time in both sides, on the inner folds of valence from sentence vectors, with seeds 0
and 1. Finished fits are stored in the result files.
"""

import argparse
import json
import time

import numpy as np
from protocols import load
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.decomposition import PCA
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skser.evaluation import jackknife_by_speaker
from skser.feature_extraction import FrameFeatures, Functionals, OpenSmile
from skser.neural_network import AdversarialAEClassifier
from skser.preprocessing import SequenceScaler

TASKS = ("valence", "ravdess-5", "emodb-loso")
VALENCE = {
    "happiness": "positive",
    "neutral": "neutral",
    "calm": "neutral",
    "sadness": "negative",
    "anger": "negative",
    "fear": "negative",
    "disgust": "negative",
}
SYSTEMS = ("twin", "reconstruction", "adversarial", "unlabeled")
LABELS = (1.0, 0.1)
SPACE = {
    "noise": (0.25, 0.5, 1.0),
    "dropout": (0.3, 0.5, 0.7),
    "learning_rate": (0.001, 0.003),
    "batch_size": (32, 64),
    "max_epochs": (15, 30),
}
# On inner folds, frames failed with a noise of 0.5 and needed more updates than vectors.
FRAMES = {
    "noise": (0.1, 0.25),
    "dropout": (0.3, 0.5),
    "learning_rate": (0.003, 0.006),
    "batch_size": (32, 64),
    "max_epochs": (30,),
}
EMODB = {**SPACE, "max_epochs": (30, 60)}  # it has a third as many utterances
METRICS = {"accuracy": accuracy_score, "uar": balanced_accuracy_score}
# Metric that tuning maximizes. With UAR, classes are weighted equally.
METRIC = {"valence": "accuracy", "ravdess-5": "uar", "emodb-loso": "uar", "indowave": "uar"}
AUXILIARY = {
    "reconstruction_weight": (0.0, 0.01, 0.03, 0.1, 0.3),
    "adversarial_weight": (0.03, 0.1, 0.3),
    "prior": ("categorical", "categorical", "mixture", "gaussian"),
}
N_TRIALS = {"vectors": 12, "frames": 4, "ComParE_2016": 12}
TWIN = {"reconstruction_weight": 0.0, "adversarial_weight": 0.0}
# Changes to both sides, input, and whether EmoDB is added as unlabeled speech.
ATTEMPTS = {
    "as tuned": ({}, "vectors", False),
    "prior: categorical": ({"prior": "categorical"}, "vectors", False),
    "prior: mixture of Gaussians": ({"prior": "mixture"}, "vectors", False),
    "prior: Gaussian": ({"prior": "gaussian"}, "vectors", False),
    "encoder of 64 units": ({"hidden_units": (64,)}, "vectors", False),
    "encoder of 512 units": ({"hidden_units": (512,)}, "vectors", False),
    "no noise, no dropout": ({"noise": 0.0, "dropout": 0.0}, "vectors", False),
    "ComParE_2016": ({}, "ComParE_2016", False),
    "EmoDB as further unlabeled speech": ({}, "vectors", True),
}


def load_task(task):
    """Return paths, labels, speakers and folds (lists of speakers)."""
    corpus, folds = load("ravdess-5" if task == "valence" else task)
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    paths = np.asarray(corpus.data)
    if task == "valence":
        keep = np.isin(y, list(VALENCE))
        y = np.array([VALENCE[name] for name in y[keep]])
        paths, speakers = paths[keep], speakers[keep]
    return paths, y, speakers, folds


def extract(paths, kind):
    """Compute the features of all utterances."""
    if kind == "frames":
        return FrameFeatures(hop=0.02).transform(paths)
    features = Functionals(FrameFeatures()) if kind == "vectors" else OpenSmile(kind)
    return np.asarray(features.fit_transform(paths), dtype=np.float32)


def scaled(X, train, test, *others):
    """Return training rows, test rows and other features, scaled by the training rows."""
    if not isinstance(X, np.ndarray):
        scaler = SequenceScaler()
        return scaler.fit_transform(X[train]).compact(), scaler.transform(X[test])
    ranks = QuantileTransformer(n_quantiles=10, random_state=0)
    scaler = make_pipeline(ranks, StandardScaler(), PCA())
    parts = [scaler.fit_transform(X[train]), scaler.transform(X[test])]
    return [*parts, *(scaler.transform(other) for other in others)]


def labeled(y, labels, seed):
    """Return a mask of the labeled rows of each class.

    Up to 1, `labels` is a share, of which at least two utterances are labeled; above, a number.
    """
    random = np.random.RandomState(seed)
    rows = np.zeros(len(y), dtype=bool)
    for name in np.unique(y):
        members = random.permutation(np.flatnonzero(y == name))
        n = max(2, round(labels * len(members))) if labels <= 1 else int(labels)
        rows[members[:n]] = True
    return rows


def fit_predict(train, y, test, share, seed, settings, unlabeled=True, others=None):
    """Return predictions for the test rows and the CPU seconds of the fit."""
    known = labeled(y, share, seed)
    y = np.where(known, y, "unlabeled")
    if not unlabeled:
        train, y = train[known], y[known]
    if others is not None:
        train = np.concatenate([train, others])
        y = np.concatenate([y, np.full(len(others), "unlabeled")])
    model = AdversarialAEClassifier(
        unlabeled="unlabeled", random_state=seed, n_threads=1, device="cpu", **settings
    )
    start = time.process_time()
    model.fit(train, y)
    return model.predict(test), round(time.process_time() - start, 2)


def drawn_settings(task, kind):
    """Yield the shared settings of both sides and the auxiliary weights of the full side."""
    random = np.random.RandomState(0)
    for _ in range(N_TRIALS[kind]):
        space = FRAMES if kind == "frames" else EMODB if task == "emodb-loso" else SPACE
        shared = {name: _pick(random, values) for name, values in space.items()}
        yield shared, {name: _pick(random, values) for name, values in AUXILIARY.items()}


def _pick(random, values):
    return values[random.randint(len(values))]


def inner_folds(speakers, folds, kind):
    """Return speaker-disjoint pairs of rows outside the first outer test fold.

    There are four pairs for vectors and two for frames.
    """
    rows = np.flatnonzero(~np.isin(speakers, folds[0]))
    pairs = GroupKFold(4).split(rows, groups=speakers[rows])
    pairs = [(rows[train], rows[test]) for train, test in pairs]
    return pairs[:2] if kind == "frames" else pairs


def tune(task, kind, shares):
    """Score every drawn setting of both sides, and store each in the result file."""
    path = RESULTS / f"adversarial_gain_tuning_{task}_{kind}.json"
    result = {
        "task": task,
        "input": kind,
        "protocol": "speaker-disjoint inner folds of the first outer training fold",
        "versions": versions("scikit-learn", "torch", "skorch", "numpy"),
        "trials": [],
    }
    if kept := kept_result(path):
        result = kept
    paths, y, speakers, folds = load_task(task)
    X = extract(paths, kind)
    parts = [
        (*scaled(X, train, test), y[train], y[test])
        for train, test in inner_folds(speakers, folds, kind)
    ]
    done = {json.dumps(trial["settings"]) for trial in result["trials"]}
    for shared, auxiliary in drawn_settings(task, kind):
        for side, extra in (("twin", TWIN), ("full", auxiliary)):
            settings = {**shared, **extra}
            if METRIC[task] == "uar":
                settings["class_weight"] = "balanced"
            if json.dumps(settings) in done:
                continue
            done.add(json.dumps(settings))
            start = time.process_time()
            scores = {}
            for share in shares:
                n_seeds = 1 if share == 1.0 else 2 if kind == "frames" else 3
                pairs = [
                    (y_test, fit_predict(train, y_train, test, share, seed, settings)[0])
                    for seed in range(n_seeds)
                    for train, test, y_train, y_test in parts
                ]
                true, predicted = (np.concatenate(part) for part in zip(*pairs, strict=True))
                scores[share] = float(METRICS[METRIC[task]](true, predicted))
            trial = {"side": side, "settings": settings, METRIC[task]: scores}
            trial["cpu_seconds"] = round(time.process_time() - start, 1)
            result["trials"].append(trial)
            write_result(path, result)
            print(task, kind, side, settings, scores, trial["cpu_seconds"], flush=True)


def best_settings(task, kind, shares):
    """Return the best settings found by `tune`: {share of labels: {side: settings}}."""
    path = RESULTS / f"adversarial_gain_tuning_{task}_{kind}.json"
    result = json.loads(path.read_text())
    best = {}
    for share in map(str, shares):
        for side in ("twin", "full"):
            trials = [trial for trial in result["trials"] if trial["side"] == side]
            trial = max(trials, key=lambda trial: trial[METRIC[task]][share])
            best.setdefault(share, {})[side] = trial["settings"]
    return best


def attempts():
    """Score one change at a time in both sides, and store each in the result file."""
    path = RESULTS / "adversarial_gain_attempts.json"
    best = best_settings("valence", "vectors", LABELS)
    result = {
        "protocol": "speaker-disjoint inner folds of the first outer training fold, seeds 0 and 1",
        "settings": best,
        "versions": versions("scikit-learn", "torch", "skorch", "numpy", "opensmile"),
        "attempts": {},
    }
    kept = kept_result(path)
    if kept and all(kept[key] == result[key] for key in ("settings", "versions")):
        result = kept
    paths, y, speakers, folds = load_task("valence")
    inner = inner_folds(speakers, folds, "vectors")
    emodb = extract(load_task("emodb-loso")[0], "vectors")
    parts = {}
    for name, (change, kind, more) in ATTEMPTS.items():
        if name in result["attempts"]:
            continue
        if kind not in parts:
            X = extract(paths, kind)
            others = [emodb] if kind == "vectors" else []
            parts[kind] = [
                (y[train], y[test], *scaled(X, train, test, *others)) for train, test in inner
            ]
        entry = result["attempts"].setdefault(name, {"change": change, "input": kind})
        for share in LABELS:
            for side in ("twin", "full"):
                settings = {**best[str(share)][side], **change}
                entry.setdefault(side, {})[share] = [
                    float(
                        np.concatenate(
                            [
                                fit_predict(
                                    train,
                                    y_train,
                                    test,
                                    share,
                                    seed,
                                    settings,
                                    others=others[0] if more and side == "full" else None,
                                )[0]
                                == y_test
                                for y_train, y_test, train, test, *others in parts[kind]
                            ]
                        ).mean()
                    )
                    for seed in range(2)
                ]
        write_result(path, result)
        print(name, entry["twin"], entry["full"], flush=True)


def settings_of(system, share, best):
    """Return the settings of a system and whether it is given unlabeled utterances."""
    best = best[str(share)]
    if system == "twin":
        return best["twin"], True  # for the twin they only add updates per epoch
    if system == "reconstruction":
        return {**best["full"], "adversarial_weight": 0.0}, False
    return best["full"], system == "unlabeled"


def run(task, kind, shares, systems, n_seeds):
    """Fit all folds and seeds that are missing from the result file."""
    best = best_settings(task, kind, shares)
    path = RESULTS / f"adversarial_gain_{task}_{kind}.json"
    table = load_task(task)
    y = table[1]
    result = new_result(task, kind, best)
    if (kept := kept_result(path)) and kept["versions"] == result["versions"]:
        # Keep the settings and fits of shares that this run does not cover.
        result["settings"] = {**kept["settings"], **best}
        result["fits"] = [
            fit
            for fit in kept["fits"]
            if kept["settings"][str(fit["labels"])] == result["settings"][str(fit["labels"])]
        ]

    def fit(system, share, seed, train, in_train, test):
        settings, unlabeled = settings_of(system, share, best)
        return fit_predict(train, y[in_train], test, share, seed, settings, unlabeled)

    plan = [
        (system, share, seed) for share in shares for seed in range(n_seeds) for system in systems
    ]
    complete(path, result, extract(table[0], kind), table, plan, fit)


def new_result(task, kind, settings):
    """Return a result without fits."""
    return {
        "task": task,
        "input": kind,
        "protocol": "speaker-disjoint, as published: " + task.replace("valence", "ravdess-5"),
        "transductive": False,
        "settings": settings,
        "versions": versions("scikit-learn", "torch", "skorch", "numpy"),
        "fits": [],
    }


def complete(path, result, X, table, plan, fit, metrics=("accuracy",)):
    """Add the missing fits and the summary to a result, and write it after each fit.

    `plan` lists (system, share of labels, seed) in the order of the fits of a fold, and
    ``fit(system, share, seed, train, in_train, test)`` returns predictions and seconds.
    """
    _, y, speakers, folds = table
    classes = np.unique(y)
    done = {(f["system"], f["labels"], f["seed"], f["fold"]) for f in result["fits"]}
    for fold, held_out in enumerate(folds):
        todo = [planned for planned in plan if (*planned, fold) not in done]
        if not todo:
            continue
        in_test = np.isin(speakers, held_out)
        train, test = scaled(X, np.flatnonzero(~in_test), np.flatnonzero(in_test))
        for system, share, seed in todo:
            predicted, seconds = fit(system, share, seed, train, ~in_test, test)
            result["fits"].append(
                {
                    "system": system,
                    "labels": share,
                    "seed": seed,
                    "fold": fold,
                    "cpu_seconds": seconds,
                    "predicted": np.searchsorted(classes, predicted).tolist(),
                }
            )
            write(path, result)
        print(result["task"], result["input"], f"fold {fold}", flush=True)
    result["summary"] = summarize(result["fits"], y, speakers, folds, metrics)
    write(path, result)
    print(json.dumps(result["summary"], indent=1))


def summarize(fits, y, speakers, folds, metrics=("accuracy",)):
    """Return the scores of each system and its gains over the twin, by share of labels."""
    codes = np.searchsorted(np.unique(y), y)
    tables = {}
    for fit in fits:
        rows = np.flatnonzero(np.isin(speakers, folds[fit["fold"]]))
        key = (fit["labels"], fit["system"])
        run = tables.setdefault(key, {}).setdefault(fit["seed"], np.full(len(y), -1))
        run[rows] = fit["predicted"]
    complete = {
        key: {seed: run for seed, run in runs.items() if (run >= 0).all()}
        for key, runs in tables.items()
    }
    summary = []
    for (share, system), runs in sorted(complete.items(), key=str):
        if not runs:
            continue
        entry = {"labels": share, "system": system, "n_seeds": len(runs)}
        for name, score in METRICS.items():
            values = [score(codes, run) for run in runs.values()]
            entry[name] = float(np.mean(values))
            entry[f"{name}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
        twin = complete.get((share, "twin"), {})
        seeds = sorted(set(runs) & set(twin))
        for metric in metrics if system != "twin" and seeds else ():
            name = "gain" if metric == "accuracy" else f"{metric}_gain"
            entry[name] = compare(runs, twin, seeds, codes, speakers, metric)
        summary.append(entry)
    return summary


def compare(runs, twin, seeds, codes, speakers, metric="accuracy"):
    """Return the mean gain in a metric, and its interval and p-value over speakers."""
    score = METRICS[metric]
    found = jackknife_by_speaker(
        np.tile(codes, len(seeds)),
        np.concatenate([runs[s] for s in seeds]),
        np.concatenate([twin[s] for s in seeds]),
        np.tile(speakers, len(seeds)),
        metric=score,
    )
    by_seed = [float(score(codes, runs[s]) - score(codes, twin[s])) for s in seeds]
    return {
        "mean": float(np.mean(by_seed)),
        "interval": [found.low, found.high],
        "p": found.p_value,
        "by_seed": by_seed,
    }


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    if "fits" not in result:
        return {}
    _, y, speakers, folds = load_task(result["task"])
    return {"summary": summarize(result["fits"], y, speakers, folds)}


def write(path, result):
    """Write the result file, with one line per fit."""
    write_result(path, result)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["tune", "run", "attempts"])
    parser.add_argument("--task", choices=TASKS, default="valence")
    parser.add_argument("--input", nargs="+", choices=list(N_TRIALS), default=["vectors", "frames"])
    parser.add_argument("--labels", nargs="+", type=float, default=LABELS)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["twin", "unlabeled"])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.what == "attempts":
        attempts()
        return
    for kind in arguments.input:
        if arguments.what == "tune":
            tune(arguments.task, kind, arguments.labels)
        else:
            run(arguments.task, kind, arguments.labels, arguments.systems, arguments.seeds)


if __name__ == "__main__":
    main()
