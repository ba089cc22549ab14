"""
Hear and measure what noise does
================================

A model that was trained in silence fails in noise, long before people do.
"""

# %%
# An utterance as recorded:

import functools

import numpy as np

from skser import augmentation
from skser.audio import Waveform
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=15, random_state=0)
rate = corpus.sampling_rate
speech = Waveform(corpus.data[1], rate)
speech

# %%
# In pink noise, 10 dB below the voice:

noise = functools.partial(augmentation.add_noise, snr=10, color="pink")
Waveform(noise(speech, rate, np.random.RandomState(0)), rate)

# %%
# As loud as the voice:

loud = functools.partial(augmentation.add_noise, snr=0, color="pink")
Waveform(loud(speech, rate, np.random.RandomState(0)), rate)

# %%
# Two models, one trained on clean recordings and one on noisy copies too, are tested on two
# new speakers.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.augmentation import Conditions
from skser.compose import AugmentedClassifier
from skser.evaluation import robustness_report
from skser.feature_extraction import FrameFeatures, Functionals

clean = make_pipeline(
    Functionals(FrameFeatures(input_sampling_rate=rate)),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
in_noise = AugmentedClassifier(
    clean, Conditions({"white": 0.5, "pink": 0.5}, snr=(-5, 20)), input_sampling_rate=rate,
    random_state=0,
)  # fmt: skip
training = ~np.isin(corpus.speakers, ["07", "08"])
test = corpus[~training]
levels = (20, 10, 5, 0)
noises = {
    ("pink noise", f"{snr} dB"): functools.partial(augmentation.add_noise, snr=snr, color="pink")
    for snr in levels
}
scores = {}
for name, model in {"trained on clean speech": clean, "trained in noise": in_noise}.items():
    model.fit(corpus.data[training], corpus.target[training])
    report = robustness_report(model, test, distortions=noises)
    scores[name] = 100 * report["score"].to_numpy()

# %%
# The first point is the recording without noise.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, values in scores.items():
    ax.plot(range(len(values)), values, "o-", label=name)
ax.set(xticks=range(5), xticklabels=["none", *levels], ylim=(0, 100))
ax.set(xlabel="level of the voice over the noise in dB", ylabel="UAR in %")
ax.legend(frameon=False)
