"""The default pipeline, trained from scratch, alone and in votes, on EmoDB-LOSO and RAVDESS-5.

    python benchmarks/attention_fcn.py emodb-loso
    python benchmarks/attention_fcn.py ravdess-5
    python benchmarks/attention_fcn.py emodb-loso --time-alone

Needs SKSER_DATA. For every fold and seed, one pipeline
``MelSpectrogram() -> SequenceScaler() -> AttentionFCNClassifier(random_state=seed)`` is fitted on
one thread. Test folds are used only for scoring. The linear model of ``fcn_and_functionals`` on
sentence vectors has no seed and is fitted once per fold. A vote is a geometric mean of
probabilities, so all systems are computed from these fits:

- ``network``: the default pipeline.
- ``functionals``: the linear model.
- ``network + functionals``: `skser.pipelines.fcn_and_functionals`, one vote per seed.
- ``networks``: one vote of all seeds' networks.
- ``networks + functionals``: the vote with the mean of all networks in place of one network.

Finished fits are stored in the result file, and a later run resumes from there. The seconds of each
fit may include waiting for other work on the machine. ``--time-alone``, on an idle machine,
measures one fit of the fold with the most training utterances. ``--models`` names a folder that
stores the fitted networks, for ``attention.py deletion``.
"""

import argparse
import time
from pathlib import Path

import joblib
import numpy as np
from joblib import Parallel, delayed
from protocols import PROTOCOLS, load
from provenance import RESULTS, code_hash, kept_result, versions, write_result
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.pipelines import fcn_and_functionals
from skser.preprocessing import SequenceScaler


def fit_fold(X, y, speakers, held_out, seed, models=None):
    """Fit one fold, and return the probabilities of the held-out speakers and the fit times."""
    test = np.isin(speakers, held_out)
    model = make_pipeline(
        SequenceScaler(), AttentionFCNClassifier(random_state=seed, n_threads=1, device="cpu")
    )
    start, start_cpu = time.perf_counter(), time.process_time()
    model.fit(X[~test], y[~test])
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    if models is not None:
        joblib.dump(model, model_path(models, held_out, seed))
    return {
        "seed": seed,
        "held_out": held_out,
        "fit_seconds": round(seconds, 1),
        "fit_cpu_seconds": round(cpu_seconds, 1),
        "proba": model.predict_proba(X[test]).round(4).tolist(),
    }


def model_path(models, held_out, seed):
    """Return the path that stores the network of a fold and seed."""
    made_by = code_hash(Path(__file__).resolve())[:16]
    return Path(models) / f"without-{'-'.join(held_out)}-seed-{seed}-{made_by}.joblib"


def fit_functionals(vectors, y, speakers, held_out):
    """Return the linear model's probabilities of the held-out speakers' utterances."""
    test = np.isin(speakers, held_out)
    model = fcn_and_functionals(conditions=False).named_estimators["functionals"][1:]
    return model.fit(vectors[~test], y[~test]).predict_proba(vectors[test])


def systems(fits, linear):
    """Return the probabilities of every system: {system: [{held_out: probabilities}]}.

    The list has one entry per seed.
    """
    seeds = sorted({fit["seed"] for fit in fits})
    networks = [
        {tuple(fit["held_out"]): np.array(fit["proba"]) for fit in fits if fit["seed"] == seed}
        for seed in seeds
    ]
    networks = [network for network in networks if len(network) == len(linear)]
    if not networks:
        return {"functionals": [linear]}
    vote = {fold: np.mean([network[fold] for network in networks], axis=0) for fold in linear}
    return {
        "network": networks,
        "functionals": [linear],
        "network + functionals": [voted(network, linear) for network in networks],
        "networks": [vote],
        "networks + functionals": [voted(vote, linear)],
    }


def recomputed(result):
    """Return the entries of a result that follow from its probabilities of networks."""
    corpus, _ = load(result["protocol"])
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    found = {"summary": dict(result["summary"])}  # systems with the linear model need its fits
    nothing = {tuple(fit["held_out"]): np.zeros_like(fit["proba"]) for fit in result["fits"]}
    runs = systems(result["fits"], nothing)
    for name in ("network", "networks"):
        found["summary"][name] = summarize(runs[name], y, speakers)
    return found


