"""Processor time of the command line, and of loading a saved network, with everything imported.

    python benchmarks/startup.py            (about 3 minutes)
    python benchmarks/startup.py --quick    (quick check; writes nothing)

Each side is a new process, which counts its own processor time, from the start of the interpreter
to its end. The sides take turns, after a turn that fills the caches of the file system.

- "skser predict": one 3-s file, with the included model.
- "bare onnxruntime": the import of onnxruntime, NumPy and soundfile.
- "saved network": `skser.load` of a network and `predict` of the file.
- "bare torch": the import of torch, scikit-learn and skorch.

The result file is results/startup.json.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from provenance import RESULTS, ROOT, versions, write_result

from skser.persistence import path_of

NAME = "emodb-afcn"  # of the saved network; the command line has its own default
SIDES = {
    "skser predict": "from skser.cli import main; main()",
    "bare onnxruntime": "import onnxruntime, numpy, soundfile",
    "saved network": "import skser; skser.load(sys.argv[3]).predict([sys.argv[2]])",
    "bare torch": "import torch, sklearn, skorch",
}
HEAVY = ("torch", "torch._dynamo", "librosa", "sklearn", "pandas", "scipy")
REPORT = f"""
import atexit, sys
def report():
    print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
atexit.register(report)
"""


def run(code, *arguments):
    """Return the processor time of a process in seconds, and the large libraries it imports."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        [sys.executable, "-c", REPORT + code, *arguments],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, result.stderr.splitlines()[-1].split()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    n_turns = 1 if parser.parse_args().quick else 5
    seconds, imported = {name: [] for name in SIDES}, {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "noise.wav")
        soundfile.write(path, np.random.RandomState(0).randn(48000) / 10, 16000)
        arguments = "predict", path, str(path_of(NAME))
        for turn in range(n_turns + 1):
            for name in np.roll(list(SIDES), turn).tolist():
                given = arguments[:2] if name == "skser predict" else arguments
                passed, imported[name] = run(SIDES[name], *given)
                if turn:
                    seconds[name].append(passed)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    pairs = {"skser predict": "bare onnxruntime", "saved network": "bare torch"}
    result = {
        "protocol": f"processor time of new processes, in turn; medians of {n_turns}",
        "model": NAME,
        "load_average": os.getloadavg()[0],
        "versions": versions("onnxruntime", "scikit-learn", "skorch", "torch"),
        "seconds": medians,
        "all_seconds": seconds,
        "ratios": {
            name: float(np.median(np.divide(seconds[name], seconds[bare])))
            for name, bare in pairs.items()
        },
        "imported": imported,
    }
    print(json.dumps(result, indent=1))
    if n_turns > 1:
        write_result(RESULTS / "startup.json", result)


if __name__ == "__main__":
    main()
