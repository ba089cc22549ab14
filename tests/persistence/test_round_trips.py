"""Round trips of models of this package, by themselves and among scikit-learn's."""

import copy
import importlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skser
from skser.compose import (
    AugmentedClassifier,
    AugmentedRegressor,
    SegmentedClassifier,
    SegmentedRegressor,
    TransferClassifier,
    TransferRegressor,
)
from skser.feature_extraction import (
    FrameFeatures,
    Functionals,
    MelSpectrogram,
    SpeechEmbedding,
    TextEmbedding,
)
from skser.metrics import uar_scorer
from skser.model_selection import SpeakerFolds
from skser.neural_network import (
    AdversarialAEClassifier,
    AdversarialAERegressor,
    AttentionFCNClassifier,
    AttentionFCNRegressor,
    AttentionRNNClassifier,
    AttentionRNNRegressor,
    SpecAugment,
)
from skser.persistence import SavedModelError, read_info, trusted_types
from skser.persistence._allowed import _ALLOWED, class_of
from skser.pipelines import fcn_and_functionals
from skser.preprocessing import SequenceScaler, SpeakerScaler
from tests.support.estimators import ALL, EMBEDDINGS, add_noise, by_name, instance

QUIET = "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
pytestmark = pytest.mark.filterwarnings(QUIET)
EXACT = {"device": "cpu", "random_state": 0, "max_epochs": 2}
RATE = {"input_sampling_rate": 16000}
NETWORKS = [
    AdversarialAEClassifier(prior="mixture", **EXACT),
    AdversarialAEClassifier((8,), class_weight="balanced", **EXACT),
    AdversarialAERegressor(adversarial_weight=0.0, **EXACT),
    AttentionFCNClassifier(class_weight={"anger": 2}, augment=SpecAugment(gain_db=0.1), **EXACT),
    AttentionFCNRegressor(**EXACT),
    AttentionRNNClassifier(cell="lstm", n_hidden=8, layer_weights=True, **EXACT),
    AttentionRNNRegressor(cell=None, n_hidden=8, **EXACT),
]


def outputs(model, X):
    return getattr(model, "predict_proba", model.predict)(X)


@pytest.fixture
def there_and_back(tmp_path):
    """Save and load a model."""

    def back(model, **kwargs):
        path = tmp_path / "model.skser"
        skser.save(model, path)
        return skser.load(path, **kwargs)

    return back


@pytest.fixture(scope="module")
def few(mels, corpus):
    return mels[:20], corpus.target[:20], corpus.frame[["valence", "activation"]][:20]


def targets(model, few):
    _, y, dimensions = few
    return y if hasattr(model, "predict_proba") else dimensions


@pytest.mark.parametrize("model", NETWORKS, ids=lambda model: repr(model)[:34])
class TestNetworks:
    """Every network, fitted."""

    def test_a_loaded_one_predicts_the_same_to_the_last_digit(self, model, few, there_and_back):
        fitted = clone(model).fit(few[0], targets(model, few))
        loaded = there_and_back(fitted)
        np.testing.assert_array_equal(outputs(loaded, few[0]), outputs(fitted, few[0]))
        assert loaded.n_iter_ == fitted.n_iter_ == len(loaded.history_) == 2
        assert loaded.history_[:, "train_loss"] == fitted.history_[:, "train_loss"]

    def test_a_loaded_one_learns_on_as_the_saved_one_would(self, model, few, there_and_back):
        X, y = few[0], targets(model, few)
        if getattr(model, "class_weight", None) == "balanced":
            pytest.skip("no partial_fit with balanced weights")
        fitted = clone(model).fit(X, y)
        loaded = there_and_back(fitted)
        for one in (fitted, loaded):
            one.partial_fit(X, y)
        np.testing.assert_array_equal(outputs(loaded, X), outputs(fitted, X))
        for one in (fitted, loaded):
            one.set_params(warm_start=True).fit(X, y)
        np.testing.assert_array_equal(outputs(loaded, X), outputs(fitted, X))
        assert loaded.n_iter_ == 5

    def test_a_loaded_one_is_a_place_to_start_from(self, model, few, there_and_back):
        X, y = few[0], targets(model, few)
        fitted = clone(model).fit(X, y)
        meta = TransferClassifier if hasattr(model, "predict_proba") else TransferRegressor
        starts = [meta(clone(model), m) for m in (fitted, there_and_back(fitted))]
        a, b = (outputs(start.fit(X, y), X) for start in starts)
        np.testing.assert_array_equal(a, b)
        loaded = there_and_back(starts[0])
        assert loaded.source is None
        np.testing.assert_array_equal(outputs(loaded, X), a)


