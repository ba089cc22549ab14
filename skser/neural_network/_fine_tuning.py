"""Upper layers of a pretrained speech encoder, for fine-tuning."""

import torch
from sklearn.base import clone

from skser._optional import import_optional
from skser.feature_extraction import SpeechEmbedding, load_encoder, other_arguments
from skser.neural_network.modules.upper_layers import UpperLayers

_PROJECTIONS = [
    "q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "intermediate_dense", "output_dense",
]  # fmt: skip


def below(transformer, n_layers):
    """Return the transformer, changed to output the input of its upper `n_layers` layers."""
    if not n_layers or not isinstance(transformer, SpeechEmbedding):
        return transformer
    return clone(transformer).set_params(layers=_ends(transformer, n_layers)[1])


def upper_layers(embedding, n_layers, adapter_rank):
    """Return a trainable copy of the `n_layers` layers that end at that of a SpeechEmbedding.

    Parameters
    ----------
    embedding : SpeechEmbedding
        Embedding of one layer, with ``pooling=None``.
    n_layers : int
        Number of layers.
    adapter_rank : int or None
        Rank of low-rank adapters of the layers' matrices, which are then trained alone. None
        trains the layers themselves.

    Returns
    -------
    UpperLayers
        Layers, ready for training.
    """
    last, first = _ends(embedding, n_layers)
    facts, *_ = embedding._prepare()
    # `__wrapped__` bypasses the cache: training must not change an encoder that others use. The
    # device is explicit because `restore_network` builds modules on the meta device.
    with torch.device("cpu"):
        encoder = load_encoder.__wrapped__(facts, last, embedding.allow_pickle, "cpu").encoder
    is_stable = facts.model_type == "whisper" or getattr(
        encoder.config, "do_stable_layer_norm", False
    )
    norm = encoder.layer_norm if is_stable and last == facts.depth else None
    layers = encoder.layers[first:last]
    layers = UpperLayers(layers, norm, other_arguments(layers[0]))
    # The full encoder records the output of each layer through hooks; training needs none.
    for hooked in layers.modules():
        hooked._forward_hooks.clear()
        hooked._forward_pre_hooks.clear()
    if adapter_rank is None:
        return layers.requires_grad_(True).train()
    peft = import_optional("peft", extra="adapters", purpose="adapter_rank")
    settings = peft.LoraConfig(
        r=adapter_rank, lora_alpha=2 * adapter_rank, target_modules=_PROJECTIONS
    )
    return peft.inject_adapter_in_model(settings, layers).train()


def _ends(embedding, n_layers):
    """Return the indices of the last and the first hidden state; raise if they do not exist."""
    facts, layers, *_ = embedding._prepare()
    if facts.model_type == "wavlm":
        raise ValueError(
            f"n_fine_tuned_layers={n_layers} does not support WavLM, whose layers share a table of "
            "positions. Use a wav2vec 2.0, HuBERT or Whisper encoder, or n_fine_tuned_layers=0."
        )
    if len(layers) != 1 or embedding.pooling is not None:
        raise ValueError(
            "n_fine_tuned_layers needs a SpeechEmbedding of one layer with pooling=None; this one "
            f"has layers={embedding.layers!r} and pooling={embedding.pooling!r}."
        )
    if n_layers > layers[0]:
        raise ValueError(
            f"n_fine_tuned_layers={n_layers} exceeds layer {layers[0]} of the SpeechEmbedding, "
            f"which has only {layers[0]} layers below its output."
        )
    return layers[0], layers[0] - n_layers
