"""Tests of the record of the code that makes the results of benchmarks."""

import importlib
import json
import re
import shutil

import provenance
import pytest
import reproduce
import results_check


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small package and a script that uses part of it."""
    files = {
        "skser/__init__.py": "__version__ = '1'\n",
        "skser/metrics/__init__.py": (
            "from skser.metrics._used import used\nfrom skser.metrics._other import other\n"
        ),
        "skser/metrics/_used.py": (
            '"""Used."""\nfrom skser._base import base\n\n\n'
            'def used(x):\n    """Double."""\n    if x < 0:\n        raise ValueError("below 0")\n'
            "    return base(x) * 2  # twice\n"
        ),
        "skser/metrics/_other.py": "def other():\n    return 1\n",
        "skser/_base.py": "def base(x):\n    return x\n",
        "benchmarks/script.py": "import helper\nfrom skser.metrics import used\n\nprint(used(1))\n",
        "benchmarks/helper.py": "N = 3\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setattr(provenance, "HERE", tmp_path / "benchmarks")
    monkeypatch.setattr(results_check, "ROOT", tmp_path)
    return tmp_path


def code_hash(project):
    for function in (provenance.code_hash, provenance._imports, provenance._tree):
        function.cache_clear()
    return provenance.code_hash(project / "benchmarks/script.py")


def test_only_imported_files_count(project):
    found = provenance.imported_files(project / "benchmarks/script.py")
    names = {path.relative_to(project).as_posix() for path in found}
    assert names == {
        "benchmarks/script.py", "benchmarks/helper.py", "skser/metrics/_used.py", "skser/_base.py"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("skser/metrics/_used.py", "* 2", "* 3", True),
        ("skser/metrics/_used.py", "x < 0", "x <= 0", True),
        ("skser/_base.py", "return x", "return x + 1", True),
        ("benchmarks/helper.py", "N = 3", "N = 4", True),
        ("benchmarks/script.py", "used(1)", "used(2)", True),
        ("skser/metrics/_other.py", "return 1", "return 2", False),
        ("skser/metrics/_used.py", "Double.", "Return the double.", False),
        ("skser/metrics/_used.py", "# twice", "# two times", False),
        ("skser/metrics/_used.py", "below 0", "x is below 0", False),
        ("skser/metrics/_used.py", "base(x) * 2", "base( x )*2", False),
    ],
)
def test_the_hash_changes_with_code_but_not_with_text(project, file, old, new, changes):
    before = code_hash(project)
    path = project / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert (code_hash(project) != before) == changes


def test_a_result_states_its_origin_and_is_kept_by_the_same_code_only(project, monkeypatch):
    script = project / "benchmarks/script.py"
    monkeypatch.setattr(provenance, "main_script", lambda: script)
    path = project / "result.json"
    code_hash(project)
    fits = [{"seed": 1, "uar": 0.5}, {"seed": 0, "uar": 0.25}]
    provenance.write_result(path, {"fits": fits})
    stored = json.loads(path.read_text())
    origin = stored["origin"]
    assert stored["fits"] == fits
    assert origin["seeds"] == [0, 1]
    assert origin["script"] == "benchmarks/script.py"
    assert {"python", "skser", "numpy"} <= set(origin["versions"])
    assert {"processor", "n_threads", "blas"} <= set(origin["machine"])
    assert origin["command"].startswith("python benchmarks/script.py")
    assert provenance.kept_result(path) == stored
    assert results_check.status(stored) == "current"
    script.write_text(script.read_text() + "print(2)\n")
    code_hash(project)
    assert provenance.kept_result(path) is None
    assert results_check.status(stored) == "earlier code"
    script.unlink()
    assert results_check.status(stored) == "earlier code"
    assert results_check.status({"fits": []}) == "unknown code"
    assert provenance.kept_result(project / "none.json") is None


def test_a_reproduced_result_may_be_continued_and_says_so(project, monkeypatch):
    script, path = project / "benchmarks/script.py", project / "result.json"
    monkeypatch.setattr(provenance, "main_script", lambda: script)
    first = code_hash(project)
    fits = [{"seed": 0, "fold": fold, "predicted": ["joy", "fear"]} for fold in range(2)]
    provenance.write_result(path, {"fits": fits})
    script.write_text(script.read_text() + "print(2)\n")
    present = code_hash(project)
    stored = json.loads(path.read_text())
    stored["origin"]["reproduced"] = {"code_hash": present, "folds": [[0, 0]]}
    path.write_text(json.dumps(stored))
    assert results_check.status(stored) == "reproduced"
    for n in (3, 4):
        provenance.write_result(path, {"fits": provenance.kept_result(path)["fits"] + fits[:1]})
        stored = json.loads(path.read_text())
        assert len(stored["fits"]) == n
        assert stored["origin"]["code_hash"] == present
        assert [record["code_hash"] for record in stored["origin"]["continues"]] == [first]
        assert results_check.status(stored) == "reproduced"
    script.write_text(script.read_text() + "print(3)\n")
    code_hash(project)
    assert provenance.kept_result(path) is None
    assert results_check.status(stored) == "earlier code"
    provenance.write_result(path, {"fits": fits})
    assert results_check.status(json.loads(path.read_text())) == "current"


def test_a_result_is_reproduced_if_all_predictions_are_equal():
    fit = {"seed": 0, "fold": 0, "utterances": [1], "predicted": ["joy"], "uar": 0.5}
    stored = {"fits": [fit, fit | {"fold": 1}]}
    assert reproduce.reproduced(stored, {"fits": [fit | {"uar": 0.25, "fit_seconds": 3}]})
    for again in ([], [fit | {"predicted": ["fear"]}], [fit | {"seed": 1}]):
        assert not reproduce.reproduced(stored, {"fits": again})
    rows = [fit | {"system": "a"}, fit | {"system": "b", "predicted": ["fear"]}]
    assert reproduce.reproduced({"fits": rows}, {"fits": [*rows, fit | {"system": "c"}]})
    assert not reproduce.reproduced({"fits": rows}, {"fits": [rows[1] | {"system": "a"}]})
    noisy = {"fits": [fit | {"predicted_in_noise": ["joy"]}]}
    assert reproduce.n_other(noisy, {"fits": [fit | {"predicted_in_noise": ["fear"]}]}) == (1, 3)


def test_a_result_without_a_record_is_reproduced_by_the_command_in_its_name(project, monkeypatch):
    assert reproduce.command_of("script_a_b-c", {}) == ["benchmarks/script.py", "a", "b-c"]
    stored = {"command": "python benchmarks/script.py --seeds 5"}
    assert reproduce.command_of("other", stored) == ["benchmarks/script.py", "--seeds", "5"]
    fits = [{"seed": 0, "fold": fold, "predicted": ["joy"]} for fold in range(2)]
    monkeypatch.setattr(reproduce, "RESULTS", project / "results")
    (project / "results").mkdir()
    path = project / "results" / "script_a.json"
    path.write_text(json.dumps({"fits": fits, "versions": {"torch": "2"}}))
    script = project / "benchmarks/script.py"
    script.write_text(
        "import json, os, sys\n"
        f"result = {{'fits': {fits[:1]}, 'asked': sys.argv[1:]}}\n"
        "with open(os.environ['SKSER_RESULTS'] + '/script_a.json', 'w') as file:\n"
        "    json.dump(result, file)\n"
    )
    code_hash(project)
    monkeypatch.setattr(reproduce, "ROOT", project)
    monkeypatch.setattr("sys.argv", ["reproduce.py", "script_a"])
    assert reproduce.main() == 0
    stored = json.loads(path.read_text())
    assert stored["origin"]["versions"] == {"torch": "2"}
    assert stored["origin"]["reproduced"]["fits"] == [[0, 0]]
    assert results_check.status(stored) == "reproduced"
    monkeypatch.setattr(provenance, "main_script", lambda: script)
    provenance.write_result(path, provenance.kept_result(path))
    stored = json.loads(path.read_text())
    assert stored["origin"]["continues"][0]["code_hash"] is None
    assert results_check.status(stored) == "reproduced"


def test_a_result_is_out_of_date_if_one_of_its_inputs_is(project, monkeypatch):
    monkeypatch.setattr(provenance, "main_script", lambda: project / "benchmarks/script.py")
    monkeypatch.setattr(results_check, "RESULTS", project)
    code_hash(project)
    provenance.write_result(project / "made.json", {})
    (project / "old.json").write_text("{}")
    inputs = [project / "made.json", project / "old.json"]
    for given, expected in ((inputs[:1], "current"), (inputs, "unknown code")):
        provenance.write_result(project / "vote.json", {}, inputs=given)
        stored = json.loads((project / "vote.json").read_text())
        assert results_check.status(stored) == expected


def test_a_cache_folder_changes_with_the_code(project):
    script = project / "benchmarks/script.py"
    code_hash(project)
    before = provenance.cache_folder(script)
    assert provenance.cache_folder(script) == before
    script.write_text(script.read_text() + "print(2)\n")
    code_hash(project)
    assert provenance.cache_folder(script) != before


def test_differences_name_the_entries():
    stored = {"a": {"b": [1, 2.0]}, "c": 1, "other": 3}
    assert results_check.differences(stored, {"a": {"b": [1, 2.0 + 1e-12]}, "c": 1}) == []
    assert results_check.differences(stored, {"a": {"b": [1, 2.1]}, "c": None}) == ["/a/b/1", "/c"]
    assert results_check.differences(stored, {"a": {"b": [1]}}) == ["/a/b"]
    assert results_check.differences({}, {"a": 1}) == ["/a"]


def test_a_summary_that_does_not_follow_from_predictions_is_found(tmp_path, monkeypatch, capsys):
    name = "mpg_statistics.json"
    shutil.copy(provenance.RESULTS / name, tmp_path / name)
    monkeypatch.setattr(results_check, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["results_check.py"])
    assert results_check.main() == 0
    stored = json.loads((tmp_path / name).read_text())
    model = next(iter(stored["summary"]))
    stored["summary"][model]["rows"]["uar"]["pooled_mean"] += 0.01
    (tmp_path / name).write_text(json.dumps(stored))
    assert results_check.main() == 1
    assert f"/summary/{model}/rows/uar/pooled_mean" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["results_check.py", "--update"])
    assert results_check.main() == 0
    monkeypatch.setattr("sys.argv", ["results_check.py"])
    assert results_check.main() == 0


@pytest.mark.parametrize(
    ("module", "write", "name", "pages"),
    [
        ("render_descriptors", "write_descriptors", "descriptors",
         ("descriptors_opensmile", "descriptors_praat")),
        ("render_shared_speakers", "write_shared_speakers", "shared_speakers",
         ("shared_speakers", "shared_speakers_report")),
    ],
)  # fmt: skip
def test_pages_made_of_results_of_other_code_say_so(
    module, write, name, pages, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(provenance.ROOT / "docs")
    stored_results = importlib.import_module("stored_results")
    write = getattr(importlib.import_module(module), write)
    stored = json.loads((provenance.RESULTS / f"{name}.json").read_text())
    script = provenance.ROOT / stored["origin"]["script"]
    path = tmp_path / f"benchmarks/results/{name}.json"
    path.parent.mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    notes = {
        "current": None,
        "earlier": "was measured with an earlier version of the code; see :doc:`/provenance`.",
        "unknown": "was measured before results recorded the code that made them",
    }
    for state, note in notes.items():
        result = dict(stored)
        origin = result.pop("origin")
        if state != "unknown":
            code = provenance.code_hash(script) if state == "current" else "0" * 64
            result["origin"] = origin | {"code_hash": code}
        path.write_text(json.dumps(result))
        write(tmp_path / "docs")
        for page in pages:
            text = (tmp_path / f"docs/generated/{page}.rst").read_text()
            assert ".. list-table" in text or "::" in text
            assert (note is not None) == (".. note::" in text)
            assert note is None or f"This {note}" in text
    assert stored_results.mark([]) == ""


def test_every_page_of_results_is_written_with_their_mark():
    for file in (provenance.ROOT / "docs").glob("render_*.py"):
        code = file.read_text()
        if "benchmarks/results" in code:
            assert "write_generated(" in code, file
            assert not re.search(r"json\.loads|write_text", code), file
