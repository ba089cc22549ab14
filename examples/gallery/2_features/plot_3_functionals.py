"""
Find the features that tell emotions apart
==========================================

Statistics of the frames of each utterance, such as the mean pitch, are ordinary columns with names.
scikit-learn's tools for tables work on them.
"""

# %%
# ``set_output(transform="pandas")`` gives a table with one row per utterance. Speakers differ in
# pitch, so :class:`~skser.preprocessing.SpeakerScaler` standardizes the values of each speaker.

from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals
from skser.preprocessing import SpeakerScaler

corpus = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=10, random_state=0)
features = SpeakerScaler(Functionals(FrameFeatures(input_sampling_rate=corpus.sampling_rate)))
table = features.set_output(transform="pandas").fit_transform(corpus.frame)
table.iloc[:3, :5].round(2)

# %%
# The F statistic of an analysis of variance compares the spread between emotions with the spread
# within them.

import pandas as pd
from sklearn.feature_selection import f_classif

varying = table.loc[:, table.std() > 0]
found = pd.Series(f_classif(varying, corpus.target)[0], index=varying.columns)
best = found.sort_values(ascending=False).index[:4]

# %%
# These four tell the made-up emotions apart best:

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 4, figsize=(11, 3.5), layout="constrained")
for ax, name in zip(axes, best, strict=True):
    groups = [table.loc[corpus.target == emotion, name] for emotion in corpus.target_names]
    ax.boxplot(groups, tick_labels=corpus.target_names)
    ax.tick_params("x", rotation=60)
    ax.set_title(name, fontsize=9)
_ = axes[0].set_ylabel("relative to the speaker, in SD")
