"""The files that models are saved in: what they say, and how they are written."""

import importlib
import os
import sys
import threading

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import skser
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.persistence import SavedModelError, read_info
from skser.preprocessing import SequenceScaler, SpeakerScaler

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
EXACT = {"device": "cpu", "random_state": 0, "max_epochs": 2}
RATE = {"input_sampling_rate": 16000}


@pytest.fixture(scope="module")
def few(mels, corpus):
    return mels[:20], corpus.target[:20]


def test_the_same_model_gives_the_same_bytes_and_again_when_loaded(few, tmp_path):
    model = make_pipeline(SequenceScaler(), AttentionFCNClassifier(**EXACT)).fit(*few[:2])
    skser.save(model, tmp_path / "a.skser")
    skser.save(model, tmp_path / "b.skser")
    skser.save(skser.load(tmp_path / "a.skser"), tmp_path / "c.skser")
    assert len({(tmp_path / f"{name}.skser").read_bytes() for name in "abc"}) == 1


def test_a_model_is_saved_to_a_file_with_a_card_of_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", tmp_path):
        with pytest.raises(SavedModelError, match="is not the name of a file to write"):
            skser.save(SequenceScaler(), path)
    with pytest.raises(TypeError, match="card must be text in Markdown or None, got int"):
        skser.save(SequenceScaler(), "m.skser", card=3)
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_is_gone_is_named_with_the_file_and_a_remedy(tmp_path, monkeypatch):
    (tmp_path / "my_steps.py").write_text(
        "from sklearn.base import BaseEstimator\nclass Own(BaseEstimator): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    skser.save(importlib.import_module("my_steps").Own(), tmp_path / "m.skser")
    monkeypatch.delitem(sys.modules, "my_steps")
    (tmp_path / "my_steps.py").unlink()
    with pytest.raises(SavedModelError) as raised:
        skser.load(tmp_path / "m.skser", trusted=True)
    assert str(raised.value) == (
        f"{tmp_path / 'm.skser'} cannot be loaded. It holds my_steps.Own, but the module "
        "my_steps is missing. Make it importable: install it, or add its folder to PYTHONPATH."
    )


def test_a_file_describes_its_model(corpus, tmp_path):
    X, y = corpus.data[:20], corpus.target[:20]
    model = make_pipeline(
        MelSpectrogram(n_mels=8, deltas=0, **RATE), AttentionFCNClassifier(**EXACT)
    ).fit(X, y)
    skser.save(model, tmp_path / "model.skser", card="# Made up")
    info = read_info(tmp_path / "model.skser")
    assert info["model"] == "Pipeline(MelSpectrogram, AttentionFCNClassifier)"
    assert info["labels"] == model.classes_.tolist()
    assert info["card"] == "# Made up"
    assert info["versions"]["skser"] == skser.__version__
    gives, takes = info["features"]
    assert gives["sampling_rate"] == 16000
    assert gives["of_test_signal"][:2] == [51, 8]
    assert info["trust"] == []
    assert gives["layout"] == takes["layout"]
    assert (gives["layout"]["n_columns"], gives["layout"]["hop"]) == (8, 0.01)
    (training,) = info["training"]
    assert (training["epochs"], training["utterances"]) == (2, 20)
    assert training["parameters"]["learning_rate"] == model[-1].learning_rate
    last = model[-1].history_[-1]["train_loss"]
    assert training["last_epoch"]["train_loss"] == pytest.approx(last, rel=1e-8)
    for epoch in model[-1].history_:
        del epoch["batches"]
    skser.save(model, tmp_path / "short.skser")
    (training,) = read_info(tmp_path / "short.skser")["training"]
    assert training["epochs"] == 2
    assert "utterances" not in training


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3)])
def test_a_pickle_is_recognized_by_its_first_bytes(compress, tmp_path):
    import joblib

    path = tmp_path / "model.skser"
    joblib.dump(SequenceScaler(), path, compress=compress)
    with pytest.raises(SavedModelError, match=r"Pickles are read by joblib\.load; skser\.save"):
        skser.load(path)
    path.write_bytes(b"anything")
    with pytest.raises(SavedModelError, match=r"\(File is not a zip file\)\.$"):
        skser.load(path)


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    for model, reason in (
        (MelSpectrogram(n_fft=2**17), "n_fft=131072 is more than"),
        (MelSpectrogram(n_fft=2**16, hop=1 / 320), "hop=0.003125 asks for more than"),
    ):
        with pytest.raises(SavedModelError, match=reason):
            skser.save(model, tmp_path / "model.skser")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_old_file_and_nothing_else(few, tmp_path, monkeypatch):
    path = tmp_path / "model.skser"
    skser.save(SequenceScaler(), path)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        skser.save(SequenceScaler().fit(few[0]), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.skser"]


def test_readers_meet_a_whole_file_while_it_is_replaced(few, tmp_path):
    path = tmp_path / "model.skser"
    model = SequenceScaler().fit(few[0])
    skser.save(model, path)
    stop = threading.Event()

    def replace():
        while not stop.is_set():
            skser.save(model, path)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(30):
            np.testing.assert_array_equal(skser.load(path).mean_, model.mean_)
    finally:
        stop.set()
        writer.join()


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "model.skser").write_bytes(b"old")
    (tmp_path / "link.skser").symlink_to("model.skser")
    skser.save(SequenceScaler(), tmp_path / "link.skser")
    assert (tmp_path / "link.skser").is_symlink()
    assert isinstance(skser.load(tmp_path / "model.skser"), SequenceScaler)


def test_places_that_cannot_be_written_are_named(tmp_path):
    with pytest.raises(SavedModelError, match="there is no folder .*nowhere"):
        skser.save(SequenceScaler(), tmp_path / "nowhere" / "model.skser")
    with pytest.raises(FileNotFoundError, match="absent"):
        skser.load(tmp_path / "absent.skser")
    with pytest.raises(SavedModelError, match="dict is not an estimator"):
        skser.save({}, tmp_path / "model.skser")


def test_functions_need_a_name_to_be_saved_and_trust_to_be_loaded(tmp_path):
    from sklearn.preprocessing import FunctionTransformer

    def louder(x, lengths, generator):
        return 2 * x, lengths

    path = tmp_path / "model.skser"
    for augment in (louder, lambda x, lengths, generator: (x, lengths)):
        with pytest.raises(SavedModelError, match=f"function .*{augment.__name__}, which cannot"):
            skser.save(AttentionFCNClassifier(augment=augment), path)
    assert os.listdir(tmp_path) == []
    skser.save(make_pipeline(FunctionTransformer(np.linalg.norm)), path)
    with pytest.raises(SavedModelError, match=r"numpy\.linalg\.norm, which load does not build"):
        skser.load(path)
    assert skser.load(path, trusted=True)[0].func is np.linalg.norm


def test_a_model_that_contains_itself_is_refused(tmp_path):
    model = SpeakerScaler(MelSpectrogram())
    model.transformer_ = model
    with pytest.raises(SavedModelError, match="contains itself"):
        skser.save(model, tmp_path / "model.skser")
