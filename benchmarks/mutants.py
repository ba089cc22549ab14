"""Share of small changes to the code that the tests notice: mutation testing with Cosmic Ray.

    pip install cosmic-ray
    python benchmarks/mutants.py [--mutants 300] [--seed 0] [--budget 20]

Mutants are drawn at random, without replacement, from all that Cosmic Ray's operators can make of
the rooms below. Each runs the tests that execute its line, known from one run with coverage, the
quickest first and at most `budget` seconds of them. Tests of real data and tests that start other
processes are left out. A mutant is killed if a test fails or if the tests take ten times as long as
usual. It survives if all of them pass.

Results: results/mutants.json.
"""

import argparse
import difflib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # as the tests do, before scipy is imported

import numpy as np
from provenance import RESULTS, ROOT, write_result

ROOMS = ("metrics", "model_selection", "evaluation", "feature_extraction")
SKIPPED = "not (killed or cluster or processes or process or browser or worker or import_ or dask)"
RESULT = RESULTS / "mutants.json"


def candidates():
    """Return every possible mutant as (file, operator, occurrence, line)."""
    import parso
    from cosmic_ray.ast import ast_nodes
    from cosmic_ray.plugins import get_operator, operator_names

    found = []
    for room in ROOMS:
        for path in sorted((ROOT / "skser" / room).rglob("*.py")):
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
                    found.append((path.relative_to(ROOT).as_posix(), name, occurrence, line))
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
    return pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--no-header", *arguments])


def covering_tests(copy):
    """Return the tests that execute each line, {(file, line): tests}, and seconds of each test."""
    from coverage import CoverageData

    report = copy / "durations.json"
    (copy / "conftest.py").write_text(CONFTEST.format(report=str(report)))
    rooms = [part for room in ROOMS for part in (f"tests/{room}", f"skser/{room}")]
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of tests per mutant")
    parser.add_argument("--only-survivors", action="store_true", help="of the result file")
    arguments = parser.parse_args()
    possible = candidates()
    if arguments.only_survivors:
        before = json.loads(RESULT.read_text())
        drawn = [
            (m["file"], m["operator"], m["occurrence"], m["line"])
            for m in before["mutants"]
            if m["outcome"] == "survived"
        ]
    else:
        rows = np.random.RandomState(arguments.seed).permutation(len(possible))
        drawn = [possible[i] for i in rows[: arguments.mutants]]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "project"
        ignored = shutil.ignore_patterns("__pycache__", ".venv*", ".git", "_build", "results")
        for name in ("skser", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / name, copy / name)
        for module in ("sklearn.ensemble", "pandas", "torch", "librosa", "matplotlib.pyplot"):
            __import__(module)  # once, rather than in each child
        covering, seconds = covering_tests(copy)
        print(f"{len(possible)} mutants are possible, {len(seconds)} tests pass", flush=True)
        mutants = []
        for path, name, occurrence, line in drawn:
            source = (copy / path).read_text("utf-8")
            changed = mutated(source, name, occurrence)
            tests, usual = chosen_tests(path, line, covering, seconds, arguments.budget)
            outcome = "not covered"
            if tests:
                (copy / path).write_text(changed, "utf-8")
                status = in_child(lambda: run_tests(copy, *tests), 60 + 10 * usual)  # noqa: B023
                (copy / path).write_text(source, "utf-8")
                outcome = {None: "timeout", 0: "survived"}.get(status, "killed")
            change = difflib.unified_diff(
                source.splitlines(), changed.splitlines(), n=0, lineterm=""
            )
            mutants.append(
                {
                    "file": path,
                    "line": line,
                    "operator": name,
                    "occurrence": occurrence,
                    "outcome": outcome,
                    "change": [text for text in change if text[:3] not in ("---", "+++", "@@ ")],
                    "n_tests": len(tests),
                }
            )
            print(len(mutants), outcome, path, line, *mutants[-1]["change"], flush=True)
            write_result(RESULT, summary(mutants, len(possible)), seeds=[arguments.seed])


def summary(mutants, n_possible):
    """Return the result: counts of outcomes in each room, and all mutants."""
    rooms = {}
    for room in (*ROOMS, "all"):
        of_room = [m for m in mutants if room in ("all", m["file"].split("/")[1])]
        counts = Counter(m["outcome"] for m in of_room)
        noticed = counts["killed"] + counts["timeout"]
        rooms[room] = dict(counts) | {"score": noticed / len(of_room) if of_room else None}
    return {"n_possible": n_possible, "rooms": rooms, "mutants": mutants}


if __name__ == "__main__":
    main()
