"""Checkpoints from a folder, the cache or a hub, and one-line errors for unusable ones."""

import json
import os
import pickle
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
import transformers

from skser.feature_extraction import SpeechEmbedding, _pretrained
from skser.feature_extraction._pretrained import CheckpointError
from tests.support.checkpoints import save_speech_checkpoint, save_text_checkpoint

NOISE = [np.random.RandomState(0).randn(8000).astype(np.float32) / 10]


def embed(checkpoint, **settings):
    settings = {"device": "cpu", "input_sampling_rate": 16000} | settings
    return SpeechEmbedding(checkpoint, **settings).fit_transform(NOISE)


@pytest.fixture
def whisper(tmp_path):
    return save_speech_checkpoint("whisper", tmp_path / "whisper")


def edit(path, **changes):
    settings = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(settings))


def refused(checkpoint, message, **settings):
    with pytest.raises(ValueError, match=message) as caught:
        embed(checkpoint, **settings)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
    return caught.value


def test_an_invalid_name_is_refused():
    refused("no/such/folder/anywhere", "neither an existing folder nor a valid name on the Hugging")


def test_a_text_model_is_refused(tmp_path):
    folder = save_text_checkpoint(tmp_path / "bert")
    refused(folder, "type 'bert', but SpeechEmbedding needs a speech encoder: one of data2vec-a")


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no model")
    refused(tmp_path, "holds no readable config.json")


@pytest.mark.parametrize("layers", [4, -5, (1, 9), (), (3, -1), ("a",), (1.5,), True])
def test_layers_out_of_range_are_refused(whisper, layers):
    refused(
        whisper, "integers from -4 to 3, each at most once: the encoder has 3 layers", layers=layers
    )


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", "[1]", "holds no readable config.json"),
        pytest.param(
            "config.json",
            '{"model_type": "whisper", "d_model": "wide"}',
            "is not usable",
            marks=pytest.mark.skipif(
                int(transformers.__version__.split(".")[0]) < 5,
                reason="transformers before 5 accepts settings of any type.",
            ),
        ),
        ("preprocessor_config.json", "[]", "no usable preprocessor_config.json"),
    ],
)
def test_broken_settings_are_refused(whisper, file, content, message):
    (whisper / file).write_text(content)
    refused(whisper, message)


def test_weights_that_are_not_finite_are_refused(whisper):
    from safetensors.torch import load_file, save_file

    path = whisper / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if "layers.1.fc1.weight" in name and "encoder" in name)
    weights[name][0, 0] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    refused(whisper, "are not finite, such as .*layers.1.fc1.weight")


@pytest.mark.parametrize("kind", ["wav2vec2", "whisper"])
def test_loading_does_not_advance_the_global_generator(tmp_path, kind):
    folder = save_speech_checkpoint(kind, tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    embed(folder)
    assert torch.rand(1) == expected


def test_truncated_weights_are_refused(whisper):
    path = whisper / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    refused(whisper, "The weights in .* cannot be read")


def test_missing_weights_are_refused(whisper):
    from safetensors.torch import load_file, save_file

    path = whisper / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if "layers.1.fc1.weight" in name and "encoder" in name)
    del weights[name]
    save_file(weights, path, metadata={"format": "pt"})
    refused(whisper, "lack 1 tensors of the model, such as .*layers.1.fc1.weight.*random")


def test_weights_of_the_wrong_shape_are_refused(whisper):
    edit(whisper / "config.json", encoder_ffn_dim=50)
    refused(whisper, "The weights in .* cannot be read")


def test_a_missing_preprocessor_is_refused(whisper):
    (whisper / "preprocessor_config.json").unlink()
    refused(whisper, "holds no usable preprocessor_config.json")


def test_pickled_weights_are_loaded_only_on_request(tmp_path):
    folder = save_speech_checkpoint("wav2vec2", tmp_path)
    expected = embed(folder)
    model = transformers.AutoModel.from_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    refused(folder, "no weights in safetensors.*allow_pickle=True")
    np.testing.assert_allclose(embed(folder, allow_pickle=True), expected, atol=1e-6)


