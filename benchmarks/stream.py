"""Cost of predicting emotion while the audio arrives, on one core.

    python benchmarks/stream.py            (about six minutes)
    python benchmarks/stream.py --quick    (quick check; writes nothing)

Passes an hour of synthetic speech, at 16 kHz and at 48 kHz, through
`skser.inspection.emotion_stream` in blocks of several sizes, as fast as possible, with the model in
the package and windows of 2 s every 0.5 s. Each run has its own process with one thread. It reports
the real-time factor (seconds of computing per second of audio), the delay of a row after the last
sample of its window, split into further audio that was needed and computing time, and the growth of
memory between the first and the last minute. The result file is results/stream.json.
"""

import argparse
import json
import multiprocessing
import os
import resource
import time

import numpy as np
import psutil
from provenance import RESULTS, versions, write_result

import skser
from skser.datasets import make_emotional_speech
from skser.inspection import emotion_stream

WINDOW, HOP = 2.0, 0.5
CASES = ((160, 16000), (1000, 16000), (16000, 16000), (480, 48000), (1, 16000))
SHORTER = 12  # factor by which runs with blocks of a single sample are shorter


def _measured(size, rate, minutes, queue):
    import torch

    torch.set_num_threads(1)
    corpus = make_emotional_speech(4, 20, random_state=0)
    speech = np.concatenate(corpus.data).astype(np.float32)
    if rate != corpus.sampling_rate:
        import soxr

        speech = soxr.resample(speech, corpus.sampling_rate, rate)
    model = skser.load_pretrained("emodb-afcn")
    model.predict([skser.audio.Waveform(speech[: 2 * rate], rate)])  # warm-up: compiles functions
    process, n_samples = psutil.Process(), minutes * 60 * rate
    came, clock, computing, memory = [0], [0.0], [], []

    def arriving():
        while came[0] < n_samples:
            place = came[0] % (len(speech) - size)
            came[0] += size
            clock[0] = time.perf_counter()
            yield speech[place : place + size]

    start, next_look, late = time.perf_counter(), 60.0, []
    for row in emotion_stream(model, arriving(), rate, WINDOW, HOP):
        computing.append(time.perf_counter() - clock[0])
        late.append(came[0] / rate - row["end"])
        if row["end"] >= next_look:
            memory.append(process.memory_info().rss / 2**20)
            next_look += 60
    seconds = time.perf_counter() - start
    queue.put({
        "block_samples": size,
        "sampling_rate": rate,
        "minutes": minutes,
        "n_rows": len(computing),
        "real_time_factor": seconds / (60 * minutes),
        "audio_beyond_window_ms": 1000 * float(max(late[:-1])),
        "computing_ms_median": 1000 * float(np.median(computing)),
        "computing_ms_99_percent": 1000 * float(np.quantile(computing, 0.99)),
        "memory_growth_mib": memory[-1] - memory[0],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    })  # fmt: skip


def measured(*given):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measured, args=(*given, queue))
    process.start()
    found = queue.get()
    process.join()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    minutes = 2 if quick else 60
    runs = []
    for size, rate in CASES:
        length = minutes if size > 1 else max(2, minutes // SHORTER)
        runs.append(measured(size, rate, length))
        print(json.dumps(runs[-1]), flush=True)
    result = {
        "model": "emodb-afcn",
        "window": WINDOW,
        "hop": HOP,
        "n_threads": 1,
        "runs": runs,
        "versions": versions("skser", "numpy", "scikit-learn", "torch", "soxr"),
    }
    if not quick:
        write_result(RESULTS / "stream.json", result)


if __name__ == "__main__":
    main()
