"""Transfer of weights from another corpus or task: from scratch, single-stage and two-stage.

    python benchmarks/staged_transfer.py ravdess-5
    python benchmarks/staged_transfer.py emodb-loso --sources emotion --shares 0.1 0.25

Needs SKSER_DATA. The source is the attention FCN, trained on the other corpus to recognize
emotions, speakers or sentences. The target is the given protocol, with 5, 10, 25 and 100 % of the
labels of each training fold; all systems use the same utterances. Each corpus has five
speaker-disjoint folds (EmoDB: two speakers each). All systems are trained for the same total number
of epochs, that of both stages together. Finished fits are stored in the result file, and a later
run resumes from there.
"""

import argparse
from itertools import chain

import numpy as np
from protocols import PROTOCOLS, load
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from skser.compose import TransferClassifier
from skser.evaluation import jackknife_by_speaker
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

SOURCES = ("emotion", "speaker", "sentence")
SHARES = (0.05, 0.1, 0.25, 1.0)
HEAD_EPOCHS, EPOCHS = 10, 40
SYSTEMS = {
    "from scratch": {"max_epochs": HEAD_EPOCHS + EPOCHS},
    "single-stage": {"max_epochs": HEAD_EPOCHS + EPOCHS, "strategy": "single-stage"},
    "two-stage": {"max_epochs": EPOCHS, "head_epochs": HEAD_EPOCHS, "strategy": "two-stage"},
}


def network(seed, **settings):
    return AttentionFCNClassifier(device="cpu", n_threads=1, random_state=seed, **settings)


def prepared(protocol):
    """Return mel spectrograms, labels of all tasks and five speaker-disjoint test masks."""
    corpus, _ = load(protocol)
    speakers, tests = load_folds(protocol)
    labels = {
        "emotion": corpus.target.astype(str),
        "speaker": speakers,
        "sentence": corpus.frame["sentence"].to_numpy(str),
    }
    X = MelSpectrogram().transform(corpus.data)
    return X, labels, tests


def load_folds(protocol):
    """Return the speakers of all utterances and five speaker-disjoint test masks."""
    corpus, folds = load(protocol)
    if len(folds) > 5:
        folds = [list(chain(*folds[i::5])) for i in range(5)]
    speakers = corpus.speakers.astype(str)
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


def summarised(fits):
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
        "summary": summarised(result["fits"]),
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=PROTOCOLS, help="protocol of the target corpus")
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=SOURCES)
    parser.add_argument("--shares", nargs="+", type=float, default=SHARES)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    target = arguments.protocol
    (other,) = set(PROTOCOLS) - {target}
    X_source, source_labels, _ = prepared(other)
    X, labels, tests = prepared(target)
    y = labels["emotion"]
    path = RESULTS / f"staged_transfer_{target}.json"
    result = {
        "target": target,
        "source": other,
        "from_scratch": "in part",
        "transductive": False,
        "network": repr(network("seed")),
        "systems": SYSTEMS,
        "versions": versions("scikit-learn", "torch", "skorch", "numpy", "librosa"),
        "fits": [],
    }
    kept = kept_result(path)
    if kept and all(kept[key] == result[key] for key in ("network", "systems", "versions")):
        result["fits"] = kept["fits"]
    names = ("source", "share", "system", "seed", "fold")
    done = {tuple(fit[name] for name in names) for fit in result["fits"]}
    for seed in range(arguments.seeds):
        fitted = {None: None}
        for share in arguments.shares:
            for fold, test in enumerate(tests):
                random = np.random.RandomState(100 * seed + fold)
                rows = drawn(np.flatnonzero(~test), y, share, random)
                for source in (None, *arguments.sources):
                    for system, settings in SYSTEMS.items():
                        key = (source, share, system, seed, fold)
                        if key in done or (system == "from scratch") != (source is None):
                            continue
                        if source not in fitted:
                            scaled = SequenceScaler().fit_transform(X_source)
                            fitted[source] = network(seed).fit(scaled, source_labels[source])
                        model = network(seed, max_epochs=settings["max_epochs"])
                        if source is not None:
                            transfer = {k: v for k, v in settings.items() if k != "max_epochs"}
                            model = TransferClassifier(model, fitted[source], **transfer)
                        model = make_pipeline(SequenceScaler(), model)
                        predicted = model.fit(X[rows], y[rows]).predict(X[test])
                        fit = dict(zip(names, key, strict=True))
                        fit |= {"true": y[test].tolist(), "predicted": predicted.tolist()}
                        result["fits"].append(fit)
                        write(path, result)
                        uar = balanced_accuracy_score(y[test], predicted)
                        print(*key, f"{100 * uar:.1f}", flush=True)

    result["paired"] = paired(result["fits"], labels["speaker"], tests)
    write(path, result)


def write(path, result):
    result["summary"] = summarised(result["fits"])
    write_result(path, result)


if __name__ == "__main__":
    main()
