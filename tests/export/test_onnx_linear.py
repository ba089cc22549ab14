"""Exported linear models, calibrations and votes predict as they do, also from an encoder."""

import warnings

import numpy as np
import pandas as pd
import pytest
from shipped_encoder import truncate
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC, LinearSVR

from skser.compose import AugmentedClassifier, GeometricVotingClassifier
from skser.datasets import load_emodb
from skser.discriminant_analysis import WideDiscriminantAnalysis
from skser.export import export_onnx, load_onnx
from skser.feature_extraction import FrameFeatures, Functionals, MelSpectrogram, SpeechEmbedding
from skser.neural_network import AttentionFCNClassifier, AttentionRNNClassifier
from skser.pipelines import fcn_and_functionals
from skser.preprocessing import SequenceScaler
from tests.support.checkpoints import save_speech_checkpoint
from tests.support.onnx_checks import QUICK, SMALL, assert_same, exported, fitted, only_input

RATE = 16000
RANDOM = np.random.RandomState(0)
CLASSES = RANDOM.randint(3, size=90)
X = (RANDOM.randn(90, 6) + CLASSES[:, None] * [1, -1, 0.5, 0, 2, 0]).astype(np.float32)
X[:, 3] = np.round(X[:, 3])  # ties
OTHERS = (3 * RANDOM.randn(200, 6)).astype(np.float32)
OTHERS[:, 3] = np.round(OTHERS[:, 3])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "head",
    [
        LogisticRegression(),
        LogisticRegressionCV(Cs=2),
        LinearDiscriminantAnalysis(),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        WideDiscriminantAnalysis(temperature=3),
        CalibratedClassifierCV(LinearSVC(), cv=3),
        CalibratedClassifierCV(RidgeClassifier(), method="temperature", cv=3),
        CalibratedClassifierCV(LogisticRegression(), ensemble=False),
        CalibratedClassifierCV(FrozenEstimator(LogisticRegression()), method="temperature"),
    ],
    ids=lambda head: type(head).__name__,
)
def test_linear_classifiers_give_the_same_probabilities(head, n_classes, tmp_path):
    y = np.array(["anger", "fear", "joy"])[np.minimum(CLASSES, n_classes - 1)]
    if isinstance(getattr(head, "estimator", None), FrozenEstimator):
        head.estimator.estimator.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of LogisticRegressionCV's defaults
        model = make_pipeline(StandardScaler(), head).fit(X, y)
    loaded = exported(model, tmp_path)
    assert loaded.classes_.tolist() == sorted(set(y))
    assert only_input(loaded)["form"] == "vectors"
    assert_same(loaded, model, OTHERS, 1e-5)


def test_a_scaler_that_clips_clips_in_the_graph_as_well(tmp_path):
    if "clip" not in MaxAbsScaler().get_params():
        pytest.skip("this version of scikit-learn has no MaxAbsScaler(clip=True)")
    model = make_pipeline(MaxAbsScaler(clip=True), LogisticRegression()).fit(X, CLASSES)
    outside = 3 * np.sign(OTHERS) * np.abs(X).max(axis=0)
    assert np.abs(model[0].transform(outside)).max() == 1
    assert_same(exported(model, tmp_path), model, np.vstack([OTHERS, outside]), 1e-5)


def test_a_symbolic_link_to_a_model_stays_one(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"old")
    (tmp_path / "link.onnx").symlink_to("model.onnx")
    export_onnx(LogisticRegression().fit(X, CLASSES), tmp_path / "link.onnx")
    assert (tmp_path / "link.onnx").is_symlink()
    assert load_onnx(tmp_path / "model.onnx").classes_.tolist() == [0, 1, 2]


def test_one_model_per_class_divides_its_sigmoids(tmp_path):
    model = LogisticRegression().fit(X, CLASSES)
    model.solver = "liblinear"
    logits = model.decision_function(100 * OTHERS).astype(np.float64)
    sigmoids = np.exp(-np.logaddexp(0, -logits))
    shares = exported(model, tmp_path).predict_proba(100 * OTHERS)
    assert np.abs(shares - sigmoids / sigmoids.sum(axis=1, keepdims=True)).max() < 1e-4


