"""
Search with optuna
==================

A pipeline is an estimator like any other, so every search works on it. The score of each trial is
that of new speakers. It needs optuna.
"""

# %%
# Features are cached, since only the classifier and the choice of statistics change.

import tempfile

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals

folder = tempfile.TemporaryDirectory()
corpus = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=15, expressiveness=0.8, random_state=0
)
frames = FrameFeatures(("energy", "pitch"), input_sampling_rate=16000, memory=folder.name)
model = make_pipeline(Functionals(frames), StandardScaler(), LogisticRegression(max_iter=2000))

# %%
# One speaker-disjoint cross-validation per trial:

import optuna
from sklearn.model_selection import cross_val_score

from skser.model_selection import StratifiedSpeakerKFold


def objective(trial):
    """Return the mean UAR over folds of a draw of the parameters."""
    statistics = trial.suggest_categorical("statistics", ["moments", "moments percentiles"])
    model.set_params(
        functionals__statistics=tuple(statistics.split()),
        logisticregression__C=trial.suggest_float("C", 1e-4, 10, log=True),
    )
    return cross_val_score(
        model, corpus.data, corpus.target, groups=corpus.speakers, cv=StratifiedSpeakerKFold(3),
        scoring="balanced_accuracy", error_score="raise",
    ).mean()  # fmt: skip


optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=15)
study.best_params

# %%
# Every trial as a dot. The best one was chosen on these speakers, so its score is too high for
# others: put the search inside an evaluation, as in the tutorial on tuning, to report one.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for kind in ("moments", "moments percentiles"):
    trials = [trial for trial in study.trials if trial.params["statistics"] == kind]
    strengths = [trial.params["C"] for trial in trials]
    ax.plot(strengths, [100 * trial.value for trial in trials], "o", label=kind)
ax.set(xscale="log", xlabel="C of the logistic regression", ylabel="UAR in %")
ax.legend(frameon=False)
folder.cleanup()
