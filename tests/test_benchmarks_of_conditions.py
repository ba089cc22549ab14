"""Tests of the benchmarks of recording conditions, foreign corpora and rejection."""

import altered_recordings
import conditions
import foreign
import numpy as np
import pandas as pd
import pytest
import rejection
from sklearn.base import BaseEstimator, TransformerMixin
from vector_cache import CachedVectors

from skser.audio import Waveform
from skser.datasets import make_emotional_speech


@pytest.fixture(scope="module")
def speech():
    """Two seconds of made-up speech at 16 kHz, and six more utterances."""
    corpus = make_emotional_speech(2, 5, sampling_rate=16000, random_state=0)
    samples = [np.asarray(data, np.float32) for data in corpus.data]
    return np.resize(samples[0], 32000), samples[1:]


@pytest.mark.parametrize("kind", ["white", "pink", "babble"])
@pytest.mark.parametrize("ratio", altered_recordings.RATIOS)
def test_noise_has_the_stated_ratio(speech, kind, ratio):
    samples, voices = speech
    noisy = altered_recordings.altered(samples, f"{kind} {ratio} dB", voices)
    noise = np.asarray(noisy, np.float64) - samples
    found = 10 * np.log10(np.mean(samples.astype(np.float64) ** 2) / np.mean(noise**2))
    assert found == pytest.approx(ratio, abs=0.01)


def test_an_alteration_depends_on_samples_and_condition_alone(speech):
    samples, voices = speech
    first, again, other = (
        altered_recordings.altered(samples, name, voices)
        for name in ("white 10 dB", "white 10 dB", "white 5 dB")
    )
    np.testing.assert_array_equal(first, again)
    noises = [np.asarray(x) - samples for x in (first, other)]
    assert abs(np.corrcoef(noises)[0, 1]) < 0.05


def test_babble_holds_no_silence_around_words():
    words = np.concatenate([np.zeros(6400), np.ones(3200), np.zeros(9600)]).astype(np.float32)
    assert altered_recordings.without_edges(words).tolist() == [1.0] * 3200


def test_the_telephone_has_no_sound_above_its_band(speech):
    heard = altered_recordings.altered(speech[0], "telephone", [])
    assert len(heard) == len(speech[0])
    power = np.abs(np.fft.rfft(heard)) ** 2
    above = np.fft.rfftfreq(len(heard), 1 / 16000) > 4100
    assert power[above].sum() < 1e-4 * power.sum()


def test_the_codec_does_not_delay(speech):
    pytest.importorskip("av")
    heard = np.asarray(altered_recordings.altered(speech[0], "codec", []))
    similar = np.correlate(heard[1000:30000], speech[0][2000:29000], "valid")
    assert np.argmax(similar) == 1000


