"""The task of "Emotion in Motion": four emotions of RAVDESS from a level contour.

    python benchmarks/mpg.py statistics
    python benchmarks/mpg.py paper
    python benchmarks/mpg.py best
    python benchmarks/mpg.py default
    python benchmarks/mpg.py search

Needs SKSER_DATA. The rows are the 510 utterances of neutral, happiness, sadness and anger whose
contour has all 259 values. Systems:

- ``statistics``: untuned scikit-learn classifiers on statistics of the contours;
- ``paper``: ``gans2020()`` as published;
- ``best``: ``gans2020()`` with the best settings of ``search``;
- ``default``: the default network on whole spectrograms of the same rows.

Each system is evaluated with five seeds, on five folds of rows, which share speakers, and on five
folds of speakers. ``search`` compares settings on inner folds of the first outer training fold of
each kind, and does not use test folds. Finished fits are stored in the result file, and a later run
resumes from there.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skser.datasets import load_ravdess
from skser.feature_extraction import Functionals, MelSpectrogram
from skser.neural_network import AttentionFCNClassifier, SpecAugment
from skser.pipelines import gans2020
from skser.preprocessing import SequenceScaler

COUNTS = {"anger": 174, "happiness": 134, "neutral": 52, "sadness": 150}
N_STEPS = 259
FOLDS = {
    "rows": StratifiedKFold(5, shuffle=True, random_state=0),
    "actors": StratifiedGroupKFold(5, shuffle=True, random_state=0),
}

WIDER = {
    "scaler": SequenceScaler(),
    "classifier__filters": (16, 32, 48, 64),
    "classifier__kernel_sizes": 5,
    "classifier__strides": (2, 1, 1, 1),
    "classifier__pool_sizes": (2, 2, 2, 1),
    "classifier__pool_strides": None,
    "classifier__normalization": "batch",
    "classifier__dropout": 0.3,
    "classifier__label_smoothing": 0.1,
    "classifier__max_epochs": 70,
    "classifier__batch_size": 32,
    "classifier__learning_rate": 0.005,
    "classifier__learning_rate_schedule": "one-cycle",
    "classifier__weight_decay": 0.01,
}
AUGMENTED = {**WIDER, "classifier__n_heads": 4, "classifier__augment": SpecAugment(gain_db=0.1)}
# Arguments of gans2020 and parameters set afterwards, by candidate.
CANDIDATES = {
    "as published": ({}, {}),
    "fifth layer of 40 channels, four heads": ({"n_fifth_filters": 40, "n_heads": 4}, {}),
    "standardized": ({}, {"scaler": SequenceScaler()}),
    "wider, batch normalization, one cycle": ({}, WIDER),
    "augmented": ({}, AUGMENTED),
    "augmented, balanced": ({}, {**AUGMENTED, "classifier__class_weight": "balanced"}),
    "augmented, level by 0.3": (
        {},
        {**AUGMENTED, "classifier__augment": SpecAugment(gain_db=0.3)},
    ),
}
BEST = "augmented"


def network(candidate, seed):
    """Return the steps of `gans2020` that follow the contours."""
    arguments, settings = CANDIDATES[candidate]
    model = gans2020(**arguments, device="cpu", n_threads=1, random_state=seed)[1:]
    return model.set_params(**settings)


def systems(name, seed):
    """Return the models of one system, by name."""
    if name == "statistics":
        return {
            "ExtraTrees": ExtraTreesClassifier(300, random_state=seed),
            "SVC": make_pipeline(StandardScaler(), SVC()),
            "LogisticRegression": make_pipeline(
                StandardScaler(), LogisticRegression(max_iter=2000)
            ),
        }
    if name == "default":
        classifier = AttentionFCNClassifier(random_state=seed, n_threads=1, device="cpu")
        return {"default": make_pipeline(SequenceScaler(), classifier)}
    return {name: network({"paper": "as published", "best": BEST}[name], seed)}


def load():
    """Return the paths, contours (n, 259), emotions and actors of the task's rows."""
    corpus = load_ravdess(Path(os.environ["SKSER_DATA"]) / "ravdess")
    y, actors = corpus.target.astype(str), corpus.speakers.astype(str)
    chosen = np.flatnonzero(np.isin(y, list(COUNTS)))
    contours = gans2020()[:1].transform([corpus.data[i] for i in chosen])
    whole = contours.lengths == N_STEPS
    rows = chosen[whole]
    counts = dict(zip(*np.unique(y[rows], return_counts=True), strict=True))
    if len(chosen) != 672 or counts != COUNTS:
        raise ValueError(
            f"Expected 672 rows, of which {COUNTS} have whole contours; found {len(chosen)} rows "
            f"and {counts}. Check that SKSER_DATA holds all of RAVDESS."
        )
    contours = np.stack([frames[:, 0] for frames in contours[whole]])
    return [corpus.data[i] for i in rows], contours, y[rows], actors[rows]


def split(folds, y, actors):
    """Return the indices of training and test rows of each fold."""
    groups = actors if folds == "actors" else None
    return FOLDS[folds].split(np.zeros(len(y)), y, groups)


