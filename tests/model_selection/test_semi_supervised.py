"""Splits of corpora of which only some utterances are labeled."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score

from skser.model_selection import SemiSupervisedSplit
from skser.neural_network import AdversarialAEClassifier, AdversarialAERegressor
from tests.support.made_up import EXACT, emotion_and_style

# Most fits here are of one or two epochs; what is said of failed parts has its own tests.
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


class TestSemiSupervisedSplit:
    def test_unlabeled_utterances_are_never_tested_on(self):
        y = np.array(["a", "b", "?", "a", "?", "b"] * 10)
        cv = SemiSupervisedSplit(3, unlabeled="?")
        assert cv.get_n_splits(y=y) == cv.get_n_splits() == 3
        tested = []
        for train, test in cv.split(np.zeros(60), y):
            assert set(np.flatnonzero(y == "?")) <= set(train)
            assert not set(train) & set(test)
            tested.extend(test)
        assert sorted(tested) == np.flatnonzero(y != "?").tolist()

    def test_a_test_speaker_is_heard_nowhere(self):
        random = np.random.RandomState(0)
        y = random.randint(-1, 3, size=80)
        speakers = np.repeat(np.arange(8), 10)
        for train, test in SemiSupervisedSplit(LeaveOneGroupOut()).split(y, y, speakers):
            assert set(speakers[train]).isdisjoint(speakers[test])
            assert (y[test] >= 0).all()
            assert (y[train] == -1).any()

    def test_rows_of_nan(self):
        y = np.random.RandomState(0).randn(30, 3)
        y[::3] = np.nan
        y[1, 0] = np.nan
        X = np.random.RandomState(1).randn(30, 4)
        cv = SemiSupervisedSplit(3, unlabeled=np.nan)
        assert sum(len(test) for _, test in cv.split(X, y)) == 20
        model = AdversarialAERegressor(max_epochs=1, **EXACT)
        assert np.isfinite(cross_val_score(model, X, y, cv=cv)).all()

    def test_markers_in_every_container(self):
        y = [0, 1, -1, 0, 1, -1]
        digits = [str(label) for label in y]
        for labels in (y, np.array(y), pd.Series(y), digits, np.array(digits), pd.Series(digits)):
            tested = [test for _, test in SemiSupervisedSplit(2).split(y, labels)]
            assert sorted(np.concatenate(tested)) == [0, 1, 3, 4]

    def test_speakers_are_routed_to_it(self):
        X, y, _ = emotion_and_style(n=60)
        speakers = np.arange(60) % 3
        model = AdversarialAEClassifier(max_epochs=1, **EXACT)
        with sklearn.config_context(enable_metadata_routing=True):
            scores = cross_val_score(
                model.set_fit_request(groups=False, soft_targets=False), X, y,
                cv=SemiSupervisedSplit(LeaveOneGroupOut()), params={"groups": speakers},
            )  # fmt: skip
        assert len(scores) == 3

    def test_what_cannot_split(self):
        with pytest.raises(TypeError, match="number of folds or a splitter, not list"):
            next(SemiSupervisedSplit([([0], [1])]).split([0, 1], [0, 1]))
        with pytest.raises(ValueError, match="y is None"):
            next(SemiSupervisedSplit().split([0, 1], None))

    def test_no_label(self):
        with pytest.raises(ValueError, match="holds no label"):
            next(SemiSupervisedSplit().split(np.zeros(4), np.full(4, -1)))
