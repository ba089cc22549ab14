"""
Predict audio while it arrives
==============================

From a microphone or a socket, audio arrives in small blocks.
:func:`~skser.inspection.emotion_stream` yields a prediction as soon as a window is full.
"""

# %%
# Half a minute by a new speaker, who is sad at first and then happy:

import numpy as np

from skser.audio import Waveform
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(
    n_speakers=5, n_utterances_per_speaker=24, emotions=("neutral", "happiness", "sadness"),
    random_state=0,
)  # fmt: skip
rate = corpus.sampling_rate
new = corpus.speakers == "05"
live = np.concatenate(
    [
        samples
        for emotion in ("sadness", "happiness")
        for samples in corpus.data[new & (corpus.target == emotion)][:6]
    ]
)
Waveform(live, rate)

# %%
# The blocks have 50 ms, as those of a sound card. Each prediction is a dict with the times of its
# window. The delay is the time that a prediction takes after the window is full.

import time

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.feature_extraction import MFCC, Functionals
from skser.inspection import emotion_stream

model = make_pipeline(
    Functionals(MFCC(n_mfcc=13, input_sampling_rate=rate)),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
model.fit(corpus.data[~new], corpus.target[~new])
blocks = np.array_split(live, len(live) // (rate // 20))
begin = time.perf_counter()
rows = list(emotion_stream(model, blocks, rate, window=2.0, hop=0.5))
seconds = time.perf_counter() - begin
print(f"{len(rows)} predictions, {1000 * seconds / len(rows):.0f} ms each")
rows[0]

# %%
# As a picture:

import matplotlib.pyplot as plt

ends = [row["end"] for row in rows]
figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.stackplot(ends, [[row[name] for row in rows] for name in model.classes_], labels=model.classes_)
ax.set(xlabel="seconds", ylabel="probability", ylim=(0, 1), xlim=(ends[0], ends[-1]))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)

# %%
# ``skser listen`` does this with the microphone of the machine.
