"""
Train on one corpus and test on another
=======================================

Corpora differ in language, microphone and the names of emotions. A score on a foreign corpus says
more about new recordings than one on the same.
"""

# %%
# Two made-up corpora. The second has a dull microphone and other names of emotions.

import numpy as np

from skser.augmentation import tilt_spectrum
from skser.datasets import SpeechCorpus, concatenate_corpora, make_emotional_speech

first = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=15, random_state=0)
second = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=15, random_state=1)
first.name = "studio"
random = np.random.RandomState(0)
dull = [tilt_spectrum(x, 16000, random, slope=-4) for x in second.data]
second = SpeechCorpus(
    second.frame.assign(audio=dull), "field", {}, dimension_range=(-1, 1), sampling_rate=16000
)
second = second.relabel({name: name[:4].title() for name in second.target_names})
second.target_names

# %%
# ``relabel`` maps the names back, and ``concatenate_corpora`` joins both. (Corpora with a loader
# need no mapping: ``harmonize()`` knows their names.)

second = second.relabel(dict(zip(second.target_names, first.target_names, strict=True)))
both = concatenate_corpora([first, second])
both

# %%
# Each corpus is the test of a model that was trained on the other, as it is and with each corpus
# standardized on its own, which needs no labels.

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.compose import adapt
from skser.feature_extraction import MFCC, Functionals

vectors = Functionals(MFCC(n_mfcc=13, input_sampling_rate=16000)).fit_transform(both.data)
is_first = np.arange(len(both)) < len(first)
scores = {"as trained": [], "adapted": []}
for training in (is_first, ~is_first):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    model.fit(vectors[training], both.target[training])
    X, y = vectors[~training], both.target[~training]
    scores["as trained"].append(100 * balanced_accuracy_score(y, model.predict(X)))
    scores["adapted"].append(100 * balanced_accuracy_score(y, adapt(model, X).predict(X)))

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for i, (name, values) in enumerate(scores.items()):
    ax.bar(np.arange(2) + 0.4 * i, values, 0.4, label=name)
ax.axhline(20, color="0.4", linestyle="--")
ax.set(xticks=[0.2, 1.2], xticklabels=["studio to field", "field to studio"], ylabel="UAR in %")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
