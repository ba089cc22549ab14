"""
Choose what to label next
=========================

Labels cost time. To label first what the model is least sure of sounds plausible. A simulation with
known labels shows whether it helps.
"""

# %%
# The features need no labels, so they are computed once.

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals

corpus = make_emotional_speech(
    n_speakers=10, n_utterances_per_speaker=15, expressiveness=0.6, random_state=0
)
frames = FrameFeatures(("energy", "pitch", "spectral"), input_sampling_rate=16000)
features = Functionals(frames)
X, y = features.fit_transform(corpus.data), corpus.target
is_test = np.isin(corpus.speakers, ["08", "09", "10"])
pool = np.flatnonzero(~is_test)


def scores(chooses_unsure, seed):
    """Label ten utterances at a time, and return the score on new speakers after each step."""
    random = np.random.RandomState(seed)
    labeled = [random.choice(pool[y[pool] == emotion]) for emotion in np.unique(y)]
    found = []
    for _ in range(6):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        model.fit(X[labeled], y[labeled])
        found.append(100 * balanced_accuracy_score(y[is_test], model.predict(X[is_test])))
        rest = np.setdiff1d(pool, labeled)
        order = random.permutation(len(rest))
        if chooses_unsure:
            two = np.sort(model.predict_proba(X[rest]), axis=1)[:, -2:]
            # First those whose likeliest emotion leads the second by the least.
            order = np.argsort(two[:, 1] - two[:, 0])
        labeled += rest[order[:10]].tolist()
    return found


# %%
# The mean over five draws of the first labels, and the range. On this corpus, unsure utterances
# bring no more than random ones. Try it on a part of your recordings before you rely on it.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, chooses_unsure in (("at random", False), ("least sure first", True)):
    runs = np.array([scores(chooses_unsure, seed) for seed in range(5)])
    n_labels = 5 + 10 * np.arange(runs.shape[1])
    ax.plot(n_labels, runs.mean(axis=0), "o-", label=name)
    ax.fill_between(n_labels, runs.min(axis=0), runs.max(axis=0), alpha=0.15)
ax.set(xlabel="labeled utterances", ylabel="UAR on new speakers in %", ylim=(0, 100))
ax.legend(frameon=False, loc="lower right")
