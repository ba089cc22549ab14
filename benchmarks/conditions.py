"""UAR and calibration of the recommended systems on clean recordings and in other conditions.

    python benchmarks/conditions.py --tasks emodb-loso --systems whisper-tiny functionals
    python benchmarks/conditions.py --tasks emodb-loso --systems fcn-and-functionals --seeds 1

Needs SKSER_DATA, SKSER_MODELS, and the extras "embeddings", "rooms" and "containers". Every system
is trained clean, and in conditions: with altered copies of each training utterance by
`Conditions`, whose noise is white, pink and brown, ESC-10's folds 1 to 3, and babble of the
training fold. altered_recordings.py describes the conditions of the tests, which share no recording
with training. The seed draws the copies, and the weights of the network.

Finished folds are stored in a temporary folder, and a later run resumes from there. Systems are
summarized when a seed has all folds.
"""

import argparse
import itertools
import os
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from altered_recordings import CONDITIONS, altered, read
from protocols import PROTOCOLS, load
from provenance import RESULTS, cache_folder, write_result
from sklearn.metrics import accuracy_score
from vector_cache import CachedVectors

from skser.feature_extraction import Functionals, SpeechEmbedding
from skser.metrics import expected_calibration_error, unweighted_average_recall
from skser.pipelines import fcn_and_functionals, functionals, whisper_linear

MEMORY = cache_folder(__file__)
ONE_THREAD = {"device": "cpu", "n_threads": 1}
OTHER = {"emodb-loso": "ravdess-5", "ravdess-5": "emodb-loso"}
SEEDLESS = ("whisper-tiny", "functionals")  # if trained clean
TRAINING = ("clean", "conditions")
NETWORK = "attention-fcn"  # part of the vote
MEAN = "mean of all but clean"
COPIES = {}  # altered samples of the present fold


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


SYSTEMS = {
    "whisper-tiny": whisper,
    "functionals": vectors,
    "fcn-and-functionals": vote,
}


class Remembered:
    """Alteration whose results are kept for other systems with an alteration of this name."""

    def __init__(self, alteration, name, pool=None):
        self.alteration = alteration
        self.name = name
        self.pool = pool

    def bind(self, utterances, speakers=None):
        """Return the alteration for the utterances of training, which babble is made of."""
        pool = hash(tuple(np.asarray(samples).tobytes() for samples in utterances))
        return Remembered(self.alteration.bind(utterances, speakers), self.name, pool)

    def __call__(self, samples, sampling_rate, random_state):
        """Return the altered samples."""
        state = random_state.get_state()[1].tobytes()
        key = hash((self.name, self.pool, samples.tobytes(), state))
        if key not in COPIES:
            COPIES[key] = self.alteration(samples, sampling_rate, random_state)
        return COPIES[key]


def with_sounds(model):
    """Add recordings of everyday sounds to the noise that a system is trained in."""
    return model.set_params(augment__noise=training_sounds())


def built(name, in_conditions, seed):
    """Return a system whose vectors are computed once for all folds, seeds and conditions."""
    model = SYSTEMS[name](in_conditions, seed)
    if in_conditions:
        conditions = with_sounds(model).augment
        model.set_params(augment=Remembered(conditions, joblib.hash(conditions)))
    for place, part in model.get_params().items():
        if isinstance(part, Functionals | SpeechEmbedding):
            model.set_params(**{place: CachedVectors(part, MEMORY / "vectors.sqlite")})
    return model


