"""Linear models of vectors on inner folds, from which the recommended pipelines were chosen.

    python benchmarks/utterance_vectors.py
    python benchmarks/utterance_vectors.py --tasks emodb-loso --vectors whisper

Needs SKSER_DATA, SKSER_MODELS for Whisper, and the extras "rooms", "containers" and "embeddings".
The first outer test fold is left out. The inner folds of EmoDB are its other nine speakers, and
those of RAVDESS four groups of its other speakers. Models are trained on clean recordings, and with
altered copies by `Conditions`; its noise includes ESC-10's folds 1 and 2. The mixtures of copies
are that of `functionals` and the milder one of `whisper_linear`, at each system's own ratios of
noise. Test conditions are those of altered_recordings.py, with sounds of fold 3. As an
approximation, the babble of the copies is drawn from all training utterances of the outer fold.

Every model is a pipeline after the scaler of `functionals` or `whisper_linear`. The calibration
error is also computed after the decision values have been divided by some temperatures. Finished
tasks are stored in the result file of the vectors.
"""

import argparse
import itertools
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from altered_recordings import RATE, altered, read
from protocols import PROTOCOLS, load
from provenance import RESULTS, kept_result, write_result
from scipy.special import softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skser.audio import Waveform
from skser.discriminant_analysis import WideDiscriminantAnalysis
from skser.metrics import expected_calibration_error, unweighted_average_recall
from skser.pipelines import functionals, whisper_linear

TESTED = ("clean", "white 10 dB", "white 0 dB", "babble 5 dB", "sounds 5 dB", "room", "telephone")
TRAINING_SOUNDS, TEST_SOUNDS = (1, 2), (3,)
VECTORS = ("functionals", "whisper")
N_COPIES = (2, 4)
TEMPERATURES = (1, 2, 4, 6, 8)
MODELS = {"logistic regression": LogisticRegression(class_weight="balanced", max_iter=1000)} | {
    f"discriminant analysis, shrinkage {shrinkage}": WideDiscriminantAnalysis(shrinkage)
    for shrinkage in (0.4, 0.6, 0.7, 0.8, 0.9)
}


def sounds(folds):
    """Return the paths of some folds of ESC-10."""
    folder = Path(os.environ["SKSER_DATA"]) / "esc10"
    clips = pd.read_csv(folder / "clips.csv")
    return [str(folder / name) for name in clips.loc[clips["fold"].isin(folds), "file"]]


def system(name):
    """Return the pipeline of some vectors, in an `AugmentedClassifier`."""
    if name == "functionals":
        return functionals(random_state=0)
    return whisper_linear(Path(os.environ["SKSER_MODELS"]) / "whisper-tiny-encoder", device="cpu")


def mixtures(name):
    """Return the mixtures of copies for some vectors, by name."""
    snr = system(name).augment.snr
    given = {"noise": sounds(TRAINING_SOUNDS), "snr": snr}
    return {
        title: system(of).augment.set_params(**given)
        for title, of in (("noisy", "functionals"), ("milder", "whisper"))
    }


def vectors(task, name):
    """Return the vectors of test recordings and copies, the labels and the inner folds."""
    corpus, folds = load(task)
    other = load(next(of for of in PROTOCOLS if of != task))[0]
    corpus = corpus[~np.isin(corpus.speakers.astype(str), folds[0])]
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    samples = [read(source) for source in corpus.data]
    waveforms = [Waveform(x, RATE) for x in samples]
    compute = system(name).estimator[0].fit_transform
    voices = [read(source) for source in other.data[::2]]
    tests = {c: compute([altered(x, c, voices, TEST_SOUNDS) for x in samples]) for c in TESTED}
    copies = {}
    for title, conditions in mixtures(name).items():
        bound = conditions.bind(waveforms, speakers)
        for copy in range(max(N_COPIES)):
            drawn = [
                bound(x, RATE, np.random.RandomState([copy, i])) for i, x in enumerate(samples)
            ]
            given = [Waveform(x, RATE, max_amplitude=None) for x in drawn]
            copies.setdefault(title, []).append(compute(given))
    names = np.unique(speakers)
    groups = [[name] for name in names] if len(names) < 10 else [names[i::4] for i in range(4)]
    return tests, copies, y, [np.isin(speakers, group) for group in groups]


def measure(task, name):
    """Return the scores of every model, by its copies and its name."""
    tests, copies, y, masks = vectors(task, name)
    trained = {"none": []} | {
        f"{number} {title}": of_one[:number]
        for title, of_one in copies.items()
        for number in N_COPIES
    }
    scaler, found = system(name).estimator[1], {}
    for title, added in trained.items():
        scores = {model: {c: [] for c in TESTED} for model in MODELS}
        seconds = dict.fromkeys(MODELS, 0.0)
        for mask in masks:
            X = np.vstack([tests["clean"][~mask], *(copy[~mask] for copy in added)])
            for of_name, model in MODELS.items():
                start = time.process_time()
                fitted = make_pipeline(clone(scaler), clone(model))
                fitted.fit(X, np.tile(y[~mask], 1 + len(added)))
                seconds[of_name] += time.process_time() - start
                for c in TESTED:
                    scores[of_name][c].append(fitted.decision_function(tests[c][mask]))
        tested = np.concatenate([y[mask] for mask in masks])
        for of_name, of_conditions in scores.items():
            values = {c: np.concatenate(parts) for c, parts in of_conditions.items()}
            entry = summary(tested, values)
            entry["cpu_seconds_per_fold"] = seconds[of_name] / len(masks)
            found.setdefault(title, {})[of_name] = entry
            print(task, name, title, of_name, entry, flush=True)
    return found


def summary(y, values):
    """Return UAR by condition, and calibration errors by temperature, clean and otherwise."""
    classes = np.unique(y)
    uar = {
        c: float(unweighted_average_recall(y, classes[scores.argmax(axis=1)]))
        for c, scores in values.items()
    }
    errors = {}
    for temperature in TEMPERATURES:
        of_conditions = {
            c: expected_calibration_error(y, softmax(scores / temperature, axis=1))
            for c, scores in values.items()
        }
        clean = of_conditions.pop("clean")
        mean = float(np.mean(list(of_conditions.values())))
        errors[str(temperature)] = {"clean": float(clean), "others": mean}
    return {"uar": uar, "calibration_error": errors}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_argument("--vectors", nargs="+", choices=VECTORS, default=VECTORS)
    arguments = parser.parse_args()
    for name, task in itertools.product(arguments.vectors, arguments.tasks):
        path = RESULTS / f"utterance_vectors_{name}.json"
        result = kept_result(path) or {"vectors": name, "tasks": {}}
        if task not in result["tasks"]:
            result["tasks"][task] = measure(task, name)
            write_result(path, result, seeds=[0])


if __name__ == "__main__":
    main()
