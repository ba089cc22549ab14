"""
Spread folds over a cluster
===========================

Folds and seeds are independent of each other. Inside ``parallel_config("dask")``, the workers of a
cluster compute them, here two processes of this machine. It needs the extra ``distributed``.
"""

# %%
# The workers read the recordings themselves, so paths must be valid on all machines.

import tempfile

from dask.distributed import Client, SubprocessCluster, get_task_stream

from skser.datasets import make_emotional_speech

folder = tempfile.TemporaryDirectory()
corpus = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=10, random_state=0, output_dir=folder.name
)
cluster = SubprocessCluster(
    host="127.0.0.1", n_workers=2, worker_kwargs={"nthreads": 1}, dashboard_address=":0"
)
client = Client(cluster)
client.wait_for_workers(2)

# %%
# Six folds, one per speaker. Without the two lines of Dask, the same code runs in this process.

from joblib import parallel_config
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import MFCC, Functionals

model = make_pipeline(
    Functionals(MFCC(n_mfcc=13)), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)
)
with parallel_config(backend="dask"), get_task_stream(client) as stream:
    found = cross_validate_speakers(model, corpus, cv=6)
print(found)

# %%
# When each worker computed:

import matplotlib.pyplot as plt

tasks = [
    (task["worker"], part["start"], part["stop"])
    for task in stream.data
    for part in task["startstops"]
    if part["action"] == "compute"
]
workers = sorted({worker for worker, _, _ in tasks})
begin = min(start for _, start, _ in tasks)
figure, ax = plt.subplots(figsize=(7, 2), layout="constrained")
for worker, start, stop in tasks:
    row = workers.index(worker)
    ax.barh(row, stop - start, left=start - begin, edgecolor="white", color=f"C{row}")
ax.set(yticks=range(len(workers)), xlabel="seconds")
ax.set_yticklabels([f"worker {i + 1}" for i in range(len(workers))])
client.close()
cluster.close()
folder.cleanup()
