"""Gain from the speakers of unlabeled speech over conventional training of the same network.

    python benchmarks/adversarial_speakers.py tune --task valence --input vectors
    python benchmarks/adversarial_speakers.py run --task valence --input vectors --seeds 5
    python benchmarks/adversarial_speakers.py run --labels 4 8 16 32 0.1 1
    python benchmarks/adversarial_speakers.py collapse

Needs SKSER_DATA, and SKSER_MODELS for Whisper. The tasks are the valence of RAVDESS, and the
classes of EmoDB and of IndoWave (one speaker left out at a time). The inputs are those of
`adversarial_gain.py`, which also scales them, and vectors of the Whisper encoder and its 20-ms
frames. ``--labels`` up to 1 is the share of each class that is labeled, above 1 it is a number of
utterances per class; the rest of the training folds is unlabeled.

The systems are the twin (both auxiliary weights 0), the phases of the paper, the twin with
`objectives` that use the speakers, the phases of the paper with the same objectives, and
scikit-learn's self-training and label spreading. All are inductive: no statistics of test speakers
are used. ``tune`` draws the same number of settings for each system and number of labels, with and
without equal weights of the classes. It scores them on speaker-disjoint inner folds of the first
outer training fold, by the accuracy of valence, as the paper does, and by the UAR of classes.
``run`` uses the best settings of each. Finished fits are stored in the result files.

Two more systems show how much the speakers are worth, for vectors. "twin, adapted" is the twin on
vectors without the mean of their speaker, which is transductive: the utterances of each test
speaker are given together. "labels of the adapted" is blind to test speakers again: the twin on
vectors as they are, whose unlabeled training utterances have labels from "twin, adapted".

``collapse`` labels eight speakers of EmoDB, leaves RAVDESS unlabeled, and tests on the two further
speakers of EmoDB, in five folds, and on RAVDESS, with and without matched statistics. It reports
the gain in UAR on EmoDB over the twin, with its interval over speakers.
"""

import argparse
import itertools
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
from adversarial_gain import (
    FRAMES,
    METRIC,
    METRICS,
    SPACE,
    TWIN,
    compare,
    complete,
    extract,
    inner_folds,
    labeled,
    new_result,
    scaled,
    summarize,
)
from adversarial_gain import load_task as load_published
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skser.feature_extraction import SpeechEmbedding
from skser.neural_network import AdversarialAEClassifier

TASKS = ("valence", "emodb-loso", "indowave")
INPUTS = ("vectors", "frames", "whisper", "whisper-frames")
SPEAKERS = {
    "speaker_swap": (0.0, 0.5),
    "centered_share": (0.5,),
    "pseudo_labels": (0.0, 1.0, 2.0),
    "threshold": (0.0, 0.6, 0.8, 0.9),
    "warm_up": (0.3,),
}
PAPER = {"reconstruction_weight": (0.01, 0.03, 0.1), "adversarial_weight": (0.03, 0.1, 0.3)}
NETWORKS = ("twin", "paper", "speakers", "paper and speakers")
ADAPTED = ("twin, adapted", "labels of the adapted")  # with the settings of the twin
SYSTEMS = (*NETWORKS, "self-training", "label spreading", *ADAPTED)
N_TRIALS = {"vectors": 8, "whisper": 8, "frames": 2, "whisper-frames": 2}
N_TUNING_SEEDS = {"vectors": 2, "whisper": 2, "frames": 1, "whisper-frames": 1}
CLASS_WEIGHTS = (None, "balanced")
COLLAPSE = {
    "twin": TWIN,
    "paper, statistics as they are": {"objectives": {"match_statistics": False}},
    "paper": {},
    "paper, gradient penalty and warm-up": {
        "objectives": {"gradient_penalty": 1.0, "warm_up": 0.3}
    },
}


def load_task(task):
    """Return paths, labels, speakers and folds (lists of speakers)."""
    if task != "indowave":
        return load_published(task)
    paths = sorted((Path(os.environ["SKSER_DATA"]) / task).glob("*.flac"))
    parts = np.array([path.stem.split("-")[:2] for path in paths])
    speakers, y = parts.T
    return np.array([str(path) for path in paths]), y, speakers, [[s] for s in np.unique(speakers)]


