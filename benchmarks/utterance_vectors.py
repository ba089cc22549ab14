"""Linear models of utterance vectors on inner folds, from which `functionals` was chosen.

    python benchmarks/utterance_vectors.py                    (about 15 minutes)
    python benchmarks/utterance_vectors.py --tasks emodb-loso

Needs SKSER_DATA, and the extras "rooms" and "containers". The first outer test fold is left out.
The inner folds of EmoDB are its other nine speakers, and those of RAVDESS four groups of its other
speakers. Models are trained on clean recordings, and with two and with four altered copies by
`Conditions`; its noise includes ESC-10's folds 1 and 2. Test conditions are those of
altered_recordings.py, with sounds of fold 3. As an approximation, the babble of the copies is drawn
from all training utterances of the outer fold.

Every model is a pipeline after ranks as in `functionals`. The calibration error is also computed
after the decision values have been divided by some temperatures. Finished tasks are stored in the
result file.
"""

import argparse
import os
import time
from pathlib import Path

import altered_recordings
import numpy as np
import pandas as pd
from altered_recordings import altered, read
from protocols import PROTOCOLS, load
from provenance import RESULTS, kept_result, write_result
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from skser.audio import Waveform
from skser.augmentation import Conditions
from skser.discriminant_analysis import WideDiscriminantAnalysis
from skser.feature_extraction import FrameFeatures, Functionals
from skser.metrics import expected_calibration_error, unweighted_average_recall

RESULT = RESULTS / "utterance_vectors.json"
TESTED = ("clean", "white 10 dB", "white 0 dB", "babble 5 dB", "sounds 5 dB", "room", "telephone")
TRAINING_SOUNDS, TEST_SOUNDS = (1, 2), (3,)
N_COPIES = (0, 2, 4)
TEMPERATURES = (1, 4, 6, 8)
MODELS = {"logistic regression": LogisticRegression(class_weight="balanced", max_iter=1000)} | {
    f"discriminant analysis, shrinkage {shrinkage}": WideDiscriminantAnalysis(shrinkage)
    for shrinkage in (0.6, 0.7, 0.8, 0.9)
}


def sounds(folds):
    """Return the paths of some folds of ESC-10."""
    folder = Path(os.environ["SKSER_DATA"]) / "esc10"
    clips = pd.read_csv(folder / "clips.csv")
    return [str(folder / name) for name in clips.loc[clips["fold"].isin(folds), "file"]]


def vectors(task):
    """Return the vectors of clean, altered and test recordings, their labels and inner folds."""
    corpus, folds = load(task)
    other = load(next(name for name in PROTOCOLS if name != task))[0]
    corpus = corpus[~np.isin(corpus.speakers.astype(str), folds[0])]
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    samples = [read(source) for source in corpus.data]
    waveforms = [Waveform(x, altered_recordings.RATE) for x in samples]
    compute = Functionals(FrameFeatures()).fit_transform
    voices = [read(source) for source in other.data[::2]]
    tests = {c: compute([altered(x, c, voices) for x in samples]) for c in TESTED}
    conditions = Conditions(noise=sounds(TRAINING_SOUNDS), snr=(0, 20)).bind(waveforms, speakers)
    copies = []
    for copy in range(max(N_COPIES)):
        drawn = [
            conditions(x, altered_recordings.RATE, np.random.RandomState([copy, i]))
            for i, x in enumerate(samples)
        ]
        given = [Waveform(x, altered_recordings.RATE, max_amplitude=None) for x in drawn]
        copies.append(compute(given))
    names = np.unique(speakers)
    groups = [[name] for name in names] if len(names) < 10 else [names[i::4] for i in range(4)]
    return tests, copies, y, [np.isin(speakers, group) for group in groups]


def measure(task):
    """Return the scores of every model, by its number of copies and its name."""
    tests, copies, y, masks = vectors(task)
    found = {}
    for n_copies in N_COPIES:
        scores = {name: {c: [] for c in TESTED} for name in MODELS}
        seconds = dict.fromkeys(MODELS, 0.0)
        for mask in masks:
            X = np.vstack([tests["clean"][~mask], *(copy[~mask] for copy in copies[:n_copies])])
            for name, model in MODELS.items():
                start = time.process_time()
                fitted = make_pipeline(QuantileTransformer(n_quantiles=10, random_state=0), model)
                fitted.fit(X, np.tile(y[~mask], 1 + n_copies))
                seconds[name] += time.process_time() - start
                for c in TESTED:
                    scores[name][c].append(fitted.decision_function(tests[c][mask]))
        tested = np.concatenate([y[mask] for mask in masks])
        for name, of_conditions in scores.items():
            values = {c: np.concatenate(parts) for c, parts in of_conditions.items()}
            entry = summary(tested, values) | {"cpu_seconds_per_fold": seconds[name] / len(masks)}
            found.setdefault(str(n_copies), {})[name] = entry
            print(task, n_copies, name, entry, flush=True)
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
    arguments = parser.parse_args()
    altered_recordings.SOUND_FOLDS = TEST_SOUNDS
    result = kept_result(RESULT) or {"tasks": {}}
    for task in arguments.tasks:
        if task not in result["tasks"]:
            result["tasks"][task] = measure(task)
            write_result(RESULT, result, seeds=[0])


if __name__ == "__main__":
    main()
