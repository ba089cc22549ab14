"""
Refuse what a model cannot judge
================================

A classifier has an answer to everything, also to silence, music and other languages.
:class:`~skser.compose.RejectingClassifier` learns from held-out speakers when to give none.
"""

# %%
# The wrapped pipeline may be any classifier of audio. ``coverage=0.8`` asks for a label for four of
# five utterances like those of the training.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.compose import RejectingClassifier
from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals

corpus = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=15, random_state=0)
rate = corpus.sampling_rate
model = RejectingClassifier(
    make_pipeline(
        Functionals(FrameFeatures(("energy", "pitch", "spectral"), input_sampling_rate=rate)),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=1000),
    ),
    coverage=0.8, cv=4,
)  # fmt: skip
known = corpus.speakers < "07"
model.fit(corpus.data[known], corpus.target[known], groups=corpus.speakers[known])
print(
    f"{model.coverage_:.0%} of the held-out utterances get a label, {model.risk_:.0%} of them wrong"
)

# %%
# New speakers as they are, over a telephone, and a hum. These two speakers are easier than the
# held-out ones, so that more of their utterances get a label.

import numpy as np
import pandas as pd

from skser.augmentation import telephone

random = np.random.RandomState(0)
speech = list(corpus.data[~known])
hum = 0.3 * np.sin(2 * np.pi * 50 * np.arange(rate) / rate)
inputs = {
    "new speakers": speech,
    "over a telephone": [telephone(samples, rate, random) for samples in speech],
    "a hum": [hum.astype("float32")] * 5,
}
shares = pd.DataFrame(
    {
        name: pd.Series(model.judge(given)["reasons"]).replace("", "label").value_counts(True)
        for name, given in inputs.items()
    }
).fillna(0)
axes = shares.T[::-1].plot.barh(
    stacked=True, figsize=(7, 3), xlabel="share of the utterances", colormap="viridis"
)
axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
axes.figure.set_layout_engine("constrained")

# %%
# ``detect_speech=False`` leaves out the check for speech; the hum is then unlike training.
