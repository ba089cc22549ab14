"""Structure of the package: imports, versions and sizes of files."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import skser

ROOT = Path(__file__).parents[1]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
# In the order of the data flow: a room imports only from rooms above it. All rooms may import the
# private files directly under skser/.
ROOMS = (
    "audio",
    "sequences",
    "datasets",
    "augmentation",
    "feature_extraction",
    "preprocessing",
    "neural_network",
    "discriminant_analysis",
    "compose",
    "metrics",
    "model_selection",
    "inspection",
    "evaluation",
    "persistence",
    "export",
    "pipelines",
    "cli",
)
LONGEST = 450  # lines


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


def test_the_version_is_defined_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert "version" not in project
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"## [{skser.__version__}]" in changelog
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {skser.__version__}\n" in citation


def test_torch_and_skorch_stay_in_neural_network():
    for file in (ROOT / "skser").rglob("*.py"):
        if "neural_network" in file.parts:
            continue
        for line in file.read_text().splitlines():
            assert not line.startswith(
                ("import torch", "from torch", "import skorch", "from skorch")
            )


def test_modules_do_not_import_the_estimators():
    for file in (ROOT / "skser/neural_network/modules").glob("*.py"):
        for line in file.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                assert line.startswith(
                    (
                        "import contextlib",
                        "import math",
                        "import threading",
                        "from itertools",
                        "import torch",
                        "from torch",
                        "from skser.neural_network.modules",
                    )
                ), f"{file.name}: {line}"


@functools.cache
def imports():
    """List (place, room, imported parts) of all imports of skser within the package."""
    found = []
    for file in sorted((ROOT / "skser").rglob("*.py")):
        room = file.relative_to(ROOT / "skser").with_suffix("").parts[0]
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}:{node.lineno} imports relatively"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                package, *parts = name.split(".")
                if package == "skser" and parts:
                    found.append((f"{file.relative_to(ROOT)}:{node.lineno}", room, parts))
    return found


def test_no_room_imports_private_files_of_another():
    found = [
        f"{place} imports {'.'.join(parts)}"
        for place, room, parts in imports()
        if parts[0] in ROOMS and parts[0] != room and any(part[0] == "_" for part in parts)
    ]
    assert not found


def test_rooms_import_only_from_rooms_above():
    rooms = {path.stem for path in (ROOT / "skser").iterdir() if path.suffix in ("", ".py")}
    assert {room for room in rooms if room[0] != "_"} == set(ROOMS)
    place_of = {room: i for i, room in enumerate(ROOMS)}
    found = [
        f"{place} imports {'.'.join(parts)}, which comes after it"
        for place, room, parts in imports()
        if room in ROOMS and place_of.get(parts[0], -1) > place_of[room]
    ]
    # Private files directly under skser/ may import only from audio and sequences.
    found += [
        f"{place} imports {'.'.join(parts)}, but may import only audio and sequences"
        for place, room, parts in imports()
        if room not in (*ROOMS, "__init__", "__main__") and parts[0] in ROOMS[2:]
    ]
    assert not found


def test_files_are_short():
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for file in (ROOT / "skser").rglob("*.py")
    }
    assert {file: n for file, n in lengths.items() if n > LONGEST} == {}


def test_hooks_and_lint_use_the_same_ruff():
    hooks = set(re.findall(r"ruff==[\d.]+", (ROOT / ".pre-commit-config.yaml").read_text()))
    assert hooks == set(re.findall(r"^ruff==[\d.]+", CONSTRAINTS, re.MULTILINE))
