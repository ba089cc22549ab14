"""The truncated checkpoint that comes with the package, and truncated checkpoints in general."""

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from shipped_encoder import truncate

from skser.feature_extraction import SpeechEmbedding
from skser.feature_extraction._pretrained import CheckpointError, find_checkpoint
from tests.support.checkpoints import save_speech_checkpoint

NAME = "whisper-tiny-lower"
MODELS = os.environ.get("SKSER_MODELS")
rng = np.random.RandomState(0)
SPEECH = [
    rng.randn(n).astype(np.float32) * np.sin(np.arange(n) / 900).astype(np.float32) / 10
    for n in (400, 16001, 48000)
]


def states(checkpoint, layers, **settings):
    settings = {"pooling": None, "device": "cpu", "input_sampling_rate": 16000} | settings
    return SpeechEmbedding(checkpoint, layers, **settings).fit_transform(SPEECH)


@pytest.mark.real_data
@pytest.mark.skipif(MODELS is None, reason="SKSER_MODELS is not set")
def test_states_and_weights_equal_those_of_the_complete_encoder():
    source = Path(MODELS) / "whisper-tiny-encoder"
    ours, theirs = (
        load_file(folder / "model.safetensors")
        for folder in (find_checkpoint(NAME, None, False, "test"), source)
    )
    for name, weights in ours.items():
        np.testing.assert_array_equal(weights, theirs[name], err_msg=name)
    # The complete checkpoint's positions are rounded to half precision.
    of_positions = 2.0**-12  # half of a step between 0.5 and 1
    ours, theirs = states(NAME, "all").values, states(source, (0, 1, 2, 3)).values
    before = slice(384)  # columns before the first layer
    np.testing.assert_allclose(ours[:, before], theirs[:, before], rtol=0, atol=1.1 * of_positions)
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < of_positions


def test_the_shipped_encoder_needs_no_network_and_no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert states(NAME, 2, pooling="mean+std").shape == (3, 768)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_same_name_does_not_replace_the_shipped_encoder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    save_speech_checkpoint("whisper", tmp_path / NAME)
    assert states(NAME, 2, pooling="mean").shape == (3, 384)
    assert states(f"./{NAME}", 2, pooling="mean").shape == (3, 32)


@pytest.mark.parametrize("layers", [4, (2, 5), -5])
def test_layers_that_were_left_out_are_refused(layers):
    message = "from -4 to 3, .*: the checkpoint holds the lower 3 of 4 layers"
    with pytest.raises(ValueError, match=message):
        states(NAME, layers)


def test_a_revision_of_the_shipped_encoder_is_refused():
    with pytest.raises(CheckpointError, match="'whisper-tiny-lower' comes with this package"):
        states(NAME, 2, revision="main")


def test_the_shipped_file_is_small_and_licensed():
    folder = find_checkpoint(NAME, None, False, "test")
    assert (folder / "model.safetensors").stat().st_size < 11.8e6
    assert "Copyright (c) 2022 OpenAI" in (folder / "LICENSE").read_text()


@pytest.mark.parametrize("n_layers", [1, 2])
def test_a_truncated_checkpoint_gives_the_states_of_the_complete_one(tmp_path, n_layers):
    complete = save_speech_checkpoint("whisper", tmp_path / "complete")
    truncate(complete, tmp_path / "lower", n_layers)
    layers = tuple(range(n_layers + 1))
    np.testing.assert_allclose(
        states(tmp_path / "lower", layers).values, states(complete, layers).values, atol=1e-6
    )
    with pytest.raises(ValueError, match=f"holds the lower {n_layers} of 3 layers"):
        states(tmp_path / "lower", n_layers + 1)


def test_positions_that_cannot_be_computed_are_kept(tmp_path):
    complete = save_speech_checkpoint("whisper", tmp_path / "complete")
    weights = load_file(complete / "model.safetensors")
    name = next(name for name in weights if name.endswith("encoder.embed_positions.weight"))
    for i, moved in enumerate((0, 0.1)):
        save_file(
            weights | {name: weights[name] + np.float32(moved)}, complete / "model.safetensors"
        )
        truncate(complete, tmp_path / f"lower{i}", 1)
        assert (name in load_file(tmp_path / f"lower{i}/model.safetensors")) == (moved > 0)
        np.testing.assert_allclose(
            states(tmp_path / f"lower{i}", 1).values, states(complete, 1).values, atol=1e-6
        )


def test_truncation_keeps_fewer_layers_than_there_are(tmp_path):
    complete = save_speech_checkpoint("whisper", tmp_path / "complete")
    with pytest.raises(ValueError, match="n_layers=3, but the encoder has 3"):
        truncate(complete, tmp_path / "lower", 3)
