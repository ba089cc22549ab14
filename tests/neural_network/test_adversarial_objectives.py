"""Objectives of the adversarial autoencoder beyond the phases of the paper."""

import contextlib
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skser.compose import AdaptedClassifier
from skser.neural_network import (
    AdversarialAEClassifier,
    AdversarialAERegressor,
    _adversarial_training,
)
from skser.neural_network._adversarial_batches import (
    SpeakerStatistics,
    matching_statistics,
    shrunk,
)
from skser.neural_network._adversarial_objectives import agreement_loss, tilt
from skser.neural_network._adversarial_parameters import OBJECTIVES
from skser.persistence import load, save
from skser.sequences import Sequences, as_sequences
from tests.support.made_up import EXACT, TWIN

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
SPEAKERS = {
    "speaker_swap": 0.5,
    "centered_share": 0.5,
    "pseudo_labels": 1.0,
    "warm_up": 0.3,
}


def speakers_and_classes(n_speakers=12, n_each=40, n_columns=20, seed=0):
    """Make classes that are small beside the differences of speakers along six directions."""
    random = np.random.RandomState(seed)
    groups = np.repeat(np.arange(n_speakers), n_each)
    y = np.tile(np.arange(n_each) % 4, n_speakers)
    X = random.randn(4, n_columns)[y] + random.randn(n_speakers, 6)[groups] @ (
        1.5 * random.randn(6, n_columns)
    )
    X += 1.2 * random.randn(len(y), n_columns)
    return (X / X.std()).astype(np.float32), y, groups


@pytest.fixture(scope="module")
def few_labels():
    X, y, groups = speakers_and_classes(40, 20)
    random = np.random.RandomState(0)
    hidden = np.where(random.rand(len(y)) < 0.1, y, -1)
    return X, y, hidden, groups


@pytest.fixture(scope="module")
def two_corpora():
    """Make labeled speech, and unlabeled speech with another mean and spread of columns."""
    X, y, groups = speakers_and_classes(16, 20, seed=1)
    random = np.random.RandomState(2)
    other = speakers_and_classes(32, 20, seed=1)[0]
    other = other * random.uniform(0.5, 3, 20) + 3 * random.randn(20)
    train = groups < 10
    both = np.concatenate([X[train], other]).astype(np.float32)
    labels = np.concatenate([y[train], np.full(len(other), -1)])
    return both, labels, X[~train], y[~train]


