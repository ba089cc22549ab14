"""Embeddings of speech by pretrained encoders, as a step of a pipeline."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skser._device import resolve_device
from skser._docstrings import insert_descriptions
from skser.feature_extraction._base import AudioTransformer, UtteranceTooShort
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.feature_extraction._pooling import column_names, pooled
from skser.feature_extraction._pretrained import (
    CHECKPOINT_CONSTRAINTS,
    find_checkpoint,
    fingerprint,
    library,
    resolve_layers,
)
from skser.feature_extraction._speech_encoder import encoder_facts, load_encoder
from skser.sequences import Layout


@insert_descriptions(DESCRIPTIONS)
class SpeechEmbedding(AudioTransformer, auto_wrap_output_keys=("transform",)):
    """Hidden states of a pretrained speech encoder, pooled or frame by frame.

    The encoder is a Whisper, wav2vec 2.0, HuBERT, WavLM or data2vec model from the Hugging Face
    hub or from a folder. Whisper runs without its usual padding to 30 seconds. Layers above the
    highest requested one are neither loaded nor computed. This class needs the extra
    ``embeddings``.

    Parameters
    ----------
    checkpoint : path-like, default="openai/whisper-tiny"
        Folder of the checkpoint, or its name on the Hugging Face hub. ``"whisper-tiny-lower"``,
        the lower three of the four layers of OpenAI's Whisper tiny, comes with this package and
        needs no download.
    layers : int, tuple of int or "all", default="all"
        Layers to return, as indices into the model's ``hidden_states``. Index 0 is the input of
        the first layer; the last index, or -1, is the encoder's output (before the adapter that
        some checkpoints have), or the highest layer in a truncated checkpoint. Low and middle
        layers predict emotion better than the highest.
    pooling : {"mean", "mean+std", "percentiles", "mean+std+percentiles"} or None, \
