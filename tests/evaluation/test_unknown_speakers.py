"""Tests of evaluations in which some speakers are unknown or shared."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

from skser.datasets import SpeechCorpus, make_emotional_speech
from skser.evaluation import (
    EvaluationReport,
    compare,
    cross_validate_speakers,
    read_predictions,
    write_predictions,
)
from skser.model_selection import GivenSplits, StratifiedSpeakerKFold
from tests.support.optional import installed

pytestmark = pytest.mark.filterwarnings("ignore:All .* predictions are")


class Recorder(DummyClassifier):
    """Stores the groups that fit was given."""

    seen = []

    def fit(self, X, y, groups=None):
        type(self).seen.append(groups)
        return super().fit(X, y)


@pytest.fixture
def corpus():
    """Twelve utterances of four speakers, three of them unknown."""
    speakers = ["a", "a", None, "b", "b", "b", None, "c", "c", "d", "d", None]
    frame = pd.DataFrame(
        {
            "audio": [f"{i}.wav" for i in range(12)],
            "emotion": ["anger", "fear"] * 6,
            "speaker": speakers,
            "split": ["Train"] * 5 + ["Test1"] * 7,
            "sentence": ["s", "t"] * 6,
        }
    )
    return SpeechCorpus(frame, "mine", {})


def sides(found):
    return [(train.tolist(), test.tolist()) for train, test in found.folds]


def run(corpus, **options):
    return cross_validate_speakers(DummyClassifier(strategy="prior"), corpus, **options)


def test_unknown_speakers_are_left_out_and_counted(corpus):
    found = run(corpus, cv=LeaveOneGroupOut())
    assert sides(found)[0] == ([3, 4, 5, 7, 8, 9, 10], [0, 1])
    assert sorted(found.predictions["utterance"]) == [0, 1, 3, 4, 5, 7, 8, 9, 10]
    assert found.protocol["unknown_speakers"] == {
        "n": 3, "n_utterances": 12, "trained_on": 0, "tested_on": 0,
    }  # fmt: skip
    assert str(found).endswith(
        "The speaker of 3 of 12 utterances (25.0 %) is unknown: they are left out."
    )


def test_unknown_speakers_may_be_trained_on(corpus):
    found = run(corpus, cv=LeaveOneGroupOut(), unknown_speakers="train")
    assert sides(found)[0] == ([2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [0, 1])
    assert found.protocol["unknown_speakers"]["trained_on"] == 3
    assert str(found).endswith("3 are trained on and may share their speakers with a test side.")


def test_the_folds_of_the_known_are_those_without_the_others(corpus):
    known = corpus[pd.notna(corpus.speakers)]
    kept = np.flatnonzero(pd.notna(corpus.speakers))
    expected = [tuple(kept[side].tolist() for side in pair) for pair in run(known, cv=2).folds]
    assert sides(run(corpus, cv=2)) == expected


def test_given_splits_keep_their_test_sides(corpus):
    folds = [([0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11])]
    for cv in (folds, GivenSplits(folds, "official")):
        found = run(corpus, cv=cv)
        assert sides(found) == [([0, 1, 3, 4, 5], [6, 7, 8, 9, 10, 11])]
        assert found.predictions["speaker"].tolist()[0] == "unknown speaker"
        assert found.fold_results["held_out"].tolist() == [["c", "d"]]
        assert "2 are tested on and may share their speakers with training." in str(found)
    found = run(corpus, cv=folds, unknown_speakers="train")
    assert sides(found) == folds
    assert found.protocol["unknown_speakers"]["trained_on"] == 1


def test_known_speakers_in_given_splits_are_held_apart(corpus):
    with pytest.raises(ValueError, match="Fold 0 of cv has 1 speaker on both sides, such as 'b'"):
        run(corpus, cv=[([0, 3], [4, 6])])
    with pytest.raises(ValueError, match="The training side of fold 0 of cv has unknown speakers"):
        run(corpus, cv=[([2, 6], [3])])


def test_one_known_speaker_is_not_enough(corpus):
    one = corpus[[0, 1, 2]]
    with pytest.raises(ValueError, match=r"only one speaker, 'a' \(1 utterance of unknown"):
        run(one, cv=2)
    assert len(run(one, cv=[([0, 1], [2])]).predictions) == 1


def test_corpora_that_know_all_speakers_have_nothing_to_say(corpus):
    found = run(corpus[pd.notna(corpus.speakers)], cv=2)
    assert {"unknown_speakers", "shared_speakers"}.isdisjoint(found.protocol)
    assert "unknown" not in str(found)


def test_a_search_and_sentences_go_with_unknown_speakers(corpus):
    search = GridSearchCV(DummyClassifier(), {"strategy": ["prior"]}, cv=StratifiedSpeakerKFold(2))
    found = cross_validate_speakers(search, corpus, cv=LeaveOneGroupOut(), unknown_speakers="train")
    assert len(found.folds) == 4
    found = run(corpus, cv=[([0, 2], [3, 5])], sentences=True, unknown_speakers="train")
    assert sides(found) == [([0, 2], [3, 5])]


def test_sentences_of_the_test_side_are_not_trained_on_with_unknown_speakers():
    frame = make_emotional_speech(4, 10, random_state=0).frame
    unknown = np.arange(0, 40, 5)
    frame.loc[unknown, "speaker"] = None
    corpus = SpeechCorpus(frame, "mine", {}, sampling_rate=16000)
    found = run(corpus, cv=2, sentences=True, unknown_speakers="train")
    trained = set()
    for train, test in found.folds:
        assert not set(corpus.sentences[train]) & set(corpus.sentences[test])
        trained |= set(train.tolist()) & set(unknown.tolist())
    assert trained
    assert found.protocol["unknown_speakers"]["trained_on"] == len(trained)


def test_predictions_that_were_read_claim_nothing_of_their_training(corpus, tmp_path):
    found = run(corpus, cv=[([0, 1], [2, 3, 4]), ([3, 7], [9, 10])])
    write_predictions(found, tmp_path / "p.csv")
    read = read_predictions(tmp_path / "p.csv")
    assert "2 speaker-disjoint folds" in str(found)
    assert str(read).startswith("2 folds, 1 seed")
    assert "The speaker of 1 of 5 utterances (20.0 %) is unknown: 1 are tested on" in str(read)


def test_comparisons_say_what_limits_them(corpus):
    shared = GivenSplits([(np.arange(6), np.arange(6, 12))], allow_shared_speakers=True)
    found = compare({"a": run(corpus, cv=shared), "b": run(corpus, cv=shared)})
    assert str(found).startswith("2 speakers\n")  # c and d
    assert found.speaker_scores.index.tolist() == ["c", "d", "unknown speaker"]
    (note, *_) = (note for note in found.notes if note.startswith("b: "))
    assert "not speaker-independent" in note
    assert note in str(found)


def test_unknown_speakers_are_one_group_for_the_model(corpus):
    Recorder.seen.clear()
    cross_validate_speakers(Recorder(), corpus, cv=[([0, 2, 6], [3])], unknown_speakers="train")
    assert Recorder.seen[0].tolist() == ["a", "unknown speaker", "unknown speaker"]


def test_shared_speakers_are_accepted_only_when_asked_for(corpus):
    folds = [([0, 3, 7], [1, 4, 9]), ([9, 10], [0, 3])]
    found = run(corpus, cv=GivenSplits(folds, "paper", allow_shared_speakers=True))
    assert found.protocol["shared_speakers"] == {"n": 2, "n_tested": 3}
    assert str(found).startswith("2 folds, 1 seed")
    assert "2 of 3 test speakers are in the training side" in str(found)
    with pytest.raises(ValueError, match="2 speakers on both sides"):
        run(corpus, cv=GivenSplits(folds, "paper"))


def test_the_report_says_so(corpus):
    installed("jinja2")
    folds = [([0, 1, 3, 4], [6, 7, 8, 9, 10, 11])]
    html = EvaluationReport(run(corpus, cv=folds), corpus, leakage=False, n_errors=0).to_html()
    assert "Tested on 6 of 12 utterances by 2 speakers, 1 fold" in html
    assert html.count("2 are tested on and may share their speakers with training.") == 2


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([([0], [12])], "Fold 0 of official has row 12, but there are 12 utterances"),
        ([([0], [1]), ([], [1])], "Fold 1 of official has an empty side"),
    ],
)
def test_given_splits_that_do_not_fit_are_refused(corpus, folds, message):
    with pytest.raises(ValueError, match=message):
        run(corpus, cv=GivenSplits(folds, "official"))
    assert GivenSplits(folds, "official").get_n_splits() == len(folds)
    assert repr(GivenSplits(folds, "official")).endswith("folds of official)")
