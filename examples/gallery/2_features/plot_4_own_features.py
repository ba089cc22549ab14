"""
Use own features beside audio
=============================

A table may hold more than audio: the answer of a questionnaire, the duration of a call, an
embedding of the transcript. scikit-learn's ``ColumnTransformer`` joins them.
"""

# %%
# The column ``effort`` is such a rating, from 1 to 5. Here it follows the activation of the
# speaker, with some noise.

import numpy as np

from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(
    n_speakers=8, n_utterances_per_speaker=10, expressiveness=0.8, random_state=0
)
table = corpus.frame[["audio"]].copy()
random = np.random.RandomState(0)
effort = 3 + 2 * corpus.activation + random.normal(0, 0.4, len(corpus))
table["effort"] = effort.round().clip(1, 5)
table["effort"].head(3)

# %%
# The first part reads the column ``audio``, the second standardizes ``effort``. A single column is
# easily lost among a hundred others, so it gets a weight.

from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.feature_extraction import MFCC, Functionals

voice = Functionals(MFCC(n_mfcc=13, input_sampling_rate=corpus.sampling_rate))
audio = ("audio", make_pipeline(voice, StandardScaler()), ["audio"])
effort = ("effort", StandardScaler(), ["effort"])
parts = {"audio": [audio], "effort": [effort], "both": [audio, effort]}
models = {
    name: make_pipeline(
        ColumnTransformer(part, transformer_weights={"audio": 1, "effort": 5}),
        LogisticRegression(C=0.05, max_iter=1000),
    )
    for name, part in parts.items()
}
models["both"]

# %%
# Every model is tested on speakers that it has not heard:

import matplotlib.pyplot as plt
from sklearn.model_selection import cross_val_score

from skser.model_selection import StratifiedSpeakerKFold

scores = {
    name: cross_val_score(
        model, table, corpus.target, groups=corpus.speakers, cv=StratifiedSpeakerKFold(4),
        scoring="balanced_accuracy",
    )
    for name, model in models.items()
}  # fmt: skip
figure, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
for i, values in enumerate(scores.values()):
    ax.bar(i, 100 * values.mean(), color="C0", alpha=0.4)
    ax.plot([i] * len(values), 100 * values, "o", color="C0")
ax.set(xticks=range(3), xticklabels=list(scores), ylabel="UAR in %, a dot per fold", ylim=(0, 100))
