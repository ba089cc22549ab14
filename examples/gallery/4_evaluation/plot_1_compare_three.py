"""
Compare three systems
=====================

With few speakers, a difference of several points may be chance. Paired statistics over speakers say
how sure it is.
"""

# %%
# Three classifiers on the same features, which are computed once and kept in a folder.

import tempfile

from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals

memory = tempfile.TemporaryDirectory()
corpus = make_emotional_speech(
    n_speakers=8, n_utterances_per_speaker=15, expressiveness=0.5, random_state=0
)
frames = FrameFeatures(("energy", "pitch"), input_sampling_rate=16000, memory=memory.name)
features = Functionals(frames)
classifiers = {
    "logistic regression": LogisticRegression(C=0.01, max_iter=1000),
    "random forest": RandomForestClassifier(100, random_state=0),
    "naive Bayes": GaussianNB(),
}

# %%
# :func:`~skser.evaluation.cross_validate_speakers` keeps speakers apart.

from skser.evaluation import compare, cross_validate_speakers

evaluations = {
    name: cross_validate_speakers(make_pipeline(features, StandardScaler(), model), corpus, cv=4)
    for name, model in classifiers.items()
}
comparison = compare(evaluations)
print(comparison)

# %%
# The p-values of all pairs are corrected for their number with Holm's method. The differences, with
# 95 % intervals over speakers:

from skser.inspection import ComparisonDisplay

display = ComparisonDisplay.from_comparison(comparison, kind="differences")
_ = display.ax_.set_xlabel("difference in UAR, 95 % interval")

# %%
# In a shell, ``skser evaluate --predictions a.csv`` writes the predictions of a system and
# ``skser compare a.csv b.csv c.csv`` prints this table.

memory.cleanup()
