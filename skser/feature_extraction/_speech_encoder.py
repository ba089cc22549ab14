"""Hidden states of pretrained speech encoders, for batches of utterances of any length."""

import functools
import inspect
import math
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skser._device import autocast, torch_threads
from skser.feature_extraction._int8 import quantize_linear_layers
from skser.feature_extraction._pretrained import (
    CheckpointError,
    load_preprocessor,
    load_settings,
    load_weights,
    signature,
)

WAVEFORM_TYPES = {"wav2vec2", "hubert", "wavlm", "data2vec-audio"}
# Key in the config.json of a Whisper checkpoint whose upper layers were removed.
ORIGINAL_DEPTH = "original_encoder_layers"
_PURPOSE = "SpeechEmbedding"


@dataclass(frozen=True)
class EncoderFacts:
    """Properties of an encoder that are known before its weights are loaded.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoint.
    signature : tuple
        Signature of the folder's files.
    model_type : str
        Type of the model, as transformers names it.
    rate : int
        Sampling rate of the training audio, in Hz.
    width, depth : int
        Number of columns of a hidden state, and number of layers.
    original_depth : int
        Number of layers before the checkpoint was truncated; `depth` if it was not.
    hop, center, shortest : int
        Number of samples between frames, up to the center of the first frame, and in the
        shortest utterance that has a frame.
    longest : int or None
        Number of samples in the longest window that the encoder accepts. None sets no limit.
    """

    folder: Path
    signature: tuple
    model_type: str
    rate: int
    width: int
    depth: int
    original_depth: int
    hop: int
    center: int
    shortest: int
    longest: int | None


def encoder_facts(folder):
    """Return the `EncoderFacts` of the checkpoint in a folder."""
    return _facts(folder, signature(folder))


@functools.lru_cache(maxsize=16)
def _facts(folder, signature):
    config = load_settings(folder, WAVEFORM_TYPES | {"whisper"}, "speech encoder", _PURPOSE)
    preprocessor = _preprocessor(folder, signature)
    rate = int(preprocessor.sampling_rate)
    if config.model_type == "whisper":
        mel_hop, n_fft = preprocessor.hop_length, preprocessor.n_fft
        hop = 2 * mel_hop  # the second convolution's stride
        return EncoderFacts(
            folder, signature, "whisper", rate, config.d_model, config.encoder_layers,
            getattr(config, ORIGINAL_DEPTH, config.encoder_layers),
            hop, 0, n_fft, hop * config.max_source_positions,
        )  # fmt: skip
    reach = 1
    for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
        reach = (reach - 1) * stride + kernel
    return EncoderFacts(
        folder, signature, config.model_type, rate, config.hidden_size, config.num_hidden_layers,
        config.num_hidden_layers, math.prod(config.conv_stride), reach // 2, reach, None,
    )  # fmt: skip


@functools.lru_cache(maxsize=16)
def _preprocessor(folder, signature):
    preprocessor = load_preprocessor("AutoFeatureExtractor", folder, _PURPOSE)
    if not hasattr(preprocessor, "sampling_rate"):
        raise CheckpointError(
            f"The preprocessor in {folder} is not one of audio: it has no sampling_rate."
        )
    return preprocessor


@functools.lru_cache(maxsize=2)
def load_encoder(facts, highest, allow_pickle, device, in_int8=False):
    """Load the encoder of a checkpoint up to its layer `highest` (counted from 1).

    Weights of higher layers and of a decoder are not read. With `in_int8`, the linear layers
    multiply 8-bit integers.
    """
    config = load_settings(facts.folder, {facts.model_type}, "speech encoder", _PURPOSE)
    n_layers = max(highest, 1)
    is_whisper = facts.model_type == "whisper"
    setattr(config, "encoder_layers" if is_whisper else "num_hidden_layers", n_layers)
    model = load_weights(facts.folder, config, allow_pickle, _PURPOSE, is_whisper)
    cls = WhisperStates if is_whisper else WaveformStates
    encoder = cls(model, facts, highest, device)
    if in_int8:
        # WavLM's attention reads the weights of its layers instead of calling them.
        skip = "attention" if facts.model_type == "wavlm" else None
        quantize_linear_layers(encoder.encoder.layers, skip)
    return encoder


