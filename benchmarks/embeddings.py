"""Accuracy of pretrained Whisper-tiny, a small encoder, on EmoDB-LOSO and RAVDESS-5.

    python benchmarks/embeddings.py emodb-loso plain trimmed transductive
    python benchmarks/embeddings.py ravdess-5 fine-tuned --seeds 5
    python benchmarks/embeddings.py ravdess-5 vote

Needs SKSER_DATA and SKSER_MODELS, and the extra "embeddings". Systems:

plain         one layer (EmoDB) or two (RAVDESS), mean and standard deviation, linear SVM
trimmed       silence at both ends removed, all layers, logistic regression
middle        like "trimmed", with layers 2 and 3 only
transductive  like "trimmed", scaled within each speaker, including test speakers, whose labels are
              not used
fine-tuned    silence removed, two copies of each utterance at other speeds, layers 2 and 3 trained
              further with attention pooling
vote          mean log probabilities of "middle" and "fine-tuned"; also, as a transductive vote, of
              "transductive" and "fine-tuned", scaled within each speaker, which assumes that all
              speakers show similar emotions

The settings of "plain" were published with the figures of these vectors. All others were chosen on
inner, speaker-disjoint folds of the first outer training fold of each corpus, without using test
folds. Systems with random parts are run once per seed; the others are deterministic. Finished folds
are stored in the result file, and a later run resumes from there.
"""

import argparse
import functools
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import soxr
from protocols import PROTOCOLS, load
from provenance import RESULTS, cache_folder, kept_result, versions, write_result
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from skorch.callbacks import GradientNormClipping

from skser.compose import AugmentedClassifier
from skser.evaluation import jackknife_by_speaker
from skser.feature_extraction import SpeechEmbedding
from skser.neural_network import AttentionRNNClassifier
from skser.preprocessing import SpeakerScaler, VoiceActivityTrimmer

PLAIN = {"emodb-loso": (2, 1e-2), "ravdess-5": ((2, 3), 1e-3)}  # layers and C, as published
ALL = (1, 2, 3, 4)
MEMORY = cache_folder(__file__)
SYSTEMS = ("plain", "trimmed", "middle", "transductive", "fine-tuned")
SEEDED = ("fine-tuned",)
PENALTY = {"emodb-loso": 0.1, "ravdess-5": 0.01}  # C of "middle"


def checkpoint():
    return Path(os.environ["SKSER_MODELS"]) / "whisper-tiny-encoder"


def change_speed(samples, sampling_rate, random_state):
    """Change tempo, pitch and formants together, by up to 15 % up or down."""
    speed = random_state.uniform(0.87, 1.15)
    return soxr.resample(samples, sampling_rate * speed, sampling_rate).astype(np.float32)


def embedding(layers, pooling="mean+std", **settings):
    return SpeechEmbedding(checkpoint(), layers, pooling, device="cpu", memory=MEMORY, **settings)


def trimmer():
    return VoiceActivityTrimmer(margin=0.1)


def system(name, protocol, seed):
    """Return the estimator of a system, which takes an utterance table."""
    if name == "plain":
        layers, penalty = PLAIN[protocol]
        return make_pipeline(
            embedding(layers), StandardScaler(), SVC(kernel="linear", C=penalty, break_ties=True)
        )
    linear = LogisticRegression(C=0.01, max_iter=1000)
    vectors = make_pipeline(trimmer(), embedding(ALL, input_sampling_rate=16000))
    if name == "middle":
        vectors = make_pipeline(trimmer(), embedding((2, 3), input_sampling_rate=16000))
        linear.set_params(C=PENALTY[protocol])
    if name in ("trimmed", "middle"):
        return make_pipeline(*[step for _, step in vectors.steps], StandardScaler(), linear)
    if name == "transductive":
        return make_pipeline(SpeakerScaler(vectors), linear)
    network = AttentionRNNClassifier(
        embedding(3, None, input_sampling_rate=16000),
        cell=None,
        n_heads=4,
        dropout=0.2,
        n_fine_tuned_layers=2,
        max_epochs=5,
        callbacks=[GradientNormClipping(1.0)],
        device="cpu",
        n_threads=1,
        precision="bfloat16",
        random_state=seed,
    )
    copies = AugmentedClassifier(
        network, change_speed, n_copies=2, input_sampling_rate=16000, random_state=0
    )
    return make_pipeline(trimmer(), copies)


