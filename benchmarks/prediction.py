"""Speed of prediction with the default network, on one thread of a CPU.

    python benchmarks/prediction.py            (about 3 minutes, on an idle machine)
    python benchmarks/prediction.py --quick    (quick check; writes nothing)

Compares `predict` of one 3-s WAV file with its parts, measured separately: reading the samples with
soundfile, computing the frames with the transformer's own function, and mapping a ready tensor to
outputs with the torch module. "By hand" is one function that does all of this and the scaling,
without scikit-learn. The sides take turns in one process, with another file in every turn. Speed
does not depend on the predictions, so the speech is synthetic and training is short. The result
file is results/prediction.json.
"""

import argparse
import gc
import json
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile
import torch
from provenance import RESULTS, versions, write_result
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.inspection import emotion_timeline
from skser.neural_network import AttentionFCNClassifier
from skser.neural_network._batching import padded_batch
from skser.preprocessing import SequenceScaler

RATE = 16000
SECONDS = 3
N_FILES = 100


def sides_of_one_file(model, paths):
    """Return the measured functions by name; each takes the number of a file."""
    mel, scaler, network = model
    prepared, module = mel._prepare(), network.net_.module_.eval()
    mean, scale = (x.astype(np.float32) for x in (scaler.mean_, scaler.scale_))
    layout = mel.transform(paths[:1]).layout
    samples = [soundfile.read(path, dtype="float32")[0] for path in paths]
    scaled = scaler.transform(mel.transform(paths))
    batches = [padded_batch(scaled, np.array([i])) for i in range(len(paths))]

    def decode(i):
        return soundfile.read(paths[i], dtype="float32")[0]

    def feature(i):
        return mel._extract(samples[i], prepared)

    def forward(i):
        with torch.inference_mode():
            return module(**batches[i])

    def by_hand(i):
        frames = mel._extract(soundfile.read(paths[i], dtype="float32")[0], prepared)
        frames = torch.from_numpy((frames - mean) / scale)
        x = frames[None].unflatten(-1, (layout.n_channels, layout.n_bands)).transpose(1, 2)
        with torch.inference_mode():
            outputs = module(x, torch.tensor([len(frames)])).numpy()
        return network.classes_[outputs.argmax(axis=1)]

    def predict(i):
        return model.predict([paths[i]])

    for i in range(len(paths)):
        assert by_hand(i) == predict(i)
    return {f.__name__: f for f in (decode, feature, forward, by_hand, predict)}


def one_file(model, paths, n_turns):
    sides = sides_of_one_file(model, paths)
    seconds = {clock: {name: [] for name in sides} for clock in ("wall", "cpu")}
    gc.collect()
    for turn in range(n_turns):
        names = np.roll(list(sides), turn)  # alternate who finds the file in the disk cache
        for name in names:
            run = sides[name]
            wall, cpu = time.perf_counter(), time.thread_time()
            run(turn % len(paths))
            seconds["cpu"][name].append(time.thread_time() - cpu)
            seconds["wall"][name].append(time.perf_counter() - wall)
    result = {"n_turns": n_turns, "load_average": os.getloadavg()[0]}
    for clock, measured in seconds.items():
        measured = {name: np.array(values[n_turns // 10 :]) for name, values in measured.items()}
        pieces = measured["decode"] + measured["feature"] + measured["forward"]
        medians = {name: float(np.median(values)) for name, values in measured.items()}
        result[clock] = {
            "milliseconds": {name: 1e3 * value for name, value in medians.items()},
            "predict_to_pieces": medians["predict"]
            / (medians["decode"] + medians["feature"] + medians["forward"]),
            "predict_to_pieces_median_of_turns": float(np.median(measured["predict"] / pieces)),
            "predict_to_by_hand": medians["predict"] / medians["by_hand"],
        }
    return result


def many_files(model, paths, n_turns):
    model.predict(paths)
    seconds = []
    for _ in range(n_turns):
        wall, cpu = time.perf_counter(), time.thread_time()
        model.predict(paths)
        seconds.append((time.perf_counter() - wall, time.thread_time() - cpu))
    wall, cpu = np.median(seconds, axis=0).tolist()
    return {
        "n_files": len(paths),
        "files_per_second": len(paths) / wall,
        "files_per_cpu_second": len(paths) / cpu,
    }


def timeline(model, folder, minutes):
    """Measure time and growth of memory on recordings of several lengths."""
    speech = np.concatenate(make_emotional_speech(1, 40, random_state=1).data)[: 60 * RATE]
    process, result = psutil.Process(), []
    for n_minutes in minutes:
        path = Path(folder) / f"{n_minutes}_minutes.wav"
        with soundfile.SoundFile(path, "w", RATE, 1) as file:
            for _ in range(n_minutes):
                file.write(np.resize(speech, 60 * RATE))
        gc.collect()
        before, peak, done = process.memory_info().rss, [0], threading.Event()

        def watch(peak=peak, done=done):
            while not done.wait(0.02):
                peak[0] = max(peak[0], process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        wall, cpu = time.perf_counter(), time.thread_time()
        n_windows = len(emotion_timeline(model, path))
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        done.set()
        watcher.join()
        path.unlink()
        entry = {"minutes": n_minutes, "n_windows": n_windows, "seconds": wall}
        result.append({**entry, "cpu_seconds": cpu, "growth_mb": (peak[0] - before) / 1e6})
        print(result[-1], flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    corpus = make_emotional_speech(4, 25, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{i}.wav") for i in range(N_FILES)]
        for path, samples in zip(paths, corpus.data, strict=True):
            soundfile.write(path, np.resize(samples, SECONDS * RATE), RATE)
        network = AttentionFCNClassifier(max_epochs=2, device="cpu", random_state=0)
        model = make_pipeline(MelSpectrogram(), SequenceScaler(), network)
        model.fit(paths, corpus.target)
        result = {
            "protocol": "sides in turn in one process, one thread; medians of the turns",
            "model": repr(model),
            "file": f"{SECONDS} s, {RATE} Hz, 16 bits, WAV",
            "versions": versions("numpy", "scipy", "scikit-learn", "soundfile", "torch"),
            "one_file": one_file(model, paths, 30 if quick else 1000),
            "many_files": many_files(model, paths, 2 if quick else 10),
        }
        print(json.dumps({key: result[key] for key in ("one_file", "many_files")}, indent=1))
        result["timeline"] = timeline(model, folder, (1, 2) if quick else (6, 60))
    if not quick:
        write_result(RESULTS / "prediction.json", result)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with threadpool_limits(1):
        main()
