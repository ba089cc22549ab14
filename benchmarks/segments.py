"""Cost of reading utterances as parts of one long recording, compared with cutting it by hand.

    python benchmarks/segments.py            (about a minute)
    python benchmarks/segments.py --quick    (quick check; writes nothing)

Generates a 70-minute FLAC file of noise with pauses, at 16 kHz, and reads 500 parts of it, of 2 to
8 seconds, in three ways: with `skser.audio.Utterance`, by hand (decoding the whole file and taking
slices), and from 500 files cut in advance. Each way runs in its own process, which reports its peak
memory beyond the imports. The script also compares `load_audio` with soundfile on whole files. The
result file is results/segments.json.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from provenance import RESULTS, versions, write_result

from skser.audio import Utterance, load_audio, read_utterance

RATE = 16000


def make(folder, minutes, n_parts):
    """Write the recording and its parts; return its path, the times and the parts' paths."""
    random = np.random.RandomState(0)
    path = folder / "recording.flac"
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in range(minutes):
            envelope = np.repeat(random.uniform(0, 0.3, 60), RATE)
            file.write((envelope * random.standard_normal(60 * RATE)).clip(-1, 1))
    starts = np.sort(random.uniform(0, 60 * minutes - 8, n_parts))
    times = np.stack([starts, starts + random.uniform(2, 8, n_parts)], axis=1)
    files = []
    with soundfile.SoundFile(path) as file:
        for i, (first, last) in enumerate(np.round(times * RATE).astype(int)):
            file.seek(first)
            files.append(str(folder / f"{i}.flac"))
            soundfile.write(files[-1], file.read(last - first, dtype="int16"), RATE)
    return str(path), times, files


def by_utterances(path, times, files):
    return sum(
        len(read_utterance(Utterance(path, *part), i, None, RATE)) for i, part in enumerate(times)
    )


def by_hand(path, times, files):
    samples, _ = soundfile.read(path, dtype="float32")
    return sum(len(samples[first:last]) for first, last in np.round(times * RATE).astype(int))


def by_files(path, times, files):
    return sum(len(load_audio(file, RATE)[0]) for file in files)


def _measured(way, given, queue):
    load_audio(given[2][0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    n_samples = way(*given)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    queue.put({"seconds": seconds, "peak_mib": peak / 1024, "n_samples": n_samples})


def measured(way, given):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measured, args=(way, given, queue))
    process.start()
    found = queue.get()
    process.join()
    return found


def whole_files(folder, n_files, repeats):
    """Return the median ratio of the time of `load_audio` to that of soundfile, by format."""
    noise = np.random.RandomState(1).standard_normal(3 * RATE) / 10
    ratios = {}
    for suffix in ("wav", "flac"):
        path = str(folder / f"whole.{suffix}")
        soundfile.write(path, noise, RATE)
        found = []
        for _ in range(repeats):
            seconds = []
            for read in (load_audio, lambda p: soundfile.read(p, dtype="float32")):
                start = time.perf_counter()
                for _ in range(n_files):
                    read(path)
                seconds.append(time.perf_counter() - start)
            found.append(seconds[0] / seconds[1])
        ratios[suffix] = float(np.median(found))
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    minutes, n_parts = (2, 10) if quick else (70, 500)
    with tempfile.TemporaryDirectory() as folder:
        given = make(Path(folder), minutes, n_parts)
        ways = {"utterances": by_utterances, "by hand": by_hand, "cut files": by_files}
        result = {
            "minutes": minutes,
            "n_parts": n_parts,
            "seconds_of_audio": float(np.ptp(given[1], axis=1).sum()),
            "ways": {name: measured(way, given) for name, way in ways.items()},
            "load_audio_to_soundfile": whole_files(Path(folder), 20 if quick else 200, 11),
            "versions": versions(),
        }
    print(json.dumps(result, indent=1))
    if not quick:
        write_result(RESULTS / "segments.json", result)


if __name__ == "__main__":
    main()
