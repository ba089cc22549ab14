"""
Few labels
==========

Labels are dear. A network that has learned on other speech needs fewer of them; here it is a
corpus of other speakers. How many fewer is measured, not guessed.
"""

# %%
# A corpus with many labels
# -------------------------
#
# The source: eight made-up speakers. Sentence-level vectors of pitch and energy, scaled by the
# source, are quick to learn from.

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals
from skser.neural_network import AdversarialAEClassifier

source = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=20, random_state=1)
frames = FrameFeatures(("energy", "pitch"), input_sampling_rate=source.sampling_rate)
features = make_pipeline(Functionals(frames), StandardScaler())
settings = {"batch_size": 8, "n_threads": 1, "random_state": 0}
fitted = AdversarialAEClassifier(max_epochs=20, **settings)
fitted.fit(features.fit_transform(source.data), source.target)

# %%
# A corpus with few
# -----------------
#
# Other speakers. Both networks are the same and train for as long; one starts from random weights,
# the other from those of the source. (Its classes need not be the same.)

from skser.compose import TransferClassifier

target = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=25, random_state=2)
network = AdversarialAEClassifier(max_epochs=10, **settings)
systems = {"from scratch": network, "transferred": TransferClassifier(network, source=fitted)}

# %%
# How many labels
# ---------------
#
# :func:`~skser.evaluation.label_efficiency_curve` trains both on the same few utterances of
# each class, of speakers that are not in the test fold.

from skser.evaluation import label_efficiency_curve

curve = label_efficiency_curve(
    systems,
    features.transform(target.data),
    target.target,
    groups=target.speakers,
    cv=2,
    n_labels=(1, 2, 4, 8, "all"),
    n_repeats=3,
    random_state=0,
)

# %%
# Means over draws of the labels:

from skser.inspection import LabelEfficiencyDisplay

LabelEfficiencyDisplay.from_curve(curve)

# %%
# With how many times as many labels does the network from scratch catch up, and within which
# interval, had other speakers been recorded? ``inf``: not with all that there are.

curve.multiples("transferred", "from scratch", n_bootstrap=50).round(1)

# %%
# A pretrained encoder
# --------------------
#
# On real speech the largest gains come from encoders that have heard hundreds of thousands of
# hours. :class:`~skser.feature_extraction.SpeechEmbedding` makes one a step of a pipeline. It
# needs the extra ``embeddings``, and when it is fitted a download of the encoder, which this page
# does without:

from sklearn.linear_model import LogisticRegression

from skser.feature_extraction import SpeechEmbedding

model = make_pipeline(
    SpeechEmbedding("openai/whisper-tiny", layers=2, memory="cache"),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
model

# %%
# What that gains was measured; see :doc:`/self_supervised`, and :doc:`/staged_transfer` for
# networks that start from another corpus or another task.
