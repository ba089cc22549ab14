"""Check the stored results: the code that made them, and summaries against predictions.

    python benchmarks/results_check.py [--update]

Lists results without a record of the code that made them, and results that other code made.
Computes every summary again from the stored predictions, and lists those that differ. `--update`
writes new summaries; the record of the code that made the predictions stays as it is. Summaries
that need the labels of a corpus are skipped unless SKSER_DATA is set.
"""

import argparse
import importlib
import json
import math
import os
import sys

from provenance import RESULTS, ROOT, as_text, code_hash

# Scripts whose summaries follow from the predictions in their results, by the start of the name.
SUMMARIZED = {
    "adversarial_gain": True, "adversarial_latent": True, "adversarial_speakers": True,
    "adversarial_collapse": True, "attention_deletion": False, "attention_planted": False,
    "conditions": True,
    "attention_fcn": True, "embeddings": True, "leaderboard": True, "mpg": False,
    "speed_averaging": True, "staged_transfer": True, "vote_rules": False,
}  # fmt: skip
SCRIPTS = {
    "adversarial_collapse": "adversarial_speakers",
    "attention_deletion": "attention",
    "attention_planted": "attention",
}


def status(stored):
    """Describe the code that made a result.

    Parameters
    ----------
    stored : dict
        Content of the result file.

    Returns
    -------
    str
        "current", "reproduced" (by earlier code, and the present code gives the same first fold),
        "earlier code" or "unknown code".
    """
    origin = stored.get("origin")
    if origin is None:
        return "unknown code"
    script = ROOT / origin["script"]
    if not script.exists():
        return "earlier code"
    made_by = [origin["code_hash"], origin.get("reproduced", {}).get("code_hash")]
    if code_hash(script) not in made_by:
        return "earlier code"
    if code_hash(script) != made_by[0] or "continues" in origin:
        return "reproduced"
    found = [
        status(json.loads((RESULTS / name).read_text("utf-8"))) for name in origin.get("inputs", ())
    ]
    return next((state for state in found if state != "current"), "current")


def recomputed(name, stored):
    """Compute the summary of a result again from its predictions.

    Parameters
    ----------
    name : str
        Name of the result file without its ending.
    stored : dict
        Its content.

    Returns
    -------
    dict or None
        Entries of the result. None if nothing can be computed here.
    """
    start = next((start for start in SUMMARIZED if name.startswith(start)), None)
    if start is None or (SUMMARIZED[start] and not os.environ.get("SKSER_DATA")):
        return None
    script = SCRIPTS.get(start, start)
    found = importlib.import_module(script).recomputed(stored)
    return json.loads(json.dumps(found)) or None


def differences(stored, computed, path=""):
    """Return the paths of entries that differ by more than rounding errors.

    Parameters
    ----------
    stored, computed : object
        Content of JSON files. Entries that only the stored one has are not compared.
    path : str, default=""
        Path of both in the file.

    Returns
    -------
    list of str
    """
    if isinstance(computed, dict) and isinstance(stored, dict):
        return [
            place
            for key, value in computed.items()
            for place in differences(stored.get(key), value, f"{path}/{key}")
        ]
    if isinstance(computed, list) and isinstance(stored, list) and len(stored) == len(computed):
        return [
            place
            for i, (a, b) in enumerate(zip(stored, computed, strict=True))
            for place in differences(a, b, f"{path}/{i}")
        ]
    numbers = all(isinstance(value, int | float) for value in (stored, computed))
    equal = math.isclose(stored, computed, abs_tol=1e-9) if numbers else stored == computed
    return [] if equal else [path]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write summaries that differ")
    arguments = parser.parse_args()
    by_status, wrong, n_computed = {}, 0, 0
    for path in sorted(RESULTS.glob("*.json")):
        stored = json.loads(path.read_text("utf-8"))
        by_status.setdefault(status(stored), []).append(path.name)
        computed = recomputed(path.stem, stored)
        n_computed += computed is not None
        differing = differences(stored, computed) if computed is not None else []
        if differing:
            wrong += 1
            print(f"{path.name}: the summary does not follow from the predictions, as in")
            print("".join(f"  {place}\n" for place in differing[:3]), end="")
            if arguments.update:
                path.write_text(as_text(stored | computed))
    for name, files in sorted(by_status.items()):
        print(f"{len(files)} results of {name}")
        if name != "current":
            print("".join(f"  {file}\n" for file in files), end="")
    print(f"{n_computed} summaries were computed again, {wrong} differ")
    return 1 if wrong and not arguments.update else 0


if __name__ == "__main__":
    sys.exit(main())
