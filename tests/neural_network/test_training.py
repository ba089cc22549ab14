"""Speed of training: placement of batches, and waits for the device."""

import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skser.neural_network import (
    AdversarialAEClassifier,
    AttentionFCNClassifier,
    AttentionFCNRegressor,
    AttentionRNNClassifier,
    AttentionRNNRegressor,
    SpecAugment,
    _batching,
)
from skser.neural_network._batching import BatchIterator, SequenceDataset, padded_batch, rounded_up
from skser.sequences import Sequences

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def utterances(n=50, n_columns=16):
    random = np.random.RandomState(0)
    return [
        random.randn(length, n_columns).astype(np.float32) for length in random.randint(20, 90, n)
    ]


def labels(n=50):
    return np.resize(["anger", "fear", "joy"], n)


def dataset():
    return SequenceDataset(Sequences.from_list(utterances()), np.arange(50))


def assert_same_batches(given, expected):
    for (inputs, targets), (inputs_, targets_) in zip(given, expected, strict=True):
        torch.testing.assert_close(targets.cpu(), targets_)
        torch.testing.assert_close(inputs["lengths"].cpu(), inputs_["lengths"])
        torch.testing.assert_close(inputs["x"].cpu(), inputs_["x"], atol=1e-5, rtol=1e-5)


def test_lengths_are_padded_to_few_distinct_sizes():
    sizes = [rounded_up(n) for n in range(1, 1025)]
    assert all(n <= size <= 1.07 * n for n, size in enumerate(sizes, start=1))
    assert len(set(sizes)) <= 16 * 7
    assert sizes == sorted(sizes)
    assert sizes[:16] == list(range(1, 17))


def test_a_block_on_a_device_gives_the_same_batches_as_memory():
    X = Sequences.from_list(utterances())[5:40]
    indices = np.array([3, 0, 20])
    here, there = (
        padded_batch(X, indices, block) for block in (None, torch.from_numpy(X.values.copy()))
    )
    torch.testing.assert_close(there["x"], here["x"], atol=0, rtol=0)
    torch.testing.assert_close(there["lengths"], here["lengths"])


@needs_cuda
@pytest.mark.parametrize("free", [10**9, 1000])
def test_batches_on_a_device_equal_those_on_the_cpu(free, monkeypatch):
    monkeypatch.setattr(_batching, "_free_memory", lambda device: free)
    settings = {"batch_size": 8, "seed": 0, "augment": SpecAugment()}
    resident = BatchIterator(dataset(), device="cuda", **settings)
    assert (resident.block is not None) == (free > 1000)
    assert_same_batches(resident, BatchIterator(dataset(), **settings))


@needs_cuda
def test_no_batch_makes_the_host_wait():
    model = AttentionFCNClassifier(
        device="cuda", max_epochs=1, warm_start=True, random_state=0, batch_size=8
    ).fit(utterances(), labels())

    class Watch(Callback):
        def on_epoch_begin(self, net, **kwargs):
            torch.cuda.set_sync_debug_mode("error")

        def on_batch_end(self, net, training, **kwargs):
            # After the last batch of an epoch, the losses are read once.
            if len(net.history[-1]["batches"]) == 7:
                torch.cuda.set_sync_debug_mode("default")

    try:
        model.set_params(callbacks=[Watch()]).fit(utterances(), labels())
    finally:
        torch.cuda.set_sync_debug_mode("default")


class CountReads(torch.overrides.TorchFunctionMode):
    """Counter of reads of numbers from tensors, which make a host wait for a device."""

    def __init__(self):
        self.n = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.n += function in (torch.Tensor.item, torch.Tensor.tolist)
        return function(*args, **(kwargs or {}))


def test_losses_are_read_once_per_epoch():
    with CountReads() as reads:
        model = AttentionFCNClassifier(
            device="cpu", max_epochs=3, random_state=0, batch_size=8, augment=None
        ).fit(utterances(), labels())
    assert 3 <= reads.n < 3 * 3  # 3 epochs of 7 batches
    for epoch in model.history_:
        losses = [batch["train_loss"] for batch in epoch["batches"]]
        assert len(losses) == 7
        assert all(isinstance(loss, float) for loss in losses)
        sizes = [batch["train_batch_size"] for batch in epoch["batches"]]
        assert epoch["train_loss"] == pytest.approx(np.average(losses, weights=sizes))


@pytest.mark.filterwarnings("ignore:In its last epoch")
def test_weight_decay_applies_to_matrices_and_kernels_only():
    model = AttentionFCNClassifier(device="cpu", max_epochs=1).fit(utterances(8), labels(8))
    decayed, kept = model.net_.optimizer_.param_groups
    assert decayed["weight_decay"] == model.weight_decay
    assert kept["weight_decay"] == 0
    assert {p.ndim for p in decayed["params"]} == {2, 4}
    assert {p.ndim for p in kept["params"]} == {1}
    n_parameters = len(list(model.net_.module_.parameters()))
    assert len(decayed["params"]) + len(kept["params"]) == n_parameters


@pytest.fixture
def rare():
    """Frames of four speakers, of whom only the first is ever joyful."""
    speakers, y = np.repeat(np.arange(4), 20), np.tile(["anger", "fear"], 40)
    y[:20] = "joy"
    X = np.random.RandomState(0).randn(80, 20, 4).astype(np.float32)
    for column, name in enumerate(("anger", "fear", "joy")):
        X[y == name, :, column] += 2
    return X, y, speakers


