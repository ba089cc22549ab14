"""
Adapt a model to a folder of recordings
=======================================

Another microphone shifts all features, and a model takes the shift for an emotion.
:func:`~skser.compose.adapt` moves the statistics of a fitted model towards new recordings, without
labels.
"""

# %%
# The model is trained on six speakers. The folder holds two others, recorded with a dull
# microphone.

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from skser.audio import Waveform
from skser.augmentation import tilt_spectrum
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=15, random_state=0)
rate = corpus.sampling_rate
new = np.isin(corpus.speakers, ["07", "08"])
folder = tempfile.TemporaryDirectory()
for i in np.flatnonzero(new):
    dull = tilt_spectrum(corpus.data[i], rate, np.random.RandomState(0), slope=-6)
    soundfile.write(Path(folder.name) / f"{i:03}.wav", dull, rate)
files = sorted(map(str, Path(folder.name).iterdir()))
truth = corpus.target[new]

# %%
# As it was recorded, and with the dull microphone:

Waveform(corpus.data[new][1], rate)

# %%

Waveform(soundfile.read(files[1])[0], rate)

# %%
# Train, adapt, and predict the folder with both models:

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.compose import adapt
from skser.feature_extraction import MFCC, Functionals

model = make_pipeline(
    Functionals(MFCC(n_mfcc=13, input_sampling_rate=rate)),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
model.fit(corpus.data[~new], corpus.target[~new])
adapted = adapt(model, files)

import matplotlib.pyplot as plt

from skser.inspection import ConfusionDisplay

figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
for ax, title, one in zip(axes, ("as trained", "adapted"), (model, adapted), strict=True):
    ConfusionDisplay.from_estimator(one, files, truth, ax=ax)
    ax.set_title(title)

# %%
# In a shell: ``skser predict folder --adapt``. The recordings should vary in emotion, because those
# of one emotion would make it the average; see :doc:`/adaptation`.

folder.cleanup()
