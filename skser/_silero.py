"""Silero's network for voice activity detection, in NumPy."""

import threading
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

RATE = 16000  # in Hz
VERSION = "6.2 in half precision"
CHUNK = 512  # samples that one probability is for
_CONTEXT = 64  # samples before a chunk that its spectra include
_N_FFT, _HOP = 256, 128
_CHUNKS_AT_ONCE = 2048
_SILENCE = 10 ** (-110 / 20)  # peak of digital silence, which is not amplified
_FILE = Path(__file__).parent / "persistence/models/silero-vad/model.safetensors"
_loading = threading.Lock()


def speech_probability(samples):
    """Compute the probability of speech in every 32 ms of an utterance.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        Utterance at 16 kHz. Its mean is removed, and its peak is raised to full scale.

    Returns
    -------
    ndarray of shape (n_chunks,), float32
        Probability of each chunk of 512 samples. The last chunk is filled up with zeros.
    """
    weights = silero_weights()
    x = samples - samples.mean()
    peak = np.abs(x).max()
    if peak > _SILENCE:
        x /= peak
    n_chunks = -(-len(x) // CHUNK)
    padded = np.zeros(_CONTEXT + n_chunks * CHUNK, np.float32)
    padded[_CONTEXT : _CONTEXT + len(x)] = x
    chunks = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + CHUNK)[::CHUNK]
    hidden, cell = np.zeros((2, weights["recurrent"].shape[0]), np.float32)
    logits = []
    for first in range(0, n_chunks, _CHUNKS_AT_ONCE):
        gates = _encode(chunks[first : first + _CHUNKS_AT_ONCE], weights)
        states, cell = _recur(gates, hidden, cell, weights["recurrent"])
        hidden = states[-1]
        logits.append(np.maximum(states, 0) @ weights["output"] + weights["output_bias"])
    return _sigmoid(np.concatenate(logits))


def _encode(chunks, weights):
    """Return the inputs of the recurrent layer's gates, (n_chunks, 4 * n_units)."""
    padded = np.pad(chunks, [(0, 0), (0, _CONTEXT)], mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT, axis=1)[:, ::_HOP]
    spectra = frames @ weights["fourier"]
    half = _N_FFT // 2 + 1
    x = np.sqrt(spectra[..., :half] ** 2 + spectra[..., half:] ** 2)
    for layer, stride in ((1, 1), (2, 2), (3, 2), (4, 1)):
        x = np.pad(x, [(0, 0), (1, 1), (0, 0)])
        n_frames = (x.shape[1] - 3) // stride + 1
        # Three successive frames are one row of the convolution's matrix product.
        rows = np.stack([x[:, k : k + stride * n_frames : stride] for k in range(3)], axis=2)
        x = rows.reshape(len(x), n_frames, -1) @ weights[f"conv{layer}"]
        x = np.maximum(x + weights[f"conv{layer}_bias"], 0)
    return x[:, 0] @ weights["input"] + weights["gate_bias"]


def _recur(gates, hidden, cell, recurrent):
    """Run the recurrent layer (LSTM); return the output of each chunk and the last cell."""
    n = len(hidden)
    states = np.empty((len(gates), n), np.float32)
    for t, of_input in enumerate(gates):
        gate = of_input + hidden @ recurrent
        forget, output = _sigmoid(gate[n : 2 * n]), _sigmoid(gate[3 * n :])
        cell = forget * cell + _sigmoid(gate[:n]) * np.tanh(gate[2 * n : 3 * n])
        hidden = states[t] = output * np.tanh(cell)
    return states, cell


def _sigmoid(x):
    # By tanh, which does not overflow.
    return 0.5 * (1 + np.tanh(0.5 * x))


def silero_weights():
    with _loading:
        return _read_weights()


@cache
def _read_weights():
    """Return the matrices as the functions above multiply them, float32."""
    stored = {name: value.astype(np.float32) for name, value in load_file(_FILE).items()}
    weights = {
        "fourier": _windowed_fourier().T,
        "input": stored["lstm_cell.weight_ih"].T,
        "recurrent": stored["lstm_cell.weight_hh"].T,
        "gate_bias": stored["lstm_cell.bias_ih"] + stored["lstm_cell.bias_hh"],
        "output": stored["final_conv.weight"][0, :, 0],
        "output_bias": stored["final_conv.bias"][0],
    }
    for layer in range(1, 5):
        kernel = stored[f"conv{layer}.weight"]  # (n_out, n_in, 3)
        weights[f"conv{layer}"] = kernel.transpose(2, 1, 0).reshape(-1, len(kernel))
        weights[f"conv{layer}_bias"] = stored[f"conv{layer}.bias"]
    return {name: np.ascontiguousarray(value) for name, value in weights.items()}


def _windowed_fourier():
    """Return cosines and sines under a periodic Hann window, (2 * 129, 256)."""
    time, frequency = np.arange(_N_FFT), np.arange(_N_FFT // 2 + 1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * time / _N_FFT)
    waves = window * np.exp(-2j * np.pi * np.outer(frequency, time) / _N_FFT)
    return np.concatenate([waves.real, waves.imag]).astype(np.float32)
