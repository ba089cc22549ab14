"""
Run on a cluster
================

The same calls run on one machine or on a cluster; a context manager around them selects where. This
tutorial starts a scheduler and two workers on one machine, which is a way to test before you use a
real cluster. It needs the extra ``distributed``.
"""

# %%
# Start two workers
# -----------------
#
# The workers read the files themselves, so the paths must be valid on all of them. Each worker has
# one thread.

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
# Extract features to disk
# ------------------------
#
# The workers compute the features, and the calling process writes them. If it is killed, a later
# call resumes from there. The finished file is memory-mapped, so that only its path is sent to the
# workers.

from joblib import parallel_config

from skser.feature_extraction import MelSpectrogram

mels = MelSpectrogram(n_mels=32, deltas=0)
with parallel_config(backend="dask"), get_task_stream(client) as extraction:
    X = mels.transform_to(corpus.data, Path(folder.name) / "mels")
print(f"{len(X)} utterances, {len(X.values)} frames")

# %%
# Run folds on the workers
# ------------------------
#
# :func:`~skser.evaluation.cross_validate_speakers` takes the model with its features. With a
# ``results_dir``, a later call resumes after the finished folds.

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
# The local process gives exactly the same predictions:

here = cross_validate_speakers(model, corpus, cv=6)
print("same predictions:", (there.y_pred == here.y_pred).all())

# %%
# Plot when each worker was busy:

import matplotlib.pyplot as plt


def draw(ax, stream, title):
    """Draw the times at which each worker computed."""
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
draw(axes[0], extraction, "features, batches of utterances")
draw(axes[1], folds, "folds")

# %%
# On a real cluster, only the address changes: ``Client("tcp://scheduler:8786")``. :doc:`/scale`
# explains what happens if a worker dies, and how to give each worker a GPU.

client.close()
cluster.close()
folder.cleanup()
