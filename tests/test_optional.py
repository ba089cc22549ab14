"""Errors for libraries that are not installed, and the versions that are tested."""

import importlib.util
import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from sklearn.utils.fixes import parse_version

from skser._optional import import_optional
from tests.support.without_extras import EXTRAS, NEEDED_BY, NOT_NEEDED_BY

ROOT = Path(__file__).parents[1]


def test_a_missing_library_is_named_with_its_extra():
    with pytest.raises(ImportError, match=r"Reverb needs.*'no_such_library'.*skser\[room\]"):
        import_optional("no_such_library", extra="room", purpose="Reverb")


def test_an_installed_library_is_imported():
    assert import_optional("json", extra="x", purpose="x").loads("1") == 1


def test_a_library_that_fails_to_import_is_not_reported_as_missing(tmp_path, monkeypatch):
    for name, content, match in (
        ("lacks_another", "import no_such_library", "No module named 'no_such_library'"),
        ("lacks_a_part", "import lacks_a_part.core", "No module named 'lacks_a_part.core'"),
        ("lacks_a_name", "from json import no_such_name", "cannot import name 'no_such_name'"),
        ("lacks_a_file", "raise ImportError('libsox.so: cannot open')", "libsox.so: cannot open"),
    ):
        (tmp_path / f"{name}.py").write_text(content)
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ImportError, match=match) as caught:
            import_optional(name, extra="x", purpose="x")
        assert "skser[x]" not in str(caught.value)


def test_every_extra_is_tested():
    assert set(NEEDED_BY) | set(NOT_NEEDED_BY) == set(EXTRAS)


def test_the_oldest_versions_allowed_are_tested():
    tested = (ROOT / "constraints-oldest.txt").read_text()
    tested = dict(line.split("==") for line in tested.splitlines() if "==" in line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [project["optional-dependencies"][extra] for extra in EXTRAS]
    for requirement in itertools.chain(project["dependencies"], *extras):
        name, oldest = re.sub(r"\[.*\]", "", requirement).split(">=")
        if name != "torch":  # CI tests a single version of torch
            assert parse_version(tested[name]) == parse_version(oldest), name


@pytest.fixture(scope="module")
def without_extras(tmp_path_factory):
    folder = tmp_path_factory.mktemp("without_extras")
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.without_extras", folder],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_every_module_is_imported_without_any_extra(without_extras):
    assert {"skser.inspection", "skser.cli", "skser.persistence"} <= set(without_extras["modules"])


@pytest.mark.parametrize(
    ("extra", "call"),
    [(extra, call.__name__) for extra, calls in NEEDED_BY.items() for call in calls],
)
def test_a_missing_extra_is_named_on_one_line(extra, call, without_extras):
    if extra == "adapters" and importlib.util.find_spec("transformers") is None:
        pytest.skip("adapters need an encoder, which the extra embeddings reads")
    said = without_extras["said"][call]
    assert said.removesuffix(".").endswith(f": pip install 'skser[{extra}]'")
    assert "\n" not in said


@pytest.mark.parametrize(
    "call", [call.__name__ for calls in NOT_NEEDED_BY.values() for call in calls]
)
def test_libraries_that_the_user_imports_are_not_needed(call, without_extras):
    assert without_extras["said"][call] == "nothing"
