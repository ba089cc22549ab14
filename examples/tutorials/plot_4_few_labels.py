"""
Learn from few labels
=====================

Labels are expensive. A network that starts from weights trained on other speech needs fewer of
them. This tutorial transfers weights from a corpus of other speakers and measures how many labels
this saves.
"""

# %%
# Train on a corpus with many labels
# ----------------------------------
#
# The source corpus has eight synthetic speakers. The network is trained on sentence-level vectors
# of pitch and energy, standardized on the source corpus, which is fast.

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
# Transfer to a corpus with few labels
# ------------------------------------
#
# The target corpus has other speakers. Both networks have the same architecture and number of
# epochs. One starts from random weights, the other from those of the source. (The classes of the
# source may differ.)

from skser.compose import TransferClassifier

target = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=25, random_state=2)
network = AdversarialAEClassifier(max_epochs=10, **settings)
systems = {"from scratch": network, "transferred": TransferClassifier(network, source=fitted)}

# %%
# Measure the label efficiency
# ----------------------------
#
# :func:`~skser.evaluation.label_efficiency_curve` trains both networks on the same few utterances
# of each class, from speakers outside the test fold. With so few, the decoder reconstructs little
# and warns; only the classes matter here.

import warnings

from sklearn.exceptions import ConvergenceWarning

from skser.evaluation import label_efficiency_curve

warnings.simplefilter("ignore", ConvergenceWarning)

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
# Plot the mean scores over the draws of the labels:

from skser.inspection import LabelEfficiencyDisplay

LabelEfficiencyDisplay.from_curve(curve)

# %%
# The table shows how many times as many labels the network from scratch needs to reach the same
# score, with a confidence interval over speakers. ``inf`` means that all labels are not enough.

curve.multiples("transferred", "from scratch", n_bootstrap=50).round(1)

# %%
# Use a pretrained encoder
# ------------------------
#
# On real speech, the largest gains come from encoders trained on hundreds of thousands of hours of
# speech. :class:`~skser.feature_extraction.SpeechEmbedding` makes such an encoder a step of a
# pipeline. It needs the extra ``embeddings``. These lower layers of Whisper come with the package;
# other encoders, such as ``"openai/whisper-small"``, are downloaded when the pipeline is fitted.

from sklearn.linear_model import LogisticRegression

from skser.feature_extraction import SpeechEmbedding

model = make_pipeline(
    SpeechEmbedding("whisper-tiny-lower", layers=2, memory="cache"),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
model

# %%
# For measurements, see :doc:`/self_supervised`. For networks that start from another corpus or
# another task, see :doc:`/staged_transfer`.
