"""
Tune hyperparameters with nested cross-validation
=================================================

Hyperparameters look better on the speakers they were chosen on than on others. Therefore, choose
them within each training fold, on speaker-disjoint inner folds, and score the result on new
speakers.
"""

# %%
# Define a model and a grid
# -------------------------
#
# A search can cover any parameter of any step. The transformer's ``memory`` caches the features of
# each utterance, so they are computed only once per setting, however many folds use them.

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
# Run a nested search
# -------------------
#
# :func:`~skser.evaluation.cross_validate_speakers` passes the speakers to the search, whose
# ``cv=3`` becomes three speaker-disjoint folds. It raises an error if the search's own splits share
# speakers.

search = GridSearchCV(model, grid, cv=3, scoring="balanced_accuracy")
evaluation = cross_validate_speakers(search, corpus, cv=3)
print(evaluation.summary().round(3).to_string())

# %%
# Print the settings chosen in each outer fold. If they differ, the settings matter little or the
# corpus is small:

for fitted in evaluation.fold_results["fitted"]:
    print(fitted["best_params_"])

# %%
# Choose the score to report
# --------------------------
#
# ``best_score_`` is the best of twelve scores, measured on the speakers used to choose it. The plot
# shows all twelve, and the UAR of the nested search, which is the score to report.

import matplotlib.pyplot as plt

from skser.model_selection import StratifiedSpeakerKFold

search = GridSearchCV(model, grid, cv=StratifiedSpeakerKFold(3), scoring="balanced_accuracy")
search.fit(corpus.data, corpus.target, groups=corpus.speakers)
scores = search.cv_results_["mean_test_score"].reshape(3, 4)

figure, ax = plt.subplots(layout="constrained")
for deltas, row in zip(grid["functionals__transformer__deltas"], scores, strict=True):
    ax.semilogx(grid["logisticregression__C"], row, "o-", label=f"deltas={deltas}")
nested = evaluation.summary().loc["uar", "pooled"]
ax.axhline(nested, color="black", linestyle="--", label="nested search, new speakers")
ax.set(xlabel="C of the logistic regression", ylabel="UAR")
ax.legend()

# %%
# The model to use is then ``search.best_estimator_``, from the search fitted on all data. Networks
# with ``early_stopping=True`` receive the speakers in the same way, so that the best epoch is not
# chosen on voices from the training data. :doc:`/evaluation` explains how to do all this with
# scikit-learn's own functions.

cache.cleanup()
