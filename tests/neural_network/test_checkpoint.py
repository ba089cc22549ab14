"""Trainings that are killed and resumed, interrupted, or ended by a callback."""

import os
import pickle

import killed_training
import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import StepLR

from skser.compose import TransferClassifier
from skser.neural_network import AdversarialAERegressor, AttentionFCNClassifier
from skser.neural_network._net import SequenceNet

# Four epochs are too few for some of the networks.
pytestmark = pytest.mark.filterwarnings("ignore:In its last epoch")

SMALL = {"device": "cpu", "n_threads": 1, "random_state": 0, "max_epochs": 4}


class Killed(Exception):
    pass


@pytest.fixture
def epochs(monkeypatch):
    """Count trained epochs; ``epochs.kill_in = 3`` aborts a training within the third."""

    class Epochs:
        n = 0
        kill_in = None

    begin = SequenceNet.on_epoch_begin

    def counted(net, *args, **kwargs):
        Epochs.n += 1
        if Epochs.n == Epochs.kill_in:
            raise Killed
        begin(net, *args, **kwargs)

    monkeypatch.setattr(SequenceNet, "on_epoch_begin", counted)
    return Epochs


def killed_and_resumed(epochs, kill_in, model, *data, **groups):
    """Fit a model that is killed and resumed, and one that is not; return both, and epochs."""
    epochs.kill_in = kill_in
    with pytest.raises(Killed):
        clone(model).fit(*data, **groups)
    epochs.n, epochs.kill_in = 0, None
    resumed = clone(model).fit(*data, **groups)
    n_resumed, epochs.n = epochs.n, 0
    parameter = "estimator__checkpoint_dir" if hasattr(model, "estimator") else "checkpoint_dir"
    undisturbed = clone(model).set_params(**{parameter: None}).fit(*data, **groups)
    return resumed, undisturbed, n_resumed, epochs.n


def assert_same(model, other):
    model, other = (getattr(fitted, "estimator_", fitted) for fitted in (model, other))
    one, two = (fitted.net_.module_.state_dict() for fitted in (model, other))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert model.history_[:, "train_loss"] == other.history_[:, "train_loss"]


def test_trainings_killed_at_random_moments_end_with_the_same_weights():
    found = killed_training.run(1, seed=1, systems=("attention-fcn",))
    assert found["kills"] == 1
    assert found["equal"] == found["trainings"] > 0


def test_completed_epochs_are_not_trained_again(tmp_path, epochs, mels, corpus):
    model = AttentionFCNClassifier(**SMALL, checkpoint_dir=tmp_path)
    resumed, undisturbed, *counts = killed_and_resumed(epochs, 4, model, mels, corpus.target)
    assert counts == [1, 4]
    assert_same(resumed, undisturbed)
    assert resumed.n_iter_ == 4


def test_a_finished_training_is_loaded_without_an_epoch(tmp_path, epochs, mels, corpus):
    model = AttentionFCNClassifier(**SMALL, checkpoint_dir=tmp_path).fit(mels, corpus.target)
    epochs.n = 0
    assert_same(clone(model).fit(mels, corpus.target), model)
    assert epochs.n == 0


def test_early_stopping_resumes_with_its_patience_and_best_weights(tmp_path, epochs, mels, corpus):
    model = AttentionFCNClassifier(
        early_stopping=True, n_iter_no_change=2, validation_fraction=0.3, learning_rate=0.1,
        checkpoint_dir=tmp_path, **SMALL | {"max_epochs": 12},
    )  # fmt: skip
    data = (mels, corpus.target)
    resumed, undisturbed, *_ = killed_and_resumed(epochs, 3, model, *data, groups=corpus.speakers)
    assert undisturbed.n_iter_ < 12
    assert resumed.n_iter_ == undisturbed.n_iter_
    assert_same(resumed, undisturbed)


@pytest.mark.parametrize("kill_in", [2, 5])
def test_both_stages_of_a_transfer_are_resumed(tmp_path, epochs, mels, corpus, kill_in):
    source = AttentionFCNClassifier(**SMALL).fit(mels, corpus.target)
    epochs.n = 0
    network = AttentionFCNClassifier(**SMALL, checkpoint_dir=tmp_path)
    model = TransferClassifier(network, source, strategy="two-stage", head_epochs=3)
    resumed, undisturbed, *counts = killed_and_resumed(epochs, kill_in, model, mels, corpus.target)
    assert counts == [7 - (kill_in - 1), 7]
    assert_same(resumed, undisturbed)


