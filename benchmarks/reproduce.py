"""Check that the present code reproduces the first fold of results that earlier code made.

    python benchmarks/reproduce.py leaderboard_emodb-loso_functionals embeddings_emodb-loso_middle
    python benchmarks/reproduce.py staged_transfer_ravdess --shares 0.1
    python benchmarks/reproduce.py leaderboard_emodb-loso_fcn-and-functionals --seed 1

Runs the script of each result again for the first fold of the first seed, or of another one that
was made on a processor like the present one, and compares the predictions with those stored. If all
are equal, the result records the present code, and its script may add folds and seeds to it. This
includes results from before there was a record of the code. Scripts need the option `--folds`, and
results the entry "fits". Other options are passed on to the script.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from provenance import RESULTS, ROOT, as_text, origin

PREDICTIONS = ("utterances", "predicted", "predicted_in_noise")
# Entries of a fit that say what was fitted.
KEYS = ("seed", "fold", "system", "source", "share")


def reproduced(stored, again):
    """Return whether the fits that are in both of two results have the same predictions.

    Parameters
    ----------
    stored, again : dict
        Content of the stored result, and that of the present code.

    Returns
    -------
    bool
        False also if no fit is in both.
    """
    both = compared(stored, again)
    return bool(both) and all(
        new.get(name) == old.get(name) for new, old in both.values() for name in PREDICTIONS
    )


def n_other(stored, again):
    """Return how many predictions of the fits in both results differ, and how many there are."""
    pairs = [
        pair
        for new, old in compared(stored, again).values()
        for name in PREDICTIONS
        if name in new and name in old
        for pair in zip(new[name], old[name], strict=True)
    ]
    return sum(new != old for new, old in pairs), len(pairs)


def compared(stored, again):
    """Return the fits that are in both of two results, new and stored, by what identifies them."""
    new, old = (
        {tuple(fit[name] for name in KEYS if name in fit): fit for fit in result["fits"]}
        for result in (again, stored)
    )
    return {key: (fit, old[key]) for key, fit in new.items() if key in old}


def command_of(name, stored):
    """Return the script of a result and its arguments.

    Parameters
    ----------
    name : str
        Name of the result, which holds the arguments where no command is stored.
    stored : dict
        Content of the stored result.

    Returns
    -------
    list of str
    """
    command = stored.get("command") or stored.get("origin", {}).get("command")
    if command:
        return shlex.split(command)[1:]
    script, *arguments = name.split("_")
    return [f"benchmarks/{script}.py", *arguments]


def unknown(script, stored):
    """Return the record of a result from before there were records."""
    return {
        "script": script,
        "versions": stored.get("versions"),
        **dict.fromkeys(("code_hash", "commit", "date")),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="names of results, without .json")
    parser.add_argument("--seed", type=int, default=0, help="other than 0: only for leaderboard.py")
    arguments, options = parser.parse_known_args()
    seeds = ["--seeds", str(arguments.seed + 1)]
    if arguments.seed:
        seeds += ["--first-seed", str(arguments.seed)]
    failed = []
    for name in arguments.names:
        stored = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
        command = command_of(name, stored)
        script = ROOT / command[0]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [sys.executable, *command, *seeds, "--folds", "0", *options],
                check=True,
                cwd=ROOT,
                env={**os.environ, "SKSER_RESULTS": folder},
            )
            for path in sorted(Path(folder).glob("*.json")):  # of a vote, those of its parts too
                own = json.loads((RESULTS / path.name).read_text("utf-8"))
                again = json.loads(path.read_text("utf-8"))
                if not reproduced(own, again):
                    failed.append((path.stem, *n_other(own, again)))
                    continue
                own.setdefault("origin", unknown(command[0], own))
                own["origin"]["reproduced"] = {
                    "fits": [list(key) for key in compared(own, again)],
                    **{part: origin(script)[part] for part in ("code_hash", "commit", "date")},
                }
                (RESULTS / path.name).write_text(as_text(own))
                print(f"{path.stem}: reproduced", flush=True)
    for name, n_different, n in failed:
        print(f"{name}: {n_different} of {n} predictions are others")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
