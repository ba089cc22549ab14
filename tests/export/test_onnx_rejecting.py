"""Exported models that refuse audio refuse the same, for the same reason."""

import json
import warnings

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skser.compose import AugmentedClassifier, RejectingClassifier
from skser.datasets import load_emodb
from skser.export import export_onnx, load_onnx
from skser.feature_extraction import FrameFeatures, Functionals, MelSpectrogram, SpeechProbability
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler
from tests.support.onnx_checks import SMALL, exported

RATE = 16000
RANDOM = np.random.RandomState(0)
CLASSES = np.arange(120) % 3
X = (RANDOM.randn(120, 8) + CLASSES[:, None] * [1, -1, 0.5, 0, 2, 0, 0, 0]).astype(np.float32)
OTHERS = (2 * RANDOM.randn(300, 8)).astype(np.float32)


def assert_same_judgment(loaded, model, X):
    expected, found = model.judge(X), loaded.judge(X)
    assert list(found) == list(expected)
    assert found["probabilities"].shape == expected["probabilities"].shape
    assert np.abs(found["probabilities"] - expected["probabilities"]).max() < 1e-4
    np.testing.assert_allclose(found["distances"], expected["distances"], rtol=5e-4)
    np.testing.assert_allclose(found["speech"], expected["speech"], atol=1e-6)
    assert (found["sets"] == expected["sets"]).all()
    assert (found["reasons"] == expected["reasons"]).all()
    assert np.array_equal(loaded.predict_proba(X), found["probabilities"])
    assert (loaded.predict(X) == model.predict(X)).all()


@pytest.mark.parametrize("head", [LogisticRegression(), LinearSVC()])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("settings", [{"coverage": 0.7}, {"novelty": None}])
def test_vectors_are_refused_for_the_same_reasons(settings, n_classes, head, tmp_path):
    y = np.array(["a", "b", "c"])[np.minimum(CLASSES, n_classes - 1)]
    risk = None if "coverage" in settings else 0.08 * (n_classes - 1.5)
    settings = {"unknown_label": "none of these", "risk": risk, **settings}
    model = RejectingClassifier(make_pipeline(StandardScaler(), head), **settings).fit(X, y)
    loaded = exported(model, tmp_path)
    assert_same_judgment(loaded, model, OTHERS)
    reasons = loaded.judge(OTHERS)["reasons"]
    assert set(reasons) >= {"", "unlike training" if "coverage" in settings else "unsure"}
    assert set(loaded.predict(OTHERS)) == {*y, "none of these"}
    for level in (0.5, 0.99):
        found, expected = loaded.judge(OTHERS, level)["sets"], model.judge(OTHERS, level)["sets"]
        assert (found == expected).all()
    with pytest.raises(ValueError, match="confidence_level=1 must be between 0 and 1"):
        loaded.judge(OTHERS, 1)


def test_numbers_are_refused_by_a_number(tmp_path):
    model = RejectingClassifier(LogisticRegression(), coverage=0.5, unknown_label=-1)
    model.fit(X, CLASSES)
    loaded = exported(model, tmp_path)
    assert_same_judgment(loaded, model, OTHERS)
    assert loaded.predict(OTHERS).dtype == model.predict(OTHERS).dtype
    assert -1 in loaded.predict(OTHERS)


def test_models_that_refuse_nothing_do_not_judge(tmp_path):
    assert not hasattr(exported(LogisticRegression().fit(X, CLASSES), tmp_path), "judge")


@pytest.fixture(scope="module")
def audio(corpus):
    time = np.arange(2 * RATE) / RATE
    noise = np.random.RandomState(0).randn(len(time))
    return [
        *corpus.data[:6],
        np.zeros(RATE, np.float32),
        (noise / 10).astype(np.float32),
        np.sin(2 * np.pi * 440 * time).astype(np.float32),
        np.full(700, 0.1, np.float32),
    ]


def test_silence_noise_and_tones_are_no_speech(corpus, audio, tmp_path):
    features = Functionals(MelSpectrogram(n_mels=20, input_sampling_rate=RATE))
    pipeline = make_pipeline(features, StandardScaler(), LogisticRegression(C=0.1))
    model = RejectingClassifier(pipeline, cv=2).fit(corpus.data, corpus.target)
    loaded = exported(model, tmp_path)
    forms = [given["form"] for given in loaded.description["inputs"]]
    assert forms == ["vectors", "waveform"]
    assert_same_judgment(loaded, model, audio)
    assert (loaded.judge(audio)["reasons"][-4:] == "no speech").all()


