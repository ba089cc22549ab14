"""Weights taken over from another fitted network: in one stage or two, at rates of their own."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from skorch.callbacks import Callback

from skser.neural_network import (
    AdversarialAEClassifier,
    AdversarialAERegressor,
    AttentionFCNClassifier,
    AttentionFCNRegressor,
    AttentionRNNClassifier,
    AttentionRNNRegressor,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning",
    "ignore:.*(reconstruct|discriminat|style|latent):sklearn.exceptions.ConvergenceWarning",
)
EXACT = {"device": "cpu", "n_threads": 1, "random_state": 0}
CLASSIFIERS = [AttentionFCNClassifier, AttentionRNNClassifier, AdversarialAEClassifier]
REGRESSORS = [AttentionFCNRegressor, AttentionRNNRegressor, AdversarialAERegressor]


def weights(model):
    return {k: v.clone() for k, v in model.net_.module_.named_parameters()}


class Watch(Callback):
    """Weights at the end of each epoch, and the rates of the last batch."""

    def __init__(self, log):
        self.log = log

    def __deepcopy__(self, memo):
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
def test_two_stages_to_other_classes(cls, mels, corpus):
    source = cls(max_epochs=2, **EXACT).fit(mels, corpus.speakers)
    before, log = weights(source), []
    two = {"transfer": "two-stage", "head_epochs": 2}
    model = cls(max_epochs=3, initialize_from=source, callbacks=[Watch(log)], **two, **EXACT)
    model.fit(mels, corpus.target)
    assert len(log) == model.n_iter_ == 5
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
    assert all(p.requires_grad for p in model.net_.module_.parameters())


@pytest.mark.parametrize("cls", CLASSIFIERS + REGRESSORS)
def test_one_stage_at_rates_of_their_own(cls, mels, corpus):
    y = corpus.target if cls in CLASSIFIERS else corpus.frame["activation"]
    source = cls(max_epochs=1, **EXACT).fit(mels, y)
    log = []
    model = cls(
        max_epochs=2, transfer="single-stage", transfer_rate=0.01, initialize_from=source,
        learning_rate_schedule="constant", callbacks=[Watch(log)], **EXACT,
    ).fit(mels, y)  # fmt: skip
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


def test_a_clone_keeps_what_the_weights_come_from(mels, corpus):
    source = AttentionRNNClassifier(max_epochs=1, **EXACT).fit(mels, corpus.speakers)
    model = AttentionRNNClassifier(
        max_epochs=1, head_epochs=1, n_hidden=64, initialize_from=source, **EXACT
    )
    assert clone(model).initialize_from is source
    scores = cross_val_score(model, mels, corpus.target, groups=corpus.speakers, cv=GroupKFold(2))
    assert len(scores) == 2


def test_the_head_of_other_classes_is_not_taken_over(mels, corpus):
    y = np.where(corpus.target == "anger", "a", "b")
    source = AttentionFCNClassifier(max_epochs=2, **EXACT).fit(mels, y)
    kwargs = {"max_epochs": 1, "head_epochs": 1, "learning_rate": 1e-9, "weight_decay": 0.0}
    same = AttentionFCNClassifier(initialize_from=source, **kwargs, **EXACT).fit(mels, y)
    other = AttentionFCNClassifier(initialize_from=source, **kwargs, **EXACT).fit(
        mels, np.char.add(y, "!")
    )
    theirs, ours, others = (weights(m)["output.weight"] for m in (source, same, other))
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert (others - theirs).abs().max() > 1e-3


def test_a_regressor_lends_its_layers_to_a_classifier(mels, corpus):
    source = AttentionFCNRegressor(pool_sizes=(2, 2, 2, 1), max_epochs=1, **EXACT)
    source.fit(mels, corpus.frame[["valence", "activation"]])
    model = AttentionFCNClassifier(
        max_epochs=1, learning_rate=1e-9, initialize_from=source, **EXACT
    ).fit(mels, corpus.target)
    theirs, ours = weights(source), weights(model)
    assert all(
        np.allclose(ours[k].detach(), theirs[k].detach(), atol=1e-6)
        for k in ours
        if not k.startswith("output")
    )


def test_more_epochs_only_where_weights_were_taken_over(mels, corpus):
    model = AttentionRNNClassifier(max_epochs=2, transfer="two-stage", head_epochs=3, **EXACT)
    assert clone(model).fit(mels, corpus.target).n_iter_ == 2
    source = clone(model).fit(mels, corpus.speakers)
    model.set_params(initialize_from=source, warm_start=True)
    assert model.fit(mels, corpus.target).n_iter_ == 5
    assert model.fit(mels, corpus.target).n_iter_ == 7


def test_transfer_helps_where_labels_are_few(mels, corpus):
    """From the speakers' emotions to those of a speaker with two utterances of each."""
    new = corpus.speakers == np.unique(corpus.speakers)[0]
    source = AttentionFCNClassifier(max_epochs=40, **EXACT).fit(
        mels[np.flatnonzero(~new)], corpus.target[~new]
    )
    rows = np.flatnonzero(new)
    _, first = np.unique(corpus.target[rows], return_index=True)
    few, rest = rows[first], np.delete(rows, first)
    scores = [
        AttentionFCNClassifier(max_epochs=20, initialize_from=start, **EXACT)
        .fit(mels[few], corpus.target[few])
        .score(mels[rest], corpus.target[rest])
        for start in (None, source)
    ]
    assert scores[1] >= scores[0] + 0.2
