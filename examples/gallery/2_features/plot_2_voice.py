"""
Hear and see anger and sadness in a voice
=========================================

:class:`~skser.feature_extraction.FrameFeatures` measures what phoneticians describe: pitch, energy,
and the quality of a voice, frame by frame.
"""

# %%
# The same speaker says the same sentence twice, first angrily:

from skser.audio import Waveform
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(
    n_speakers=1, n_utterances_per_speaker=4, emotions=("anger", "sadness"), n_sentences=1,
    random_state=1,
)  # fmt: skip
rate = corpus.sampling_rate
anger, sadness = (
    Waveform(corpus.data[corpus.target == emotion][0], rate) for emotion in ("anger", "sadness")
)
anger

# %%
# Then sadly:

sadness

# %%
# ``features=`` chooses groups of columns. The layout of the result names them.

from skser.feature_extraction import FrameFeatures

X = FrameFeatures(("energy", "pitch")).transform([anger, sadness])
names = X.layout.feature_names
print(", ".join(names))

# %%
# Anger is higher and louder, and moves more. The pitch is drawn where the voice is louder than the
# room. Sudden jumps by 12 semitones are errors of the tracker: a rough, angry voice also repeats
# every two periods.

import matplotlib.pyplot as plt
import numpy as np

labels = {"F0": "pitch in semitones\nabove 27.5 Hz", "loudness": "loudness"}
figure, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
for ax, (name, label) in zip(axes, labels.items(), strict=True):
    for frames, emotion, color in zip(X, ("anger", "sadness"), ("C3", "C0"), strict=True):
        times = X.layout.offset + X.layout.hop * np.arange(len(frames))
        values = frames[:, names.index(name)].copy()
        if name == "F0":
            values[(values == 0) | (frames[:, names.index("loudness")] < 0.4)] = np.nan
        ax.plot(times, values, color=color, label=emotion)
    ax.set_ylabel(label)
axes[0].legend(loc="upper right", frameon=False)
axes[-1].set_xlabel("seconds")
