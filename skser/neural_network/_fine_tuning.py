"""The upper layers of a pretrained speech encoder, to be trained on."""

import torch
from sklearn.base import clone

from skser._optional import import_optional
from skser.feature_extraction import SpeechEmbedding, load_encoder, other_arguments
from skser.neural_network.modules.upper_layers import UpperLayers

_PROJECTIONS = [
    "q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "intermediate_dense", "output_dense",
]  # fmt: skip


def below(transformer, n_layers):
    """The transformer, giving the frames that enter the upper `n_layers` of its layer."""
    if not n_layers or not isinstance(transformer, SpeechEmbedding):
        return transformer
    return clone(transformer).set_params(layers=_ends(transformer, n_layers)[1])


def upper_layers(embedding, n_layers, adapter_rank):
    """A trainable copy of the upper `n_layers` up to the layer of a SpeechEmbedding.

    Parameters
    ----------
    embedding : SpeechEmbedding
        Without pooling, of one layer.
    n_layers : int
    adapter_rank : int or None
        Train low-rank additions to the layers' matrices alone, of this rank.

    Returns
    -------
    UpperLayers
    """
    last, first = _ends(embedding, n_layers)
    facts, *_ = embedding._prepare()
    # Not the one in use elsewhere: these layers are going to change.
    with torch.device("cpu"):  # also where a saved network is rebuilt without memory
        encoder = load_encoder.__wrapped__(facts, last, embedding.allow_pickle, "cpu").encoder
    is_stable = facts.model_type == "whisper" or getattr(
        encoder.config, "do_stable_layer_norm", False
    )
    norm = encoder.layer_norm if is_stable and last == facts.depth else None
    layers = encoder.layers[first:last]
    layers = UpperLayers(layers, norm, other_arguments(layers[0]))
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
    """Last and first index into the hidden states."""
    facts, layers, *_ = embedding._prepare()
    if facts.model_type == "wavlm":
        raise ValueError(
            "n_fine_tuned_layers: the layers of WavLM share a table of positions and cannot be "
            "trained apart."
        )
    if len(layers) != 1 or embedding.pooling is not None:
        raise ValueError(
            "n_fine_tuned_layers needs a SpeechEmbedding of one layer with pooling=None; its "
            f"layers are {embedding.layers!r} and pooling={embedding.pooling!r}."
        )
    if n_layers > layers[0]:
        raise ValueError(
            f"n_fine_tuned_layers={n_layers} is more than the layer {layers[0]} that the "
            "SpeechEmbedding gives."
        )
    return layers[0], layers[0] - n_layers
