"""Whisper's encoder as ONNX operators, from a padded batch of waveforms to hidden states."""

from types import SimpleNamespace

import numpy as np

from skser.export._features import FLOOR, Frames, highest, masked, moments, power_spectra
from skser.export._network import array_of

_STATISTICS = ({"mean"}, {"mean", "std"})


def is_whisper(transformer):
    """Return whether a `SpeechEmbedding` has operators here."""
    facts, *_ = transformer._prepare()
    pooling = transformer.pooling
    known = pooling is None or set(pooling.split("+")) in _STATISTICS
    return known and facts.model_type == "whisper" and _encoder(transformer).activation == "gelu"


def longest_of(transformer):
    """Return the largest number of samples of an utterance."""
    _, _, window, overlap, _ = transformer._prepare()
    # All windows of an utterance are in memory at once; six of 30 s take 1.7 GB.
    return window if transformer.pooling is None else 6 * (window - overlap) + overlap


def whisper_states(transformer, waveform, lengths):
    """Append the operators of a `SpeechEmbedding` with a Whisper encoder.

    Parameters
    ----------
    transformer : SpeechEmbedding
    waveform : Value
        Samples (batch, samples), float32, zero after each utterance.
    lengths : Value
        Number of samples of each utterance (batch,), int64.

    Returns
    -------
    Frames or Value
        Hidden states, with one channel per layer, or their statistics (batch, n_columns).
    """
    facts, layers, window, overlap, _ = transformer._prepare()
    found = _encoder(transformer)
    encoder, weight = found.encoder, _weights(waveform.graph)
    if transformer.pooling is not None:
        windows = _Windows(waveform, lengths, window, overlap)
        waveform, lengths = windows.waveform, windows.lengths
    x, lengths = _log_mel(found.preprocessor, waveform, lengths)
    x = _gelu(_convolved(weight, encoder.conv1, "conv1", x, 1))
    # The bias makes padding nonzero after the first convolution; the second would mix it in.
    x = x * x.inside(2, lengths).as_float().unsqueeze(1)
    x = _gelu(_convolved(weight, encoder.conv2, "conv2", x, 2))
    lengths = (lengths + np.int64(1)) // np.int64(2)
    x = x.transpose(0, 2, 1)
    x = x + _positions(array_of(encoder.embed_positions.weight), x)
    inside = x.inside(1, lengths)
    states = [x]
    for i in range(max(layers)):
        x = _layer(weight, encoder.layers[i], f"layers.{i}", x, inside)
        states.append(x)
    if max(layers) == facts.original_depth:
        states[-1] = _normalized(encoder.layer_norm, x)
    states = [states[layer] for layer in layers]
    if transformer.pooling is None:
        x = waveform.graph.add("Concat", *(state.unsqueeze(1) for state in states), axis=1)
        return Frames(x, lengths, inside, len(layers), facts.width)
    counted = windows.counted(inside, facts.hop)
    statistics = [
        of_state[: 1 + ("std" in transformer.pooling)]
        for of_state in (moments(windows.joined(state), counted) for state in states)
    ]
    return waveform.graph.add("Concat", *(x for pair in statistics for x in pair), axis=1)


