"""Compare copies that stay the same over all epochs of a network with new ones in each epoch.

    python benchmarks/fresh_copies.py
    python benchmarks/fresh_copies.py --folds 1

Needs SKSER_DATA. The attention FCN is trained clean, with one and two copies in conditions, and
with one copy that is new in each epoch. It is scored on the inner folds of ablation.py, which use
no test fold of EmoDB-LOSO: three folds of three speakers. Test conditions are those of
altered_recordings.py; voices of babble are those of RAVDESS. There is one seed and one thread, so
differences of two points are noise. Finished fits are stored in the result file.
"""

import argparse
import time

import numpy as np
from ablation import inner_folds
from altered_recordings import altered, read
from conditions import with_sounds
from protocols import load
from provenance import RESULTS, kept_result, versions, write_result

from skser.metrics import unweighted_average_recall
from skser.pipelines import attention_fcn

# Number of copies, and whether they are new in each epoch, by way of training.
TRAINING = {
    "clean": (0, False),
    "one copy": (1, False),
    "two copies": (2, False),
    "one new copy per epoch": (1, True),
}
TESTS = ("clean", "white 10 dB", "white 0 dB", "sounds 5 dB", "babble 5 dB", "room", "telephone")


def fitted(corpus, way):
    """Train the network in one of the ways; return it and the seconds of processor time."""
    n_copies, fresh = TRAINING[way]
    model = with_sounds(attention_fcn(conditions=True, device="cpu", n_threads=1, random_state=0))
    model.set_params(n_copies=n_copies, fresh_copies=fresh)
    start = time.process_time()
    model.fit(list(corpus.data), corpus.target.astype(str), groups=corpus.speakers.astype(str))
    return model, time.process_time() - start


def measure(n_folds, result, path):
    """Train and score the missing ways of each of the first `n_folds` inner folds."""
    corpus, folds = load("emodb-loso")
    voices = [read(source) for source in load("ravdess-5")[0].data[::8]]
    speakers = corpus.speakers.astype(str)
    done = {(fit["fold"], fit["training"]) for fit in result["fits"]}
    for fold, (train, test) in enumerate(inner_folds("emodb-loso", folds, speakers)[:n_folds]):
        samples = [read(source) for source in corpus.data[test]]
        recordings = {name: [altered(x, name, voices) for x in samples] for name in TESTS}
        truth = corpus.target[test].astype(str)
        for way in TRAINING:
            if (fold, way) in done:
                continue
            model, seconds = fitted(corpus[train], way)
            uars = {
                name: round(100 * unweighted_average_recall(truth, model.predict(X)), 1)
                for name, X in recordings.items()
            }
            fit = {"seed": 0, "fold": fold, "training": way, "cpu_seconds": round(seconds, 1)}
            result["fits"].append({**fit, "uar": uars})
            write_result(path, summarized(result))
            print(fold, way, f"{seconds:.0f} s", uars, flush=True)


def summarized(result):
    """Return the result with the mean over the folds of each way that has been trained."""
    summary = {}
    for way in TRAINING:
        fits = [fit for fit in result["fits"] if fit["training"] == way]
        if fits:
            means = {name: float(np.mean([fit["uar"][name] for fit in fits])) for name in TESTS}
            seconds = float(np.mean([fit["cpu_seconds"] for fit in fits]))
            summary[way] = {"n_folds": len(fits), "cpu_seconds": round(seconds, 1), "uar": means}
    return {**result, "summary": summary}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=3, help="number of inner folds")
    arguments = parser.parse_args()
    path = RESULTS / "fresh_copies.json"
    result = kept_result(path) or {
        "protocol": "inner folds of emodb-loso",
        "versions": versions("scikit-learn", "torch", "skorch", "numpy"),
        "fits": [],
    }
    measure(arguments.folds, result, path)


if __name__ == "__main__":
    main()