def described(name, protocol):
    """Return the system's settings as text, without folder names and addresses."""
    model = system(name, protocol, "seed")
    for name in model.get_params():
        if name.endswith("checkpoint"):
            model.set_params(**{name: "whisper-tiny-encoder"})
        elif name.endswith("__memory"):
            model.set_params(**{name: None})
    return re.sub(r" at 0x[0-9a-f]+", "", repr(model))


def outputs(model, X):
    """Return probabilities, or decision values, of shape (n, n_classes)."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    return model.decision_function(X)


def run(protocol, name, n_seeds, only_folds):
    corpus, folds = load(protocol)
    X, y = corpus.frame, corpus.target.astype(str)
    speakers = corpus.speakers.astype(str)
    path = RESULTS / f"embeddings_{protocol}_{name}.json"
    result = {
        "protocol": protocol,
        "system": described(name, protocol),
        "from_scratch": False,
        "transductive": name == "transductive",
        "versions": versions("scikit-learn", "torch", "transformers", "skorch", "numpy", "soxr"),
        "fits": [],
    }
    kept = kept_result(path)
    if kept and all(kept[key] == result[key] for key in ("system", "versions")):
        result["fits"] = kept["fits"]
    done = {(fit["seed"], fit["fold"]) for fit in result["fits"]}
    for seed in range(n_seeds) if name in SEEDED else [0]:
        for fold, held_out in enumerate(folds):
            if (seed, fold) in done or fold not in (only_folds or range(len(folds))):
                continue
            test = np.isin(speakers, held_out)
            start = time.perf_counter()
            model = clone(system(name, protocol, seed)).fit(X[~test], y[~test])
            scores, predicted = outputs(model, X[test]), model.predict(X[test])
            result["fits"].append(
                {
                    "seed": seed,
                    "fold": fold,
                    "seconds": round(time.perf_counter() - start, 1),
                    "true": y[test].tolist(),
                    "predicted": predicted.tolist(),
                    "scores": np.round(scores, 5).tolist(),
                }
            )
            uar = balanced_accuracy_score(y[test], predicted)
            print(protocol, name, f"seed {seed} fold {fold} UAR {100 * uar:.1f}", flush=True)
            write(path, result)
    write(path, result)
    print(json.dumps(result["summary"], indent=1))


def write(path, result):
    result["summary"] = summary(result["fits"], len(load(result["protocol"])[1]))
    write_result(path, result)


def summary(fits, n_folds):
    """Summarize UAR and accuracy over all folds of each seed, and the worst fold."""
    pooled = {"uar": [], "accuracy": []}
    folds = []
    for seed in sorted({fit["seed"] for fit in fits}):
        of_seed = [fit for fit in fits if fit["seed"] == seed]
        if len(of_seed) < n_folds:
            continue
        true = [np.array(fit["true"]) for fit in of_seed]
        predicted = [np.array(fit["predicted"]) for fit in of_seed]
        folds += [balanced_accuracy_score(t, p) for t, p in zip(true, predicted, strict=True)]
        true, predicted = np.concatenate(true), np.concatenate(predicted)
        pooled["uar"].append(balanced_accuracy_score(true, predicted))
        pooled["accuracy"].append(accuracy_score(true, predicted))
    if not folds:
        return {"n_seeds": 0}
    return {
        "n_seeds": len(pooled["uar"]),
        **{
            name: {
                "mean": float(np.mean(values)),
                "sd_over_seeds": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            }
            for name, values in pooled.items()
        },
        "fold_uar": {"mean": float(np.mean(folds)), "sd": float(np.std(folds, ddof=1))},
        "worst_fold": float(np.min(folds)),
    }


def recomputed(result):
    """Return the entries of a result that follow from its predictions."""
    if "fits" not in result:
        return {}
    return {"summary": summary(result["fits"], len(load(result["protocol"])[1]))}


def vote(protocol):
    """Combine a linear model with the fine-tuned network of each seed, and with all of them."""
    network = json.loads((RESULTS / f"embeddings_{protocol}_fine-tuned.json").read_text())
    n_folds = len(load(protocol)[1])
    classes = np.unique(np.concatenate([fit["true"] for fit in network["fits"]]))
    by_seed = {}
    for fit in network["fits"]:
        by_seed.setdefault(fit["seed"], []).append(fit)
    complete = [fits for fits in by_seed.values() if len(fits) == n_folds]
    for name, partner in (
        ("networks", None),
        ("vote", "middle"),
        ("transductive-vote", "transductive"),
    ):
        prepared = log_probabilities
        if name == "transductive-vote":
            prepared = functools.partial(standardized, protocol)
        of_fold = dict.fromkeys(range(n_folds), 0.0)
        if partner is not None:
            linear = json.loads((RESULTS / f"embeddings_{protocol}_{partner}.json").read_text())
            of_fold = {fit["fold"]: prepared(fit) for fit in linear["fits"]}
        single, together = [], {}
        for fit in (fit for fits in complete for fit in fits):
            single.append(decided(fit, prepared(fit) + of_fold[fit["fold"]], classes))
            together.setdefault(fit["fold"], []).append(prepared(fit))
        # The mean of all networks counts as one voter.
        everyone = [
            decided(fit, np.mean(together[fit["fold"]], axis=0) + of_fold[fit["fold"]], classes)
            for fit in complete[0]
        ]
        result = {
            "protocol": protocol,
            "system": "vote of " + " and ".join(filter(None, ["fine-tuned", partner])),
            "from_scratch": False,
            "transductive": name == "transductive-vote",
            "versions": network["versions"],
            "summary": summary(single, n_folds),
            "all_seeds": {"n_networks": len(complete), **summary(everyone, n_folds)},
            "against_plain": against_plain(protocol, everyone),
        }
        parts = filter(None, ["fine-tuned", partner, "plain"])
        inputs = [RESULTS / f"embeddings_{protocol}_{part}.json" for part in parts]
        write_result(RESULTS / f"embeddings_{protocol}_{name}.json", result, inputs=inputs)
        uars = [100 * result[key]["uar"]["mean"] for key in ("summary", "all_seeds")]
        print(protocol, name, *np.round(uars, 1), result["against_plain"])


def decided(fit, scores, classes):
    """Return the fit with predictions from the highest scores, of shape (n, n_classes)."""
    return {**fit, "predicted": classes[scores.argmax(axis=1)].tolist()}


def standardized(protocol, fit):
    """Return log probabilities, standardized within each speaker and class."""
    corpus, folds = load(protocol)
    speakers = corpus.speakers.astype(str)
    speakers = speakers[np.isin(speakers, folds[fit["fold"]])]
    scores = log_probabilities(fit)
    for speaker in np.unique(speakers):
        rows = speakers == speaker
        scores[rows] = StandardScaler().fit_transform(scores[rows])
    return scores


def log_probabilities(fit):
    """Return log probabilities; the decision values of an SVM are treated as unnormalized logs."""
    scores = np.array(fit["scores"])
    if np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        scores = np.log(np.maximum(scores, 1e-5))
    return log_softmax(scores, axis=1)


def against_plain(protocol, fits):
    """Return the difference from the plain pipeline, with an interval over speakers."""
    plain = json.loads((RESULTS / f"embeddings_{protocol}_plain.json").read_text())["fits"]
    corpus, folds = load(protocol)
    speakers = corpus.speakers.astype(str)
    order = np.concatenate([np.flatnonzero(np.isin(speakers, held_out)) for held_out in folds])
    true, mine, other = (
        np.concatenate([fit[key] for fit in sorted(of, key=lambda fit: fit["fold"])])
        for of, key in ((plain, "true"), (fits, "predicted"), (plain, "predicted"))
    )
    found = jackknife_by_speaker(true, mine, other, speakers[order])
    return {name: getattr(found, name) for name in ("difference", "low", "high", "p_value")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("systems", nargs="+", choices=[*SYSTEMS, "vote"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, nargs="+")
    arguments = parser.parse_args()
    for chosen in arguments.systems:
        if chosen == "vote":
            vote(arguments.protocol)
        else:
            run(arguments.protocol, chosen, arguments.seeds, arguments.folds)