def features(paths, kind):
    """Compute the features of all utterances."""
    if not kind.startswith("whisper"):
        return extract(paths, kind)
    encoder = Path(os.environ["SKSER_MODELS"]) / "whisper-tiny-encoder"
    pooling = {"pooling": None} if kind == "whisper-frames" else {}
    X = SpeechEmbedding(str(encoder), **pooling).fit_transform(paths)
    return np.asarray(X, dtype=np.float32) if kind == "whisper" else X


def drawn(system, kind):
    """Return the settings to try for a system, the same number for each."""
    random = np.random.RandomState(0)
    space = FRAMES if kind.endswith("frames") else SPACE
    trials = []
    for _ in range(N_TRIALS[kind]):
        pick = {name: values[random.randint(len(values))] for name, values in space.items()}
        paper = {name: values[random.randint(len(values))] for name, values in PAPER.items()}
        own = {name: values[random.randint(len(values))] for name, values in SPEAKERS.items()}
        class_weight = CLASS_WEIGHTS[random.randint(2)]
        if system == "self-training":
            trial = {
                "C": float(10 ** random.uniform(-4, -1)),
                "threshold": float(random.uniform(0.6, 0.95)),
                "class_weight": class_weight,
            }
        elif system == "label spreading":
            trial = {
                "n_neighbors": int(random.randint(3, 30)),
                "alpha": float(random.uniform(0.05, 0.8)),
            }
        else:
            trial = pick | {"class_weight": class_weight} | (paper if "paper" in system else TWIN)
            if "speakers" in system:
                trial["objectives"] = own
        trials.append(trial)
    return trials


def fit_predict(system, train, y, groups, test, test_groups, labels, seed, settings):
    """Return predictions for the test rows and the CPU seconds of the fit."""
    known = labeled(y, labels, seed)
    start = time.process_time()
    if system in NETWORKS:
        found = network(seed, settings).fit(train, marked(y, known), groups=groups).predict(test)
    elif system in ADAPTED:
        plain = centered(train, groups)
        teacher = network(seed, settings).fit(plain, marked(y, known), groups=groups)
        if system == "twin, adapted":
            found = teacher.predict(centered(test, test_groups))
        else:
            named = np.where(known, y, teacher.predict(plain))
            found = network(seed, settings).fit(train, named, groups=groups).predict(test)
    else:
        names, codes = np.unique(y, return_inverse=True)
        model = semi_supervised(system, **settings).fit(train, np.where(known, codes, -1))
        found = names[model.predict(test)]
    return found, round(time.process_time() - start, 2)


def network(seed, settings):
    return AdversarialAEClassifier(
        unlabeled="unlabeled", random_state=seed, n_threads=1, device="cpu", **settings
    )


def marked(y, known):
    return np.where(known, y, "unlabeled")


def centered(X, speakers):
    """Return vectors without the mean of their speaker's vectors."""
    X = X.copy()
    for name in np.unique(speakers):
        X[speakers == name] -= X[speakers == name].mean(axis=0)
    return X


def semi_supervised(system, **settings):
    """Return scikit-learn's method of this name."""
    if system == "label spreading":
        return LabelSpreading(kernel="knn", **settings)
    threshold = settings.pop("threshold")
    return SelfTrainingClassifier(LogisticRegression(max_iter=300, **settings), threshold=threshold)


def systems_of(kind, systems):
    """Leave out the systems that take vectors only, if the input holds frames."""
    return [s for s in systems if s in NETWORKS or not kind.endswith("frames")]


