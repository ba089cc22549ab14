"""Speed of the web service in examples/service.py, and of one model that threads share.

    python benchmarks/service.py            (about 3 minutes, on an idle machine)
    python benchmarks/service.py --quick    (quick check; writes nothing)

- Requests: 3-s WAV files are uploaded to 127.0.0.1 from several threads. The server runs in a
  process of its own. Every answer is compared with that of the model without a server.
- Threads: predictions per second of one small network that 1, 2, 4 and 8 threads call, in turn, and
  whether their results are equal. Each call uses one thread of torch or onnxruntime.
- Memory: growth of the process over 10,000 calls of the network.

The result file is results/service.json.
"""

import argparse
import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import requests
import soundfile
import torch
from provenance import RESULTS, ROOT, versions, write_result

import skser
from skser.datasets import make_emotional_speech
from skser.persistence import path_of

RATE, SECONDS, N_FILES = 16000, 3, 20
SERVED, NETWORK = "emodb-whisper", "emodb-afcn"


def start_server():
    """Start the example on a free port; return the process and the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "examples"), "service:app",
               "--port", str(port), "--log-level", "warning"]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            requests.get(f"{address}/openapi.json", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return process, address
    raise RuntimeError("The server did not start within a minute.")


def http(paths, model, n_requests, n_threads):
    """Measure the time of each request, as the client sees it."""
    contents = [path.read_bytes() for path in paths]
    expected = [model.predict_proba([path])[0].tolist() for path in paths]
    process, address = start_server()

    def ask(i):
        begin = time.perf_counter()
        files = {"file": (paths[i % N_FILES].name, contents[i % N_FILES])}
        answer = requests.post(f"{address}/predict", files=files, timeout=60)
        elapsed = time.perf_counter() - begin
        same = list(answer.json()["probabilities"].values()) == expected[i % N_FILES]
        return elapsed, same

    try:
        list(map(ask, range(N_FILES)))
        with ThreadPoolExecutor(n_threads) as pool:
            begin = time.perf_counter()
            seconds, same = zip(*pool.map(ask, range(n_requests)), strict=True)
            passed = time.perf_counter() - begin
    finally:
        process.terminate()
        process.wait()
    median, p95 = np.percentile(seconds, (50, 95)) * 1e3
    return {
        "n_requests": n_requests,
        "n_threads": n_threads,
        "median_ms": float(median),
        "p95_ms": float(p95),
        "requests_per_second": n_requests / passed,
        "n_equal": sum(same),
    }


def threads(paths, model, n_calls, n_turns):
    """Measure calls per second of one model, shared by several threads."""
    expected = [model.predict_proba([path]) for path in paths]

    def call(i):
        return np.array_equal(model.predict_proba([paths[i % N_FILES]]), expected[i % N_FILES])

    rates, equal = {n: [] for n in (1, 2, 4, 8)}, True
    for turn in range(n_turns):
        for n in np.roll(list(rates), turn).tolist():
            with ThreadPoolExecutor(n) as pool:
                begin = time.perf_counter()
                equal &= all(pool.map(call, range(n_calls)))
                rates[n].append(n_calls / (time.perf_counter() - begin))
    medians = {str(n): float(np.median(values)) for n, values in rates.items()}
    return {"calls_per_second": medians, "equal": equal}


def memory(paths, model, n_calls):
    """Measure how much the process grows over many calls, after a tenth of them."""
    process = psutil.Process()
    for i in range(n_calls):
        if i == n_calls // 10:
            gc.collect()
            before = process.memory_info().rss
        model.predict_proba([paths[i % N_FILES]])
    gc.collect()
    return {"n_calls": n_calls, "growth_mb": (process.memory_info().rss - before) / 1e6}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    served, network = (
        skser.load_onnx(path_of(name).with_suffix(".onnx"), n_threads=1)
        for name in (SERVED, NETWORK)
    )
    models = {"onnxruntime": network, "torch": skser.load_pretrained(NETWORK)}
    corpus = make_emotional_speech(2, N_FILES // 2, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}.wav" for i in range(N_FILES)]
        for path, samples in zip(paths, corpus.data, strict=True):
            soundfile.write(path, np.resize(samples, SECONDS * RATE), RATE)
        result = {
            "models": {"served": SERVED, "shared by threads": NETWORK},
            "file": f"{SECONDS} s, {RATE} Hz, 16 bits, WAV",
            "n_cores": os.cpu_count(),
            "load_average": os.getloadavg()[0],
            "versions": versions("fastapi", "onnxruntime", "torch", "uvicorn"),
            "http": http(paths, served, 40 if quick else 200, 4),
            "threads": {
                name: threads(paths, model, 40 if quick else 200, 1 if quick else 3)
                for name, model in models.items()
            },
            "memory": {
                name: memory(paths, model, 100 if quick else 10_000)
                for name, model in models.items()
            },
        }
    print(json.dumps(result, indent=1))
    if not quick:
        write_result(RESULTS / "service.json", result)


if __name__ == "__main__":
    main()
