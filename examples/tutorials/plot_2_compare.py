"""
Compare systems honestly
========================

Is this model better than that one? Not before speakers are held apart, both have had the same
folds, and the difference is larger than what another set of speakers would have made.
"""

# %%
# A split that leaks
# ------------------
#
# A shuffled split has every speaker on both sides. :func:`~skser.evaluation.leakage_report`
# says so, and looks for shared sentences and for copies of recordings, too.

from sklearn.model_selection import StratifiedKFold

from skser.datasets import make_emotional_speech
from skser.evaluation import leakage_report
from skser.model_selection import StratifiedSpeakerKFold

corpus = make_emotional_speech(n_speakers=8, n_utterances_per_speaker=20, random_state=0)
shuffled = StratifiedKFold(4, shuffle=True, random_state=0)
print(leakage_report(corpus, shuffled))

# %%
# Speakers held apart:

print(leakage_report(corpus, StratifiedSpeakerKFold(4)))

# %%
# (Sentences are shared still. Where that is not wanted, ``sentences=True`` of
# :func:`~skser.evaluation.cross_validate_speakers` holds them apart as well.)
#
# Two systems
# -----------
#
# Both have their features inside, so that nothing is fitted outside the training folds.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.feature_extraction import MFCC, FrameFeatures, Functionals


def system(frames):
    """Statistics of frames over each utterance, and a linear model."""
    return make_pipeline(
        Functionals(frames), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)
    )


rate = corpus.sampling_rate
systems = {
    "cepstra": system(MFCC(input_sampling_rate=rate)),
    "voice": system(FrameFeatures(("energy", "pitch"), input_sampling_rate=rate)),
}

# %%
# The same folds for both:

from skser.evaluation import cross_validate_speakers

cv = StratifiedSpeakerKFold(4)
found = {name: cross_validate_speakers(model, corpus, cv=cv) for name, model in systems.items()}
for name, evaluation in found.items():
    print(f"{name}\n{evaluation.summary().round(3).to_string()}\n")

# %%
# Is the difference real?
# -----------------------
#
# Eight speakers might have been eight others. :func:`~skser.evaluation.jackknife_by_speaker` draws
# speakers again and again and says within which interval the difference stays.

from skser.evaluation import jackknife_by_speaker

voice, cepstra = found["voice"], found["cepstra"]
speakers = voice.predictions["speaker"]
comparison = jackknife_by_speaker(voice.y_true, voice.y_pred, cepstra.y_pred, speakers)
print(
    f"difference of UAR {comparison.difference:+.3f}, "
    f"with other speakers {comparison.low:+.3f} to {comparison.high:+.3f}"
)

# %%
# For whom?
# ---------
#
# A mean hides whom a model fails. Recalls by speaker and emotion:

from skser.inspection import CalibrationDisplay, SpeakerRecallDisplay

SpeakerRecallDisplay.from_predictions(voice.y_true, voice.y_pred, speakers=speakers)

# %%
# And whether its probabilities can be believed: of what it calls 80 % sure, 80 % should be right.

CalibrationDisplay.from_predictions(voice.y_true, voice.y_proba, labels=voice.labels, n_bins=8)

# %%
# One file for a reviewer
# -----------------------
#
# :class:`~skser.evaluation.EvaluationReport` puts scores, pictures, the leakage report and players
# for the surest errors into one HTML file that needs no network.

import tempfile
from pathlib import Path

from skser.evaluation import EvaluationReport

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "report.html"
    EvaluationReport(voice, corpus, n_errors=2).save(path)
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
