"""Compare ways to combine the two parts of `fcn_and_functionals`, on inner folds.

    python benchmarks/vote_rules.py emodb-loso ravdess-5

Needs SKSER_DATA and the extra "containers". The system is that of leaderboard.py. Its two parts are
fitted on inner folds, without the speakers of the first outer test fold: three folds of EmoDB's
other speakers, and RAVDESS's second to fourth fold, each held out from the other three and the
fifth. Combined are the arithmetic and the geometric mean of their probabilities, where those of the
linear part have one of several weights relative to the network's. There is one seed. Finished fits
are stored in the result file of a corpus.
"""

import argparse

import numpy as np
from ablation import inner_folds
from leaderboard import MEMORY, SYSTEMS, fitted, noisy_files, task_data
from protocols import load
from provenance import RESULTS, kept_result, write_result

from skser.metrics import unweighted_average_recall

WEIGHTS = (0.5, 1.0, 1.5, 2.0, 3.0)
RULES = {
    "arithmetic mean": lambda network, linear, weight: network + weight * linear,
    "geometric mean": lambda network, linear, weight: np.log(network) + weight * np.log(linear),
}
RECORDINGS = ("clean", "white noise at 10 dB")


def folds_of(protocol):
    """Return pairs of training and validation rows, and the speakers of all rows."""
    corpus, folds = load(protocol)
    speakers = corpus.speakers.astype(str)
    if protocol == "emodb-loso":
        return inner_folds(protocol, folds, speakers)
    rows = np.flatnonzero(~np.isin(speakers, folds[0]))
    held_out = [np.isin(speakers[rows], fold) for fold in folds[1:4]]
    return [(rows[~held], rows[held]) for held in held_out]


def measure(protocol):
    """Fit the missing folds of a corpus and write its result."""
    path = RESULTS / f"vote_rules_{protocol}.json"
    result = kept_result(path) or {"protocol": protocol, "fits": []}
    frame, _ = task_data(protocol)
    y, speakers = (frame[c].to_numpy(str) for c in ("emotion", "speaker"))
    noisy = frame.assign(audio=noisy_files(frame["audio"]))
    for fold, (train, test) in enumerate(folds_of(protocol)):
        if any(fit["fold"] == fold for fit in result["fits"]):
            continue
        model = SYSTEMS["fcn-and-functionals"](protocol, 0, MEMORY / "features")
        fitted(model, frame.iloc[train], y[train], speakers[train])
        fit = {"seed": 0, "fold": fold, "classes": model.classes_.tolist()}
        fit["true"] = y[test].tolist()
        for name, table in zip(RECORDINGS, (frame, noisy), strict=True):
            fit[name] = {
                part: voter.predict_proba(table.iloc[test]).round(5).tolist()
                for part, voter in model.estimator_.named_estimators_.items()
            }
        result["fits"].append(fit)
        write_result(path, result | {"summary": summarized(result["fits"])})
        print(protocol, fold, summarized(result["fits"]), flush=True)


def summarized(fits):
    """Return the UAR over all validation rows, by recordings, rule and weight."""
    true = np.concatenate([fit["true"] for fit in fits])
    classes = np.array(fits[0]["classes"])
    summary = {}
    for name in RECORDINGS:
        network, linear = (
            np.maximum(np.vstack([fit[name][part] for fit in fits]), 1e-12)
            for part in ("network", "functionals")
        )
        scores = {"network": network, "functionals": linear}
        for rule, combine in RULES.items():
            scores |= {f"{rule}, {w:g}": combine(network, linear, w) for w in WEIGHTS}
        summary[name] = {
            rule: float(unweighted_average_recall(true, classes[score.argmax(axis=1)]))
            for rule, score in scores.items()
        }
    return summary


def recomputed(result):
    """Return the entries of a result that follow from its probabilities."""
    return {"summary": summarized(result["fits"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocols", nargs="+", choices=("emodb-loso", "ravdess-5"))
    for protocol in parser.parse_args().protocols:
        measure(protocol)


if __name__ == "__main__":
    main()
