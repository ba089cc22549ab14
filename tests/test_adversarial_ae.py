"""The adversarial autoencoder: its phases, its twin, and what its latents hold."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Freezer

from skser.datasets import load_emodb
from skser.feature_extraction import FrameFeatures, Functionals
from skser.model_selection import SemiSupervisedSplit
from skser.neural_network import AdversarialAEClassifier, AdversarialAERegressor
from skser.neural_network import _adversarial_training as training
from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.neural_network._training import weight_groups
from skser.neural_network.modules.concordance import ConcordanceLoss, KnownSquaredError
from skser.neural_network.modules.priors import CategoricalPrior, GaussianPrior, MixturePrior
from skser.sequences import Sequences, as_sequences

# Most fits here are of one or two epochs; what is said of failed parts has its own tests.
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)

EXACT = {"device": "cpu", "n_threads": 1, "random_state": 0}
TWIN = {"reconstruction_weight": 0.0, "adversarial_weight": 0.0}


def emotion_and_style(seed=0, n=900, n_columns=30, n_classes=4, n_style=3):
    """Vectors of a small emotion factor and a large style, mixed by a rotation, and noise."""
    random = np.random.RandomState(seed)
    emotion = random.randint(n_classes, size=n)
    style = random.randn(n, n_style)
    axes = np.linalg.qr(random.randn(n_columns, n_columns))[0]
    X = 1.8 * np.eye(n_classes)[emotion] @ axes[:n_classes]
    X += 3.0 * style @ axes[n_classes : n_classes + n_style] + 0.6 * random.randn(n, n_columns)
    return (X / X.std()).astype(np.float32), emotion, style


@pytest.fixture(scope="module")
def few_labels():
    """600 training rows with 5 labels per class, and 300 rows to test on."""
    X, emotion, style = emotion_and_style()
    y = np.full(600, -1)
    for c in range(4):
        y[np.flatnonzero(emotion[:600] == c)[:5]] = c
    return X, emotion, style, y


@pytest.fixture(scope="module")
def fitted_pair(few_labels):
    X, _, _, y = few_labels
    settings = {**EXACT, "n_style": 3, "noise": 0.1, "dropout": 0.1, "max_epochs": 60}
    full = AdversarialAEClassifier(
        reconstruction_weight=1.0, adversarial_weight=0.3, unlabeled=-1, **settings
    )
    twin = AdversarialAEClassifier(**TWIN, unlabeled=-1, **settings)
    return full.fit(X[:600], y), twin.fit(X[:600], y)


class TestMadeUpProblem:
    """Few labels, many unlabelled utterances, a style that drowns the emotion."""

    def test_beats_its_twin(self, few_labels, fitted_pair):
        X, emotion, _, _ = few_labels
        full, twin = (model.score(X[600:], emotion[600:]) for model in fitted_pair)
        assert full > 0.85
        assert full >= twin + 0.05

    @pytest.mark.parametrize("latent", ["emotion", "style"])
    def test_each_latent_holds_its_own_factor_only(self, few_labels, fitted_pair, latent):
        X, emotion, style, _ = few_labels
        codes = copy.copy(fitted_pair[0]).set_params(latent=latent).transform(X)
        probe = LogisticRegression(max_iter=1000).fit(codes[:600], emotion[:600])
        of_emotion = probe.score(codes[600:], emotion[600:])
        probe = LinearRegression().fit(codes[:600], style[:600])
        of_style = probe.score(codes[600:], style[600:])
        if latent == "emotion":
            assert of_emotion > 0.85
            assert of_style < 0.1
        else:
            assert of_emotion < 0.35  # chance is 0.25
            assert of_style > 0.85

    def test_neither_discriminator_has_won_nor_lost(self, fitted_pair):
        last = fitted_pair[0].history_[-1]
        for name in ("emotion", "style"):
            assert 0.4 < last[f"{name}_discriminator_accuracy"] < 0.95
        assert last["reconstruction_loss"] < 0.8
        assert 0.5 < last["style_deviation"] < 1.5

    def test_other_utterances_than_the_training_ones_score_lower(self, few_labels, fitted_pair):
        X = few_labels[0]
        shuffled = np.random.RandomState(0).permutation(X[600:].ravel()).reshape(-1, 30)
        alike, other = (fitted_pair[0].score_samples(part) for part in (X[600:], shuffled))
        assert np.median(alike) > np.quantile(other, 0.95)

    def test_samples_are_of_the_class_asked_for(self, fitted_pair):
        full = fitted_pair[0]
        y = np.repeat(full.classes_, 25)
        X = full.sample(100, y)
        assert X.shape == (100, 30)
        assert np.mean(full.predict(X) == y) > 0.9
        assert np.mean(full.predict(full.sample(20, y=2)) == 2) > 0.9
        assert set(full.predict(full.sample(200))) == set(full.classes_)
        np.testing.assert_array_equal(full.sample(5), full.sample(5))

    def test_reconstruction_comes_closer_than_the_mean(self, few_labels, fitted_pair):
        X = few_labels[0]
        given = fitted_pair[0].reconstruct(X[600:])
        errors = ((given - X[600:]) ** 2).mean(axis=1)
        assert errors.mean() < 0.7 * X[600:].var(axis=0).mean()
        scores = fitted_pair[0].score_samples(X[600:])
        np.testing.assert_allclose(scores, -errors / X[:600].var(axis=0).mean(), rtol=1e-3)


class TestPhases:
    @pytest.fixture
    def spied(self, monkeypatch):
        """Fit one epoch; (phase, parameters that changed) of every step."""
        steps = []
        step = training.AdversarialNet._step

        def spy(net, phase, optimizer, loss):
            before = {n: p.detach().clone() for n, p in net.module_.named_parameters()}
            step(net, phase, optimizer, loss)
            changed = {
                n for n, p in net.module_.named_parameters() if not torch.equal(p, before[n])
            }
            steps.append((phase, {name.split(".")[0] for name in changed}))

        monkeypatch.setattr(training.AdversarialNet, "_step", spy)
        return steps

    @pytest.mark.parametrize("prior", ["categorical", "gaussian", "mixture"])
    def test_order_and_what_each_may_change(self, spied, prior):
        X, y, _ = emotion_and_style(n=64)
        AdversarialAEClassifier(prior=prior, max_epochs=1, n_discriminator_updates=2, **EXACT).fit(
            X, y
        )
        order = ["reconstruction", "discrimination", "discrimination", "fooling", "supervision"]
        assert [phase for phase, _ in spied] == [*order, "supervision"]  # of two batches
        allowed = {
            "reconstruction": {"encoder", "emotion", "style", "decoder"},
            "discrimination": {"discriminators"},
            "fooling": {"encoder", "emotion", "style"},
            "supervision": {"encoder", "emotion"}
            | (set() if prior == "categorical" else {"output"}),
        }
        for phase, changed in spied:
            assert changed == allowed[phase], phase

    def test_a_phase_of_weight_zero_is_left_out(self, spied):
        X, y, _ = emotion_and_style(n=64)
        AdversarialAEClassifier(max_epochs=1, reconstruction_weight=0.0, **EXACT).fit(X, y)
        assert {phase for phase, _ in spied} == {"discrimination", "fooling", "supervision"}
        spied.clear()
        AdversarialAEClassifier(max_epochs=1, adversarial_weight=0.0, **EXACT).fit(X, y)
        assert {phase for phase, _ in spied} == {"reconstruction", "supervision"}
        spied.clear()
        AdversarialAEClassifier(max_epochs=1, supervised_weight=0.0, **EXACT).fit(X, y)
        assert "supervision" not in {phase for phase, _ in spied}

    def test_each_phase_has_an_optimiser_of_its_own(self):
        X, y, _ = emotion_and_style(n=64)
        net = AdversarialAEClassifier(max_epochs=1, **EXACT).fit(X, y).net_
        assert len({id(optimizer) for optimizer in net.optimizers()}) == 4

    def test_weights_are_factors_of_the_rates(self):
        X, y, _ = emotion_and_style(n=64)
        model = AdversarialAEClassifier(
            max_epochs=1, learning_rate=0.002, reconstruction_weight=0.5, adversarial_weight=0.25,
            supervised_weight=2.0, **EXACT,
        )  # fmt: skip
        rates = [o.param_groups[0]["lr"] for o in model.fit(X, y).net_.optimizers()]
        np.testing.assert_allclose(rates, [0.001, 0.002, 0.0005, 0.004])

    def test_unlabelled_utterances_are_in_the_first_phases_only(self, monkeypatch):
        X, y, _ = emotion_and_style(n=64)
        y[10:] = -1
        seen = {"_reconstruct": [], "_regularize": [], "_supervise": []}
        for name, classes in seen.items():
            original = getattr(training.AdversarialNet, name)

            def spy(net, module, *args, _original=original, _classes=classes, **kwargs):
                _classes.append(kwargs["classes"] if "classes" in kwargs else args[1])
                return _original(net, module, *args, **kwargs)

            monkeypatch.setattr(training.AdversarialNet, name, spy)
        AdversarialAEClassifier(max_epochs=1, unlabeled=-1, **EXACT).fit(X, y)
        assert (torch.cat(seen["_reconstruct"]) < 0).sum() == 54
        assert (torch.cat(seen["_regularize"]) < 0).sum() == 54
        assert (torch.cat(seen["_supervise"]) >= 0).all()


def plain_network(module, X, y, *, epochs, batch_size, learning_rate, seeds, phase_seed):
    """The conventional network, trained by hand: encoder and head, nothing else."""
    module.to(memory_format=torch.channels_last)
    parts = [module.encoder, module.emotion, module.output]
    groups = weight_groups([p for part in parts for p in part.parameters()])
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=0.01, fused=True)
    batches = BatchIterator(SequenceDataset(X, y), batch_size, seeds[0])
    generator = torch.Generator().manual_seed(phase_seed + 3)
    for _ in range(epochs):
        for inputs, targets in batches:
            x, lengths = inputs["x"], inputs["lengths"]
            noise = 0.5 * torch.randn(x.shape, generator=generator)
            times = torch.arange(x.shape[2])
            x = x + noise * (times < lengths[:, None])[:, None, :, None]
            outputs = module.output(module.emotion(module.encoder(x, lengths, generator)))
            loss = torch.nn.functional.cross_entropy(
                outputs, targets, label_smoothing=0.1, reduction="none"
            ).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return module


class TestTwin:
    @pytest.mark.parametrize("form", ["vectors", "frames"])
    def test_is_a_plain_network_bit_for_bit(self, form, monkeypatch):
        X, y, _ = emotion_and_style(n=100)
        if form == "frames":
            X = Sequences.from_list([X[i].repeat(4 + i % 9).reshape(30, -1).T for i in range(100)])
        start = {}
        make = AdversarialAEClassifier._make_module
        batches = AdversarialAEClassifier._training_batches

        def spy_module(model, layout, n_outputs):
            start["module"] = make(model, layout, n_outputs)
            return copy.deepcopy(start["module"])

        def spy_batches(model, augment):
            made = batches(model, augment)
            start["seeds"], start["phase_seed"] = made.keywords["seeds"], model.net_.seed
            return made

        monkeypatch.setattr(AdversarialAEClassifier, "_make_module", spy_module)
        monkeypatch.setattr(AdversarialAEClassifier, "_training_batches", spy_batches)
        model = AdversarialAEClassifier(
            **TWIN, max_epochs=3, batch_size=16, learning_rate=0.003,
            learning_rate_schedule="constant", **EXACT,
        ).fit(X, y)  # fmt: skip
        sequences = as_sequences(X[:, None] if form == "vectors" else X)
        plain = plain_network(
            start["module"].train(), sequences, y, epochs=3, batch_size=16, learning_rate=0.003,
            seeds=start["seeds"], phase_seed=start["phase_seed"],
        )  # fmt: skip
        for name, weights in model.net_.module_.named_parameters():
            assert torch.equal(weights, plain.get_parameter(name)), name

    @pytest.mark.parametrize(
        "change", [{"n_style": 5}, {"decoder_units": (7, 9)}, {"discriminator_units": 3}]
    )
    def test_other_parts_change_nothing(self, change):
        X, y, _ = emotion_and_style(n=100)
        twin = AdversarialAEClassifier(**TWIN, max_epochs=2, **EXACT)
        expected = twin.fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(
            twin.set_params(**change).fit(X, y).predict_proba(X), expected
        )

    def test_unlabelled_utterances_change_only_the_number_of_updates(self):
        X, y, _ = emotion_and_style(n=96)
        hidden = np.concatenate([y, np.full(96, -1)])
        both = np.concatenate([X, X + 1])
        settings = {**TWIN, **EXACT, "learning_rate_schedule": "constant"}
        plain = AdversarialAEClassifier(max_epochs=4, **settings).fit(X, y)
        model = AdversarialAEClassifier(max_epochs=2, unlabeled=-1, **settings).fit(both, hidden)
        np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))

    def test_noise_of_the_supervised_phase_is_that_of_the_full_model(self, monkeypatch):
        X, y, _ = emotion_and_style(n=64)
        drawn = []
        supervise = training.AdversarialNet._supervise

        def spy(net, module, inputs, targets):
            drawn.append((net._generators["supervision"].get_state(), targets.clone()))
            return supervise(net, module, inputs, targets)

        monkeypatch.setattr(training.AdversarialNet, "_supervise", spy)
        AdversarialAEClassifier(max_epochs=2, **EXACT).fit(X, y)
        AdversarialAEClassifier(max_epochs=2, **TWIN, **EXACT).fit(X, y)
        half = len(drawn) // 2
        for (state, targets), (other_state, other_targets) in zip(
            drawn[:half], drawn[half:], strict=True
        ):
            assert torch.equal(state, other_state)
            assert torch.equal(targets, other_targets)


class TestUse:
    @pytest.mark.parametrize("prior", ["categorical", "gaussian", "mixture"])
    @pytest.mark.parametrize("latent", ["emotion", "style"])
    def test_named_latents(self, prior, latent):
        X, y, _ = emotion_and_style(n=80)
        y = np.array(["anger", "fear", "joy", "sadness"])[y]
        model = AdversarialAEClassifier(
            prior=prior, latent=latent, n_emotion=3, n_style=5, max_epochs=2, **EXACT
        ).set_output(transform="pandas")
        frame = model.fit(X, y).transform(X)
        if latent == "style":
            assert frame.columns.tolist() == [f"style{i}" for i in range(5)]
        elif prior == "categorical":
            assert frame.columns.tolist() == [f"emotion_{name}" for name in model.classes_]
            np.testing.assert_allclose(frame.to_numpy(), model.predict_proba(X), atol=1e-6)
        else:
            assert frame.columns.tolist() == ["emotion0", "emotion1", "emotion2"]
        assert model.sample(4, y="joy").shape == (4, 30)

    def test_a_classifier_learns_from_the_latent(self):
        X, y, _ = emotion_and_style()
        network = AdversarialAEClassifier(max_epochs=20, noise=0.1, dropout=0.1, **EXACT)
        model = make_pipeline(StandardScaler(), network, LogisticRegression())
        assert model.fit(X[:600], y[:600]).score(X[600:], y[600:]) > 0.8

    def test_grid_search_over_speakers_with_unlabelled_utterances(self):
        X, y, _ = emotion_and_style(n=120)
        speakers = np.arange(120) % 4
        y[60:] = -1
        search = GridSearchCV(
            AdversarialAEClassifier(max_epochs=2, unlabeled=-1, **EXACT),
            {"adversarial_weight": [0.0, 0.3], "latent": ["emotion"]},
            cv=SemiSupervisedSplit(LeaveOneGroupOut()), n_jobs=2, scoring="balanced_accuracy",
        )  # fmt: skip
        search.fit(X, y, groups=speakers)
        assert search.n_splits_ == 4
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_frames_are_reconstructed_as_their_statistics(self, mels, corpus):
        X = mels.map_values(lambda values: (values - values.mean(axis=0)) / values.std(axis=0))
        model = AdversarialAEClassifier(
            max_epochs=60, noise=0.1, dropout=0.1, reconstruction_weight=1.0, **EXACT
        ).fit(X, corpus.target)
        names = model.reconstructed_features_
        assert names[0] == f"mean {X.layout.feature_names[0]}"
        assert len(names) == 2 * X.n_columns
        wanted = np.array([np.r_[x.mean(axis=0), x.std(axis=0)] for x in X])
        errors = ((model.reconstruct(X) - wanted) ** 2).mean(axis=1)
        scale = wanted.var(axis=0).mean()
        np.testing.assert_allclose(model.score_samples(X), -errors / scale, rtol=1e-3)
        assert errors.mean() < 0.7 * scale

    def test_history_holds_every_term(self, fitted_pair):
        terms = {"reconstruction_loss", "style_deviation"}
        for name in ("emotion", "style"):
            terms |= {f"{name}_discriminator_loss", f"{name}_discriminator_accuracy"}
            terms.add(f"{name}_fooling_loss")
        for record in fitted_pair[0].history_:
            assert all(np.isfinite(record[term]) for term in terms)
        assert not terms & set(fitted_pair[1].history_[-1])

    @pytest.mark.parametrize("prior", ["categorical", "gaussian", "mixture"])
    def test_samples_of_every_prior_are_of_the_class_asked_for(self, prior):
        X, y, _ = emotion_and_style()
        model = AdversarialAEClassifier(
            prior=prior, n_style=3, n_emotion=4, reconstruction_weight=1.0, adversarial_weight=0.3,
            noise=0.1, dropout=0.1, **EXACT,
        ).fit(X, y)  # fmt: skip
        wanted = np.repeat(model.classes_, 50)
        found = model.predict(model.sample(200, wanted))
        assert np.mean(found == wanted) > 0.7

    def test_weights_go_over_to_other_classes(self):
        X, y, _ = emotion_and_style(n=80)
        for prior in ("categorical", "mixture"):
            source = AdversarialAEClassifier(prior=prior, max_epochs=3, **EXACT)
            source.fit(X[y < 3], y[y < 3])
            model = AdversarialAEClassifier(
                prior=prior, initialize_from=source, max_epochs=1, learning_rate=1e-9,
                weight_decay=0.0, **EXACT,
            ).fit(X, y)  # fmt: skip
            assert len(model.classes_) == 4
            layer = "encoder.layers.0.0.weight"
            ours, theirs = (m.net_.module_.get_parameter(layer) for m in (model, source))
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)

    def test_frozen_layers_stay_as_they_are(self):
        X, y, _ = emotion_and_style(n=80)
        model = AdversarialAEClassifier(max_epochs=2, callbacks=[Freezer("encoder.*")], **EXACT)
        module = model.fit(X, y).net_.module_
        fresh = AdversarialAEClassifier(max_epochs=1, learning_rate=1e-9, **EXACT).fit(X, y)
        layer = "encoder.layers.0.0.weight"
        expected = fresh.net_.module_.get_parameter(layer)
        torch.testing.assert_close(module.get_parameter(layer), expected, atol=1e-6, rtol=0)

    def test_an_interrupt_leaves_a_fitted_model(self):
        class Stop(Callback):
            def on_batch_end(self, net, training=True, **kwargs):
                raise KeyboardInterrupt

        X, y, _ = emotion_and_style(n=80)
        model = AdversarialAEClassifier(max_epochs=2, callbacks=[Stop()], **EXACT).fit(X, y)
        assert np.isfinite(model.predict_proba(X)).all()

    def test_a_warm_start_takes_the_shares_of_its_own_labels(self):
        X, y, _ = emotion_and_style(n=80)
        model = AdversarialAEClassifier(max_epochs=1, warm_start=True, **EXACT).fit(X, y)
        few = np.flatnonzero((y > 0) | (np.arange(80) < 20))
        model.fit(X[few], y[few])
        counts = np.bincount(y[few]) + 1
        np.testing.assert_allclose(model.net_.module_.prior.shares, counts / counts.sum())

    @pytest.mark.parametrize("prior", ["categorical", "mixture"])
    def test_shares_tell_the_prior_the_class(self, prior, monkeypatch):
        X, y, _ = emotion_and_style(n=80)
        shares = 0.7 * np.eye(4)[y] + 0.075
        seen = []
        regularize = training.AdversarialNet._regularize

        def spy(net, module, x, lengths, classes):
            seen.append(classes.clone())
            return regularize(net, module, x, lengths, classes)

        monkeypatch.setattr(training.AdversarialNet, "_regularize", spy)
        model = AdversarialAEClassifier(prior=prior, max_epochs=1, unlabeled=3, **EXACT)
        model.fit(X, y, soft_targets=shares[:, :3] / shares[:, :3].sum(axis=1, keepdims=True))
        counts = np.bincount(torch.cat(seen) + 1, minlength=4)
        np.testing.assert_array_equal(counts, np.bincount((y + 1) % 4))

    def test_a_pickle_keeps_latents_and_decoder(self, few_labels, fitted_pair):
        X = few_labels[0][:20]
        other = pickle.loads(pickle.dumps(fitted_pair[0]))
        np.testing.assert_array_equal(other.transform(X), fitted_pair[0].transform(X))
        np.testing.assert_array_equal(other.reconstruct(X), fitted_pair[0].reconstruct(X))

    def test_early_stopping_holds_out_labelled_utterances_and_whole_speakers(self, monkeypatch):
        X, y, _ = emotion_and_style(n=120)
        speakers = np.arange(120) // 30
        y[::2] = -1
        parts = []
        split = AdversarialAEClassifier._split

        def spy(*args):
            parts.extend(split(*args))
            return parts

        monkeypatch.setattr(AdversarialAEClassifier, "_split", spy)
        AdversarialAEClassifier(
            early_stopping=True, validation_fraction=0.25, max_epochs=2, unlabeled=-1, **EXACT
        ).fit(X, y, groups=speakers)
        train, valid = parts
        of_train, of_valid = (set(speakers[part.sequences.starts]) for part in parts)
        assert of_train.isdisjoint(of_valid)
        assert (valid.targets >= 0).all()
        assert (train.targets < 0).any()

    def test_soft_targets_of_the_labelled(self):
        X, y, _ = emotion_and_style(n=80)
        shares = np.eye(4)[y]
        settings = {**TWIN, **EXACT, "max_epochs": 2, "unlabeled": -1}
        expected = AdversarialAEClassifier(**settings).fit(X, y).predict_proba(X)
        soft = AdversarialAEClassifier(**settings).fit(X, y, soft_targets=shares)
        np.testing.assert_allclose(soft.predict_proba(X), expected, atol=1e-4)
        y[40:] = -1
        shares[40:] = np.nan  # nobody rated these
        model = AdversarialAEClassifier(max_epochs=2, unlabeled=-1, **EXACT)
        assert np.isfinite(model.fit(X, y, soft_targets=shares).predict_proba(X)).all()


class TestRegressor:
    @pytest.mark.parametrize("loss", ["ccc", "squared_error"])
    def test_learns_from_rows_with_missing_targets(self, loss):
        random = np.random.RandomState(0)
        X = random.randn(500, 12)
        y = X[:, :3] + 0.5 * X[:, 3:6] + 4.0
        known = y[:300].copy()
        known[random.rand(300, 3) < 0.3] = np.nan
        known[200:] = np.nan
        model = AdversarialAERegressor(
            loss=loss, max_epochs=60, noise=0.1, dropout=0.1, learning_rate=0.01, **EXACT
        )
        model.fit(X[:300], known)
        assert model.score(X[300:], y[300:]) > 0.8
        assert model.get_feature_names_out().tolist() == ["valence", "activation", "dominance"]
        np.testing.assert_allclose(model.transform(X), model.predict(X))
        assert model.sample(4, y=[4, 4, 5]).shape == (4, 12)
        assert model.sample(2).shape == (2, 12)

    def test_names_of_a_data_frame(self):
        X = np.random.RandomState(0).randn(40, 5)
        y = pd.DataFrame({"arousal": X[:, 0], "pleasure": X[:, 1]})
        model = AdversarialAERegressor(max_epochs=2, **EXACT).fit(X, y)
        assert model.get_feature_names_out().tolist() == ["arousal", "pleasure"]

    def test_one_target_is_1d(self):
        X = np.random.RandomState(0).randn(40, 5)
        model = AdversarialAERegressor(max_epochs=2, **EXACT).fit(X, X[:, 0])
        assert model.predict(X).shape == (40,)
        assert model.transform(X).shape == (40, 1)

    def test_concordance_is_lins(self):
        random = np.random.RandomState(0)
        x, y = random.randn(50, 2), random.randn(50, 2)
        y[:, 1] = 0.5 * x[:, 1] + 1
        y[10:20, 0] = np.nan
        expected = []
        for a, b in zip(x.T, y.T, strict=True):
            a, b = a[~np.isnan(b)], b[~np.isnan(b)]
            covariance = np.cov(a, b, bias=True)
            total = covariance[0, 0] + covariance[1, 1] + (a.mean() - b.mean()) ** 2
            expected.append(1 - 2 * covariance[0, 1] / total)
        loss = ConcordanceLoss()(torch.tensor(x), torch.tensor(y))
        assert loss.item() == pytest.approx(np.mean(expected))

    def test_losses_where_little_is_known(self):
        outputs = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        nothing = torch.full((2, 2), torch.nan)
        one = torch.tensor([[2.0, torch.nan], [torch.nan, torch.nan]])
        equal = torch.ones(2, 2)
        for loss in (ConcordanceLoss(), KnownSquaredError()):
            assert loss(outputs, nothing).item() == 0.0
            assert loss(outputs, one).item() == 1.0
            assert loss(equal, equal).item() == pytest.approx(0.0)
            loss(outputs, one).backward()
            assert torch.isfinite(outputs.grad).all()


class TestPriors:
    def test_draws_are_of_the_classes(self):
        generator = torch.Generator().manual_seed(0)
        shares = torch.tensor([0.5, 0.3, 0.2])
        wanted = torch.tensor([0, 1, 2]).repeat(400)
        corners = CategoricalPrior(shares).sample(wanted, generator)
        assert torch.equal(corners.argmax(dim=1), wanted)
        for n_emotion in (1, 2, 5):
            mixture = MixturePrior(shares, n_emotion)
            draws = mixture.sample(wanted, generator)
            assert draws.shape == (1200, n_emotion)
            for c in range(3):
                mean = draws[wanted == c].mean(dim=0)
                torch.testing.assert_close(mean, mixture.centres[c], atol=0.2, rtol=0)
                torch.testing.assert_close(
                    draws[wanted == c].std(dim=0), torch.ones(n_emotion), atol=0.15, rtol=0
                )
            gaps = torch.cdist(mixture.centres, mixture.centres) + 9 * torch.eye(3)
            assert gaps.min() > 2.9

    def test_where_no_class_is_known_it_is_drawn_by_the_shares(self):
        generator = torch.Generator().manual_seed(0)
        any_class = torch.full((20_000,), -1)
        draws = CategoricalPrior(torch.tensor([0.5, 0.3, 0.2])).sample(any_class, generator)
        torch.testing.assert_close(
            draws.mean(dim=0), torch.tensor([0.5, 0.3, 0.2]), atol=0.02, rtol=0
        )

    def test_a_mixture_tells_the_discriminator_the_class(self):
        prior = MixturePrior(torch.ones(3) / 3, 2)
        told = prior.conditions(torch.tensor([2, -1, 0]))
        assert told.argmax(dim=1).tolist() == [2, 3, 0]
        assert GaussianPrior(2).conditions(torch.tensor([2, -1])).shape == (2, 0)


class TestBadInput:
    @pytest.fixture
    def data(self):
        X, y, _ = emotion_and_style(n=60)
        return X, y

    def test_no_label_at_all(self, data):
        X, _ = data
        with pytest.raises(ValueError, match="y holds no label: all 60 utterances are -1"):
            AdversarialAEClassifier(unlabeled=-1, **EXACT).fit(X, np.full(60, -1))

    def test_one_labelled_class(self, data):
        X, y = data
        y = np.where(y == 2, "fear", "unlabeled")
        with pytest.raises(ValueError, match=r"one class.*fear"):
            AdversarialAEClassifier(unlabeled="unlabeled", **EXACT).fit(X, y)

    def test_minus_one_is_a_class_unless_it_is_said_not_to_be(self, data):
        X, y = data
        y[y == 0] = -1
        model = AdversarialAEClassifier(max_epochs=1, **EXACT).fit(X, y)
        assert model.classes_.tolist() == [-1, 1, 2, 3]
        model = AdversarialAEClassifier(max_epochs=1, unlabeled=-1, **EXACT).fit(X, y)
        assert model.classes_.tolist() == [1, 2, 3]

    @pytest.mark.parametrize("kind", [list, np.array, pd.Series])
    def test_a_number_among_names_stands_for_no_label(self, data, kind):
        X, y = data
        mixed = [-1 if c == 3 else f"class{c}" for c in y]
        model = AdversarialAEClassifier(max_epochs=1, unlabeled=-1, **EXACT).fit(X, kind(mixed))
        assert model.classes_.tolist() == ["class0", "class1", "class2"]

    def test_missing_labels_are_no_class(self, data):
        X, y = data
        y = np.array(list("abcd"), dtype=object)[y]
        y[5] = np.nan
        for unlabeled in (None, "?"):
            with pytest.raises(ValueError, match="NaN"):
                AdversarialAEClassifier(unlabeled=unlabeled, **EXACT).fit(X, y)

    def test_labels_of_two_kinds_are_refused(self, data):
        X, y = data
        y = np.array([1 if c == 0 else "a" for c in y], dtype=object)
        with pytest.raises((ValueError, TypeError)):
            AdversarialAEClassifier(unlabeled=-1, **EXACT).fit(X, y)

    def test_the_marker_is_no_class_to_partial_fit_either(self, data):
        model = AdversarialAEClassifier(unlabeled=-1, **EXACT)
        with pytest.raises(ValueError, match="classes holds -1"):
            model.partial_fit(*data, classes=[-1, 0, 1, 2, 3])

    def test_nothing_is_asked_of_a_decoder_that_was_not_trained(self, data):
        X, y = data
        twin = AdversarialAEClassifier(**TWIN, max_epochs=1, **EXACT).fit(X, y)
        for ask in (twin.reconstruct, twin.score_samples):
            with pytest.raises(ValueError, match="reconstruction_weight=0"):
                ask(X)
        with pytest.raises(ValueError, match="its decoder has learned nothing"):
            twin.sample(2)
        with pytest.raises(ValueError, match="its style latent has learned nothing"):
            twin.set_params(latent="style").transform(X)

    def test_samples_that_cannot_be_made(self, data):
        X, y = data
        model = AdversarialAEClassifier(max_epochs=1, **EXACT).fit(X, y)
        with pytest.raises(ValueError, match="n_samples == 0"):
            model.sample(0)
        with pytest.raises(ValueError, match=r"y has the shape \(2,\)"):
            model.sample(3, y=[0, 1])
        model = AdversarialAERegressor(max_epochs=1, **EXACT).fit(X, X[:, :2])
        with pytest.raises(ValueError, match=r"y has the shape \(3,\)"):
            model.sample(4, y=[0.0, 1.0, 2.0])
        one = AdversarialAERegressor(max_epochs=1, **EXACT).fit(X, X[:, 0])
        assert one.sample(3, y=[0.0, 1.0, 2.0]).shape == (3, 30)

    def test_columns_in_another_order(self, data):
        X, _ = data
        y = pd.DataFrame(X[:, :2], columns=["valence", "activation"])
        model = AdversarialAERegressor(**EXACT).partial_fit(X, y)
        with pytest.raises(ValueError, match=r"they must be \['valence', 'activation'\]"):
            model.partial_fit(X, y[["activation", "valence"]])
        with pytest.raises(ValueError, match="every row is NaN"):
            model.partial_fit(X, np.full((60, 2), np.nan))

    def test_a_class_with_one_utterance(self, data):
        X, y = data
        y = np.where(np.arange(60) == 0, 9, y)
        model = AdversarialAEClassifier(max_epochs=2, **EXACT).fit(X, y)
        assert 9 in model.classes_

    @pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
    def test_constant_features(self, data):
        X, y = data
        model = AdversarialAEClassifier(max_epochs=2, **EXACT).fit(np.ones_like(X), y)
        assert np.isfinite(model.predict_proba(np.ones_like(X))).all()
        assert np.isfinite(model.reconstruct(np.ones_like(X))).all()

    def test_sequences_of_one_frame(self, data):
        X, y = data
        frames = Sequences.from_list([row[None] for row in X])
        model = AdversarialAEClassifier(max_epochs=2, **EXACT).fit(frames, y)
        assert np.isfinite(model.predict_proba(frames)).all()
        assert model.reconstruct(frames).shape == (60, 60)

    def test_targets_that_are_all_missing(self, data):
        X, _ = data
        y = np.full((60, 3), np.nan)
        with pytest.raises(ValueError, match="y holds no target: every row is NaN"):
            AdversarialAERegressor(**EXACT).fit(X, y)
        y[:, :2] = 1.0
        with pytest.raises(ValueError, match="no target for 'dominance'"):
            AdversarialAERegressor(**EXACT).fit(X, y)

    def test_unknown_class_to_sample(self, data):
        model = AdversarialAEClassifier(max_epochs=1, **EXACT).fit(*data)
        with pytest.raises(ValueError, match=r"unknown classes: \[7\]"):
            model.sample(3, y=7)

    @pytest.mark.parametrize("name", ["hidden_units", "decoder_units", "filters"])
    def test_layers_of_no_units_are_named(self, data, name):
        with pytest.raises(ValueError, match=name):
            AdversarialAEClassifier(**{name: (0,)}, **EXACT).fit(*data)

    def test_vectors_are_not_frames(self, data):
        X, y = data
        model = AdversarialAEClassifier(max_epochs=1, **EXACT).fit(X, y)
        with pytest.raises(ValueError, match="was fitted on a 2-D array"):
            model.predict(Sequences.from_list([row[None] for row in X]))

    def test_parts_that_failed_are_named(self, data):
        X, y = data
        with pytest.warns(ConvergenceWarning, match="the decoder's squared error was"):
            AdversarialAEClassifier(
                max_epochs=1, learning_rate=1e-9, reconstruction_weight=1.0, **EXACT
            ).fit(X, y)
        X, y, _ = emotion_and_style(n=600)
        with pytest.warns(ConvergenceWarning, match="discriminator of the style latent"):
            AdversarialAEClassifier(
                max_epochs=40, adversarial_weight=1e-9, reconstruction_weight=1.0,
                n_discriminator_updates=5, noise=0.0, dropout=0.0, **EXACT,
            ).fit(20 * X, y)  # fmt: skip


class TestSemiSupervisedSplit:
    def test_unlabelled_utterances_are_never_tested_on(self):
        y = np.array(["a", "b", "?", "a", "?", "b"] * 10)
        cv = SemiSupervisedSplit(3, unlabeled="?")
        assert cv.get_n_splits(y=y) == cv.get_n_splits() == 3
        tested = []
        for train, test in cv.split(np.zeros(60), y):
            assert set(np.flatnonzero(y == "?")) <= set(train)
            assert not set(train) & set(test)
            tested.extend(test)
        assert sorted(tested) == np.flatnonzero(y != "?").tolist()

    def test_a_test_speaker_is_heard_nowhere(self):
        random = np.random.RandomState(0)
        y = random.randint(-1, 3, size=80)
        speakers = np.repeat(np.arange(8), 10)
        for train, test in SemiSupervisedSplit(LeaveOneGroupOut()).split(y, y, speakers):
            assert set(speakers[train]).isdisjoint(speakers[test])
            assert (y[test] >= 0).all()
            assert (y[train] == -1).any()

    def test_rows_of_nan(self):
        y = np.random.RandomState(0).randn(30, 3)
        y[::3] = np.nan
        y[1, 0] = np.nan
        X = np.random.RandomState(1).randn(30, 4)
        cv = SemiSupervisedSplit(3, unlabeled=np.nan)
        assert sum(len(test) for _, test in cv.split(X, y)) == 20
        model = AdversarialAERegressor(max_epochs=1, **EXACT)
        assert np.isfinite(cross_val_score(model, X, y, cv=cv)).all()

    def test_markers_in_every_container(self):
        y = [0, 1, -1, 0, 1, -1]
        digits = [str(label) for label in y]
        for labels in (y, np.array(y), pd.Series(y), digits, np.array(digits), pd.Series(digits)):
            tested = [test for _, test in SemiSupervisedSplit(2).split(y, labels)]
            assert sorted(np.concatenate(tested)) == [0, 1, 3, 4]

    def test_speakers_are_routed_to_it(self):
        X, y, _ = emotion_and_style(n=60)
        speakers = np.arange(60) % 3
        model = AdversarialAEClassifier(max_epochs=1, **EXACT)
        with sklearn.config_context(enable_metadata_routing=True):
            scores = cross_val_score(
                model.set_fit_request(groups=False, soft_targets=False), X, y,
                cv=SemiSupervisedSplit(LeaveOneGroupOut()), params={"groups": speakers},
            )  # fmt: skip
        assert len(scores) == 3

    def test_what_cannot_split(self):
        with pytest.raises(TypeError, match="number of folds or a splitter, not list"):
            next(SemiSupervisedSplit([([0], [1])]).split([0, 1], [0, 1]))
        with pytest.raises(ValueError, match="y is None"):
            next(SemiSupervisedSplit().split([0, 1], None))

    def test_no_label(self):
        with pytest.raises(ValueError, match="holds no label"):
            next(SemiSupervisedSplit().split(np.zeros(4), np.full(4, -1)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("form", ["vectors", "frames"])
def test_on_a_gpu(form, few_labels, mels):
    X, _, _, y = few_labels
    X = X[:600] if form == "vectors" else mels[np.resize(np.arange(len(mels)), 600)]
    settings = {"unlabeled": -1, "max_epochs": 5, "random_state": 0}
    model = AdversarialAEClassifier(device="cuda", **settings).fit(X, y)
    again = AdversarialAEClassifier(device="cuda", **settings).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), again.predict_proba(X), atol=1e-3)
    assert np.isfinite(model.transform(X)).all()
    assert len(model.sample(4, y=2)) == 4
    assert all(np.isfinite(list(model.history_[:, "style_fooling_loss"])))


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_real_speech_at_the_defaults(emodb_path):
    corpus = load_emodb(emodb_path)
    test = np.isin(corpus.speakers, ["03", "08"])
    features = make_pipeline(Functionals(FrameFeatures()), StandardScaler())
    X = features.fit_transform(corpus.data)
    model = AdversarialAEClassifier(**EXACT).fit(X[~test], corpus.target[~test])
    assert balanced_accuracy_score(corpus.target[test], model.predict(X[test])) > 0.7
    last = model.history_[-1]
    assert last["reconstruction_loss"] < 0.9
    for name in ("emotion", "style"):
        assert 0.4 < last[f"{name}_discriminator_accuracy"] < 0.95
    noise = np.random.RandomState(0).permutation(X[test].ravel()).reshape(-1, X.shape[1])
    assert model.score_samples(X[test]).mean() > model.score_samples(noise).mean()
