"""UAR and calibration of the recommended systems on clean recordings and in other conditions.

    python benchmarks/conditions.py --tasks emodb-loso --systems whisper-tiny functionals
    python benchmarks/conditions.py --tasks emodb-loso --systems fcn-and-functionals --seeds 1

Needs SKSER_DATA, SKSER_MODELS for the systems with Whisper, and the extras "embeddings", "rooms"
and "containers". Every system is trained clean, and in conditions: with two altered copies of each
training utterance by `Conditions`, whose noise is white, pink and brown, ESC-10's folds 1 to 3, and
babble of the training fold. altered_recordings.py describes the conditions of the tests, none of
which shares recordings with training. The seed draws the copies, and the weights of the network.
Nothing was chosen on a test fold; pipelines.py states how the settings were.

Finished folds are stored in a temporary folder, and a later run resumes from there. Systems are
summarized when a seed has all folds.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from altered_recordings import CONDITIONS, altered, read
from protocols import PROTOCOLS, load
from provenance import RESULTS, cache_folder, write_result
from sklearn.metrics import accuracy_score
from vector_cache import CachedVectors

from skser.augmentation import Conditions
from skser.feature_extraction import Functionals, SpeechEmbedding
from skser.metrics import expected_calibration_error, unweighted_average_recall
from skser.pipelines import fcn_and_functionals, functionals, whisper_linear

MEMORY = cache_folder(__file__)
ONE_THREAD = {"device": "cpu", "n_threads": 1}
OTHER = {"emodb-loso": "ravdess-5", "ravdess-5": "emodb-loso"}
SEEDLESS = ("whisper-tiny", "functionals")  # if trained clean
TRAINING = ("clean", "conditions")
MEAN = "mean of all but clean"


def training_sounds():
    """Return the paths of ESC-10's folds 1 to 3."""
    folder = Path(os.environ["SKSER_DATA"]) / "esc10"
    clips = pd.read_csv(folder / "clips.csv")
    return [str(folder / name) for name in clips.loc[clips["fold"] <= 3, "file"]]


def whisper(conditions, seed):
    checkpoint = Path(os.environ["SKSER_MODELS"]) / "whisper-tiny-encoder"
    return whisper_linear(checkpoint, conditions=conditions, device="cpu", random_state=seed)


def vectors(conditions, seed):
    return functionals(conditions=conditions, random_state=seed)


def vote(conditions, seed):
    return fcn_and_functionals(conditions=conditions, random_state=seed, **ONE_THREAD)


SYSTEMS = {"whisper-tiny": whisper, "functionals": vectors, "fcn-and-functionals": vote}


def built(name, in_conditions, seed):
    """Return a system whose vectors are computed once for all folds, seeds and conditions."""
    conditions = Conditions(noise=training_sounds()) if in_conditions else False
    model = SYSTEMS[name](conditions, seed)
    for place, part in model.get_params().items():
        if isinstance(part, Functionals | SpeechEmbedding):
            model.set_params(**{place: CachedVectors(part, MEMORY / "vectors.sqlite")})
    return model


def run(task, name, in_conditions, n_seeds):
    corpus, folds = load(task)
    frame, y = corpus.frame, corpus.target.astype(str)
    speakers = corpus.speakers.astype(str)
    voices = [read(source) for source in load(OTHER[task])[0].data]
    label = name + "-in-conditions" * in_conditions
    MEMORY.mkdir(exist_ok=True)
    for seed in range(n_seeds if in_conditions or name not in SEEDLESS else 1):
        for fold, held_out in enumerate(folds):
            path = MEMORY / f"{task}_{label}_{seed}_{fold}.npy"
            if path.exists():
                continue
            test = np.isin(speakers, held_out)
            model = built(name, in_conditions, seed)
            routed = {"groups": speakers[~test]} if in_conditions else {}
            model.fit(frame[~test], y[~test], **routed)
            samples = [read(source) for source in corpus.data[test]]
            found = [
                model.predict_proba([altered(x, condition, voices) for x in samples])
                for condition in CONDITIONS
            ]
            np.save(path, np.array(found, np.float32))
            uars = [uar_of(y[test], proba, model.classes_) for proba in found]
            print(task, label, f"seed {seed} fold {fold} clean {100 * uars[0]:.1f}, mean of others "
                  f"{100 * np.mean(uars[1:]):.1f}", flush=True)  # fmt: skip
    write(task, label, corpus, folds)