class TestSpeakers:
    def test_knowing_the_speakers_helps_with_strangers(self, few_labels):
        X, y, hidden, groups = few_labels
        train = groups < 20
        settings = {"unlabeled": -1, "max_epochs": 30, **TWIN, **EXACT}
        twin = AdversarialAEClassifier(**settings).fit(X[train], hidden[train])
        model = AdversarialAEClassifier(objectives=SPEAKERS, **settings).fit(
            X[train], hidden[train], groups=groups[train]
        )
        score = twin.score(X[~train], y[~train])
        assert score < 0.8
        assert model.score(X[~train], y[~train]) > score + 0.05

    @pytest.mark.parametrize("scaling", [False, True])
    def test_utterances_of_strangers_help_further(self, few_labels, scaling):
        X, y, hidden, groups = few_labels
        train = groups < 20
        network = AdversarialAEClassifier(
            objectives=SPEAKERS | {"speaker_scaling": scaling}, unlabeled=-1, max_epochs=30,
            **TWIN, **EXACT,
        )  # fmt: skip
        table = pd.DataFrame(X).add_prefix("x").assign(speaker=groups)
        model = AdaptedClassifier(make_pipeline(StandardScaler(), network), setting="speaker")
        model.fit(table[train], hidden[train], groups=groups[train])
        test = table[~train]
        blind = model.estimator_.score(test.drop(columns="speaker"), y[~train])
        assert model.score(test, y[~train]) > blind + 0.05

    @pytest.mark.parametrize("objectives", [{"speaker_swap": 0.5}, {"pseudo_labels": 1.0}])
    def test_missing_speakers_are_reported(self, few_labels, objectives):
        X, _, hidden, _ = few_labels
        model = AdversarialAEClassifier(objectives=objectives, unlabeled=-1, **EXACT)
        with pytest.raises(ValueError, match="needs the speakers; pass them to fit as groups"):
            model.fit(X, hidden)

    def test_the_view_of_the_utterance_itself_needs_no_speakers(self, few_labels):
        X, _, hidden, _ = few_labels
        objectives = {"consistency": 1.0, "view": "same"}
        model = AdversarialAEClassifier(
            objectives=objectives, unlabeled=-1, max_epochs=2, **TWIN, **EXACT
        ).fit(X, hidden)
        assert model.history_[-1]["agreement_loss"] > 0

    def test_passes_of_the_teacher_leave_no_trace_in_running_statistics(self, monkeypatch):
        X = as_sequences(np.random.RandomState(0).randn(16, 20, 8).astype(np.float32))
        y = np.resize(["a", "b", "u", "u"], 16)

        def weights():
            model = AdversarialAEClassifier(
                objectives={"consistency": 1.0, "view": "same", "match_statistics": False},
                unlabeled="u", max_epochs=2, batch_size=8, filters=(4, 4), **EXACT,
            ).fit(X, y)  # fmt: skip
            return model.net_.module_.state_dict()

        @contextlib.contextmanager
        def restored(module):
            before = {name: buffer.clone() for name, buffer in module.named_buffers()}
            yield
            for name, buffer in module.named_buffers():
                buffer.copy_(before[name])

        found = weights()
        monkeypatch.setattr(_adversarial_training, "untracked", restored)
        torch.testing.assert_close(found, weights(), rtol=0, atol=0)

    def test_partial_fit_cannot_take_speakers(self, few_labels):
        X, y, _, _ = few_labels
        model = AdversarialAEClassifier(objectives={"speaker_swap": 0.5}, **EXACT)
        with pytest.raises(ValueError, match="partial_fit does not take"):
            model.partial_fit(X, y)

    def test_a_swap_shifts_by_the_difference_of_two_means(self):
        X, _, groups = speakers_and_classes(3, 20)
        means = SpeakerStatistics(as_sequences(X[:, None]), groups, "cpu")
        rows = torch.arange(60)
        x, lengths = torch.from_numpy(X)[:, None, None], torch.ones(60, dtype=int)
        swapped = means.swapped(x, lengths, rows, 1.0, torch.Generator().manual_seed(0))
        shift = (swapped - x)[:, 0, 0]
        own = torch.from_numpy(np.array([X[groups == g].mean(axis=0) for g in range(3)]))
        nearest = torch.cdist(shift + own[groups], own).min(dim=1)
        assert nearest.values.max() < 5e-3  # cdist rounds
        assert len(set(nearest.indices.tolist())) == 3
        centered = means.centered(x, lengths, rows)[:, 0, 0].numpy()
        for g in range(3):
            np.testing.assert_allclose(
                centered[groups == g].mean(axis=0), own.mean(dim=0), atol=1e-5
            )

    def test_scaling_gives_the_deviations_of_another_speaker_too(self):
        X, _, groups = speakers_and_classes(3, 200)
        X = (X * np.array([[1.0], [2.0], [0.5]])[groups]).astype(np.float32)
        X[:, 0] = 5.0
        statistics = SpeakerStatistics(as_sequences(X[:, None]), groups, "cpu", scaling=True)
        rows = torch.arange(600)
        x, lengths = torch.from_numpy(X)[:, None, None], torch.ones(600, dtype=int)
        centered = statistics.centered(x, lengths, rows)[:, 0, 0].numpy()
        spread = np.sqrt(np.mean([X[groups == g].var(axis=0) for g in range(3)], axis=0))
        for g in range(3):
            own = centered[groups == g]
            np.testing.assert_allclose(own.mean(axis=0), statistics.center, atol=1e-4)
            # 199 of 203 parts of a variance are the speaker's own.
            np.testing.assert_allclose(own.std(axis=0), spread, rtol=0.1, atol=1e-6)
        swapped = statistics.swapped(x, lengths, rows, 1.0, torch.Generator().manual_seed(0))
        drawn = torch.randint(3, (600,), generator=torch.Generator().manual_seed(0)).numpy()
        means = np.array([X[groups == g].mean(axis=0) for g in range(3)])
        deviations = statistics.deviations.numpy()
        ratio = np.divide(
            deviations[drawn], deviations[groups], where=deviations[groups] > 0,
            out=np.ones_like(X),
        )  # fmt: skip
        expected = (X - means[groups]) * ratio + means[drawn]
        np.testing.assert_allclose(swapped[:, 0, 0], expected, atol=1e-4)

    def test_scaling_leaves_utterances_that_are_not_chosen(self):
        X, _, groups = speakers_and_classes(3, 20)
        statistics = SpeakerStatistics(as_sequences(X[:, None]), groups, "cpu", scaling=True)
        x, lengths = torch.from_numpy(X)[:, None, None], torch.ones(60, dtype=int)
        generator = torch.Generator().manual_seed(0)
        moved = statistics.centered(x, lengths, torch.arange(60), 0.5, generator)
        same = (moved == x).all(dim=3).flatten()
        chosen = torch.rand(60, 1, generator=torch.Generator().manual_seed(0)) < 0.5
        assert torch.equal(same, ~chosen[:, 0])

    def test_variances_of_few_utterances_are_shrunk(self):
        variances = np.array([[0.0, 2.0], [3.0, 4.0]])
        expected = [[2.5, 11 / 3], [2.75, (4 + 11 / 3) / 2]]
        np.testing.assert_allclose(shrunk(variances, np.array([1, 5])), expected)

    def test_padding_stays_zero(self):
        frames = Sequences.from_list([np.ones((n, 2), np.float32) * n for n in (1, 3)])
        means = SpeakerStatistics(frames, ["a", "b"], "cpu")
        x = torch.zeros(2, 1, 4, 2)
        lengths, rows = torch.tensor([1, 3]), torch.tensor([0, 1])
        centered = means.centered(x, lengths, rows)[:, 0, :, 0]
        assert centered.tolist() == [[1, 0, 0, 0], [-1, -1, -1, 0]]

    def test_early_stopping_keeps_speakers_and_utterances_together(self, few_labels, monkeypatch):
        X, _, hidden, groups = few_labels
        seen = []
        init = SpeakerStatistics.__init__

        def spy(means, sequences, speakers, *others):
            init(means, sequences, speakers, *others)
            rows = sequences.values[sequences.starts]
            seen.append((rows, np.asarray(speakers)))

        monkeypatch.setattr(SpeakerStatistics, "__init__", spy)
        AdversarialAEClassifier(
            objectives=SPEAKERS,
            unlabeled=-1,
            max_epochs=1,
            early_stopping=True,
            validation_fraction=0.34,
            **EXACT,
        ).fit(X, hidden, groups=groups)
        rows, speakers = seen[0]
        assert len(rows) < len(X)
        of_row = {row.tobytes(): g for row, g in zip(X, groups, strict=True)}
        assert [of_row[row.tobytes()] for row in rows] == speakers.tolist()

    def test_the_speakers_are_not_part_of_the_model(self, few_labels, tmp_path):
        X, _, hidden, groups = few_labels
        model = AdversarialAEClassifier(objectives=SPEAKERS, unlabeled=-1, max_epochs=1, **EXACT)
        model.fit(X, hidden, groups=groups)
        assert not any("groups" in name for name in vars(model))
        save(model, tmp_path / "model.skser")
        loaded = load(tmp_path / "model.skser")
        assert loaded.objectives == SPEAKERS
        np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))

    def test_a_resumed_training_equals_one_in_one_go(self, few_labels, tmp_path):
        class Stop(Callback):
            def on_epoch_end(self, net, **kwargs):
                if len(net.history) == 2:
                    raise RuntimeError("stop")

        X, _, hidden, groups = few_labels
        model = AdversarialAEClassifier(objectives=SPEAKERS, unlabeled=-1, max_epochs=4, **EXACT)
        expected = clone(model).fit(X, hidden, groups=groups).predict_proba(X)
        model.set_params(checkpoint_dir=tmp_path)
        with pytest.raises(RuntimeError, match="stop"):
            clone(model).set_params(callbacks=[Stop()]).fit(X, hidden, groups=groups)
        resumed = model.fit(X, hidden, groups=groups).predict_proba(X)
        np.testing.assert_array_equal(resumed, expected)

    def test_frames_and_regressors_work(self):
        X, y, groups = speakers_and_classes(4, 16)
        frames = Sequences.from_list([np.tile(x, (5 + i % 3, 1)) for i, x in enumerate(X)])
        model = AdversarialAEClassifier(objectives=SPEAKERS, max_epochs=2, **EXACT)
        assert np.isfinite(model.fit(frames, y, groups=groups).predict_proba(frames)).all()
        targets = y.astype(float)
        targets[::2] = np.nan
        regressor = AdversarialAERegressor(objectives=SPEAKERS, max_epochs=2, **EXACT)
        regressor.fit(X, targets, groups=groups)
        assert regressor.history_[-1]["agreement_loss"] > 0


