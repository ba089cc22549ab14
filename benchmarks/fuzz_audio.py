"""Fuzz test of the audio reader and transformers with damaged and hostile files.

    python benchmarks/fuzz_audio.py                (10,000 files; about 30 minutes)
    python benchmarks/fuzz_audio.py --number 4711  (one file again, with a full report)

Files of all formats are damaged or get false headers (`tests/support/hostile_audio.py`). Each must
be read as finite samples, or be refused with an error that names it, in less than 10 s of CPU time
and 2 GB of memory, without crashing or executing anything. A child process of its own reads each
file and passes it to one of the transformers. A file that takes more than a minute counts as a
hang. File n of a seed is always the same, so a finding can be reproduced. An interrupted run
resumes from the result file, results/fuzz_audio.json.
"""

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path

import soundfile
from provenance import RESULTS, kept_result, versions, write_result

sys.path.append(str(Path(__file__).parents[1]))
from tests.support.fuzzing import MOST_BYTES, MOST_SECONDS, watched

RESULT = RESULTS / "fuzz_audio.json"
_AT_ONCE = 250


def heading(seed, n_files):
    """Return the settings that must be equal for a run to be resumed."""
    return {
        "benchmark": "fuzz_audio",
        "seed": seed,
        "n_files": n_files,
        "most_seconds": MOST_SECONDS,
        "most_bytes": MOST_BYTES,
        "versions": {
            **versions("skser", "soundfile", "soxr", "numpy", "opensmile", "torch"),
            "libsndfile": soundfile.__libsndfile_version__,
        },
    }


def add(result, reports):
    """Return the result, extended by more reports."""
    outcomes, kinds = Counter(result["outcomes"]), defaultdict(Counter, result["kinds"])
    uses = Counter(result["read_by"])
    for report in reports:
        outcomes[report["outcome"]] += 1
        # A file with several kinds of damage counts for the first, which names its format.
        kind = report["kind"].split(" and ")[0]
        kinds[kind] = Counter(kinds[kind]) + Counter([report["outcome"]])
        if report["outcome"] == "read":
            uses[report["use"]] += 1
        elif report["outcome"] != "refused":
            result["findings"].append(report)
            print(json.dumps(report, indent=1), flush=True)
        result["slowest_seconds"] = max(result["slowest_seconds"], report.get("s", MOST_SECONDS))
        result["most_memory"] = max(result["most_memory"], report.get("rss", 0))
        result["n_done"] = report["number"] + 1
    return {**result, "outcomes": outcomes, "kinds": kinds, "read_by": uses}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, help="only this file")
    arguments = parser.parse_args()
    if arguments.number is not None:
        for report in watched(arguments.seed, arguments.number, arguments.number + 1):
            print(json.dumps(report, indent=1))
        return
    result = {
        **heading(arguments.seed, arguments.files),
        "n_done": 0, "outcomes": {}, "findings": [], "slowest_seconds": 0.0, "most_memory": 0,
        "seconds": 0.0, "read_by": {}, "kinds": {},
    }  # fmt: skip
    if before := kept_result(RESULT):
        same = all(
            before.get(name) == value
            for name, value in heading(arguments.seed, arguments.files).items()
        )
        if same and before["n_done"] < arguments.files:
            result = before
    reports = watched(arguments.seed, result["n_done"], arguments.files)
    started = time.perf_counter()
    while some := list(islice(reports, _AT_ONCE)):
        result = add(result, some)
        result["seconds"] = round(result["seconds"] + time.perf_counter() - started, 1)
        started = time.perf_counter()
        write_result(RESULT, result)
        print(result["n_done"], dict(result["outcomes"]), flush=True)
    if result["findings"]:
        sys.exit(f"{len(result['findings'])} files were neither read nor refused properly.")


if __name__ == "__main__":
    main()
