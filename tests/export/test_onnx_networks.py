"""Exported networks predict from frames and vectors as the networks do; others are refused."""

import warnings

import numpy as np
import onnx
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skser.compose import SegmentedClassifier, TransferClassifier
from skser.export import export_onnx
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import (
    AdversarialAEClassifier,
    AdversarialAERegressor,
    AttentionFCNClassifier,
    AttentionFCNRegressor,
    AttentionRNNClassifier,
    AttentionRNNRegressor,
)
from skser.preprocessing import SequenceScaler
from skser.sequences import Layout, Sequences
from tests.support.onnx_checks import QUICK, SMALL, assert_same, exported, fitted, only_input


@pytest.fixture(scope="module")
def frames():
    random = np.random.RandomState(0)
    layout = Layout(tuple(f"layer{i}" for i in range(24)), n_channels=2)
    lengths = (12, 3, 40, 7, 25, 18, 1, 60, 130, 33)
    return Sequences.from_list([random.randn(n, 24) for n in lengths], layout)


VECTORS = np.random.RandomState(0).randn(30, 9)
LOCAL = {
    "filters": (6, 8),
    "kernel_sizes": ((11, 5), 3),
    "strides": (4, 1),
    "pool_sizes": (3, 2),
    "pool_strides": (2, 1),
    "normalization": ("local_response", "none"),
    "attention_scale": 0.3,
    **QUICK,
}


@pytest.mark.parametrize(
    ("network", "flat"),
    [
        (AttentionFCNClassifier(**LOCAL), False),
        (AttentionFCNClassifier(**SMALL), True),
        (AttentionRNNClassifier(n_hidden=6, n_layers=2, layer_weights=False, **QUICK), False),
        (AttentionRNNClassifier(n_hidden=6, cell="lstm", **QUICK), False),
        (AttentionRNNClassifier(n_hidden=6, cell=None, **QUICK), False),
        (AttentionRNNClassifier(n_hidden=6, **QUICK), True),
        (AdversarialAEClassifier(filters=(6, 8), **QUICK), False),
        (AdversarialAEClassifier(hidden_units=(8, 6), **QUICK), True),
    ],
)
def test_every_network_predicts_the_same(network, flat, frames, tmp_path):
    X = VECTORS if flat else frames
    y = np.arange(len(X)) % 3
    model = fitted(network, X, y)
    loaded = exported(model, tmp_path)
    assert loaded.classes_.dtype == np.int64
    assert_same(loaded, model, X, 3e-5)
    alone = np.concatenate([loaded.predict_proba(X[i : i + 1]) for i in range(len(X))])
    assert np.abs(alone - loaded.predict_proba(X)).max() < 1e-5


@pytest.mark.parametrize("scaler", [SequenceScaler(), StandardScaler()])
def test_contours_are_scaled_in_the_graph(scaler, tmp_path):
    X = VECTORS * np.arange(1, 10) + 5
    model = fitted(make_pipeline(scaler, AttentionFCNClassifier(**SMALL)), X, np.arange(30) % 3)
    loaded = exported(model, tmp_path)
    assert only_input(loaded)["form"] == "vectors"
    assert_same(loaded, model, X, 3e-5)
    with pytest.raises(ValueError, match="X has 8 features"):
        loaded.predict(X[:, 1:])


@pytest.mark.parametrize(
    ("network", "n_targets"),
    [
        (AttentionFCNRegressor(**SMALL), 2),
        (AttentionRNNRegressor(n_hidden=6, **QUICK), 1),
        (AdversarialAERegressor(filters=(6, 8), **QUICK), 3),
    ],
)
def test_regressors_give_targets_in_their_units(network, n_targets, frames, tmp_path):
    y = 50 + 10 * np.random.RandomState(1).randn(len(frames), n_targets)
    y = y[:, 0] if n_targets == 1 else y
    model = fitted(network, frames, y)
    loaded = exported(model, tmp_path)
    expected = model.predict(frames)
    assert expected.shape == y.shape
    assert np.ptp(expected) > 1
    assert np.allclose(loaded.predict(frames), expected, rtol=0, atol=1e-3)
    assert not hasattr(loaded, "predict_proba")
    assert not hasattr(loaded, "classes_")


