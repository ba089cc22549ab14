"""skorch's callbacks, and the state of a model after one of them stops the training."""

import copy
import pickle
import signal

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import balanced_accuracy_score
from skorch.callbacks import BatchScoring, Callback, EarlyStopping, EpochScoring

from skser.neural_network import (
    AdversarialAEClassifier,
    AttentionFCNClassifier,
    AttentionFCNRegressor,
    AttentionRNNClassifier,
)
from skser.sequences import Sequences

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning",
    "ignore:early_stopping without groups:UserWarning",
)
EXACT = {"device": "cpu", "n_threads": 1, "random_state": 0}
CLASSIFIERS = [AttentionFCNClassifier, AttentionRNNClassifier, AdversarialAEClassifier]


@pytest.fixture(scope="module")
def mels(mels):
    """Every third frame, as the tests do not depend on how well a network learns."""
    return Sequences.from_list([frames[::3] for frames in mels], mels.layout)


class Log(Callback):
    """Callback that writes into an open file, which cannot be copied or pickled."""

    def __init__(self, file):
        self.file = file

    def on_epoch_end(self, net, **kwargs):
        self.file.write(f"{net.history[-1]['train_loss']}\n")


class Stop(Callback):
    """Callback that raises an error in the second batch of an epoch."""

    def __init__(self, error, epoch):
        self.error = error
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        self.n_ = 0

    def on_batch_end(self, net, training, **kwargs):
        self.n_ += training
        if self.n_ == 2 and len(net.history) == self.epoch:
            raise self.error


class TestScoring:
    @pytest.mark.parametrize("cls", CLASSIFIERS)
    @pytest.mark.parametrize("use_caching", [True, False])
    def test_scorers_see_classes(self, cls, use_caching, mels, corpus):
        seen = []

        def share_right(net, X, y):
            predicted = net.predict(X)
            seen.append((predicted, net.predict_proba(X).sum(axis=1)))
            return float(np.mean(predicted == y))

        scoring = [
            EpochScoring(
                "balanced_accuracy", lower_is_better=False, use_caching=use_caching, name="uar"
            ),
            EpochScoring(share_right, lower_is_better=False, use_caching=False, name="share"),
            EpochScoring("roc_auc_ovr", lower_is_better=False, use_caching=False, name="auc"),
        ]
        model = cls(
            max_epochs=2, early_stopping=True, validation_fraction=0.3, callbacks=scoring, **EXACT
        ).fit(mels, corpus.target)
        record = model.history_[-1]
        codes, sums = seen[-1]
        assert codes.dtype.kind == "i"
        assert set(codes) <= set(range(5))
        np.testing.assert_allclose(sums, 1, atol=1e-5)
        assert 0 <= record["uar"] <= 1
        assert 0 <= record["share"] <= 1
        assert 0 <= record["auc"] <= 1

    def test_the_score_equals_that_of_predictions(self, mels, corpus):
        last = EpochScoring(
            "balanced_accuracy", on_train=True, lower_is_better=False, use_caching=False
        )
        model = AttentionFCNClassifier(
            max_epochs=3, augment=None, dropout=0.0, callbacks=[last], **EXACT
        ).fit(mels, corpus.target)
        expected = balanced_accuracy_score(corpus.target, model.predict(mels))
        assert model.history_[-1]["balanced_accuracy"] == pytest.approx(expected)

    def test_single_batches_are_scored(self, mels, corpus):
        scoring = BatchScoring(
            "accuracy", on_train=True, lower_is_better=False, name="batch_accuracy"
        )
        model = AttentionFCNClassifier(max_epochs=2, callbacks=[scoring], **EXACT)
        model.fit(mels, corpus.target)
        scores = [batch["batch_accuracy"] for batch in model.history_[-1]["batches"]]
        sizes = [batch["train_batch_size"] for batch in model.history_[-1]["batches"]]
        assert len(scores) == 3  # 40 utterances in batches of 16
        assert np.multiply(scores, sizes) == pytest.approx(np.round(np.multiply(scores, sizes)))
        expected = np.average(scores, weights=sizes)
        assert model.history_[-1]["batch_accuracy"] == pytest.approx(expected)

    def test_regressors_are_scored(self, mels, corpus):
        scoring = EpochScoring("r2", on_train=True, lower_is_better=False, use_caching=False)
        model = AttentionFCNRegressor(
            max_epochs=2, augment=None, dropout=0.0, callbacks=[scoring], **EXACT
        )
        y = corpus.frame["activation"]
        model.fit(mels, y)
        assert model.history_[-1]["r2"] == pytest.approx(model.score(mels, y), abs=1e-4)


class TestSharing:
    def test_clones_share_a_callback_without_copying_it(self, mels, corpus, tmp_path):
        with open(tmp_path / "log", "w") as file:
            log = Log(file)
            model = AttentionFCNClassifier(max_epochs=2, callbacks=[log], **EXACT)
            assert clone(model).callbacks[0] is log
            assert clone(model).get_params(deep=False).keys() == model.get_params(deep=False).keys()
            clone(model).fit(mels, corpus.target)
            model.fit(mels, corpus.target)
        assert len((tmp_path / "log").read_text().split()) == 4

    def test_a_callback_that_cannot_be_pickled_is_named(self, mels, corpus, tmp_path):
        with open(tmp_path / "log", "w") as file:
            model = AttentionFCNClassifier(callbacks=[EarlyStopping(), Log(file)], **EXACT)
            with pytest.raises(
                TypeError, match=r"callbacks\[1\] of AttentionFCNC.*, a Log, cannot"
            ):
                pickle.dumps(model)
            with pytest.raises(pickle.PicklingError) as caught:
                Parallel(n_jobs=2)(delayed(clone)(model) for _ in range(2))
        assert "a Log, cannot be pickled" in str(caught.value.__cause__)
        assert "n_jobs=None" in str(caught.value.__cause__)

    def test_a_callback_of_a_local_class_reaches_other_processes(self, mels, corpus):
        class Local(Callback):
            pass

        model = AttentionFCNClassifier(max_epochs=1, callbacks=[Local()], **EXACT)
        models = Parallel(n_jobs=2)(delayed(clone)(model) for _ in range(2))
        assert type(models[0].callbacks[0]).__name__ == "Local"


