"""
Files, uploads, arrays and parts
================================

A model takes audio in any form: a path, the bytes of an upload, an array with its sampling rate, or
a part of a long recording. The same sound gives the same answer.
"""

# %%
# A model that was trained on files:

import tempfile

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import MFCC, Functionals

folder = tempfile.TemporaryDirectory()
corpus = make_emotional_speech(
    n_speakers=4, n_utterances_per_speaker=10, random_state=0, output_dir=folder.name
)
model = make_pipeline(Functionals(MFCC()), StandardScaler(), LogisticRegression(C=0.01))
model.fit(corpus.data[1:], corpus.target[1:])

# %%
# The first utterance in five forms. The last one lies between two seconds of silence in a stereo
# recording of 48 kHz.

import numpy as np

from skser.audio import Utterance, Waveform, load_audio

path = corpus.data[0]
samples, rate = load_audio(path)
with open(path, "rb") as file:
    upload = file.read()
high, _ = load_audio(path, sampling_rate=48000)
silence = np.zeros(2 * 48000, dtype="float32")
long = np.stack([np.concatenate([silence, high, silence])] * 2)
forms = {
    "path": path,
    "bytes of an upload": upload,
    "array, 16 kHz": Waveform(samples, rate),
    "array, 48 kHz": Waveform(high, 48000),
    "part of a stereo recording": Utterance(
        Waveform(long, 48000), start=2.0, end=2.0 + len(high) / 48000, channel=0
    ),
}
Waveform(samples, rate)

# %%
# The probabilities agree; resampling changes them by one or two hundredths.

import matplotlib.pyplot as plt
import pandas as pd

found = pd.DataFrame(
    model.predict_proba(list(forms.values())), index=list(forms), columns=model.classes_
)
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
found[::-1].plot.barh(stacked=True, ax=ax, colormap="viridis", xlabel="probability")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
folder.cleanup()