@pytest.mark.parametrize("cls", ALL, ids=by_name)
def test_every_estimator_of_the_package_is_saved_unfitted(cls, there_and_back):
    model = instance(cls)
    # The last one is given a support vector machine.
    needs_trust = cls in (
        AugmentedClassifier, AugmentedRegressor, *EMBEDDINGS, SegmentedRegressor,
    )  # fmt: skip
    if needs_trust:
        with pytest.raises(SavedModelError, match="which load does not build without trust"):
            there_and_back(model)
    loaded = there_and_back(model, trusted=needs_trust)
    assert type(loaded) is cls
    assert _parameters(loaded) == _parameters(model)


def _parameters(model):
    """Text of all parameters, inner ones too, except those that are not saved."""
    return {
        name: str(value)
        for name, value in model.get_params().items()
        if not name.endswith("n_threads")
        and not name.startswith("source")
        and not hasattr(value, "get_params")
    }


def test_every_estimator_of_the_package_is_on_the_list_or_needs_trust():
    listed = {
        class_of(f"{package}.{name}") for package, names in _ALLOWED.items() for name in names
    }
    assert set(ALL) - listed == set(EMBEDDINGS)
    assert None not in listed


def test_vectors_and_their_names(few, there_and_back):
    import pandas as pd

    X, y = pd.DataFrame(np.random.RandomState(0).randn(20, 3), columns=["a", "b", "c"]), few[1]
    fitted = AdversarialAEClassifier((8,), **EXACT).fit(X, y)
    loaded = there_and_back(fitted)
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.reconstructed_features_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(loaded.sample(3), fitted.sample(3))


def test_the_weights_of_phases_are_those_of_the_fit(few, there_and_back):
    fitted = AdversarialAEClassifier(reconstruction_weight=0.0, **EXACT).fit(*few[:2])
    loaded = there_and_back(fitted.set_params(reconstruction_weight=1.0))
    with pytest.raises(ValueError, match="fitted with reconstruction_weight=0"):
        loaded.reconstruct(few[0])


def test_votes_keep_their_parts_in_common(corpus, there_and_back):
    X, y = corpus.data[:20], corpus.target[:20]
    model = fcn_and_functionals(
        max_epochs=2, conditions=False, device="cpu", random_state=0, **RATE
    ).fit(X, y)
    loaded = there_and_back(model)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.estimators_[0] is loaded.named_estimators_.network
    assert loaded.classes_.tolist() == model.classes_.tolist()
    clone(loaded).fit(X, y)


@pytest.mark.filterwarnings("ignore:All 10 predictions are")
def test_windows_searches_and_speakers(corpus, there_and_back):
    X, y, speakers = corpus.data[:20], corpus.target[:20], corpus.speakers[:20]
    network = AttentionFCNClassifier(**EXACT)
    model = make_pipeline(
        MelSpectrogram(n_mels=8, **RATE), SequenceScaler(), SegmentedClassifier(network, 0.5, 0.25)
    )
    folds = SpeakerFolds([[speaker] for speaker in np.unique(speakers)])
    search = GridSearchCV(
        model, {"segmentedclassifier__pooling": ["mean", "max"]}, cv=folds, scoring=uar_scorer
    ).fit(X, y, groups=speakers)
    loaded = there_and_back(search, trusted=True)
    np.testing.assert_array_equal(loaded.predict_proba(X), search.predict_proba(X))
    assert loaded.best_params_ == search.best_params_
    assert loaded.score(X, y) == search.score(X, y)
    loaded.fit(X, y, groups=speakers)
    assert loaded.best_score_ == search.best_score_


def test_speaker_normalisation_and_functionals(corpus, there_and_back):
    table = corpus.frame[:20]
    features = SpeakerScaler(Functionals(FrameFeatures(**RATE)))
    model = make_pipeline(features, LogisticRegression(max_iter=5000)).fit(
        table, corpus.target[:20]
    )
    loaded = there_and_back(model)
    np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))


def test_an_augmented_classifier_needs_trust_and_its_inner_estimator_does_not(
    corpus, there_and_back
):
    inner = make_pipeline(
        MelSpectrogram(n_mels=8), SequenceScaler(), AttentionFCNClassifier(**EXACT)
    )
    model = AugmentedClassifier(inner, add_noise, **RATE, random_state=0)
    model.fit(corpus.data[:10], corpus.target[:10])
    expected = model.predict_proba(corpus.data[:10])
    with pytest.raises(SavedModelError, match="estimators.add_noise, which load does not"):
        there_and_back(model)
    for loaded in (there_and_back(model, trusted=True), there_and_back(model.estimator_)):
        np.testing.assert_array_equal(loaded.predict_proba(corpus.data[:10]), expected)


