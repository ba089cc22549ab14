"""Speed of the spectral transformers on a torch device, compared with NumPy and librosa.

    python benchmarks/device.py --device cuda --n-jobs 8
    python benchmarks/device.py --device cpu --quick     (quick check; writes nothing)

The speech is that of EmoDB if SKSER_DATA is set, and synthetic otherwise, repeated as needed. The
sides take turns in one process, with the same window, hop, transform and bands. The script stores
the medians of their times, the largest difference between device and NumPy, and the peak memory of
the device over all runs, including one utterance of an hour. librosa reads and computes on one
core. `--n-jobs` applies to both transformers when they read files. The result file is
results/device.json.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
from provenance import write_result
from sklearn.base import clone

from skser._device import resolve_device
from skser.audio import load_audio
from skser.datasets import load_emodb, make_emotional_speech
from skser.feature_extraction import MFCC, MelSpectrogram, Spectrogram

RESULT = Path(__file__).parent / "results" / "device.json"
PACKAGES = ("torch", "numpy", "scipy", "librosa", "soundfile", "soxr", "joblib")
RATE = 16000
STFT = {"n_fft": 512, "win_length": 400, "hop_length": 160, "window": "hamming"}
BANDS = {"n_mels": 64, "fmin": 50, "fmax": 8000}


def librosa_spectrogram(samples):
    return librosa.power_to_db(np.abs(librosa.stft(samples, **STFT)) ** 2, top_db=60)


def librosa_mel(samples):
    power = librosa.feature.melspectrogram(y=samples, sr=RATE, **STFT, **BANDS)
    mel = librosa.power_to_db(power, top_db=60)
    first = librosa.feature.delta(mel, mode="nearest")
    return np.concatenate([mel, first, librosa.feature.delta(first, mode="nearest")])


def librosa_mfcc(samples):
    return librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=20, **STFT, **BANDS)


# All sides clip decibels at 60 below the maximum, the range in which they are expected to agree.
SIDES = [
    (Spectrogram(window=0.025, top_db=60), librosa_spectrogram),
    (MelSpectrogram(), librosa_mel),
    (MFCC(top_db=60), librosa_mfcc),
]


def speech(folder, n_utterances):
    """Return the name of the corpus, and its utterances as paths of FLAC files and as arrays."""
    if "SKSER_DATA" in os.environ:
        name, files = "EmoDB", list(load_emodb(Path(os.environ["SKSER_DATA"]) / "emodb").data)
        arrays = [load_audio(file, RATE)[0] for file in files]
    else:
        name, files = "made up", []
        arrays = make_emotional_speech(random_state=0).data
        for i, samples in enumerate(arrays):
            files.append(folder / f"{i}.flac")
            soundfile.write(files[-1], samples, RATE)
    chosen = np.resize(np.arange(len(files)), n_utterances)
    return name, [str(files[i]) for i in chosen], [arrays[i] for i in chosen]


def alternate(sides, n_alternations, audio_seconds):
    """Return the median seconds of every side over its turns, after one warm-up turn."""
    seconds = {name: [] for name in sides}
    for i in range(1 + n_alternations):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            if i:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    return {
        name: {"seconds": median, "times_real_time": audio_seconds / median}
        for name, median in medians.items()
    }


def compare(transformer, peer, files, arrays, arguments):
    """Measure speed from arrays and files, and the largest difference from NumPy."""
    numpy = clone(transformer).set_params(input_sampling_rate=RATE)
    device = clone(numpy).set_params(device=arguments.device)
    from_files = [clone(side).set_params(n_jobs=arguments.n_jobs) for side in (numpy, device)]
    audio_seconds = sum(map(len, arrays)) / RATE
    n_alternations = 1 if arguments.quick else 5

    result = {
        "settings": repr(numpy),
        "from arrays": {
            "numpy": lambda: numpy.transform(arrays),
            "device": lambda: device.transform(arrays),
            "librosa": lambda: [peer(samples) for samples in arrays],
        },
        "from files": {
            "numpy": lambda: from_files[0].transform(files),
            "device": lambda: from_files[1].transform(files),
            "librosa": lambda: [peer(librosa.load(file, sr=RATE)[0]) for file in files],
        },
    }
    for form in ("from arrays", "from files"):
        result[form] = alternate(result[form], n_alternations, audio_seconds)
        for side, entry in result[form].items():
            name = f"{type(transformer).__name__} {form}, {side}"
            print(f"{name:45s} {entry['times_real_time']:9.0f} times real time", flush=True)
    differences = device.transform(arrays).values - numpy.transform(arrays).values
    result["largest_difference_db"] = float(np.abs(differences).max())
    long_seconds = 60 if arguments.quick else 3600
    long = np.resize(np.concatenate(arrays[:100]), long_seconds * RATE)
    result["one long utterance"] = alternate(
        {"numpy": lambda: numpy.transform([long]), "device": lambda: device.transform([long])},
        n_alternations,
        long_seconds,
    )
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--n-utterances", type=int, default=2000)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    arguments.device = resolve_device(arguments.device)
    is_cuda = arguments.device.startswith("cuda")

    result = {
        "device": arguments.device,
        "device_name": torch.cuda.get_device_name(arguments.device)
        if is_cuda
        else platform.processor() or platform.machine(),
        "n_cpus": os.cpu_count(),
        "n_jobs": arguments.n_jobs,
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "transformers": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        n_utterances = 20 if arguments.quick else arguments.n_utterances
        result["speech"], files, arrays = speech(Path(folder), n_utterances)
        result["n_utterances"] = len(arrays)
        result["audio_seconds"] = sum(map(len, arrays)) / RATE
        for transformer, peer in SIDES:
            name = type(transformer).__name__
            result["transformers"][name] = compare(transformer, peer, files, arrays, arguments)
            print(f"{name}: {result['transformers'][name]['largest_difference_db']:.2g} dB apart")
    if is_cuda:
        result["peak_device_mb"] = torch.cuda.max_memory_allocated(arguments.device) / 1e6
    if not arguments.quick:
        write_result(RESULT, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
