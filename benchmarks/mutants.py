"""Share of small changes to the code that the tests notice: mutation testing with Cosmic Ray.

    pip install cosmic-ray
    python benchmarks/mutants.py [--mutants 300] [--seed 0] [--budget 20]
    python benchmarks/mutants.py --only-survivors

Mutants are drawn at random, without replacement, from all that Cosmic Ray's operators can make of
the rooms below. Each runs the tests that execute its line, known from one run with coverage, the
quickest first and at most `budget` seconds of them. Tests of real data and tests that start other
processes are left out. A mutant is killed if a test fails or if the tests take much longer than
usual. It survives if all of them pass.

`--only-survivors` tries those that survived or took too long again, with the tests of today, and
adds "after" to them and to the counts. A mutant is found again by its change and by what precedes
it on the line, because lines move. One whose line has been rewritten is "rewritten" and counts as
not noticed. Those killed before count as noticed.

Results: results/mutants.json.
"""

import argparse
import contextlib
import difflib
import functools
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # as the tests do, before scipy is imported

import numpy as np
from provenance import RESULTS, ROOT, write_result

ROOMS = ("metrics", "model_selection", "evaluation", "feature_extraction")
SKIPPED = "not (killed or cluster or processes or process or browser or worker or import_ or dask)"
RESULT = RESULTS / "mutants.json"
PRELOADED = (
    "_pytest.doctest", "audmetric", "audiomentations", "joblib", "librosa", "matplotlib.pyplot",
    "numba", "opensmile", "pandas", "scipy.signal", "scipy.stats", "skorch",
    "sklearn.calibration", "sklearn.ensemble", "sklearn.linear_model", "sklearn.model_selection",
    "sklearn.svm", "sklearn.utils.estimator_checks", "soundfile", "soxr", "torch",
    "torchmetrics.functional.classification", "transformers",
)  # fmt: skip


def candidates(copy):
    """Return every possible mutant of a copy as (file, operator, occurrence, line)."""
    import parso
    from cosmic_ray.ast import ast_nodes
    from cosmic_ray.plugins import get_operator, operator_names

    found = []
    for room in ROOMS:
        for path in sorted((copy / "skser" / room).rglob("*.py")):
            nodes = list(ast_nodes(parso.parse(path.read_text("utf-8"))))
            for name in sorted(operator_names()):
                if name == "core/NoOp":
                    continue
                try:
                    operator = get_operator(name)()
                except TypeError:  # an operator with parameters, such as a variable's name
                    continue
                places = (place for node in nodes for place in operator.mutation_positions(node))
                for occurrence, ((line, _), _) in enumerate(places):
                    found.append((path.relative_to(copy).as_posix(), name, occurrence, line))
    return found


def mutated(source, name, occurrence):
    """Return the source with one mutation."""
    import parso
    from cosmic_ray.mutating import MutationVisitor
    from cosmic_ray.plugins import get_operator

    visitor = MutationVisitor(occurrence, get_operator(name)())
    return visitor.walk(parso.parse(source)).get_code()


