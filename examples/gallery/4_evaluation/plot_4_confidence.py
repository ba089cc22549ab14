"""
Check whether probabilities can be trusted
==========================================

Of all predictions with a probability of 80 %, 80 % should be right. And if the unsure ones are left
out, errors should become rarer.
"""

# %%
# An evaluation keeps the probabilities of every utterance, from the fold in which it was tested.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import FrameFeatures, Functionals

corpus = make_emotional_speech(
    n_speakers=8, n_utterances_per_speaker=20, expressiveness=0.7, random_state=0
)
frames = FrameFeatures(("energy", "pitch"), input_sampling_rate=corpus.sampling_rate)
model = make_pipeline(
    Functionals(frames), StandardScaler(), LogisticRegression(C=1.0, max_iter=1000)
)
found = cross_validate_speakers(model, corpus, cv=4)

# %%
# A curve below the diagonal belongs to a model that is too sure of itself.

import matplotlib.pyplot as plt

from skser.inspection import CalibrationDisplay, RiskCoverageDisplay

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
given = {"labels": found.labels}
CalibrationDisplay.from_predictions(found.y_true, found.y_proba, **given, n_bins=6, ax=left)
RiskCoverageDisplay.from_predictions(found.y_true, found.y_proba, **given, ax=right)

# %%
# In numbers: the error of calibration; the area under the second curve, which is the mean error
# rate over all shares; and the error rate of all predictions and of the surer half.

import numpy as np

from skser.metrics import area_under_risk_coverage, expected_calibration_error

wrong = found.y_true != found.y_pred
surer = np.argsort(-found.y_proba.max(axis=1))[: len(wrong) // 2]
print(f"calibration error {expected_calibration_error(found.y_true, found.y_proba, **given):.3f}")
print(f"area {area_under_risk_coverage(found.y_true, found.y_proba, **given):.3f}")
print(f"errors: {wrong.mean():.3f} of all, {wrong[surer].mean():.3f} of the surer half")
