"""Tests of the search for speakers, sentences and recordings on both sides of a split."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier

from skser.datasets import SpeechCorpus, load_emodb, load_ravdess, make_emotional_speech
from skser.evaluation import _leakage, leakage_report
from skser.evaluation._leakage import similar_recordings
from skser.model_selection import StratifiedSpeakerKFold, published_folds

RATE = 16000


@pytest.fixture(scope="module")
def table():
    """Speakers, classes and sentences with unequal numbers of utterances."""
    random = np.random.RandomState(0)
    speakers = random.choice([f"s{i}" for i in range(12)], 400, p=random.dirichlet(np.full(12, 9)))
    y = random.choice(["anger", "fear", "joy"], 400, p=[0.5, 0.3, 0.2])
    sentences = random.choice([f"t{i}" for i in range(6)], 400)
    return speakers, y, sentences


def test_speaker_disjoint_folds_expose_a_model_that_memorizes_speakers():
    random = np.random.RandomState(0)
    speakers = np.repeat([f"s{i}" for i in range(24)], 10)
    # Each speaker has a single emotion, so recognizing the speaker gives it away.
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


def test_shared_sentences_are_counted_and_named(table):
    speakers, y, sentences = table
    groups = pd.DataFrame({"speaker": speakers, "sentence": sentences})
    report = leakage_report(groups, StratifiedSpeakerKFold(4), y=y)
    assert report.checked == ("utterance", "speaker", "sentence")
    assert set(report.leaks["kind"]) == {"sentence"}
    first = report.leaks.iloc[0]
    train, test = next(StratifiedSpeakerKFold(4).split(y, y, speakers))
    assert first["n_test"] == np.sum(sentences[test] == first["what"])
    assert first["n_train"] == np.sum(sentences[train] == first["what"])
    assert "sentence on both sides in 4 folds: t0, t1" in str(report)


def test_missing_values_do_not_count_as_leaks():
    report = leakage_report([None, None, "a", None], [([0, 1], [2, 3])])
    assert report.is_clean
    assert str(report).endswith("checked for shared utterance, speaker. Nothing is on both sides.")


def test_utterances_on_both_sides_are_leaks_even_if_their_speakers_are_unknown():
    report = leakage_report([None, None, "a", "b"], [([0, 1, 2], [1, 0, 3]), ([0, 1], [2, 3])])
    assert report.leaks[["fold", "kind", "what"]].to_numpy().tolist() == [
        [0, "utterance", "row 0"],
        [0, "utterance", "row 1"],
    ]
    noise = list(np.random.RandomState(0).randn(3, 4000).astype(np.float32))
    frame = pd.DataFrame({"audio": [*noise, noise[0]], "emotion": "joy", "speaker": list("abcd")})
    corpus = SpeechCorpus(frame, "mine", {}, sampling_rate=8000)
    found = leakage_report(corpus, [([0, 1], [0, 3])]).leaks  # the copy of a row on both sides
    assert set(found["kind"]) == {"utterance", "speaker", "identical audio"}


def encoded(samples, format, subtype):
    """Samples as the bytes of a sound file."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=format, subtype=subtype)
    return file.getvalue()


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A corpus in files, with copies of its first utterance under the name of another speaker."""
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


def test_only_planted_copies_are_found(planted):
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


def test_speakers_on_both_sides_of_a_corpus_are_found(planted):
    corpus, _ = planted
    report = leakage_report(corpus, StratifiedKFold(2, shuffle=True, random_state=0))
    assert set(report.leaks.query("kind == 'speaker'")["what"]) == set(corpus.speakers)


def test_every_pair_of_a_family_of_copies_is_listed(planted):
    corpus, _ = planted
    samples = soundfile.read(corpus.data[0])[0]
    gains = np.linspace(0.2, 1, 5)
    louder = [samples * gain for gain in gains]
    lossy = soundfile.read(io.BytesIO(encoded(samples, "MP3", "MPEG_LAYER_III")))[0]
    copies = [lossy[: len(samples)] * gain for gain in gains]
    pairs = similar_recordings([*louder, *copies], RATE, None)
    assert len(pairs) == 10 * 9 / 2
    # There are more identical copies than the 32 neighbors that are compared.
    pairs = similar_recordings([samples] * 40 + [lossy] * 40, RATE, None)
    assert [kind for kind, *_ in pairs].count("near-identical audio") == 40 * 40
    assert len(pairs) == 80 * 79 / 2
    offset = similar_recordings([samples, samples + 0.1], RATE, None)
    assert offset == [("near-identical audio", 0, 1)]
    same = similar_recordings([samples] * 3, RATE, None)
    assert same == [("identical audio", *pair) for pair in ((0, 1), (0, 2), (1, 2))]


def test_a_corpus_may_have_unknown_speakers(planted):
    corpus, _ = planted
    frame = corpus.frame.iloc[:4].assign(speaker=[None, "a", None, "a"])
    report = leakage_report(SpeechCorpus(frame, "some", {}), KFold(2))
    speakers = report.leaks[report.leaks["kind"] == "speaker"]
    assert speakers[["fold", "what", "n_train", "n_test"]].to_numpy().tolist() == [
        [0, "a", 1, 1],
        [1, "a", 1, 1],
    ]


def test_folds_by_speaker_need_every_speaker():
    speakers = ["1", "2", None, "1"]
    with pytest.raises(ValueError, match="1 utterance of 4 have no speaker, first row 2"):
        leakage_report(speakers, GroupKFold(2))
    assert not leakage_report(speakers, [([0, 1, 2], [3])]).is_clean


def test_silence_and_clicks_are_compared_without_errors():
    random = np.random.RandomState(0)
    items = [np.zeros(RATE), random.randn(3), random.randn(RATE), np.zeros(RATE // 2)]
    assert similar_recordings([*items, items[2] * 0.1], RATE, None) == [
        ("near-identical audio", 2, 4)
    ]


@pytest.mark.real_data
def test_the_one_duplicate_of_ravdess_is_found(emodb_path, ravdess_path):
    emodb, ravdess = load_emodb(emodb_path), load_ravdess(ravdess_path)
    report = leakage_report(emodb, published_folds(emodb, "emodb-loso"), n_jobs=2)
    assert set(report.leaks["kind"]) == {"sentence"}
    items = [str(path) for path in ravdess.data if "Actor_07" in str(path)]
    (kind, i, j), *others = similar_recordings(items, None, 2)
    assert (kind, others) == ("identical audio", [])
    names = [Path(items[k]).stem for k in (i, j)]
    assert names == ["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"]


@pytest.mark.parametrize("rows_at_once", [1024, 3, 1])
def test_every_pair_of_similar_fingerprints_is_found(rows_at_once, monkeypatch):
    monkeypatch.setattr(_leakage, "_ROWS_AT_ONCE", rows_at_once)
    fingerprints = np.eye(8, dtype=np.float32)
    fingerprints[5] = fingerprints[1]
    fingerprints[3] = fingerprints[2]
    assert _leakage._similar(fingerprints) == {(1, 5), (2, 3)}
    assert _leakage._similar(fingerprints[:1]) == set()


def test_fingerprints_follow_the_levels_of_bands_over_time():
    # Tones whose period divides the hop rise by 20 dB: so do their bands, at a constant rate.
    n, bins = np.arange(16000), np.arange(8, 256, 4)
    tones = np.sin(2 * np.pi * bins[:, None] * n / 512).sum(axis=0)
    rising = tones * 10 ** np.linspace(-1, 0, 16000)
    found = _leakage._fingerprint(rising)
    assert found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(1)
    levels = found.reshape(32, -1)  # 32 times
    steps = np.diff(levels, axis=0)[:, 10:]  # wide bands, which all have tones
    assert steps.shape[1] > 10
    np.testing.assert_allclose(steps, np.full_like(steps, steps.mean()), rtol=0.02)
    for gain, silence in ((0.1, 0), (1, 4000)):
        other = np.concatenate([np.zeros(silence), gain * rising])
        assert found @ _leakage._fingerprint(other) > 0.97