class TestOptions:
    def test_the_defaults_change_nothing(self, few_labels):
        X, _, hidden, groups = few_labels
        model = AdversarialAEClassifier(unlabeled=-1, max_epochs=2, **EXACT)
        plain = model.fit(X, hidden).predict_proba(X)
        explicit = clone(model).set_params(objectives=OBJECTIVES)
        np.testing.assert_array_equal(
            explicit.fit(X, hidden, groups=groups).predict_proba(X), plain
        )

    @pytest.mark.parametrize(
        ("objectives", "message"),
        [
            ({"swap": 1}, r"unknown names: \['swap'\]"),
            ({"speaker_swap": 2}, r"objectives\['speaker_swap'\]=2 must be a number from 0 to 1"),
            ({"consistency": -1}, "must be a nonnegative number"),
            ({"speaker_scaling": "sd"}, r"'speaker_scaling'\]='sd' must be True or False"),
            ({"view": "both"}, r"must be one of \('centered', 'same'\)"),
            ({"n_discriminator_updates": 0}, "an integer of at least 1"),
        ],
    )
    def test_wrong_objectives_are_named(self, few_labels, objectives, message):
        X, y, _, _ = few_labels
        with pytest.raises(ValueError, match=message):
            AdversarialAEClassifier(objectives=objectives, **EXACT).fit(X, y)

    def test_a_warm_up_starts_with_small_generator_steps(self, few_labels):
        X, y, _, _ = few_labels
        shared = {"max_epochs": 1, "reconstruction_weight": 0.0, "supervised_weight": 0.0, **EXACT}
        shared["learning_rate_schedule"] = "constant"

        def distance(objectives):
            model = AdversarialAEClassifier(objectives=objectives, **shared)
            trained = model.fit(X, y).net_.module_.encoder.layers[0][0].weight
            start = AdversarialAEClassifier(**shared).set_params(adversarial_weight=0.0)
            return (trained - start.fit(X, y).net_.module_.encoder.layers[0][0].weight).norm()

        assert 0.2 < distance({"warm_up": 1.0}) / distance(None) < 0.8

    def test_class_shares_are_matched(self):
        random = torch.Generator().manual_seed(0)
        logits = torch.randn(500, 3, generator=random) + torch.tensor([2.0, 0.0, 0.0])
        shares = torch.tensor([0.2, 0.5, 0.3])
        tilted = torch.softmax(logits, dim=1) * tilt(torch.softmax(logits, dim=1), shares, 100)
        tilted = tilted / tilted.sum(dim=1, keepdim=True)
        torch.testing.assert_close(tilted.mean(dim=0), shares, atol=0.01, rtol=0)

    def test_unsure_pseudo_labels_do_not_count(self):
        objectives = OBJECTIVES | {"pseudo_labels": 1.0, "threshold": 0.9}
        outputs = torch.zeros(2, 2)
        wanted = torch.tensor([[3.0, 0.0], [0.5, 0.0]])  # 95 % and 62 %
        loss = agreement_loss(outputs, wanted, None, objectives)
        torch.testing.assert_close(loss, torch.tensor(np.log(2) / 2, dtype=torch.float32))