def settings_of(model):
    """Return all parameters except estimators, whose repr repeats them and hides defaults."""
    parameters = model.get_params().items()
    return {k: repr(v) for k, v in parameters if k != "steps" and not hasattr(v, "get_params")}


def inputs(name, paths, contours):
    """Return the input of a system's models, one row per utterance."""
    if name == "statistics":
        return Functionals().fit_transform(contours)
    return MelSpectrogram().transform(paths) if name == "default" else contours


def whole_seeds(fits):
    """Return the fits of the seeds with the most finished folds."""
    seeds = [fit["seed"] for fit in fits]
    most = max(map(seeds.count, seeds))
    return [fit for fit in fits if seeds.count(fit["seed"]) == most]


def scores(fits):
    """Summarize accuracy and UAR, pooled over folds (mean and sd over seeds), and worst fold."""
    summary = {"n_seeds": len({fit["seed"] for fit in fits}), "n_fits": len(fits)}
    for name, score in (("accuracy", accuracy_score), ("uar", balanced_accuracy_score)):
        pooled = []
        for seed in sorted({fit["seed"] for fit in fits}):
            of_seed = [fit for fit in fits if fit["seed"] == seed]
            true, predicted = (
                np.concatenate([fit[key].split() for fit in of_seed])
                for key in ("true", "predicted")
            )
            pooled.append(score(true, predicted))
        summary[name] = {
            "pooled_mean": float(np.mean(pooled)),
            "pooled_sd_over_seeds": float(np.std(pooled, ddof=1)) if len(pooled) > 1 else None,
            "worst_fold": min(score(f["true"].split(), f["predicted"].split()) for f in fits),
        }
    summary["collapsed_folds"] = sum(len(set(fit["predicted"].split())) == 1 for fit in fits)
    return summary


def run(name, n_seeds):
    """Fit all folds and seeds of one system that are missing from the result file."""
    paths, contours, y, actors = load()
    X = inputs(name, paths, contours)
    result = {
        "task": "RAVDESS, four emotions, 510 utterances",
        "from_scratch": True,
        "transductive": False,
        "models": {key: repr(model) for key, model in systems(name, "seed").items()},
        "settings": {key: settings_of(model) for key, model in systems(name, 0).items()},
        "versions": versions("scikit-learn", "torch", "skorch", "numpy", "librosa", "soxr"),
        "fits": [],
        "summary": {},
    }
    path = RESULTS / f"mpg_{name}.json"
    kept = kept_result(path)
    if kept and all(kept[key] == result[key] for key in ("settings", "versions")):
        result["fits"] = kept["fits"]
    done = {tuple(fit[key] for key in ("model", "folds", "seed", "fold")) for fit in result["fits"]}
    for seed in range(n_seeds):
        for key, model in systems(name, seed).items():
            for folds in FOLDS:
                for fold, (train, test) in enumerate(split(folds, y, actors)):
                    if (key, folds, seed, fold) in done:
                        continue
                    predicted = clone(model).fit(X[train], y[train]).predict(X[test])
                    fit = {"model": key, "folds": folds, "seed": seed, "fold": fold}
                    fit |= {"true": " ".join(y[test]), "predicted": " ".join(predicted)}
                    result["fits"].append(fit)
                    write(path, result)
    write(path, result)
    print(json.dumps(result["summary"], indent=1))


def write(path, result):
    """Summarize the fits so far and write the result file."""
    result |= recomputed(result)
    write_result(path, result)


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    if "fits" not in result:
        return {}
    fits_of = {}
    for fit in result["fits"]:
        fits_of.setdefault(fit["model"], {}).setdefault(fit["folds"], []).append(fit)
    summary = {
        model: {folds: scores(whole_seeds(fits)) for folds, fits in by_folds.items()}
        for model, by_folds in fits_of.items()
    }
    return {"summary": summary}


def search():
    """Score every candidate on inner folds of the first outer training fold of each kind."""
    _, X, y, actors = load()
    path = RESULTS / "mpg_search.json"
    result = {
        "protocol": "five inner folds of the first outer training fold, one seed",
        "versions": versions("scikit-learn", "torch", "skorch", "numpy"),
        "candidates": {},
    }
    if (kept := kept_result(path)) and kept["versions"] == result["versions"]:
        result["candidates"] = kept["candidates"]
    for name in CANDIDATES:
        settings = settings_of(network(name, 0))
        if result["candidates"].get(name, {}).get("settings") == settings:
            continue
        entry = {"settings": settings}
        for folds in FOLDS:
            train, _ = next(split(folds, y, actors))
            X_train, y_train, predicted = X[train], y[train], y[train].copy()
            for inner_train, inner_test in split(folds, y_train, actors[train]):
                model = clone(network(name, 0)).fit(X_train[inner_train], y_train[inner_train])
                predicted[inner_test] = model.predict(X_train[inner_test])
            entry[folds] = {
                "accuracy": accuracy_score(y_train, predicted),
                "uar": balanced_accuracy_score(y_train, predicted),
            }
        result["candidates"][name] = entry
        write_result(path, result)
        print(name, entry["rows"], entry["actors"], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["statistics", "paper", "best", "default", "search"])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    search() if arguments.what == "search" else run(arguments.what, arguments.seeds)
