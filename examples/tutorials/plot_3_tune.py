"""
Tune without fooling yourself
=============================

Settings that were chosen on some speakers look better on these than on others. So the choice is
made inside each training fold, on speakers of its own, and judged on speakers that it never saw.
"""

# %%
# What may be chosen
# ------------------
#
# Any parameter of any step. The transformer's ``memory`` keeps each utterance's features: each is
# computed once per setting, however many folds ask for it.

import tempfile

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import MFCC, Functionals

corpus = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=20, expressiveness=0.7, random_state=0
)
cache = tempfile.TemporaryDirectory()
model = make_pipeline(
    Functionals(MFCC(n_mfcc=13, memory=cache.name, input_sampling_rate=corpus.sampling_rate)),
    StandardScaler(),
    LogisticRegression(max_iter=1000),
)
grid = {
    "functionals__transformer__deltas": [0, 1, 2],
    "logisticregression__C": [0.001, 0.01, 0.1, 1.0],
}

# %%
# Nested search
# -------------
#
# :func:`~skser.evaluation.cross_validate_speakers` hands the speakers to the search, whose
# ``cv=3`` becomes three speaker-disjoint folds. A search whose own splits share speakers is
# refused.

search = GridSearchCV(model, grid, cv=3, scoring="balanced_accuracy")
evaluation = cross_validate_speakers(search, corpus, cv=3)
print(evaluation.summary().round(3).to_string())

# %%
# What was chosen in each of the outer folds; if they disagree, the setting matters little or the
# corpus is small:

for fitted in evaluation.fold_results["fitted"]:
    print(fitted["best_params_"])

# %%
# The score that a search reports
# -------------------------------
#
# ``best_score_`` is the best of twelve on the speakers that chose it. The picture shows all of
# them, on all speakers, and the UAR of the nested search, which is the one to report.

import matplotlib.pyplot as plt

from skser.model_selection import StratifiedSpeakerKFold

search = GridSearchCV(model, grid, cv=StratifiedSpeakerKFold(3), scoring="balanced_accuracy")
search.fit(corpus.data, corpus.target, groups=corpus.speakers)
scores = search.cv_results_["mean_test_score"].reshape(3, 4)

figure, ax = plt.subplots(layout="constrained")
for deltas, row in zip(grid["functionals__transformer__deltas"], scores, strict=True):
    ax.semilogx(grid["logisticregression__C"], row, "o-", label=f"deltas={deltas}")
nested = evaluation.summary().loc["uar", "pooled"]
ax.axhline(nested, color="black", linestyle="--", label="nested search, unheard speakers")
ax.set(xlabel="C of the logistic regression", ylabel="UAR")
ax.legend()

# %%
# The model to use is then the search fitted on everything, ``search.best_estimator_``. Networks
# with ``early_stopping=True`` are given the speakers in the same way, so that the epoch is not
# chosen on a voice that was trained on. :doc:`/evaluation` says how to do all this with
# scikit-learn's own functions.

cache.cleanup()