def test_the_phases_of_the_adversarial_network_are_resumed(tmp_path, epochs):
    random = np.random.RandomState(0)
    X, y = random.randn(50, 6), random.randn(50, 2)
    y[::3] = np.nan
    model = AdversarialAERegressor(batch_size=8, checkpoint_dir=tmp_path, **SMALL)
    resumed, undisturbed, *counts = killed_and_resumed(epochs, 3, model, X, y)
    assert counts == [2, 4]
    assert_same(resumed, undisturbed)
    assert np.array_equal(resumed.predict(X), undisturbed.predict(X))


def test_schedulers_of_the_user_are_resumed(tmp_path, epochs, mels, corpus):
    halved = LRScheduler(policy=StepLR, step_size=1, gamma=0.5)
    model = AttentionFCNClassifier(
        callbacks=[halved], learning_rate_schedule="constant", checkpoint_dir=tmp_path, **SMALL
    )
    resumed, undisturbed, *_ = killed_and_resumed(epochs, 3, model, mels, corpus.target)
    assert_same(resumed, undisturbed)


class MovingAverage(Callback):
    """Callback that lowers the learning rate by recent losses, which it stores in an array."""

    def on_train_begin(self, net, **kwargs):
        self.losses_ = np.zeros(3)

    def on_epoch_end(self, net, **kwargs):
        self.losses_ = np.append(self.losses_[1:], net.history[-1, "train_loss"])
        net.optimizer_.param_groups[0]["lr"] *= float(np.exp(-self.losses_.mean()))


def test_arrays_of_callbacks_are_resumed(tmp_path, epochs, mels, corpus):
    model = AttentionFCNClassifier(
        callbacks=[MovingAverage()],
        learning_rate_schedule="constant",
        checkpoint_dir=tmp_path,
        **SMALL,
    )
    resumed, undisturbed, *_ = killed_and_resumed(epochs, 3, model, mels, corpus.target)
    assert_same(resumed, undisturbed)


class Keeper(Callback):
    def on_train_begin(self, net, **kwargs):
        self.seen_ = {1, 2}


def test_attributes_that_a_checkpoint_cannot_store_are_named(tmp_path, mels, corpus):
    settings = SMALL | {"max_epochs": 1}
    model = AttentionFCNClassifier(callbacks=[Keeper()], checkpoint_dir=tmp_path, **settings)
    with pytest.warns(UserWarning, match=r"does not store Keeper\.seen_, of type set"):
        model.fit(mels, corpus.target)


def test_unfinished_files_are_removed_after_an_hour(tmp_path, mels, corpus):
    model = AttentionFCNClassifier(**SMALL | {"max_epochs": 1}, checkpoint_dir=tmp_path)
    model.fit(mels, corpus.target)
    (file,) = tmp_path.iterdir()
    old, new = (tmp_path / f".{file.name}.{name}.part" for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    clone(model).fit(mels, corpus.target)
    assert sorted(tmp_path.iterdir()) == sorted([file, new])


def test_one_folder_serves_many_trainings(tmp_path, mels, corpus):
    model = AttentionFCNClassifier(**SMALL | {"max_epochs": 1}, checkpoint_dir=tmp_path)
    half = np.arange(len(mels)) % 2 == 0
    model.fit(mels, corpus.target)
    model.fit(mels[half], corpus.target[half])
    model.fit(mels[~half], corpus.target[~half])
    clone(model).set_params(dropout=0.1).fit(mels, corpus.target)
    clone(model).set_params(verbose=0).fit(mels, corpus.target)  # reuses the first file
    assert len(os.listdir(tmp_path)) == 4


def test_a_fitted_model_does_not_hold_the_training_state(tmp_path, mels, corpus):
    model = AttentionFCNClassifier(**SMALL | {"max_epochs": 1}, checkpoint_dir=tmp_path)
    plain = len(pickle.dumps(clone(model).set_params(checkpoint_dir=None).fit(mels, corpus.target)))
    assert len(pickle.dumps(model.fit(mels, corpus.target))) < plain + 1000


def test_a_checkpoint_requires_an_int_seed(tmp_path, mels, corpus):
    model = AttentionFCNClassifier(checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match=r"checkpoint_dir needs random_state to be an int.*None"):
        model.fit(mels, corpus.target)


def test_a_damaged_checkpoint_is_named(tmp_path, mels, corpus):
    model = AttentionFCNClassifier(**SMALL | {"max_epochs": 1}, checkpoint_dir=tmp_path)
    model.fit(mels, corpus.target)
    (file,) = tmp_path.iterdir()
    state = torch.load(file, weights_only=True)

    def refused():
        with pytest.raises(ValueError, match=rf"The checkpoint {file} is damaged; delete it"):
            clone(model).fit(mels, corpus.target)

    file.write_bytes(file.read_bytes()[:-500])
    refused()
    for key in state:
        torch.save({name: value for name, value in state.items() if name != key}, file)
        refused()
    state["optimizers"][0]["state"][0]["exp_avg"] = torch.zeros(1)
    torch.save(state, file)
    refused()


def test_a_full_disk_is_reported_and_the_last_epoch_is_kept(tmp_path, mels, corpus, monkeypatch):
    model = AttentionFCNClassifier(**SMALL, checkpoint_dir=tmp_path)
    written = []

    def full(descriptor):
        written.append(descriptor)
        if len(written) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="could not be written: No space left on device"):
        model.fit(mels, corpus.target)
    assert [file.suffix for file in tmp_path.iterdir()] == [".pt"]
    resumed = clone(model).fit(mels, corpus.target)
    assert_same(resumed, clone(model).set_params(checkpoint_dir=None).fit(mels, corpus.target))


