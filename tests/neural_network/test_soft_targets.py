"""Soft targets: shares of raters, and of mixed utterances."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline

from skser.compose import AugmentedClassifier, SegmentedClassifier
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier, AttentionFCNRegressor
from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.neural_network._losses import SoftCrossEntropy
from skser.neural_network._mixup import Mixup
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
SMALL = {
    "filters": (6,),
    "strides": 1,
    "pool_sizes": 1,
    "max_epochs": 2,
    "augment": None,
    "device": "cpu",
    "n_threads": 1,
    "random_state": 0,
}
CLASSES = ["anger", "joy", "neutral"]


@pytest.fixture
def data():
    """Make 24 utterances of different lengths, their labels and the shares of made-up raters."""
    random = np.random.RandomState(0)
    y = np.array(CLASSES)[np.arange(24) % 3]
    arrays = [
        random.randn(random.randint(8, 20), 4) + 2 * (np.arange(24)[i] % 3) for i in range(24)
    ]
    shares = random.dirichlet((1, 1, 1), 24)
    return Sequences.from_list(arrays), y, shares


def one_hot(y):
    return (y[:, None] == np.unique(y)).astype(float)


def network(**kwargs):
    return AttentionFCNClassifier(**{**SMALL, **kwargs})


class TestLoss:
    logits = torch.tensor(np.random.RandomState(0).randn(6, 3), dtype=torch.float32)
    classes = torch.tensor([0, 1, 2, 2, 1, 0])
    weight = torch.tensor([0.5, 1.0, 2.5])

    @pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
    @pytest.mark.parametrize("weight", [None, weight], ids=["plain", "weighted"])
    def test_a_share_of_one_equals_a_label(self, weight, label_smoothing):
        loss = SoftCrossEntropy(weight, label_smoothing)
        shares = torch.nn.functional.one_hot(self.classes, 3).float()
        torch.testing.assert_close(loss(self.logits, shares), loss(self.logits, self.classes))

    @pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
    @pytest.mark.parametrize("weight", [None, weight], ids=["plain", "weighted"])
    def test_the_loss_of_a_mixture_is_the_mixture_of_losses(self, weight, label_smoothing):
        loss = SoftCrossEntropy(weight, label_smoothing)
        shares = torch.tensor([[0.2, 0.5, 0.3]])
        of_classes = [loss(self.logits[:1], torch.tensor([k])) for k in range(3)]
        expected = sum(share * part for share, part in zip(shares[0], of_classes, strict=True))
        torch.testing.assert_close(loss(self.logits[:1], shares), expected)

    def test_label_smoothing_equals_that_of_torch(self):
        shares = torch.tensor(np.random.RandomState(1).dirichlet((1, 1, 1), 6)).float()
        expected = torch.nn.functional.cross_entropy(self.logits, shares, label_smoothing=0.1)
        torch.testing.assert_close(SoftCrossEntropy(None, 0.1)(self.logits, shares), expected)


def test_one_hot_targets_train_the_same_network_as_labels(data):
    X, y, _ = data
    expected = network().fit(X, y).predict_proba(X)
    soft = network().fit(X, y, soft_targets=one_hot(y)).predict_proba(X)
    np.testing.assert_allclose(soft, expected, atol=1e-5)


def test_probabilities_approach_the_shares_of_raters():
    # Two sounds, on neither of which raters agree.
    random = np.random.RandomState(0)
    kind = np.arange(40) % 2
    X = Sequences.from_list([0.5 * random.randn(12, 4) + 4 * k for k in kind])
    y = np.array(CLASSES)[np.arange(40) % 3]  # unrelated to the sound
    shares = np.array([[0.7, 0.2, 0.1], [0.0, 0.4, 0.6]])
    model = network(max_epochs=30, label_smoothing=0.0, dropout=0.0, learning_rate=0.02)
    proba = model.fit(X, y, soft_targets=shares[kind]).predict_proba(X)
    np.testing.assert_allclose(proba, shares[kind], atol=0.08)
    assert model.classes_.tolist() == CLASSES


def test_class_weights_come_from_the_labels(data):
    X, y, shares = data
    rare = np.r_[0:24:3, 1, 2]
    model = network(class_weight="balanced", max_epochs=1)
    model.fit(X[rare], y[rare], soft_targets=shares[rare])
    weight = model.net_.criterion_.class_weight.numpy()
    counts = np.array([8, 1, 1])
    np.testing.assert_allclose(weight * counts, (weight * counts)[0], rtol=1e-6)
    np.testing.assert_allclose(weight @ counts / 10, 1, rtol=1e-6)


def test_validation_utterances_keep_their_shares(data, monkeypatch):
    X, y, shares = data
    seen = []
    forward = SoftCrossEntropy.forward

    def spy(self, logits, targets):
        if not torch.is_grad_enabled():
            seen.append(targets.numpy().copy())
        return forward(self, logits, targets)

    monkeypatch.setattr(SoftCrossEntropy, "forward", spy)
    model = network(early_stopping=True, validation_fraction=0.25, max_epochs=1, mixup=0.5)
    model.fit(X, y, soft_targets=shares, groups=np.arange(24) // 3)
    held_out = np.concatenate(seen)
    assert len(held_out) == 6
    distances = np.abs(held_out[:, None] - shares.astype(np.float32)).max(axis=2)
    assert (distances.min(axis=1) == 0).all()
    # Stratified by y: two of each class.
    assert np.bincount(distances.argmin(axis=1) % 3).tolist() == [2, 2, 2]


WRONG = [
    ("inconsistent numbers of samples", lambda s: s[:-1]),
    (r"2 columns, but AttentionFCNClassifier is expecting 3, one per class", lambda s: s[:, :2]),
    ("Expected 2D array, got 1D array", lambda s: s[:, 0]),
    (r"utterance 5 is \[-0.1, 0.6, 0.5\]", lambda s: replaced(s, 5, [-0.1, 0.6, 0.5])),
    (r"utterance 7 is .*with sum 1.2", lambda s: replaced(s, 7, [0.4, 0.4, 0.4])),
    (r"utterance 3 is \[nan", lambda s: replaced(s, 3, [np.nan, 0.5, 0.5])),
    (r"utterance 0 is \[inf", lambda s: replaced(s, 0, [np.inf, 0.0, 0.0])),
    (r"they must be \['anger', 'joy', 'neutral'\]",
     lambda s: pd.DataFrame(s, columns=["joy", "anger", "neutral"])),
    (r"columns \['a', 'b', 'c'\]; they must be", lambda s: pd.DataFrame(s, columns=list("abc"))),
]  # fmt: skip


def replaced(shares, row, values):
    shares = shares.copy()
    shares[row] = values
    return shares


@pytest.mark.parametrize(("message", "spoil"), WRONG, ids=[message for message, _ in WRONG])
def test_wrong_shares_are_described(data, message, spoil):
    X, y, shares = data
    with pytest.raises(ValueError, match=message):
        network().fit(X, y, soft_targets=spoil(shares))


def test_lists_tables_and_single_precision_are_accepted(data):
    X, y, shares = data
    expected = network().fit(X, y, soft_targets=shares).predict_proba(X)
    forms = (
        shares.tolist(),
        pd.DataFrame(shares, columns=CLASSES),
        pd.DataFrame(shares),
        shares.astype(np.float32),
    )
    for form in forms:
        np.testing.assert_array_equal(
            network().fit(X, y, soft_targets=form).predict_proba(X), expected
        )


def test_regressors_reject_soft_targets(data):
    X, _, shares = data
    with pytest.raises(TypeError, match="soft_targets"):
        AttentionFCNRegressor(max_epochs=1).fit(X, shares[:, 0], soft_targets=shares)


def test_warm_start_continues_and_a_pickle_predicts_the_same(data):
    X, y, shares = data
    model = network(warm_start=True).fit(X, y, soft_targets=shares)
    only_two = y != "joy"
    model.fit(X[only_two], y[only_two], soft_targets=shares[only_two])
    assert model.n_iter_ == 4
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


class TestRouting:
    """Soft targets that reach the network through meta-estimators."""

    @pytest.fixture
    def taught(self, monkeypatch):
        """Record the soft targets that the network gets in each fit."""
        taught = []
        check = AttentionFCNClassifier._check_soft_targets

        def spy(self, soft_targets, n_utterances):
            taught.append(np.asarray(soft_targets))
            return check(self, soft_targets, n_utterances)

        monkeypatch.setattr(AttentionFCNClassifier, "_check_soft_targets", spy)
        return taught

    def test_a_pipeline_passes_them_on(self, data, taught):
        X, y, shares = data
        pipeline = Pipeline([("scale", SequenceScaler()), ("net", network())])
        pipeline.fit(X, y, net__soft_targets=shares)
        np.testing.assert_array_equal(taught[0], shares)

    def test_cross_validation_and_search_split_them_with_the_utterances(self, data, taught):
        X, y, shares = data
        folds = [(np.arange(12), np.arange(12, 24)), (np.arange(12, 24), np.arange(12))]
        net = network(max_epochs=1)
        with sklearn.config_context(enable_metadata_routing=True):
            net.set_fit_request(soft_targets=True)
            model = make_pipeline(SequenceScaler(), net)
            cross_val_score(model, X, y, cv=folds, params={"soft_targets": shares})
            grid = {"attentionfcnclassifier__dropout": [0.0]}
            GridSearchCV(model, grid, cv=folds).fit(X, y, soft_targets=shares)
        expected = [shares[:12], shares[12:]] * 2 + [shares]
        for given, wanted in zip(taught, expected, strict=True):
            np.testing.assert_array_equal(given, wanted)

    @pytest.mark.parametrize("routing", [False, True])
    def test_windows_have_the_shares_of_their_utterance(self, data, taught, routing):
        X, y, shares = data
        with sklearn.config_context(enable_metadata_routing=routing):
            net = network(max_epochs=1)
            if routing:
                net.set_fit_request(soft_targets=True, groups=True)
            model = SegmentedClassifier(make_pipeline(SequenceScaler(), net), window=6, hop=6)
            model.fit(X, y, soft_targets=shares)
        counts = np.maximum(1, -(-X.lengths // 6))
        np.testing.assert_array_equal(taught[0], np.repeat(shares, counts, axis=0))

    def test_an_inner_search_passes_them_to_the_network(self, data, taught):
        X, y, shares = data
        search = GridSearchCV(
            make_pipeline(network(max_epochs=1)),
            {"attentionfcnclassifier__dropout": [0.0]},
            cv=GroupKFold(2),
        )
        SegmentedClassifier(search, window=50).fit(X, y, soft_targets=shares)
        assert [len(given) for given in taught] == [12, 12, 24]

    def test_copies_have_the_shares_of_their_utterance(self, corpus, taught):
        audio, y = corpus.data[:10], corpus.target[:10]
        shares = np.random.RandomState(0).dirichlet(np.ones(5), 10)
        inner = make_pipeline(MelSpectrogram(n_mels=8, deltas=0), network(max_epochs=1))
        AugmentedClassifier(
            inner, lambda s, rate, random: s[::-1], n_copies=2, input_sampling_rate=16000
        ).fit(audio, y, soft_targets=shares)
        np.testing.assert_array_equal(taught[0], np.tile(shares, (3, 1)))

    def test_an_estimator_without_soft_targets_rejects_them(self, data):
        _, y, shares = data
        X = np.random.RandomState(0).randn(24, 8)
        with pytest.raises(TypeError, match="LogisticRegression takes no soft_targets"):
            SegmentedClassifier(LogisticRegression()).fit(X, y, soft_targets=shares)


class TestMixup:
    @pytest.mark.parametrize(
        "device",
        [
            "meta",  # holds no values, but refuses to combine with tensors on the CPU
            pytest.param(
                "cuda",
                marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here"),
            ),
        ],
    )
    @pytest.mark.parametrize("targets", [np.arange(4), np.eye(4, dtype=np.float32)])
    def test_batches_are_mixed_on_the_device(self, device, targets):
        X = Sequences(np.ones((50, 3), np.float32), np.array([20, 10, 15, 5]))
        dataset = SequenceDataset(X, targets)
        for inputs, mixed in BatchIterator(dataset, 2, 0, None, Mixup(1.0, 4), device):
            assert {t.device.type for t in (*inputs.values(), mixed)} == {device}
            assert mixed.shape == (2, 4)

    @pytest.fixture
    def batch(self):
        lengths = torch.tensor([3, 5, 7, 7])
        x = torch.randn(4, 2, 7, 3, generator=torch.Generator().manual_seed(0))
        return x * (torch.arange(7) < lengths[:, None])[:, None, :, None], lengths

    def test_inputs_and_targets_are_mixed_by_the_same_shares(self, batch):
        x, lengths = batch
        before = x.clone()
        classes = torch.arange(4)  # one class each, so that a target shows who was mixed
        mixed, new_lengths, targets = Mixup(1.0, 4)(x, lengths, classes, np.random.RandomState(1))
        torch.testing.assert_close(mixed, torch.einsum("ij,jctb->ictb", targets, before))
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(4))
        assert ((targets > 0.01) & (targets < 0.99)).any()
        for i, shares in enumerate(targets):
            assert new_lengths[i] == lengths[shares > 0].max()
            assert (mixed[i, :, new_lengths[i] :] == 0).all()
        torch.testing.assert_close(x, before)

    def test_shares_of_raters_are_mixed_too(self, batch):
        x, lengths = batch
        shares = torch.tensor([[0.5, 0.5], [1.0, 0.0], [0.2, 0.8], [0.0, 1.0]])
        by_class = Mixup(1.0, 4)(x, lengths, torch.arange(4), np.random.RandomState(1))[2]
        mixed = Mixup(1.0, 2)(x, lengths, shares, np.random.RandomState(1))[2]
        torch.testing.assert_close(mixed, by_class @ shares)

    def test_a_larger_alpha_makes_mixtures_more_even(self, batch):
        x, lengths = batch

        def mean_of_larger_share(alpha):
            mixup, random = Mixup(alpha, 4), np.random.RandomState(0)
            targets = [mixup(x, lengths, torch.arange(4), random)[2] for _ in range(200)]
            return torch.cat(targets).max(dim=1).values.mean()

        assert mean_of_larger_share(0.05) > 0.95
        assert mean_of_larger_share(100.0) < 0.7

    @pytest.mark.parametrize("soft", [False, True])
    @pytest.mark.parametrize("class_weight", [None, "balanced"])
    def test_fits_are_repeatable_and_differ_without_mixup(self, data, soft, class_weight):
        X, y, shares = data
        given = {"soft_targets": shares} if soft else {}

        def outputs(**kwargs):
            model = network(class_weight=class_weight, **kwargs).fit(X, y, **given)
            return model.predict_proba(X)

        mixed = outputs(mixup=0.4)
        assert clone(network(mixup=0.4)).get_params()["mixup"] == 0.4
        np.testing.assert_array_equal(outputs(mixup=0.4), mixed)
        assert np.abs(outputs() - mixed).max() > 1e-4
        assert np.abs(outputs(mixup=0.4, random_state=1) - mixed).max() > 1e-4

    def test_classes_are_learned_from_mixed_batches(self, data):
        X, y, _ = data
        model = network(mixup=0.4, max_epochs=40, learning_rate=0.02).fit(X, y)
        assert model.score(X, y) > 0.9

    def test_partial_fit_mixes_too(self, data):
        X, y, _ = data
        plain, mixed = (network(mixup=alpha).partial_fit(X, y) for alpha in (0.0, 1.0))
        assert np.abs(plain.predict_proba(X) - mixed.predict_proba(X)).max() > 1e-4
