"""Speed of the features compared with other libraries, on one thread and with two jobs.

    python benchmarks/features.py            (about 8 minutes, on an idle machine)
    python benchmarks/features.py --quick    (quick check; writes nothing)
    python benchmarks/features.py --jobs    (two jobs only; updates the result file)

Needs SKSER_DATA. In every comparison, the sides take turns in one process, with the same window,
hop, transform and bands. The script reports the median over turns of the ratio of their times.
Libraries that are not installed are skipped. The result file is results/features.json.
"""

import argparse
import gc
import importlib.util
import os
import tempfile
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import librosa
import numpy as np
import psutil
import soundfile
import soxr
from protocols import load
from provenance import RESULTS, kept_result, versions, write_result
from threadpoolctl import threadpool_limits

from skser.feature_extraction import (
    MFCC,
    FrameFeatures,
    Functionals,
    MelSpectrogram,
    OpenSmile,
    Spectrogram,
)

RATE = 16000
STFT = {"n_fft": 512, "win_length": 400, "hop_length": 160, "window": "hamming"}
BANDS = {"n_mels": 64, "fmin": 50, "fmax": 8000}
FRAMES = {"window": 0.025, "hop": 0.010}


def has(module):
    return importlib.util.find_spec(module) is not None


# Other libraries' functions of one array of samples ---------------------------------------


def librosa_mel(samples):
    power = librosa.feature.melspectrogram(y=samples, sr=RATE, **STFT, **BANDS)
    return librosa.power_to_db(power, top_db=60)


FILTERS = librosa.filters.mel(sr=RATE, n_fft=STFT["n_fft"], **BANDS)


def librosa_mel_by_hand(samples):
    """Compute mel spectrograms with a precomputed filterbank, as a careful user would."""
    power = np.abs(librosa.stft(samples, **STFT)) ** 2
    return librosa.power_to_db(FILTERS @ power, top_db=60)


def librosa_mel_and_differences(samples):
    mel = librosa_mel(samples)
    first = librosa.feature.delta(mel, mode="nearest")
    return np.concatenate([mel, first, librosa.feature.delta(first, mode="nearest")])


def librosa_mfcc(samples):
    return librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=20, **STFT, **BANDS)


def librosa_spectrogram(samples):
    return librosa.power_to_db(np.abs(librosa.stft(samples, **STFT)) ** 2, top_db=80)


def kaldi(samples, mfcc=False):
    import kaldi_native_fbank

    options = kaldi_native_fbank.MfccOptions() if mfcc else kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hamming"
    options.frame_opts.frame_length_ms = 25
    options.frame_opts.frame_shift_ms = 10
    options.mel_opts.num_bins = BANDS["n_mels"]
    options.mel_opts.low_freq = BANDS["fmin"]
    options.mel_opts.high_freq = BANDS["fmax"]
    if mfcc:
        options.num_ceps = 20
    make = kaldi_native_fbank.OnlineMfcc if mfcc else kaldi_native_fbank.OnlineFbank
    online = make(options)
    online.accept_waveform(RATE, samples)
    online.input_finished()
    return np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])


def speech_features(samples, mfcc=False):
    import python_speech_features

    settings = {"samplerate": RATE, "winlen": 0.025, "winstep": 0.010, "nfft": 512}
    settings |= {"nfilt": BANDS["n_mels"], "lowfreq": BANDS["fmin"], "highfreq": BANDS["fmax"]}
    settings |= {"winfunc": np.hamming}
    if mfcc:
        return python_speech_features.mfcc(samples, numcep=20, **settings)
    return np.log(python_speech_features.fbank(samples, **settings)[0])


def torchaudio_mel():
    """Create the torchaudio transform once and return a function of one array."""
    import torch
    import torchaudio

    torch.set_num_threads(1)
    transform = torchaudio.transforms.MelSpectrogram(
        *(RATE, 512, 400, 160, 50.0, 8000.0, 0, 64),
        window_fn=torch.hamming_window,
        norm="slaney",
        mel_scale="slaney",
    )

    def mel(samples):
        with torch.inference_mode():
            power = transform(torch.from_numpy(samples))
            return torchaudio.functional.amplitude_to_DB(power, 10, 1e-10, 0, top_db=60)

    return mel


