import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import skser

ROOT = Path(__file__).parents[1]


def run(code):
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return result.stdout.strip()


@pytest.mark.parametrize("statement", ["import skser", "import skser.datasets"])
def test_import_loads_neither_torch_nor_librosa_nor_transformers(statement):
    loaded = set(run(f"{statement}; import sys; print(*sys.modules)").split())
    assert "skser" in loaded
    assert loaded.isdisjoint({"torch", "librosa", "transformers"})


def test_import_takes_less_than_150_ms():
    code = "import time; t = time.perf_counter(); import skser; print(time.perf_counter() - t)"
    assert min(float(run(code)) for _ in range(3)) < 0.15


def test_submodules_load_on_first_use():
    assert run("import skser; print(skser.sequences.Sequences.__name__)") == "Sequences"
    assert "feature_extraction" in dir(skser)
    with pytest.raises(AttributeError, match="no attribute 'emotions'"):
        _ = skser.emotions


def test_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert "version" not in project
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"## [{skser.__version__}]" in changelog


def test_torch_and_skorch_stay_in_neural_network():
    for file in (ROOT / "skser").rglob("*.py"):
        if "neural_network" in file.parts:
            continue
        for line in file.read_text().splitlines():
            assert not line.startswith(
                ("import torch", "from torch", "import skorch", "from skorch")
            )


def test_modules_know_nothing_of_the_estimators():
    for file in (ROOT / "skser/neural_network/modules").glob("*.py"):
        for line in file.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                assert line.startswith(
                    (
                        "import math",
                        "from itertools",
                        "import torch",
                        "from torch",
                        "from skser.neural_network.modules",
                    )
                ), f"{file.name}: {line}"
