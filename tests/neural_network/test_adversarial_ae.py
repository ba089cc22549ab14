"""The adversarial autoencoder: content of its latents, and its use."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Freezer

from skser.compose import TransferClassifier
from skser.datasets import load_emodb
from skser.feature_extraction import FrameFeatures, Functionals
from skser.model_selection import SemiSupervisedSplit
from skser.neural_network import AdversarialAEClassifier, AdversarialAERegressor
from skser.neural_network import _adversarial_training as training
from skser.neural_network.modules.concordance import ConcordanceLoss, KnownSquaredError
from skser.sequences import Sequences
from tests.support.made_up import EXACT, TWIN, emotion_and_style

# Most fits here run one or two epochs, after which some parts count as failed.
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


@pytest.fixture(scope="module")
def few_labels():
    """Make 600 training rows with 5 labels per class, and 300 test rows."""
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
    """Few labels, many unlabeled utterances, and a style that masks the emotion."""

    def test_it_beats_supervised_training_alone(self, few_labels, fitted_pair):
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

    def test_neither_discriminator_wins_or_loses(self, fitted_pair):
        last = fitted_pair[0].history_[-1]
        for name in ("emotion", "style"):
            assert 0.4 < last[f"{name}_discriminator_accuracy"] < 0.95
        assert last["reconstruction_loss"] < 0.8
        assert 0.5 < last["style_deviation"] < 1.5

    def test_shuffled_values_score_lower_than_real_utterances(self, few_labels, fitted_pair):
        X = few_labels[0]
        shuffled = np.random.RandomState(0).permutation(X[600:].ravel()).reshape(-1, 30)
        alike, other = (fitted_pair[0].score_samples(part) for part in (X[600:], shuffled))
        assert np.median(alike) > np.quantile(other, 0.95)

    def test_samples_have_the_requested_class(self, fitted_pair):
        full = fitted_pair[0]
        y = np.repeat(full.classes_, 25)
        X = full.sample(100, y)
        assert X.shape == (100, 30)
        assert np.mean(full.predict(X) == y) > 0.9
        assert np.mean(full.predict(full.sample(20, y=2)) == 2) > 0.9
        assert set(full.predict(full.sample(200))) == set(full.classes_)
        np.testing.assert_array_equal(full.sample(5), full.sample(5))

    def test_reconstruction_is_closer_than_the_mean(self, few_labels, fitted_pair):
        X = few_labels[0]
        given = fitted_pair[0].reconstruct(X[600:])
        errors = ((given - X[600:]) ** 2).mean(axis=1)
        assert errors.mean() < 0.7 * X[600:].var(axis=0).mean()
        scores = fitted_pair[0].score_samples(X[600:])
        np.testing.assert_allclose(scores, -errors / X[:600].var(axis=0).mean(), rtol=1e-3)


class TestUse:
    @pytest.mark.parametrize("prior", ["categorical", "gaussian", "mixture"])
    @pytest.mark.parametrize("latent", ["emotion", "style"])
    def test_columns_of_latents_are_named(self, prior, latent):
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
        names = model.get_feature_names_out().tolist()
        model.set_params(prior="mixture" if prior == "categorical" else "categorical")
        assert model.get_feature_names_out().tolist() == names  # those of the fit

    def test_a_classifier_learns_from_the_latent(self):
        X, y, _ = emotion_and_style()
        network = AdversarialAEClassifier(max_epochs=20, noise=0.1, dropout=0.1, **EXACT)
        model = make_pipeline(StandardScaler(), network, LogisticRegression())
        assert model.fit(X[:600], y[:600]).score(X[600:], y[600:]) > 0.8

    def test_grid_search_over_speakers_with_unlabeled_utterances(self):
        X, y, _ = emotion_and_style(n=120)
        speakers = np.arange(120) % 4
        y[60:] = -1
        search = GridSearchCV(
            AdversarialAEClassifier(max_epochs=2, unlabeled=-1, **EXACT),
            {"adversarial_weight": [0.0, 0.3], "latent": ["emotion"]},
            cv=SemiSupervisedSplit(LeaveOneGroupOut()), scoring="balanced_accuracy",
        )  # fmt: skip
        search.fit(X, y, groups=speakers)
        assert search.n_splits_ == 4
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_frames_are_reconstructed_as_their_statistics(self, mels, corpus):
        X = Sequences.from_list([frames[::3] for frames in mels], mels.layout)
        X = X.map_values(lambda values: (values - values.mean(axis=0)) / values.std(axis=0))
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
            terms.add(f"{name}_generator_loss")
        for record in fitted_pair[0].history_:
            assert all(np.isfinite(record[term]) for term in terms)
        assert not terms & set(fitted_pair[1].history_[-1])

    @pytest.mark.parametrize("prior", ["categorical", "gaussian", "mixture"])
    def test_samples_of_each_prior_have_the_requested_class(self, prior):
        X, y, _ = emotion_and_style(n=450)
        model = AdversarialAEClassifier(
            prior=prior, n_style=3, n_emotion=4, reconstruction_weight=1.0, adversarial_weight=0.3,
            noise=0.1, dropout=0.1, **EXACT,
        ).fit(X, y)  # fmt: skip
        wanted = np.repeat(model.classes_, 50)
        found = model.predict(model.sample(200, wanted))
        assert np.mean(found == wanted) > 0.7

    def test_weights_transfer_to_other_classes(self):
        X, y, _ = emotion_and_style(n=80)
        for prior in ("categorical", "mixture"):
            source = AdversarialAEClassifier(prior=prior, max_epochs=3, **EXACT)
            source.fit(X[y < 3], y[y < 3])
            network = AdversarialAEClassifier(
                prior=prior, max_epochs=1, learning_rate=1e-9, weight_decay=0.0, **EXACT
            )
            model = TransferClassifier(network, source).fit(X, y).estimator_
            assert len(model.classes_) == 4
            layer = "encoder.layers.0.0.weight"
            ours, theirs = (m.net_.module_.get_parameter(layer) for m in (model, source))
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)

    def test_frozen_layers_do_not_change(self):
        X, y, _ = emotion_and_style(n=80)
        model = AdversarialAEClassifier(max_epochs=2, callbacks=[Freezer("encoder.*")], **EXACT)
        module = model.fit(X, y).net_.module_
        fresh = AdversarialAEClassifier(max_epochs=1, learning_rate=1e-9, **EXACT).fit(X, y)
        layer = "encoder.layers.0.0.weight"
        expected = fresh.net_.module_.get_parameter(layer)
        torch.testing.assert_close(module.get_parameter(layer), expected, atol=1e-6, rtol=0)

    def test_a_callback_may_end_the_training_with_a_fitted_model(self):
        class Stop(Callback):
            def on_epoch_end(self, net, **kwargs):
                raise KeyboardInterrupt

        X, y, _ = emotion_and_style(n=80)
        model = AdversarialAEClassifier(max_epochs=2, callbacks=[Stop()], **EXACT).fit(X, y)
        assert model.n_iter_ == 1
        assert np.isfinite(model.predict_proba(X)).all()

    def test_a_warm_start_updates_the_class_shares(self):
        X, y, _ = emotion_and_style(n=80)
        model = AdversarialAEClassifier(max_epochs=1, warm_start=True, **EXACT).fit(X, y)
        few = np.flatnonzero((y > 0) | (np.arange(80) < 20))
        model.fit(X[few], y[few])
        counts = np.bincount(y[few]) + 1
        np.testing.assert_allclose(model.net_.module_.prior.shares, counts / counts.sum())

    @pytest.mark.parametrize("prior", ["categorical", "mixture"])
    def test_soft_targets_give_the_prior_the_largest_class(self, prior, monkeypatch):
        X, y, _ = emotion_and_style(n=80)
        shares = 0.7 * np.eye(4)[y] + 0.075
        seen = []
        regularize = training.AdversarialNet._regularize

        def spy(net, module, classes, **inputs):
            seen.append(classes.clone())
            return regularize(net, module, classes=classes, **inputs)

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

    def test_early_stopping_holds_out_whole_speakers_with_labels(self, monkeypatch):
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

    @pytest.mark.filterwarnings("ignore:No utterance in y is unlabeled")
    def test_soft_targets_of_unlabeled_utterances_are_ignored(self):
        X, y, _ = emotion_and_style(n=80)
        shares = np.eye(4)[y]
        settings = {**TWIN, **EXACT, "max_epochs": 2, "unlabeled": -1}
        expected = AdversarialAEClassifier(**settings).fit(X, y).predict_proba(X)
        soft = AdversarialAEClassifier(**settings).fit(X, y, soft_targets=shares)
        np.testing.assert_allclose(soft.predict_proba(X), expected, atol=1e-4)
        y[40:] = -1
        shares[40:] = np.nan  # these have no raters
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

    def test_targets_are_named_after_columns(self):
        X = np.random.RandomState(0).randn(40, 5)
        y = pd.DataFrame({"arousal": X[:, 0], "pleasure": X[:, 1]})
        model = AdversarialAERegressor(max_epochs=2, **EXACT).fit(X, y)
        assert model.get_feature_names_out().tolist() == ["arousal", "pleasure"]

    def test_a_single_target_is_predicted_as_a_1d_array(self):
        X = np.random.RandomState(0).randn(40, 5)
        model = AdversarialAERegressor(max_epochs=2, **EXACT).fit(X, X[:, 0])
        assert model.predict(X).shape == (40,)
        assert model.transform(X).shape == (40, 1)

    def test_concordance_loss_follows_lins_equation(self):
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

    def test_losses_of_few_known_targets(self):
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
    assert all(np.isfinite(list(model.history_[:, "style_generator_loss"])))


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_real_speech_at_the_defaults(emodb_path):
    corpus = load_emodb(emodb_path)
    # Half of the corpus, to save time.
    rows = np.flatnonzero(np.isin(corpus.speakers, ["03", "09", "10", "13", "14"]))
    y, test = corpus.target[rows], corpus.speakers[rows] == "03"
    features = make_pipeline(Functionals(FrameFeatures()), StandardScaler())
    X = features.fit_transform([corpus.data[i] for i in rows])
    model = AdversarialAEClassifier(**EXACT).fit(X[~test], y[~test])
    assert balanced_accuracy_score(y[test], model.predict(X[test])) > 0.7
    last = model.history_[-1]
    assert last["reconstruction_loss"] < 0.9
    for name in ("emotion", "style"):
        assert 0.4 < last[f"{name}_discriminator_accuracy"] < 0.95
    noise = np.random.RandomState(0).permutation(X[test].ravel()).reshape(-1, X.shape[1])
    assert model.score_samples(X[test]).mean() > model.score_samples(noise).mean()
