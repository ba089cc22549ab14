"""
Learn from recordings without labels
====================================

An adversarial autoencoder reconstructs every recording, and classifies those with labels. Unlabeled
recordings show it how voices vary.
"""

# %%
# Mark utterances without a label with a class of their own, here all but three of each emotion.

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals
from skser.neural_network import AdversarialAEClassifier

corpus = make_emotional_speech(
    n_speakers=8, n_utterances_per_speaker=15, emotions=("neutral", "anger", "sadness"),
    random_state=0,
)  # fmt: skip
is_test = np.isin(corpus.speakers, ["07", "08"])
X, y = corpus.data[~is_test], corpus.target[~is_test].astype(object)
random = np.random.RandomState(0)
labeled = np.concatenate(
    [random.choice(np.flatnonzero(y == emotion), 3, replace=False) for emotion in np.unique(y)]
)
partly = np.full(len(y), "unlabeled", dtype=object)
partly[labeled] = y[labeled]

# %%
# Train on everything, and map new speakers to the two parts of the latent space: the emotion, and
# the style in which it is spoken.

from skser.inspection import LatentSpaceDisplay

network = AdversarialAEClassifier(
    unlabeled="unlabeled", max_epochs=40, batch_size=16, n_threads=1, device="cpu", random_state=0
)
model = make_pipeline(
    Functionals(FrameFeatures(("energy", "pitch"), input_sampling_rate=corpus.sampling_rate)),
    StandardScaler(),
    network,
)
only_labeled = clone(model).fit(X[labeled], y[labeled])
model.fit(X, partly)
for name, fitted in {"labeled": only_labeled, "all": model}.items():
    share = np.mean(fitted.predict(corpus.data[is_test]) == corpus.target[is_test])
    print(f"trained on {name} recordings: {share:.0%} of the utterances of new speakers are right")

# %%
# Made-up voices vary little, so that nine labels are enough and the unlabeled recordings do not
# help. :doc:`/adversarial_ae` measures when they do, on real speech.

vectors = model[:-1].transform(corpus.data[is_test])
LatentSpaceDisplay.from_estimator(model[-1], vectors, corpus.target[is_test])