@pytest.mark.parametrize(
    "scaler",
    [
        PCA(3), PCA(4, whiten=True), MaxAbsScaler(), RobustScaler(with_scaling=False),
        StandardScaler(with_mean=False), SequenceScaler(), QuantileTransformer(n_quantiles=7),
        QuantileTransformer(n_quantiles=16),
    ],
    ids=lambda scaler: type(scaler).__name__,
)  # fmt: skip
def test_scalers_and_rotations_are_part_of_the_graph(scaler, tmp_path):
    given = X * [1, 5, 1, 1, 1, 0] + [0, 5, 0, 0, 0, 3]  # the last column is constant
    model = make_pipeline(scaler, LogisticRegression()).fit(given, CLASSES)
    loaded = exported(model, tmp_path)
    assert [step["class"] for step in only_input(loaded)["inside"]] == [type(scaler).__name__]
    assert_same(loaded, model, given, 1e-5)
    assert_same(loaded, model, OTHERS, 1e-5)


def test_ranks_of_ties_are_those_of_scikit_learn(tmp_path):
    column = np.repeat([0, 0, 0, 1, 2, 2, 2, 5, 7, 7], 3)[:, None].astype(np.float32)
    ranks = QuantileTransformer(n_quantiles=10).fit(column)
    model = make_pipeline(ranks, LinearRegression()).fit(column, column[:, 0])
    model[-1].coef_, model[-1].intercept_ = np.ones(1), 0.0
    at = np.float32([-1, 0, 0.5, 1, 1.5, 2, 3, 5, 6, 7, 8])[:, None]
    found = exported(model, tmp_path).predict(at)
    np.testing.assert_allclose(found, ranks.transform(at)[:, 0], rtol=0, atol=1e-6)


def test_ranks_of_thousands_of_columns_fit_the_budget(tmp_path):
    wide = np.round(RANDOM.randn(60, 5191), 1).astype(np.float32)  # with ties everywhere
    model = make_pipeline(QuantileTransformer(n_quantiles=16), PCA(), LogisticRegression())
    model.fit(wide, CLASSES[:60])
    assert_same(exported(model, tmp_path), model, wide)


def test_steps_without_operators_are_computed_before_the_graph(tmp_path):
    ranks = QuantileTransformer(n_quantiles=50)
    normal = QuantileTransformer(n_quantiles=9, output_distribution="normal")
    middle = [PowerTransformer(), normal, ranks]
    model = make_pipeline(*middle, StandardScaler(), LogisticRegression()).fit(X, CLASSES)
    loaded = exported(model, tmp_path)
    outside = [step["class"] for step in only_input(loaded)["outside"]]
    assert outside == ["PowerTransformer", "QuantileTransformer", "QuantileTransformer"]
    assert_same(loaded, model, OTHERS, 1e-5)


@pytest.mark.parametrize(
    "head",
    [
        Ridge(),
        LinearSVR(),
        VotingRegressor([("a", Ridge(1e3)), ("b", LinearRegression())], weights=[1, 3]),
    ],
)
def test_linear_regressors_give_the_same_numbers(head, tmp_path):
    model = make_pipeline(StandardScaler(), head).fit(X, X @ [1, 2, 3, 4, 5, 6] + 50)
    loaded = exported(model, tmp_path)
    expected = model.predict(OTHERS)
    assert loaded.predict(OTHERS).shape == expected.shape == (200,)
    np.testing.assert_allclose(loaded.predict(OTHERS), expected, rtol=0, atol=1e-4)
    assert not hasattr(loaded, "predict_proba")


def test_several_targets_stay_in_their_order(tmp_path):
    y = np.stack([X[:, 0], -5 * X[:, 1]], axis=1)
    model = LinearRegression().fit(X, y)
    np.testing.assert_allclose(exported(model, tmp_path).predict(X), y, atol=1e-4)