class TestAnotherSetting:
    def test_it_does_not_collapse(self, two_corpora):
        both, labels, X, y = two_corpora
        settings = {"unlabeled": -1, "max_epochs": 15, **EXACT}
        with pytest.warns(UserWarning, match="unlabeled utterances differ from the labeled"):
            model = AdversarialAEClassifier(**settings).fit(both, labels)
        twin = AdversarialAEClassifier(**settings, **TWIN).fit(both, labels)
        assert model.score(X, y) > twin.score(X, y) - 0.05
        shares = np.bincount(model.predict(X), minlength=4) / len(X)
        assert shares.min() > 0.05

    def test_statistics_become_those_of_the_labeled(self, two_corpora):
        both, labels, _, _ = two_corpora
        sequences = as_sequences(both[:, None])
        known = labels >= 0
        matched = matching_statistics(sequences, known, True).values
        np.testing.assert_array_equal(matched[known], both[known])
        for of in (np.mean, np.std):
            np.testing.assert_allclose(
                of(matched[~known], axis=0), of(both[known], axis=0), rtol=1e-3, atol=1e-4
            )

    def test_speakers_of_one_corpus_are_left_alone(self):
        X, _, groups = speakers_and_classes(24, 20)
        sequences = as_sequences(X[:, None])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert matching_statistics(sequences, groups % 2 == 0, "auto") is sequences
            assert matching_statistics(sequences, groups >= 0, True) is sequences