def in_child(function, seconds, output=os.devnull):
    """Run a function in a forked process; return its exit status, or None after a timeout."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        with open(output, "w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        try:
            status = int(function())
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            status = 99
        os._exit(status)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def run_tests(copy, *arguments):
    """Run pytest in the copy of the project."""
    import pytest

    os.chdir(copy)
    sys.path.insert(0, str(copy))
    for name in [name for name in sys.modules if name.split(".")[0] in ("skser", "provenance")]:
        del sys.modules[name]  # so that the copy is imported
    # Plugins that are loaded already are not rewritten, which matters for their messages only.
    quiet = ["-q", "-x", "-p", "no:cacheprovider", "--no-header"]
    return pytest.main([*quiet, "-W", "ignore::pytest.PytestAssertRewriteWarning", *arguments])


def covering_tests(copy, paths=None):
    """Return the tests that execute each line, {(file, line): tests}, and seconds of each test."""
    from coverage import CoverageData

    report = copy / "durations.json"
    if not report.exists():
        (copy / "conftest.py").write_text(CONFTEST.format(report=str(report)))
        rooms = paths or [part for room in ROOMS for part in (f"tests/{room}", f"skser/{room}")]
        tests = ["--cov=skser", "--cov-context=test", "--cov-report=", "--maxfail=1000"]
        tests += ["-m", "not real_data", "-k", SKIPPED, *rooms]
        in_child(lambda: run_tests(copy, *tests), 3600, copy.parent / "baseline.txt")
        (copy / "conftest.py").unlink()
    # Tests that fail without any mutation cannot notice one.
    passed = json.loads(report.read_text())
    if not passed:
        raise SystemExit((copy.parent / "baseline.txt").read_text()[-3000:])
    data = CoverageData(str(copy / ".coverage"))
    data.read()
    found = {}
    for file in data.measured_files():
        path = Path(file).relative_to(copy).as_posix()
        for line, contexts in data.contexts_by_lineno(file).items():
            names = {context.split("|")[0] for context in contexts if context}
            found[path, line] = sorted(names & set(passed))
    return found, passed


CONFTEST = """
import json
seconds = {{}}
def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed:
        seconds[report.nodeid] = report.duration
def pytest_sessionfinish(session):
    json.dump(seconds, open({report!r}, "w"))
"""


def chosen_tests(path, line, covering, seconds, budget):
    """Return the quickest tests of a line within a budget of seconds."""
    tests = covering.get((path, line), [])
    if not tests:
        # Lines of compiled functions are not traced, so take all tests of the file.
        tests = {t for (file, _), names in covering.items() if file == path for t in names}
    chosen, total = [], 0.0
    for test in sorted(tests, key=lambda test: (seconds[test], test)):
        if total + seconds[test] > budget and chosen:
            break
        chosen.append(test)
        total += seconds[test]
    return chosen, total


def tried(mutant, folder, baseline, budget):
    """Try one mutant in this process's copy of the project; return its entry of the result."""
    path, name, occurrence, line = mutant
    copy = folder / f"copy-{os.getpid()}"
    if not copy.exists():
        shutil.copytree(folder / "project", copy)
    source = (copy / path).read_text("utf-8")
    changed = mutated(source, name, occurrence)
    tests, usual = chosen_tests(path, line, *baseline, budget)
    outcome = "not covered"
    if tests:
        (copy / path).write_text(changed, "utf-8")
        status = in_child(lambda: run_tests(copy, *tests), 30 + 5 * usual)
        (copy / path).write_text(source, "utf-8")
        outcome = {None: "timeout", 0: "survived"}.get(status, "killed")
    return {
        "file": path,
        "line": line,
        "operator": name,
        "occurrence": occurrence,
        "outcome": outcome,
        "change": changed_lines(source, changed),
        "n_tests": len(tests),
    }


def changed_lines(source, changed):
    """Return the lines that a mutation removes and adds, with their signs."""
    difference = difflib.unified_diff(source.splitlines(), changed.splitlines(), n=0, lineterm="")
    return [text for text in difference if text[:3] not in ("---", "+++", "@@ ")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of tests per mutant")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keeps the copy and its run with coverage")
    parser.add_argument("--only-survivors", action="store_true", help="of the result file")
    parser.add_argument("--tests", nargs="+", help="files of tests; others might notice more")
    arguments = parser.parse_args()
    folder = (arguments.folder or Path(tempfile.mkdtemp())).resolve()
    copy = folder / "project"
    if not copy.exists():
        ignored = shutil.ignore_patterns("__pycache__", ".venv*", ".git", "_build", "results")
        for name in ("skser", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / name, copy / name)
    for module in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)  # once, rather than in each child
    baseline = covering_tests(copy, arguments.tests)
    quickest = sorted(baseline[1], key=baseline[1].get)[:5]
    output = folder / "unchanged.txt"
    if in_child(lambda: run_tests(copy, *quickest), 600, output) != 0:
        raise SystemExit(f"Tests fail without any mutation:\n{output.read_text()[-3000:]}")
    possible = candidates(copy)
    print(f"{len(possible)} mutants are possible, {len(baseline[1])} tests pass", flush=True)
    try_one = functools.partial(
        tried, folder=folder, baseline=baseline, budget=arguments.budget
    )  # fmt: skip
    with multiprocessing.get_context("fork").Pool(arguments.jobs) as pool:
        if arguments.only_survivors:
            try_again(pool, try_one, copy, possible)
        else:
            rows = np.random.RandomState(arguments.seed).permutation(len(possible))
            mutants, drawn = [], [possible[i] for i in rows[: arguments.mutants]]
            for mutant in pool.imap(try_one, drawn):
                mutants.append(mutant)
                show(len(mutants), mutant, mutant["outcome"])
                write_result(RESULT, summary(mutants, len(possible)), seeds=[arguments.seed])
    if arguments.folder is None:
        shutil.rmtree(folder)


