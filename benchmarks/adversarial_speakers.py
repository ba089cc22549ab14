"""Gain from the speakers of unlabeled speech over conventional training of the same network.

    python benchmarks/adversarial_speakers.py tune --input vectors
    python benchmarks/adversarial_speakers.py run --input vectors --seeds 5
    python benchmarks/adversarial_speakers.py collapse

Needs SKSER_DATA, and SKSER_MODELS for Whisper. Tasks, shares of labels, scaling, inner folds and
statistics are those of `adversarial_gain.py`; the inputs are also vectors of the Whisper encoder
and its 20-ms frames. The systems are the twin (both auxiliary weights 0), the phases of the paper,
the twin with `objectives` that use the speakers, the phases of the paper with the same objectives,
and scikit-learn's self-training and label spreading. All are inductive: no statistics of test
speakers are used. ``tune`` draws the same number of settings for each system and scores them by
accuracy on speaker-disjoint inner folds of the first outer training fold. ``run`` uses the best
settings of each system. Finished fits are stored in the result files.

``collapse`` labels eight speakers of EmoDB, leaves RAVDESS unlabeled and tests on two further
speakers of EmoDB and on RAVDESS, with and without matched statistics.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
from adversarial_gain import (
    FRAMES,
    SPACE,
    TASKS,
    TWIN,
    complete,
    extract,
    inner_folds,
    labeled,
    load_task,
    new_result,
    scaled,
)
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skser.feature_extraction import SpeechEmbedding
from skser.neural_network import AdversarialAEClassifier

INPUTS = ("vectors", "frames", "whisper", "whisper-frames")
SPEAKERS = {
    "speaker_swap": (0.0, 0.5),
    "centered_share": (0.5,),
    "pseudo_labels": (1.0, 2.0),
    "threshold": (0.6, 0.8, 0.9),
    "warm_up": (0.3,),
}
PAPER = {"reconstruction_weight": (0.01, 0.03, 0.1), "adversarial_weight": (0.03, 0.1, 0.3)}
SYSTEMS = ("twin", "paper", "speakers", "paper and speakers", "self-training", "label spreading")
N_TRIALS = {"vectors": 12, "whisper": 12, "frames": 4, "whisper-frames": 4}
NETWORKS = SYSTEMS[:4]


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
        if system == "self-training":
            trial = {
                "C": float(10 ** random.uniform(-4, -1)),
                "threshold": float(random.uniform(0.6, 0.95)),
            }
        elif system == "label spreading":
            trial = {
                "n_neighbors": int(random.randint(3, 30)),
                "alpha": float(random.uniform(0.05, 0.8)),
            }
        else:
            trial = pick | (paper if "paper" in system else TWIN)
            if "speakers" in system:
                trial["objectives"] = own
        trials.append(trial)
    return trials


def fit_predict(system, train, y, groups, test, share, seed, settings):
    """Return predictions for the test rows and the CPU seconds of the fit."""
    known = labeled(y, share, seed)
    start = time.process_time()
    if system in NETWORKS:
        model = AdversarialAEClassifier(
            unlabeled="unlabeled", random_state=seed, n_threads=1, device="cpu", **settings
        )
        model.fit(train, np.where(known, y, "unlabeled"), groups=groups)
        return model.predict(test), round(time.process_time() - start, 2)
    names, codes = np.unique(y, return_inverse=True)
    if system == "self-training":
        linear = LogisticRegression(C=settings["C"], max_iter=300)
        model = SelfTrainingClassifier(linear, threshold=settings["threshold"])
    else:
        model = LabelSpreading(kernel="knn", **settings)
    model.fit(train, np.where(known, codes, -1))
    return names[model.predict(test)], round(time.process_time() - start, 2)


def systems_of(kind, systems):
    """Leave out the systems that take vectors only, if the input holds frames."""
    return [s for s in systems if s in NETWORKS or not kind.endswith("frames")]


def tune(task, kind, shares, systems):
    """Score every drawn setting of every system, and store each in the result file."""
    path = RESULTS / f"adversarial_speakers_tuning_{task}_{kind}.json"
    result = {
        "task": task,
        "input": kind,
        "protocol": "speaker-disjoint inner folds of the first outer training fold, by accuracy",
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
    done = {(t["system"], t["labels"], json.dumps(t["settings"])) for t in result["trials"]}
    for system in systems_of(kind, systems):
        for share in shares:
            for settings in drawn(system, kind):
                key = (system, share, json.dumps(settings))
                if key in done:
                    continue
                done.add(key)
                scores, seconds = [], 0.0
                for seed in range(2):
                    for train, test, A, B in parts:
                        predicted, cpu = fit_predict(
                            system, A, y[train], speakers[train], B, share, seed, settings
                        )
                        scores.append(accuracy_score(y[test], predicted))
                        seconds += cpu
                result["trials"].append(
                    {
                        "system": system,
                        "labels": share,
                        "settings": settings,
                        "accuracy": float(np.mean(scores)),
                        "cpu_seconds": round(seconds, 1),
                    }
                )
                write_result(path, result)
                print(task, kind, *key, round(float(np.mean(scores)), 4), flush=True)


def run(task, kind, shares, systems, n_seeds):
    """Fit all folds and seeds that are missing from the result file."""
    tuning = json.loads((RESULTS / f"adversarial_speakers_tuning_{task}_{kind}.json").read_text())
    best = {}
    for trial in sorted(tuning["trials"], key=lambda trial: trial["accuracy"]):
        best.setdefault(str(trial["labels"]), {})[trial["system"]] = trial["settings"]
    path = RESULTS / f"adversarial_speakers_{task}_{kind}.json"
    table = load_task(task)
    _, y, speakers, _ = table
    result = new_result(task, kind, best)
    if (kept := kept_result(path)) and kept["settings"] == best:
        result["fits"] = kept["fits"]

    def fit(system, share, seed, train, in_train, test):
        settings = best[str(share)][system]
        return fit_predict(
            system, train, y[in_train], speakers[in_train], test, share, seed, settings
        )

    plan = [
        (system, share, seed)
        for share in shares
        for seed in range(n_seeds)
        for system in systems_of(kind, systems)
    ]
    complete(path, result, features(table[0], kind), table, plan, fit)


def collapse(n_seeds):
    """Train on EmoDB with RAVDESS as unlabeled speech, and store the scores."""
    tables = {task: load_task(task) for task in ("emodb-loso", "ravdess-5")}
    shared = sorted(set(tables["emodb-loso"][1]) & set(tables["ravdess-5"][1]))
    result = {
        "labels": shared,
        "versions": versions("scikit-learn", "torch", "skorch", "numpy"),
        "scores": [],
    }
    keep = {task: np.isin(table[1], shared) for task, table in tables.items()}
    (_, y, speakers, _), (_, other_y, _, _) = tables.values()
    y, speakers = y[keep["emodb-loso"]], speakers[keep["emodb-loso"]]
    other_y = other_y[keep["ravdess-5"]]
    in_test = np.isin(speakers, np.unique(speakers)[:2])
    options = {
        "twin": TWIN,
        "paper, statistics as they are": {"objectives": {"match_statistics": False}},
        "paper": {},
        "paper, gradient penalty and warm-up": {
            "objectives": {"gradient_penalty": 1.0, "warm_up": 0.3}
        },
    }
    for kind in ("vectors", "whisper"):
        X, others = (features(tables[task][0][keep[task]], kind) for task in tables)
        train, test, others = scaled(X, np.flatnonzero(~in_test), np.flatnonzero(in_test), others)
        labels = np.concatenate([y[~in_test], np.full(len(others), "unlabeled")])
        for system, settings in options.items():
            for seed in range(n_seeds):
                model = AdversarialAEClassifier(
                    unlabeled="unlabeled", random_state=seed, n_threads=1, device="cpu", **settings
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model.fit(np.concatenate([train, others]), labels)
                predicted = model.predict(others)
                result["scores"].append(
                    {
                        "input": kind,
                        "system": system,
                        "seed": seed,
                        "emodb_uar": balanced_accuracy_score(y[in_test], model.predict(test)),
                        "ravdess_uar": balanced_accuracy_score(other_y, predicted),
                        "ravdess_largest_class": float(
                            np.unique(predicted, return_counts=True)[1].max() / len(predicted)
                        ),
                    }
                )
                print(result["scores"][-1], flush=True)
                write_result(RESULTS / "adversarial_collapse.json", result)


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
        collapse(arguments.seeds)
        return
    for kind in arguments.input:
        if arguments.what == "tune":
            tune(arguments.task, kind, arguments.labels, arguments.systems)
        else:
            run(arguments.task, kind, arguments.labels, arguments.systems, arguments.seeds)


if __name__ == "__main__":
    main()
