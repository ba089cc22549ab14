"""Transfer learning from a fitted network, in one stage or two, with separate learning rates."""

import dataclasses
import pickle

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skser.compose import AugmentedClassifier, TransferClassifier, TransferRegressor
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
from skser.sequences import Sequences

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning",
    "ignore:.*(reconstruct|discriminat|style|latent):sklearn.exceptions.ConvergenceWarning",
)
EXACT = {"device": "cpu", "n_threads": 1, "random_state": 0}
CLASSIFIERS = [AttentionFCNClassifier, AttentionRNNClassifier, AdversarialAEClassifier]
REGRESSORS = [AttentionFCNRegressor, AttentionRNNRegressor, AdversarialAERegressor]


@pytest.fixture(scope="module")
def thinned(mels):
    """Every third frame, which trains in less time."""
    return Sequences.from_list([frames[::3] for frames in mels], mels.layout)


def weights(model):
    model = getattr(model, "estimator_", model)
    return {k: v.clone() for k, v in model.net_.module_.named_parameters()}


class Watch(Callback):
    """Callback that logs the weights and their learning rates at the end of each epoch."""

    def __init__(self, log):
        self.log = log

    def __deepcopy__(self, memo):
        return type(self)(self.log)

    def __sklearn_clone__(self):
        return type(self)(self.log)

    def on_epoch_end(self, net, **kwargs):
        rates = {
            id(p): group["lr"]
            for optimizer in net.optimizers()
            for group in optimizer.param_groups
            for p in group["params"]
        }
        named = net.module_.named_parameters()
        self.log.append({k: (v.detach().clone(), rates.get(id(v))) for k, v in named})


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_two_stages_first_train_the_head_alone(cls, thinned, corpus):
    source = cls(max_epochs=2, **EXACT).fit(thinned, corpus.speakers)
    before, log = weights(source), []
    network = cls(max_epochs=3, callbacks=[Watch(log)], **EXACT)
    model = TransferClassifier(network, source, strategy="two-stage", head_epochs=2)
    model.fit(thinned, corpus.target)
    assert len(log) == model.estimator_.n_iter_ == 5
    head = {k for k in log[0] if log[0][k][1] is not None}
    assert head
    assert all(k.startswith(("output", "emotion", "discriminators", "decoder")) for k in head)
    body = [k for k in before if k not in head and before[k].ndim > 1]
    assert len(body) > 3
    for name in body:
        for epoch in log[:2]:
            np.testing.assert_array_equal(epoch[name][0], before[name].detach())
        assert (log[-1][name][0] != before[name].detach()).any()
    changed = [k for k in head if (log[0][k][0] != log[1][k][0]).any()]
    assert any(k.startswith(("output", "emotion")) for k in changed)
    assert all(p.requires_grad for p in model.estimator_.net_.module_.parameters())


@pytest.mark.parametrize("cls", CLASSIFIERS + REGRESSORS)
def test_one_stage_scales_the_learning_rate_of_transferred_layers(cls, thinned, corpus):
    y = corpus.target if cls in CLASSIFIERS else corpus.frame["activation"]
    meta = TransferClassifier if cls in CLASSIFIERS else TransferRegressor
    source = cls(max_epochs=1, **EXACT).fit(thinned, y)
    log = []
    network = cls(
        max_epochs=2, learning_rate_schedule="constant", callbacks=[Watch(log)], **EXACT
    )  # fmt: skip
    model = meta(network, source, strategy="single-stage", lr_multiplier=0.01).fit(thinned, y)
    model = model.estimator_
    assert model.n_iter_ == 2
    rates = {k: rate for k, (_, rate) in log[0].items()}
    of_classes = [k for k in rates if k.startswith("output")]
    for name, rate in rates.items():
        if rate is None or name.startswith(("discriminators", "decoder", "emotion")):
            continue
        factor = 1.0 if name in of_classes else 0.01
        if cls in (AdversarialAEClassifier, AdversarialAERegressor):
            assert rate <= model.learning_rate * factor * 1.0001
        else:
            assert rate == pytest.approx(model.learning_rate * factor)


