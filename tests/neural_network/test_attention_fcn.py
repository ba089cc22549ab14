"""The attention-based fully convolutional network."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline

from skser.compose import TransferClassifier
from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier, AttentionFCNRegressor
from skser.preprocessing import SequenceScaler
from skser.sequences import Layout, Sequences

FAST = {"device": "cpu", "n_threads": 1, "random_state": 0}
# For a few dozen utterances whose classes are bands: small, many updates, no augmentation.
TOY = {
    "filters": (8, 16),
    "strides": 1,
    "pool_sizes": 2,
    "augment": None,
    "batch_size": 8,
    "learning_rate": 0.01,
    "dropout": 0.0,
    **FAST,
}


def planted(n=60, seed=0):
    """Make noise with a tone, a click or a glide at a random place; bands are 100 Hz apart."""
    random = np.random.RandomState(seed)
    y, arrays, spans = np.arange(n) % 3, [], []
    for label in y:
        length = random.randint(60, 100)
        frames = random.randn(length, 12).astype(np.float32)
        first = random.randint(0, length - 12)
        band = random.randint(0, 12)
        times = first + np.arange(12)
        if label == 0:
            frames[times, band] += 5
        elif label == 1:
            frames[first + 5 : first + 7] += 5
        else:
            frames[times, np.arange(12)] += 5
        arrays.append(frames)
        spans.append((first, first + 12))
    layout = Layout(
        tuple(f"b{i}" for i in range(12)),
        hop=0.01,
        frequencies=tuple(100.0 * (i + 1) for i in range(12)),
    )
    return Sequences.from_list(arrays, layout), y, np.array(spans)


@pytest.fixture(scope="module")
def trained():
    X, y, _ = planted()
    model = AttentionFCNClassifier(max_epochs=15, **TOY)
    return model.fit(X, y)


def test_it_learns_planted_patterns(trained):
    X, y, _ = planted(seed=1)
    assert trained.score(X, y) > 0.9
    probabilities = trained.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(
        trained.classes_[probabilities.argmax(axis=1)], trained.predict(X)
    )


def test_attention_concentrates_on_the_planted_pattern(trained):
    X, _, spans = planted(seed=1)
    density = []
    for attention, (first, last) in zip(trained.attention(X), spans, strict=True):
        inside = (attention.times >= 0.01 * first) & (attention.times < 0.01 * last)
        share = attention.weights[:, inside].sum() / attention.weights.sum()
        density.append(share / inside.mean())
    assert np.mean(density) > 2


def test_attention_sums_to_one_on_a_grid_of_seconds_and_hertz(trained):
    X, _, _ = planted(seed=1)
    for frames, attention in zip(X, trained.attention(X), strict=True):
        n_heads, n_times, n_bands = attention.weights.shape
        assert n_heads == 4
        np.testing.assert_allclose(attention.weights.sum(axis=(1, 2)), 1, rtol=1e-5)
        assert attention.times.shape == (n_times,)
        assert attention.time_extents.shape == (n_times, 2)
        assert attention.frequencies.shape == (n_bands,)
        assert (np.diff(attention.times) >= 0).all()
        assert attention.times[0] < 0.05
        assert abs(attention.times[-1] - 0.01 * (len(frames) - 1)) < 0.05
        assert (attention.time_extents[:, 0] <= attention.times).all()
        assert (attention.times <= attention.time_extents[:, 1]).all()
        assert attention.frequencies.min() >= 100
        assert attention.frequencies.max() <= 1200


def test_attention_does_not_depend_on_padding_or_other_utterances(trained):
    X, _, _ = planted(seed=1)
    together = trained.attention(X)
    for i in (0, 7, 31):
        (alone,) = trained.attention(X[[i]])
        np.testing.assert_allclose(alone.weights, together[i].weights, atol=1e-5)
        np.testing.assert_array_equal(alone.times, together[i].times)


@pytest.mark.filterwarnings("ignore:In its last epoch")
def test_a_cell_depends_only_on_input_within_its_extent():
    import torch

    X, y, _ = planted(12)
    model = AttentionFCNClassifier(
        filters=(4, 4), kernel_sizes=((5, 3), (3, 1)), strides=((2, 1), (1, 2)), pool_sizes=(3, 2),
        max_epochs=1, **FAST,
    )  # fmt: skip
    model.fit(X, y)
    module = model.net_.module_.eval()
    frames = torch.from_numpy(X[0].copy()).T[None, None].transpose(2, 3)
    lengths = torch.tensor([len(X[0])])
    cells = module._annotations(frames, lengths)[0]
    (attention,) = model.attention(X[[0]])
    n_moved = 0
    for changed in (0, 17, 40, len(X[0]) - 1):
        other = frames.clone()
        other[:, :, changed] += 10
        moved = (module._annotations(other, lengths)[0] != cells).any(dim=3).any(dim=2)[0].numpy()
        low, high = attention.time_extents.T
        sees = (low <= 0.01 * changed + 1e-9) & (0.01 * changed - 1e-9 <= high)
        assert not moved[~sees].any()
        n_moved += moved.sum()
    assert n_moved > 0
    for changed in (0, 5, 11):
        other = frames.clone()
        other[:, :, :, changed] += 10
        moved = (module._annotations(other, lengths)[0] != cells).any(dim=3).any(dim=1)[0].numpy()
        low, high = attention.frequency_extents.T
        sees = (low <= 100 * (changed + 1)) & (100 * (changed + 1) <= high)
        assert not moved[~sees].any()


def test_one_channel_input_is_convolved_over_time():
    random = np.random.RandomState(0)
    y = np.arange(60) % 2
    times = np.arange(120)
    X = np.array([np.sin(times * (0.2 + 0.2 * label) + random.uniform(0, 6)) for label in y])
    model = AttentionFCNClassifier(
        filters=(5, 10, 20, 30), kernel_sizes=(11, 5, 3, 3), strides=(4, 1, 1, 1),
        pool_sizes=(3, 1, 1, 3), pool_strides=(2, 1, 1, 2), normalization="batch",
        attention_scale=0.8, max_epochs=40, **FAST,
    )  # fmt: skip
    assert model.fit(X, y).score(X, y) > 0.95
    assert model.net_.module_.blocks[0].convolution.kernel_size == (11, 1)
    (attention,) = model.attention(X[:1])
    assert attention.weights.shape[2] == 1


@pytest.mark.filterwarnings("ignore:In its last epoch")
def test_arrays_are_split_into_the_channels_of_the_fit():
    corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=4, random_state=0)
    mel = MelSpectrogram(n_mels=8, deltas=1, input_sampling_rate=corpus.sampling_rate)
    X = mel.fit_transform(corpus.data)
    model = AttentionFCNClassifier(max_epochs=1, **TOY)
    model.fit(X, corpus.target)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X.to_list()), expected)
    (given,), (of_array,) = model.attention(X[:1]), model.attention(X.to_list()[:1])
    np.testing.assert_array_equal(of_array.weights, given.weights)
    np.testing.assert_array_equal(of_array.times, given.times)
    one_channel = X.map_values(np.copy, Layout(X.layout.feature_names))
    with pytest.raises(ValueError, match="1 channel of 16 bands, but .* on 2 channels of 8"):
        model.predict(one_channel)


@pytest.mark.filterwarnings("ignore:In its last epoch")
def test_zhangs_layers_are_parameters():
    X = Sequences.from_list([np.random.RandomState(i).randn(50, 40) for i in range(4)])
    model = AttentionFCNClassifier(
        filters=(96, 256, 384, 384, 256), kernel_sizes=(11, 5, 3, 3, 3), strides=(4, 1, 1, 1, 1),
        pool_sizes=(3, 3, 1, 1, 3), pool_strides=(2, 2, 1, 1, 2), n_heads=1, attention_scale=0.3,
        normalization=("local_response", "local_response", "none", "none", "none"),
        max_epochs=1, **FAST,
    )  # fmt: skip
    convolutions = [block.convolution for block in model.fit(X, [0, 1, 0, 1]).net_.module_.blocks]
    assert [c.kernel_size for c in convolutions] == [(11, 11), (5, 5), (3, 3), (3, 3), (3, 3)]
    assert [c.out_channels for c in convolutions] == [96, 256, 384, 384, 256]
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


@pytest.mark.filterwarnings("ignore:In its last epoch")
def test_class_weights_lift_the_rare_class():
    X, y, _ = planted(90)
    rare = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:4]])
    noise = X.map_values(lambda v: v + 4 * np.random.RandomState(0).randn(*v.shape))
    settings = {"filters": (8,), "strides": 1, "pool_sizes": 1, "max_epochs": 6, **FAST}

    def mean_probability(class_weight):
        model = AttentionFCNClassifier(class_weight=class_weight, **settings)
        return model.fit(noise[rare], y[rare]).predict_proba(noise[rare])[:, 1].mean()

    assert mean_probability(None) < mean_probability("balanced") < mean_probability({0: 1, 1: 100})


def test_a_model_that_predicts_one_class_warns():
    X = Sequences.from_list([np.zeros((20, 4), np.float32)] * 20)
    with pytest.warns(ConvergenceWarning, match="predicted 'a' for every training utterance"):
        AttentionFCNClassifier(max_epochs=2, **FAST).fit(X, ["a"] * 15 + ["b"] * 5)


@pytest.mark.filterwarnings("ignore:In its last epoch")
def test_partial_fit_learns_from_one_class_at_a_time():
    X, y, _ = planted()
    model = AttentionFCNClassifier(**TOY)
    order = np.argsort(y, kind="stable")
    for _ in range(15):
        for part in np.array_split(np.random.RandomState(0).permutation(order), 3):
            model.partial_fit(X[part], y[part], classes=[0, 1, 2])
    assert model.score(X, y) > 0.8


def test_the_regressor_learns_two_targets():
    X, y, _ = planted()
    targets = np.column_stack([y == 0, 2.0 * (y == 1) + 5]).astype(float)
    model = AttentionFCNRegressor(max_epochs=20, **TOY)
    X_test, y_test, _ = planted(seed=1)
    expected = np.column_stack([y_test == 0, 2.0 * (y_test == 1) + 5]).astype(float)
    assert model.fit(X, targets).score(X_test, expected) > 0.6
    assert model.fit(X, targets[:, 0]).predict(X).ndim == 1


def test_unscaled_decibels_are_learned():
    corpus = make_emotional_speech(4, 20, ["anger", "sadness"], expressiveness=2.0, random_state=0)
    X = MelSpectrogram(
        n_mels=32, deltas=0, normalize=None, input_sampling_rate=corpus.sampling_rate
    ).transform(corpus.data)
    test = corpus.speakers == "04"
    model = AttentionFCNClassifier(max_epochs=15, **FAST).fit(X[~test], corpus.target[~test])
    assert balanced_accuracy_score(corpus.target[test], model.predict(X[test])) > 0.75


def test_a_pipeline_predicts_files(tmp_path):
    import pickle

    corpus = make_emotional_speech(2, 10, output_dir=tmp_path, random_state=0)
    model = make_pipeline(
        MelSpectrogram(n_mels=16), SequenceScaler(), AttentionFCNClassifier(max_epochs=4, **FAST)
    )
    model.set_output(transform="pandas").fit(corpus.data, corpus.target)
    copy = pickle.loads(pickle.dumps(model))
    assert copy.predict([corpus.data[0]])[0] in corpus.target_names
    np.testing.assert_array_equal(
        copy.predict_proba(corpus.data[:3]), model.predict_proba(corpus.data[:3])
    )
    assert model.predict(corpus.frame[:2]).shape == (2,)


@pytest.mark.filterwarnings("ignore:In its last epoch")
def test_training_on_a_memory_map_equals_training_in_memory(tmp_path):
    X, y, _ = planted(24)
    X.save(tmp_path / "block")
    mapped = Sequences.open(tmp_path / "block", "r")
    model = AttentionFCNClassifier(max_epochs=2, **TOY)
    expected = model.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(model.fit(mapped, y).predict_proba(mapped), expected)


def test_a_voting_classifier_averages_networks():
    from sklearn.ensemble import VotingClassifier

    X, y, _ = planted()
    members = [
        (f"seed{seed}", AttentionFCNClassifier(max_epochs=4, **{**TOY, "random_state": seed}))
        for seed in range(2)
    ]
    voting = VotingClassifier(members, voting="soft").fit(X, y)
    mean = np.mean([member.predict_proba(X) for member in voting.estimators_], axis=0)
    np.testing.assert_allclose(voting.predict_proba(X), mean)


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_network_computes_the_same():
    import pickle
    import shutil

    if shutil.which("cc") is None:
        pytest.skip("no C compiler, which torch.compile needs")
    X, y, _ = planted(12)
    settings = {**TOY, "filters": (4,), "max_epochs": 1, "batch_size": 12}
    plain = AttentionFCNClassifier(**settings).fit(X, y)
    compiled = AttentionFCNClassifier(compile=True, **settings).fit(X, y)
    np.testing.assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), atol=1e-4)
    loaded = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_allclose(loaded.predict_proba(X), plain.predict_proba(X), atol=1e-4)
    TransferClassifier(AttentionFCNClassifier(**settings), compiled).fit(X, y)
