"""
Start from a network trained on another corpus
==============================================

With four labels per emotion, a network learns little from scratch. It learns more if its weights
come from another corpus.
"""

# %%
# The source has eight speakers. The target has six others, of whom three are in training and three
# are tested, in turn.

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals

source = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=15, random_state=1)
target = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=15, random_state=2)
frames = FrameFeatures(("energy", "pitch"), input_sampling_rate=source.sampling_rate)
features = make_pipeline(Functionals(frames), StandardScaler())
X_source = features.fit_transform(source.data)
X_target = features.transform(target.data)

# %%
# :class:`~skser.compose.TransferClassifier` copies the weights that fit and trains all of them
# further. With ``lr_multiplier`` below 1, the copied ones would change more slowly.

from skser.compose import TransferClassifier
from skser.neural_network import AdversarialAEClassifier

settings = {"batch_size": 8, "n_threads": 1, "device": "cpu", "random_state": 0}
fitted = AdversarialAEClassifier(max_epochs=20, **settings).fit(X_source, source.target)
network = AdversarialAEClassifier(max_epochs=10, **settings)
systems = {"from scratch": network, "transferred": TransferClassifier(network, source=fitted)}

# %%
# Both are trained on the same few utterances of each emotion and tested on other speakers. With so
# few, the decoder reconstructs little and warns; only the classes matter here. The distance between
# the two curves, read from left to right, is what the weights of the source save in labels.

import warnings

from sklearn.exceptions import ConvergenceWarning

from skser.evaluation import label_efficiency_curve
from skser.inspection import LabelEfficiencyDisplay

warnings.simplefilter("ignore", ConvergenceWarning)
curve = label_efficiency_curve(
    systems, X_target, target.target, groups=target.speakers, cv=2, n_labels=(2, 4, 8),
    n_repeats=2, random_state=0,
)  # fmt: skip
LabelEfficiencyDisplay.from_curve(curve)
