"""Fine-tuned Whisper-tiny with probabilities averaged over speeds of the test utterance.

    python benchmarks/speed_averaging.py emodb-loso --inner
    python benchmarks/speed_averaging.py emodb-loso --seeds 5
    python benchmarks/speed_averaging.py ravdess-5 --seeds 5

Needs SKSER_DATA and SKSER_MODELS, and the extra "embeddings". Trains the system "fine-tuned" of
embeddings.py, whose training copies have speeds of 0.87 to 1.15. Every test utterance is predicted
at five speeds in that range, 1 among them, and so is its vote with the linear model "middle" of
embeddings.py, whose probabilities are averaged over the same speeds. With `--inner`, the script is
run once on inner folds of the first outer training fold, as in ablation.py, so no test fold is
used. Finished folds are stored in the result file, and a later run resumes from there.
"""

import argparse
import json
import time

import numpy as np
import soxr
from ablation import inner_folds
from embeddings import described, summary, system
from protocols import PROTOCOLS, load
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score

SPEEDS = (0.87, 0.93, 1.0, 1.07, 1.15)
RATE = 16000
ONE = SPEEDS.index(1.0)
# How the probabilities of the two models, each of shape (n_speeds, n, n_classes), are combined.
SYSTEMS = {
    "fine-tuned": lambda network, linear: network[ONE],
    "fine-tuned at five speeds": lambda network, linear: average(network),
    "vote": lambda network, linear: logs(network[ONE]) + logs(linear[ONE]),
    "vote at five speeds": lambda network, linear: logs(average(network)) + logs(average(linear)),
}


def logs(probabilities):
    return np.log(np.maximum(probabilities, 1e-5))


def average(probabilities):
    return np.exp(logs(probabilities).mean(axis=0))


def at_speeds(fitted, X):
    """Return the probabilities of a fitted pipeline of a trimmer and more, at each speed."""
    samples = fitted[0].transform(X)
    return np.array(
        [
            fitted[1:].predict_proba([soxr.resample(x, RATE * speed, RATE) for x in samples])
            for speed in SPEEDS
        ]
    )


def run(protocol, n_seeds, inner):
    corpus, folds = load(protocol)
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    pairs = [(~test, test) for test in (np.isin(speakers, held_out) for held_out in folds)]
    if inner:
        pairs = inner_folds(protocol, folds, speakers)
    path = RESULTS / f"speed_averaging_{protocol}{'_inner' if inner else ''}.json"
    result = {
        "protocol": f"inner folds of {protocol}" if inner else protocol,
        "systems": {name: described(name, protocol) for name in ("fine-tuned", "middle")},
        "speeds": SPEEDS,
        "from_scratch": False,
        "transductive": False,
        "versions": versions("scikit-learn", "torch", "transformers", "skorch", "numpy", "soxr"),
        "fits": [],
    }
    kept = kept_result(path)
    if kept and kept["versions"] == result["versions"]:
        result["fits"] = kept["fits"]
    done = {(fit["seed"], fit["fold"]) for fit in result["fits"]}
    for seed in range(n_seeds):
        for fold, (train, test) in enumerate(pairs):
            if (seed, fold) in done:
                continue
            start = time.process_time()
            scores = []
            for name in ("fine-tuned", "middle"):
                model = clone(system(name, protocol, seed)).fit(corpus.frame.iloc[train], y[train])
                scores.append(np.round(at_speeds(model, corpus.frame.iloc[test]), 5))
            fit = {
                "seed": seed,
                "fold": fold,
                "cpu_seconds": round(time.process_time() - start, 1),
                "utterances": np.arange(len(y))[test].tolist(),
                "predicted": {
                    of: model.classes_[combined(*scores).argmax(axis=1)].tolist()
                    for of, combined in SYSTEMS.items()
                },
            }
            result["fits"].append(fit)
            write(path, result)
            uars = {
                of: round(100 * balanced_accuracy_score(y[test], predicted), 1)
                for of, predicted in fit["predicted"].items()
            }
            print(protocol, f"seed {seed} fold {fold}", uars, flush=True)
    write(path, result)
    print(json.dumps(result["summary"], indent=1))


def write(path, result):
    result |= recomputed(result)
    write_result(path, result)


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    protocol = result["protocol"].removeprefix("inner folds of ")
    corpus, folds = load(protocol)
    y = corpus.target.astype(str)
    if protocol != result["protocol"]:
        folds = inner_folds(protocol, folds, corpus.speakers.astype(str))
    fits = [fit | {"true": y[fit["utterances"]]} for fit in result["fits"]]
    found = {
        name: summary([fit | {"predicted": fit["predicted"][name]} for fit in fits], len(folds))
        for name in SYSTEMS
    }
    for of_one in found.values():
        of_one.pop("fold_uar", None)  # there is one inner fold of RAVDESS, so no deviation
    return {"summary": found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--inner", action="store_true")
    arguments = parser.parse_args()
    run(arguments.protocol, arguments.seeds, arguments.inner)