class _HiddenStates:
    """Base of encoders that return the hidden states of a padded batch up to some layer."""

    def __init__(self, model, facts, highest, device):
        self.facts = facts
        self.highest = highest
        self.preprocessor = _preprocessor(facts.folder, facts.signature)
        self.encoder = model if facts.model_type == "whisper" else model.encoder
        self.model = model.to(device)
        self.device = device
        self._lock = threading.Lock()  # hooks store states on self, and threads share an encoder

    def __call__(self, utterances, layers, precision="float32"):
        """Compute the hidden states of a batch of utterances.

        Parameters
        ----------
        utterances : list of ndarray of shape (n_samples,), float32
            Audio at the encoder's sampling rate.
        layers : tuple of int
            Layers to return, at most `highest`.
        precision : {"float32", "bfloat16", "int8"}, default="float32"
            Number format of the arithmetic. An encoder loaded in int8 computes in it anyway.

        Returns
        -------
        list of ndarray of shape (n_frames, n_layers, width), float32
        """
        import torch

        # transformers before 5 draws a random number per layer, which must not advance the
        # caller's generator. torch_threads comes before the lock: a thread that already holds it
        # may ask for the lock next, so the opposite order could deadlock.
        with (
            torch_threads(),
            self._lock,
            torch.inference_mode(),
            torch.random.fork_rng(devices=[]),
        ):
            inputs = self._inputs(utterances)
            with autocast(self.device, precision):
                states, lengths = self._states(*inputs)
            states = torch.stack([states[layer].float() for layer in layers], dim=2).cpu().numpy()
        return [frames[:length] for frames, length in zip(states, lengths.tolist(), strict=True)]


class WhisperStates(_HiddenStates):
    """Hidden states of Whisper, with a shortened table of positions in place of 30-s padding."""

    def __init__(self, model, facts, highest, device):
        super().__init__(model, facts, highest, device)
        self._arguments = other_arguments(self.encoder.layers[0])

    def _inputs(self, utterances):
        import torch

        rate = self.facts.rate
        mels = [
            self.preprocessor(
                samples, sampling_rate=rate, padding=False, truncation=False, return_tensors="np"
            ).input_features[0]
            for samples in utterances
        ]
        n_mels = torch.tensor([mel.shape[1] for mel in mels])
        x = torch.zeros(len(mels), mels[0].shape[0], int(n_mels.max()))
        for row, mel in zip(x, mels, strict=True):
            row[:, : mel.shape[1]] = torch.from_numpy(np.ascontiguousarray(mel))
        return x.to(self.device), n_mels.to(self.device)

    def _states(self, x, n_mels):
        from torch.nn.functional import gelu

        encoder = self.encoder
        x = gelu(encoder.conv1(x))
        # The bias makes padding nonzero after conv1, and conv2 would mix it into the last frame.
        x = gelu(encoder.conv2(x * inside(n_mels, x.shape[2]).to(x)[:, None]))
        lengths = (n_mels + 1) // 2
        x = x.transpose(1, 2) + encoder.embed_positions.weight[: x.shape[2]]
        mask = attention_mask(lengths, x)
        states = [x]
        for layer in encoder.layers:
            x = first_of(layer(x, mask, **self._arguments))
            states.append(x)
        if self.highest == self.facts.original_depth:
            states[-1] = encoder.layer_norm(x)
        return states, lengths


