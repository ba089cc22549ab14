"""UAR after adaptation without labels: how many recordings, which ones, and which prior weight.

    python benchmarks/adaptation.py

Needs SKSER_DATA, and the extra "embeddings". The system is `whisper_linear`, trained clean. Tests
are leave-one-speaker-out on EmoDB, RAVDESS-5, and RAVDESS by a model of EmoDB, where it decides
among the six labels of both. Recordings for adaptation are drawn without labels from those of the
test speaker, or from RAVDESS; they are utterances of the test as well. Only the draws of one
emotion use labels, to choose the recordings, in order to show what such recordings do.

`benchmarks/foreign.py` compares systems and methods on foreign corpora.
"""

import argparse

import numpy as np
import pandas as pd
from protocols import load
from provenance import RESULTS, cache_folder, write_result
from sklearn.base import clone

from skser import load_pretrained
from skser.compose import AdaptedClassifier, adapt
from skser.metrics import unweighted_average_recall
from skser.pipelines import whisper_linear

PRIOR_WEIGHTS = (0, 1, 2, 4, 8, 16)
NUMBERS_FOR_NETWORK = (5, 20, 50)
EVERY = 5  # recordings of RAVDESS are predicted by the network
NUMBERS = (2, 3, 5, 10, 20)
N_DRAWS = 10
EMOTIONS = ("anger", "fear", "happiness", "neutral", "sadness")
N_OF_ONE_EMOTION = 10


class Task:
    """Vectors of a corpus, and the predictions of models that have not heard their speakers."""

    def __init__(self, protocol, features):
        corpus, self.folds = load(protocol)
        self.X = np.asarray(features.transform(list(corpus.data)))
        self.y = corpus.target.astype(str)
        self.speakers = corpus.speakers.astype(str)

    def held_out(self, model):
        """Fit a model for each fold; return it with the rows of each of its test speakers."""
        pairs = []
        for names in self.folds:
            test = np.isin(self.speakers, names)
            fitted = clone(model).fit(self.X[~test], self.y[~test])
            pairs += [(fitted, np.flatnonzero(self.speakers == name)) for name in names]
        return pairs

    def uar(self, model_of, pairs):
        """Return the UAR pooled over speakers; `model_of` may replace the model of a speaker."""
        predicted = np.empty_like(self.y)
        for fitted, rows in pairs:
            predicted[rows] = model_of(fitted, rows).predict(self.X[rows])
        return float(unweighted_average_recall(self.y, predicted))


def drawn(rows, number, draw):
    """Return some rows, or all if there are no more."""
    random = np.random.RandomState(draw)
    return random.choice(rows, min(number, len(rows)), replace=False)


def spread(values):
    """Return the mean and the standard deviation of scores over draws."""
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1))}


def adapted_to(task, number, draw, emotion=None, **settings):
    """Return a function that adapts a model to some of a speaker's recordings."""

    def model_of(fitted, rows):
        if emotion is not None:
            rows = rows[task.y[rows] == emotion]
        # A speaker without this emotion has no recordings to adapt to.
        return adapt(fitted, task.X[drawn(rows, number, draw)], **settings) if len(rows) else fitted

    return model_of


def prior_weights(emodb, pairs):
    """Return the UAR on EmoDB by number of recordings of the test speaker and prior weight."""
    found = []
    for number in NUMBERS:
        for weight in PRIOR_WEIGHTS:
            values = [
                emodb.uar(adapted_to(emodb, number, draw, prior_weight=weight), pairs)
                for draw in range(N_DRAWS)
            ]
            found.append({"n": number, "prior_weight": weight, **spread(values)})
            print(found[-1], flush=True)
    return found


