"""Speed of prediction with torch and with onnxruntime, on one thread of a CPU.

    python benchmarks/onnx_prediction.py            (about 1 minute, on an idle machine)
    python benchmarks/onnx_prediction.py --quick    (quick check; writes nothing)

Compares `predict` of one file by a pipeline with the default network, and by the model that
`load_onnx` reads from its export, which includes the features. The sides take turns in one process,
with another file in every turn. Speed does not depend on the predictions, so the speech is
synthetic and training is short. The result file is results/onnx_prediction.json.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from provenance import RESULTS, versions, write_result
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from skser.datasets import make_emotional_speech
from skser.export import export_onnx, load_onnx
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

RATE = 16000
SECONDS = (0.3, 1, 2.7, 7, 15)
N_FILES = 20


def in_turn(sides, paths, n_turns):
    """Return the median milliseconds of each side, and the median ratio of second to first."""
    passed = {name: [] for name in sides}
    for turn in range(n_turns):
        for name in np.roll(list(sides), turn):  # alternate who finds the file in the disk cache
            start = time.perf_counter()
            sides[name].predict([paths[turn % len(paths)]])
            passed[name].append(time.perf_counter() - start)
    passed = {name: 1e3 * np.array(values[n_turns // 10 :]) for name, values in passed.items()}
    first, second = passed.values()
    medians = {name: float(np.median(values)) for name, values in passed.items()}
    return {"milliseconds": medians, "ratio": float(np.median(second / first))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    corpus = make_emotional_speech(4, 25, random_state=0)
    network = AttentionFCNClassifier(max_epochs=10, device="cpu", n_threads=1, random_state=0)
    model = make_pipeline(MelSpectrogram(), SequenceScaler(), network)
    n_turns = 10 if quick else 200
    result = {
        "protocol": "predict of one file, sides in turn in one process, one thread; medians",
        "n_turns": n_turns,
        "load_average": os.getloadavg()[0],
        "versions": versions("numpy", "onnx", "onnxruntime", "torch"),
        "seconds": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def written(samples, name):
            soundfile.write(folder / name, samples, RATE)
            return str(folder / name)

        model.fit([written(s, f"train{i}.wav") for i, s in enumerate(corpus.data)], corpus.target)
        start = time.perf_counter()
        export_onnx(model, folder / "model.onnx")
        result["export_seconds"] = time.perf_counter() - start
        result["bytes"] = (folder / "model.onnx").stat().st_size
        sides = {"torch": model, "onnxruntime": load_onnx(folder / "model.onnx", n_threads=1)}
        speech = np.concatenate(corpus.data)
        for seconds in SECONDS:
            n_samples = round(seconds * RATE)
            cuts = [np.resize(speech[i * RATE :], n_samples) for i in range(N_FILES)]
            paths = [written(samples, f"{i}.wav") for i, samples in enumerate(cuts)]
            measured = in_turn(sides, paths, n_turns)
            expected, given = (side.predict_proba(paths) for side in sides.values())
            measured["largest_difference"] = float(np.abs(expected - given).max())
            result["seconds"][str(seconds)] = measured
            print(seconds, measured, flush=True)
    if not quick:
        write_result(RESULTS / "onnx_prediction.json", result)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with threadpool_limits(1):
        main()
