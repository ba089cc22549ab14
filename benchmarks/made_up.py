"""A linear model on statistics compared with the default network, on the synthetic corpus.

    python benchmarks/made_up.py --seeds 3

The corpus has five emotions and ten speakers, in five speaker-disjoint folds. Each seed generates
another corpus and another initialization of the network. The linear model is logistic regression
with scikit-learn's default penalty, on the standardized mean and variance of log-mels.
"""

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from provenance import write_result
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

RESULT = Path(__file__).parent / "results/made_up.json"
PACKAGES = ("scikit-learn", "torch", "skorch", "numpy", "librosa")


def statistics(corpus):
    """Compute mean and variance over time of log-mels, one row per utterance."""
    mel = MelSpectrogram(deltas=0, normalize=None, input_sampling_rate=corpus.sampling_rate)
    X = mel.transform(corpus.data)
    n = X.lengths[:, None]
    mean = X.reduce(np.add) / n
    return np.hstack([mean, X.map_values(np.square).reduce(np.add) / n - mean**2])


def one_seed(seed):
    """Score both models on the corpus of one seed."""
    corpus = make_emotional_speech(random_state=seed)
    mel = MelSpectrogram(input_sampling_rate=corpus.sampling_rate)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    network = make_pipeline(
        SequenceScaler(), AttentionFCNClassifier(random_state=seed, n_threads=1, device="cpu")
    )
    scores = {"seed": seed}
    for name, model, X in (
        ("linear", linear, statistics(corpus)),
        ("attention_fcn", network, mel.transform(corpus.data)),
    ):
        start = time.process_time()
        predicted = cross_val_predict(
            model, X, corpus.target, groups=corpus.speakers, cv=GroupKFold(5)
        )
        scores[name] = {
            "uar": balanced_accuracy_score(corpus.target, predicted),
            "accuracy": accuracy_score(corpus.target, predicted),
            "cpu_seconds": round(time.process_time() - start, 1),
        }
    print(json.dumps(scores), flush=True)
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n-jobs", type=int, default=1)
    arguments = parser.parse_args()
    rows = Parallel(n_jobs=arguments.n_jobs)(
        delayed(one_seed)(seed) for seed in range(arguments.seeds)
    )
    summary = {
        name: {
            "uar_mean": float(np.mean([row[name]["uar"] for row in rows])),
            "uar_sd_over_seeds": float(np.std([row[name]["uar"] for row in rows], ddof=1)),
            "accuracy_mean": float(np.mean([row[name]["accuracy"] for row in rows])),
        }
        for name in ("linear", "attention_fcn")
    }
    result = {
        "protocol": "made-up corpus, 5 emotions, 10 speakers, 5 speaker-disjoint folds",
        "corpus": "make_emotional_speech(random_state=seed)",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "seeds": rows,
        "summary": summary,
    }
    write_result(RESULT, result)
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
