"""A user's first hour, simulated from the wheel in a fresh environment and an empty folder.

    python benchmarks/fresh_install.py

Builds the wheel and installs it with the constraints. Predicts a file spoken by espeak-ng and one
of EmoDB with the model in the package. Trains on EmoDB from a table, saves, loads in a new process,
exports to ONNX, uninstalls torch and predicts again. Needs SKSER_DATA, espeak-ng and a package
index.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from provenance import RESULTS, versions, write_result

ROOT = Path(__file__).parents[1]
LENGTHS = (0.3, 1.0, 2.7, 7.0, 15.0)  # seconds

TABLE = """
import sys
from skser.datasets import load_emodb
load_emodb(sys.argv[1]).frame.to_csv("table.csv", index=False)
"""
RECORDINGS = f"""
import numpy as np, soundfile
from skser.audio import load_audio
from skser.datasets import load_table
speech = np.concatenate([load_audio(f, 16000)[0] for f in load_table("table.csv").data[:12]])
for seconds in {LENGTHS}:
    soundfile.write(f"{{seconds}}.wav", speech[: int(seconds * 16000)], 16000)
"""
TRAIN = """
import sys
import numpy as np, skser
from skser.datasets import load_table
from skser.pipelines import attention_fcn
corpus = load_table("table.csv")
model = attention_fcn(max_epochs=5, random_state=0, n_threads=1)
model.fit(corpus.data, corpus.target.astype(str))
skser.save(model, "python.skser")
skser.export_onnx(model, "python.onnx")
np.save("expected.npy", model.predict_proba(sys.argv[1:]))
"""
LOAD = """
import sys
import numpy as np, skser
found = skser.load("python.skser").predict_proba(sys.argv[1:])
print(float(np.abs(found - np.load("expected.npy")).max()))
"""
WITHOUT_TORCH = """
import importlib.util, sys
import numpy as np, skser
assert importlib.util.find_spec("torch") is None
found = skser.load_onnx("python.onnx").predict_proba(sys.argv[1:])
print(float(np.abs(found - np.load("expected.npy")).max()))
"""


def run(*command, folder, **environment):
    """Run a command and return its output; raise if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def first_hour(folder):
    """Run all steps and return the measurements."""
    emodb = Path(os.environ["SKSER_DATA"]).absolute() / "emodb"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run(*pip, "wheel", "--no-deps", "--wheel-dir", folder / "dist", ROOT, folder=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", folder / "env", folder=folder)
    python, skser = folder / "env/bin/python", folder / "env/bin/skser"
    begin = time.perf_counter()
    install = [python, "-m", "pip", "--quiet", "install", "--constraint", ROOT / "constraints.txt"]
    run(*install, f"{wheel}[onnx,report]", folder=folder)
    seen = {
        "wheel_kB": round(wheel.stat().st_size / 1000),
        "install_s": time.perf_counter() - begin,
    }

    work = folder / "empty folder"
    work.mkdir()
    sentence = "Das will sie am Mittwoch abgeben."
    run("espeak-ng", "-v", "de", "-w", "spoken.wav", sentence, folder=work)
    files = ["spoken.wav", next(emodb.rglob("03a01Wa.*"))]
    begin = time.perf_counter()
    seen["predicted"] = [
        {"file": Path(row["file"]).name, "emotion": row["emotion"]}
        for row in json.loads(run(skser, "predict", *files, "--json", folder=work))
    ]
    seen["predict_two_files_s"] = time.perf_counter() - begin

    run(python, "-c", TABLE, emodb, folder=work)
    run(skser, "train", "table.csv", "--max-epochs", 5, "--out", "shell.skser", folder=work)
    seen["by_own_model"] = run(
        skser, "predict", "spoken.wav", "--model", "shell.skser", folder=work
    ).strip()

    run(python, "-c", RECORDINGS, folder=work)
    recordings = [f"{seconds}.wav" for seconds in LENGTHS]
    run(python, "-c", TRAIN, *recordings, folder=work)
    seen["lengths_s"] = LENGTHS
    seen["new_process_difference"] = float(run(python, "-c", LOAD, *recordings, folder=work))
    run(python, "-m", "pip", "--quiet", "uninstall", "--yes", "torch", "skorch", folder=work)
    seen["onnx_difference"] = float(run(python, "-c", WITHOUT_TORCH, *recordings, folder=work))
    seen["by_onnx_in_the_shell"] = run(
        skser, "predict", "1.0.wav", "--model", "python.onnx", folder=work
    ).strip()
    return seen


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        found = first_hour(Path(temporary))
    found["new_process_ok"] = found["new_process_difference"] <= 1e-6
    found["onnx_ok"] = found["onnx_difference"] <= 1e-4
    print(json.dumps(found, indent=1))
    write_result(
        RESULTS / "fresh_install.json",
        {
            "command": "python benchmarks/fresh_install.py",
            "versions": versions("torch", "onnxruntime", "scikit-learn", "numpy"),
            **found,
        },
    )
    if not (found["new_process_ok"] and found["onnx_ok"]):
        sys.exit("The probabilities after loading or export differ from those before.")
