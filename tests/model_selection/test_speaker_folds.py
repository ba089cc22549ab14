"""Splits that hold speakers apart, and what finds out if they do not."""

import io

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier

from skser.datasets import SpeechCorpus, load_emodb, load_ravdess, make_emotional_speech
from skser.evaluation import leakage_report
from skser.evaluation._leakage import similar_recordings
from skser.model_selection import SpeakerFolds, StratifiedSpeakerKFold, published_folds

RATE = 16000


@pytest.fixture(scope="module")
def table():
    """Unequal classes and speakers, as real corpora have."""
    random = np.random.RandomState(0)
    speakers = random.choice([f"s{i}" for i in range(12)], 400, p=random.dirichlet(np.full(12, 9)))
    y = random.choice(["anger", "fear", "joy"], 400, p=[0.5, 0.3, 0.2])
    sentences = random.choice([f"t{i}" for i in range(6)], 400)
    return speakers, y, sentences


def test_speakers_are_apart_and_classes_balanced(table):
    speakers, y, _ = table
    held_out = np.zeros(400, int)
    for train, test in StratifiedSpeakerKFold(4).split(np.zeros(400), y, speakers):
        assert not set(speakers[train]) & set(speakers[test])
        assert len(train) + len(test) == 400
        held_out[test] += 1
        for label in np.unique(y):
            assert np.mean(y[test] == label) == pytest.approx(np.mean(y == label), abs=0.1)
    assert (held_out == 1).all()


def test_sentences_are_apart_too(table):
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


def test_sentences_go_through_scikit_learn(table):
    speakers, y, sentences = table
    X = np.random.RandomState(0).randn(400, 2)
    groups = np.column_stack([speakers, sentences])
    cv = StratifiedSpeakerKFold(3)
    assert len(cross_val_score(KNeighborsClassifier(), X, y, groups=groups, cv=cv)) == 6
    search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, cv=cv)
    assert search.fit(X, y, groups=groups).n_splits_ == 6


def test_shuffling_deals_speakers_out_differently(table):
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
        ({"groups": ["a"] * 400}, "5 parts need as many speakers; there are 1: \\['a'\\]"),
        ({"groups": ["a"] * 399}, "inconsistent"),
        ({"y": [None, *["a", "b", "c"] * 133]}, "y has no class of utterance 0"),
        ({"groups": [["a", "t"], ["b", None]] * 200}, "no sentence of utterance 1"),
        (
            {"groups": [*["a", "b", "c", "d", "e"] * 79, None, *"abcd"]},
            "no speaker of utterance 395",
        ),
    ],
)
def test_bad_groups(table, change, message):
    speakers, y, _ = table
    arguments = {"X": np.zeros(400), "y": y, "groups": speakers} | change
    with pytest.raises(ValueError, match=message):
        list(StratifiedSpeakerKFold().split(**arguments))


def test_a_class_that_only_one_speaker_has_is_named():
    y = np.array(["anger", "fear"] * 4 + ["joy", "fear"])
    with pytest.raises(ValueError, match=r"the training side lacks \['joy'\]"):
        list(StratifiedSpeakerKFold(2).split(y, y, np.repeat(list("abcde"), 2)))
    for wrong in (1, 2.5):
        with pytest.raises(ValueError, match="n_splits must be an integer"):
            list(StratifiedSpeakerKFold(wrong).split(y, y, y))


def corpus_of(speakers, **columns):
    n = len(speakers)
    frame = {"audio": ["x.wav"] * n, "emotion": ["anger", "fear"] * (n // 2), "speaker": speakers}
    return SpeechCorpus(pd.DataFrame(frame | columns), "test", {})


def test_published_folds_are_those_published():
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
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])
        np.testing.assert_array_equal(mine[1], theirs[1])
    sessions = [f"Ses0{i}{sex}" for i in range(1, 6) for sex in "FM"]
    corpus = corpus_of(np.repeat(sessions, 2))
    _, test = next(published_folds(corpus, "iemocap-5").split(corpus.data, None, corpus.speakers))
    assert set(corpus.speakers[test]) == {"Ses01F", "Ses01M"}