def test_networks_votes_and_augmented_models_judge(corpus, audio, tmp_path):
    network = make_pipeline(
        MelSpectrogram(n_mels=16, input_sampling_rate=RATE),
        SequenceScaler(),
        AttentionFCNClassifier(**SMALL | {"max_epochs": 4}),
    )
    features = Functionals(FrameFeatures(("energy",), input_sampling_rate=RATE))
    linear = make_pipeline(features, StandardScaler(), LogisticRegression(C=0.1))
    vote = VotingClassifier([("n", network), ("l", linear)], voting="soft", weights=[1, 2])
    rejecting = RejectingClassifier(vote, cv=2)
    model = AugmentedClassifier(rejecting, _louder, input_sampling_rate=RATE, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(corpus.data[:20], corpus.target[:20])
    loaded = exported(model, tmp_path)
    forms = [given["form"] for given in loaded.description["inputs"]]
    assert forms == ["waveform", "vectors"]  # the detector of speech shares the waveform
    assert_same_judgment(loaded, model.estimator_, audio[:-1])


def _louder(samples, sampling_rate, random_state):
    return samples * 2


def test_speech_is_found_as_by_the_transformer(corpus, audio, tmp_path):
    pipeline = make_pipeline(
        MelSpectrogram(n_mels=16, input_sampling_rate=RATE),
        AttentionFCNClassifier(**SMALL),
    )
    model = RejectingClassifier(pipeline, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(corpus.data[:15], corpus.target[:15])
    loaded = exported(model, tmp_path)
    frames = SpeechProbability(input_sampling_rate=RATE).transform(audio)
    shares = [float((of_one > 0.5).mean()) for of_one in frames]
    np.testing.assert_allclose(loaded.judge(audio)["speech"], shares, atol=1e-6)


@pytest.mark.real_data
def test_real_speech_and_noise_are_told_apart(emodb_path, tmp_path):
    corpus = load_emodb(emodb_path)
    rows = np.arange(0, len(corpus.data), 9)
    features = Functionals(MelSpectrogram(n_mels=20))
    pipeline = make_pipeline(features, StandardScaler(), LogisticRegression(C=0.1))
    model = RejectingClassifier(pipeline, cv=2)
    data = [corpus.data[i] for i in rows]
    model.fit(data, corpus.target[rows], groups=corpus.speakers[rows])
    loaded = exported(model, tmp_path)
    others = [corpus.data[i] for i in range(4, 300, 12)]
    assert_same_judgment(loaded, model, others)
    assert loaded.judge(others)["speech"].min() > 0.4


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r.update(min_confidence=float("nan")), "has min_confidence=nan"),
        (lambda r: r.update(max_distance="far"), "has max_distance='far'"),
        (lambda r: r.update(unknown_label=None), "has unknown_label=None"),
        (lambda r: r.update(conformity_scores=[0.5, "x"]), "invalid conformity scores"),
        (lambda r: r.update(conformity_scores=[2.0]), "invalid conformity scores"),
        (lambda r: r.pop("max_distance"), "differs in the fields ['max_distance']"),
    ],
)
def test_forged_thresholds_are_refused(change, reason, tmp_path):
    onnx = pytest.importorskip("onnx")
    from skser.export import _file as files
    from skser.persistence import SavedModelError

    exported(RejectingClassifier(LogisticRegression(), unknown_label=-1).fit(X, CLASSES), tmp_path)
    path = tmp_path / "model.onnx"
    model = onnx.load_from_string(path.read_bytes())
    del model.metadata_props[-1]
    description = json.loads(model.metadata_props[0].value)
    change(description["rejection"])
    model.metadata_props[0].value = json.dumps(description)
    content = model.SerializeToString()
    path.write_bytes(content + files.seal(content))
    with pytest.raises(SavedModelError) as info:
        load_onnx(path)
    assert reason in str(info.value)


def test_a_calibration_of_audio_is_refused_in_words(corpus, tmp_path):
    features = Functionals(FrameFeatures(("energy",), input_sampling_rate=16000), ("moments",))
    inner = make_pipeline(features, StandardScaler(), LogisticRegression())
    model = RejectingClassifier(CalibratedClassifierCV(inner, cv=2), cv=2, detect_speech=False)
    model.fit(corpus.data, corpus.target)
    with pytest.raises(TypeError, match="calibration of audio inside a RejectingClassifier"):
        export_onnx(model, tmp_path / "model.onnx")
