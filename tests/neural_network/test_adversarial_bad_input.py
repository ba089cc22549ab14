"""Wrong and odd input to the adversarial autoencoder."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from skser.neural_network import AdversarialAEClassifier, AdversarialAERegressor
from skser.sequences import Sequences
from tests.support.made_up import EXACT, TWIN, emotion_and_style

# Most fits here are of one or two epochs; what is said of failed parts has its own tests.
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


class TestBadInput:
    @pytest.fixture
    def data(self):
        X, y, _ = emotion_and_style(n=60)
        return X, y

    def test_no_label_at_all(self, data):
        X, _ = data
        with pytest.raises(ValueError, match="y holds no label: all 60 utterances are -1"):
            AdversarialAEClassifier(unlabeled=-1, **EXACT).fit(X, np.full(60, -1))

    def test_one_labeled_class(self, data):
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
