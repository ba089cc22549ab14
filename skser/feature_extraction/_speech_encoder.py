"""Hidden states of pretrained speech encoders, for utterances of any length."""

import functools
import inspect
import math
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skser._device import autocast, torch_threads
from skser.feature_extraction._pretrained import (
    CheckpointError,
    load_preprocessor,
    load_settings,
    load_weights,
    signature,
)

WAVEFORM_TYPES = {"wav2vec2", "hubert", "wavlm", "data2vec-audio"}
_PURPOSE = "SpeechEmbedding"


@dataclass(frozen=True)
class EncoderFacts:
    """What is known of an encoder before its weights are loaded.

    Parameters
    ----------
    folder : Path
    signature : tuple
        Of the folder's files.
    model_type : str
    rate : int
        Of the audio it was trained on, in Hz.
    width, depth : int
        Columns of a hidden state; layers.
    hop, centre, shortest : int
        Samples from frame to frame, to the centre of the first, and in the shortest utterance.
    longest : int or None
        Samples in the longest window.
    """

    folder: Path
    signature: tuple
    model_type: str
    rate: int
    width: int
    depth: int
    hop: int
    centre: int
    shortest: int
    longest: int | None


def encoder_facts(folder):
    """Facts of the speech encoder in a folder."""
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
            hop, 0, n_fft, hop * config.max_source_positions,
        )  # fmt: skip
    reach = 1
    for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
        reach = (reach - 1) * stride + kernel
    return EncoderFacts(
        folder, signature, config.model_type, rate, config.hidden_size, config.num_hidden_layers,
        math.prod(config.conv_stride), reach // 2, reach, None,
    )  # fmt: skip


@functools.lru_cache(maxsize=16)
def _preprocessor(folder, signature):
    preprocessor = load_preprocessor("AutoFeatureExtractor", folder, _PURPOSE)
    if not hasattr(preprocessor, "sampling_rate"):
        raise CheckpointError(f"{folder} holds a preprocessor that is not one of audio.")
    return preprocessor


@functools.lru_cache(maxsize=2)
def load_encoder(facts, highest, allow_pickle, device):
    """The encoder of a checkpoint, cut behind its layer `highest` (counted from 1)."""
    config = load_settings(facts.folder, {facts.model_type}, "speech encoder", _PURPOSE)
    model = load_weights(facts.folder, config, allow_pickle, _PURPOSE)
    cls = WhisperStates if facts.model_type == "whisper" else WaveformStates
    return cls(model, facts, highest, device)


class _HiddenStates:
    """Base: a batch of padded inputs, through the layers up to the highest asked for."""

    def __init__(self, model, facts, highest, device):
        self.facts = facts
        self.highest = highest
        self.preprocessor = _preprocessor(facts.folder, facts.signature)
        self.encoder = model.get_encoder() if facts.model_type == "whisper" else model.encoder
        self.encoder.layers = self.encoder.layers[: max(highest, 1)]
        self.model = (self.encoder if facts.model_type == "whisper" else model).to(device)
        self.device = device
        self._lock = threading.Lock()  # hooks hand things over, and threads share an encoder

    def __call__(self, utterances, layers, precision="float32"):
        """Hidden states of some utterances.

        Parameters
        ----------
        utterances : list of ndarray of shape (n_samples,), float32
        layers : tuple of int
            None above `highest`.
        precision : {"float32", "bfloat16"}

        Returns
        -------
        list of ndarray of shape (n_frames, n_layers, width), float32
        """
        import torch

        # Transformers before 5 draws a number per layer, which is not to be noticed elsewhere. The
        # threads come before the lock, for which whoever holds them may be about to ask.
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
    """Of Whisper, without padding to 30 seconds: the table of positions is cut instead."""

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
        # What the convolution makes of zeros beyond an utterance must not reach into it.
        x = gelu(encoder.conv2(x * inside(n_mels, x.shape[2]).to(x)[:, None]))
        lengths = (n_mels + 1) // 2
        x = x.transpose(1, 2) + encoder.embed_positions.weight[: x.shape[2]]
        mask = attention_mask(lengths, x)
        states = [x]
        for layer in encoder.layers:
            x = first_of(layer(x, mask, **self._arguments))
            states.append(x)
        if self.highest == self.facts.depth:
            states[-1] = encoder.layer_norm(x)
        return states, lengths


class WaveformStates(_HiddenStates):
    """Of wav2vec 2.0 and its kin, where neither padding nor company changes a frame."""

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
        # Of the layers, 0 is what enters the first one.
        self._states_seen = {}
        self.encoder.layers[0].register_forward_pre_hook(
            lambda layer, inputs: self._states_seen.update({0: inputs[0]})
        )
        for i, layer in enumerate(self.encoder.layers, start=1):
            layer.register_forward_hook(
                lambda layer, inputs, output, i=i: self._states_seen.update({i: first_of(output)})
            )
        if highest == facts.depth:  # what there is behind the last layer belongs to it
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
            # WavLM in transformers gives torch's attention masks of two types.
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            self.model(x, attention_mask=mask if unequal else None)
        states, self._states_seen = self._states_seen, {}
        return states, self._n_frames(n_samples)

    def _n_frames(self, n_samples):
        return (n_samples - self.facts.shortest) // self.facts.hop + 1

    def _normalized_inside(self, norm, inputs, output):
        """The statistics over time of the first convolution, of each utterance's own samples."""
        # In one way for all, alone or not, and with more digits than bfloat16 has.
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
        """What the layers of the convolution over positions make of what lies beyond."""
        if not self._unequal:
            return output
        return output * inside(self._n_frames(self._n_samples), output.shape[2]).to(output)[:, None]


def inside(lengths, n_times):
    """Bool tensor (batch, n_times): which times belong to an utterance."""
    import torch

    return torch.arange(n_times, device=lengths.device) < lengths[:, None]


def attention_mask(lengths, x):
    """Mask, for the attention of a batch x (batch, time, width), of times beyond utterances.

    None if there are none.
    """
    if int(lengths.min()) == x.shape[1]:
        return None
    mask = inside(lengths, x.shape[1]).to(x.device)[:, None, None]
    return x.new_zeros(mask.shape).masked_fill(~mask, float("-inf"))


def other_arguments(layer):
    """What older versions of transformers want to be given besides states and mask."""
    wanted = inspect.signature(layer.forward).parameters
    return {"layer_head_mask": None} if "layer_head_mask" in wanted else {}


def first_of(output):
    """What a layer gives, of which some give a tuple."""
    return output[0] if isinstance(output, tuple) else output
