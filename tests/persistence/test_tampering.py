"""Saved models that were damaged, or forged with right digests."""

import io
import json
import os
import zipfile

import fuzz_models
import numpy as np
import pytest
from fuzz_models import forged, members_of, packed
from sklearn.pipeline import make_pipeline

import skser
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.persistence import SavedModelError, read_info
from skser.preprocessing import SequenceScaler

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
MODEL, PARTS, ARRAYS, MANIFEST = (
    "model.json", "sklearn.skops", "arrays.safetensors", "manifest.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def archive(corpus, tmp_path_factory):
    """The bytes of a saved pipeline."""
    path = tmp_path_factory.mktemp("saved") / "model.skser"
    features = MelSpectrogram(n_mels=8, deltas=0, input_sampling_rate=16000)
    network = AttentionFCNClassifier(max_epochs=1, device="cpu", random_state=0)
    model = make_pipeline(features, SequenceScaler(), network)
    skser.save(model.fit(corpus.data[:10], corpus.target[:10]), path)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my model.skser"


@pytest.fixture
def refused(path):
    """Say why a file is refused; nothing is said that does not name it."""

    def why(content, **kwargs):
        path.write_bytes(content)
        with pytest.raises(SavedModelError) as caught:
            skser.load(path, **kwargs)
        assert os.fspath(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return why


def with_model(archive, change):
    """The archive with its tree changed, under right digests."""
    members = members_of(archive)
    tree = json.loads(members[MODEL])
    members[MODEL] = json.dumps(change(tree) or tree).encode()
    return forged(members)


def step(tree, number):
    """Attributes of a step of a pipeline."""
    return tree["attributes"]["steps"][number]["tuple"][1]


def test_damage_is_refused(archive, refused):
    assert "no whole archive" in refused(b"")
    assert "no whole archive" in refused(b"no model at all")
    assert "no whole archive" in refused(archive[: len(archive) // 2])
    assert "no saved model" in refused(packed({MODEL: b"{}"}))
    flipped = bytearray(archive)
    flipped[archive.index(b"AttentionFCNClassifier", archive.index(b"model.json"))] ^= 1
    assert "no whole archive" in refused(bytes(flipped))  # ZIP's own sum
    members = members_of(archive)
    swapped = packed({**members, ARRAYS: members[ARRAYS][:-1] + b"x"})
    assert "arrays.safetensors is damaged: its SHA-256" in refused(swapped)
    assert "model.json has 2 bytes; the manifest says" in refused(packed({**members, MODEL: b"{}"}))


def test_the_manifest_answers_for_itself(archive, refused):
    members = members_of(archive)
    told = members[MANIFEST].replace(b'"anger"', b'"happy"')
    assert "manifest.json is damaged" in refused(packed({**members, MANIFEST: told}))
    assert "manifest.json is no readable JSON" in refused(packed({**members, MANIFEST: b"{"}))
    assert "lists no members" in refused(packed({**members, MANIFEST: b"[]"}))
    for versions in (None, [], "2.0", {"numpy": 2}):
        assert "manifest.json does not say by which versions" in refused(
            forged(members, {"versions": versions})
        )
    later = {"format": 7, "versions": {"skser": "3.0"}}
    assert "written in format 7 by skser 3.0; this version reads format 1" in refused(
        forged(members, later)
    )


def test_members_are_those_of_the_manifest_and_of_the_format(archive, refused):
    members = members_of(archive)
    for name in ("../evil.py", "/etc/passwd", "model.json/../x", "sub/model.json", "run.pkl"):
        assert "belongs to no saved model" in refused(packed({**members, name: b"x"}))
    assert "card.md is not listed" in refused(packed({**members, "card.md": b"x"}))
    without = {name: content for name, content in members.items() if name != ARRAYS}
    assert "arrays.safetensors is missing" in refused(packed(without))
    buffer = io.BytesIO(archive)
    with zipfile.ZipFile(buffer, "a") as twice, pytest.warns(UserWarning, match="Duplicate"):
        twice.writestr(MODEL, b"{}")
    assert "model.json twice" in refused(buffer.getvalue())


def test_bombs_links_and_encryption_are_refused_before_they_are_read(archive, refused):
    members = members_of(archive)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr(MANIFEST, members[MANIFEST])
        bomb.writestr(ARRAYS, bytes(2**26))
    assert len(buffer.getvalue()) < 2**20
    assert "is compressed or encrypted" in refused(buffer.getvalue())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as links:
        link = zipfile.ZipInfo(MODEL)
        link.external_attr = 0o120777 << 16
        links.writestr(link, "/etc/passwd")
        links.writestr(MANIFEST, members[MANIFEST])
    assert "model.json is no plain file" in refused(buffer.getvalue())


def test_folders_are_held_to_the_same(archive, tmp_path):
    folder = tmp_path / "model"

    def write():
        folder.mkdir(exist_ok=True)
        for name, content in members_of(archive).items():
            (folder / name).write_bytes(content)

    write()
    skser.load(folder)
    (folder / MODEL).rename(tmp_path / "elsewhere.json")
    (folder / MODEL).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(SavedModelError, match=f"{folder} cannot .* model.json is no plain file"):
        skser.load(folder)
    (folder / MODEL).unlink()
    (folder / MODEL).mkdir()
    with pytest.raises(SavedModelError, match="model.json is no plain file"):
        skser.load(folder)
    (folder / MODEL).rmdir()
    if hasattr(os, "mkfifo"):  # which would keep a reader waiting for ever
        os.mkfifo(folder / MODEL)
        with pytest.raises(SavedModelError, match="model.json is no plain file"):
            skser.load(folder)
        (folder / MODEL).unlink()
    write()
    read_info(folder)
    (folder / "card.md").touch()
    with pytest.raises(SavedModelError, match="card.md is not listed in the manifest"):
        read_info(folder)


@pytest.mark.parametrize(
    "name",
    ["os.system", "builtins.eval", "subprocess.Popen", "skser.audio.load_audio", "pickle.loads",
     "skser.persistence._load.load", "sklearn.pipeline.make_pipeline", "sklearn.svm.SVC", "", "a"],
)  # fmt: skip
def test_names_that_are_not_on_the_list_are_never_imported(archive, refused, name):
    def rename(tree):
        step(tree, 1)["class"] = name

    assert f"contains {name}, which is not on the list" in refused(with_model(archive, rename))


def test_attributes_cannot_take_the_place_of_methods_or_of_what_is_never_saved(archive, refused):
    for number, attribute, value, reason in (
        (
            2,
            "predict_proba",
            {"function": "sklearn.metrics.accuracy_score"},
            "is no attribute",
        ),
        (2, "__class__", 1, "is no attribute"),
        (2, "_parameter_constraints", {"dict": []}, "is no attribute"),
        (0, "memory", "/tmp", "memory, which is never saved"),
        (2, "checkpoint_dir", "/tmp", "checkpoint_dir, which is never saved"),
        (2, "n_heads", -1, "'n_heads' parameter"),
        (2, "augment", 3, "'augment' parameter"),
        (0, "n_fft", 2**30, "n_fft=1073741824 is more than"),
        (0, "window", 1e9, "window=1000000000.0 is more than"),
        (2, "batch_size", 10**9, "batch_size=1000000000 is more than"),
        (0, "sampling_rate", 1e9, "sampling_rate=1000000000.0 is more than"),
        (2, "n_threads", 8, "n_threads, which is never saved"),
        (0, "n_jobs", 1000, "n_jobs, which is never saved"),
        (0, "verbose", True, "verbose, which is never saved"),
    ):

        def change(tree, number=number, attribute=attribute, value=value):
            step(tree, number)["attributes"][attribute] = value

        assert reason in refused(with_model(archive, change))

    def finest(tree):
        step(tree, 0)["attributes"].update(hop=1 / 16000, n_fft=2**16)

    assert "hop=6.25e-05 asks for more than 16777216 values" in refused(with_model(archive, finest))


def test_weights_and_parameters_must_fit_before_memory_is_taken(archive, refused):
    for parameter, value, reason in (
        ("filters", {"tuple": [16, 32, 48, 10**7]}, r"has the shape (64, 48, 3, 3)"),
        ("n_heads", 10**8, "parameters imply (100000000, 64)"),
        ("filters", {"tuple": [1] * 20_000}, ""),
    ):

        def change(tree, parameter=parameter, value=value):
            step(tree, 2)["attributes"][parameter] = value

        assert reason in refused(with_model(archive, change))

    def lose(tree):
        del step(tree, 2)["network"]["weights"]["module.output.weight"]

    assert "weight 'output.weight' is missing" in refused(with_model(archive, lose))


def test_a_recurrent_network_of_a_million_layers_is_refused_at_once(corpus, mels, path, refused):
    from skser.neural_network import AttentionRNNClassifier

    model = AttentionRNNClassifier(n_hidden=4, max_epochs=1, device="cpu")
    skser.save(model.fit(mels[:10], corpus.target[:10]), path)

    def change(tree):
        tree["attributes"]["n_layers"] = 10**9

    assert "ask for more weights than the" in refused(with_model(path.read_bytes(), change))


def test_depth_and_references_are_bounded(archive, refused):
    members = members_of(archive)
    for content, reason in (
        (b"[" * 10**6, "no readable JSON"),
        (b"[" * 500 + b"]" * 500, "more than 60 objects deep"),
        (b'{"same": 0}', "makes no model (IndexError"),
        (b'{"same": -1}', "is no number of a part"),
        (b'{"sklearn": 5, "requests": null}', "makes no model (IndexError"),
        (b'{"unheard": 5}', "makes no model (KeyError"),
        (b"{}", "makes no model (StopIteration"),
        (b"3", "holds no estimator"),
        (b'{"strings": ["a"], "shape": [1099511627776]}', "no array of the shape"),
        (b'{"objects": [], "shape": [0, -1]}', "is no number"),
        (b'{"function": "os.system"}', "makes no model (KeyError"),
        (b'{"distribution": {"name": "os", "arguments": {"dict": []}}}', "makes no model"),
        (b'{"array": "a", "order": "F"}', "makes no model (KeyError"),
        (b"1" * 5000, "no readable JSON"),
    ):
        assert reason in refused(forged({**members, MODEL: content}))


def test_a_generator_that_points_outside_of_itself_is_refused(path, refused):
    skser.save(AttentionFCNClassifier(random_state=np.random.RandomState(0)), path)

    def change(tree):
        state = tree["attributes"]["random_state"]["random_state"]["dict"]
        inner = next(value for key, value in state if key == "state")
        next(pair for pair in inner["dict"] if pair[0] == "pos")[1] = 10**6

    assert "random generator is not usable" in refused(with_model(path.read_bytes(), change))


def test_features_that_would_be_others_are_told_apart(archive, refused):
    def change(tree):
        step(tree, 0)["attributes"]["hop"] = 0.0125

    reason = refused(with_model(archive, change))
    assert (
        "features[0]: layout: hop was 0.01 when the model was saved and would be 0.0125" in reason
    )
    members = members_of(archive)
    nothing = {"features": None}
    assert "features was None when" in refused(forged(members, nothing))
    others = {"labels": ["bliss", "fear", "happiness", "neutral", "sadness"]}
    assert "labels[0] was 'bliss' when" in refused(forged(members, others))


def test_a_file_of_another_algorithm_is_refused(archive, refused, monkeypatch):
    from skser.feature_extraction._spectral import NumpyFrames

    original = NumpyFrames.to_decibels

    def louder(self, top_db):
        original(self, top_db)
        self.values *= np.float32(1.01)

    monkeypatch.setattr(NumpyFrames, "to_decibels", louder)
    assert "features of MelSpectrogram differ from those it was trained on: of a test sig" in (
        refused(archive)
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["mean"].__setitem__(3, told["mean"][3] + 1.0),
        lambda told: told["spread"].__setitem__(3, told["spread"][3] * 1.01),
        lambda told: told["mean"].pop(),
        lambda told: told.update(n_rows=7),
        lambda told: told.update(mean=["nan"] * len(told["mean"])),
    ],
)
def test_numbers_of_the_test_signal_are_compared(change, archive, refused):
    members = members_of(archive)
    features = json.loads(members[MANIFEST])["features"]
    change(features[0]["of_test_signal"])
    assert "features of MelSpectrogram differ" in refused(forged(members, {"features": features}))
    del features[0]["of_test_signal"]
    assert "nothing to compare" in refused(forged(members, {"features": features}))


def test_150_altered_files_are_refused_or_read(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    result = fuzz_models.run(150, tmp_path)
    assert result["failures"] == []
    assert sum(result["outcomes"].values()) == 150
    assert result["outcomes"]["bytes: refused"] > 15
    assert result["outcomes"]["onnx bytes: refused"] > 5
    assert result["outcomes"]["onnx metadata: refused"] > 5
    assert result["slowest_seconds"] < 10
