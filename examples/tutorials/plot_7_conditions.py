"""
Train for noise, rooms and telephones
=====================================

A model that was trained on studio recordings fails on others: in noise, in a room, over a
telephone. This tutorial shows and plays what happens to a recording, and trains a model on altered
copies.
"""

# %%
# Look and listen
# ---------------
#
# Each condition is a function that takes samples, their sampling rate and a random generator.
# ``functools.partial`` sets its parameters. For babble, give the voices of other people.

import functools

import numpy as np

from skser import augmentation
from skser.audio import Waveform
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=15, random_state=0)
rate = corpus.sampling_rate
speech = corpus.data[0]
others = [Waveform(samples, rate) for samples in corpus.data[15:]]

conditions = {
    "white noise, 10 dB": functools.partial(augmentation.add_noise, snr=10),
    "pink noise, 10 dB": functools.partial(augmentation.add_noise, snr=10, color="pink"),
    "babble, 5 dB": functools.partial(augmentation.add_babble, voices=others, snr=5),
    "room, 0.6 s": functools.partial(augmentation.reverberate, seconds=0.6),
    "telephone": augmentation.telephone,
    "Opus at a low bit rate": functools.partial(
        augmentation.encode, format="OPUS", compression=1.0
    ),
    "dull microphone": functools.partial(augmentation.tilt_spectrum, slope=-6),
    "clipping of 5 %": functools.partial(augmentation.clip, share=0.05),
}
versions = {"as recorded": speech}
for name, alter in conditions.items():
    versions[name] = alter(speech, rate, np.random.RandomState(0))

# %%
# The spectrograms show what is left of the voice.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(3, 3, figsize=(9, 7), sharex=True, sharey=True, layout="constrained")
for ax, (name, samples) in zip(axes.flat, versions.items(), strict=True):
    ax.specgram(samples + 1e-6, NFFT=400, Fs=rate, noverlap=240, vmin=-120, vmax=-40)
    ax.set(title=name, ylim=(0, 8000))
figure.supxlabel("seconds")
figure.supylabel("Hz")

# %%
# The players hold the sound themselves, as MP3.

import base64
import io

import soundfile


class Players:
    """Audio players on a page, one for each version of an utterance."""

    def __init__(self, versions):
        self.versions = versions

    def _repr_html_(self):
        rows = []
        for name, samples in self.versions.items():
            file = io.BytesIO()
            samples = samples / max(1.0, np.abs(samples).max())
            soundfile.write(file, samples, rate, format="MP3")
            content = base64.b64encode(file.getvalue()).decode()
            sound = f"<audio controls src='data:audio/mpeg;base64,{content}'></audio>"
            rows.append(f"<tr><td>{name}</td><td>{sound}</td></tr>")
        return f"<table>{''.join(rows)}</table>"


Players(versions)

# %%
# Train on altered copies
# -----------------------
#
# :class:`~skser.augmentation.Conditions` draws a mixture of all of these.
# :class:`~skser.compose.AugmentedClassifier` trains a model on every utterance and on copies in
# such conditions. The babble consists of the training utterances of other speakers. Predictions use
# recordings as they are.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.augmentation import Conditions
from skser.compose import AugmentedClassifier
from skser.feature_extraction import FrameFeatures, Functionals

model = make_pipeline(
    Functionals(FrameFeatures(input_sampling_rate=rate)),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
in_conditions = AugmentedClassifier(
    model, Conditions(), n_copies=2, input_sampling_rate=rate, random_state=0
)
known, new = np.split(np.unique(corpus.speakers), [6])
training = corpus.select(speakers=known)
unheard = corpus.select(speakers=new)
model.fit(training.data, training.target)
in_conditions.fit(training.data, training.target, groups=training.speakers)

# %%
# Test on speakers that neither model has heard. The voices of the babble are those of the test
# speakers, so that they are new to the model as well.

import pandas as pd

from skser.evaluation import robustness_report

voices = [Waveform(samples, rate) for samples in unheard.data]
tests = {
    ("white noise", f"{snr} dB"): functools.partial(augmentation.add_noise, snr=snr)
    for snr in (10, 0)
}
tests["babble", "5 dB"] = functools.partial(augmentation.add_babble, voices=voices, snr=5)
tests["telephone", ""] = augmentation.telephone
reports = {
    "trained on clean speech": robustness_report(model, unheard, distortions=tests),
    "trained in conditions": robustness_report(in_conditions, unheard, distortions=tests),
}
scores = pd.DataFrame({name: 100 * report["score"] for name, report in reports.items()})
scores.index = [" ".join(name) for name in scores.index]
axes = scores[::-1].plot.barh(figsize=(7, 4), xlabel="UAR (%)")
axes.figure.set_layout_engine("constrained")

# %%
# Use recordings of your own
# --------------------------
#
# Recordings of noise (a folder, such as that of ESC-10), measured impulse responses, and the
# probability of each condition are parameters. :func:`~skser.augmentation.simulate_rooms` simulates
# impulse responses with the library pyroomacoustics; see :doc:`/augmentation`.

Conditions({"pink": 0.5, "room": 0.5, "telephone": 0.2}, snr=(5, 15), reverberation=(0.3, 1.0))