class Interrupt(Callback):
    """Callback that raises KeyboardInterrupt within a batch or at the end of an epoch."""

    def __init__(self, place):
        self.place = place

    def on_batch_end(self, net, **kwargs):
        if self.place == "batch" and len(net.history) == 2:
            raise KeyboardInterrupt

    def on_epoch_end(self, net, **kwargs):
        if self.place == "epoch" and len(net.history) == 2:
            raise KeyboardInterrupt


def test_ctrl_c_reaches_the_caller_and_leaves_the_model_unfitted(mels, corpus):
    model = AttentionFCNClassifier(callbacks=[Interrupt("batch")], **SMALL)
    with pytest.raises(KeyboardInterrupt):
        model.fit(mels, corpus.target)
    assert not hasattr(model, "net_")


def test_after_ctrl_c_the_training_resumes_from_its_checkpoint(
    tmp_path, epochs, monkeypatch, mels, corpus
):
    model = AttentionFCNClassifier(checkpoint_dir=tmp_path, **SMALL)
    with monkeypatch.context() as patch:
        step = SequenceNet.train_step

        def interrupted(net, *args, **kwargs):
            if epochs.n == 3:
                raise KeyboardInterrupt
            return step(net, *args, **kwargs)

        patch.setattr(SequenceNet, "train_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(mels, corpus.target)
    epochs.n = 0
    model.fit(mels, corpus.target)
    assert epochs.n == 2
    assert_same(model, clone(model).set_params(checkpoint_dir=None).fit(mels, corpus.target))


def test_a_callback_may_end_a_training(mels, corpus):
    model = AttentionFCNClassifier(callbacks=[Interrupt("epoch")], **SMALL)
    assert model.fit(mels, corpus.target).n_iter_ == 2


def test_a_pickle_without_a_newer_parameter_still_works(mels, corpus):
    model = AttentionFCNClassifier(**SMALL | {"max_epochs": 1}).fit(mels, corpus.target)
    state = model.__getstate__()
    del state["checkpoint_dir"]
    old = AttentionFCNClassifier.__new__(AttentionFCNClassifier)
    old.__setstate__(state)
    assert old.checkpoint_dir is None
    assert np.array_equal(old.predict_proba(mels), model.predict_proba(mels))
    assert_same(clone(old).fit(mels, corpus.target), model)


def test_a_transfer_to_other_classes_is_another_training(tmp_path, mels, corpus):
    settings = {"max_epochs": 2, "device": "cpu", "random_state": 0}
    names = dict(zip(np.unique(corpus.target), "abcdefgh", strict=False))
    as_letters = np.array([names[label] for label in corpus.target])
    source = AttentionFCNClassifier(**settings).fit(mels, as_letters)
    network = AttentionFCNClassifier(checkpoint_dir=tmp_path, **settings)
    TransferClassifier(network, source).fit(mels, corpus.target)
    resumed = TransferClassifier(network, source).fit(mels, as_letters)
    fresh = TransferClassifier(AttentionFCNClassifier(**settings), source).fit(mels, as_letters)
    np.testing.assert_array_equal(resumed.predict_proba(mels), fresh.predict_proba(mels))
