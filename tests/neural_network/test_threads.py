"""Networks in threads and in forked processes."""

import multiprocessing
import os
import queue
import threading

import numpy as np
import pytest
import torch

from skser._device import torch_threads
from skser.neural_network import (
    AdversarialAEClassifier,
    AttentionFCNClassifier,
    AttentionRNNClassifier,
)
from skser.sequences import Sequences

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
NETWORKS = [
    AttentionFCNClassifier(filters=(8, 8), strides=1, pool_sizes=2, mixup=0.2),
    AttentionRNNClassifier(n_hidden=8, n_layers=2, cell="lstm"),
    AdversarialAEClassifier(filters=(8,)),
]
EXACT = {"max_epochs": 2, "random_state": 0, "n_threads": 1, "device": "cpu"}
named = pytest.mark.parametrize("network", NETWORKS, ids=lambda n: type(n).__name__)


@pytest.fixture(scope="module")
def mels(mels):
    """Every third frame, as the tests do not depend on how well a network learns."""
    return Sequences.from_list([frames[::3] for frames in mels], mels.layout)


def fitted(network, X, y, **settings):
    return type(network)(**network.get_params() | EXACT | settings).fit(X, y)


def in_threads(function, n_threads=3):
    """Call a function in threads at the same time; return its results or raise the first error."""
    results = queue.Queue()

    def run():
        try:
            results.put(function())
        except BaseException as error:  # raised again in the main thread
            results.put(error)

    threads = [threading.Thread(target=run) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    results = [results.get() for _ in threads]
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


@named
def test_simultaneous_fits_equal_a_single_fit_bit_for_bit(network, mels, corpus):
    def probabilities():
        return fitted(network, mels, corpus.target).predict_proba(mels)

    alone = probabilities()
    for together in in_threads(probabilities):
        np.testing.assert_array_equal(together, alone)


@named
def test_a_fit_neither_uses_nor_changes_torchs_generator(network, mels, corpus):
    torch.manual_seed(1)
    first, drawn = fitted(network, mels, corpus.target), torch.rand(3)
    torch.manual_seed(1)
    torch.testing.assert_close(drawn, torch.rand(3), rtol=0, atol=0)
    second = fitted(network, mels, corpus.target)
    np.testing.assert_array_equal(first.predict_proba(mels), second.predict_proba(mels))


def test_predictions_during_a_fit_are_unchanged(mels, corpus):
    model = fitted(NETWORKS[0], mels, corpus.target)
    expected = model.predict_proba(mels)
    ended = threading.Event()

    def predict_all_the_while():
        while not ended.is_set():
            np.testing.assert_array_equal(model.predict_proba(mels), expected)

    def fit():
        try:
            fitted(NETWORKS[0], mels, corpus.target, max_epochs=5)
        finally:
            ended.set()

    jobs = queue.SimpleQueue()
    for job in (predict_all_the_while, fit):
        jobs.put(job)
    in_threads(lambda: jobs.get()(), n_threads=2)


def test_a_fitted_model_keeps_no_generator(mels, corpus):
    model = fitted(NETWORKS[0], mels, corpus.target)
    assert not hasattr(model.net_, "generator_")
    assert all("generator" not in vars(part) for part in model.net_.module_.modules())


class TestThreadCount:
    @pytest.fixture(autouse=True)
    def two(self):
        before = torch.get_num_threads()
        torch.set_num_threads(2)
        yield
        torch.set_num_threads(before)

    def test_the_number_of_threads_is_restored(self):
        with torch_threads(3):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 2

    def test_contexts_share_the_same_number_and_wait_for_another_one(self):
        order, entered, leave = [], threading.Event(), threading.Event()

        def hold():
            with torch_threads(1):
                order.append("first")
                entered.set()
                assert leave.wait(20)
                order.append("left")

        def share():
            with torch_threads(1):
                order.append("shared")

        def wait(n_threads):
            with torch_threads(n_threads):
                order.append((n_threads, torch.get_num_threads()))

        holder = threading.Thread(target=hold)
        holder.start()
        assert entered.wait(20)
        sharer = threading.Thread(target=share)
        sharer.start()
        sharer.join(20)
        waiters = [threading.Thread(target=wait, args=(n,)) for n in (3, None)]
        for waiter in waiters:
            waiter.start()
        waiters[0].join(0.3)
        assert order == ["first", "shared"]
        leave.set()
        for thread in (holder, *waiters):
            thread.join(20)
        assert order[2] == "left"
        assert sorted(order[3:], key=str) == [(3, 3), (None, 2)]

    def test_a_prediction_inside_a_fit_does_not_wait_for_itself(self):
        with torch_threads(1), torch_threads(2):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
class TestFork:
    def ask(self, function):
        """Return the result of a function in a forked child, within five seconds."""
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()
        child = context.Process(target=lambda: answers.put(function()))
        child.start()
        child.join(5)
        hangs = child.is_alive()
        child.kill()
        assert not hangs
        return answers.get()

    def test_a_model_that_has_predicted_predicts_in_a_forked_child(self, mels, corpus):
        model = fitted(NETWORKS[0], mels, corpus.target, n_threads=None)
        expected = model.predict_proba(mels)
        np.testing.assert_allclose(self.ask(lambda: model.predict_proba(mels)), expected, atol=1e-5)

    def test_a_forked_child_always_computes_with_one_thread(self, mels, corpus):
        with torch_threads(2):
            torch.rand(400, 400) @ torch.rand(400, 400)

        def in_child():
            with torch_threads(2):
                return torch.get_num_threads()

        assert self.ask(in_child) == 1
