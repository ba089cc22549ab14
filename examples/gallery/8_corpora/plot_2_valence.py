"""
Follow valence and activation over time
=======================================

Dimensions say more than classes: how pleasant, and how excited. A regressor predicts both, also
window by window.
"""

# %%
# Made-up speech has both between -1 and 1. A ridge regression predicts both at once. The features
# are replaced by their ranks among the training utterances, so that no extreme value leads it
# astray.

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals

corpus = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=15, random_state=0)
rate = corpus.sampling_rate
model = make_pipeline(
    Functionals(FrameFeatures(input_sampling_rate=rate)),
    QuantileTransformer(n_quantiles=20),
    RidgeCV(np.logspace(0, 4, 9)),
)

# %%
# The concordance (CCC) on new speakers is 1 for perfect predictions. Activation is easier to hear
# than valence, as in real speech.

from skser.evaluation import cross_validate_speakers

found = cross_validate_speakers(model, corpus, target=["valence", "activation"], cv=4)
print(found.summary()["pooled"][["ccc_valence", "ccc_activation"]].round(2).to_string())

# %%
# A recording of a new speaker, first sad, then happy, then angry:

from skser.audio import Waveform

new = corpus.speakers == "08"
model.fit(corpus.data[~new], np.column_stack([corpus.valence, corpus.activation])[~new])
spoken = [
    samples
    for emotion in ("sadness", "happiness", "anger")
    for samples in corpus.data[new & (corpus.target == emotion)]
]
recording = Waveform(np.concatenate(spoken), rate)
recording

# %%
# The path of the voice through time, and through the plane of both dimensions:

import matplotlib.pyplot as plt

from skser.inspection import emotion_timeline

timeline = emotion_timeline(model, recording, window=2.0, hop=0.5, names=["valence", "activation"])
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
middle = (timeline["start"] + timeline["end"]) / 2
left.plot(middle, timeline["valence"], label="valence")
left.plot(middle, timeline["activation"], label="activation")
left.axhline(0, color="0.8")
left.set(xlabel="seconds")
left.legend(frameon=False)
points = right.scatter(timeline["valence"], timeline["activation"], c=middle, cmap="viridis")
right.set(xlabel="valence", ylabel="activation", aspect="equal")
right.locator_params(nbins=5)
figure.colorbar(points, ax=right, label="seconds")
