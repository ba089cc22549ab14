"""Invalid and unusual input to the adversarial autoencoder."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import ConvergenceWarning

from skser.neural_network import AdversarialAEClassifier, AdversarialAERegressor
from skser.sequences import Sequences
from tests.support.made_up import EXACT, TWIN, emotion_and_style

# Most fits here run one or two epochs, after which some parts count as failed.
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


class TestBadInput:
    @pytest.fixture
    def data(self):
        X, y, _ = emotion_and_style(n=60)
        return X, y

    def test_y_without_labels_is_rejected(self, data):
        X, _ = data
        with pytest.raises(ValueError, match="y holds no labels: all 60 utterances are -1"):
            AdversarialAEClassifier(unlabeled=-1, **EXACT).fit(X, np.full(60, -1))

    def test_a_single_labeled_class_is_rejected(self, data):
        X, y = data
        y = np.where(y == 2, "fear", "unlabeled")
        with pytest.raises(ValueError, match=r"one class.*fear"):
            AdversarialAEClassifier(unlabeled="unlabeled", **EXACT).fit(X, y)

    def test_minus_one_is_a_class_unless_it_marks_unlabeled(self, data):
        X, y = data
        y[y == 0] = -1
        model = AdversarialAEClassifier(max_epochs=1, **EXACT).fit(X, y)
        assert model.classes_.tolist() == [-1, 1, 2, 3]
        model = AdversarialAEClassifier(max_epochs=1, unlabeled=-1, **EXACT).fit(X, y)
        assert model.classes_.tolist() == [1, 2, 3]

    @pytest.mark.parametrize("kind", [list, np.array, pd.Series])
    def test_a_number_among_names_may_mark_unlabeled(self, data, kind):
        X, y = data
        mixed = [-1 if c == 3 else f"class{c}" for c in y]
        model = AdversarialAEClassifier(max_epochs=1, unlabeled=-1, **EXACT).fit(X, kind(mixed))
        assert model.classes_.tolist() == ["class0", "class1", "class2"]

    def test_an_ensemble_that_hides_the_marker_is_warned_of(self, data):
        X, y = data
        y = np.where(y == 3, "?", np.array(list("abcd"))[y])
        model = AdversarialAEClassifier(max_epochs=1, unlabeled="?", **EXACT)
        with pytest.warns(UserWarning, match=r"No utterance in y is unlabeled, that is '\?'"):
            VotingClassifier([("network", model)], voting="soft").fit(X, y)
        model.partial_fit(X[:8], np.array(list("abc"))[np.arange(8) % 3], classes=list("abc"))

    def test_nan_labels_are_rejected(self, data):
        X, y = data
        y = np.array(list("abcd"), dtype=object)[y]
        y[5] = np.nan
        for unlabeled in (None, "?"):
            with pytest.raises(ValueError, match="NaN"):
                AdversarialAEClassifier(unlabeled=unlabeled, **EXACT).fit(X, y)

    def test_labels_of_mixed_types_are_rejected(self, data):
        X, y = data
        y = np.array([1 if c == 0 else "a" for c in y], dtype=object)
        with pytest.raises((ValueError, TypeError), match="str|type"):
            AdversarialAEClassifier(unlabeled=-1, **EXACT).fit(X, y)

    def test_partial_fit_rejects_the_marker_among_classes(self, data):
        model = AdversarialAEClassifier(unlabeled=-1, **EXACT)
        with pytest.raises(ValueError, match="classes holds -1"):
            model.partial_fit(*data, classes=[-1, 0, 1, 2, 3])

    def test_an_untrained_decoder_or_style_latent_is_not_used(self, data):
        X, y = data
        twin = AdversarialAEClassifier(**TWIN, max_epochs=1, **EXACT).fit(X, y)
        for ask in (twin.reconstruct, twin.score_samples):
            with pytest.raises(ValueError, match="reconstruction_weight=0"):
                ask(X)
        with pytest.raises(ValueError, match="does not train the decoder"):
            twin.sample(2)
        with pytest.raises(ValueError, match="latent='style' needs a trained style latent"):
            twin.set_params(latent="style").transform(X)

    def test_wrong_arguments_of_sample_are_rejected(self, data):
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

    def test_target_columns_in_another_order_are_rejected(self, data):
        X, _ = data
        y = pd.DataFrame(X[:, :2], columns=["valence", "activation"])
        model = AdversarialAERegressor(**EXACT).partial_fit(X, y)
        with pytest.raises(ValueError, match=r"they must be \['valence', 'activation'\]"):
            model.partial_fit(X, y[["activation", "valence"]])
        with pytest.raises(ValueError, match=r"they must be \['valence', 'activation'\]"):
            model.score(X, y[["activation", "valence"]])
        with pytest.raises(ValueError, match="y has 1 targets, but .* fitted on 2"):
            model.score(X, y[["valence"]])
        with pytest.raises(ValueError, match="all values in its 60 rows are NaN"):
            model.partial_fit(X, np.full((60, 2), np.nan))

    def test_a_class_may_have_a_single_utterance(self, data):
        X, y = data
        y = np.where(np.arange(60) == 0, 9, y)
        model = AdversarialAEClassifier(max_epochs=2, **EXACT).fit(X, y)
        assert 9 in model.classes_

    @pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
    def test_constant_features_give_finite_outputs(self, data):
        X, y = data
        model = AdversarialAEClassifier(max_epochs=2, **EXACT).fit(np.ones_like(X), y)
        assert np.isfinite(model.predict_proba(np.ones_like(X))).all()
        assert np.isfinite(model.reconstruct(np.ones_like(X))).all()

    def test_sequences_may_have_a_single_frame(self, data):
        X, y = data
        frames = Sequences.from_list([row[None] for row in X])
        model = AdversarialAEClassifier(max_epochs=2, **EXACT).fit(frames, y)
        assert np.isfinite(model.predict_proba(frames)).all()
        assert model.reconstruct(frames).shape == (60, 60)

    def test_targets_that_are_all_missing_are_rejected(self, data):
        X, _ = data
        y = np.full((60, 3), np.nan)
        with pytest.raises(ValueError, match="y holds no targets: all values in its 60 rows"):
            AdversarialAERegressor(**EXACT).fit(X, y)
        y[:, :2] = 1.0
        with pytest.raises(ValueError, match="no targets for 'dominance'"):
            AdversarialAERegressor(**EXACT).fit(X, y)

    def test_sampling_an_unknown_class_is_rejected(self, data):
        model = AdversarialAEClassifier(max_epochs=1, **EXACT).fit(*data)
        with pytest.raises(ValueError, match=r"unknown classes: \[7\]"):
            model.sample(3, y=7)

    @pytest.mark.parametrize("name", ["hidden_units", "decoder_units", "filters"])
    def test_layers_without_units_are_named(self, data, name):
        with pytest.raises(ValueError, match=rf"{name}=\(0,\) must hold"):
            AdversarialAEClassifier(**{name: (0,)}, **EXACT).fit(*data)

    def test_frames_are_rejected_after_a_fit_on_vectors(self, data):
        X, y = data
        model = AdversarialAEClassifier(max_epochs=1, **EXACT).fit(X, y)
        with pytest.raises(ValueError, match="was fitted on a 2-D array"):
            model.predict(Sequences.from_list([row[None] for row in X]))

    def test_warnings_name_the_parts_that_failed(self, data):
        X, y = data
        with pytest.warns(ConvergenceWarning, match="the decoder's squared error was"):
            AdversarialAEClassifier(
                max_epochs=1, learning_rate=1e-9, reconstruction_weight=1.0, **EXACT
            ).fit(X, y)
        X, y, _ = emotion_and_style(n=600)
        with pytest.warns(ConvergenceWarning, match="discriminator of the style latent"):
            AdversarialAEClassifier(
                max_epochs=40, adversarial_weight=1e-9, reconstruction_weight=1.0,
                objectives={"n_discriminator_updates": 5}, noise=0.0, dropout=0.0, **EXACT,
            ).fit(20 * X, y)  # fmt: skip
