"""
Follow the speakers of a dialogue
=================================

Who spoke when is known from a diarization, as a table or an RTTM file. Each turn is one utterance.
"""

# %%
# A made-up call: the customer (left channel) becomes angry, the agent (right channel) stays
# neutral.

import numpy as np
import pandas as pd

from skser.audio import Waveform
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=16, random_state=0,
    emotions=("neutral", "anger", "sadness", "happiness"),
)  # fmt: skip
rate = corpus.sampling_rate
pause = np.zeros(rate // 4, dtype="float32")
spoken, turns, time = [], [], 0.0
for speaker, emotion in (
    ("05", "neutral"), ("06", "neutral"), ("05", "sadness"), ("06", "neutral"),
    ("05", "anger"), ("06", "neutral"), ("05", "anger"),
):  # fmt: skip
    chosen = (corpus.speakers == speaker) & (corpus.target == emotion)
    samples = corpus.data[chosen][len(turns) // 2 % chosen.sum()]
    both = np.zeros((len(samples) + len(pause), 2), dtype="float32")
    channel = 0 if speaker == "05" else 1
    both[: len(samples), channel] = samples
    turn = {"start": time, "end": time + len(samples) / rate, "channel": channel}
    turns.append(turn | {"speaker": "customer" if channel == 0 else "agent"})
    spoken.append(both)
    time += len(both) / rate
call = Waveform(np.concatenate(spoken), rate)
call

# %%
# The model has not heard either of them. ``segments=`` takes the table of turns, with the channel
# of each; the path of an RTTM file works too.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.feature_extraction import FrameFeatures, Functionals
from skser.inspection import emotion_timeline

model = make_pipeline(
    Functionals(FrameFeatures(input_sampling_rate=rate)),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
others = ~np.isin(corpus.speakers, ["05", "06"])
model.fit(corpus.data[others], corpus.target[others])
timeline = emotion_timeline(model, call, segments=pd.DataFrame(turns))
timeline.round(2)

# %%
# The probability of anger, turn by turn:

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
for speaker, color in (("customer", "C3"), ("agent", "C0")):
    of_speaker = timeline[timeline["speaker"] == speaker]
    ax.bar(
        of_speaker["start"], of_speaker["anger"], of_speaker["end"] - of_speaker["start"],
        align="edge", color=color, label=speaker,
    )  # fmt: skip
ax.set(xlabel="seconds", ylabel="probability of anger", ylim=(0, 1))
ax.legend(frameon=False, loc="upper left")

# %%
# In a shell, ``skser predict turns.csv`` predicts such a table if it names the recording in a
# column ``audio``.
