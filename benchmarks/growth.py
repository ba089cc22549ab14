"""Time, memory and disk of an extraction from a thousand to a million utterances.

    python benchmarks/growth.py --directory /scratch/skser
    python benchmarks/growth.py --directory /scratch/skser --sizes 100 1000 --output small.json

Needs SKSER_DATA, the extra "distributed", Linux, and 400 MB in the directory. An utterance table
repeats the first half second of every EmoDB file, and ``transform_to`` writes a mel spectrogram of
16 bands to disk: on this machine in one process, and on a Dask cluster of one and of two worker
processes at 127.0.0.1. Each run is a process of its own, with its cluster started and its imports
done before the clock starts. Its anonymous memory (RssAnon, with that of all its child processes)
is sampled from outside.

Time grows as a power of the number of utterances, and memory and disk along a straight line; these
are fitted to the measured sizes and continued to a million. The time for more workers continues the
power law through one and two workers. Finished runs are stored in the result file, and a later call
adds those that are missing.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import parallel_config
from protocols import load
from provenance import RESULTS, kept_result, versions, write_result
from scale import EVERY_SECONDS, anonymous_bytes

from skser.feature_extraction import MelSpectrogram

RESULT = RESULTS / "growth.json"
SECONDS_EACH, N_MELS = 0.5, 16
SIZES, LARGEST = (1_000, 10_000, 100_000), 1_000_000
# Number of Dask workers; 0 is this machine without Dask.
N_WORKERS = (0, 1, 2)
MORE_WORKERS = (4, 8, 16)


def table(n_utterances):
    """Return the utterance table, which repeats the beginnings of the EmoDB files."""
    corpus, _ = load("emodb-loso")
    paths = np.resize(np.array([str(path) for path in corpus.data], object), n_utterances)
    return pd.DataFrame({"audio": paths, "start": 0.0, "end": SECONDS_EACH})


def extract(n_utterances, n_workers, target):
    """Extract to disk, and return the seconds without those of the start of the cluster."""
    mel, utterances = MelSpectrogram(n_mels=N_MELS, deltas=0), table(n_utterances)
    if not n_workers:
        return _seconds(mel, utterances, target)
    from dask.distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs="CRITICAL",  # workers that end slowly
    )
    with cluster, Client(cluster), parallel_config(backend="dask"):
        return _seconds(mel, utterances, target)


def _seconds(mel, utterances, target):
    mel.transform(utterances[:200])  # imports in every process
    start = time.perf_counter()
    mel.transform_to(utterances, target)
    return time.perf_counter() - start


def measure(n_utterances, n_workers, directory):
    """Run an extraction in its own process, and return its time, memory and disk."""
    target = directory / f"growth_{n_utterances}_{n_workers}"
    for path in (target, target.with_name(target.name + ".partial")):
        shutil.rmtree(path, ignore_errors=True)
    command = [
        sys.executable, __file__, "--directory", str(target), "--sizes", str(n_utterances),
        "--run-with-workers", str(n_workers),
    ]  # fmt: skip
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, anonymous_bytes(process.pid))
            time.sleep(EVERY_SECONDS)
        output = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{command} failed with exit status {process.returncode}.")
    disk = sum(path.stat().st_size for path in target.iterdir())
    shutil.rmtree(target)
    return {"seconds": float(output), "megabytes": peak / 1e6, "disk_megabytes": disk / 1e6}


def fitted(runs):
    """Fit the measured sizes, and continue to the largest one.

    Parameters
    ----------
    runs : dict
        Measured values by number of utterances.

    Returns
    -------
    dict
        The exponent of the time, and the values for the largest size.
    """
    sizes = np.array([int(size) for size in runs])
    order = np.argsort(sizes)
    sizes = sizes[order]

    def column(name):
        return np.array([run[name] for run in runs.values()])[order]

    exponent, constant = np.polyfit(np.log(sizes), np.log(column("seconds")), 1)
    lines = {}
    for name in ("megabytes", "disk_megabytes"):
        slope = max(0.0, np.polyfit(sizes, column(name), 1)[0])  # below 0, it is noise
        lines[name] = slope, np.mean(column(name) - slope * sizes)
    return {
        "exponent": float(exponent),
        "n_utterances": LARGEST,
        "seconds": float(np.exp(constant + exponent * np.log(LARGEST))),
        **{name: float(np.polyval(line, LARGEST)) for name, line in lines.items()},
    }


def more_workers(runs):
    """Continue the time of the largest measured size to more workers, along a power law.

    Parameters
    ----------
    runs : dict
        Measured values by number of workers and number of utterances, both as text.

    Returns
    -------
    dict
        The size, the exponent of the time in the number of workers, and utterances per second.
    """
    size = max(set(runs["1"]) & set(runs["2"]), key=int)
    one, two = (runs[n][size]["seconds"] for n in ("1", "2"))
    exponent = max(-1.0, float(np.log2(two / one)))  # a faster growth is noise
    return {
        "n_utterances": int(size),
        "exponent": exponent,
        "utterances_per_second": {str(n): int(size) / (one * n**exponent) for n in MORE_WORKERS},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--run-with-workers", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run_with_workers is not None:
        print(extract(arguments.sizes[0], arguments.run_with_workers, arguments.directory))
        return

    arguments.directory.mkdir(parents=True, exist_ok=True)
    result = kept_result(arguments.output) or {}
    result |= {
        "seconds_of_each_utterance": SECONDS_EACH,
        "n_mels": N_MELS,
        "versions": versions("numpy", "joblib", "dask", "distributed"),
    }
    runs = result.setdefault("runs", {})
    for n_utterances in sorted(arguments.sizes):
        for n_workers in N_WORKERS:
            of_workers = runs.setdefault(str(n_workers), {})
            if str(n_utterances) not in of_workers:
                measured = measure(n_utterances, n_workers, arguments.directory)
                of_workers[str(n_utterances)] = measured
                write_result(arguments.output, result)
                print(n_utterances, n_workers, json.dumps(measured), flush=True)
    if len(arguments.sizes) > 1:
        result["fits"] = {n_workers: fitted(of_workers) for n_workers, of_workers in runs.items()}
    result["more_workers"] = more_workers(runs)
    write_result(arguments.output, result)


if __name__ == "__main__":
    main()
