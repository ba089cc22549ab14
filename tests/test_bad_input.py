"""Error messages for wrong input, which name the offender and the remedy in a sentence or two."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

from skser.datasets import (
    load_emodb,
    load_folder,
    load_ravdess,
    load_table,
    make_emotional_speech,
)
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences

RATE = 16000
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
NETWORK = AttentionFCNClassifier(max_epochs=1, device="cpu", random_state=0)


def noise(n=8000):
    return (np.random.RandomState(n).randn(n) / 10).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    soundfile.write(tmp_path / "good.wav", noise(), RATE)
    soundfile.write(tmp_path / "short.wav", noise(160), RATE)
    soundfile.write(tmp_path / "zero.wav", noise(0), RATE)
    bad = noise()
    bad[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", bad, RATE, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no audio here")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    whole = (tmp_path / "good.wav").read_bytes()
    (tmp_path / "header.wav").write_bytes(whole[:20])
    return tmp_path


AUDIO = [
    ("no files", lambda d: [], None, "0 utterances, at least 1 is required"),
    ("a missing file", lambda d: [d / "good.wav", d / "no.wav"], None, r"no\.wav: no such file"),
    ("a directory", lambda d: [d / "folder.wav"], None, r"folder\.wav: is a directory"),
    ("text named .wav", lambda d: [d / "text.wav"], None, r"text\.wav: cannot be read as audio"),
    ("a cut header", lambda d: [d / "header.wav"], None, r"header\.wav: cannot be read as audio"),
    ("an empty file", lambda d: [d / "empty.wav"], None, r"empty\.wav: the file is empty"),
    ("no samples", lambda d: [d / "zero.wav"], None, r"zero\.wav: holds no samples"),
    (
        "a 10-ms file",
        lambda d: [d / "short.wav"],
        None,
        r"short\.wav: .*less than one window.*leave",
    ),
    ("NaN in a file", lambda d: [d / "nan.wav"], None, r"nan\.wav: .*NaN or infinite"),
    ("NaN in an array", lambda d: [noise(), noise() * np.nan], RATE, "utterance 1: .*NaN"),
    ("an array without its rate", lambda d: [noise()], None, "set input_sampling_rate="),
    ("paths and arrays", lambda d: [d / "good.wav", noise()], RATE, "utterance 1 is an array"),
    ("arrays and paths", lambda d: [noise(), "good.wav"], RATE, "utterance 1 is a path"),
    ("one path", lambda d: str(d / "good.wav"), None, r"pass a list: \[path\]"),
    ("one array", lambda d: noise(), RATE, r"pass a list: \[samples\]"),
    ("2-D samples", lambda d: [noise().reshape(-1, 2)], RATE, "utterance 0: must be a 1-D array"),
    ("strings as samples", lambda d: [np.array(["a", "b"])], RATE, "utterance 0: must be a 1-D"),
    ("a number", lambda d: 7, None, "must be a list of paths or 1-D arrays, not int"),
]


@pytest.mark.parametrize(
    ("given", "rate", "message"), [a[1:] for a in AUDIO], ids=[a[0] for a in AUDIO]
)
def test_bad_audio_is_named_and_changes_nothing(folder, given, rate, message):
    files_before = sorted(folder.rglob("*"))
    mel = MelSpectrogram(input_sampling_rate=rate)
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        mel.transform(given(folder))
    assert len(str(caught.value)) < 400
    assert sorted(folder.rglob("*")) == files_before
    assert len(mel.set_params(input_sampling_rate=None).transform([folder / "good.wav"])) == 1


def sequences(n=8, width=4, fill=None):
    random = np.random.RandomState(0)
    arrays = [random.randn(random.randint(20, 30), width).astype(np.float32) for _ in range(n)]
    if fill is not None:
        arrays[5][3, 1] = fill
    return Sequences.from_list(arrays)


Y = np.array(["a", "b"] * 4)

FITS = [
    ("labels of another length", lambda m: m.fit(sequences(), Y[:5]), "inconsistent numbers of samples"),
    ("one class", lambda m: m.fit(sequences(), ["a"] * 8), "one class, 'a', but .* at least 2 classes"),
    ("no labels", lambda m: m.fit(sequences(), None), "requires y to be passed"),
    ("a missing label", lambda m: m.fit(sequences(), [np.nan, *[1.0] * 7]), "y contains NaN"),
    ("continuous targets", lambda m: m.fit(sequences(), np.linspace(0, 1, 8)), "continuous"),
    ("NaN features", lambda m: m.fit(sequences(fill=np.nan), Y), r"contains NaN \(utterance 5\)"),
    ("infinite features", lambda m: m.fit(sequences(fill=np.inf), Y), r"infinity \(utterance 5\)"),
    ("widths that differ", lambda m: m.fit([np.ones((5, 3)), np.ones((5, 4))], Y[:2]), "Utterance 1 has 4"),
    ("an utterance without frames", lambda m: m.fit([*sequences(7), np.ones((0, 4))], Y), "Utterance 7 has 0 frames, at least 1 is required: remove it"),
    ("groups of another length", lambda m: m.fit(sequences(), Y, groups=[1, 2]), "inconsistent numbers"),
    ("audio instead of features", lambda m: m.fit(["a.wav"] * 8, Y), "put a transformer such as MelSpectrogram"),
    ("a device that is not available", lambda m: m.set_params(device="cuda:99").fit(sequences(), Y), "device='cuda:99' is not available here .*device='auto'"),
    ("a device that does not exist", lambda m: m.set_params(device="gpu").fit(sequences(), Y), "device='gpu' is not available"),
    ("layers that do not match", lambda m: m.set_params(strides=(2, 2)).fit(sequences(), Y), "strides=.* has 2 entries, but filters has 4 layers"),
    ("a stride of zero", lambda m: m.set_params(strides=0).fit(sequences(), Y), "at least 1"),
    ("unknown normalization", lambda m: m.set_params(normalization="layer").fit(sequences(), Y), "normalization='layer'"),
    ("a wrong parameter", lambda m: m.set_params(dropout=1.5).fit(sequences(), Y), "'dropout' parameter"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), [f[1:] for f in FITS], ids=[f[0] for f in FITS])
def test_bad_input_to_fit_is_named_and_leaves_a_fitted_model_usable(call, message):
    from sklearn.base import clone

    model = clone(NETWORK)
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        call(model)
    assert len(str(caught.value)) < 400
    assert not hasattr(model, "net_")
    model.set_params(**NETWORK.get_params()).fit(sequences(), Y)
    before = model.predict_proba(sequences())
    with pytest.raises((ValueError, TypeError), match=message):
        call(model)
    model.set_params(**NETWORK.get_params())
    np.testing.assert_array_equal(model.predict_proba(sequences()), before)


@pytest.fixture(scope="module")
def fitted():
    from sklearn.base import clone

    return clone(NETWORK).fit(sequences(), Y)


PREDICTS = [
    ("another width", lambda m: m.predict(sequences(width=5)), "X has 5 features, but .* expecting 4"),
    ("NaN", lambda m: m.predict(sequences(fill=np.nan)), r"NaN \(utterance 5\)"),
    ("a 2-D array", lambda m: m.predict(np.ones((3, 4))), "fitted on frame sequences and is now given a 2-D"),
    ("an utterance without frames", lambda m: m.predict([np.ones((0, 4))]), "Utterance 0 has 0 frames"),
    ("an unknown class", lambda m: m.partial_fit(sequences(), ["z"] * 8), r"does not know: \['z'\].*\['a', 'b'\]"),
    ("balance in pieces", lambda m: m.__class__(class_weight="balanced").partial_fit(sequences(), Y), "Pass the weights as a dict"),
    ("attention to another width", lambda m: m.attention(sequences(width=5)), "X has 5 features"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "message"), [p[1:] for p in PREDICTS], ids=[p[0] for p in PREDICTS]
)
def test_bad_input_to_predict_leaves_the_model_unchanged(fitted, call, message):
    before = fitted.predict_proba(sequences())
    with pytest.raises(ValueError, match=message):
        call(fitted)
    np.testing.assert_array_equal(fitted.predict_proba(sequences()), before)


def test_an_unfitted_model_raises_not_fitted_error():
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError

    for model, method in (
        (NETWORK, "predict"),
        (NETWORK, "attention"),
        (SequenceScaler(), "transform"),
    ):
        with pytest.raises(NotFittedError):
            getattr(clone(model), method)(sequences())


def test_a_bad_file_in_a_fitted_pipeline_is_named(folder):
    corpus = make_emotional_speech(2, 5, random_state=0, output_dir=folder / "corpus")
    model = make_pipeline(MelSpectrogram(n_mels=8), SequenceScaler(), NETWORK)
    model.fit(corpus.data, corpus.target)
    with pytest.raises(ValueError, match=r"1 of 2 .*text\.wav"):
        model.predict([folder / "text.wav", folder / "good.wav"])
    assert model.predict([folder / "good.wav"])[0] in corpus.target_names


CORPORA = [
    ("no folder", lambda d: load_emodb(d / "no"), "no does not exist"),
    ("a file as folder", lambda d: load_ravdess(d / "good.wav"), "is a file, not a folder"),
    ("another corpus", lambda d: load_emodb(d), r"has no EmoDB file, such as 03a01Fa\.wav \(7 audio"),
    ("no corpus", lambda d: load_ravdess(d / "folder.wav"), "has no RAVDESS file, such as 03-01-05"),
    ("no table", lambda d: load_table(d / "no.csv"), r"The table .*no\.csv does not exist"),
    ("a table without labels", lambda d: load_table(pd.DataFrame({"audio": ["a"]})), r"lacks the columns \['emotion'\]"),
    ("a table with a gap", lambda d: load_table(pd.DataFrame({"audio": ["a", "b"], "emotion": ["x", None]})), r"no emotion in rows \[1\]"),
    ("missing files", lambda d: load_table(pd.DataFrame({"audio": ["good.wav", "x.wav", "y.wav"], "emotion": "a"}), root=d), "2 of 3 audio files are missing: .*x.wav, .*y.wav"),
    ("a folder without folders", lambda d: load_folder(d / "folder.wav"), "expected one per emotion"),
    ("a class without audio", lambda d: load_folder(d), r"the subfolders folder\.wav contain no audio files"),
    ("an unknown emotion", lambda d: make_emotional_speech(1, 1, ["joy"]), r"\['joy'\] are unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), [c[1:] for c in CORPORA], ids=[c[0] for c in CORPORA])
def test_bad_corpora_are_named(folder, call, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        call(folder)


def test_an_utterance_found_twice_is_rejected(tmp_path):
    for name in ("a/03a01Fa.wav", "b/03a01Fa.flac"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="03a01Fa occurs twice"):
        load_emodb(tmp_path)


def test_messages_do_not_mention_internals(folder):
    for _, given, rate, _ in AUDIO:
        with pytest.raises((ValueError, TypeError)) as caught:
            MelSpectrogram(input_sampling_rate=rate).transform(given(folder))
        assert not re.search(r"Traceback|0x[0-9a-f]{6}|NoneType", str(caught.value))


def test_paths_of_every_type_are_accepted(folder):
    for path in (folder / "good.wav", str(folder / "good.wav"), Path(folder) / "good.wav"):
        assert len(MelSpectrogram().transform([path])) == 1
