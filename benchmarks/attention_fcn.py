"""Default pipeline, from scratch, on EmoDB-LOSO and RAVDESS-5.

    python benchmarks/attention_fcn.py emodb-loso --seeds 3
    python benchmarks/attention_fcn.py ravdess-5 --seeds 3
    python benchmarks/attention_fcn.py emodb-loso --time-alone

Needs SKSER_DATA. Every fold and seed is one fit of
``MelSpectrogram() -> SequenceScaler() -> AttentionFCNClassifier(random_state=seed)`` on one
thread; nothing looks at a test fold before it is scored. Finished fits are kept in the result
file, so that a run that was stopped goes on where it was. Seconds of such a run are those of a
machine that may have had other work; ``--time-alone``, on an idle machine, measures one fit of
the fold with most training utterances.
"""

import argparse
import json
import time

import numpy as np
from joblib import Parallel, delayed
from protocols import PROTOCOLS, RESULTS, load, versions
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler


def fit_fold(X, y, speakers, held_out, seed):
    """One fit; predictions on the held-out speakers and what the fit cost."""
    test = np.isin(speakers, held_out)
    model = make_pipeline(
        SequenceScaler(), AttentionFCNClassifier(random_state=seed, n_threads=1, device="cpu")
    )
    start, start_cpu = time.perf_counter(), time.process_time()
    model.fit(X[~test], y[~test])
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    predicted = model.predict(X[test])
    return {
        "seed": seed,
        "held_out": held_out,
        "uar": balanced_accuracy_score(y[test], predicted),
        "accuracy": accuracy_score(y[test], predicted),
        "fit_seconds": round(seconds, 1),
        "fit_cpu_seconds": round(cpu_seconds, 1),
        "true": " ".join(y[test]),
        "predicted": " ".join(predicted),
    }


def summarise(fits):
    """UAR and accuracy: pooled over folds (mean and sd over seeds), and over folds."""
    seeds = sorted({fit["seed"] for fit in fits})
    pooled = {"uar": [], "accuracy": []}
    for seed in seeds:
        of_seed = [fit for fit in fits if fit["seed"] == seed]
        true = np.concatenate([fit["true"].split() for fit in of_seed])
        predicted = np.concatenate([fit["predicted"].split() for fit in of_seed])
        pooled["uar"].append(balanced_accuracy_score(true, predicted))
        pooled["accuracy"].append(accuracy_score(true, predicted))
    summary = {"n_seeds": len(seeds)}
    for name, values in pooled.items():
        over_folds = [fit[name] for fit in fits]
        summary[name] = {
            "pooled_mean": float(np.mean(values)),
            "pooled_sd_over_seeds": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "fold_mean": float(np.mean(over_folds)),
            "fold_sd": float(np.std(over_folds, ddof=1)) if len(fits) > 1 else None,
            "worst_fold": float(np.min(over_folds)),
        }
    summary["fit_cpu_seconds_max"] = max(fit["fit_cpu_seconds"] for fit in fits)
    summary["fit_cpu_seconds_mean"] = float(np.mean([fit["fit_cpu_seconds"] for fit in fits]))
    return summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--time-alone", action="store_true")
    arguments = parser.parse_args()

    corpus, folds = load(arguments.protocol)
    start = time.process_time()
    X = MelSpectrogram().fit_transform(corpus.data)
    feature_seconds = time.process_time() - start

    model = make_pipeline(MelSpectrogram(), SequenceScaler(), AttentionFCNClassifier())
    path = RESULTS / f"attention_fcn_{arguments.protocol}.json"
    result = {
        "protocol": arguments.protocol,
        "from_scratch": True,
        "transductive": False,
        "pipeline": repr(model.set_params(attentionfcnclassifier__random_state="seed")),
        "settings": repr(AttentionFCNClassifier().get_params()),
        "versions": versions("scikit-learn", "torch", "skorch", "numpy", "librosa"),
        "feature_cpu_seconds": round(feature_seconds, 1),
        "fits": [],
    }
    if path.exists():
        kept = json.loads(path.read_text())
        if all(kept[key] == result[key] for key in ("settings", "versions")):
            result["fits"] = kept["fits"]
            result["alone"] = kept.get("alone")
    y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
    if arguments.time_alone:
        largest = min(folds, key=lambda fold: np.isin(speakers, fold).sum())
        fit = fit_fold(X, y, speakers, largest, seed=0)
        result["alone"] = {key: fit[key] for key in ("held_out", "fit_seconds", "fit_cpu_seconds")}
        result["summary"] = summarise(result["fits"])
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(result["alone"])
        return
    done = {(fit["seed"], *fit["held_out"]) for fit in result["fits"]}
    todo = [
        (fold, seed)
        for seed in range(arguments.seeds)
        for fold in folds
        if (seed, *fold) not in done
    ]
    fits = Parallel(n_jobs=arguments.n_jobs, return_as="generator_unordered")(
        delayed(fit_fold)(X, y, speakers, fold, seed) for fold, seed in todo
    )
    for fit in fits:
        result["fits"].append(fit)
        result["fits"].sort(key=lambda fit: (fit["seed"], fit["held_out"]))
        result["summary"] = summarise(result["fits"])
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(
            f"seed {fit['seed']} without {','.join(fit['held_out'])}: UAR {fit['uar']:.3f}, "
            f"accuracy {fit['accuracy']:.3f}, {fit['fit_cpu_seconds']:.0f} s of one core",
            flush=True,
        )
    print(json.dumps(result["summary"], indent=1))


if __name__ == "__main__":
    main()
