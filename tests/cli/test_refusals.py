"""Rows of models that refuse audio, and say why."""

import csv
import io
import json

import numpy as np
import pytest
import soundfile

from skser.cli import _predict
from skser.cli._predict import DEFAULT_MODEL
from skser.cli._predicted_rows import flat, in_words, predicted_rows
from skser.datasets import load_emodb

CLASSES = np.array(["anger", "joy", "sadness"])
JUDGED = {
    "sure.wav": ([0.9, 0.06, 0.04], "", [True, False, False]),
    "either.wav": ([0.4, 0.5, 0.1], "", [True, True, False]),
    "unsure.wav": ([0.3, 0.3, 0.4], "unsure", [True, True, True]),
    "silence.wav": ([0.8, 0.1, 0.1], "no speech", [True, False, False]),
    "foreign.wav": ([0.1, 0.1, 0.8], "unlike training", [False, False, True]),
}


class _Refusing:
    """Model whose judgments are known by the names of files."""

    classes_ = CLASSES
    sampling_rate = 16000

    def predict_proba(self, X):
        return np.array([JUDGED[path][0] for path in X])

    def judge(self, X):
        names = [path if isinstance(path, str) else "silence.wav" for path in X]
        shares, reasons, sets = zip(*(JUDGED[name] for name in names), strict=True)
        return {
            "probabilities": np.array(shares),
            "reasons": np.array(reasons),
            "sets": np.array(sets),
        }


@pytest.fixture
def rows():
    rows, failures = predicted_rows(_Refusing(), [(name, name) for name in JUDGED])
    assert failures == []
    return rows


def test_each_judgment_has_its_words(rows):
    assert [in_words(row) for row in rows] == [
        "sure.wav: anger 90%, joy 6%, sadness 4%",
        "either.wav: joy 50% or anger 40%",
        "unsure.wav: sadness 40% or anger 30% or joy 30%",
        "silence.wav: no speech",
        "foreign.wav: unlike the training recordings (adapt?)",
    ]
    assert in_words(rows[-1], is_adapted=True) == "foreign.wav: unlike the training recordings"
    assert in_words(rows[-2], is_adapted=True) == "silence.wav: no speech"


def test_programs_get_the_reason_and_no_emotion(rows):
    assert [row["emotion"] for row in rows] == ["anger", "joy", None, None, None]
    assert [row["reason"] for row in rows] == [None, None, "unsure", "no speech", "unlike training"]
    assert [row["likely"] for row in rows[:3]] == [
        ["anger"], ["joy", "anger"], ["sadness", "anger", "joy"],
    ]  # fmt: skip
    assert [row["likely"] for row in rows[3:]] == [[], []]
    assert rows[3]["probabilities"] == {"anger": 0.8, "joy": 0.1, "sadness": 0.1}
    assert json.loads(json.dumps(rows)) == rows


def test_a_table_gets_them_too(rows):
    assert flat(rows[1]) == {
        "file": "either.wav", "emotion": "joy", "reason": None, "likely": "joy|anger",
        "proba_anger": 0.4, "proba_joy": 0.5, "proba_sadness": 0.1,
    }  # fmt: skip


def test_windows_are_judged_one_by_one(shell, monkeypatch, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(48000), 16000)
    monkeypatch.setattr(_predict, "open_model", lambda *_, **__: _Refusing())
    _, out, _ = shell("predict", tmp_path / "a.wav", "--timeline", "--window", 2, "--hop", 1)
    assert out.splitlines() == [
        f"{tmp_path / 'a.wav'}: 0.00-2.00 s: no speech",
        f"{tmp_path / 'a.wav'}: 1.00-3.00 s: no speech",
    ]
    _, out, _ = shell("predict", tmp_path / "a.wav", "--timeline", "--csv")
    table = list(csv.DictReader(io.StringIO(out)))
    assert {row["reason"] for row in table} == {"no speech"}
    assert {row["emotion"] for row in table} == {""}


@pytest.fixture
def odd(tmp_path):
    """Silence, white noise and a tone."""
    time = np.arange(48000) / 16000
    sounds = {
        "silence": np.zeros(48000),
        "noise": 0.1 * np.random.default_rng(0).standard_normal(48000),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time),
    }
    for name, samples in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000)
    return [tmp_path / f"{name}.wav" for name in sounds]


def test_the_default_model_refuses_what_is_no_speech(shell, odd):
    code, out, _ = shell("predict", *odd, "--model", DEFAULT_MODEL)
    assert code == 0
    assert out.splitlines() == [f"{path}: no speech" for path in odd]
    _, out, _ = shell("predict", *odd, "--model", DEFAULT_MODEL, "--json")
    for row in json.loads(out):
        assert (row["emotion"], row["reason"]) == (None, "no speech")


@pytest.mark.real_data
def test_the_default_model_answers_for_speech_like_that_of_its_training(shell, emodb_path):
    corpus = load_emodb(emodb_path)
    rows = np.arange(0, len(corpus.data), 50)
    code, out, _ = shell("predict", *corpus.data[rows], "--model", DEFAULT_MODEL, "--json")
    assert code == 0
    found = json.loads(out)
    right = [row["emotion"] == label for row, label in zip(found, corpus.target[rows], strict=True)]
    assert np.mean(right) > 0.8
    for row in found:
        assert max(row["probabilities"], key=row["probabilities"].get) in row["likely"]