class Smoother(TransformerMixin, BaseEstimator):
    """Somebody's own step, of which no file can hold the code."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X

    def __sklearn_is_fitted__(self):
        return True


def test_after_an_unknown_step_the_graph_takes_its_output(frames, tmp_path):
    network = AttentionFCNClassifier(**SMALL)
    model = make_pipeline(Smoother(), SequenceScaler(), network)
    fitted(model, frames, np.arange(10) % 2)
    with pytest.warns(UserWarning, match="model.onnx takes the output of Smoother"):
        loaded = exported(model, tmp_path)
    assert_same(loaded, model, frames, 1e-5)
    as_list = loaded.predict_proba(frames.to_list())
    assert np.array_equal(as_list, loaded.predict_proba(frames))
    with pytest.raises(TypeError, match="takes frame sequences of 24 columns that Smoother gives"):
        loaded.predict(["a.wav"])
    with pytest.raises(ValueError, match=r"X has 23 features, but .*model.onnx is expecting 24"):
        loaded.predict([np.zeros((5, 23))])
    with pytest.raises(ValueError, match=r"Input X contains NaN \(utterance 1\)"):
        loaded.predict([np.zeros((5, 24)), np.full((5, 24), np.nan)])
    with pytest.raises(ValueError, match="Utterance 0 has 0 frames"):
        loaded.predict([np.zeros((0, 24))])


class OwnFrames(Smoother):
    """Somebody's own frames of audio."""

    def transform(self, X):
        mel = MelSpectrogram(n_mels=8, input_sampling_rate=16000).transform(X)
        return Sequences(mel.frames() / np.float32(20), mel.lengths, layout=mel.layout)


def test_the_transformer_inside_a_network_may_be_missing_too(corpus, tmp_path):
    X = corpus.data[:8]
    model = fitted(AttentionRNNClassifier(OwnFrames(), n_hidden=4, **QUICK), X, corpus.target[:8])
    with pytest.warns(UserWarning, match="model.onnx takes the output of OwnFrames"):
        loaded = exported(model, tmp_path)
    given = loaded.predict_proba(OwnFrames().transform(X))
    assert np.abs(given - model.predict_proba(X)).max() < 1e-4
    with pytest.raises(TypeError, match="of 24 columns that OwnFrames gives, not audio"):
        loaded.predict_proba(["a.wav"])


@pytest.mark.parametrize("labels", [["b", "a"], [2.0, -1.0], [True, False], [7, 3]])
def test_labels_keep_their_type(labels, tmp_path):
    y = np.resize(labels, len(VECTORS))
    model = fitted(AttentionRNNClassifier(n_hidden=4, **QUICK), VECTORS, y)
    predicted = exported(model, tmp_path).predict(VECTORS)
    assert predicted.dtype == model.predict(VECTORS).dtype
    assert (predicted == model.predict(VECTORS)).all()


