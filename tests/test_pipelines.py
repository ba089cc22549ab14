"""Complete systems: settings as published, and use with scikit-learn."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

from skser.datasets import make_emotional_speech
from skser.feature_extraction import LevelContour, Spectrogram
from skser.pipelines import fcn_and_functionals, gans2020, zhang2018
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences

RATE = 16000
systems = pytest.mark.parametrize("system", [zhang2018, gans2020])
# Networks of most tests here train for an epoch or two and predict one class.
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


@pytest.fixture(scope="module")
def contours():
    """Two classes of contours that differ in level, as an array."""
    random = np.random.RandomState(0)
    y = np.repeat(["happiness", "sadness"], 12)
    X = random.randn(24, 259) - 50
    X[y == "happiness"] += 8
    return X, y


def layers(model):
    """Return (channels, time kernel, band kernel, strides) of each convolution."""
    blocks = model["classifier"].net_.module_.blocks
    return [
        (b.convolution.out_channels, *b.convolution.kernel_size, *b.convolution.stride)
        for b in blocks
    ]


def pools(model):
    """Return (size, stride) along (time, bands) of the pooling after each layer, or None."""
    blocks = model["classifier"].net_.module_.blocks
    return [(b.pool_size, b.pool_stride) if max(b.pool_size) > 1 else None for b in blocks]


def n_weights(model):
    """Return the number of weights and biases of each convolution."""
    blocks = model["classifier"].net_.module_.blocks
    return [sum(p.numel() for p in block.parameters()) for block in blocks]


@pytest.fixture(scope="module")
def zhang(corpus):
    model = zhang2018(max_epochs=1, input_sampling_rate=RATE, n_threads=1, random_state=0)
    return model.fit(corpus.data[:8], corpus.target[:8])


@pytest.fixture(scope="module")
def gans(contours):
    return gans2020(max_epochs=2, n_threads=1, random_state=0)[1:].fit(*contours)


class TestZhang2018:
    def test_input_is_the_logarithm_of_200_bins_below_4_khz(self, corpus):
        features = zhang2018(input_sampling_rate=RATE)["features"]
        assert isinstance(features, Spectrogram)
        X = features.transform(corpus.data[:1])
        assert X.layout.hop == 0.010
        np.testing.assert_allclose(X.layout.frequencies, np.arange(200) * 20.0)
        samples = np.pad(np.asarray(corpus.data[0], np.float32), 400)
        frame = samples[80 + 50 * 160 :][:640] * np.hamming(641)[:640]
        magnitude = np.abs(np.fft.rfft(frame, 800))[:200]
        loud = magnitude > magnitude.max() / 100
        np.testing.assert_allclose(X[0][50, loud], np.log(magnitude[loud]), atol=1e-3)

    def test_layers_are_those_of_alexnet(self, zhang):
        assert layers(zhang) == [
            (96, 11, 11, 4, 4), (256, 5, 5, 1, 1), (384, 3, 3, 1, 1), (384, 3, 3, 1, 1),
            (256, 3, 3, 1, 1),
        ]  # fmt: skip
        pool = ((3, 3), (2, 2))
        assert pools(zhang) == [pool, pool, None, None, pool]
        blocks = zhang["classifier"].net_.module_.blocks
        assert [b.local_response is not None for b in blocks] == [True, True, False, False, False]
        assert all(b.batch_norm is None for b in blocks)

    def test_numbers_of_weights_match_a_count_by_hand(self, zhang):
        assert n_weights(zhang) == [11_712, 614_656, 885_120, 1_327_488, 884_992]
        module = zhang["classifier"].net_.module_
        assert module.output.weight.shape == (len(zhang.classes_), 256)
        # No fully connected layer: only convolutions, attention and the linear classifier.
        assert [name for name, _ in module.named_children()] == [
            "blocks", "pooling", "dropout", "output",
        ]  # fmt: skip

    def test_attention_has_one_head_and_scale_0_3(self, zhang):
        pooling = zhang["classifier"].net_.module_.pooling
        assert (pooling.n_heads, pooling.attention_scale) == (1, 0.3)

    def test_attention_is_over_every_cell_of_time_and_frequency(self, zhang, corpus):
        X = zhang[:-1].transform(corpus.data[:2])
        maps = zhang["classifier"].attention(X)
        for utterance, n_frames in zip(maps, X.lengths, strict=True):
            n_steps = n_frames
            for kernel, stride in ((11, 4), (3, 2), (3, 2), (3, 2)):
                n_steps = (n_steps + 2 * (kernel // 2) - kernel) // stride + 1
            assert utterance.weights.shape == (1, n_steps, 7)
            assert utterance.weights.sum() == pytest.approx(1, abs=1e-5)


class TestGans2020:
    def test_three_seconds_give_259_values(self):
        noise = np.random.RandomState(0).randn(4 * RATE)
        X = gans2020(input_sampling_rate=RATE)["features"].transform([noise, noise[: 2 * RATE]])
        assert X.lengths.tolist() == [259, 1 + int(1.5 * 44100) // 512]
        assert X.n_columns == 1

    def test_layers_are_over_time_alone(self, gans):
        assert layers(gans) == [
            (5, 11, 1, 4, 1), (10, 5, 1, 1, 1), (20, 3, 1, 1, 1), (30, 3, 1, 1, 1),
        ]  # fmt: skip
        pool = ((3, 1), (2, 1))
        assert pools(gans) == [pool, pool, None, pool]

    def test_numbers_of_weights_match_a_count_by_hand(self, gans):
        assert n_weights(gans) == [60, 260, 620, 1830]

    def test_parameters_add_a_fifth_layer_and_heads(self, contours):
        model = gans2020(n_fifth_filters=40, n_heads=4, max_epochs=1, random_state=0)[1:]
        model.fit(*contours)
        assert n_weights(model) == [60, 260, 620, 1830, 3640]
        pool = ((3, 1), (2, 1))
        assert pools(model) == [pool, pool, None, None, pool]
        weights = model["classifier"].attention(contours[0][:1])[0].weights
        assert weights.shape == (4, 9, 1)
        np.testing.assert_allclose(weights.sum(axis=(1, 2)), 1, atol=1e-5)

    def test_attention_is_over_positions_of_one_utterance(self, gans, contours):
        X, _ = contours
        assert gans["classifier"].net_.module_.pooling.attention_scale == 0.8
        together = gans["classifier"].attention(X)
        alone = gans["classifier"].attention(X[:1])
        assert together[0].weights.shape == (1, 9, 1)
        np.testing.assert_allclose(together[0].weights, alone[0].weights, atol=1e-6)

    def test_attention_times_are_seconds_of_the_file(self, corpus):
        model = gans2020(max_epochs=1, input_sampling_rate=RATE, n_threads=1, random_state=0)
        model.fit(corpus.data[:4], ["a", "b", "a", "b"])
        X = model[:-1].transform(corpus.data[:1])
        times = model["classifier"].attention(X)[0].times
        # Frames are centered on multiples of the hop, and a cell covers 32 of them.
        assert times[0] == pytest.approx(0.5, abs=32 * 512 / 44100)
        assert times[0] >= 0.5

    def test_training_is_plain_adam(self, gans):
        groups = gans["classifier"].net_.optimizer_.param_groups
        assert {(group["lr"], group["weight_decay"]) for group in groups} == {(1e-3, 0)}
        defaults = gans2020()["classifier"]
        assert (defaults.batch_size, defaults.max_epochs) == (51, 200)

    def test_precomputed_contours_are_learned_in_every_form(self, contours):
        X, y = contours
        model = gans2020(max_epochs=60, n_threads=1, random_state=0)[1:]
        model.set_params(scaler=SequenceScaler(), classifier__learning_rate=0.01)
        assert model.fit(X, y).score(X, y) == 1
        columns = Sequences.from_list([x[: 200 + i, None] for i, x in enumerate(X)])
        assert clone(model).fit(columns, y).score(columns, y) == 1

    def test_the_scaler_can_be_replaced(self, contours):
        model = gans2020(max_epochs=1, random_state=0).set_params(scaler=SequenceScaler())[1:]
        model.fit(*contours)
        assert model["scaler"].mean_ == pytest.approx(contours[0].mean(), rel=1e-4)

    def test_too_short_an_utterance_is_named(self, corpus):
        with pytest.raises(ValueError, match="utterance 1.*offset"):
            gans2020(input_sampling_rate=RATE).fit([corpus.data[0], np.ones(800)], ["a", "b"])


def small(system, **settings):
    return system(
        max_epochs=1, input_sampling_rate=RATE, device="cpu", n_threads=1, random_state=0,
        **settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def clips(corpus):
    """Six utterances cut to 1.2 s, and their labels."""
    return [samples[: 6 * RATE // 5] for samples in corpus.data[:6]], corpus.target[:6]


@pytest.fixture(scope="module")
def fitted(clips):
    """Function that fits a system to the clips, once for all tests."""
    models = {}

    def fit(system):
        if system not in models:
            models[system] = small(system).fit(*clips)
        return models[system]

    return fit


@systems
class TestEverySystem:
    def test_features_come_first(self, system):
        model = system()
        assert list(model.named_steps) == ["features", "scaler", "classifier"]
        assert isinstance(model["features"], Spectrogram | LevelContour)

    def test_paths_and_arrays_have_the_same_predictions(self, system, clips, fitted, wav):
        data, y = clips
        files = [wav(x, name=f"{i}.wav", subtype="FLOAT") for i, x in enumerate(data)]
        of_files = fitted(system).predict_proba(files)
        assert of_files.shape == (6, len(np.unique(y)))
        np.testing.assert_allclose(fitted(system).predict_proba(data), of_files, atol=1e-5)

    def test_a_clone_fits_the_same_and_a_pickle_predicts_the_same(self, system, clips, fitted):
        data, y = clips
        expected = fitted(system).predict_proba(data)
        again = clone(fitted(system)).fit(data, y).predict_proba(data)
        np.testing.assert_array_equal(again, expected)
        copy = pickle.loads(pickle.dumps(fitted(system)))
        np.testing.assert_array_equal(copy.predict_proba(data), expected)

    def test_a_prediction_does_not_depend_on_other_utterances(self, system, clips, fitted):
        data, _ = clips
        together = fitted(system).predict_proba(data)
        alone = fitted(system).predict_proba(data[2:3])
        np.testing.assert_allclose(alone, together[2:3], atol=1e-5)

    def test_cross_validation_scores_it_between_0_and_1(self, system, corpus, tmp_path):
        rows = slice(7, 13)  # three utterances of each of two speakers
        data = [samples[: 6 * RATE // 5] for samples in corpus.data[rows]]
        scores = cross_val_score(
            small(system, memory=tmp_path), data, corpus.target[rows],
            groups=corpus.speakers[rows], cv=GroupKFold(2), error_score="raise",
        )  # fmt: skip
        assert scores.shape == (2,)
        assert ((scores >= 0) & (scores <= 1)).all()

    def test_parameters_reach_their_steps(self, system):
        model = system(
            max_epochs=3, input_sampling_rate=8000, n_jobs=2, memory="kept", device="cpu",
            n_threads=1, random_state=5,
        )  # fmt: skip
        features, classifier = model["features"], model["classifier"]
        assert (features.input_sampling_rate, features.n_jobs, features.memory) == (8000, 2, "kept")
        given = (classifier.max_epochs, classifier.device, classifier.n_threads)
        assert given == (3, "cpu", 1)
        assert classifier.random_state == 5

    def test_the_loss_falls(self, system, clips):
        model = small(system).set_params(classifier__max_epochs=4).fit(*clips)
        losses = model["classifier"].history_[:, "train_loss"]
        assert losses[-1] < losses[0]


def vote(corpus, **settings):
    return fcn_and_functionals(
        max_epochs=4,
        conditions=False,
        input_sampling_rate=corpus.sampling_rate,
        device="cpu",
        n_threads=1,
        **settings,
    )


def test_the_vote_is_the_weighted_geometric_mean_of_its_two_pipelines(tmp_path):
    corpus = make_emotional_speech(2, 10, random_state=0)
    model = vote(corpus, random_state=0, memory=tmp_path).fit(corpus.data, corpus.target)
    alone = [
        clone(pipeline).fit(corpus.data, corpus.target).predict_proba(corpus.data)
        for _, pipeline in model.estimators
    ]
    assert np.abs(alone[0] - alone[1]).max() > 0.05
    mean = (alone[0] * alone[1] ** 2) ** (1 / 3)
    expected = mean / mean.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(corpus.data), expected, atol=1e-6)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(corpus.data), model.predict(corpus.data))


def test_the_vote_can_be_tuned_in_a_search_over_speakers(tmp_path):
    corpus = make_emotional_speech(2, 10, random_state=0)
    # The cache makes the search compute the features once, as users should.
    search = GridSearchCV(
        vote(corpus, random_state=0, memory=tmp_path),
        {"functionals__classifier__shrinkage": [0.5, 0.9], "network__classifier__max_epochs": [1]},
        cv=GroupKFold(2),
        scoring="balanced_accuracy",
        error_score="raise",
    )
    search.fit(corpus.data, corpus.target, groups=corpus.speakers)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert set(search.predict(corpus.data)) <= set(corpus.target)


def test_altered_copies_shorten_the_training_of_the_network():
    def epochs(**settings):
        model = fcn_and_functionals(**settings)
        return getattr(model, "estimator", model).named_estimators["network"][-1].max_epochs

    assert (epochs(), epochs(conditions=False), epochs(max_epochs=7)) == (20, 50, 7)
