"""
See what shared speakers do to a score
======================================

If the same voices are in training and test, a model may recognize who speaks rather than how. The
score then promises too much.
"""

# %%
# In this corpus, every speaker mostly portrays one emotion, as happens in spontaneous speech.

import numpy as np

from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(
    n_speakers=9, n_utterances_per_speaker=24, emotions=("neutral", "anger", "sadness"),
    expressiveness=0.2, random_state=0,
)  # fmt: skip
names = np.array(corpus.target_names)
own = names[np.unique(corpus.speakers, return_inverse=True)[1] % len(names)]
kept = (corpus.target == own) | (np.random.RandomState(0).rand(len(corpus)) < 0.1)
corpus = corpus[kept]
corpus.counts()

# %%
# The same model is tested on shuffled folds and on folds of speakers.

import matplotlib.pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score

from skser.feature_extraction import MFCC, Functionals
from skser.model_selection import StratifiedSpeakerKFold

frames = MFCC(input_sampling_rate=corpus.sampling_rate)
vectors = Functionals(frames).fit_transform(corpus.data)
model = RandomForestClassifier(200, random_state=0)
shuffled = StratifiedKFold(3, shuffle=True, random_state=0)
given = {"X": vectors, "y": corpus.target, "scoring": "balanced_accuracy"}
scores = {
    "shuffled": 100 * cross_val_score(model, **given, cv=shuffled),
    "new speakers": 100
    * cross_val_score(model, **given, cv=StratifiedSpeakerKFold(3), groups=corpus.speakers),
}
figure, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
ax.bar(list(scores), [values.mean() for values in scores.values()], color=["C3", "C0"])
ax.axhline(100 / 3, color="0.2", linestyle="--")
ax.text(1.45, 35, "chance", ha="right", color="0.2")
ax.set(ylabel="UAR in %", ylim=(0, 100))

# %%
# :func:`~skser.evaluation.leakage_report` finds such splits, and shared sentences and copies of
# recordings too. :doc:`/shared_speakers` measures the difference on real corpora.

from skser.evaluation import leakage_report

print(leakage_report(corpus, shuffled))