default="mean+std"
        Statistics over the frames of an utterance. The percentiles are the 10th, 25th, 50th,
        75th and 90th. None returns the frames, as `Sequences` with one channel per layer.
    window : float, default=30.0
        Longest piece that the encoder processes at once, in seconds. Longer utterances are cut
        into overlapping windows. Whisper has positions for at most 30 s.
    overlap : float, default=2.0
        Overlap of successive windows, in seconds. The first half of an overlap is taken from the
        earlier window and the second half from the later one, so that each frame comes from the
        window that covers more of its surroundings.
    batch_size : int, default=16
        Number of windows of similar length computed at a time on an accelerator. A CPU computes
        them one by one.
    device : str, default="auto"
        Torch device. "auto" is the first of cuda, mps and cpu that is available. On a CPU the
        `n_jobs` processes compute; on other devices `n_jobs` threads read audio.
    precision : {"float32", "bfloat16", "int8"}, default="float32"
        Number format of the encoder's arithmetic. "bfloat16" is faster on devices with
        instructions for it (AMX or AVX-512 on x86); convolutions of wav2vec 2.0 and its relatives
        stay in float32 on a CPU. "int8", for a CPU, multiplies the matrices of all layers as 8-bit
        integers, with one scale for each output of a layer and for each frame; it is faster on
        CPUs with instructions for it (AMX or AVX-512 VNNI on x86). Without instructions, both are
        many times slower than "float32", with a warning.
    {revision}
    {allow_pickle}
    {input_sampling_rate}
    n_jobs : int or None, default=None
        Number of processes, as in joblib, each of which loads the encoder; of threads, if
        `device` is not a CPU.
    {verbose}
    on_error : {"raise", "empty"}, default="raise"
        Treatment of unusable utterances, after all others are done: "raise" names them in an
        error; "empty" gives each of them a row of NaN, or 0 frames without pooling, and names
        them in a warning.
    {memory}

    Notes
    -----
    Audio is resampled to ``sampling_rate``, the rate of the encoder's training audio. An
    utterance's result does not depend on the other utterances: padding within a batch is masked,
    also in the first normalization of wav2vec 2.0 and HuBERT.

    Whisper was trained on 30 seconds, with silence after the speech. Cutting its table of
    positions instead costs less than one point of UAR on EmoDB and RAVDESS.

    No code of a checkpoint is ever run. If the file lacks weights that the model needs, an error
    is raised, so no weight stays random.

    References
    ----------
    Radford, A. et al. (2023). Robust Speech Recognition via Large-Scale Weak Supervision. ICML.

    Baevski, A. et al. (2020). wav2vec 2.0: A Framework for Self-Supervised Learning of Speech
    Representations. NeurIPS.

    Pepino, L., Riera, P. and Ferrer, L. (2021). Emotion Recognition from Speech Using wav2vec
    2.0 Embeddings. Interspeech.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.feature_extraction import SpeechEmbedding
    >>> embedding = SpeechEmbedding("openai/whisper-tiny", layers=2)
    >>> model = make_pipeline(embedding, StandardScaler(), LogisticRegression())
    >>> model.fit(paths, labels).predict(["file.wav"])  # doctest: +SKIP
    """

    _parameter_constraints = {
        **{
            name: constraint
            for name, constraint in AudioTransformer._parameter_constraints.items()
            if name != "sampling_rate"
        },
        **CHECKPOINT_CONSTRAINTS,
        "precision": [StrOptions({"float32", "bfloat16", "int8"})],
        "window": [Interval(Real, 1, None, closed="left")],
        "overlap": [Interval(Real, 0.1, None, closed="left")],
    }

    def __init__(
        self,
        checkpoint="openai/whisper-tiny",
        layers="all",
        pooling="mean+std",
        *,
        window=30.0,
        overlap=2.0,
        batch_size=16,
        device="auto",
        precision="float32",
        revision=None,
        allow_pickle=False,
        input_sampling_rate=None,
        n_jobs=None,
        verbose=False,
        on_error="raise",
        memory=None,
    ):
        self.checkpoint = checkpoint
        self.layers = layers
        self.pooling = pooling
        self.window = window
        self.overlap = overlap
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.revision = revision
        self.allow_pickle = allow_pickle
        self.input_sampling_rate = input_sampling_rate
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.on_error = on_error
        self.memory = memory

    @property
    def sampling_rate(self):
        """Sampling rate of the encoder's training audio, in Hz. All audio is resampled to it."""
        return self._facts().rate

    def _facts(self):
        return encoder_facts(
            find_checkpoint(self.checkpoint, self.revision, self.allow_pickle, "SpeechEmbedding")
        )

    def _prepare(self):
        library("transformers", type(self).__name__)
        facts = self._facts()
        layers = resolve_layers(self.layers, facts.depth, facts.original_depth)
        window = int(self.window * facts.rate) // facts.hop * facts.hop
        if facts.longest and window > facts.longest:
            raise ValueError(
                f"window={self.window} is longer than the {facts.longest / facts.rate:g} s that "
                f"{self.checkpoint} has positions for: use a shorter window=."
            )
        overlap = int(self.overlap * facts.rate) // (2 * facts.hop) * 2 * facts.hop
        if not 4 * facts.hop <= overlap <= window // 2:
            raise ValueError(
                f"overlap={self.overlap} must be at least {4 * facts.hop / facts.rate:g} s, and "
                f"at most half of the window of {window / facts.rate:g} s."
            )
        device = resolve_device(self.device)
        if self.precision == "int8" and device != "cpu":
            raise ValueError(
                f"precision='int8' computes on a CPU only, but device={self.device!r} is "
                f"{device!r} here: use device='cpu', or precision='bfloat16'."
            )
        return facts, layers, window, overlap, device

    @property
    def _in_batches(self):
        return resolve_device(self.device) != "cpu"

    def _check_length(self, samples, prepared):
        shortest = prepared[0].shortest
        if len(samples) < shortest:
            raise UtteranceTooShort(
                f"has {len(samples)} samples, less than one frame of the encoder ({shortest}): "
                "leave the utterance out"
            )

    def _extract(self, samples, prepared):
        self._check_length(samples, prepared)
        return self._embed([samples], prepared, 1)[0]

    def _extract_batch(self, utterances, prepared):
        return self._embed(utterances, prepared, self.batch_size)

    def _embed(self, utterances, prepared, batch_size):
        facts, layers, window, overlap, device = prepared
        in_int8 = self.precision == "int8"
        encoder = load_encoder(facts, max(layers), self.allow_pickle, device, in_int8)
        pieces = [_cut(samples, window, overlap) for samples in utterances]
        windows = [piece for of_utterance in pieces for piece in of_utterance]
        order = np.argsort([len(piece) for piece in windows], kind="stable")
        states = [None] * len(windows)
        for first in range(0, len(order), batch_size):
            batch = order[first : first + batch_size]
            computed = encoder([windows[i] for i in batch], layers, self.precision)
            for i, frames in zip(batch, computed, strict=True):
                states[i] = frames
        results, first = [], 0
        for of_utterance in pieces:
            last = first + len(of_utterance)
            joined = _join(states[first:last], window // facts.hop, overlap // facts.hop)
            results.append(pooled(joined, self.pooling))
            first = last
        return results

    def _layout(self, prepared):
        facts, layers, *_ = prepared
        return Layout(
            feature_names=column_names(layers, facts.width, self.pooling),
            hop=facts.hop / facts.rate,
            offset=facts.center / facts.rate,
            n_channels=1 if self.pooling else len(layers),
        )

    def _collect(self, results, prepared):
        if self.pooling is None:
            return super()._collect(results, prepared)
        return np.stack(results)

    def _empty_result(self, prepared):
        if self.pooling is None:
            return super()._empty_result(prepared)
        return np.full(len(self._layout(prepared).feature_names), np.nan, np.float32)

    @property
    def _empty_result_name(self):
        return "0 frames" if self.pooling is None else "NaN"

    def _settings(self):
        settings = super()._settings()
        for name in ("checkpoint", "revision", "allow_pickle", "batch_size", "device"):
            del settings[name]
        return {**settings, "digest of the checkpoint": fingerprint(self._facts().folder)}


def _cut(samples, window, overlap):
    """Cut an utterance into windows, the last of which is longer than the overlap."""
    step = window - overlap
    n_windows = max(1, -(-(len(samples) - overlap) // step))
    return [samples[i * step : i * step + window] for i in range(n_windows)]


def _join(states, window, overlap):
    """Join the frames of an utterance's windows; `window` and `overlap` are in frames."""
    if len(states) == 1:
        return states[0]
    half, last = overlap // 2, len(states) - 1
    return np.concatenate(
        [
            frames[half if i else 0 : window - half if i < last else None]
            for i, frames in enumerate(states)
        ]
    )