def each(function, inputs):
    for one in inputs:
        function(one)


def from_file(function, path):
    return function(librosa.load(path, sr=RATE)[0])


# Measurements -----------------------------------------------------------------------------


def alternate(sides, n_alternations):
    """Return the median seconds of every side, and the median ratios to the first side."""
    for run in sides.values():
        run()
    seconds = {name: [] for name in sides}
    for _ in range(n_alternations):
        for name, run in sides.items():
            gc.collect()
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    ours = np.array(next(iter(seconds.values())))
    return {
        name: {
            "seconds": float(np.median(values)),
            "times_ours": float(np.median(np.array(values) / ours)),
        }
        for name, values in seconds.items()
    }


def compare(sides, inputs, n_alternations, audio_seconds):
    compared = alternate(
        {name: partial(run, inputs) for name, run in sides.items()}, n_alternations
    )
    for entry in compared.values():
        entry["times_real_time"] = audio_seconds / entry["seconds"]
    return {"n_utterances": len(inputs), "audio_seconds": audio_seconds, "sides": compared}


def peers(ours, librosas, by_hand=None, **others):
    """Return the sides of one comparison on arrays; keys of `others` are required modules."""
    sides = {"skser": ours.transform, "librosa": partial(each, librosas)}
    if by_hand is not None:
        sides["librosa with its filterbank made once"] = partial(each, by_hand)
    for name, function in others.items():
        if has(name):
            sides[name] = partial(each, function)
    return sides


def over_jobs(make, files):
    """Time the transformers ``make(1)`` and ``make(2)`` in turn, after a warm-up of both."""
    both = {n_jobs: make(n_jobs) for n_jobs in (1, 2)}
    seconds = {1: [], 2: []}
    for i in range(4):
        for n_jobs, transformer in both.items():
            gc.collect()
            start = time.perf_counter()
            transformer.fit_transform(files)
            if i > 0:
                seconds[n_jobs].append(time.perf_counter() - start)
    ratios = np.array(seconds[1]) / np.array(seconds[2])
    return {
        "n_files": len(files),
        "n_cpus": os.cpu_count(),
        "seconds_one": seconds[1],
        "seconds_two": seconds[2],
        "times_faster": float(np.median(ratios)),
    }