def test_a_clone_keeps_its_source(mels, corpus):
    source = AttentionRNNClassifier(max_epochs=1, **EXACT).fit(mels, corpus.speakers)
    network = AttentionRNNClassifier(max_epochs=1, n_hidden=64, **EXACT)
    model = TransferClassifier(network, source, head_epochs=1)
    assert clone(model).source is source
    assert clone(model).estimator is not network
    scores = cross_val_score(model, mels, corpus.target, groups=corpus.speakers, cv=GroupKFold(2))
    assert len(scores) == 2


def test_the_head_is_transferred_only_to_the_same_classes(mels, corpus):
    y = np.where(corpus.target == "anger", "a", "b")
    source = AttentionFCNClassifier(max_epochs=2, **EXACT).fit(mels, y)
    network = AttentionFCNClassifier(max_epochs=1, learning_rate=1e-9, weight_decay=0.0, **EXACT)
    model = TransferClassifier(network, source, head_epochs=1)
    same = clone(model).fit(mels, y)
    other = clone(model).fit(mels, np.char.add(y, "!"))
    theirs, ours, others = (weights(m)["output.weight"] for m in (source, same, other))
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert (others - theirs).abs().max() > 1e-3


def test_a_regressor_transfers_its_layers_to_a_classifier(mels, corpus):
    source = AttentionFCNRegressor(pool_sizes=(2, 2, 2, 1), max_epochs=1, **EXACT)
    source.fit(mels, corpus.frame[["valence", "activation"]])
    network = AttentionFCNClassifier(max_epochs=1, learning_rate=1e-9, **EXACT)
    model = TransferClassifier(network, source).fit(mels, corpus.target)
    theirs, ours = weights(source), weights(model)
    assert all(
        np.allclose(ours[k].detach(), theirs[k].detach(), atol=1e-6)
        for k in ours
        if not k.startswith("output")
    )


def test_only_a_transfer_trains_additional_head_epochs(thinned, corpus):
    network = AttentionRNNClassifier(max_epochs=2, n_hidden=4, **EXACT)
    assert clone(network).fit(thinned, corpus.target).n_iter_ == 2
    source = clone(network).fit(thinned, corpus.speakers)
    network.set_params(warm_start=True)
    model = TransferClassifier(network, source, strategy="two-stage", head_epochs=3)
    assert model.fit(thinned, corpus.target).estimator_.n_iter_ == 5
    assert model.estimator_.fit(thinned, corpus.target).n_iter_ == 7
    assert model.fit(thinned, corpus.target).estimator_.n_iter_ == 5


def test_transfer_helps_if_labels_are_few(mels, corpus):
    # From three speakers to a fourth one, with one labeled utterance of each emotion.
    new = corpus.speakers == np.unique(corpus.speakers)[0]
    source = AttentionFCNClassifier(max_epochs=40, **EXACT).fit(
        mels[np.flatnonzero(~new)], corpus.target[~new]
    )
    rows = np.flatnonzero(new)
    _, first = np.unique(corpus.target[rows], return_index=True)
    few, rest = rows[first], np.delete(rows, first)
    network = AttentionFCNClassifier(max_epochs=20, **EXACT)
    scores = [
        model.fit(mels[few], corpus.target[few]).score(mels[rest], corpus.target[rest])
        for model in (network, TransferClassifier(network, source))
    ]
    assert scores[1] >= scores[0] + 0.2


SMALL = {"filters": (4, 8), "strides": 2, "pool_sizes": 1, "max_epochs": 1, **EXACT}


@pytest.fixture(scope="module")
def source(mels, corpus):
    return AttentionFCNClassifier(**SMALL).fit(mels, corpus.speakers)