def run(task, systems, training, n_seeds, only_folds):
    """Test every system on every fold, one fold after the other, and write the results."""
    corpus, folds = load(task)
    voices = [read(source) for source in load(OTHER[task])[0].data]
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    MEMORY.mkdir(exist_ok=True)
    for fold, held_out in enumerate(folds):
        if fold not in (only_folds or range(len(folds))):
            continue
        test = np.isin(speakers, held_out)
        recordings = {}
        COPIES.clear()
        for name, trained, seed in itertools.product(systems, training, range(n_seeds)):
            path = finished(task, name, trained, seed, fold)
            if path.exists() or (seed and trained == "clean" and name in SEEDLESS):
                continue
            if not recordings:
                samples = [read(source) for source in corpus.data[test]]
                for condition in CONDITIONS:
                    recordings[condition] = [altered(x, condition, voices) for x in samples]
            start = time.process_time()
            for of_name, proba in probabilities(name, trained, seed, corpus[~test], recordings):
                path = finished(task, of_name, trained, seed, fold)
                np.save(path, proba)
                uars = uar_of(y[test], proba, np.unique(y))
                scores = f"clean {uars[0]:.1f}, others {np.mean(uars[1:]):.1f}"
                print(path.stem, f"{time.process_time() - start:.0f} s, {scores}", flush=True)
    for name, trained in itertools.product([*systems, NETWORK], training):
        write(task, name, trained, corpus, folds)


def finished(task, name, trained, seed, fold):
    """Return the path of the probabilities of a fold."""
    return MEMORY / f"{task}_{name}_{trained}_{seed}_{fold}.npy"


def probabilities(name, trained, seed, corpus, recordings):
    """Train a system on a corpus, and yield the probabilities of recordings.

    Yields
    ------
    str
        Name of the system. The network of a vote has a name of its own.
    ndarray of shape (n_conditions, n_utterances, n_classes), float32
        Its probabilities.
    """
    model = built(name, trained == "conditions", seed)
    routed = {"groups": corpus.speakers.astype(str)} if trained == "conditions" else {}
    model.fit(corpus.frame, corpus.target.astype(str), **routed)
    models = {name: model}
    if name == "fcn-and-functionals":
        # The recordings are at 16 kHz already, as the inner estimator takes them.
        models[NETWORK] = getattr(model, "estimator_", model).named_estimators_["network"]
    for of_name, of_model in models.items():
        found = [of_model.predict_proba(of_condition) for of_condition in recordings.values()]
        yield of_name, np.array(found, np.float32)


def tested(corpus, folds):
    """Return the classes of the corpus in the order in which the folds test them."""
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    return np.concatenate([y[np.isin(speakers, held_out)] for held_out in folds])


def uar_of(y, proba, classes):
    """Return the UAR in percent of each condition."""
    return [100 * unweighted_average_recall(y, classes[of_one.argmax(axis=1)]) for of_one in proba]


def write(task, name, trained, corpus, folds):
    """Write the predictions and the summary of all seeds whose folds are finished."""
    label = name + "-in-conditions" * (trained == "conditions")
    fits, of_seeds = [], {}
    for seed in range(100):
        paths = [finished(task, name, trained, seed, fold) for fold in range(len(folds))]
        if not all(path.exists() for path in paths):
            continue
        of_seeds[seed] = [np.load(path) for path in paths]
        for fold, proba in enumerate(of_seeds[seed]):
            digits = proba.argmax(axis=2).astype(str)  # one digit for each utterance
            predicted = {c: "".join(row) for c, row in zip(CONDITIONS, digits, strict=True)}
            fits.append({"seed": seed, "fold": fold, "predicted": predicted})
    if not fits:
        print(task, label, "no seed has all folds yet")
        return
    y = tested(corpus, folds)
    result = {
        "task": task,
        "system": name,
        "trained": trained,
        "classes": sorted(set(y)),
        "conditions": list(CONDITIONS),
        "summary": summary(fits, y),
        "calibration": calibration(of_seeds, y),
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


def calibration(of_seeds, y):
    """Return the calibration error and mean confidence, clean and over all other recordings."""
    found = {}
    for name, rows in (("clean", slice(0, 1)), (MEAN, slice(1, None))):
        errors, confidence = [], []
        for of_folds in of_seeds.values():
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
    parser.add_argument("--folds", type=int, nargs="+")
    arguments = parser.parse_args()
    for of_task in arguments.tasks:
        run(of_task, arguments.systems, arguments.training, arguments.seeds, arguments.folds)
