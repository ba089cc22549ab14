"""
Record experiments with MLflow
==============================

MLflow keeps parameters, scores, pictures and models of every run. Here, the runs are in a folder;
on a team, they are on a server. It needs the package ``mlflow-skinny`` or ``mlflow``.
"""

# %%
# A folder of this page alone:

import logging
import os
import tempfile
import warnings

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
warnings.simplefilter("ignore")  # MLflow warns of its own deprecations

import mlflow

logging.getLogger("mlflow").setLevel(logging.ERROR)
folder = tempfile.TemporaryDirectory()
mlflow.set_tracking_uri(f"file://{folder.name}")
experiment = mlflow.create_experiment("strength of the penalty")

# %%
# One run per value: the parameters of the model, the scores on new speakers, and the confusion
# matrix.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import FrameFeatures, Functionals
from skser.inspection import ConfusionDisplay

corpus = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=15, expressiveness=0.8, random_state=0
)
frames = FrameFeatures(
    ("energy", "pitch"), input_sampling_rate=16000, memory=f"{folder.name}/cache"
)

import matplotlib.pyplot as plt

for C in (0.0001, 0.001, 0.01, 0.1, 1.0):
    model = make_pipeline(
        Functionals(frames), StandardScaler(), LogisticRegression(C=C, max_iter=2000)
    )
    with mlflow.start_run(experiment_id=experiment):
        found = cross_validate_speakers(model, corpus, cv=3)
        low, high = found.interval()
        mlflow.log_params({"C": C, "corpus": found.protocol["corpus"]})
        mlflow.log_metrics({"uar": found.pooled().mean(), "uar_low": low, "uar_high": high})
        display = ConfusionDisplay.from_predictions(found.y_true, found.y_pred)
        mlflow.log_figure(display.figure_, "confusion.png")
        plt.close(display.figure_)

# %%
# The runs as a table:

runs = mlflow.search_runs([experiment])
runs["C"] = runs["params.C"].astype(float)
runs = runs.sort_values("C")
runs[["C", "metrics.uar", "metrics.uar_low", "metrics.uar_high"]].round(3)

# %%
# And as a picture, with intervals over speakers:

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(runs["C"], 100 * runs["metrics.uar"], "o-")
ax.fill_between(runs["C"], 100 * runs["metrics.uar_low"], 100 * runs["metrics.uar_high"], alpha=0.2)
ax.set(xscale="log", xlabel="C of the logistic regression", ylabel="UAR in %")
folder.cleanup()
