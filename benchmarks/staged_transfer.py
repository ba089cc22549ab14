"""Transfer of weights from another corpus or task: from scratch, single-stage and two-stage.

    python benchmarks/staged_transfer.py ravdess --shares 0.1 --seeds 3
    python benchmarks/staged_transfer.py emodb --shares 1 --seeds 1

Needs SKSER_DATA. The target is the emotion, on five speaker-disjoint folds of a corpus, with a
share of the labels of each class. The source is the attention FCN, trained with seed 0 on the
emotions of another corpus, or on the speakers of the training fold, whose labels cost nothing. All
systems use the same utterances, and are trained for the same number of epochs, that of both stages
together. Finished fits are stored in the result file, and a later run resumes from there.
"""

import argparse
from itertools import chain, product

import numpy as np
from foreign import corpora
from protocols import load
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from skser.compose import TransferClassifier
from skser.evaluation import jackknife_by_speaker
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

SPEAKERS = "own speakers"
SOURCES = {
    "emodb": ("ravdess",),
    "ravdess": ("emodb", SPEAKERS),
    "indowave": ("emodb", "ravdess"),
}
SHARES = (0.1, 1.0)
HEAD_EPOCHS, EPOCHS = 10, 40
SYSTEMS = {
    "from scratch": {"max_epochs": HEAD_EPOCHS + EPOCHS},
    "single-stage": {"max_epochs": HEAD_EPOCHS + EPOCHS, "strategy": "single-stage"},
    "two-stage": {"max_epochs": EPOCHS, "head_epochs": HEAD_EPOCHS, "strategy": "two-stage"},
}


def network(seed, **settings):
    return AttentionFCNClassifier(device="cpu", n_threads=1, random_state=seed, **settings)


def prepared(name):
    """Return mel spectrograms, emotions and speakers of a corpus."""
    table = corpora(name)
    X = MelSpectrogram().transform(table["audio"].tolist())
    return X, table["emotion"].to_numpy(str), table["speaker"].to_numpy(str)


def load_folds(name):
    """Return the speakers of all utterances and five speaker-disjoint test masks."""
    speakers = corpora(name)["speaker"].to_numpy(str)
    folds = [[speaker] for speaker in np.unique(speakers)]
    if name == "ravdess":
        folds = [[f"{name} {speaker}" for speaker in fold] for fold in load("ravdess-5")[1]]
    if len(folds) > 5:
        folds = [list(chain(*folds[i::5])) for i in range(5)]
    return speakers, [np.isin(speakers, held_out) for held_out in folds]


def drawn(train, y, share, random):
    """Draw the rows of a share of the training fold, at least two of each class."""
    if share == 1:
        return train
    chosen = []
    for label in np.unique(y[train]):
        rows = train[y[train] == label]
        chosen.append(random.choice(rows, max(2, round(share * len(rows))), replace=False))
    return np.sort(np.concatenate(chosen))


def summarized(fits):
    """Summarize scores over seeds, and paired gains in UAR over training from scratch."""
    pooled = {}
    for fit in fits:
        key = fit["source"], fit["share"], fit["system"], fit["seed"]
        pooled.setdefault(key, []).append((fit["true"], fit["predicted"]))
    scores = {}
    for key, folds in pooled.items():
        if len(folds) == 5:
            true, predicted = (np.concatenate(part) for part in zip(*folds, strict=True))
            scores[key] = {
                "uar": balanced_accuracy_score(true, predicted),
                "accuracy": accuracy_score(true, predicted),
            }
    rows = []
    for source, share, system in dict.fromkeys(key[:3] for key in scores):
        seeds = [key[3] for key in scores if key[:3] == (source, share, system)]
        mine = [scores[source, share, system, seed] for seed in seeds]
        row = {"source": source, "share": share, "system": system, "n_seeds": len(seeds)}
        for metric in ("uar", "accuracy"):
            values = [score[metric] for score in mine]
            sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
            row[metric] = {"mean": float(np.mean(values)), "sd": sd}
        if source:
            gains = [
                scores[source, share, system, seed]["uar"]
                - scores[None, share, "from scratch", seed]["uar"]
                for seed in seeds
                if (None, share, "from scratch", seed) in scores
            ]
            row["gains"] = [float(gain) for gain in gains]
        rows.append(row)
    return rows


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    speakers, tests = load_folds(result["target"])
    return {
        "summary": summarized(result["fits"]),
        "paired": paired(result["fits"], speakers, tests),
    }


