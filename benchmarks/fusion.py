"""Fusion of audio and text on a synthetic task that needs both, and its alignment.

    python benchmarks/fusion.py

Each utterance consists of five out of eight words, as frames and as word pieces. The text marks one
word as happy or sad. The class combines this mark with the pitch, high or low, of the marked word's
frames; the pitch of all other words is random. The text alone therefore reveals one of two bits,
and the voice alone hardly anything about the other. Both together reveal the class, if the network
finds the frames of the marked word. There are five seeds, each with its own data.
"""

import argparse

import numpy as np
import pandas as pd
from provenance import RESULTS, versions, write_result
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics import balanced_accuracy_score

from skser.neural_network import AttentionRNNClassifier
from skser.sequences import Layout, Sequences

N_WORDS, N_SPOKEN = 8, 5
HOP = 0.02


class Ready(TransformerMixin, BaseEstimator):
    """Transformer that returns ready-made frames from a column of the table."""

    def __init__(self, column="audio", hop=None):
        self.column = column
        self.hop = hop

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return the arrays of the column as sequences."""
        arrays = list(X[self.column])
        names = tuple(f"x{i}" for i in range(arrays[0].shape[1]))
        return Sequences.from_list(arrays, Layout(names, hop=self.hop))


def two_halves(n_utterances, seed):
    """Return an utterance table, classes, and each marked word with the slice of its frames."""
    random = np.random.RandomState(seed)
    rows, y, places = [], [], []
    for _ in range(n_utterances):
        spoken = random.choice(N_WORDS, N_SPOKEN, replace=False)
        marked, happy = random.randint(N_SPOKEN), random.randint(2)
        tones = random.choice([-1.0, 1.0], N_SPOKEN)
        lengths = random.randint(4, 9, N_SPOKEN)
        words = np.eye(N_WORDS + 2)[spoken]
        words[marked, N_WORDS + happy] = 2.0
        sounds = np.column_stack([np.eye(N_WORDS)[spoken], tones])
        frames = np.repeat(sounds, lengths, axis=0)
        frames += 0.2 * random.standard_normal(frames.shape)
        words += 0.1 * random.standard_normal(words.shape)
        rows.append((frames, words))
        y.append(("sad", "happy")[happy] + (" low", " high")[int(tones[marked] > 0)])
        edges = np.cumsum(lengths)
        places.append((marked, slice(edges[marked] - lengths[marked], edges[marked])))
    return pd.DataFrame(rows, columns=["audio", "transcript"]), np.array(y), places


def network(seed, **settings):
    """Return a classifier of both modalities, small enough for this task."""
    settings = {
        "audio": Ready(hop=HOP), "text": Ready("transcript"), "n_hidden": 24, "dropout": 0.0,
        "max_epochs": 40, "learning_rate": 0.005, "augment": None, "device": "cpu",
        "n_threads": 1, "random_state": seed,
    } | settings  # fmt: skip
    return AttentionRNNClassifier(**settings)


def planted_mass(model, X, places):
    """Return the mean share of a marked word's attention that lies on its own frames."""
    maps = model.alignment(X)
    pairs = zip(maps, places, strict=True)
    return float(np.mean([weights.iloc[word, span].sum() for weights, (word, span) in pairs]))


SYSTEMS = {
    "audio alone": {"text": None},
    "text alone": {"audio": None},
    "late fusion": {"fusion": "late"},
    "frames look at words": {"fusion": "frames-to-words"},
    "words look at frames": {},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    n_seeds = parser.parse_args().seeds
    result = {
        "task": "four classes of equal chance, 400 made-up utterances to train on, 400 to test",
        "versions": versions("scikit-learn", "torch", "skorch", "numpy"),
        "uar": {name: [] for name in SYSTEMS},
        "without audio": [],
        "without text": [],
        "planted_mass": [],
    }
    for seed in range(n_seeds):
        X, y, _ = two_halves(400, 2 * seed)
        X_test, y_test, places = two_halves(400, 2 * seed + 1)

        def score(model, X):
            return balanced_accuracy_score(y_test, model.predict(X))  # noqa: B023

        for name, settings in SYSTEMS.items():
            model = network(seed, **settings).fit(X, y)
            result["uar"][name].append(score(model, X_test))
            print(seed, name, f"{100 * result['uar'][name][-1]:.1f}", flush=True)
        result["without audio"].append(score(model, X_test.drop(columns="audio")))
        result["without text"].append(score(model, X_test.drop(columns="transcript")))
        result["planted_mass"].append(planted_mass(model, X_test, places))
        print({k: result[k][-1] for k in ("without audio", "without text", "planted_mass")})
    write_result(RESULTS / "fusion.json", result)


if __name__ == "__main__":
    main()