def tune(task, kind, amounts, systems):
    """Score every drawn setting of every system, and store each in the result file."""
    path = RESULTS / f"adversarial_speakers_tuning_{task}_{kind}.json"
    metric = METRIC[task]
    result = {
        "task": task,
        "input": kind,
        "protocol": f"speaker-disjoint inner folds of the first outer training fold, by {metric}",
        "versions": versions("scikit-learn", "torch", "skorch", "numpy"),
        "trials": [],
    }
    result = kept_result(path) or result
    paths, y, speakers, folds = load_task(task)
    X = features(paths, kind)
    parts = [
        (train, test, *scaled(X, train, test))
        for train, test in inner_folds(speakers, folds, "frames" if "frames" in kind else kind)
    ]
    true = np.concatenate([y[test] for _, test, _, _ in parts])
    done = {(t["system"], t["labels"], json.dumps(t["settings"])) for t in result["trials"]}
    for labels in amounts:
        for i in range(N_TRIALS[kind]):  # a stopped run has tried as many settings of each
            for system in (s for s in systems_of(kind, systems) if s not in ADAPTED):
                settings = drawn(system, kind)[i]
                key = (system, labels, json.dumps(settings))
                if key in done:
                    continue
                done.add(key)
                scores, seconds = [], 0.0
                for seed in range(N_TUNING_SEEDS[kind]):
                    predicted = []
                    for train, test, A, B in parts:
                        given = (A, y[train], speakers[train], B, speakers[test])
                        found, cpu = fit_predict(system, *given, labels, seed, settings)
                        predicted.append(found)
                        seconds += cpu
                    scores.append(METRICS[metric](true, np.concatenate(predicted)))
                result["trials"].append(
                    {
                        "system": system,
                        "labels": labels,
                        "settings": settings,
                        metric: float(np.mean(scores)),
                        "cpu_seconds": round(seconds, 1),
                    }
                )
                write_result(path, result)
                print(task, kind, *key, round(float(np.mean(scores)), 4), flush=True)


def run(task, kind, amounts, systems, n_seeds):
    """Fit all folds and seeds that are missing from the result file."""
    tuning = json.loads((RESULTS / f"adversarial_speakers_tuning_{task}_{kind}.json").read_text())
    best = {}
    for trial in sorted(tuning["trials"], key=lambda trial: trial[METRIC[task]]):
        best.setdefault(str(trial["labels"]), {})[trial["system"]] = trial["settings"]
    for of_labels in best.values():
        of_labels |= dict.fromkeys(ADAPTED, of_labels["twin"])
    path = RESULTS / f"adversarial_speakers_{task}_{kind}.json"
    table = load_task(task)
    _, y, speakers, _ = table
    result = new_result(task, kind, best)
    result["protocol"] = "speaker-disjoint" + (", one speaker left out" * (task == "indowave"))
    if kept := kept_result(path):
        result["fits"] = [
            fit
            for fit in kept["fits"]
            if kept["settings"][str(fit["labels"])].get(fit["system"])
            == best.get(str(fit["labels"]), {}).get(fit["system"])
        ]

    def fit(system, labels, seed, train, in_train, test):
        settings = best[str(labels)][system]
        given = (train, y[in_train], speakers[in_train], test, speakers[~in_train])
        return fit_predict(system, *given, labels, seed, settings)

    plan = [
        (system, labels, seed)
        for labels in amounts
        for seed in range(n_seeds)
        for system in systems_of(kind, systems)
    ]
    complete(path, result, features(table[0], kind), table, plan, fit, METRICS)


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    if "fits" not in result:
        return {}
    if "task" not in result:
        (_, y, speakers, _), _ = shared_labels(result["labels"])
        return {"summary": collapse_summary(result["fits"], y, speakers)}
    _, y, speakers, folds = load_task(result["task"])
    return {"summary": summarize(result["fits"], y, speakers, folds, METRICS)}


def shared_labels(labels=None):
    """Return the tables of EmoDB and RAVDESS, restricted to labels that both have."""
    tables = [load_published(task) for task in ("emodb-loso", "ravdess-5")]
    labels = labels or sorted(set(tables[0][1]) & set(tables[1][1]))
    return [
        (paths[keep], y[keep], speakers[keep], labels)
        for paths, y, speakers, _ in tables
        for keep in [np.isin(y, labels)]
    ]


