import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict

from skser.model_selection import StratifiedSpeakerKFold
from tests.support.optional import installed

installed("cleanlab")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:cleanlab")


def with_wrong_labels(spoken):
    given, wrong = spoken.codes.copy(), [3, 20]
    given[wrong] = 1 - given[wrong]
    return given, wrong


def test_wrong_labels_are_found_from_speaker_independent_probabilities(spoken, linear):
    from cleanlab.filter import find_label_issues

    given, wrong = with_wrong_labels(spoken)
    proba = cross_val_predict(
        linear, spoken.files, given, groups=spoken.speakers, cv=StratifiedSpeakerKFold(4),
        method="predict_proba",
    )  # fmt: skip
    found = find_label_issues(given, proba, return_indices_ranked_by="self_confidence", n_jobs=1)
    assert set(wrong) <= set(found[:6])


def test_clean_learning_accepts_a_model_of_files(spoken, linear):
    from cleanlab.classification import CleanLearning

    given, wrong = with_wrong_labels(spoken)
    issues = CleanLearning(clone(linear), cv_n_folds=4, seed=0).find_label_issues(
        spoken.files, given
    )
    assert len(issues) == len(given)
    assert set(wrong) <= set(np.argsort(issues["label_quality"].to_numpy())[:6])
