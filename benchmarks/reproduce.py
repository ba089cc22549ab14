"""Check that the present code reproduces the first fold of results that earlier code made.

    python benchmarks/reproduce.py leaderboard_emodb-loso_functionals embeddings_emodb-loso_middle

Runs the script of each result again for the first seed and fold, and compares the predictions with
those stored. If all are equal, the result records the present code, and its script may add folds
and seeds to it. Scripts need the option `--folds`, and results the entry "fits".
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


def reproduced(stored, again):
    """Return whether all fits of a result are in another one, with the same predictions.

    Parameters
    ----------
    stored, again : dict
        Content of the stored result, and that of the present code.

    Returns
    -------
    bool
    """
    fits = {(fit["seed"], fit["fold"]): fit for fit in stored["fits"]}
    return bool(again["fits"]) and all(
        fit.get(name) == fits.get((fit["seed"], fit["fold"]), {}).get(name)
        for fit in again["fits"]
        for name in PREDICTIONS
    )


def run_again(stored, folder):
    """Run the script of a result for the first seed and fold, with a folder for its results."""
    command = shlex.split(stored.get("command") or stored["origin"]["command"])[1:]
    command = [sys.executable, *command, "--seeds", "1", "--folds", "0"]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "SKSER_RESULTS": folder})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="names of results, without .json")
    failed = []
    for name in parser.parse_args().names:
        stored = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            run_again(stored, folder)
            for path in sorted(Path(folder).glob("*.json")):  # of a vote, those of its parts too
                own = json.loads((RESULTS / path.name).read_text("utf-8"))
                again = json.loads(path.read_text("utf-8"))
                if not reproduced(own, again):
                    failed.append(path.stem)
                    continue
                script = ROOT / own["origin"]["script"]
                own["origin"]["reproduced"] = {
                    "folds": [[fit["seed"], fit["fold"]] for fit in again["fits"]],
                    **{key: origin(script)[key] for key in ("code_hash", "commit", "date")},
                }
                (RESULTS / path.name).write_text(as_text(own))
                print(f"{path.stem}: reproduced", flush=True)
    for name in failed:
        print(f"{name}: other predictions")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