def test_a_search_over_a_calibrated_pipeline_is_exported(tmp_path):
    inner = make_pipeline(StandardScaler(), LinearSVC())
    search = GridSearchCV(CalibratedClassifierCV(inner, cv=3), {"method": ["sigmoid"]}, cv=2)
    assert_same(exported(search.fit(X, CLASSES), tmp_path), search, OTHERS, 1e-5)


def test_isotonic_calibration_and_missing_classes_are_refused(tmp_path):
    model = CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=3).fit(X, CLASSES)
    with pytest.raises(TypeError, match="not CalibratedClassifierCV"):
        export_onnx(model, tmp_path / "model.onnx")
    model = CalibratedClassifierCV(LinearSVC(), cv=3).fit(X, CLASSES)
    model.calibrated_classifiers_[1].calibrators.pop()
    with pytest.raises(ValueError, match="A fold of CalibratedClassifierCV held 2 of 3 classes"):
        export_onnx(model, tmp_path / "model.onnx")


def test_vectors_of_another_width_are_refused(tmp_path):
    loaded = exported(LogisticRegression().fit(X, CLASSES), tmp_path)
    with pytest.raises(ValueError, match=r"X has 5 features, but .*model.onnx is expecting 6"):
        loaded.predict(X[:, 1:])
    with pytest.raises(ValueError, match="NaN"):
        loaded.predict(np.full((2, 6), np.nan))


# Several inputs -----------------------------------------------------------------------


