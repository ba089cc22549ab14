"""SpeechEmbedding compared with the usual Hugging Face code, which pads to 30 seconds.

    python benchmarks/embedding_speed.py time
    python benchmarks/embedding_speed.py accuracy

Needs SKSER_DATA and SKSER_MODELS, and the extra "embeddings". Both sides use one CPU thread and
layer 2 of Whisper-tiny, and compute mean and standard deviation over the frames of the speech.
"time" alternates them on the same files, including decoding, and reports the ratio of their times.
"accuracy" passes the vectors of both to the same linear SVM, with the penalty published for these
vectors.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from protocols import PROTOCOLS, load
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skser.audio import load_audio
from skser.feature_extraction import SpeechEmbedding

LAYER, C = 2, 1e-2
N_FILES, N_ROUNDS = 16, 5


def checkpoint():
    return Path(os.environ["SKSER_MODELS"]) / "whisper-tiny-encoder"


class Usual:
    """Usual code: feature extractor, encoder on 30 seconds, pooling over the speech frames."""

    def __init__(self):
        self.extractor = transformers.AutoFeatureExtractor.from_pretrained(checkpoint())
        model = transformers.AutoModel.from_pretrained(checkpoint(), dtype=torch.float32)
        self.encoder = model.get_encoder().eval()

    def transform(self, paths):
        """Return vectors of shape (n_files, 2 * width)."""
        vectors = []
        for path in paths:
            samples, _ = load_audio(path, sampling_rate=16000)
            inputs = self.extractor(samples, sampling_rate=16000, return_tensors="pt")
            with torch.inference_mode():
                output = self.encoder(inputs.input_features, output_hidden_states=True)
            frames = output.hidden_states[LAYER][0, : -(-len(samples) // 320)].numpy()
            vectors.append(np.concatenate([frames.mean(axis=0), frames.std(axis=0)]))
        return np.stack(vectors)


def ours():
    return SpeechEmbedding(checkpoint(), LAYER, "mean+std", device="cpu")


def seconds(transformer, paths):
    start = time.perf_counter()
    transformer.transform(paths)
    return time.perf_counter() - start


def compare_times(result):
    systems = {"usual": Usual(), "skser": ours()}
    for protocol in PROTOCOLS:
        corpus, _ = load(protocol)
        paths = list(np.random.RandomState(0).choice(corpus.data, N_FILES, replace=False))
        for transformer in systems.values():
            transformer.transform(paths[:1])
        rounds = []
        for _ in range(N_ROUNDS):
            rounds.append({name: seconds(t, paths) for name, t in systems.items()})
        ratios = [times["usual"] / times["skser"] for times in rounds]
        result.setdefault("time", {})[protocol] = {
            "n_files": N_FILES,
            "seconds": {name: float(np.median([r[name] for r in rounds])) for name in systems},
            "ratio": float(np.median(ratios)),
            "ratios": [round(ratio, 2) for ratio in sorted(ratios)],
        }
        print(protocol, json.dumps(result["time"][protocol]), flush=True)


def compare_accuracy(result):
    for protocol in PROTOCOLS:
        corpus, folds = load(protocol)
        y, speakers = corpus.target.astype(str), corpus.speakers.astype(str)
        fold = np.full(len(y), -1)
        for i, held_out in enumerate(folds):
            fold[np.isin(speakers, held_out)] = i
        for name, transformer in (("skser", ours()), ("usual", Usual())):
            X = transformer.transform(corpus.data)
            model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=C))
            predicted = cross_val_predict(model, X, y, cv=PredefinedSplit(fold))
            scores = {
                "uar": balanced_accuracy_score(y, predicted),
                "accuracy": accuracy_score(y, predicted),
            }
            result.setdefault("accuracy", {}).setdefault(protocol, {})[name] = scores
            print(protocol, name, json.dumps(scores), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["time", "accuracy"])
    what = parser.parse_args().what
    torch.set_num_threads(1)
    path = RESULTS / "embedding_speed.json"
    result = kept_result(path) or {}
    result["versions"] = versions("torch", "transformers", "scikit-learn", "numpy", "soundfile")
    (compare_times if what == "time" else compare_accuracy)(result)
    write_result(path, result)


if __name__ == "__main__":
    main()