class TestPipelines:
    def test_weights_are_transferred_between_the_last_steps(self, mels, corpus):
        pipeline = make_pipeline(SequenceScaler(), AttentionFCNClassifier(**SMALL))
        fitted = clone(pipeline).fit(mels, corpus.speakers)
        model = TransferClassifier(pipeline, fitted).fit(mels, corpus.target)
        X = SequenceScaler().fit_transform(mels)
        alone = TransferClassifier(pipeline[-1], fitted[-1]).fit(X, corpus.target)
        np.testing.assert_array_equal(model.predict_proba(mels), alone.predict_proba(X))
        assert not hasattr(pipeline[-1], "net_")

    def test_a_transfer_works_as_the_last_step_of_a_pipeline(self, source, mels, corpus):
        model = TransferClassifier(AttentionFCNClassifier(**SMALL), source)
        pipeline = make_pipeline(SequenceScaler(), model).fit(mels, corpus.target)
        expected = model.fit(SequenceScaler().fit_transform(mels), corpus.target)
        np.testing.assert_array_equal(
            pipeline.predict_proba(mels), expected.predict_proba(pipeline[0].transform(mels))
        )

    @pytest.mark.parametrize("routing", [False, True])
    @pytest.mark.parametrize("in_pipeline", [False, True])
    def test_groups_and_soft_targets_reach_the_network(
        self, source, mels, corpus, routing, in_pipeline, monkeypatch
    ):
        seen = []
        fit = AttentionFCNClassifier._fit
        monkeypatch.setattr(
            AttentionFCNClassifier,
            "_fit",
            lambda self, X, y, groups, soft: (
                seen.append((groups, soft)) or fit(self, X, y, groups, soft)
            ),
        )
        shares = np.eye(5)[np.unique(corpus.target, return_inverse=True)[1]]
        with sklearn.config_context(enable_metadata_routing=routing):
            network = AttentionFCNClassifier(early_stopping=True, **SMALL)
            if routing:
                network.set_fit_request(groups=True, soft_targets=True)
            inner = make_pipeline(SequenceScaler(), network) if in_pipeline else network
            model = TransferClassifier(inner, source)
            model.fit(mels, corpus.target, groups=corpus.speakers, soft_targets=shares)
        ((groups, soft),) = seen
        assert groups is corpus.speakers
        assert soft is shares

    def test_early_stopping_without_groups_warns(self, source, mels, corpus):
        network = AttentionFCNClassifier(early_stopping=True, validation_fraction=0.25, **SMALL)
        with pytest.warns(UserWarning, match="one speaker into both training and validation"):
            TransferClassifier(network, source).fit(mels, corpus.target)


def _unchanged(samples, sampling_rate, random_state):
    return samples


class TestSearches:
    def test_parameters_of_network_and_transfer_are_searched_in_two_processes(
        self, source, mels, corpus
    ):
        model = TransferClassifier(AttentionFCNClassifier(**SMALL), source, head_epochs=1)
        grid = {"strategy": ["single-stage", "two-stage"], "estimator__dropout": [0.0, 0.3]}
        search = GridSearchCV(model, grid, cv=GroupKFold(2), n_jobs=2, error_score="raise")
        search.fit(mels, corpus.target, groups=corpus.speakers)
        assert search.best_estimator_.source is source
        assert search.predict(mels).shape == (40,)

    def test_frozen_sources_can_be_searched(self, source, mels, corpus):
        sources = [FrozenEstimator(source), FrozenEstimator(clone(source).fit(mels, corpus.target))]
        model = TransferClassifier(AttentionFCNClassifier(**SMALL), source)
        search = GridSearchCV(model, {"source": sources}, cv=2, error_score="raise")
        assert search.fit(mels, corpus.target).best_params_["source"] in sources

    def test_parameters_of_the_source_are_not_parameters_of_the_transfer(self, source):
        model = TransferClassifier(AttentionFCNClassifier(**SMALL), source)
        names = set(model.get_params())
        assert {"source", "estimator__dropout"} <= names
        assert not [name for name in names if name.startswith("source__")]

    def test_audio_of_another_rate_leaves_the_source_unchanged(self, corpus):
        mel = MelSpectrogram(n_mels=16, input_sampling_rate=corpus.sampling_rate)
        pipeline = make_pipeline(mel, AttentionFCNClassifier(**SMALL))
        source = clone(pipeline).fit(corpus.data, corpus.speakers)
        model = AugmentedClassifier(
            TransferClassifier(clone(pipeline), source),
            _unchanged,
            sampling_rate=22050,
            input_sampling_rate=corpus.sampling_rate,
        )
        model.fit(corpus.data, corpus.target)
        assert source[0].input_sampling_rate == corpus.sampling_rate

    def test_a_pickle_predicts_the_same(self, source, mels, corpus):
        model = TransferClassifier(AttentionFCNClassifier(**SMALL), source)
        model.fit(mels, corpus.target)
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copy.predict_proba(mels), model.predict_proba(mels))
        assert copy.source.net_ is not None


