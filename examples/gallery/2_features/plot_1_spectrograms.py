"""
See the spectral features
=========================

Four transformers turn the same utterance into frames: a spectrogram, a mel spectrogram, cepstral
coefficients (MFCC), and the contour of the level, which has one value per frame.
"""

# %%
# Listen to the utterance first.

from skser.audio import Waveform
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(n_speakers=1, n_utterances_per_speaker=5, random_state=3)
rate = corpus.sampling_rate
utterance = Waveform(corpus.data[2], rate)
utterance

# %%
# Each transformer returns :class:`~skser.sequences.Sequences`: one array of frames per utterance,
# with a layout that knows the names of the columns, the time between frames and the frequencies.

from skser.feature_extraction import MFCC, LevelContour, MelSpectrogram, Spectrogram

transformers = [Spectrogram(), MelSpectrogram(deltas=0), MFCC(n_mfcc=13, deltas=0), LevelContour()]
found = [transformer.transform([utterance]) for transformer in transformers]
for transformer, X in zip(transformers, found, strict=True):
    print(f"{type(transformer).__name__}: {X[0].shape[0]} frames of {X[0].shape[1]} values")

# %%
# Low frequencies are at the bottom. The mel scale spreads them, as hearing does. The coefficients
# are standardized here, because the first ones are much larger than the others.

import matplotlib.pyplot as plt
import numpy as np

figure, axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained", sharex=True)
for ax, transformer, X in zip(axes.flat, transformers, found, strict=True):
    frames = X[0]
    times = X.layout.offset + X.layout.hop * np.arange(len(frames))
    if frames.shape[1] == 1:
        ax.plot(times, frames[:, 0])
    else:
        if isinstance(transformer, MFCC):
            frames = (frames - frames.mean(axis=0)) / frames.std(axis=0)
        image = {"aspect": "auto", "origin": "lower", "cmap": "magma"}
        ax.imshow(frames.T, extent=(0, times[-1], 0, frames.shape[1]), **image)
    ax.set(title=type(transformer).__name__, ylabel="level" if frames.shape[1] == 1 else "column")
for ax in axes[-1]:
    ax.set_xlabel("seconds")