def voted(networks, linear):
    """Return the vote of `fcn_and_functionals`, with its weights, before it is normalized."""
    first, second = fcn_and_functionals(conditions=False).weights
    return {fold: networks[fold] ** first * linear[fold] ** second for fold in linear}


def summarize(runs, y, speakers):
    """Summarize UAR and accuracy, pooled over folds (mean and sd over seeds) and by fold."""
    classes = np.unique(y)
    summary = {"n_seeds": len(runs)}
    for name, score in (("uar", balanced_accuracy_score), ("accuracy", accuracy_score)):
        pooled, over_folds = [], {}
        for run in runs:
            pairs = {
                fold: (y[np.isin(speakers, fold)], classes[proba.argmax(axis=1)])
                for fold, proba in run.items()
            }
            true, predicted = (np.concatenate(part) for part in zip(*pairs.values(), strict=True))
            pooled.append(score(true, predicted))
            for fold, pair in pairs.items():
                over_folds.setdefault("+".join(fold), []).append(score(*pair))
        values = np.concatenate(list(over_folds.values()))
        summary[name] = {
            "pooled": pooled,
            "pooled_mean": float(np.mean(pooled)),
            "pooled_sd_over_seeds": float(np.std(pooled, ddof=1)) if len(pooled) > 1 else None,
            "fold_mean": float(np.mean(values)),
            "fold_sd": float(np.std(values, ddof=1)),
            "worst_fold": float(np.min(values)),
            "by_fold": {fold: float(np.mean(scores)) for fold, scores in over_folds.items()},
        }
    return summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--time-alone", action="store_true")
    parser.add_argument("--models", type=Path, help="folder for fitted networks")
    arguments = parser.parse_args()

    corpus, folds = load(arguments.protocol)
    start = time.process_time()
    X = MelSpectrogram().fit_transform(corpus.data)
    feature_seconds = time.process_time() - start

    path = RESULTS / f"attention_fcn_{arguments.protocol}.json"
    result = {
        "protocol": arguments.protocol,
        "from_scratch": True,
        "transductive": False,
        "settings": repr(AttentionFCNClassifier().get_params()),
        "vote": repr(fcn_and_functionals(conditions=False)),
        "versions": versions("scikit-learn", "torch", "skorch", "numpy", "librosa"),
        "feature_cpu_seconds": round(feature_seconds, 1),
        "fits": [],
    }
    kept = kept_result(path)
    if kept and all(kept[key] == result[key] for key in ("settings", "versions")):
        result["fits"] = kept["fits"]
        result["alone"] = kept.get("alone")
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    if arguments.time_alone:
        largest = min(folds, key=lambda fold: np.isin(speakers, fold).sum())
        fit = fit_fold(X, y, speakers, largest, seed=0)
        result["alone"] = {key: fit[key] for key in ("held_out", "fit_seconds", "fit_cpu_seconds")}
        print(result["alone"])
        arguments.seeds = 0
    done = {(fit["seed"], *fit["held_out"]) for fit in result["fits"]}
    todo = [
        (fold, seed)
        for seed in range(arguments.seeds)
        for fold in folds
        if (seed, *fold) not in done
    ]
    fits = Parallel(n_jobs=arguments.n_jobs, return_as="generator_unordered")(
        delayed(fit_fold)(X, y, speakers, fold, seed, arguments.models) for fold, seed in todo
    )
    for fit in fits:
        result["fits"].append(fit)
        result["fits"].sort(key=lambda fit: (fit["seed"], fit["held_out"]))
        write(path, result)
        seconds = f"{fit['fit_cpu_seconds']:.0f} s of one core"
        print(f"seed {fit['seed']} without {','.join(fit['held_out'])}: {seconds}", flush=True)

    vectors = (
        fcn_and_functionals(conditions=False)
        .named_estimators["functionals"][0]
        .fit_transform(corpus.data)
    )
    linear = {tuple(fold): fit_functionals(vectors, y, speakers, fold) for fold in folds}
    result["summary"] = {
        name: summarize(runs, y, speakers) for name, runs in systems(result["fits"], linear).items()
    }
    write(path, result)
    for name, summary in result["summary"].items():
        figures = (f"{m} {100 * summary[m]['pooled_mean']:.1f}" for m in ("uar", "accuracy"))
        print(f"{name}, {summary['n_seeds']} seeds: {', '.join(figures)}")


def write(path, result):
    """Write the result file, with one line per fit."""
    write_result(path, result)


if __name__ == "__main__":
    main()