class TestInterruption:
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("oh")])
    @pytest.mark.parametrize("cls", CLASSIFIERS)
    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_a_failed_training_leaves_the_model_unchanged(self, cls, method, error, mels, corpus):
        X, y = mels[::2], corpus.target[::2]
        model = cls(max_epochs=1, warm_start=True, batch_size=8, **EXACT).fit(X, y)
        model.partial_fit(X, y)
        before, n_epochs = model.predict_proba(X), len(model.history_)
        twin = pickle.loads(pickle.dumps(model))
        twin._random.set_state(model._random.get_state())
        model.set_params(callbacks=[Stop(error, epoch=n_epochs + 1)])
        with pytest.raises(type(error)):
            getattr(model, method)(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), before)
        assert len(model.history_) == model.n_iter_ == n_epochs
        # Further training is unaffected, too: optimizer, statistics and generators are restored.
        model.set_params(callbacks=())
        for each in (model, twin):
            each.partial_fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))

    def test_a_first_fit_leaves_the_estimator_unfitted(self, mels, corpus):
        model = AttentionFCNClassifier(
            max_epochs=2, batch_size=8, callbacks=[Stop(KeyboardInterrupt(), epoch=1)], **EXACT
        )
        before = copy.copy(vars(model))
        with pytest.raises(KeyboardInterrupt):
            model.fit(mels, corpus.target)
        assert vars(model) == before
        with pytest.raises(NotFittedError):
            model.predict(mels)

    def test_ctrl_c_at_the_end_of_an_epoch_is_not_early_stopping(self, mels, corpus):
        import _thread

        class Strike(Callback):
            def on_epoch_end(self, net, **kwargs):
                _thread.interrupt_main()
                for _ in range(10**6):  # the signal arrives within this loop
                    pass

        model = AttentionFCNClassifier(max_epochs=3, callbacks=[Strike()], **EXACT)
        # Jobs that a shell starts in the background ignore Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                model.fit(mels, corpus.target)
        finally:
            signal.signal(signal.SIGINT, before)
        assert not hasattr(model, "net_")

    def test_early_stopping_still_stops(self, mels, corpus):
        never = EarlyStopping(monitor="train_loss", patience=1, threshold=1e9, sink=lambda _: None)
        model = AttentionFCNClassifier(max_epochs=9, callbacks=[never], **EXACT)
        assert model.fit(mels, corpus.target).n_iter_ < 9


def test_a_warning_points_to_the_line_that_called_fit():
    X = np.zeros((20, 12, 4), np.float32)
    model = AttentionFCNClassifier(max_epochs=1, learning_rate=1e-9, **EXACT)
    with pytest.warns(ConvergenceWarning, match="for every training utterance") as caught:
        model.fit(X, np.arange(20) % 2)
    assert [warning.filename for warning in caught] == [__file__]


class TestScores:
    def test_the_softmax_of_the_decision_function_is_predict_proba(self, mels, corpus):
        model = AttentionFCNClassifier(max_epochs=2, **EXACT).fit(mels, corpus.target)
        scores = model.decision_function(mels)
        proba = model.predict_proba(mels)
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(shares, proba, rtol=1e-6)
        np.testing.assert_allclose(model.predict_log_proba(mels), np.log(proba), rtol=1e-6)

    def test_the_decision_function_of_two_classes_is_one_number(self, mels, corpus):
        y = np.where(corpus.target == "anger", "anger", "other")
        model = AttentionFCNClassifier(max_epochs=2, **EXACT).fit(mels, y)
        scores, proba = model.decision_function(mels), model.predict_proba(mels)
        assert scores.shape == (len(y),)
        np.testing.assert_allclose(scores, np.log(proba[:, 1] / proba[:, 0]), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(model.predict(mels), model.classes_[(scores > 0).astype(int)])

    def test_only_a_2d_array_sets_n_features_in(self, mels, corpus):
        model = AttentionFCNClassifier(max_epochs=1, **EXACT).fit(mels, corpus.target)
        assert not hasattr(model, "n_features_in_")
        X = np.random.RandomState(0).randn(40, 6)
        assert model.fit(X, corpus.target).n_features_in_ == 6
        assert not hasattr(model.fit(mels, corpus.target), "n_features_in_")

    def test_a_prediction_does_not_depend_on_other_rows(self):
        random = np.random.RandomState(0)
        X = random.randn(900, 3).astype(np.float32)
        model = AttentionFCNClassifier(max_epochs=1, **EXACT).fit(X, X[:, 0] > 0)
        whole = model.predict_proba(X)
        for rows in (slice(0, 1), slice(5, 400), slice(899, 900)):
            np.testing.assert_array_equal(model.predict_proba(X[rows]), whole[rows])
