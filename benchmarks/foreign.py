"""UAR on corpora that a system was not trained on, before and after adaptation without labels.

    python benchmarks/foreign.py

Needs SKSER_DATA, SKSER_MODELS, and the extra "embeddings". Systems are trained on EmoDB, RAVDESS,
IndoWave, or two together, clean and in conditions (see conditions.py), and tested on each corpus
that they have not seen. Two corpora are pooled as they are, and "evenly": utterances are repeated
until each emotion of each corpus has as many as the largest, as an emotion that only one of them
has would otherwise be learnt from how that corpus sounds. They decide among the labels that all of
these corpora have, and only utterances with these labels count. Recordings for adaptation are drawn
from all utterances of the new corpus, without labels, and are utterances of the test as well. Draws
of recordings are repeated 20 times. Nothing was chosen on these tests.
"""

import argparse
import functools
import os
from pathlib import Path

import numpy as np
import pandas as pd
from conditions import COPIES, MEMORY, built
from protocols import load
from provenance import RESULTS, write_result
from sklearn.frozen import FrozenEstimator

from skser.compose import AdaptedClassifier, adapt
from skser.metrics import unweighted_average_recall

# CORAL and the ranks of functionals take long, so that they have fewer draws and directions.
NUMBERS = {
    "whisper-tiny": {"statistics": (5, 10, 20, 50, "all"), "coral": (20, "all")},
    "functionals": {"statistics": (20, "all")},
}
N_DRAWS = 20
DIRECTIONS = (
    ("emodb", "ravdess"),
    ("emodb", "indowave"),
    ("emodb+ravdess", "indowave"),
    ("emodb+ravdess, evenly", "indowave"),
    ("ravdess", "emodb"),
    ("ravdess", "indowave"),
    ("indowave", "emodb"),
    ("indowave", "ravdess"),
    ("emodb+indowave", "ravdess"),
    ("emodb+indowave, evenly", "ravdess"),
    ("ravdess+indowave", "emodb"),
    ("ravdess+indowave, evenly", "emodb"),
)
ONLY_CLEAN = "+indowave"  # which shows pooling only
EVENLY = ", evenly"
OF_INDOWAVE = {
    "01": "neutral",
    "02": "happiness",
    "03": "surprise",
    "04": "disgust",
    "05": "disappointment",
}


def corpora(names):
    """Return one table of the paths, emotions and speakers of some corpora."""
    tables = []
    for name in names.removesuffix(EVENLY).split("+"):
        if name == "indowave":
            paths = sorted((Path(os.environ["SKSER_DATA"]) / name).glob("*.flac"))
            parts = [path.stem.split("-") for path in paths]
            table = pd.DataFrame(
                {
                    "audio": [str(path) for path in paths],
                    "emotion": [OF_INDOWAVE[part[1]] for part in parts],
                    "speaker": [part[0] for part in parts],
                }
            )
        else:
            corpus, _ = load({"emodb": "emodb-loso", "ravdess": "ravdess-5"}[name])
            table = corpus.frame[["audio", "emotion", "speaker"]].astype(str)
        tables.append(table.assign(speaker=f"{name} " + table["speaker"].astype(str)))
    if names.endswith(EVENLY):
        cells = [cell for table in tables for _, cell in table.groupby("emotion")]
        size = max(map(len, cells))
        tables = [cell.iloc[np.resize(np.arange(len(cell)), size)] for cell in cells]
    return pd.concat(tables, ignore_index=True)


def shared_labels(trained_on, tested_on):
    """Return the labels that all corpora have, those that are trained on together, too."""
    names = [*trained_on.removesuffix(EVENLY).split("+"), tested_on]
    return set.intersection(*(set(corpora(name)["emotion"]) for name in names))


def uar_of(model, table, labels):
    """Return the UAR on the utterances with these labels, when the model decides among them."""
    shared = np.isin(model.classes_, list(labels))
    table = table[table["emotion"].isin(labels)]
    has_proba = hasattr(model, "predict_proba")
    scores = (model.predict_proba if has_proba else model.decision_function)(
        table["audio"].tolist()
    )
    predicted = np.asarray(model.classes_)[shared][scores[:, shared].argmax(axis=1)]
    return unweighted_average_recall(table["emotion"].to_numpy(str), predicted)


def adapted(move, table, labels, numbers):
    """Return the UAR after adaptation to some recordings of the table, by their number.

    Parameters
    ----------
    move : callable
        Function from a list of recordings to the adapted model.
    table : DataFrame
        Recordings of the new corpus.
    labels : set of str
        Labels to decide among.
    numbers : tuple of int or "all"
        Numbers of recordings.
    """
    paths = table["audio"].to_numpy(str)
    found = {}
    for number in numbers:
        values = []
        for draw in range(1 if number == "all" else N_DRAWS):
            random = np.random.RandomState(draw)
            size = len(paths) if number == "all" else number
            drawn = random.choice(len(paths), size, replace=False)
            values.append(uar_of(move(paths[drawn].tolist()), table, labels))
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
        found[str(number)] = {"mean": float(np.mean(values)), "sd": sd}
    return found


def fitted(name, table, in_conditions, seed):
    """Train a system on a table, and return the functions that adapt it, by method."""
    model = built(name, in_conditions, seed)
    routed = {"groups": table["speaker"].to_numpy()} if in_conditions else {}
    model.fit(table, table["emotion"].to_numpy(str), **routed)
    COPIES.clear()
    # The test recordings are at 16 kHz, as the inner estimator takes them.
    model = getattr(model, "estimator_", model)
    moves = {"statistics": functools.partial(adapt, model)}
    if "coral" in NUMBERS[name]:  # which needs the covariance of the training recordings
        keeper = AdaptedClassifier(FrozenEstimator(model), method="coral")
        keeper.fit(table["audio"].tolist(), table["emotion"].to_numpy(str))
        moves["coral"] = keeper.adapt
    return model, moves


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=NUMBERS, default=list(NUMBERS))
    parser.add_argument("--seed", type=int, default=0, help="seed of the altered copies")
    arguments = parser.parse_args()
    MEMORY.mkdir(exist_ok=True)
    for name in arguments.systems:
        directions = []
        train = functools.cache(
            lambda trained_on, in_conditions, name=name: fitted(
                name, corpora(trained_on), in_conditions, arguments.seed
            )
        )
        for trained_on, tested_on in DIRECTIONS:
            if name == "functionals" and trained_on != "emodb":
                continue
            table, labels = corpora(tested_on), shared_labels(trained_on, tested_on)
            for in_conditions in (False,) if ONLY_CLEAN in trained_on else (False, True):
                model, moves = train(trained_on, in_conditions)
                entry = {
                    "trained_on": trained_on,
                    "tested_on": tested_on,
                    "in_conditions": in_conditions,
                    "n_labels": len(labels),
                    "inductive": uar_of(model, table, labels),
                    "adapted": {
                        method: adapted(moves[method], table, labels, numbers)
                        for method, numbers in NUMBERS[name].items()
                    },
                }
                directions.append(entry)
                print(name, entry, flush=True)
            result = {"system": name, "n_draws": N_DRAWS, "directions": directions}
            write_result(RESULTS / f"foreign_{name}.json", result, seeds=[arguments.seed])


if __name__ == "__main__":
    main()