def tested(corpus, folds):
    """Return the classes of the corpus in the order in which the folds test them."""
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    return np.concatenate([y[np.isin(speakers, held_out)] for held_out in folds])


def uar_of(y, proba, classes):
    return unweighted_average_recall(y, np.asarray(classes)[proba.argmax(axis=1)])


def write(task, label, corpus, folds):
    """Write the predictions and the summary of all seeds whose folds are finished."""
    fits, probabilities = [], {}
    for seed in range(100):
        paths = [MEMORY / f"{task}_{label}_{seed}_{fold}.npy" for fold in range(len(folds))]
        if not all(path.exists() for path in paths):
            continue
        probabilities[seed] = [np.load(path) for path in paths]
        for fold, proba in enumerate(probabilities[seed]):
            digits = proba.argmax(axis=2).astype(str)  # one digit for each utterance
            predicted = {c: "".join(row) for c, row in zip(CONDITIONS, digits, strict=True)}
            fits.append({"seed": seed, "fold": fold, "predicted": predicted})
    if not fits:
        print(task, label, "no seed has all folds yet")
        return
    y = tested(corpus, folds)
    result = {
        "task": task,
        "system": label,
        "classes": sorted(set(y)),
        "conditions": list(CONDITIONS),
        "summary": summary(fits, y),
        "calibration": calibration(probabilities, y),
        "fits": fits,
    }
    write_result(RESULTS / f"conditions_{task}_{label}.json", result)
    shown = {c: round(100 * found["uar"]["mean"], 1) for c, found in result["summary"].items()}
    print(task, label, shown, result["calibration"])


def summary(fits, y):
    """Return UAR and accuracy over all folds, as mean and standard deviation over seeds."""
    classes = np.unique(y)
    rows = {}
    for seed in sorted({fit["seed"] for fit in fits}):
        scores = []
        for condition in CONDITIONS:
            digits = "".join(f["predicted"][condition] for f in fits if f["seed"] == seed)
            predicted = classes[np.array(list(digits), int)]
            scores.append([unweighted_average_recall(y, predicted), accuracy_score(y, predicted)])
            rows.setdefault(condition, []).append(scores[-1])
        rows.setdefault(MEAN, []).append(np.mean(scores[1:], axis=0))
    return {
        condition: {
            name: {
                "mean": float(np.mean(values)),
                "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            }
            for name, values in zip(("uar", "accuracy"), np.transpose(of_seeds), strict=True)
        }
        for condition, of_seeds in rows.items()
    }


def calibration(probabilities, y):
    """Return the calibration error and mean confidence, clean and over all other recordings."""
    found = {}
    for name, rows in (("clean", slice(0, 1)), (MEAN, slice(1, None))):
        errors, confidence = [], []
        for of_folds in probabilities.values():
            proba = np.concatenate(of_folds, axis=1)[rows]
            n_conditions, _, n_classes = proba.shape
            proba = proba.reshape(-1, n_classes)
            proba = proba / proba.sum(axis=1, keepdims=True)
            errors.append(expected_calibration_error(np.tile(y, n_conditions), proba))
            confidence.append(proba.max(axis=1).mean())
        found[name] = {"ece": float(np.mean(errors)), "confidence": float(np.mean(confidence))}
    return found


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    return {"summary": summary(result["fits"], tested(*load(result["task"])))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--tasks", nargs="+", choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_argument("--training", nargs="+", choices=TRAINING, default=TRAINING)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    for of_task in arguments.tasks:
        for chosen in arguments.systems:
            for training in arguments.training:
                run(of_task, chosen, training == "conditions", arguments.seeds)
