"""Silero's network for voice activity detection, as ONNX operators."""

import numpy as np

from skser.export._features import masked, waves

_CONTEXT = 64  # samples before a chunk that its spectra include
_N_FFT, _HOP, _N_BINS = 256, 128, 129
_SILENCE = 10 ** (-110 / 20)  # peak of digital silence, which is not amplified
_LEAST_PROBABILITY = 0.5


def speech(waveform, lengths):
    """Append the network that `skser.feature_extraction.SpeechProbability` computes.

    Parameters
    ----------
    waveform : Value
        Samples (batch, samples) at 16 kHz, float32, zero after each utterance.
    lengths : Value
        Number of samples of each utterance (batch,), int64.

    Returns
    -------
    Value
        Share of each utterance that is speech, and its duration in seconds (batch, 2).
    """
    from skser._silero import CHUNK, RATE, silero_weights

    weights, graph = silero_weights(), waveform.graph
    x = _scaled(waveform, lengths)
    # The last chunk is filled up with zeros.
    x = x.then("Pad", np.array([0, _CONTEXT, 0, CHUNK - 1])).unsqueeze(1)
    spectra = x.then("Conv", _kernels(graph), strides=[CHUNK])
    spectra = spectra.reshape(0, 4, 2 * _N_BINS, -1)
    real, imaginary = spectra.cut(2, 0, _N_BINS), spectra.cut(2, _N_BINS, 2 * _N_BINS)
    x = (real * real + imaginary * imaginary).then("Sqrt").transpose(0, 2, 3, 1)
    for layer, stride in ((1, 1), (2, 2), (3, 2), (4, 1)):
        matrix = weights[f"conv{layer}"]  # (3 * n_in, n_out)
        kernel = matrix.reshape(3, -1, matrix.shape[1]).transpose(2, 1, 0)
        kernel = graph.weight(kernel, f"conv{layer}.weight").unsqueeze(2)
        bias = weights[f"conv{layer}_bias"]
        x = x.then("Conv", kernel, bias, strides=[1, stride], pads=[0, 1, 0, 1]).then("Relu")
    x = x.squeeze(3).transpose(2, 0, 1)  # (chunks, batch, features)
    n_chunks = (lengths + np.int64(CHUNK - 1)) // np.int64(CHUNK)
    states = _recurrent(x, n_chunks, weights).then("Relu")
    logits = states @ weights["output"][:, None] + weights["output_bias"]
    chunks = logits.squeeze(2).transpose(1, 0)
    is_speech = graph.add("Less", _LEAST_PROBABILITY, chunks.then("Sigmoid")).as_float()
    n_speech = masked(is_speech, chunks.inside(1, n_chunks)).sum(1)
    n_chunks = n_chunks.as_float().unsqueeze(1)
    return (n_speech / n_chunks).then("Concat", n_chunks * (CHUNK / RATE), axis=1)


def _scaled(x, lengths):
    """Remove the mean of each utterance, and raise its peak to full scale."""
    inside = x.inside(1, lengths)
    x = masked(x - x.sum(1) / lengths.as_float().unsqueeze(1), inside)
    peak = x.then("Abs").then("ReduceMax", axes=[1])
    is_heard = x.graph.add("Less", _SILENCE, peak)
    return x / x.graph.add("Where", is_heard, peak, 1.0)


def _kernels(graph):
    """Return kernels that transform the four frames of a chunk, (8 * n_bins, 1, 576)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_N_FFT) / _N_FFT)
    kernel = waves(graph, slice(0, _N_BINS), _N_FFT, _N_FFT) * window
    rest = 3 * _HOP - _CONTEXT
    parts = [kernel.then("Pad", np.array([0, i * _HOP, 0, rest - i * _HOP])) for i in range(3)]
    # The end of the last frame mirrors the chunk.
    n_own = _N_FFT - _CONTEXT
    mirror = np.zeros((_CONTEXT, n_own))
    mirror[np.arange(_CONTEXT), n_own - 2 - np.arange(_CONTEXT)] = 1
    last = kernel.cut(1, 0, n_own) + kernel.cut(1, n_own, _N_FFT) @ mirror
    parts.append(last.then("Pad", np.array([0, 3 * _HOP, 0, 0])))
    return graph.add("Concat", *parts, axis=0).unsqueeze(1)


def _recurrent(x, lengths, weights):
    """Append the recurrent layer (LSTM) over chunks; return (chunks, batch, n_units)."""
    n_units, graph = len(weights["recurrent"]), x.graph
    order = (0, 3, 1, 2)  # of the gates i, f, g, o in ONNX

    def ordered(values):
        parts = [values.cut(0, gate * n_units, (gate + 1) * n_units) for gate in order]
        return graph.add("Concat", *parts, axis=0).unsqueeze(0)

    kernels = [
        ordered(graph.weight(weights[key].T, f"lstm_cell.{name}"))
        for key, name in (("input", "weight_ih"), ("recurrent", "weight_hh"))
    ]
    bias = ordered(graph.constant(weights["gate_bias"]))
    bias = bias.then("Concat", np.zeros((1, 4 * n_units)), axis=1)
    steps = lengths.then("Cast", to=6)
    y = x.then("LSTM", *kernels, bias, steps, direction="forward", hidden_size=n_units)
    return y.squeeze(1)