def test_no_code_of_a_checkpoint_is_run(tmp_path, monkeypatch):
    folder = save_speech_checkpoint("wav2vec2", tmp_path / "model")
    (folder / "modeling_evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    edit(folder / "config.json", auto_map={"AutoModel": "modeling_evil.Evil"})
    embed(folder)
    edit(folder / "config.json", model_type="evil", auto_map={"AutoConfig": "modeling_evil.Evil"})
    refused(folder, "type 'evil', but SpeechEmbedding needs a speech encoder")
    assert not (tmp_path / "ran").exists()
    folder = save_speech_checkpoint("wav2vec2", tmp_path / "pickle")
    (folder / "model.safetensors").unlink()

    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    with (folder / "pytorch_model.bin").open("wb") as file:
        pickle.dump(Evil(), file)
    refused(folder, "The weights in .* cannot be read", allow_pickle=True)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2"])
def test_a_kernel_that_a_checkpoint_names_is_never_asked_for(kind, tmp_path, monkeypatch):
    folder = save_speech_checkpoint(kind, tmp_path / "checkpoint")
    expected = embed(folder)
    settings = json.loads((folder / "config.json").read_text())
    names = {
        "attn_implementation": "evil/flash-attn",
        "_attn_implementation": {"": "evil/flash-attn"},
        "_attn_implementation_internal": "evil/flash-attn",
        "experts_implementation": "evil/experts",
        "auto_map": {"AutoModel": "evil/code--modeling.Model"},
        "quantization_config": {"quant_method": "evil"},
        "transformers_weights": "../weights.bin",
    }
    settings |= names | {"nested": dict(names)}
    (folder / "config.json").write_text(json.dumps(settings))

    def connect(*args):
        pytest.fail("something asked the network")

    monkeypatch.setattr("socket.socket.connect", connect)
    np.testing.assert_array_equal(embed(folder), expected)


def test_an_adapter_is_refused(whisper):
    (whisper / "adapter_config.json").write_text('{"base_model_name_or_path": "evil/model"}')
    refused(whisper, "holds an adapter, which names another checkpoint")


def test_layers_count_from_both_ends():
    assert _pretrained.resolve_layers("all", 3) == (0, 1, 2, 3)
    assert _pretrained.resolve_layers(-1, 3) == (3,)
    assert _pretrained.resolve_layers([2, -4], 3) == (2, 0)


class _Hub(BaseHTTPRequestHandler):
    """Server with the part of the hub's interface that a download needs."""

    folder = None
    commit = "a" * 40

    def do_HEAD(self):
        self._answer(send=False)

    def do_GET(self):
        self._answer(send=True)

    def _answer(self, send):
        name = self.path.split("?")[0]
        if name.startswith("/api/models/org/whisper"):
            files = sorted(path.name for path in self.folder.iterdir())
            body = json.dumps(
                {
                    "id": "org/whisper",
                    "sha": self.commit,
                    "private": False,
                    "siblings": [{"rfilename": file} for file in files],
                }
            ).encode()
            if "/tree/" in name:
                body = json.dumps(
                    [
                        {
                            "type": "file",
                            "path": file,
                            "size": (self.folder / file).stat().st_size,
                            "oid": "b" * 40,
                        }
                        for file in files
                    ]
                ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
        elif name.startswith("/org/whisper/resolve/"):
            body = (self.folder / name.rsplit("/", 1)[1]).read_bytes()
            self.send_response(200)
            self.send_header("ETag", f'"{name.rsplit("/", 1)[1]}"')
            self.send_header("X-Repo-Commit", self.commit)
        else:
            body = b'{"error": "Repository not found"}'
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if send:
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(whisper, tmp_path):
    handler = type("Hub", (_Hub,), {"folder": whisper})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


CODE = """
import sys
from skser.feature_extraction._pretrained import find_checkpoint
for checkpoint in sys.argv[1:]:
    try:
        print(find_checkpoint(checkpoint, None, False, "SpeechEmbedding"))
    except ValueError as error:
        print(type(error).__name__, error)
"""


def found_in_another_process(checkpoints, home, endpoint):
    """Find checkpoints with the hub at `endpoint` and its cache in `home`: folders or errors."""
    settings = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1"}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | settings
    result = subprocess.run(
        [sys.executable, "-c", CODE, *checkpoints],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.strip().splitlines()


def test_a_checkpoint_is_downloaded_once_and_then_found_offline(hub, whisper, tmp_path):
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    home = tmp_path / "home"
    folder, unknown = found_in_another_process(["org/whisper", "org/unknown"], home, endpoint)
    assert folder.startswith(str(home))
    np.testing.assert_array_equal(embed(folder), embed(whisper))
    assert unknown.startswith("CheckpointError The hub has no checkpoint 'org/unknown'")
    nowhere = "http://127.0.0.1:9"
    offline, message = found_in_another_process(["org/whisper", "org/another"], home, nowhere)
    assert offline == folder
    assert "There is no folder 'org/another'" in message
    assert f"the cache {home}" in message
    assert "HF_HOME" in message


def test_a_checkpoint_error_is_a_value_error():
    assert issubclass(CheckpointError, ValueError)