def try_again(pool, try_one, copy, possible):
    """Try the mutants that no test has noticed so far, and add the outcomes to the result."""
    result = json.loads(RESULT.read_text())
    mutants, seeds = result["mutants"], result["origin"]["seeds"]
    # The record of the run that drew the mutants, and of this one.
    before = result.get("origin_before", result["origin"])
    again, places = [], []
    for mutant in mutants:
        if mutant.get("after", mutant["outcome"]) == "killed":
            continue  # timeouts are tried again, because a busy machine may cause them
        place = found_again(mutant, copy, possible)
        mutant["after"] = "rewritten"
        if place is not None:
            again.append(mutant)
            places.append(place)
    for i, (mutant, entry) in enumerate(zip(again, pool.imap(try_one, places), strict=True)):
        mutant["after"] = entry["outcome"]
        show(i + 1, mutant, mutant["after"])
        found = summary(mutants, result["n_possible"]) | {"origin_before": before}
        write_result(RESULT, found, seeds=seeds)


def found_again(mutant, copy, possible):
    """Return the mutant with the same change in the code of today, or None if there is none."""
    path, name = mutant["file"], mutant["operator"]
    places = [place for place in possible if place[:2] == (path, name)]
    source = (copy / path).read_text("utf-8")
    for place in sorted(places, key=lambda place: abs(place[3] - mutant["line"])):
        change = changed_lines(source, mutated(source, *place[1:3]))
        if change and edit(change) == edit(mutant["change"]):
            return place
    return None


def edit(change):
    """Return what precedes a change on its line, what it removes, and what it adds."""
    old, new = ("\n".join(text[1:] for text in change if text[0] == sign) for sign in "-+")
    start = n_equal(old, new)
    end = n_equal(old[:start:-1], new[:start:-1])
    return old[:start], old[start : len(old) - end], new[start : len(new) - end]


def n_equal(a, b):
    """Count the equal characters that two texts start with."""
    different = (i for i, pair in enumerate(zip(a, b, strict=False)) if len(set(pair)) > 1)
    return next(different, min(len(a), len(b)))


def show(number, mutant, outcome):
    """Print a mutant and its outcome."""
    print(number, outcome, mutant["file"], mutant["line"], *mutant["change"], flush=True)


def summary(mutants, n_possible):
    """Return the result: counts of outcomes in each room, and all mutants."""
    rooms = {}
    for room in (*ROOMS, "all"):
        of_room = [m for m in mutants if room in ("all", m["file"].split("/")[1])]
        rooms[room] = counted(m["outcome"] for m in of_room)
        if any("after" in m for m in mutants):
            rooms[room]["after"] = counted(m.get("after", m["outcome"]) for m in of_room)
    return {"n_possible": n_possible, "rooms": rooms, "mutants": mutants}


def counted(outcomes):
    """Return the number of each outcome, and the share of mutants that were noticed."""
    counts = Counter(outcomes)
    noticed = counts["killed"] + counts["timeout"]
    return dict(counts) | {"score": noticed / counts.total() if counts else None}


if __name__ == "__main__":
    main()