class Lengths(TransformerMixin, BaseEstimator):
    """Transformer that returns the length of each recording, and counts what it computes."""

    n_computed = 0

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return lengths."""
        Lengths.n_computed += len(X)
        return np.array([[len(x)] for x in X], np.float32)


def test_vectors_are_computed_once(tmp_path, monkeypatch):
    monkeypatch.setattr(Lengths, "n_computed", 0)
    recordings = [Waveform(np.full(n, 0.5, np.float32), 16000) for n in (400, 300, 400, 500)]
    for _ in range(2):
        vectors = CachedVectors(Lengths(), tmp_path / "vectors.sqlite").fit_transform(recordings)
        assert vectors.ravel().tolist() == [400, 300, 400, 500]
    table = pd.DataFrame({"audio": recordings[1:]})
    assert CachedVectors(Lengths(), tmp_path / "vectors.sqlite").transform(table).shape == (3, 1)
    assert Lengths.n_computed == 3


def test_foreign_corpora_are_decided_among_the_labels_that_all_have(monkeypatch):
    class Fixed:
        classes_ = np.array(["anger", "boredom", "fear"])

        def predict_proba(self, X):
            """Return probabilities that are highest for an emotion which the corpus lacks."""
            return np.array([[0.3, 0.6, 0.1], [0.1, 0.6, 0.3], [0.3, 0.6, 0.1]])[: len(X)]

    table = pd.DataFrame({"audio": list("abcd"), "emotion": ["anger", "fear", "fear", "calm"]})
    assert foreign.uar_of(Fixed(), table, {"anger", "fear"}) == 0.75
    labels = {"a": "anger boredom fear", "b": "anger fear calm", "c": "fear calm boredom"}
    emotions = {name: pd.DataFrame({"emotion": words.split()}) for name, words in labels.items()}
    monkeypatch.setattr(foreign, "corpora", emotions.get)
    assert foreign.shared_labels("a", "b") == {"anger", "fear"}
    assert foreign.shared_labels("a+b", "c") == {"fear"}


def test_summaries_are_over_all_folds_and_the_mean_over_other_conditions():
    predicted = dict.fromkeys(conditions.CONDITIONS, "01")
    fits = [
        {"seed": 0, "fold": 0, "predicted": predicted},
        {"seed": 0, "fold": 1, "predicted": predicted | {"room": "11"}},
        {"seed": 1, "fold": 0, "predicted": predicted},
        {"seed": 1, "fold": 1, "predicted": predicted},
    ]
    found = conditions.summary(fits, np.array(["anger", "fear", "anger", "fear"]))
    assert found["clean"]["uar"] == {"mean": 1.0, "sd": 0.0}
    assert found["room"]["uar"]["mean"] == 0.875  # 0.75 and 1
    assert found["room"]["uar"]["sd"] == pytest.approx(0.25 / 2**0.5)
    n_others = len(conditions.CONDITIONS) - 1
    assert found[conditions.MEAN]["uar"]["mean"] == pytest.approx(1 - 0.125 / n_others)


def test_risks_are_those_of_the_most_confident():
    table = pd.DataFrame(
        {
            "p anger": [0.9, 0.8, 0.4, 0.3],
            "p fear": [0.1, 0.2, 0.6, 0.7],
            "emotion": ["anger", "fear", "fear", "fear"],
            "reason": ["", "unsure", "", ""],
        }
    )
    found = rejection.of_labels(table, ["anger", "fear"])
    # By confidence: right, wrong, right, right.
    expected = {"0.5": 0.5, "0.6": 1 / 3, "0.7": 1 / 3, "0.8": 0.25, "0.9": 0.25, "1.0": 0.25}
    assert found["risk"] == pytest.approx(expected)
    assert found["risk_of_accepted"] == 0.0
    assert found["confidence"] == pytest.approx(0.75)
    # One utterance a bin: .1, .8, .4 and .3 away from being right or wrong.
    assert found["ece"] == pytest.approx(0.4)


def test_copies_are_altered_once():
    calls = []

    def alteration(samples, sampling_rate, random_state):
        calls.append(len(samples))
        return samples + random_state.standard_normal()

    remembered = conditions.Remembered(alteration, "constant")
    samples = np.ones(5, np.float32)
    first, again, other = (
        remembered(samples, 16000, np.random.RandomState(seed)) for seed in (1, 1, 2)
    )
    conditions.Remembered(alteration, "another")(samples, 16000, np.random.RandomState(1))
    conditions.COPIES.clear()
    assert calls == [5, 5, 5]
    assert first is again
    assert first[0] != other[0]


def test_copies_of_other_training_utterances_are_altered_anew():
    class Mixed:
        def bind(self, utterances, speakers):
            """Return an alteration that adds the first utterance."""
            return lambda samples, sampling_rate, random_state: samples + utterances[0]

    samples = np.ones(2, np.float32)
    heard = [
        conditions.Remembered(Mixed(), "mixed").bind([np.full(2, x, np.float32)])(
            samples, 16000, np.random.RandomState(0)
        )
        for x in (1, 2)
    ]
    conditions.COPIES.clear()
    assert [x.tolist() for x in heard] == [[2.0, 2.0], [3.0, 3.0]]
