"""Compare settings of the attention FCN and of its vote, from which the defaults were chosen.

    python benchmarks/ablation.py
    python benchmarks/ablation.py --only "default" "mixup 0.3"

Needs SKSER_DATA. Candidates are scored on inner, speaker-disjoint folds of the first outer training
fold of each corpus: for EmoDB, three folds of three speakers, without speaker 03; for RAVDESS, the
first of the four remaining folds, without the first fold. No test fold is used. There is one seed
and one thread, so differences of two points are noise. The script then scores the linear model of
sentence vectors and its vote with the default network, for two scalings and several penalties and
voting weights. Finished candidates are stored in the result file.
"""

import argparse
import json
import time
from itertools import product

import numpy as np
from protocols import PROTOCOLS, load
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier, SpecAugment
from skser.pipelines import fcn_and_functionals
from skser.preprocessing import SequenceScaler

# Parameters of MelSpectrogram and of the classifier, by candidate.
CANDIDATES = {
    "default": ({}, {}),
    "no augmentation": ({}, {"augment": None}),
    "masks twice as long": ({}, {"augment": SpecAugment(time_mask=0.3, frequency_mask=0.25)}),
    "mixup 0.3": ({}, {"mixup": 0.3}),
    "no differences": ({"deltas": 0}, {}),
    "mean pooling": ({}, {"attention_scale": 0.0}),
    "one head": ({}, {"n_heads": 1}),
    "no label smoothing": ({}, {"label_smoothing": 0.0}),
    "balanced classes": ({}, {"class_weight": "balanced"}),
    "twice as wide": ({}, {"filters": (32, 64, 96, 128)}),
    "late pooling": ({}, {"pool_sizes": (1, 2, 2, 2), "learning_rate": 0.01}),
    "100 epochs": ({}, {"max_epochs": 100}),
    "40 bands every 16 ms": ({"n_mels": 40, "hop": 0.016}, {}),
}
PENALTIES = (0.01, 0.1, 1.0, 10.0)
SCALERS = {"standardized": StandardScaler(), "ranks": QuantileTransformer(n_quantiles=10)}
WEIGHTS = (1, 2, 3)  # weight of the linear model in the vote; the network has weight 1


def inner_folds(protocol, folds, speakers):
    """Return pairs of (train, validation) rows, all outside the first outer test fold."""
    rows = np.flatnonzero(~np.isin(speakers, folds[0]))
    if protocol == "emodb-loso":
        return [(rows[a], rows[b]) for a, b in GroupKFold(3).split(rows, groups=speakers[rows])]
    held_out = np.isin(speakers[rows], folds[1])
    return [(rows[~held_out], rows[held_out])]


def validate(model, X, y, inner):
    """Return the probabilities of all validation rows, in the order of the folds."""
    probabilities = []
    for train, validation in inner:
        model.fit(X[train], y[train])
        probabilities.append(model.predict_proba(X[validation]))
    return np.concatenate(probabilities)


def uar(y, inner, probabilities):
    """Compute the UAR over all validation rows."""
    rows = np.concatenate([validation for _, validation in inner])
    predicted = np.unique(y)[probabilities.argmax(axis=1)]
    return float(balanced_accuracy_score(y[rows], predicted))


def ablate(protocol, only, result, path):
    """Score a protocol's missing candidates, then the linear model and the vote."""
    corpus, folds = load(protocol)
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    inner = inner_folds(protocol, folds, speakers)
    networks = result["networks"]
    for name in only:
        features, network = CANDIDATES[name]
        settings = repr((features, network))
        if networks.get(name, {}).get("settings") == settings:
            continue
        X = MelSpectrogram(**features).transform(corpus.data)
        classifier = AttentionFCNClassifier(random_state=0, n_threads=1, device="cpu", **network)
        start = time.process_time()
        probabilities = validate(make_pipeline(SequenceScaler(), classifier), X, y, inner)
        networks[name] = {
            "settings": settings,
            "uar": uar(y, inner, probabilities),
            "cpu_seconds": round(time.process_time() - start, 1),
            "proba": probabilities.round(4).tolist() if name == "default" else None,
        }
        write_result(path, result)
        print(protocol, name, f"UAR {100 * networks[name]['uar']:.1f}", flush=True)

    result["linear"] = {}
    voters = fcn_and_functionals(conditions=False).named_estimators
    vectors = voters["functionals"][0].fit_transform(corpus.data)
    network = np.array(networks["default"]["proba"])
    for (name, scaler), penalty in product(SCALERS.items(), PENALTIES):
        model = voters["functionals"][1:].set_params(ranks=scaler, classifier__C=penalty)
        linear = validate(model, vectors, y, inner)
        result["linear"][f"{name}, C={penalty:g}"] = {
            "alone": uar(y, inner, linear),
            **{f"vote of {w}": uar(y, inner, network + w * linear) for w in WEIGHTS},
        }
    write_result(path, result)
    print(protocol, json.dumps(result["linear"], indent=1), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--protocol", choices=PROTOCOLS)
    arguments = parser.parse_args()
    only = list(dict.fromkeys(["default", *arguments.only]))  # the vote needs the default
    for protocol in [arguments.protocol] if arguments.protocol else PROTOCOLS:
        path = RESULTS / f"ablation_{protocol}.json"
        result = {
            "protocol": protocol,
            "settings": repr(AttentionFCNClassifier().get_params()),
            "versions": versions("scikit-learn", "torch", "skorch", "numpy", "librosa"),
            "networks": {},
            "linear": {},
        }
        kept = kept_result(path)
        if kept and all(kept[key] == result[key] for key in ("settings", "versions")):
            result = kept
        ablate(protocol, only, result, path)


if __name__ == "__main__":
    main()
