"""Tests of the speaker-disjoint splitters."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from skser.datasets import SpeechCorpus
from skser.model_selection import SpeakerFolds, StratifiedSpeakerKFold, published_folds


@pytest.fixture(scope="module")
def table():
    """Speakers, classes and sentences with unequal numbers of utterances."""
    random = np.random.RandomState(0)
    speakers = random.choice([f"s{i}" for i in range(12)], 400, p=random.dirichlet(np.full(12, 9)))
    y = random.choice(["anger", "fear", "joy"], 400, p=[0.5, 0.3, 0.2])
    sentences = random.choice([f"t{i}" for i in range(6)], 400)
    return speakers, y, sentences


def test_folds_are_speaker_disjoint_and_balanced(table):
    speakers, y, _ = table
    held_out = np.zeros(400, int)
    for train, test in StratifiedSpeakerKFold(4).split(np.zeros(400), y, speakers):
        assert not set(speakers[train]) & set(speakers[test])
        assert len(train) + len(test) == 400
        held_out[test] += 1
        for label in np.unique(y):
            assert np.mean(y[test] == label) == pytest.approx(np.mean(y == label), abs=0.1)
    assert (held_out == 1).all()


def test_folds_can_be_sentence_disjoint_as_well(table):
    speakers, y, sentences = table
    cv = StratifiedSpeakerKFold(4, n_sentence_splits=3)
    for groups in (
        np.column_stack([speakers, sentences]),
        pd.DataFrame({"speaker": speakers, "sentence": sentences}),
    ):
        folds = list(cv.split(np.zeros(400), y, groups))
        assert len(folds) == cv.get_n_splits(groups=groups) == 12
        for train, test in folds:
            assert not set(speakers[train]) & set(speakers[test])
            assert not set(sentences[train]) & set(sentences[test])
        held_out = np.concatenate([test for _, test in folds])
        np.testing.assert_array_equal(np.sort(held_out), np.arange(400))


@pytest.mark.parametrize("columns", [1, 2])
def test_folds_of_numbers_have_about_equal_numbers_of_utterances(columns):
    speakers = np.repeat(list("abcd"), [9, 1, 6, 4])
    y = np.random.RandomState(0).randn(20, columns)
    y[3] = np.nan  # a missing rating
    y = y[:, 0] if columns == 1 else y
    folds = list(StratifiedSpeakerKFold(2).split(y, y, speakers))
    assert [len(test) for _, test in folds] == [9, 11]
    assert all(set(speakers[train]).isdisjoint(speakers[test]) for train, test in folds)


def test_scikit_learn_accepts_groups_of_two_columns(table):
    speakers, y, sentences = table
    X = np.random.RandomState(0).randn(400, 2)
    groups = np.column_stack([speakers, sentences])
    cv = StratifiedSpeakerKFold(3)
    assert len(cross_val_score(KNeighborsClassifier(), X, y, groups=groups, cv=cv)) == 6
    search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, cv=cv)
    assert search.fit(X, y, groups=groups).n_splits_ == 6


def test_shuffled_folds_depend_on_the_seed_alone(table):
    speakers, y, _ = table

    def folds(seed):
        cv = StratifiedSpeakerKFold(4, shuffle=True, random_state=seed)
        return [test.tolist() for _, test in cv.split(np.zeros(400), y, speakers)]

    assert folds(0) == folds(0)
    assert folds(0) != folds(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": None}, "groups must be given"),
        ({"y": None}, "y must be given"),
        ({"groups": ["a"] * 400}, r"at least 5 speakers, but there are 1: \['a'\]"),
        ({"groups": ["a"] * 399}, "inconsistent"),
        ({"y": [None, *["a", "b", "c"] * 133]}, "y has no class for utterance 0"),
        ({"groups": [["a", "t"], ["b", None]] * 200}, "no sentence for utterance 1"),
        ({"groups": [*"abcde" * 79, None, *"abcd"]}, "no speaker for utterance 395"),
    ],
)
def test_bad_groups_are_rejected(table, change, message):
    speakers, y, _ = table
    arguments = {"X": np.zeros(400), "y": y, "groups": speakers} | change
    with pytest.raises(ValueError, match=message):
        list(StratifiedSpeakerKFold().split(**arguments))


def test_a_class_of_one_speaker_is_refused_with_a_remedy():
    y = np.array(["anger", "fear"] * 4 + ["joy", "fear"])
    speakers = np.repeat(list("abcde"), 2)
    message = r"Only speaker 'e' has class 'joy', .* or use LeaveOneGroupOut"
    with pytest.raises(ValueError, match=message):
        list(StratifiedSpeakerKFold(2).split(y, y, speakers))
    trained = [set(y[train]) for train, _ in LeaveOneGroupOut().split(y, y, speakers)]
    assert [{"anger", "fear", "joy"}] * 4 + [{"anger", "fear"}] == trained


def test_an_error_names_the_class_that_a_training_side_lacks():
    # Only sentence 1 has anger, so holding it out leaves none for training.
    y = np.array(["anger", "joy"] * 4)
    groups = np.column_stack([np.repeat(list("abcd"), 2), np.tile(["1", "2"], 4)])
    with pytest.raises(ValueError, match=r"its training side lacks \['anger'\]. Use fewer parts"):
        list(StratifiedSpeakerKFold(2).split(y, y, groups))


@pytest.mark.parametrize(
    "counts",  # of anger and fear, by speaker
    [
        [[3, 0], [0, 8], [0, 1], [2, 8]],
        [[1, 0], [2, 2], [2, 0], [0, 1]],
        [[0, 2], [4, 3], [0, 3], [2, 0]],
    ],
)
@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_parts_that_can_be_used_are_found(counts, seed):
    # Speakers in order of their shares would leave a part with all utterances of a class.
    counts = np.ravel(counts)
    y, speakers = np.repeat(["anger", "fear"] * 4, counts), np.repeat([*"aabbccdd"], counts)
    cv = StratifiedSpeakerKFold(2, shuffle=seed is not None, random_state=seed)
    for train, test in cv.split(y, y, speakers):
        assert set(y[train]) == {"anger", "fear"}
        assert not set(speakers[train]) & set(speakers[test])


def test_numbers_of_parts_must_be_at_least_two():
    y = np.array(["anger", "fear"] * 5)
    for wrong in (1, 2.5):
        with pytest.raises(ValueError, match="n_splits must be an integer"):
            list(StratifiedSpeakerKFold(wrong).split(y, y, y))


def corpus_of(speakers):
    """Corpus of these speakers, whose audio is never read."""
    n = len(speakers)
    frame = {"audio": ["x.wav"] * n, "emotion": ["anger", "fear"] * (n // 2), "speaker": speakers}
    return SpeechCorpus(pd.DataFrame(frame), "test", {})


def test_published_folds_hold_out_the_published_speakers():
    actors = [f"{i:02}" for i in range(1, 25)]
    corpus = corpus_of(np.repeat(actors, 2))
    cv = published_folds(corpus, "ravdess-5")
    folds = list(cv.split(corpus.data, corpus.target, corpus.speakers))
    assert [len(test) // 2 for _, test in folds] == [5, 5, 5, 5, 4]
    assert set(corpus.speakers[folds[0][1]]) == {"02", "05", "14", "15", "16"}
    assert set(corpus.speakers[folds[4][1]]) == {"01", "04", "09", "22"}
    berliners = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
    corpus = corpus_of(np.repeat(berliners, 2))
    cv = published_folds(corpus, "emodb-loso")
    expected = LeaveOneGroupOut().split(corpus.data, groups=corpus.speakers)
    found = cv.split(corpus.data, groups=corpus.speakers)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
    sessions = [f"Ses0{i}{sex}" for i in range(1, 6) for sex in "FM"]
    corpus = corpus_of(np.repeat(sessions, 2))
    _, test = next(published_folds(corpus, "iemocap-5").split(corpus.data, None, corpus.speakers))
    assert set(corpus.speakers[test]) == {"Ses01F", "Ses01M"}


def test_a_protocol_refuses_another_corpus():
    corpus = corpus_of(["01", "01", "02", "02"])
    with pytest.raises(ValueError, match=r"test has \['01', '02'\]"):
        published_folds(corpus, "ravdess-5")
    with pytest.raises(ValueError, match=r"speakers \['03', .*'16'\], but test has \['01', '02'\]"):
        published_folds(corpus, "emodb-loso")
    with pytest.raises(ValueError, match=r"Unknown protocol 'ravdess'; choose one of \['crema-"):
        published_folds(corpus, "ravdess")
    with pytest.raises(ValueError, match="test has no speakers"):
        published_folds(SpeechCorpus(corpus.frame.drop(columns="speaker"), "test", {}), "ravdess-5")


def test_speaker_folds_name_the_speakers_that_do_not_fit():
    def split(folds, groups=("a", "a", "b")):
        return list(SpeakerFolds(folds).split(np.zeros(3), None, groups))

    assert [test.tolist() for _, test in split([["b"], ["a"]])] == [[2], [0, 1]]
    for folds, message in (
        ([["a"]], r"\['b'\] are not in any fold"),
        ([["a", "b"], ["b"]], r"\['b'\] are in two folds"),
        ([["a"], ["b"], ["longer"]], r"fold of speakers \['longer'\] is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            split(folds)
    with pytest.raises(ValueError, match="groups must be given"):
        split([["a"], ["b"]], None)
    assert [test.tolist() for _, test in split([[2], ["1"]], [1, 1, 2])] == [[2], [0, 1]]
    assert [test.tolist() for _, test in split([["1"], ["11"]], ["1", "1", "11"])] == [[0, 1], [2]]
    assert repr(SpeakerFolds([["a"]])) == "SpeakerFolds([['a']])"
    assert SpeakerFolds([["a"]]).get_n_splits() == 1


def test_splitters_survive_clone():
    cv = StratifiedSpeakerKFold(3, shuffle=True, random_state=4)
    assert "n_splits=3" in repr(cv)
    model = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1]}, cv=cv)
    assert clone(model).cv.n_splits == 3
