"""
Compare systems fairly
======================

To show that one model is better than another, evaluate both on the same speaker-disjoint folds,
and check that the difference is larger than the variation between speakers.
"""

# %%
# Detect leakage
# --------------
#
# A shuffled split puts every speaker on both sides. :func:`~skser.evaluation.leakage_report`
# reports this, and also looks for shared sentences and for copies of recordings.

from sklearn.model_selection import StratifiedKFold

from skser.datasets import make_emotional_speech
from skser.evaluation import leakage_report
from skser.model_selection import StratifiedSpeakerKFold

corpus = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=20, random_state=0)
shuffled = StratifiedKFold(4, shuffle=True, random_state=0)
print(leakage_report(corpus, shuffled))

# %%
# The same report for a speaker-disjoint split:

print(leakage_report(corpus, StratifiedSpeakerKFold(4)))

# %%
# (Sentences are still shared. To separate them as well, pass ``sentences=True`` to
# :func:`~skser.evaluation.cross_validate_speakers`.)
#
# Define two systems
# ------------------
#
# Both systems include their features, so nothing is fitted outside the training folds.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.feature_extraction import MFCC, FrameFeatures, Functionals


def system(frames):
    """Return a linear model on statistics of the frames of each utterance."""
    return make_pipeline(
        Functionals(frames), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)
    )


rate = corpus.sampling_rate
systems = {
    "cepstra": system(MFCC(input_sampling_rate=rate)),
    "voice": system(FrameFeatures(("energy", "pitch"), input_sampling_rate=rate)),
}

# %%
# Evaluate both on the same folds:

from skser.evaluation import cross_validate_speakers

cv = StratifiedSpeakerKFold(4)
found = {name: cross_validate_speakers(model, corpus, cv=cv) for name, model in systems.items()}
for name, evaluation in found.items():
    print(f"{name}\n{evaluation.summary().round(3).to_string()}\n")

# %%
# Test the difference
# -------------------
#
# With eight other speakers, the difference would not be the same. :func:`~skser.evaluation.compare`
# leaves out one speaker after the other, and returns confidence intervals for the scores and for
# their difference.

from skser.evaluation import compare
from skser.inspection import ComparisonDisplay

comparison = compare(found)
print(comparison)

# %%
# The dots show the score of each speaker:

ComparisonDisplay.from_comparison(comparison)

# %%
# Compare speakers
# ----------------
#
# A mean can hide speakers on whom a model performs badly. This plot shows the UAR of each speaker:

from skser.inspection import CalibrationDisplay, SpeakerRecallDisplay

voice = found["voice"]
speakers = voice.predictions["speaker"]
SpeakerRecallDisplay.from_predictions(voice.y_true, voice.y_pred, speakers=speakers)

# %%
# The next plot shows the calibration of the probabilities. Of all predictions with a probability of
# 80 %, 80 % should be correct.

CalibrationDisplay.from_predictions(voice.y_true, voice.y_proba, labels=voice.labels, n_bins=8)

# %%
# Write a report
# --------------
#
# :class:`~skser.evaluation.EvaluationReport` collects scores, plots, the leakage report and audio
# players for the most confident errors in one HTML file, which works without a network connection.

import tempfile
from pathlib import Path

from skser.evaluation import EvaluationReport

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "report.html"
    EvaluationReport(voice, corpus, n_errors=2).save(path)
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
