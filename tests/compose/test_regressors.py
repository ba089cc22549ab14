"""Tests of the regressors on windows and on altered copies."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.utils import get_tags

from skser.audio import Waveform
from skser.compose import AugmentedRegressor, SegmentedRegressor
from skser.datasets import make_emotional_speech
from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import FrameFeatures, Functionals, MelSpectrogram
from skser.neural_network import AdversarialAERegressor, AttentionFCNRegressor
from skser.sequences import Sequences

LENGTHS = (7, 3, 10, 5)
FRAMES = [np.full((n, 2), 10.0 * i) + np.arange(n)[:, None] for i, n in enumerate(LENGTHS)]
TARGETS = np.array([1.0, 2.0, 3.0, 4.0])


class Recorder(RegressorMixin, BaseEstimator):
    """Regressor that records what it gets and predicts the first value of each sequence."""

    def fit(self, X, y, groups=None):
        self.y_, self.groups_, self.n_ = y, groups, len(X)
        return self

    def predict(self, X):
        first = np.array([sequence[0, 0] for sequence in X.to_list()], dtype=float)
        return first if self.y_.ndim == 1 else np.stack([first, -first], axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class TestSegmented:
    def test_windows_get_the_targets_and_speakers_of_their_utterance(self):
        model = SegmentedRegressor(Recorder(), window=4, hop=2).fit(
            FRAMES, TARGETS, groups=["a", "b", "a", "b"]
        )
        # Windows start at 0, 2, 3 of 7 frames, 0 of 3, 0, 2, 4, 6 of 10, and 0, 1 of 5.
        assert model.estimator_.y_.tolist() == [1, 1, 1, 2, 3, 3, 3, 3, 4, 4]
        assert model.estimator_.groups_.tolist() == list("aaabaaaabb")

    def test_predictions_of_windows_are_averaged(self):
        model = SegmentedRegressor(Recorder(), window=4, hop=2).fit(FRAMES, TARGETS)
        np.testing.assert_allclose(model.predict(FRAMES), [5 / 3, 10, 23, 30.5])
        median = SegmentedRegressor(Recorder(), window=4, hop=2, pooling="median")
        np.testing.assert_allclose(median.fit(FRAMES, TARGETS).predict(FRAMES), [2, 10, 23, 30.5])

    def test_several_targets_are_pooled_each(self):
        y = np.stack([TARGETS, -TARGETS], axis=1)
        for pooling in ("mean", "median"):
            model = SegmentedRegressor(Recorder(), window=4, hop=4, pooling=pooling).fit(FRAMES, y)
            # The windows of 7 frames start at 0 and 3, those of 10 at 0, 4 and 6.
            expected = {"mean": 20 + 10 / 3, "median": 24}[pooling]
            np.testing.assert_allclose(
                model.predict(FRAMES)[[0, 2]], [[1.5, -1.5], [expected, -expected]]
            )

    def test_predictions_of_windows_have_times_and_names(self):
        layout = Sequences.from_list(FRAMES).layout
        assert layout.hop is None
        model = SegmentedRegressor(Recorder(), window=4, hop=2).fit(FRAMES, TARGETS)
        table = model.window_predictions(FRAMES[:1], ["valence"])
        assert table["start"].tolist() == [0, 2, 3]
        assert table["end"].tolist() == [4, 6, 7]
        assert table["valence"].tolist() == [0, 2, 3]
        assert model.window_predictions(FRAMES).columns[-1] == "target0"

    def test_missing_targets_reach_an_estimator_that_takes_them(self):
        random = np.random.RandomState(0)
        X = [random.randn(6, 4) for _ in range(20)]
        y = random.randn(20, 3)
        y[5:, 1] = np.nan
        net = AdversarialAERegressor(max_epochs=30, batch_size=8, device="cpu", n_threads=1)
        model = SegmentedRegressor(net, window=4, hop=2).fit(X, y)
        assert model.predict(X).shape == (20, 3)
        with pytest.raises(ValueError, match="infinity"):
            model.fit(X, np.where(np.isnan(y), np.inf, y))

    def test_no_target_raises(self):
        with pytest.raises(ValueError, match="SegmentedRegressor requires y to be passed"):
            SegmentedRegressor(Recorder(), window=4).fit(FRAMES, None)


def halved(samples, sampling_rate, random_state):
    return samples / 2


def audio():
    random = np.random.RandomState(0)
    return [Waveform(0.1 * (i + 1) * random.uniform(-1, 1, 1600), 16000) for i in range(4)]


class Levels(RegressorMixin, BaseEstimator):
    """Regressor that records its input and predicts its level."""

    def fit(self, X, y, groups=None):
        self.levels_ = [np.abs(x).max() for x in X]
        self.y_, self.groups_ = y, groups
        return self

    def predict(self, X):
        return np.array([np.abs(x).max() for x in X], dtype=float)


class TestAugmented:
    def test_copies_get_the_targets_of_their_utterance(self):
        model = AugmentedRegressor(Levels(), halved, random_state=0)
        model.fit(audio(), TARGETS, groups=["a", "b", "a", "b"])
        fitted = model.estimator_
        np.testing.assert_allclose(fitted.levels_[4:], np.array(fitted.levels_[:4]) / 2, rtol=1e-6)
        assert fitted.y_.tolist() == [1, 2, 3, 4, 1, 2, 3, 4]
        assert fitted.groups_.tolist() == list("abababab")

    def test_predictions_are_of_unaltered_audio(self):
        model = AugmentedRegressor(Levels(), halved).fit(audio(), TARGETS)
        expected = [np.abs(x).max() for x in audio()]
        np.testing.assert_allclose(model.predict(audio()), expected, rtol=1e-6)
        assert not hasattr(model, "predict_proba")
        assert not hasattr(model, "classes_")


@pytest.mark.parametrize(
    "wrap", [SegmentedRegressor, lambda inner: AugmentedRegressor(inner, halved)]
)
def test_the_tags_on_targets_are_those_of_the_inner_regressor(wrap):
    for inner in (Ridge(), SVR(), make_pipeline(StandardScaler(), SVR())):
        tags, expected = get_tags(wrap(inner)), get_tags(inner).target_tags
        assert tags.estimator_type == "regressor"
        assert tags.target_tags.multi_output == expected.multi_output
    X = np.random.RandomState(0).randn(6, 1600) / 100
    model = wrap(SVR())
    if isinstance(model, AugmentedRegressor):
        model.set_params(input_sampling_rate=16000)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model.fit(X, np.arange(6.0)[:, None])
    assert model.predict(X).shape == (6,)


def test_both_are_evaluated_on_several_dimensions():
    corpus = make_emotional_speech(4, 5, random_state=0)
    rate = {"input_sampling_rate": corpus.sampling_rate}
    net = AttentionFCNRegressor(max_epochs=2, device="cpu", n_threads=1, random_state=0)
    windows = make_pipeline(MelSpectrogram(n_mels=8, **rate), SegmentedRegressor(net, 0.5, 0.5))
    linear = make_pipeline(Functionals(FrameFeatures(("energy",))), StandardScaler(), Ridge(100))
    none, one = (AugmentedRegressor(linear, halved, n_copies=n, **rate) for n in (0, 1))
    plain = make_pipeline(Functionals(FrameFeatures(("energy",), **rate)), *linear[1:])
    predicted = [
        cross_validate_speakers(model, corpus, target=["valence", "activation"], cv=2).y_pred
        for model in (windows, plain, none, one)
    ]
    assert predicted[0].shape == (20, 2)
    np.testing.assert_allclose(predicted[2], predicted[1], rtol=1e-6)
    assert np.abs(predicted[3] - predicted[1]).max() > 0.01


@pytest.mark.filterwarnings("ignore:In its last epoch the decoder")
def test_targets_keep_their_names():
    Y = pd.DataFrame(
        np.random.RandomState(0).randn(12, 3), columns=["arousal", "dominance", "valence"]
    )
    network = AdversarialAERegressor(max_epochs=1, device="cpu")
    windows = np.random.RandomState(1).randn(12, 30, 4)
    found = SegmentedRegressor(network, window=15, hop=15).fit(windows, Y).estimator_
    assert list(found.target_names_) == list(Y.columns)
    audio = [Waveform(of_one, 8000) for of_one in np.random.RandomState(2).randn(12, 8000) / 10]
    model = make_pipeline(Functionals(MelSpectrogram(n_mels=4)), network)
    found = AugmentedRegressor(model, lambda x, rate, random: x).fit(audio, Y).estimator_[-1]
    assert list(found.target_names_) == list(Y.columns)