def paired(fits, speakers, tests):
    """Return paired differences of UAR over all seeds, with intervals over speakers."""
    found = {}
    for fit in fits:
        key = fit["source"], fit["share"], fit["system"]
        found.setdefault(key, {})[fit["seed"], fit["fold"]] = fit
    rows = []
    for source, share in dict.fromkeys(key[:2] for key in found if key[0]):
        scratch = (None, share, "from scratch")
        single, staged = ((source, share, name) for name in ("single-stage", "two-stage"))
        for first, second in ((single, scratch), (staged, scratch), (staged, single)):
            both = sorted(set(found.get(first, ())) & set(found.get(second, ())))
            both = [k for k in both if all((k[0], fold) in both for fold in range(len(tests)))]
            if not both:
                continue
            seeds = {seed for seed, _ in both}
            true, mine, other = (
                np.concatenate([found[of][k][name] for k in both])
                for of, name in ((first, "true"), (first, "predicted"), (second, "predicted"))
            )
            of_rows = np.concatenate([speakers[tests[fold]] for _, fold in both])
            difference = jackknife_by_speaker(true, mine, other, of_rows)
            rows.append(
                {
                    "source": source,
                    "share": share,
                    "system": first[2],
                    "against": second[2],
                    "n_seeds": len(seeds),
                    **{name: getattr(difference, name) for name in ("difference", "low", "high")},
                }
            )
    return rows


def trained(source, target):
    """Return the network of a source. `target` is that of `prepared`, restricted to training."""
    if source == SPEAKERS:
        X, _, y = target
    else:
        X, y, _ = prepared(source)
    return network(0).fit(SequenceScaler().fit_transform(X), y)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=SOURCES, help="target corpus")
    parser.add_argument("--shares", nargs="+", type=float, default=SHARES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", nargs="+", type=int, default=range(5))
    arguments = parser.parse_args()
    target = arguments.target
    X, y, speakers = prepared(target)
    _, tests = load_folds(target)
    path = RESULTS / f"staged_transfer_{target}.json"
    result = kept_result(path) or {
        "target": target,
        "from_scratch": "in part",
        "transductive": False,
        "network": repr(network("seed")),
        "systems": SYSTEMS,
        "versions": versions("scikit-learn", "torch", "skorch", "numpy", "librosa"),
        "fits": [],
    }
    names = ("source", "share", "system", "seed", "fold")
    done = {tuple(fit[name] for name in names) for fit in result["fits"]}
    networks = {}
    for fold, test in enumerate(tests):
        if fold not in arguments.folds:
            continue
        networks.pop(SPEAKERS, None)
        for share, seed in product(arguments.shares, range(arguments.seeds)):
            rows = drawn(np.flatnonzero(~test), y, share, np.random.RandomState(100 * seed + fold))
            for source, system in product((None, *SOURCES[target]), SYSTEMS):
                key = (source, share, system, seed, fold)
                if key in done or (system == "from scratch") != (source is None):
                    continue
                if source and source not in networks:
                    networks[source] = trained(source, (X[~test], y[~test], speakers[~test]))
                settings = dict(SYSTEMS[system])
                model = network(seed, max_epochs=settings.pop("max_epochs"))
                if source:
                    model = TransferClassifier(model, networks[source], **settings)
                model = make_pipeline(SequenceScaler(), model)
                predicted = model.fit(X[rows], y[rows]).predict(X[test])
                fit = dict(zip(names, key, strict=True))
                fit |= {"true": y[test].tolist(), "predicted": predicted.tolist()}
                result["fits"].append(fit)
                write(path, result)
                uar = balanced_accuracy_score(y[test], predicted)
                print(target, *key, f"{100 * uar:.1f}", flush=True)
    result["paired"] = paired(result["fits"], speakers, tests)
    write(path, result)


def write(path, result):
    result["summary"] = summarized(result["fits"])
    write_result(path, result)


if __name__ == "__main__":
    main()
