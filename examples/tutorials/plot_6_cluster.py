"""
A cluster
=========

The calls stay as they are; where they run is said around them. This page starts a scheduler and
two workers on one machine, which is how to try things before a real cluster (extra
``distributed``).
"""

# %%
# Files, a model, two workers
# ---------------------------
#
# Workers read the files themselves, so paths must mean the same to all. Each worker has one
# thread.

import tempfile
from pathlib import Path

from dask.distributed import Client, SubprocessCluster, get_task_stream

from skser.datasets import make_emotional_speech

folder = tempfile.TemporaryDirectory()
corpus = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=20, random_state=0, output_dir=folder.name
)
cluster = SubprocessCluster(
    host="127.0.0.1", n_workers=2, worker_kwargs={"nthreads": 1}, dashboard_address=":0"
)
client = Client(cluster)
client.wait_for_workers(2)

# %%
# Features to disk
# ----------------
#
# Workers compute, the calling process writes. What is killed goes on where it was, and the
# finished block is mapped, so that it travels to workers by its name.

from joblib import parallel_config

from skser.feature_extraction import MelSpectrogram

mels = MelSpectrogram(n_mels=32, deltas=0)
with parallel_config(backend="dask"), get_task_stream(client) as extraction:
    X = mels.transform_to(corpus.data, Path(folder.name) / "mels")
print(f"{len(X)} utterances, {len(X.values)} frames")

# %%
# Folds to workers
# ----------------
#
# :func:`~skser.evaluation.cross_validate_speakers` takes the model with its features, and
# goes on behind finished folds when it is given a ``folder``.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import MFCC, Functionals

model = make_pipeline(
    Functionals(MFCC(memory=str(Path(folder.name) / "cache"))),
    StandardScaler(),
    LogisticRegression(C=0.01, max_iter=1000),
)
with parallel_config(backend="dask"), get_task_stream(client) as folds:
    there = cross_validate_speakers(model, corpus, cv=6, n_jobs=-1)
print(there.summary().round(3).to_string())

# %%
# The same numbers as here, to the last digit:

here = cross_validate_speakers(model, corpus, cv=6)
print("same predictions:", (there.y_pred == here.y_pred).all())

# %%
# Who did what, and when:

import matplotlib.pyplot as plt


def draw(ax, stream, title):
    """Draw when each worker computed."""
    workers = sorted({task["worker"] for task in stream.data})
    spans = [
        (workers.index(task["worker"]), part["start"], part["stop"])
        for task in stream.data
        for part in task["startstops"]
        if part["action"] == "compute"
    ]
    begin = min(start for _, start, _ in spans)
    for worker, start, stop in spans:
        ax.barh(worker, stop - start, left=start - begin, edgecolor="white", color="tab:blue")
    ax.set(title=title, xlabel="seconds", yticks=range(len(workers)))
    ax.set_yticklabels([f"worker {i + 1}" for i in range(len(workers))])


figure, axes = plt.subplots(2, 1, figsize=(7, 4), layout="constrained")
draw(axes[0], extraction, "features, runs of utterances")
draw(axes[1], folds, "folds")

# %%
# On a real cluster only the address changes, ``Client("tcp://scheduler:8786")``. What becomes of
# work whose worker dies, and how to give each worker a GPU, is in :doc:`/scale`.

client.close()
cluster.close()
folder.cleanup()
