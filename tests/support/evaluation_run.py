"""Slow evaluation that tests kill: python tests/support/evaluation_run.py FOLDER LOG."""

import sys
import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from skser.datasets import make_emotional_speech
from skser.evaluation import cross_validate_speakers


class SlowClassifier(ClassifierMixin, BaseEstimator):
    """Classifier that predicts random classes by its seed and logs each fit."""

    def __init__(self, log=None, pause=0.0, random_state=None):
        self.log = log
        self.pause = pause
        self.random_state = random_state

    def fit(self, X, y):
        time.sleep(self.pause)
        self.classes_ = np.unique(y)
        with open(self.log, "a") as log:
            log.write(f"{self.random_state} {len(y)}\n")
        return self

    def predict_proba(self, X):
        random = np.random.RandomState(self.random_state)
        return random.dirichlet(np.ones(len(self.classes_)), len(X))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def evaluate(folder, log, pause=0.15, **settings):
    corpus = make_emotional_speech(4, 12, ("anger", "fear"), random_state=0)
    model = SlowClassifier(str(log), pause)
    return cross_validate_speakers(model, corpus, cv=4, n_seeds=3, results_dir=folder, **settings)


if __name__ == "__main__":
    from tests.support import (
        evaluation_run,
    )  # not __main__, so that pickles of its classifier load in tests

    evaluation_run.evaluate(*sys.argv[1:])
