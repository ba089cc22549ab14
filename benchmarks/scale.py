"""Extraction of features larger than memory to disk, and one epoch of training from them.

    python benchmarks/scale.py --gigabytes 6 --directory /scratch/skser
    python benchmarks/scale.py --gigabytes 6 --directory /scratch/skser --pipeline --kill

Needs SKSER_DATA, and space for the features in the directory: twice their size with ``--pipeline``
or ``--kill``. RAVDESS is repeated until ``MelSpectrogram()`` gives features of the given size. Each
phase runs in its own process. Its anonymous memory (RssAnon of Linux, including child processes but
not the pages of the memory-mapped features) is sampled from outside. ``--pipeline`` also trains a
SequenceScaler with the network. ``--kill`` kills an extraction halfway, restarts it and compares
the bytes. The features stay in the directory. A later call reuses them, and keeps the time and
memory of the extraction from the result file.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
from provenance import code_hash, kept_result, write_result
from sklearn.pipeline import make_pipeline

from skser.datasets import load_ravdess
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences

RESULT = Path(__file__).parent / "results" / "scale.json"
PACKAGES = ("scikit-learn", "torch", "skorch", "numpy", "joblib")
EVERY_SECONDS = 0.05


class CountedMelSpectrogram(MelSpectrogram):
    """`MelSpectrogram` that adds a byte to the file SKSER_COUNT for each computed utterance."""

    def _extract(self, samples, prepared):
        with open(os.environ["SKSER_COUNT"], "ab", buffering=0) as file:
            file.write(b".")
        return super()._extract(samples, prepared)


def repeated_corpus(gigabytes):
    """Return the repeated paths and labels of RAVDESS, and the total seconds of speech."""
    corpus = load_ravdess(Path(os.environ["SKSER_DATA"]) / "ravdess")
    seconds = np.array([soundfile.info(path).duration for path in corpus.data])
    mel = MelSpectrogram()
    bytes_per_second = 4 * len(mel.get_feature_names_out()) / mel.hop
    n_repeats = 1 + int(1e9 * gigabytes / (seconds.sum() * bytes_per_second))
    bytes_there = np.cumsum(np.tile(seconds, n_repeats)) * bytes_per_second
    n_utterances = int(np.searchsorted(bytes_there, 1e9 * gigabytes)) + 1
    return (
        [str(path) for path in np.resize(corpus.data, n_utterances)],
        np.resize(corpus.target.astype(str), n_utterances),
        float(np.resize(seconds, n_utterances).sum()),
    )


def extract(paths, _, target, arguments):
    MelSpectrogram(n_jobs=arguments.n_jobs).transform_to(paths, target)


def extract_counted(paths, _, target, arguments):
    CountedMelSpectrogram(n_jobs=arguments.n_jobs).transform_to(paths, target)


def epoch(_, labels, target, arguments):
    network(arguments).fit(Sequences.open(target, mmap_mode="r"), labels)


def pipeline(_, labels, target, arguments):
    model = make_pipeline(SequenceScaler(), network(arguments))
    model.fit(Sequences.open(target, mmap_mode="r"), labels)


def network(arguments):
    return AttentionFCNClassifier(
        max_epochs=1, n_threads=arguments.n_threads, device="cpu", random_state=0
    )


PHASES = {function.__name__: function for function in (extract, extract_counted, epoch, pipeline)}


def anonymous_bytes(pid):
    """Return the anonymous memory of a process and its descendants, in bytes."""
    total = 0
    with contextlib.suppress(OSError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                total += 1024 * int(line.split()[1])
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(anonymous_bytes(int(child)) for child in children.read_text().split())
    return total


def run(phase, target, arguments, stop=None):
    """Run a phase in its own process, and kill it as soon as `stop()` returns True.

    Returns
    -------
    dict
        Seconds of the phase, including start and imports if there is a `stop`, and the peak of
        anonymous memory.
    """
    command = [
        sys.executable, __file__, "--phase", phase, "--directory", str(target),
        "--gigabytes", str(arguments.gigabytes), "--n-jobs", str(arguments.n_jobs),
        "--n-threads", str(arguments.n_threads),
    ]  # fmt: skip
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        peak = max(peak, anonymous_bytes(process.pid))
        if stop is not None and stop():
            process.send_signal(signal.SIGKILL)
        time.sleep(EVERY_SECONDS)
    if stop is None and process.returncode:
        raise SystemExit(f"The phase {phase} failed with exit status {process.returncode}.")
    measured = {"seconds": time.perf_counter() - start, "peak_anonymous_megabytes": peak / 1e6}
    if stop is None:
        measured["seconds"] = float(process.stdout.read())
    return measured


def kill_and_resume(target, n_utterances, arguments):
    """Extract into a second folder, killed halfway and resumed, and compare with the first."""
    second, count = target.with_name("killed"), target.with_name("count")
    journal = second.with_name("killed.partial") / "block" / "journal.jsonl"
    shutil.rmtree(second, ignore_errors=True)
    shutil.rmtree(second.with_name("killed.partial"), ignore_errors=True)
    os.environ["SKSER_COUNT"] = str(count)

    def lines():
        return journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0

    run("extract_counted", second, arguments, stop=lambda: lines() > n_utterances // 2)
    finished = lines()
    count.write_bytes(b"")
    run("extract_counted", second, arguments)
    names = ("values.npy", "lengths.npy", "layout.json")
    identical = all(digest(second / name) == digest(target / name) for name in names)
    computed = count.stat().st_size
    shutil.rmtree(second)
    count.unlink()
    return {
        "finished_when_killed": finished,
        "computed_afterwards": computed,
        "computed_again": computed - (n_utterances - finished),
        "same_bytes": identical,
    }


def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=6.0)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--n-threads", type=int, default=1)
    parser.add_argument("--pipeline", action="store_true")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--phase", choices=list(PHASES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()

    paths, labels, seconds = repeated_corpus(arguments.gigabytes)
    if arguments.phase:
        start = time.perf_counter()
        PHASES[arguments.phase](paths, labels, arguments.directory, arguments)
        print(time.perf_counter() - start)
        return

    made_by = code_hash(Path(__file__).resolve())[:16]
    target = arguments.directory / f"mels_{arguments.gigabytes:g}GB_{made_by}"
    result = {
        "gigabytes": arguments.gigabytes,
        "n_utterances": len(paths),
        "hours_of_speech": round(seconds / 3600, 2),
        "n_jobs": arguments.n_jobs,
        "n_threads": arguments.n_threads,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }
    fixed = set(result)
    kept = kept_result(arguments.output)
    if kept and all(kept.get(key) == result[key] for key in fixed):
        result = kept

    def keep(name, measured):
        result[name] = measured
        write_result(arguments.output, result)
        print(name, json.dumps(measured), flush=True)

    if not target.exists():
        measured = run("extract", target, arguments)
        measured["utterances_per_second"] = len(paths) / measured["seconds"]
        measured["times_real_time"] = seconds / measured["seconds"]
        keep("extraction", measured)
    keep("block_gigabytes", (target / "values.npy").stat().st_size / 1e9)
    keep("epoch", run("epoch", target, arguments))
    if arguments.pipeline:
        keep("pipeline", run("pipeline", target, arguments))
    if arguments.kill:
        keep("kill", kill_and_resume(target, len(paths), arguments))


if __name__ == "__main__":
    main()
