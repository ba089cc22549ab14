"""Gain in speed and loss in UAR of SpeechEmbedding with fewer bits per number, on a CPU.

    python benchmarks/embedding_precision.py

Needs SKSER_DATA and SKSER_MODELS, and the extra "embeddings". All precisions use one CPU thread and
layer 2 of Whisper-tiny, and compute mean and standard deviation over the frames. Their CPU times on
the same EmoDB files, decoding included, are measured in turns in one process; the gain is the
median of the ratios of one turn. The vectors of all files then go to the same linear SVM, leaving
one speaker out. Finished precisions are stored in the result file, and a later run adds the others.
"""

import argparse
import json
import time

import numpy as np
import torch
from embedding_speed import LAYER, C, checkpoint
from protocols import load
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skser.feature_extraction import SpeechEmbedding

RESULT = RESULTS / "embedding_precision.json"
PRECISIONS = ("float32", "bfloat16", "int8")


def embedding(precision):
    """Return the transformer of one precision, with the settings of all."""
    return SpeechEmbedding(checkpoint(), LAYER, "mean+std", device="cpu", precision=precision)


def cpu_seconds(transformer, paths):
    """Return the CPU seconds that a transformer takes for the files."""
    start = time.process_time()
    transformer.transform(paths)
    return time.process_time() - start


def compare_times(paths, n_files, n_rounds):
    """Return the gain in speed of each precision over the first, from alternating runs."""
    chosen = list(np.random.RandomState(0).choice(paths, n_files, replace=False))
    # Only two encoders are kept loaded, so each pair is measured on its own.
    gains = {PRECISIONS[0]: {"gain": 1.0}}
    for precision in PRECISIONS[1:]:
        pair = [embedding(PRECISIONS[0]), embedding(precision)]
        for transformer in pair:
            transformer.transform(chosen[:1])
        ratios = []
        for i in range(n_rounds):
            order = pair if i % 2 else pair[::-1]
            seconds = {t.precision: cpu_seconds(t, chosen) for t in order}
            ratios.append(seconds[PRECISIONS[0]] / seconds[precision])
        gains[precision] = {
            "gain": float(np.median(ratios)),
            "ratios": [round(ratio, 2) for ratio in sorted(ratios)],
        }
    return gains


def scores(precision, corpus):
    """Return UAR and accuracy of the linear SVM on EmoDB, leaving one speaker out."""
    X, y = embedding(precision).transform(corpus.data), corpus.target.astype(str)
    model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=C))
    predicted = cross_val_predict(model, X, y, groups=corpus.speakers, cv=LeaveOneGroupOut())
    return {
        "uar": balanced_accuracy_score(y, predicted),
        "accuracy": accuracy_score(y, predicted),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    corpus, _ = load("emodb-loso")
    result = {
        "protocol": "emodb-loso",
        "layer": LAYER,
        "C": C,
        "n_files": arguments.files,
        "versions": versions("torch", "transformers", "scikit-learn", "numpy", "soundfile"),
    }
    kept = kept_result(RESULT) or {}
    if all(kept.get(name) == value for name, value in result.items()):
        result = kept
    if "time" not in result:
        result["time"] = compare_times(corpus.data, arguments.files, arguments.rounds)
        write_result(RESULT, result)
        print("time", json.dumps(result["time"]), flush=True)
    for precision in PRECISIONS:
        if precision not in result.get("scores", {}):
            result.setdefault("scores", {})[precision] = scores(precision, corpus)
            write_result(RESULT, result)
            print(precision, json.dumps(result["scores"][precision]), flush=True)


if __name__ == "__main__":
    main()
