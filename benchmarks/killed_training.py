"""Comparison of trainings that are killed and resumed with uninterrupted ones.

    python benchmarks/killed_training.py --kills 50

Each trial trains a network of the package on the synthetic corpus in its own process. It kills the
process (SIGKILL) at a random moment of its usual duration, up to three times, and lets the last
process finish. Every weight must equal that of the uninterrupted training, bit for bit.
"""

import argparse
import multiprocessing
import random
import tempfile
import time
from pathlib import Path

import numpy as np
from provenance import RESULTS, versions, write_result

from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import (
    AdversarialAEClassifier,
    AttentionFCNClassifier,
    AttentionRNNClassifier,
)
from skser.preprocessing import SequenceScaler

# Fork processes from a server that has only imported the package, so that each starts quickly.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["skser.neural_network"])

SHARED = {"device": "cpu", "n_threads": 1, "random_state": 0}
SYSTEMS = {
    "attention-fcn": AttentionFCNClassifier(
        max_epochs=12, early_stopping=True, n_iter_no_change=4, mixup=0.2, **SHARED
    ),
    "attention-rnn": AttentionRNNClassifier(max_epochs=6, **SHARED),
    "adversarial-ae": AdversarialAEClassifier(max_epochs=10, unlabeled="?", **SHARED),
}


def task():
    """Return the frames, emotions and speakers of the synthetic corpus."""
    corpus = make_emotional_speech(n_speakers=4, n_utterances_per_speaker=8, random_state=0)
    X = MelSpectrogram(n_mels=24, input_sampling_rate=corpus.sampling_rate).transform(corpus.data)
    X = SequenceScaler().fit_transform(X)
    return X, corpus.target.astype(str), corpus.speakers.astype(str)


def train(name, data, folder, path, begun):
    """Fit with checkpoints in this process and write the weights."""
    begun.set()
    X, y, speakers = data
    model = SYSTEMS[name]
    if name == "adversarial-ae":
        y = np.where(np.arange(len(y)) % 3 == 0, "?", y)
    model.set_params(checkpoint_dir=folder).fit(X, y, groups=speakers)
    weights = {key: value.numpy() for key, value in model.net_.module_.state_dict().items()}
    np.savez(path, **weights, losses=model.history_[:, "train_loss"])


def start(*arguments):
    """Start a training in its own process and return the process once training begins.

    The process is not a fork of this one: a lock that another thread holds here would never be
    released there.
    """
    begun = CONTEXT.Event()
    process = CONTEXT.Process(target=train, args=(*arguments, begun))
    process.start()
    if not begun.wait(300):
        process.kill()
        raise RuntimeError("The training process did not start within 300 seconds.")
    return process


def trial(name, data, folder, seconds, n_kills, random_state):
    """Run one trial; return the number of kills, final weights and losses, and last seconds."""
    path = Path(folder) / "weights.npz"
    n_killed = 0
    for _ in range(n_kills):
        process = start(name, data, folder, path)
        process.join(random_state.uniform(0, seconds))
        if process.is_alive():
            process.kill()
            process.join()
            n_killed += 1
    process = start(name, data, folder, path)
    begin = time.perf_counter()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"{name}: the resumed training ended with {process.exitcode}.")
    with np.load(path) as found:
        return n_killed, dict(found), time.perf_counter() - begin


def run(n_kills, seed=0, systems=tuple(SYSTEMS)):
    """Run trials of all systems in turn until there were `n_kills` kills."""
    data = task()
    random_state = random.Random(seed)
    undisturbed, seconds = {}, {}
    for name in systems:
        with tempfile.TemporaryDirectory() as folder:
            _, undisturbed[name], seconds[name] = trial(name, data, folder, 0, 0, random_state)
    result = {"kills": 0, "trainings": 0, "equal": 0, "by_system": dict.fromkeys(systems, 0)}
    while result["kills"] < n_kills:
        name = systems[result["trainings"] % len(systems)]
        with tempfile.TemporaryDirectory() as folder:
            n_tries = min(random_state.randint(1, 3), n_kills - result["kills"])
            n, found, _ = trial(name, data, folder, seconds[name], n_tries, random_state)
        expected = undisturbed[name]
        equal = all(np.array_equal(found[key], expected[key]) for key in expected)
        result["kills"] += n
        result["by_system"][name] += n
        result["trainings"] += 1
        result["equal"] += equal and found.keys() == expected.keys()
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts = run(arguments.kills, arguments.seed)
    print(counts)
    write_result(
        RESULTS / "killed_training.json",
        {
            "command": f"python benchmarks/killed_training.py --kills {arguments.kills}",
            "seed": arguments.seed,
            "versions": versions("torch", "skorch", "numpy"),
            **counts,
        },
    )
