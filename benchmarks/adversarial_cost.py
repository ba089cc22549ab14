"""Cost of an epoch of the adversarial autoencoder, as a multiple of its twin's.

    python benchmarks/adversarial_cost.py

Needs no data: the inputs are random vectors and frames of the same sizes as those of RAVDESS. Both
sides use the default settings and one thread, and take turns in one process. The script reports
the median over rounds of the ratio of CPU time per epoch.
"""

import time

import numpy as np
from provenance import RESULTS, versions, write_result
from skorch.callbacks import Callback

from skser.neural_network import AdversarialAEClassifier
from skser.sequences import Sequences

N_ROUNDS, N_EPOCHS, N_UTTERANCES = 7, 4, 1000


class ProcessorTime(Callback):
    """Callback that records the CPU seconds of each epoch."""

    def on_epoch_begin(self, net, **kwargs):
        """Start the clock."""
        self.start_ = time.process_time()

    def on_epoch_end(self, net, **kwargs):
        """Record the time since the epoch began."""
        net.history.record("cpu_seconds", time.process_time() - self.start_)


def inputs():
    """Return the inputs, by name."""
    random = np.random.RandomState(0)
    lengths = random.randint(100, 250, size=N_UTTERANCES)
    frames = [random.randn(length, 63).astype(np.float32) for length in lengths]
    return {
        "sentence vectors of 5191 columns": random.randn(N_UTTERANCES, 5191).astype(np.float32),
        "the same on 1000 principal components": random.randn(N_UTTERANCES, 1000),
        "frames of 63 columns, 100 to 250 of them": Sequences.from_list(frames),
    }


def seconds_per_epoch(X, y, weights):
    """Return the median CPU seconds per epoch of a fit."""
    model = AdversarialAEClassifier(
        max_epochs=N_EPOCHS,
        callbacks=[ProcessorTime()],
        random_state=0,
        n_threads=1,
        device="cpu",
        **weights,
    )
    history = model.fit(X, y).history_
    return float(np.median(history[1:, "cpu_seconds"]))  # the first epoch is a warm-up


def main():
    y = np.random.RandomState(1).randint(3, size=N_UTTERANCES)
    result = {
        "n_utterances": N_UTTERANCES,
        "settings": repr(AdversarialAEClassifier().get_params()),
        "versions": versions("torch", "skorch", "numpy"),
        "inputs": {},
    }
    twin_weights = {"reconstruction_weight": 0.0, "adversarial_weight": 0.0}
    for name, X in inputs().items():
        twin, full = [], []
        for _ in range(N_ROUNDS):
            twin.append(seconds_per_epoch(X, y, twin_weights))
            full.append(seconds_per_epoch(X, y, {}))
        ratios = np.divide(full, twin)
        result["inputs"][name] = {
            "twin_seconds": float(np.median(twin)),
            "full_seconds": float(np.median(full)),
            "ratio": float(np.median(ratios)),
            "rounds": ratios.round(3).tolist(),
        }
        print(name, result["inputs"][name], flush=True)
    write_result(RESULTS / "adversarial_cost.json", result)


if __name__ == "__main__":
    main()