def _table(n=12):
    import pandas as pd

    random = np.random.RandomState(0)
    audio = [random.randn(8000).astype(np.float32) for _ in range(n)]
    words = ["i am so happy", "sad today", "i am so sad today"] * (n // 3)
    return pd.DataFrame({"audio": audio, "transcript": words}), ["glad", "low", "low"] * (n // 3)


def test_audio_with_text_and_fine_tuned_layers(tmp_path, there_and_back):
    pytest.importorskip("transformers")
    pytest.importorskip("peft")
    from tests.support.checkpoints import save_speech_checkpoint, save_text_checkpoint

    X, y = _table()
    speech = save_speech_checkpoint("whisper", tmp_path / "speech")
    audio = SpeechEmbedding(speech, layers=2, pooling=None, device="cpu", **RATE)
    text = TextEmbedding(
        save_text_checkpoint(tmp_path / "text"), pooling=None, device="cpu", layers=1
    )
    quick = {"n_hidden": 4, "batch_size": 4, **EXACT}
    for settings in (
        {"text": text},
        {"cell": None, "n_fine_tuned_layers": 1},
        {"cell": None, "n_fine_tuned_layers": 1, "adapter_rank": 2},
    ):
        fitted = AttentionRNNClassifier(audio, **settings, **quick).fit(X, y)
        loaded = there_and_back(fitted, trusted=True)
        np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
        for one in (fitted, loaded):
            one.partial_fit(X, y)
        np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    entries = read_info(tmp_path / "model.skser")["features"]
    assert {entry.get("checkpoint") for entry in entries} == {None, str(speech)}


def test_what_belongs_to_one_machine_stays_there(few, corpus, tmp_path, there_and_back):
    model = (
        make_pipeline(
            MelSpectrogram(n_mels=8, memory=tmp_path / "features", **RATE),
            SequenceScaler(),
            AttentionFCNClassifier(
                checkpoint_dir=str(tmp_path / "states"), n_threads=2, verbose=True, **EXACT
            ),
            memory=str(tmp_path / "joblib"),
        )
        .set_params(melspectrogram__n_jobs=2, melspectrogram__verbose=True)
        .fit(corpus.data[:10], corpus.target[:10])
    )
    loaded = there_and_back(model)
    assert loaded.memory is loaded[0].memory is loaded[-1].checkpoint_dir is None
    assert loaded[0].n_jobs is loaded[-1].n_threads is None
    assert not loaded[0].verbose
    assert not loaded[-1].verbose
    assert str(tmp_path).encode() not in (tmp_path / "model.skser").read_bytes()


class Chosen(TransformerMixin, BaseEstimator):
    """Transformer of this file, whose parameters are not those of one machine."""

    def __init__(self, source="first", memory=0):
        self.source = source
        self.memory = memory

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


def test_parameters_of_other_libraries_are_kept_whatever_their_names(tmp_path):
    model = make_pipeline(Chosen("last", 3), SequenceScaler())
    skser.save(model, tmp_path / "model.skser")
    loaded = skser.load(tmp_path / "model.skser", trusted=True)
    assert (loaded[0].source, loaded[0].memory) == ("last", 3)


def test_scalars_generators_and_names_come_back_as_they_were(there_and_back):
    random = np.random.RandomState(3)
    random.standard_normal(5)
    model = AttentionFCNClassifier(
        filters=(np.int64(4), 8),
        strides=1,
        pool_sizes=((1, 2), 1),
        dropout=np.float32(0.25),
        class_weight={0: 1.5, "x": np.float64(2), 2.5: float("inf")},
        random_state=random,
    )
    loaded = there_and_back(model)
    assert loaded.filters == (4, 8)
    assert [type(value) for value in loaded.filters] == [np.int64, int]
    assert type(loaded.dropout) is np.float32
    assert loaded.class_weight == model.class_weight
    assert [type(key) for key in loaded.class_weight] == [int, str, float]
    drawn = [
        generator.randint(1000, size=3).tolist() for generator in (loaded.random_state, random)
    ]
    assert drawn[0] == drawn[1]


def test_another_process_predicts_the_same_without_training_code(corpus, wav, tmp_path):
    paths = [wav(samples, name=f"{i} ü.wav") for i, samples in enumerate(corpus.data[:10])]
    network = AttentionFCNClassifier(**EXACT)
    model = make_pipeline(MelSpectrogram(n_mels=16), SequenceScaler(), network)
    expected = model.fit(paths, corpus.target[:10]).predict_proba(paths)
    skser.save(model, tmp_path / "my model.skser")
    code = (
        "import sys, json, skser; model = skser.load(sys.argv[1]);"
        "print(json.dumps(model.predict_proba(sys.argv[2:]).tolist()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "my model.skser"), *paths],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    import json

    np.testing.assert_array_equal(json.loads(result.stdout.splitlines()[-1]), expected)


def test_devices_are_those_of_the_machine_that_loads(few, there_and_back, tmp_path):
    import torch

    model = AttentionFCNClassifier(**{**EXACT, "device": "auto"}).fit(*few[:2])
    model.device = "cuda:7"  # where it was trained, say
    skser.save(model, tmp_path / "model.skser")
    if torch.cuda.device_count() < 8:
        with pytest.raises(SavedModelError, match=r"model.skser .* device='cuda:7' is not avail"):
            skser.load(tmp_path / "model.skser")
    loaded = skser.load(tmp_path / "model.skser", device="cpu")
    assert loaded.device == loaded.net_.device == "cpu"


def test_metadata_requests_survive(few, there_and_back):
    from sklearn import config_context

    with config_context(enable_metadata_routing=True):
        network = AttentionFCNClassifier(**EXACT).set_fit_request(groups=True)
        linear = LogisticRegression().set_fit_request(sample_weight="weights")
        loaded = there_and_back(make_pipeline(network, linear))
        assert loaded[0].get_metadata_routing().fit.requests["groups"] is True
        assert loaded[1].get_metadata_routing().fit.requests["sample_weight"] == "weights"


@pytest.mark.parametrize("model", NETWORKS, ids=lambda model: repr(model)[:34])
def test_other_ways_to_store_a_network_give_the_same(model, few, tmp_path):
    import joblib
    import skops.io

    cloudpickle = pytest.importorskip("cloudpickle")

    model = make_pipeline(SequenceScaler(), clone(model)).fit(few[0], targets(model, few))
    joblib.dump(model, tmp_path / "model.joblib")
    data = skops.io.dumps(model)
    for again in (
        pickle.loads(pickle.dumps(model)),
        cloudpickle.loads(cloudpickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
        skops.io.loads(data, trusted=trusted_types(model)),
    ):
        np.testing.assert_array_equal(outputs(again, few[0]), outputs(model, few[0]))


def test_the_architecture_is_that_of_the_fit(few, there_and_back):
    model = AttentionFCNClassifier(**EXACT).fit(*few[:2])
    expected = model.predict_proba(few[0])
    model.set_params(filters=(3,), n_heads=2)
    loaded = there_and_back(model)
    assert loaded.filters == (3,)
    np.testing.assert_array_equal(loaded.predict_proba(few[0]), expected)
    np.testing.assert_array_equal(there_and_back(loaded).predict_proba(few[0]), expected)


def test_a_copy_shares_no_weights(few):
    model = AttentionFCNClassifier(**EXACT).fit(*few[:2])
    expected = model.predict_proba(few[0])
    copy.copy(model).partial_fit(*few[:2])
    np.testing.assert_array_equal(model.predict_proba(few[0]), expected)


def test_moments_of_the_optimizer_survive(few):
    model = AttentionFCNClassifier(**EXACT).partial_fit(*few[:2])
    again = pickle.loads(pickle.dumps(model))
    for one in (model, again):
        one.partial_fit(*few[:2])
    np.testing.assert_array_equal(again.predict_proba(few[0]), model.predict_proba(few[0]))


def test_loading_without_networks_needs_neither_torch_nor_skops(tmp_path):
    skser.save(SequenceScaler(), tmp_path / "model.skser")
    code = (
        "import sys, skser; skser.load(sys.argv[1]);"
        "print({'torch', 'skops'}.isdisjoint(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.skser")],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert result.stdout.strip() == "True"


def test_top_level_names_load_on_first_use(capsys):
    persistence = importlib.import_module("skser.persistence")
    assert skser.save is persistence.save
    assert skser.load is persistence.load
    skser.show_versions()
    text = capsys.readouterr().out
    assert f"skser: {skser.__version__}" in text
    assert "Devices" in text