def test_the_best_estimator_of_a_search_is_exported(tmp_path):
    y = np.resize(["b", "a"], len(VECTORS))
    network = AttentionRNNClassifier(n_hidden=4, **QUICK)
    search = GridSearchCV(network, {"n_heads": [1]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(VECTORS, y)
    loaded = exported(search, tmp_path)
    assert np.abs(loaded.predict_proba(VECTORS) - search.predict_proba(VECTORS)).max() < 1e-5


def test_no_operator_is_written_twice(corpus, tmp_path):
    features = MelSpectrogram(n_mels=16, input_sampling_rate=16000)
    network = AttentionFCNClassifier(**SMALL)
    model = fitted(make_pipeline(features, network), corpus.data[:8], corpus.target[:8])
    export_onnx(model, tmp_path / "model.onnx")
    nodes = onnx.load(tmp_path / "model.onnx").graph.node
    made = [(n.op_type, *n.input, *(a.SerializeToString() for a in n.attribute)) for n in nodes]
    assert len(set(made)) == len(made)


# What is not exported -----------------------------------------------------------------


def test_the_network_of_a_transfer_is_exported(frames, tmp_path):
    source = fitted(AttentionFCNClassifier(**SMALL), frames, np.arange(10) % 3)
    model = TransferClassifier(AttentionFCNClassifier(**SMALL), source)
    model = fitted(make_pipeline(SequenceScaler(), model), frames, np.arange(10) % 2)
    assert_same(exported(model, tmp_path), model, frames, 1e-5)


def test_models_without_operators_are_refused(tmp_path):
    path = tmp_path / "model.onnx"
    X, y = VECTORS, np.arange(30) % 2
    with pytest.raises(TypeError, match="pipelines of these, not KNeighborsClassifier"):
        export_onnx(make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(X, y), path)
    vote = VotingClassifier(
        [("linear", LogisticRegression()), ("other", KNeighborsClassifier())], voting="soft"
    ).fit(X, y)
    with pytest.raises(TypeError, match="not KNeighborsClassifier"):
        export_onnx(vote, path)
    with pytest.raises(TypeError, match="not KNeighborsClassifier"):
        export_onnx(StackingClassifier([("other", KNeighborsClassifier())]).fit(X, y), path)
    windows = SegmentedClassifier(AttentionFCNClassifier(**SMALL), 10, 5)
    windows = fitted(windows, np.random.RandomState(0).randn(6, 20, 4), np.arange(6) % 2)
    with pytest.raises(
        TypeError, match=r"not SegmentedClassifier\. Its part \.estimator_ may have"
    ):
        export_onnx(windows, path)
    cut = FixedThresholdClassifier(LogisticRegression(), threshold=0.9).fit(X, y)
    with pytest.raises(TypeError, match=r"Its threshold cannot be exported: save it with skser"):
        export_onnx(cut, path)
    with pytest.raises(TypeError, match="LinearSVC has no probabilities: .* CalibratedClassifier"):
        export_onnx(LinearSVC().fit(X, y), path)
    with pytest.raises(TypeError, match="voting='soft'"):
        export_onnx(vote.set_params(voting="hard"), path)
    assert not path.exists()


def test_networks_of_audio_and_text_are_refused(tmp_path):
    network = AttentionRNNClassifier(n_hidden=4, **QUICK)
    network.transformers_ = {"audio": None, "transcript": None}
    network.net_ = None
    with pytest.raises(ValueError, match="audio and text together cannot be exported"):
        export_onnx(network, tmp_path / "model.onnx")


def test_an_unfitted_model_leaves_an_existing_file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"as it was")
    with pytest.raises(NotFittedError):
        export_onnx(make_pipeline(MelSpectrogram(), AttentionFCNClassifier()), path)
    assert path.read_bytes() == b"as it was"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_frames_of_another_meaning_are_refused(corpus, tmp_path):
    def frames(**settings):
        return MelSpectrogram(n_mels=8, input_sampling_rate=16000, **settings).transform(
            corpus.data[:8]
        )

    model = fitted(AttentionRNNClassifier(n_hidden=4, **QUICK), frames(), corpus.target[:8])
    loaded = exported(model, tmp_path)
    assert (loaded.predict(frames()) == model.predict(frames())).all()
    for other, message in (
        (frames(hop=0.02), "fitted on frames 0.01 s apart, but X has frames 0.02 s apart"),
        (frames(fmax=4000), r"was fitted on .* Hz"),
    ):
        with pytest.raises(ValueError, match=message):
            loaded.predict(other)
