"""
Compute features once
=====================

A search fits the same features again and again. With ``memory=``, those of each utterance are
computed once for every setting, in all folds and processes.
"""

# %%
# The folder keeps the features. Its key is the content of the recording and every parameter that
# matters, so a renamed file is found and a changed parameter is noticed.

import tempfile

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals

folder = tempfile.TemporaryDirectory()
corpus = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=10, random_state=0)
rate = corpus.sampling_rate

# %%
# The same cross-validation, three times with the cache and three times without:

import time

from sklearn.model_selection import cross_val_score

from skser.model_selection import StratifiedSpeakerKFold

seconds = {}
for name, memory in {"without memory": None, "with memory": folder.name}.items():
    frames = FrameFeatures(input_sampling_rate=rate, memory=memory)
    model = make_pipeline(
        Functionals(frames, ("moments",)),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=1000),
    )
    given = {"groups": corpus.speakers, "cv": StratifiedSpeakerKFold(3)}
    seconds[name] = []
    for _ in range(3):
        begin = time.perf_counter()
        cross_val_score(model, corpus.data, corpus.target, **given)
        seconds[name].append(time.perf_counter() - begin)

# %%
# The first run with memory computes each utterance once rather than in every fold, the others none.

import matplotlib.pyplot as plt
import numpy as np

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for i, (name, values) in enumerate(seconds.items()):
    ax.bar(np.arange(3) + 0.4 * i, values, 0.4, label=name)
ax.set(xticks=[0.2, 1.2, 2.2], xticklabels=["first", "second", "third"], ylabel="seconds")
ax.set_xlabel("cross-validation")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
folder.cleanup()