def of_emotions(emodb, pairs, ravdess):
    """Return the UAR after adaptation to recordings of all emotions, or of a single one."""
    shared = np.isin(ravdess.y, emodb.y)
    everything = np.arange(len(ravdess.y))
    of_emodb = clone(pairs[0][0]).fit(emodb.X, emodb.y)
    columns = np.isin(of_emodb.classes_, ravdess.y)

    def on_ravdess(model):
        proba = model.predict_proba(ravdess.X[shared])[:, columns]
        predicted = of_emodb.classes_[columns][proba.argmax(axis=1)]
        return float(unweighted_average_recall(ravdess.y[shared], predicted))

    choices = []
    for emotion in (None, *EMOTIONS):
        home, abroad = (
            [adapted_to(task, N_OF_ONE_EMOTION, draw, emotion) for draw in range(N_DRAWS)]
            for task in (emodb, ravdess)
        )
        choices.append(
            {
                "emotion": emotion,
                "emodb": spread([emodb.uar(model_of, pairs) for model_of in home]),
                "ravdess": spread(
                    [on_ravdess(model_of(of_emodb, everything)) for model_of in abroad]
                ),
            }
        )
        print(choices[-1], flush=True)
    return {
        "n": N_OF_ONE_EMOTION,
        "inductive": {"emodb": emodb.uar(as_trained, pairs), "ravdess": on_ravdess(of_emodb)},
        "choices": choices,
    }


def as_trained(fitted, rows):
    """Return the model itself."""
    return fitted


def of_network(name):
    """Return the UAR of an included network on part of RAVDESS, by number of its recordings."""
    model = load_pretrained(name)
    model = getattr(model, "estimator_", model)  # of a RejectingClassifier
    features, rest = model[0], model[1:]
    corpus = load("ravdess-5")[0][::EVERY]
    X, y = features.transform(list(corpus.data)), corpus.target.astype(str)
    shared = np.flatnonzero(np.isin(y, rest.classes_))
    columns = np.isin(rest.classes_, y)

    def uar(fitted):
        best = fitted.predict_proba(X[shared])[:, columns].argmax(axis=1)
        return float(unweighted_average_recall(y[shared], rest.classes_[columns][best]))

    found = {
        "name": name,
        "n": len(X),
        "inductive": uar(rest),
        "all": uar(adapt(rest, X)),
        "adapted": {},
    }
    for number in NUMBERS_FOR_NETWORK:
        draws = [drawn(np.arange(len(X)), number, draw) for draw in range(N_DRAWS)]
        found["adapted"][str(number)] = spread([uar(adapt(rest, X[rows])) for rows in draws])
    print(found, flush=True)
    return found


def per_speaker(task, model):
    """Return the UAR with and without adaptation to all utterances of each test speaker."""
    names = [f"x{i}" for i in range(task.X.shape[1])]
    table = pd.DataFrame(task.X, columns=names).assign(speaker=task.speakers)
    predicted = np.empty_like(task.y)
    for held_out in task.folds:
        test = np.isin(task.speakers, held_out)
        adapting = AdaptedClassifier(clone(model), setting="speaker")
        predicted[test] = adapting.fit(table[~test], task.y[~test]).predict(table[test])
    return {
        "inductive": task.uar(as_trained, task.held_out(model)),
        "per_speaker": float(unweighted_average_recall(task.y, predicted)),
    }


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    system = whisper_linear(conditions=False, device="cpu", memory=cache_folder(__file__))
    features, model = system[0], system[1:]
    tasks = {name: Task(name, features) for name in ("emodb-loso", "ravdess-5")}
    emodb, ravdess = tasks.values()
    pairs = emodb.held_out(model)
    result = {
        "system": "whisper_linear(conditions=False)",
        "n_draws": N_DRAWS,
        "per_speaker": {name: per_speaker(task, model) for name, task in tasks.items()},
        "emotions": of_emotions(emodb, pairs, ravdess),
        "prior_weights": prior_weights(emodb, pairs),
        "network": of_network("emodb-afcn"),
    }
    print(result["per_speaker"])
    write_result(RESULTS / "adaptation.json", result, seeds=list(range(N_DRAWS)))


if __name__ == "__main__":
    main()