class WaveformStates(_HiddenStates):
    """Hidden states of wav2vec 2.0 and similar models, unaffected by padding in the batch."""

    def __init__(self, model, facts, highest, device):
        super().__init__(model, facts, highest, device)
        first = self.model.feature_extractor.conv_layers[0]
        norm = getattr(first, "layer_norm", None)
        if type(norm).__name__ == "GroupNorm":
            self._first_conv = first.conv
            norm.register_forward_hook(self._normalized_inside)
        positions = self.encoder.pos_conv_embed
        for layer in [*getattr(positions, "layers", ()), getattr(positions, "batch_norm", None)]:
            if layer is not None:
                layer.register_forward_hook(self._zeroed_outside)
        convolve_in_float32(model)
        self._states_seen = {}  # by index; 0 is the input of the first layer
        self.encoder.layers[0].register_forward_pre_hook(
            lambda layer, inputs: self._states_seen.update({0: inputs[0]})
        )
        for i, layer in enumerate(self.encoder.layers, start=1):
            layer.register_forward_hook(
                lambda layer, inputs, output, i=i: self._states_seen.update({i: first_of(output)})
            )
        if highest == facts.depth:  # the final normalization belongs to the last hidden state
            self.encoder.register_forward_hook(
                lambda encoder, inputs, output: self._states_seen.update(
                    {highest: output.last_hidden_state}
                )
            )

    def _inputs(self, utterances):
        import torch

        inputs = self.preprocessor(
            utterances,
            sampling_rate=self.facts.rate,
            padding=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        n_samples = torch.tensor([len(samples) for samples in utterances])
        return [x.to(self.device) for x in (inputs.input_values, inputs.attention_mask, n_samples)]

    def _states(self, x, mask, n_samples):
        unequal = bool((n_samples != n_samples[0]).any())
        self._n_samples, self._unequal = n_samples, unequal
        with warnings.catch_warnings():
            # transformers' WavLM passes masks of two dtypes to torch's attention.
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            self.model(x, attention_mask=mask if unequal else None)
        states, self._states_seen = self._states_seen, {}
        return states, self._n_frames(n_samples)

    def _n_frames(self, n_samples):
        return (n_samples - self.facts.shortest) // self.facts.hop + 1

    def _normalized_inside(self, norm, inputs, output):
        """Normalize the first convolution by the statistics of each utterance's own samples."""
        # Always computed this way, so that an utterance alone gives the same as in a batch, and
        # in float32, since bfloat16 has too few digits for sums over time.
        x, conv = inputs[0].float(), self._first_conv
        n_times = (self._n_samples - conv.kernel_size[0]) // conv.stride[0] + 1
        mask = inside(n_times, x.shape[2]).to(x)[:, None]
        counts = n_times[:, None, None]
        mean = (x * mask).sum(2, keepdim=True) / counts
        deviation = (x - mean) * mask
        variance = deviation.square().sum(2, keepdim=True) / counts
        normalized = (x - mean) * (variance + norm.eps).rsqrt()
        return (normalized * norm.weight[:, None] + norm.bias[:, None]).to(output.dtype)

    def _zeroed_outside(self, layer, inputs, output):
        """Zero what a layer of the convolution over positions computed beyond each utterance."""
        if not self._unequal:
            return output
        return output * inside(self._n_frames(self._n_samples), output.shape[2]).to(output)[:, None]


def convolve_in_float32(model):
    """Keep the convolutions over time out of autocast on a CPU.

    On CPUs with AMX, strided and grouped convolutions in bfloat16 are wrong (torch 2.13, oneDNN).
    """
    import torch

    def in_float32(forward, x):
        if x.device.type != "cpu":
            return forward(x)
        with torch.autocast("cpu", enabled=False):
            return forward(x.float())

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv1d):
            layer.forward = functools.partial(in_float32, layer.forward)


def inside(lengths, n_times):
    """Return a bool tensor (batch, n_times) that marks the times within each utterance."""
    import torch

    return torch.arange(n_times, device=lengths.device) < lengths[:, None]


def attention_mask(lengths, x):
    """Return the additive attention mask of times beyond utterances, or None if there are none.

    Parameters
    ----------
    lengths : tensor of shape (batch,)
        Number of times in each utterance.
    x : tensor of shape (batch, n_times, width)

    Returns
    -------
    tensor of shape (batch, 1, 1, n_times) or None
    """
    if int(lengths.min()) == x.shape[1]:
        return None
    mask = inside(lengths, x.shape[1]).to(x.device)[:, None, None]
    return x.new_zeros(mask.shape).masked_fill(~mask, float("-inf"))


def other_arguments(layer):
    """Return the extra arguments that a layer requires in older versions of transformers."""
    wanted = inspect.signature(layer.forward).parameters
    return {"layer_head_mask": None} if "layer_head_mask" in wanted else {}


def first_of(output):
    """Return the states from a layer's output, which is a tuple for some layers."""
    return output[0] if isinstance(output, tuple) else output
