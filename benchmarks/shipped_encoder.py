"""Write the checkpoint that is shipped with the package: the lower layers of Whisper tiny.

    python benchmarks/shipped_encoder.py

Needs SKSER_MODELS, a folder that holds ``whisper-tiny-encoder`` (OpenAI's Whisper tiny, MIT, in
half precision). The hidden states of the lower layers do not depend on the layers that are left
out, so they are those of the complete encoder. The vectors that stand for positions are sines and
cosines, which are computed again when the checkpoint is loaded.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from transformers.models.whisper.modeling_whisper import sinusoids

import skser

NAME = "whisper-tiny-lower"
N_LAYERS = 3
TARGET = Path(skser.__file__).parent / "persistence/models" / NAME

LICENSE = """MIT License

Copyright (c) 2022 OpenAI

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def truncate(source, target, n_layers):
    """Write a checkpoint with the lower layers of a Whisper encoder, and without its decoder.

    Parameters
    ----------
    source : Path
        Folder of the complete checkpoint, in safetensors.
    target : Path
        Folder to write. It is created if necessary.
    n_layers : int
        Number of layers to keep, fewer than the encoder has.
    """
    config = json.loads((source / "config.json").read_text())
    if not 0 < n_layers < config["encoder_layers"]:
        raise ValueError(f"n_layers={n_layers}, but the encoder has {config['encoder_layers']}.")
    with safe_open(source / "model.safetensors", "numpy") as file:
        names = [name for name in file.keys() if _is_kept(name, n_layers)]  # noqa: SIM118
        weights = {name: file.get_tensor(name) for name in names}
    positions = next(name for name in names if name.endswith("encoder.embed_positions.weight"))
    if _are_sinusoids(weights[positions]):
        del weights[positions]
    target.mkdir(parents=True, exist_ok=True)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    config |= {
        "encoder_layers": n_layers,
        "original_encoder_layers": config["encoder_layers"],
        # transformers builds a decoder too: this one is empty, and never runs.
        "decoder_layers": 0,
        "max_target_positions": 8,
    }
    (target / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    shutil.copyfile(source / "preprocessor_config.json", target / "preprocessor_config.json")


def _is_kept(name, n_layers):
    name = name.removeprefix("model.")
    if not name.startswith("encoder."):
        return False
    return not name.startswith("encoder.layers.") or int(name.split(".")[2]) < n_layers


def _are_sinusoids(table):
    """Return whether transformers computes a table of positions if a checkpoint lacks it."""
    computed = sinusoids(*table.shape).numpy().astype(table.dtype)
    return np.allclose(table, computed, rtol=0, atol=1e-3)


def main():
    truncate(Path(os.environ["SKSER_MODELS"]) / "whisper-tiny-encoder", TARGET, N_LAYERS)
    (TARGET / "LICENSE").write_text(LICENSE)
    size = sum(path.stat().st_size for path in TARGET.iterdir())
    print(f"{TARGET.name}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