class _Windows:
    """Overlapping windows of utterances, as rows of a batch.

    The encoder sees each window as an utterance of its own. Where two windows overlap, the frames
    of the first half come from the earlier one, and those of the second half from the later one.

    Parameters
    ----------
    waveform, lengths : Value
        Samples (batch, samples), and their numbers (batch,).
    window, overlap : int
        Numbers of samples.
    """

    def __init__(self, waveform, lengths, window, overlap):
        graph, step = waveform.graph, np.int64(window - overlap)
        n_samples = waveform.length(1)
        # One more window wherever more than the overlap is left.
        self._last = _count(lengths, step, overlap) - np.int64(1)
        n_windows = _count(n_samples, step, overlap)
        n_places = n_samples.then("Min", np.int64(window))
        starts = graph.indices(n_windows.squeeze(0)) * step
        inside = graph.indices(n_places.squeeze(0))
        places = (starts.unsqueeze(1) + inside).reshape(1, -1)
        places = places.then("Min", n_samples - np.int64(1))
        places = places + lengths.unsqueeze(1) * np.int64(0)  # a row for each utterance
        rows = np.array([-1]), n_places
        cut = waveform.then("GatherElements", places, axis=1)
        cut = cut.then("Reshape", graph.add("Concat", *rows, axis=0))
        left = lengths.unsqueeze(1) - starts
        # A window after the last is computed too, but not counted.
        left = left.then("Max", starts.then("Min", np.int64(overlap))).then("Min", n_places)
        self.lengths = left.reshape(-1)
        self.waveform = masked(cut, cut.inside(1, self.lengths))
        self._starts, self._n_windows, self._batch = starts, n_windows, lengths.length(0)
        self._window, self._overlap, self._step = window, overlap, step

    def counted(self, inside, hop):
        """Return a mask (batch, windows * time) of the frames that count, from one of all rows."""
        graph, half = inside.graph, self._overlap // hop // 2
        numbers = self._starts // self._step  # (windows,)
        last = self._last.unsqueeze(1)  # (batch, 1)
        first = numbers.then("Min", np.int64(1)) * np.int64(half)
        is_inner = graph.add("Less", numbers, last)
        stop = graph.add("Where", is_inner, np.int64(self._window // hop - half), np.int64(2**40))
        is_used = graph.add("Less", numbers, last + np.int64(1))
        stop = graph.add("Where", is_used, stop, np.int64(0)).unsqueeze(2)
        place = inside.positions(1)  # (time,)
        after = graph.add("Less", first.unsqueeze(1) - np.int64(1), place)  # (windows, time)
        before = graph.add("Less", place, stop)  # (batch, windows, time)
        shape = graph.add("Concat", self._batch, self._n_windows, inside.length(1), axis=0)
        own = inside.as_float().then("Reshape", shape)
        kept = own * before.as_float() * after.as_float()
        return graph.add("Less", 0.5, kept).reshape(0, -1)

    def joined(self, x):
        """Return frames (windows of all utterances, time, columns) by utterance."""
        shape = self._batch.then("Concat", np.array([-1]), x.length(2), axis=0)
        return x.then("Reshape", shape)


def _count(n_samples, step, overlap):
    return ((n_samples + (step - np.int64(overlap + 1))) // step).then("Max", np.int64(1))


def _encoder(transformer):
    """Return the loaded encoder, its preprocessor, and the name of its activation."""
    from skser.feature_extraction import load_encoder

    if transformer.precision == "int8":
        raise ValueError(
            "A SpeechEmbedding with precision='int8' cannot be exported, because the graph "
            "computes in float32: fit the model with precision='float32'."
        )
    facts, layers, *_ = transformer._prepare()
    found = load_encoder(facts, max(layers), transformer.allow_pickle, "cpu", False)
    encoder = found.encoder
    activation = getattr(getattr(encoder, "config", None), "activation_function", None)
    return SimpleNamespace(encoder=encoder, preprocessor=found.preprocessor, activation=activation)


def _weights(graph):
    def weight(parameter, name):
        return graph.weight(parameter.detach().cpu().numpy(), f"encoder.{name}")

    return weight


def _log_mel(preprocessor, waveform, lengths):
    """Return the log-mel spectrogram (batch, bands, time), and its lengths."""
    n_fft, hop = preprocessor.n_fft, preprocessor.hop_length
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    # Both ends of each utterance are mirrored, wherever in the batch its end is.
    margins = np.array([0, n_fft // 2, 0, n_fft // 2])
    padded = waveform.then("Pad", margins)
    places = (padded.positions(1) - np.int64(n_fft // 2)).then("Abs")
    last = (lengths - np.int64(1)).unsqueeze(1)
    places = (last - (last - places).then("Abs")).then("Max", np.int64(0))
    mirrored = waveform.then("GatherElements", places, axis=1)
    filters = preprocessor.mel_filters.T
    heard = np.flatnonzero(filters.any(axis=0))
    bins = slice(heard[0], heard[-1] + 1)
    fourier = SimpleNamespace(window=window, n_fft=n_fft, hop=hop, before=None)
    power = filters[:, bins] @ power_spectra(mirrored, fourier, bins)
    lengths = lengths // np.int64(hop)  # the last frame is left out, as in training
    x = power.cut(2, 0, -1).then("Max", FLOOR).then("Log") * (1 / np.log(10))
    inside = x.inside(2, lengths).unsqueeze(1)
    x = (x.then("Max", highest(x, inside) - 8.0) + 4.0) * 0.25
    return masked(x, inside), lengths


def _convolved(weight, layer, name, x, stride):
    kernel = weight(layer.weight, f"{name}.weight")
    return x.then("Conv", kernel, array_of(layer.bias), strides=[stride], pads=[1, 1])


def _gelu(x):
    return (x * np.sqrt(0.5)).then("Erf").then("Add", 1.0) * x * 0.5


def _positions(table, x):
    """Return the vectors (time, width) that stand for positions: the first rows of a table."""
    n_positions, width = table.shape
    places = x.positions(1).as_float().unsqueeze(1)
    steps = np.exp(-np.log(10000) / (width // 2 - 1) * np.arange(width // 2))
    angles = np.arange(n_positions)[:, None] * steps
    computed = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    is_half = (table.astype(np.float16) == table).all()
    if np.abs(computed - table).max() > 1e-3:
        return x.graph.constant(table).cut(0, 0, x.length(1))
    # Computed, since the table would be a tenth of the file.
    angles = places * steps
    table = angles.then("Sin").then("Concat", angles.then("Cos"), axis=1)
    # Checkpoints in half precision hold rounded positions.
    return table.then("Cast", to=10).as_float() if is_half else table


def _normalized(norm, x):
    scale = array_of(norm.weight), array_of(norm.bias)
    return x.then("LayerNormalization", *scale, epsilon=norm.eps)


def _layer(weight, layer, name, x, inside):
    """Append a layer of attention and of two linear maps, each after a normalization."""
    attention, n_heads = layer.self_attn, layer.self_attn.num_heads

    def linear(part, where, x):
        product = x @ weight(part.weight, f"{name}.{where}.weight").transpose(1, 0)
        return product if part.bias is None else product + array_of(part.bias)

    def heads(part, x, *perm):
        projected = linear(getattr(attention, part), f"self_attn.{part}", x)
        return projected.reshape(0, 0, n_heads, attention.head_dim).transpose(*perm)

    given = _normalized(layer.self_attn_layer_norm, x)
    queries = heads("q_proj", given, 0, 2, 1, 3) * attention.scaling
    scores = queries @ heads("k_proj", given, 0, 2, 3, 1)
    scores = x.graph.add("Where", inside.unsqueeze(1, 2), scores, -np.inf).then("Softmax", axis=3)
    seen = (scores @ heads("v_proj", given, 0, 2, 1, 3)).transpose(0, 2, 1, 3)
    seen = seen.reshape(0, 0, n_heads * attention.head_dim)
    x = x + linear(attention.out_proj, "self_attn.out_proj", seen)
    hidden = _gelu(linear(layer.fc1, "fc1", _normalized(layer.final_layer_norm, x)))
    return x + linear(layer.fc2, "fc2", hidden)
