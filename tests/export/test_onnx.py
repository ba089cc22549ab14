"""Exported pipelines predict from audio as the pipelines do, also without torch."""

import json
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.audio import AudioReadError, Waveform
from skser.datasets import load_emodb
from skser.export import export_onnx, load_onnx
from skser.feature_extraction import (
    MFCC,
    FrameFeatures,
    Functionals,
    LevelContour,
    MelSpectrogram,
    Spectrogram,
)
from skser.inspection import emotion_timeline
from skser.neural_network import (
    AdversarialAEClassifier,
    AttentionFCNClassifier,
    AttentionRNNClassifier,
)
from skser.persistence import SavedModelError
from skser.preprocessing import SequenceScaler, VoiceActivityTrimmer
from tests.support.onnx_checks import QUICK, SMALL, assert_same, exported, fitted, only_input

RATE = 16000
SECONDS = (0.3, 1.0, 2.7, 7.0, 15.0)


@pytest.fixture(scope="module")
def speech(corpus):
    """Utterances of the five lengths, a quiet one, a loud one with an offset, and silence."""
    joined = np.concatenate(corpus.data).astype(np.float32)
    cut = [joined[i * 6000 :][: round(s * RATE)] for i, s in enumerate(SECONDS)]
    assert [len(samples) / RATE for samples in cut] == list(SECONDS)
    quiet, offset = cut[1] * np.float32(1e-5), cut[2] * 3 + np.float32(0.5)
    return [*cut, quiet, offset, np.zeros(RATE, np.float32)]


def audio_pipeline(features, corpus, *middle, network=None, judged_on=None):
    model = make_pipeline(features, *middle, network or AttentionFCNClassifier(**SMALL))
    return fitted(model, corpus.data[:12], corpus.target[:12], judged_on)


@pytest.fixture(scope="module")
def mel_model(corpus):
    features = MelSpectrogram(input_sampling_rate=RATE)
    return audio_pipeline(features, corpus, SequenceScaler())


@pytest.fixture(scope="module")
def mel_path(mel_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "mel model ü.onnx"
    export_onnx(mel_model, path)
    return path


@pytest.fixture
def paths(speech, tmp_path):
    return [write(tmp_path / f"{i}.flac", samples / 4) for i, samples in enumerate(speech)]


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate)
    return str(path)


# Audio in, probabilities out ----------------------------------------------------------


def test_probabilities_are_those_of_the_pipeline_at_all_lengths(mel_model, mel_path, speech):
    loaded = load_onnx(mel_path, n_threads=1)
    assert loaded.classes_.tolist() == mel_model.classes_.tolist()
    assert_same(loaded, mel_model, speech)
    together = loaded.predict_proba(speech)
    alone = np.concatenate([loaded.predict_proba([samples]) for samples in speech])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(loaded.predict_proba(speech[::-1])[::-1] - together).max() < 1e-5


