"""Tests of the splitter for partly labeled corpora."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score

from skser.model_selection import SemiSupervisedSplit
from skser.neural_network import AdversarialAEClassifier, AdversarialAERegressor
from tests.support.made_up import EXACT, emotion_and_style

# One epoch is enough here, so networks may warn that their training has not converged.
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

    def test_a_test_speaker_is_not_in_training_even_unlabeled(self):
        random = np.random.RandomState(0)
        y = random.randint(-1, 3, size=80)
        speakers = np.repeat(np.arange(8), 10)
        for train, test in SemiSupervisedSplit(LeaveOneGroupOut()).split(y, y, speakers):
            assert set(speakers[train]).isdisjoint(speakers[test])
            assert (y[test] >= 0).all()
            assert (y[train] == -1).any()

    def test_only_rows_of_nan_alone_are_unlabeled(self):
        y = np.random.RandomState(0).randn(30, 3)
        y[::3] = np.nan
        y[1, 0] = np.nan
        X = np.random.RandomState(1).randn(30, 4)
        cv = SemiSupervisedSplit(3, unlabeled=np.nan)
        tested = np.concatenate([test for _, test in cv.split(X, y)])
        assert sorted(tested) == [i for i in range(30) if i % 3]
        model = AdversarialAERegressor(max_epochs=1, **EXACT)
        assert np.isfinite(cross_val_score(model, X, y, cv=cv)).all()

    def test_the_marker_is_recognized_in_every_container(self):
        y = [0, 1, -1, 0, 1, -1]
        digits = [str(label) for label in y]
        for labels in (y, np.array(y), pd.Series(y), digits, np.array(digits), pd.Series(digits)):
            tested = [test for _, test in SemiSupervisedSplit(2).split(y, labels)]
            assert sorted(np.concatenate(tested)) == [0, 1, 3, 4]

    def test_speakers_reach_it_by_metadata_routing(self):
        X, y, _ = emotion_and_style(n=60)
        speakers = np.arange(60) % 3
        model = AdversarialAEClassifier(max_epochs=1, **EXACT)
        with sklearn.config_context(enable_metadata_routing=True):
            scores = cross_val_score(
                model.set_fit_request(groups=False, soft_targets=False), X, y,
                cv=SemiSupervisedSplit(LeaveOneGroupOut()), params={"groups": speakers},
            )  # fmt: skip
        assert len(scores) == 3
        assert np.isfinite(scores).all()

    def test_bad_cv_and_missing_y_are_rejected(self):
        with pytest.raises(TypeError, match="number of folds or a splitter, got list"):
            next(SemiSupervisedSplit([([0], [1])]).split([0, 1], [0, 1]))
        with pytest.raises(ValueError, match="y is None"):
            next(SemiSupervisedSplit().split([0, 1], None))

    def test_y_without_any_label_is_rejected(self):
        with pytest.raises(ValueError, match="holds no label: all 4 values are -1"):
            next(SemiSupervisedSplit().split(np.zeros(4), np.full(4, -1)))


def test_labels_that_are_numbers_are_stratified_beside_a_marker_of_text():
    y = np.array([0] * 10 + [1] * 10 + ["?"] * 10, dtype=object)
    y[:20] = y[:20].astype(int)
    for _, test in SemiSupervisedSplit(5, unlabeled="?").split(y, y):
        assert sorted(y[test]) == [0, 0, 1, 1]


def test_unlabeled_utterances_of_unknown_speakers_are_refused():
    y = np.array([0, 1, -1, 0, 1, -1])
    speakers = np.array(["a", "a", "a", "b", "b", None], dtype=object)
    with pytest.raises(ValueError, match="no speaker for 1 unlabeled .* utterance 5.*Leave them"):
        list(SemiSupervisedSplit(LeaveOneGroupOut()).split(y, y, speakers))