def collapse(kinds, n_seeds):
    """Train on EmoDB with RAVDESS as unlabeled speech, and store the scores."""
    path = RESULTS / "adversarial_collapse.json"
    (paths, y, speakers, labels), (other_paths, other_y, _, _) = shared_labels()
    result = kept_result(path) or {"labels": labels, "fits": []}
    done = {(f["input"], f["system"], f["seed"], f["fold"]) for f in result["fits"]}
    for kind in kinds:
        X, others = features(paths, kind), features(other_paths, kind)
        for fold, held_out in enumerate(np.array_split(np.unique(speakers), 5)):
            in_test = np.isin(speakers, held_out)
            rows = np.flatnonzero(~in_test), np.flatnonzero(in_test)
            train, test, unlabeled = scaled(X, *rows, others)
            for seed, (system, settings) in itertools.product(range(n_seeds), COLLAPSE.items()):
                if (kind, system, seed, fold) in done:
                    continue
                model = AdversarialAEClassifier(
                    unlabeled="unlabeled", random_state=seed, n_threads=1, device="cpu", **settings
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of settings that differ, and failed parts
                    model.fit(
                        np.concatenate([train, unlabeled]),
                        np.concatenate([y[~in_test], np.full(len(unlabeled), "unlabeled")]),
                    )
                found = model.predict(unlabeled)
                largest = np.unique(found, return_counts=True)[1].max() / len(found)
                result["fits"].append(
                    {
                        "input": kind,
                        "system": system,
                        "seed": seed,
                        "fold": fold,
                        "ravdess_uar": float(balanced_accuracy_score(other_y, found)),
                        "ravdess_largest_class": float(largest),
                        "predicted": np.searchsorted(labels, model.predict(test)).tolist(),
                    }
                )
                write_result(path, result)
            print("collapse", kind, f"fold {fold}", flush=True)
    result["summary"] = collapse_summary(result["fits"], y, speakers)
    write_result(path, result)
    print(json.dumps(result["summary"], indent=1))


def collapse_summary(fits, y, speakers):
    """Return the scores of each input and system, and the gain over the twin on EmoDB."""
    codes = np.searchsorted(np.unique(y), y)
    folds = np.array_split(np.unique(speakers), 5)
    groups = {}
    for fit in fits:
        groups.setdefault((fit["input"], fit["system"]), []).append(fit)
    runs, summary = {}, []
    for (kind, system), members in groups.items():
        by_seed = {}
        for fit in members:
            run = by_seed.setdefault(fit["seed"], np.full(len(y), -1))
            run[np.isin(speakers, folds[fit["fold"]])] = fit["predicted"]
        complete = {seed: run for seed, run in by_seed.items() if (run >= 0).all()}
        if not complete:
            continue
        runs[kind, system] = complete
        entry = {
            "input": kind,
            "system": system,
            "n_seeds": len(complete),
            "emodb_uar": float(np.mean([balanced_accuracy_score(codes, run)
                                        for run in complete.values()])),
        }  # fmt: skip
        for name in ("ravdess_uar", "ravdess_largest_class"):
            entry[name] = float(np.mean([f[name] for f in members if f["seed"] in complete]))
        twin = runs.get((kind, "twin"), {})
        if system != "twin" and (seeds := sorted(set(complete) & set(twin))):
            entry["gain"] = compare(complete, twin, seeds, codes, speakers, "uar")
        summary.append(entry)
    return summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["tune", "run", "collapse"])
    parser.add_argument("--task", choices=TASKS, default="valence")
    parser.add_argument("--input", nargs="+", choices=INPUTS, default=["vectors", "whisper"])
    parser.add_argument("--labels", nargs="+", type=float, default=[0.1, 1.0])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.what == "collapse":
        collapse(arguments.input, arguments.seeds)
        return
    for kind in arguments.input:
        if arguments.what == "tune":
            tune(arguments.task, kind, arguments.labels, arguments.systems)
        else:
            run(arguments.task, kind, arguments.labels, arguments.systems, arguments.seeds)


if __name__ == "__main__":
    main()