def memory(files):
    """Measure the growth of memory after a first call, and the size of the result."""
    functionals = Functionals(FrameFeatures()).fit(files)
    functionals.transform(files[:100])
    process, result = psutil.Process(), []
    for n in (len(files) // 8, len(files)):
        gc.collect()
        before, peak, done = process.memory_info().rss, [0], threading.Event()

        def watch(peak=peak, done=done):
            while not done.wait(0.01):
                peak[0] = max(peak[0], process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        returned = functionals.transform(files[:n]).nbytes
        done.set()
        watcher.join()
        entry = {"n_files": n, "returned_mb": returned / 1e6, "growth_mb": (peak[0] - before) / 1e6}
        result.append(entry)
    return result


def two_jobs(corpora, mel, quick):
    every = [str(path) for paths in corpora.values() for path in paths]
    many = every[:200] if quick else 3 * every
    jobs = {
        "mel spectrogram": lambda n: MelSpectrogram(**mel, n_jobs=n),
        "mel spectrogram and differences": lambda n: MelSpectrogram(n_jobs=n),
        "sentence vectors": lambda n: Functionals(FrameFeatures(n_jobs=n)),
    }
    result = {}
    for name, make in jobs.items():
        files = every if "vectors" in name and not quick else many
        result[name] = over_jobs(make, files)
        print(f"two jobs, {name}: {result[name]['times_faster']:.2f}")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", action="store_true")
    arguments = parser.parse_args()
    quick = arguments.quick
    warnings.simplefilter("ignore")
    n_alternations, n_utterances, n_slow = (2, 10, 4) if quick else (10, 150, 30)

    corpora = {name: load(name)[0].data for name in ("ravdess-5", "emodb-loso")}
    mel = {"normalize": None, "deltas": 0, "top_db": 60.0, **FRAMES, **BANDS}
    if arguments.jobs:
        path = RESULTS / "features.json"
        result = kept_result(path)
        if result is None:
            raise SystemExit("Other code made features.json: run without --jobs first.")
        result["two_jobs"] = two_jobs(corpora, mel, quick)
        write_result(path, result)
        return
    result = {
        "protocol": "sides in turn in one process, one thread; medians of the alternations",
        "n_alternations": n_alternations,
        "settings": {"stft": STFT, "bands": BANDS},
        "versions": versions(
            *("numpy", "scipy", "numba", "librosa", "soundfile", "soxr", "opensmile"),
            *("kaldi-native-fbank", "python-speech-features", "torchaudio"),
        ),
        "comparisons": {},
    }

    def report(name, compared):
        result["comparisons"][name] = compared
        for side, entry in compared["sides"].items():
            print(
                f"{name:34s} {side:24s} {entry['times_ours']:6.2f} times our time, "
                f"{entry['times_real_time']:7.0f} times real time",
                flush=True,
            )

    for corpus, paths in corpora.items():
        step = max(1, len(paths) // n_utterances)
        files = [str(path) for path in paths[::step][:n_utterances]]
        arrays = [librosa.load(path, sr=RATE)[0] for path in files]
        seconds = sum(map(len, arrays)) / RATE
        measure = partial(compare, n_alternations=n_alternations, audio_seconds=seconds)
        arrays_in = {"input_sampling_rate": RATE}
        report(
            f"{corpus}, mel spectrogram, arrays",
            measure(
                peers(
                    MelSpectrogram(**mel, **arrays_in),
                    librosa_mel,
                    librosa_mel_by_hand,
                    kaldi_native_fbank=kaldi,
                    python_speech_features=speech_features,
                    **({"torchaudio": torchaudio_mel()} if has("torchaudio") else {}),
                ),
                arrays,
            ),
        )
        report(
            f"{corpus}, mel and differences, arrays",
            measure(
                peers(MelSpectrogram(**arrays_in), librosa_mel_and_differences),
                arrays,
            ),
        )
        report(
            f"{corpus}, MFCC, arrays",
            measure(
                peers(
                    MFCC(**arrays_in),
                    librosa_mfcc,
                    kaldi_native_fbank=partial(kaldi, mfcc=True),
                    python_speech_features=partial(speech_features, mfcc=True),
                ),
                arrays,
            ),
        )
        report(
            f"{corpus}, spectrogram, arrays",
            measure(
                peers(Spectrogram(**FRAMES, **arrays_in), librosa_spectrogram),
                arrays,
            ),
        )
        report(
            f"{corpus}, mel spectrogram, FLAC files",
            measure(
                {
                    "skser": MelSpectrogram(**mel).transform,
                    "librosa": partial(each, partial(from_file, librosa_mel)),
                },
                files,
            ),
        )
        slow = arrays[:: max(1, len(arrays) // n_slow)][:n_slow]
        sides = {"skser": Functionals(FrameFeatures(**arrays_in)).fit(slow).transform}
        if has("opensmile"):
            for feature_set in ("ComParE_2016", "eGeMAPSv02"):
                sides[f"openSMILE {feature_set}"] = OpenSmile(feature_set, **arrays_in).transform
        report(
            f"{corpus}, sentence vectors, arrays",
            compare(sides, slow, max(2, n_alternations // 2), sum(map(len, slow)) / RATE),
        )

    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, path in enumerate(corpora["ravdess-5"][:: 1440 // n_utterances][:n_utterances]):
            samples, rate = soundfile.read(path, dtype="float32")
            files.append(str(Path(folder) / f"{i}.wav"))
            soundfile.write(files[-1], soxr.resample(samples, rate, 48000), 48000)
        report(
            "ravdess-5, mel spectrogram, 48-kHz WAV files",
            compare(
                {
                    "skser": MelSpectrogram(**mel).transform,
                    "librosa": partial(each, partial(from_file, librosa_mel)),
                },
                files,
                n_alternations,
                sum(soundfile.info(file).duration for file in files),
            ),
        )

    result["two_jobs"] = two_jobs(corpora, mel, quick)
    every = [str(path) for paths in corpora.values() for path in paths]
    result["memory"] = memory(every[:200] if quick else every)
    print("memory:", result["memory"])
    if not quick:
        write_result(RESULTS / "features.json", result)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