@pytest.mark.parametrize("seed", range(3))
def test_early_stopping_keeps_every_class_in_training(seed, rare):
    X, y, speakers = rare
    settings = {"max_epochs": 12, "device": "cpu", "random_state": seed}
    model = AttentionRNNClassifier(early_stopping=True, **settings).fit(X, y, groups=speakers)
    assert (model.predict(X)[y == "joy"] == "joy").all()
    only = np.flatnonzero(speakers < 2)
    y = np.where(speakers == 1, "fear", y)
    with pytest.raises(ValueError, match="whichever it holds out, a class is left without"):
        model.fit(X[only], y[only], groups=speakers[only])


@pytest.mark.filterwarnings("ignore:In its last epoch the network")
def test_class_weights_hold_for_classes_of_later_batches():
    model = AttentionRNNClassifier(device="cpu", class_weight={"a": 1, "b": 5, "c": 20})
    model.partial_fit(np.zeros((2, 10, 4)), ["a", "a"], classes=list("abc"))
    assert model.net_.criterion_.class_weight.tolist() == [1, 5, 20]


@pytest.mark.filterwarnings("ignore:In its last epoch the network")
@pytest.mark.parametrize(
    "changed", [{"class_weight": "balanced"}, {"class_weight": {"a": 1, "b": 50}},
                {"label_smoothing": 0.5}]
)  # fmt: skip
def test_a_warm_start_has_the_loss_of_its_parameters(changed):
    X = np.random.RandomState(0).randn(60, 6).astype(np.float32)
    y = np.array(["a", "b"])[(np.arange(60) % 6 == 0).astype(int)]
    settings = {"max_epochs": 1, "device": "cpu", "random_state": 0, "warm_start": True}

    def trained(**changed):
        model = AttentionRNNClassifier(**settings).fit(X, y)
        return model.set_params(**changed).fit(X, y)

    model = trained(**changed)
    assert np.abs(model.predict_proba(X) - trained().predict_proba(X)).max() > 1e-6
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert_same_loss(again.net_.criterion_, model.net_.criterion_)


def assert_same_loss(ours, theirs):
    assert ours.label_smoothing == theirs.label_smoothing
    assert (ours.class_weight is None) == (theirs.class_weight is None)
    if ours.class_weight is not None:
        torch.testing.assert_close(ours.class_weight, theirs.class_weight)


@pytest.mark.parametrize("cls", [AttentionFCNRegressor, AttentionRNNRegressor])
def test_a_training_that_diverges_is_an_error_and_keeps_the_earlier_model(cls):
    X = np.random.RandomState(0).randn(40, 20, 4).astype(np.float32)
    y = X.mean(axis=(1, 2))
    model = cls(max_epochs=1, device="cpu", random_state=0).fit(X, y)
    expected = model.predict(X)
    model.set_params(max_epochs=5, learning_rate=1e4)
    with pytest.raises(ValueError, match=r"Training diverged: after 5 epochs.*Lower learning_rate"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.filterwarnings("ignore:In its last epoch the network")
class TestTrainingOn:
    """A fitted network is trained on with the present parameters, or says that it cannot."""

    @pytest.fixture
    def data(self):
        X = np.random.RandomState(0).randn(40, 6).astype(np.float32)
        return X, np.array(["a", "b"])[(X[:, 0] > 0).astype(int)]

    @staticmethod
    def after(model, data, **changed):
        again = pickle.loads(pickle.dumps(model)).set_params(**changed).partial_fit(*data)
        return again.predict_proba(data[0])

    @pytest.mark.parametrize(
        "changed",
        [
            {"learning_rate": 1e-9},
            {"weight_decay": 10.0},
            {"class_weight": {"a": 9, "b": 1}},
            {"label_smoothing": 0.9},
        ],
    )
    def test_partial_fit_has_the_present_parameters(self, data, changed):
        model = AttentionRNNClassifier(n_hidden=4, max_epochs=1, device="cpu", random_state=0)
        model.fit(*data)
        plain = self.after(model, data)
        assert np.abs(self.after(model, data, **changed) - plain).max() > 1e-4
        if "learning_rate" in changed:
            before = model.predict_proba(data[0])
            assert np.abs(self.after(model, data, **changed) - before).max() < 1e-5

    @pytest.mark.parametrize(
        "changed",
        [
            {"learning_rate": 1e-9},
            {"supervised_weight": 0.0},
            {"objectives": {"gradient_penalty": 9.0}},
        ],
    )
    def test_autoencoders_too(self, data, changed):
        model = AdversarialAEClassifier(max_epochs=1, device="cpu", random_state=0).fit(*data)
        plain = self.after(model, data)
        same = self.after(model, data, learning_rate=model.learning_rate)
        np.testing.assert_array_equal(same, plain)
        assert np.abs(self.after(model, data, **changed) - plain).max() > 1e-5

    def test_a_copy_has_the_objectives_of_the_fit(self, data):
        objectives = {"n_discriminator_updates": 3, "gradient_penalty": 1.0}
        model = AdversarialAEClassifier(
            objectives=objectives, max_epochs=1, device="cpu", random_state=0
        ).fit(*data)
        assert pickle.loads(pickle.dumps(model)).net_.objectives == model.net_.objectives
        copied = self.after(model, data)
        np.testing.assert_array_equal(copied, model.partial_fit(*data).predict_proba(data[0]))

    @pytest.mark.parametrize(
        "changed", [{"n_hidden": 8}, {"cell": "lstm"}, {"dropout": 0.9}, {"n_heads": 3}]
    )
    def test_other_layers_need_a_new_fit(self, data, changed):
        (name,) = changed
        model = AttentionRNNClassifier(
            n_hidden=4, max_epochs=1, device="cpu", random_state=0, warm_start=True
        ).fit(*data)
        model.set_params(**changed)
        for train in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=f"{name}=.* cannot change a fitted network"):
                train(*data)
        model.set_params(warm_start=False).fit(*data)
