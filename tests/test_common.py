"""Checks that run over every estimator of the package."""

import copy
import importlib
import inspect
import re

import joblib
import numpy as np
import pytest
from sklearn.utils import estimator_checks

import skser
from skser.compose import (
    TransferClassifier,
    TransferRegressor,
)
from skser.feature_extraction import (
    MelSpectrogram,
)
from skser.sequences import Sequences
from tests.support import audio_checks, table_checks, text_checks
from tests.support.estimators import (
    ALL,
    AUDIO,
    MOST_PARAMETERS,
    NETWORKS,
    TABLES,
    TEXTS,
    by_name,
    instance,
)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "cls", [cls for cls in ALL if cls not in AUDIO + TABLES + TEXTS], ids=by_name
)
def test_check_estimator_passes_without_expected_failures(cls):
    results = estimator_checks.check_estimator(instance(cls), on_skip=None)
    assert len(results) > 40
    assert {result["status"] for result in results} == {"passed"}


class _PretendsTo2D:
    """Mixin that declares 2-D input, so that scikit-learn lists all of its checks."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def checks_of_a_transformer(cls):
    pretender = type(cls.__name__, (_PretendsTo2D, cls), {"__init__": cls.__init__})
    for _, check in estimator_checks.estimator_checks_generator(pretender(), legacy=True):
        yield getattr(check, "func", check).__name__


NAMES = sorted(set(checks_of_a_transformer(MelSpectrogram)))


@pytest.mark.parametrize("cls", AUDIO, ids=by_name)
@pytest.mark.parametrize("check", NAMES)
def test_audio_transformers_pass_every_check_or_its_replacement(cls, check, tmp_path):
    ours = getattr(audio_checks, check, None)
    if ours is None:
        getattr(estimator_checks, check)(cls.__name__, instance(cls))
    elif "tmp_path" in inspect.signature(ours).parameters:
        ours(cls.__name__, instance(cls), tmp_path)
    else:
        ours(cls.__name__, instance(cls))


@pytest.mark.parametrize("check", NAMES)
def test_table_transformers_pass_every_check_or_its_replacement(check, tmp_path):
    ours = getattr(table_checks, check, None) or getattr(estimator_checks, check)
    transformer = instance(table_checks.OneSpeakerPerUtterance)
    folder = [tmp_path] if "tmp_path" in inspect.signature(ours).parameters else []
    ours(type(transformer).__name__, transformer, *folder)


@pytest.mark.parametrize("cls", TEXTS, ids=by_name)
@pytest.mark.parametrize("check", NAMES)
def test_text_transformers_pass_every_check_or_its_replacement(cls, check):
    ours = getattr(text_checks, check, None) or getattr(estimator_checks, check)
    ours(cls.__name__, instance(cls))


def test_every_replacement_has_the_name_of_a_check():
    ours = {name for name in vars(table_checks) if name.startswith("check_")}
    # scikit-learn 1.7 has this one for estimators with array API support only.
    assert ours <= {*NAMES, "check_array_api_input"}
    assert len(ours) > 25


@pytest.mark.parametrize("cls", ALL, ids=by_name)
def test_every_parameter_is_constrained_and_documented(cls):
    parameters = set(inspect.signature(cls.__init__).parameters) - {"self"}
    assert parameters == set(cls._parameter_constraints)
    section = cls.__doc__.split("Parameters\n", 1)[1].split("\n    Attributes\n")[0]
    documented = set()
    for line in re.findall(r"^    (\w[\w, ]*) : ", section, flags=re.M):
        documented |= set(line.split(", "))
    assert parameters <= documented


def public_classes():
    for name in skser._SUBMODULES:
        module = importlib.import_module(f"skser.{name}")
        for public in getattr(module, "__all__", ()):
            if inspect.isclass(getattr(module, public)):
                yield getattr(module, public)


def test_every_shared_description_is_inserted():
    for cls in public_classes():
        assert not re.findall(r"^ *\{\w+\}$", cls.__doc__ or "", flags=re.M), cls.__name__


@pytest.mark.parametrize("cls", ALL, ids=by_name)
def test_constructors_have_a_limited_number_of_parameters(cls):
    assert len(inspect.signature(cls).parameters) <= MOST_PARAMETERS


@pytest.mark.parametrize("cls", ALL, ids=by_name)
def test_html_and_text_reprs_name_the_class(cls):
    estimator = instance(cls)
    assert cls.__name__ in estimator._repr_html_()
    assert cls.__name__ in repr(estimator)


@pytest.mark.filterwarnings("ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("cls", NETWORKS, ids=by_name)
class TestNetworks:
    """Contracts of all networks on frame sequences."""

    @pytest.fixture
    def mels(self, mels):
        """Shared spectrograms cut to 30 to 39 frames, which train several times faster."""
        cut = [frames[20 : 50 + i % 10] for i, frames in enumerate(mels)]
        return Sequences.from_list(cut, mels.layout)

    @pytest.fixture
    def y(self, cls, corpus):
        if hasattr(cls, "predict_proba"):
            return corpus.target
        return corpus.frame[["valence", "activation", "dominance"]].to_numpy()

    @staticmethod
    def outputs(model, X):
        return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)

    @staticmethod
    def fitted(cls, X, y, **kwargs):
        settings = {"max_epochs": 2, "device": "cpu", "random_state": 0, "n_threads": 1}
        return cls(**{**settings, **kwargs}).fit(X, y)

    @staticmethod
    def transferred(network, source):
        is_classifier = hasattr(network, "predict_proba")
        return (TransferClassifier if is_classifier else TransferRegressor)(network, source)

    def test_outputs_do_not_depend_on_padding_batch_size_or_order(self, cls, mels, y):
        model = self.fitted(cls, mels, y)
        expected = self.outputs(model, mels)
        for batch_size in (1, 3, 40):
            model.set_params(batch_size=batch_size)
            np.testing.assert_allclose(self.outputs(model, mels), expected, atol=1e-5)
        order = np.random.RandomState(0).permutation(len(mels))
        np.testing.assert_allclose(self.outputs(model, mels[order]), expected[order], atol=1e-5)

    def test_padding_of_one_utterance_does_not_change_its_output(self, cls, mels, y):
        import torch

        model = self.fitted(cls, mels, y)
        module = model.net_.module_.eval()
        x = torch.from_numpy(mels[0]).unflatten(1, (2, 16)).transpose(0, 1)[None]
        lengths = torch.tensor([len(mels[0])])
        with torch.inference_mode():
            plain = module(x, lengths)
            for n_padding in (1, 2, 3, 7, 64, 301):
                padded = torch.cat([x, torch.zeros(1, 2, n_padding, 16)], dim=2)
                torch.testing.assert_close(module(padded, lengths), plain, atol=1e-5, rtol=0)

    def test_two_fits_with_one_seed_are_identical(self, cls, mels, y):
        a, b = (self.fitted(cls, mels, y, early_stopping=False) for _ in range(2))
        np.testing.assert_array_equal(self.outputs(a, mels), self.outputs(b, mels))
        c = self.fitted(cls, mels, y, random_state=1)
        assert np.abs(self.outputs(c, mels) - self.outputs(a, mels)).max() > 1e-4

    def test_every_form_of_sequences_has_the_same_output(self, cls, y):
        array = np.random.RandomState(0).randn(40, 30, 4).astype(np.float32)
        model = self.fitted(cls, array, y)
        expected = self.outputs(model, array)
        np.testing.assert_allclose(self.outputs(model, list(array)), expected, atol=1e-5)
        assert not hasattr(model, "n_features_in_")

    def test_global_seed_and_threads_are_unchanged(self, cls, mels, y):
        import torch

        torch.manual_seed(5)
        expected = torch.rand(1)
        threads = torch.get_num_threads()
        torch.manual_seed(5)
        model = self.fitted(cls, mels, y)
        self.outputs(model, mels)
        assert torch.rand(1) == expected
        assert torch.get_num_threads() == threads

    def test_warm_start_continues_and_a_cold_fit_starts_over(self, cls, mels, y):
        model = self.fitted(cls, mels, y, warm_start=True)
        first = self.outputs(model, mels)
        assert model.fit(mels, y).n_iter_ == 4
        assert not np.allclose(self.outputs(model, mels), first, atol=1e-4)
        model.set_params(warm_start=False).fit(mels, y)
        assert model.n_iter_ == 2
        np.testing.assert_array_equal(self.outputs(model, mels), first)

    def test_partial_fit_lowers_the_loss(self, cls, mels, y):
        model = cls(device="cpu", random_state=0)
        losses = [model.partial_fit(mels, y).history_[-1]["train_loss"] for _ in range(8)]
        assert model.n_iter_ == 8
        assert min(losses[-2:]) < losses[0]

    def test_a_pickle_predicts_the_same(self, cls, mels, y):
        import pickle

        model = self.fitted(cls, mels, y)
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(self.outputs(copy, mels), self.outputs(model, mels))

    def test_a_copy_of_a_fitted_network_has_the_same_hash(self, cls, mels, y):
        model = self.fitted(cls, mels, y)
        assert joblib.hash(copy.deepcopy(model)) == joblib.hash(model)

    def test_early_stopping_separates_speakers(self, cls, mels, y, corpus, monkeypatch):
        from skser.neural_network import _base

        seen = []
        split = _base.NeuralEstimator._split

        def spy(self, sequences, targets, groups):
            parts = split(self, sequences, targets, groups)
            seen.extend(parts)
            return parts

        monkeypatch.setattr(_base.NeuralEstimator, "_split", spy)
        model = cls(
            max_epochs=30, n_iter_no_change=2, early_stopping=True, validation_fraction=0.25,
            learning_rate=0.05, learning_rate_schedule="constant", device="cpu", random_state=0,
        )  # fmt: skip
        model.fit(mels, y, groups=corpus.speakers)
        speaker = dict(zip(mels.starts, corpus.speakers, strict=True))
        train, valid = ({speaker[s] for s in part.sequences.starts} for part in seen)
        assert train.isdisjoint(valid)
        assert len(valid) == 1
        assert model.n_iter_ < 30
        losses = model.history_[:, "valid_loss"]
        assert model.n_iter_ == int(np.argmin(losses)) + 1 + 2

    def test_early_stopping_without_groups_warns(self, cls, mels, y):
        with pytest.warns(UserWarning, match="one speaker into both training and validation"):
            self.fitted(cls, mels, y, early_stopping=True, validation_fraction=0.25)

    def test_early_stopping_on_one_group_is_rejected(self, cls, mels, y):
        with pytest.raises(ValueError, match=r"[gG]roup"):
            cls(early_stopping=True, device="cpu").fit(mels, y, groups=np.zeros(len(mels)))

    def test_weights_are_transferred(self, cls, mels, y):
        source = self.fitted(cls, mels, y, max_epochs=4)
        kwargs = {"learning_rate": 1e-9, "weight_decay": 0.0, "max_epochs": 1}
        network = cls(device="cpu", random_state=0, n_threads=1, **kwargs)
        model = self.transferred(network, source).fit(mels, y)
        ours, theirs = (m.net_.module_.state_dict() for m in (model.estimator_, source))
        name = next(iter(ours))
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-6)

    def test_layers_that_do_not_fit_are_named(self, cls, mels, y):
        other, layer = {"n_hidden": 8}, r"audio\.recurrent\.weight_ih_l0"
        if hasattr(cls(), "filters"):
            other, layer = {"filters": (8, *cls().filters[1:])}, r"blocks\.0\.convolution\.weight"
        source = self.fitted(cls, mels, y, **other)
        with pytest.raises(ValueError, match=layer):
            self.transferred(cls(device="cpu"), source).fit(mels, y)

    def test_bfloat16_is_close_to_float32(self, cls, mels, y):
        model = self.fitted(cls, mels, y)
        expected = self.outputs(model, mels)
        model.set_params(precision="bfloat16")
        half = self.outputs(model, mels)
        assert np.abs(half - expected).max() < 0.1 * max(1, np.abs(expected).max())
        trained = self.fitted(cls, mels, y, precision="bfloat16")
        assert np.isfinite(self.outputs(trained, mels)).all()

    def test_callbacks_run_and_are_not_copied(self, cls, mels, y):
        from skorch.callbacks import Callback

        class Count(Callback):
            epochs = 0

            def on_epoch_end(self, net, **kwargs):
                self.epochs += 1

        callback = Count()
        model = self.fitted(cls, mels, y, callbacks=[callback])
        assert dict(model.net_.callbacks_)["Count"] is callback
        assert callback.epochs == 2