@pytest.mark.parametrize(
    ("features", "middle"),
    [
        (MelSpectrogram(n_mels=20, deltas=0, normalize=None, top_db=None, window_type="hann"), []),
        (MFCC(n_mfcc=13, n_mels=24, deltas=1, top_db=70), [SequenceScaler(with_mean=False)]),
        (Spectrogram(n_fft=800, fmax=4000, scale="log"), [SequenceScaler(), "passthrough"]),
        (Spectrogram(window=0.01, scale="linear"), [SequenceScaler(with_std=False)]),
        (Spectrogram(window=0.01, scale="power", window_type=("kaiser", 8.0)), [SequenceScaler()]),
        (LevelContour(offset=0.1, duration=2.0, sampling_rate=22050), [SequenceScaler()]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_spectral_transformer_is_part_of_the_graph(
    features, middle, corpus, speech, tmp_path
):
    features.set_params(input_sampling_rate=RATE)
    model = audio_pipeline(features, corpus, *middle, judged_on=speech)
    loaded = exported(model, tmp_path)
    assert only_input(loaded)["form"] == "waveform"
    assert only_input(loaded)["outside"] == []
    assert_same(loaded, model, speech)


def test_audio_comes_in_every_form(mel_model, mel_path, speech, tmp_path):
    samples, rate = speech[2] / 4, 22050
    path = write(tmp_path / "a b.wav", samples, rate)
    given = [path], np.array([path]), pd.DataFrame({"audio": [path]}), [Waveform(samples, rate)]
    loaded = load_onnx(mel_path)
    expected = mel_model.predict_proba([path])
    for X in given:
        assert np.abs(loaded.predict_proba(X) - expected).max() < 1e-3  # 16 bits in the file
    at_rate = load_onnx(mel_path, input_sampling_rate=rate).predict_proba([samples])
    assert np.array_equal(at_rate, loaded.predict_proba([Waveform(samples, rate)]))


def test_arrays_need_a_rate(corpus, paths, tmp_path):
    model = audio_pipeline(MelSpectrogram(n_mels=16, input_sampling_rate=RATE), corpus)
    model[0].set_params(input_sampling_rate=None)
    loaded = exported(model, tmp_path)
    assert_same(loaded, model, paths)
    with pytest.raises(ValueError, match="set input_sampling_rate="):
        loaded.predict([np.zeros(RATE)])


def test_all_bad_files_are_named(mel_path, paths, tmp_path):
    short = write(tmp_path / "short.wav", np.zeros(100))
    (tmp_path / "text.wav").write_text("hello")
    bad = [short, str(tmp_path / "text.wav"), str(tmp_path / "missing.wav")]
    with pytest.raises(AudioReadError) as info:
        load_onnx(mel_path).predict([paths[0], *bad, paths[1]])
    assert [name for name, _ in info.value.failures] == bad
    assert "100 samples at 16000 Hz, less than the 400 (0.025 s)" in str(info.value)


def test_what_is_beyond_an_utterance_changes_nothing(mel_path, speech):
    # As another runtime may be given it.
    session = load_onnx(mel_path)._session
    padded = np.full((2, 3 * RATE), np.nan, np.float32)
    lengths = np.array([len(speech[1]), len(speech[2])])
    for row, samples in zip(padded, speech[1:3], strict=True):
        row[: len(samples)] = samples
    together = session.run(None, {"waveform": padded, "lengths": lengths})[0]
    for row, samples in zip(together, speech[1:3], strict=True):
        alone = {"waveform": samples[None], "lengths": np.array([len(samples)])}
        assert np.abs(session.run(None, alone)[0] - row).max() < 1e-5


def test_numpy_features_are_computed_before_the_graph(corpus, speech, tmp_path):
    features = FrameFeatures(("pitch", "energy"), deltas=1, input_sampling_rate=RATE)
    model = audio_pipeline(
        features, corpus, SequenceScaler(), network=AttentionRNNClassifier(n_hidden=6, **QUICK)
    )
    loaded = exported(model, tmp_path)
    assert only_input(loaded)["outside"][0]["class"] == "FrameFeatures"
    assert only_input(loaded)["inside"] == [
        {"class": "SequenceScaler", "parameters": {"with_mean": True, "with_std": True}}
    ]
    assert_same(loaded, model, speech[:4])


def test_silence_is_trimmed_before_the_graph(corpus, tmp_path):
    trimmer = VoiceActivityTrimmer(input_sampling_rate=RATE)
    silence = np.zeros(RATE // 2, np.float32)
    X = [np.concatenate([silence, samples, silence]) for samples in corpus.data[:6]]
    features = MelSpectrogram(n_mels=16, input_sampling_rate=RATE)
    model = audio_pipeline(make_pipeline(trimmer, features), corpus)
    loaded = exported(model, tmp_path)
    assert [step["class"] for step in only_input(loaded)["outside"]] == ["VoiceActivityTrimmer"]
    assert only_input(loaded)["form"] == "waveform"
    assert_same(loaded, model, X)
    untrimmed = make_pipeline(features, model[-1]).predict_proba(X)
    assert np.abs(untrimmed - model.predict_proba(X)).max() > 1e-3


def test_functionals_are_computed_before_the_graph(corpus, tmp_path):
    features = Functionals(FrameFeatures(("energy",), input_sampling_rate=RATE), ("moments",))
    network = AttentionRNNClassifier(n_hidden=4, **QUICK)
    model = audio_pipeline(features, corpus, StandardScaler(), network=network)
    loaded = exported(model, tmp_path, input_sampling_rate=RATE)
    assert only_input(loaded)["form"] == "vectors"
    assert_same(loaded, model, corpus.data[:8])


class Louder(TransformerMixin, BaseEstimator):
    """A step of the user's."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return [2 * samples for samples in X]

    def __sklearn_is_fitted__(self):
        return True


def test_a_warning_names_what_the_file_does_not_hold(corpus, tmp_path):
    features = MelSpectrogram(n_mels=16, input_sampling_rate=RATE)
    model = audio_pipeline(make_pipeline(Louder(), features), corpus)
    with pytest.warns(UserWarning, match=r"model\.onnx takes the output of Louder and Mel"):
        loaded = exported(model, tmp_path)
    assert only_input(loaded)["form"] == "frames"
    X = model[:-1].transform(corpus.data[:4])
    assert np.abs(loaded.predict_proba(X) - model[-1].predict_proba(X)).max() < 1e-4


def test_features_outside_the_graph_are_compared_with_those_of_training(
    corpus, tmp_path, monkeypatch
):
    from skser.feature_extraction._spectral import NumpyFrames

    features = FrameFeatures(("mel",), input_sampling_rate=RATE)
    network = AttentionRNNClassifier(n_hidden=4, **QUICK)
    exported(audio_pipeline(features, corpus, network=network), tmp_path)
    original = NumpyFrames.to_decibels

    def louder(self, top_db):
        original(self, top_db)
        self.values += np.float32(1)

    monkeypatch.setattr(NumpyFrames, "to_decibels", louder)
    with pytest.raises(SavedModelError, match=r"model\.onnx .* features of FrameFeatures are not"):
        load_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize("audio", [MelSpectrogram(n_mels=16), FrameFeatures(("mfcc",))])
def test_a_network_brings_its_own_transformer(audio, corpus, speech, tmp_path):
    network = AttentionRNNClassifier(
        audio.set_params(input_sampling_rate=RATE), n_hidden=6, **QUICK
    )
    model = fitted(network, corpus.data[:12], corpus.target[:12])
    loaded = exported(model, tmp_path)
    in_graph = isinstance(audio, MelSpectrogram)
    assert only_input(loaded)["form"] == ("waveform" if in_graph else "frames")
    assert_same(loaded, model, speech[:4])


@pytest.mark.real_data
def test_emodb_without_a_difference(emodb_path, tmp_path):
    corpus = load_emodb(emodb_path)
    rows = np.arange(0, len(corpus.data), 9)
    network = AttentionFCNClassifier(max_epochs=2, device="cpu", random_state=0)
    model = make_pipeline(MelSpectrogram(), SequenceScaler(), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit([corpus.data[i] for i in rows], corpus.target[rows])
    loaded = exported(model, tmp_path)
    others = [corpus.data[i] for i in range(4, 300, 12)]
    assert_same(loaded, model, others, 1e-6, spread=0.01)


# Without torch ------------------------------------------------------------------------

WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import numpy as np
from skser.export import load_onnx

folder, *paths = sys.argv[1:]
for name in ("waveform", "frames"):
    model = load_onnx(f"{{folder}}/{{name}}.onnx", n_threads=1)
    np.save(f"{{folder}}/{{name}}.npy", model.predict_proba(paths))
    print(*model.predict(paths))
assert not {{"torch", "skorch", "onnx"}} & set(sys.modules)
"""


def test_predicts_files_where_torch_is_not_installed(mel_model, corpus, paths, tmp_path):
    frames = audio_pipeline(
        FrameFeatures(("mfcc",), input_sampling_rate=RATE),
        corpus,
        network=AdversarialAEClassifier(filters=(6, 6), **QUICK),
    )
    models = {"waveform": mel_model, "frames": frames}
    for name, model in models.items():
        export_onnx(model, tmp_path / f"{name}.onnx")
    code = WITHOUT_TORCH.format(names=("torch", "skorch", "transformers", "onnx", "onnxscript"))
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path), *paths]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for (name, model), said in zip(models.items(), run.stdout.splitlines(), strict=True):
        expected = model.predict_proba(paths)
        assert np.abs(np.load(tmp_path / f"{name}.npy") - expected).max() < 1e-4
        assert said.split() == model.predict(paths).tolist()


ALONE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv[1:] = {arguments!r}
exec(open({example!r}).read())
"""
EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_alone.py"


def test_ten_lines_predict_with_onnxruntime_numpy_and_soundfile_alone(
    mel_model, mel_path, speech, tmp_path
):
    code = [line for line in EXAMPLE.read_text().splitlines() if line and line[:6] != "import"]
    assert len(code) <= 10
    path = write(tmp_path / "speech.wav", speech[2] / 4)
    names = ("skser", "torch", "sklearn", "scipy", "pandas", "librosa", "soxr", "transformers")
    alone = ALONE.format(names=names, arguments=[str(mel_path), path], example=str(EXAMPLE))
    command = [sys.executable, "-I", "-c", alone]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    shares = json.loads(run.stdout)
    assert list(shares) == mel_model.classes_.tolist()
    assert np.abs(np.array([*shares.values()]) - mel_model.predict_proba([path])).max() < 1e-5


def test_a_timeline_by_the_graph_is_that_of_the_pipeline(mel_model, mel_path, speech, tmp_path):
    path = tmp_path / "call.wav"
    soundfile.write(path, speech[3] / np.abs(speech[3]).max(), 2 * RATE)
    found = emotion_timeline(load_onnx(mel_path, n_threads=1), path, window=1.0, hop=0.7)
    expected = emotion_timeline(mel_model, path, window=1.0, hop=0.7)
    assert found.columns.tolist() == expected.columns.tolist()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_pickled_model_opens_its_file_again(mel_path, speech):
    model = load_onnx(mel_path, input_sampling_rate=RATE, n_threads=1)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(speech[:3]), model.predict_proba(speech[:3]))


@pytest.mark.parametrize("is_joined", [False, True])
def test_the_rate_of_arrays_reaches_transformers_inside_others(is_joined, corpus, tmp_path):
    rate, twice = RATE, [np.repeat(samples, 2) for samples in corpus.data[:8]]
    features = Functionals(FrameFeatures(("energy",), input_sampling_rate=rate), ("moments",))
    if is_joined:
        features = FeatureUnion([("a", features), ("b", clone(features))])
    network = AttentionRNNClassifier(n_hidden=4, **QUICK)
    model = audio_pipeline(features, corpus, StandardScaler(), network=network)
    loaded = exported(model, tmp_path, input_sampling_rate=2 * rate)
    expected = model.predict_proba([Waveform(samples, 2 * rate) for samples in twice])
    np.testing.assert_allclose(loaded.predict_proba(twice), expected, atol=1e-5)


def test_frames_of_pandas_between_the_steps_are_accepted(corpus, tmp_path):
    features = Functionals(MFCC(n_mfcc=4, input_sampling_rate=RATE), ("moments",))
    network = AttentionRNNClassifier(n_hidden=4, **QUICK)
    model = make_pipeline(features, StandardScaler(), network).set_output(transform="pandas")
    fitted(model, corpus.data[:12], corpus.target[:12])
    loaded = exported(model, tmp_path, input_sampling_rate=RATE)
    assert_same(loaded, model, corpus.data[:8])