def test_a_vote_of_spectrograms_and_functionals_takes_audio(corpus, tmp_path):
    model = fcn_and_functionals(
        max_epochs=2,
        conditions=False,
        input_sampling_rate=RATE,
        device="cpu",
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(corpus.data[:20], corpus.target[:20])
    loaded = exported(model, tmp_path)
    given = loaded.description["inputs"]
    assert [part["names"] for part in given] == [["waveform", "lengths"], ["vectors_2"]]
    assert [step["class"] for step in given[1]["outside"]] == ["Functionals"]
    inside = [step["class"] for step in given[1]["inside"]]
    assert inside == ["QuantileTransformer"]
    assert_same(loaded, model, corpus.data[20:])
    assert_same(loaded, model, iter_twice(corpus.data[20:]))


def iter_twice(data):
    return np.array([*data, None], dtype=object)[:-1]


PARTS = [("lr", LogisticRegression()), ("lda", LinearDiscriminantAnalysis())]
VOTES = [
    VotingClassifier(PARTS, voting="soft", weights=[1, 4]),
    GeometricVotingClassifier(PARTS, weights=[1, 4]),
]


@pytest.mark.parametrize("vote", VOTES)
def test_a_vote_over_one_chain_of_steps_has_one_input(vote, tmp_path):
    model = make_pipeline(StandardScaler(), PCA(4), clone(vote)).fit(X, CLASSES)
    loaded = exported(model, tmp_path)
    assert [step["class"] for step in only_input(loaded)["inside"]] == ["StandardScaler", "PCA"]
    assert_same(loaded, model, OTHERS, 1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
def test_networks_and_votes_are_calibrated_in_the_graph(method, n_classes, corpus, tmp_path):
    data, y = corpus.data, np.array(["a", "b", "c"])[np.arange(40) % n_classes]
    features = MelSpectrogram(n_mels=16, input_sampling_rate=RATE)
    network = fitted(make_pipeline(features, AttentionFCNClassifier(**SMALL)), data, y)
    features = Functionals(FrameFeatures(("energy",)))
    other = make_pipeline(features, StandardScaler(), LogisticRegression())
    other[0].set_params(transformer__input_sampling_rate=RATE)
    vote = VotingClassifier([("network", network), ("other", other)], voting="soft")
    vote.estimators_ = [network, other.fit(data, np.arange(40) % n_classes)]
    vote.classes_, vote.le_ = network.classes_, None
    for inner in (network, vote):
        model = CalibratedClassifierCV(FrozenEstimator(inner), method=method, cv=2)
        model.fit(data, network.predict(data))
        assert_same(exported(model, tmp_path), model, data)


def test_an_augmented_model_takes_arrays_at_its_own_rate(corpus, tmp_path):
    features = Functionals(FrameFeatures(("energy",)))
    inner = make_pipeline(features, StandardScaler(), LogisticRegression())
    model = AugmentedClassifier(inner, _louder, input_sampling_rate=RATE, random_state=0)
    model.fit(corpus.data[:10], corpus.target[:10])
    loaded = exported(model, tmp_path)
    assert loaded.input_sampling_rate == RATE
    assert_same(loaded, model, corpus.data[10:20])


def _louder(samples, sampling_rate, random_state):
    return samples * 2


# Whisper ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_speech_checkpoint("whisper", tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def speech(corpus):
    joined = np.concatenate(corpus.data).astype(np.float32)
    cut = [joined[i * 5000 :][: round(s * RATE)] for i, s in enumerate((0.025, 0.5, 1.1, 4, 30))]
    return [*cut, cut[2] * np.float32(1e-5), np.zeros(RATE, np.float32)]


def embedding(checkpoint, **settings):
    return SpeechEmbedding(checkpoint, input_sampling_rate=RATE, device="cpu", **settings)


@pytest.mark.parametrize("settings", [{"layers": (1, 3)}, {"layers": 0, "pooling": "mean"}])
def test_whisper_is_part_of_the_graph(settings, checkpoint, corpus, speech, tmp_path):
    features = embedding(checkpoint, **settings)
    model = make_pipeline(features, StandardScaler(), LogisticRegression(C=0.1))
    model.fit(corpus.data[:20], corpus.target[:20])
    loaded = exported(model, tmp_path)
    assert only_input(loaded)["form"] == "waveform"
    assert only_input(loaded)["longest"] == 170 * RATE
    assert_same(loaded, model, speech)
    alone = np.concatenate([loaded.predict_proba([samples]) for samples in speech])
    assert np.abs(alone - loaded.predict_proba(speech)).max() < 1e-5


def test_the_highest_layer_of_a_truncated_encoder_is_not_normalized(
    checkpoint, corpus, speech, tmp_path
):
    truncate(checkpoint, tmp_path / "lower", 2)
    features = embedding(tmp_path / "lower", layers=2)
    model = make_pipeline(features, StandardScaler(), LogisticRegression(C=0.1))
    model.fit(corpus.data[:20], corpus.target[:20])
    assert_same(exported(model, tmp_path), model, speech[:4])


def test_layers_of_whisper_are_channels_of_a_network(checkpoint, corpus, speech, tmp_path):
    features = embedding(checkpoint, layers=(0, 2), pooling=None)
    model = make_pipeline(features, SequenceScaler(), AttentionRNNClassifier(n_hidden=4, **QUICK))
    loaded = exported(fitted(model, corpus.data[:8], corpus.target[:8]), tmp_path)
    assert only_input(loaded)["form"] == "waveform"
    assert_same(loaded, model, speech[:4])
    inside = AttentionRNNClassifier(features, n_hidden=4, **QUICK)
    inside = fitted(inside, corpus.data[:8], corpus.target[:8])
    assert_same(exported(inside, tmp_path), inside, speech[:4])


@pytest.mark.parametrize(
    "settings", [{"window": 1.0, "overlap": 0.4}, {"window": 2, "overlap": 0.1}]
)
def test_windows_of_long_utterances_are_joined_as_by_the_encoder(
    settings, checkpoint, corpus, tmp_path
):
    features = embedding(checkpoint, layers=(1, 3), **settings)
    model = make_pipeline(features, StandardScaler(), LogisticRegression(C=0.01))
    model.fit(corpus.data[:20], corpus.target[:20])
    loaded = exported(model, tmp_path)
    joined = np.concatenate(corpus.data).astype(np.float32)
    lengths = (400, 6400, 6401, 15999, 16000, 16001, 25600, 25601, 32000, 32001, 62001, 64000)
    given = [joined[i * 3000 :][:n] for i, n in enumerate(lengths)]
    assert_same(loaded, model, given, 2e-5)
    alone = np.concatenate([loaded.predict_proba([samples]) for samples in given])
    assert np.abs(alone - model.predict_proba(given)).max() < 2e-5


def test_recordings_of_more_than_six_windows_are_named(checkpoint, corpus, tmp_path):
    features = embedding(checkpoint, layers=1, window=1.0, overlap=0.4)
    model = make_pipeline(features, StandardScaler(), LogisticRegression())
    loaded = exported(model.fit(corpus.data[:10], corpus.target[:10]), tmp_path)
    with pytest.raises(ValueError, match=r"utterance 1: .*64001 samples .* more than the 64000"):
        loaded.predict([np.zeros(RATE), np.zeros(4 * RATE + 1)])


def test_whisper_in_int8_is_refused(checkpoint, corpus, tmp_path):
    features = embedding(checkpoint, layers=1, precision="int8")
    model = make_pipeline(features, LogisticRegression()).fit(corpus.data[:10], corpus.target[:10])
    with pytest.raises(ValueError, match="precision='int8' cannot be exported"):
        export_onnx(model, tmp_path / "model.onnx")


def test_percentiles_of_whisper_are_left_to_the_user(checkpoint, corpus, tmp_path):
    features = embedding(checkpoint, layers=1, pooling="percentiles")
    model = make_pipeline(features, StandardScaler(), LogisticRegression())
    model.fit(corpus.data[:10], corpus.target[:10])
    with pytest.warns(UserWarning, match="takes the output of SpeechEmbedding, not its input"):
        loaded = exported(model, tmp_path)
    vectors = features.transform(corpus.data[:10])
    difference = loaded.predict_proba(vectors) - model[1:].predict_proba(vectors)
    assert np.abs(difference).max() < 1e-5


@pytest.mark.real_data
def test_whisper_on_emodb_without_a_difference(emodb_path, whisper_tiny, tmp_path):
    corpus = load_emodb(emodb_path)
    rows = np.arange(0, len(corpus.data), 9)
    head = CalibratedClassifierCV(LinearSVC(C=0.01), method="sigmoid", cv=3)
    model = make_pipeline(
        SpeechEmbedding(whisper_tiny, layers=2, device="cpu"), StandardScaler(), head
    )
    model.fit([corpus.data[i] for i in rows], corpus.target[rows])
    export_onnx(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").stat().st_size < 9_000_000  # in half precision
    others = [corpus.data[i] for i in range(4, 300, 24)]
    assert_same(load_onnx(tmp_path / "model.onnx"), model, others, 3e-5)


class Clipped(StandardScaler):
    def transform(self, X, copy=None):
        return np.clip(super().transform(X, copy), -1, 1)


class Named(StandardScaler):
    """Subclass that computes what its parent does."""


class Even(LogisticRegression):
    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_subclasses_that_compute_otherwise_are_not_taken_for_their_parents(tmp_path):
    model = make_pipeline(Clipped(), LogisticRegression()).fit(X, CLASSES)
    with pytest.warns(UserWarning, match="Clipped"):
        loaded = exported(model, tmp_path)
    assert only_input(loaded)["missing"][0]["class"].endswith("Clipped")
    with pytest.raises(TypeError, match="Even"):
        export_onnx(Even().fit(X, CLASSES), tmp_path / "even.onnx")
    model = make_pipeline(Named(), LogisticRegression()).fit(X, CLASSES)
    assert_same(exported(model, tmp_path), model, X)


def test_columns_in_another_order_are_refused(tmp_path):
    random = np.random.RandomState(0)
    table = pd.DataFrame(random.randn(40, 3), columns=["a", "b", "c"])
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(table, (table["a"] > 0).astype(int))
    export_onnx(model, tmp_path / "m.onnx")
    loaded = load_onnx(tmp_path / "m.onnx")
    np.testing.assert_array_equal(loaded.predict(table), model.predict(table))
    np.testing.assert_array_equal(loaded.predict(table.to_numpy()), model.predict(table))
    with pytest.raises(ValueError, match="X has 'c' in column 0, where .* was fitted on 'a'"):
        loaded.predict(table[["c", "b", "a"]])