def test_folds_of_another_corpus_are_refused():
    corpus = corpus_of(["01", "01", "02", "02"])
    with pytest.raises(ValueError, match=r"test has \['01', '02'\]"):
        published_folds(corpus, "ravdess-5")
    with pytest.raises(ValueError, match=r"speakers \['03', .*'16'\]; test has \['01', '02'\]"):
        published_folds(corpus, "emodb-loso")
    with pytest.raises(ValueError, match="no protocol 'ravdess'; there are"):
        published_folds(corpus, "ravdess")
    with pytest.raises(ValueError, match="does not tell who speaks"):
        published_folds(SpeechCorpus(corpus.frame.drop(columns="speaker"), "test", {}), "ravdess-5")


def test_speaker_folds_name_what_does_not_fit():
    def split(folds, groups=("a", "a", "b")):
        return list(SpeakerFolds(folds).split(np.zeros(3), None, groups))

    assert [test.tolist() for _, test in split([["b"], ["a"]])] == [[2], [0, 1]]
    for folds, message in (
        ([["a"]], r"\['b'\] are in no fold"),
        ([["a", "b"], ["b"]], r"\['b'\] are in two folds"),
        ([["a"], ["b"], ["longer"]], r"fold of \['longer'\] is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            split(folds)
    with pytest.raises(ValueError, match="groups must be given"):
        split([["a"], ["b"]], None)
    assert [test.tolist() for _, test in split([[2], ["1"]], [1, 1, 2])] == [[2], [0, 1]]
    assert [test.tolist() for _, test in split([["1"], ["11"]], ["1", "1", "11"])] == [[0, 1], [2]]
    assert repr(clone_of := SpeakerFolds([["a"]])) == "SpeakerFolds([['a']])"
    assert clone_of.get_n_splits() == 1


def test_a_model_that_memorises_speakers_is_found_out():
    random = np.random.RandomState(0)
    speakers = np.repeat([f"s{i}" for i in range(24)], 10)
    # What a speaker feels is drawn once: who knows the speaker knows the emotion.
    y = np.repeat(random.permutation(np.repeat(["anger", "fear", "joy"], 8)), 10)
    X = np.repeat(10 * random.randn(24, 5), 10, axis=0) + random.randn(240, 5)
    model = KNeighborsClassifier(1)

    def uar(cv):
        return cross_val_score(
            model, X, y, groups=speakers, cv=cv, scoring="balanced_accuracy"
        ).mean()

    random_split = StratifiedKFold(5, shuffle=True, random_state=0)
    with pytest.warns(UserWarning, match="groups parameter is ignored"):
        assert uar(random_split) > 0.99
    assert uar(StratifiedSpeakerKFold(4)) < 0.5  # chance is 1/3
    assert set(leakage_report(speakers, random_split, y=y).leaks["what"]) == set(speakers)
    assert leakage_report(speakers, StratifiedSpeakerKFold(4), y=y).is_clean


def test_shared_speakers_and_sentences_are_named(table):
    speakers, y, sentences = table
    groups = pd.DataFrame({"speaker": speakers, "sentence": sentences})
    report = leakage_report(groups, StratifiedSpeakerKFold(4), y=y)
    assert report.checked == ("speaker", "sentence")
    assert set(report.leaks["kind"]) == {"sentence"}
    first = report.leaks.iloc[0]
    train, test = next(StratifiedSpeakerKFold(4).split(y, y, speakers))
    assert first["n_test"] == np.sum(sentences[test] == first["what"])
    assert first["n_train"] == np.sum(sentences[train] == first["what"])
    assert "sentence on both sides in 4 folds: t0, t1" in str(report)


def test_unknown_values_are_no_leak():
    report = leakage_report([None, None, "a", "b"], KFold(2))
    assert report.is_clean


def encoded(samples, format, subtype):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=format, subtype=subtype)
    return file.getvalue()


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A corpus in files, with copies of its first utterances under other speakers' names."""
    folder = tmp_path_factory.mktemp("planted")
    corpus = make_emotional_speech(6, 10, random_state=0)
    paths = []
    for i, samples in enumerate(corpus.data):
        path = folder / f"{i:03}.wav"
        path.write_bytes(encoded(samples, "WAV", "PCM_16"))
        paths.append(str(path))
    frame = corpus.frame.assign(audio=paths)
    samples, _ = soundfile.read(paths[0])
    padded = 0.3 * np.concatenate([np.zeros(3000), samples, np.zeros(5000)])
    copies = {
        "copy.wav": (folder / "000.wav").read_bytes(),
        "container.flac": encoded(samples, "FLAC", "PCM_16"),
        "lossy.mp3": encoded(samples, "MP3", "MPEG_LAYER_III"),
        "lossy.ogg": encoded(samples, "OGG", "VORBIS"),
        "padded.wav": encoded(padded, "WAV", "PCM_16"),
        "telephone.wav": encoded(0.9 * samples, "WAV", "ULAW"),
    }
    rows = []
    for name, content in copies.items():
        (folder / name).write_bytes(content)
        rows.append(frame.iloc[0].to_dict() | {"audio": str(folder / name), "speaker": "06"})
    frame = pd.concat([frame, pd.DataFrame(rows)], ignore_index=True)
    return SpeechCorpus(frame, "planted", {}), list(copies)


def test_planted_copies_are_found_and_nothing_else(planted):
    corpus, copies = planted
    report = leakage_report(corpus, LeaveOneGroupOut())
    audio = report.leaks[report.leaks["kind"].str.endswith("audio")]
    found = {}
    for row in audio.itertuples():
        pair = [path.rsplit("/", 1)[-1] for path in row.what.split(" and ")]
        if "000.wav" in pair:
            pair.remove("000.wav")
            found[pair[0]] = row.kind
    assert set(found) == set(copies)
    assert found["copy.wav"] == found["container.flac"] == "identical audio"
    assert found["lossy.mp3"] == found["telephone.wav"] == "near-identical audio"
    others = {f"{i:03}.wav" for i in range(1, 60)}
    assert not any(name in row.what for row in audio.itertuples() for name in others)
    assert set(report.leaks["kind"]) >= {"sentence"}
    assert "speaker" not in set(report.leaks["kind"])


def test_a_speaker_on_both_sides_of_a_corpus(planted):
    corpus, _ = planted
    report = leakage_report(corpus, StratifiedKFold(2, shuffle=True, random_state=0))
    assert set(report.leaks.query("kind == 'speaker'")["what"]) == set(corpus.speakers)


def test_families_of_copies(planted):
    corpus, _ = planted
    samples = soundfile.read(corpus.data[0])[0]
    louder = [samples * gain for gain in np.linspace(0.2, 1, 20)]
    lossy = soundfile.read(io.BytesIO(encoded(samples, "MP3", "MPEG_LAYER_III")))[0]
    copies = [lossy[: len(samples)] * gain for gain in np.linspace(0.2, 1, 20)]
    pairs = similar_recordings([*louder, *copies], RATE, None)
    assert len(pairs) == 40 * 39 / 2
    # More that are the same than there are neighbours to look at.
    pairs = similar_recordings([samples] * 40 + [lossy] * 40, RATE, None)
    assert [kind for kind, *_ in pairs].count("near-identical audio") == 40 * 40
    assert len(pairs) == 80 * 79 / 2
    offset = similar_recordings([samples, samples + 0.1], RATE, None)
    assert offset == [("near-identical audio", 0, 1)]
    same = similar_recordings([samples] * 3, RATE, None)
    assert same == [("identical audio", *pair) for pair in ((0, 1), (0, 2), (1, 2))]


def test_a_corpus_that_does_not_know_all_speakers(planted):
    corpus, _ = planted
    frame = corpus.frame.iloc[:4].assign(speaker=[None, None, "a", "b"])
    report = leakage_report(SpeechCorpus(frame, "some", {}), KFold(2))
    assert "speaker" not in set(report.leaks["kind"])


def test_silence_and_clicks_are_no_trouble():
    random = np.random.RandomState(0)
    items = [np.zeros(RATE), random.randn(3), random.randn(RATE), np.zeros(RATE // 2)]
    assert similar_recordings([*items, items[2] * 0.1], RATE, None) == [
        ("near-identical audio", 2, 4)
    ]


@pytest.mark.real_data
def test_real_corpora(emodb_path, ravdess_path):
    emodb, ravdess = load_emodb(emodb_path), load_ravdess(ravdess_path)
    report = leakage_report(ravdess, published_folds(ravdess, "ravdess-5"), n_jobs=2)
    assert set(report.leaks["kind"]) == {"sentence"}
    report = leakage_report(emodb, published_folds(emodb, "emodb-loso"), n_jobs=2)
    assert set(report.leaks["kind"]) == {"sentence"}
    items = [str(path) for path in ravdess.data]
    assert [kind for kind, *_ in similar_recordings(items, None, 2)] == ["identical audio"]


def test_splitters_clone_by_their_parameters():
    cv = StratifiedSpeakerKFold(3, shuffle=True, random_state=4)
    assert "n_splits=3" in repr(cv)
    model = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1]}, cv=cv)
    assert clone(model).cv.n_splits == 3