def test_the_fitted_network_keeps_no_reference_to_the_source(source, mels, corpus):
    model = TransferClassifier(AttentionFCNClassifier(**SMALL), source).fit(mels, corpus.target)
    assert "_transfer" not in vars(model.estimator_)
    with pytest.raises(ValueError, match="0 sample"):
        model.fit(mels[:0], corpus.target[:0])
    assert "_transfer" not in vars(model.estimator_)


def test_a_transferred_network_can_be_a_source(source, mels, corpus):
    first = TransferClassifier(AttentionFCNClassifier(**SMALL), source).fit(mels, corpus.target)
    still = {**SMALL, "learning_rate": 1e-9}
    second = TransferClassifier(AttentionFCNClassifier(**still), first).fit(mels, corpus.target)
    ours, theirs = weights(second), weights(first)
    torch.testing.assert_close(ours["output.weight"], theirs["output.weight"], atol=1e-6, rtol=0)


class TestWrongInput:
    @pytest.fixture
    def network(self):
        return AttentionFCNClassifier(**SMALL)

    def test_an_unfitted_source_is_rejected(self, network, mels, corpus):
        with pytest.raises(NotFittedError, match="Call its fit first"):
            TransferClassifier(network, clone(network)).fit(mels, corpus.target)

    def test_a_missing_source_is_rejected(self, network, mels, corpus):
        with pytest.raises(ValueError, match="set source to a fitted network"):
            TransferClassifier(network, None).fit(mels, corpus.target)

    def test_a_source_without_weights_is_rejected(self, network, mels, corpus):
        with pytest.raises(ValueError, match="source=LogisticRegression has no weights"):
            TransferClassifier(network, LogisticRegression()).fit(mels, corpus.target)

    @pytest.mark.parametrize("cls", [LogisticRegression, AttentionFCNRegressor])
    def test_an_estimator_of_another_kind_is_rejected(self, cls, source, mels, corpus):
        with pytest.raises(ValueError, match=f"{cls.__name__} cannot start from copied.*classif"):
            TransferClassifier(cls(), source).fit(mels, corpus.target)

    def test_layers_of_other_shapes_are_named(self, source, mels, corpus):
        wider = AttentionFCNClassifier(**{**SMALL, "filters": (4, 16)})
        with pytest.raises(ValueError, match=r"network: blocks\.1.*the same architecture"):
            TransferClassifier(wider, source).fit(mels, corpus.target)

    def test_other_frames_than_those_of_the_source_are_warned_of(self, source, mels, corpus):
        slower = dataclasses.replace(mels.layout, hop=0.02)
        X = Sequences.from_list(mels.to_list(), slower)
        with pytest.warns(UserWarning, match=r"trained on frames 0\.01 s.*X has frames 0\.02"):
            TransferClassifier(AttentionFCNClassifier(**SMALL), source).fit(X, corpus.target)
