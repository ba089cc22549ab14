"""Speed of `fit` compared with a hand-written loop and plain skorch, and on growing corpora.

    python benchmarks/training.py loop skorch memory growth
    python benchmarks/training.py earlier --checkout ../skser-earlier
    python benchmarks/training.py device --device cuda

Trains the default network on one thread. The utterances are synthetic, with frames of 10 ms; the
logarithm of their durations has the same mean and standard deviation as that of EmoDB. ``loop`` and
``skorch`` measure the CPU seconds of both sides alternately in one process and report the median of
the ratios. The hand-written loop uses the module, batches, augmentation, loss and optimizer of
`fit`. Plain skorch is ``skorch.NeuralNetClassifier`` with the same network, loss and optimizer, and
with every utterance padded to the longest. ``memory`` measures the growth of peak resident memory
during training, in separate processes. ``growth`` measures one epoch of 1,000 to 50,000 utterances.
``earlier`` measures an epoch alternately with this package and with that of another checkout, in
one process. ``device`` requires a GPU. It measures utterances per second compared with the loop
with all data on the GPU, the share of time that the GPU is busy in a trace, and accuracy on
held-out utterances with bfloat16 and float32. Finished parts are stored in the result file.
"""

import argparse
import contextlib
import importlib
import json
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import skorch
import torch
from provenance import RESULTS, kept_result, versions, write_result
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from skser.neural_network import AttentionFCNClassifier, SpecAugment
from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.sequences import Sequences

RESULT = RESULTS / "training.json"
N_BANDS, N_CLASSES, BATCH_SIZE = 64, 7, 16


def made_up(n_utterances, seed=0):
    """Return noise in which each class shifts the bands, and the class labels."""
    random = np.random.RandomState(seed)
    lengths = random.lognormal(np.log(262), 0.338, n_utterances).astype(int).clip(100, 900)
    y = random.randint(0, N_CLASSES, n_utterances)
    block = np.empty((lengths.sum(), N_BANDS), np.float32)
    generator = np.random.default_rng(seed)
    generator.standard_normal(out=block, dtype=np.float32)
    X = Sequences(block, lengths)
    shifts = np.random.RandomState(1).normal(0, 0.3, (N_CLASSES, N_BANDS)).astype(np.float32)
    for x, label in zip(X, y, strict=True):
        x += shifts[label]
    return X, y


def estimator(epochs, device="cpu", **settings):
    return AttentionFCNClassifier(
        max_epochs=epochs, device=device, n_threads=1, random_state=0, **settings
    )


def new_parts(X, y, device="cpu"):
    """Return a new network with the default layers, its loss and its encoded targets."""
    model = estimator(1, device)
    model.classes_, targets = np.unique(y, return_inverse=True)
    module = model._make_module(X.layout, N_CLASSES).to(device)
    module.to(memory_format=torch.channels_last)
    criterion = nn.CrossEntropyLoss(label_smoothing=model.label_smoothing)
    return module, criterion, targets


def parameter_groups(module):
    parameters = list(module.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def train_by_hand(X, y, epochs, device="cpu"):
    """Train the network in a hand-written loop, the reference for the cost of `fit`."""
    module, criterion, targets = new_parts(X, y, device)
    optimizer = torch.optim.AdamW(parameter_groups(module), weight_decay=0.01, fused=True)
    batches = BatchIterator(
        SequenceDataset(X, targets), BATCH_SIZE, seed=0, augment=SpecAugment(), device=device
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.003, total_steps=epochs * len(batches), cycle_momentum=False
    )
    module.train()
    for _ in range(epochs):
        for inputs, labels in batches:
            optimizer.zero_grad()
            criterion(module(**inputs), labels).backward()
            optimizer.step()
            schedule.step()
    return module


def train_plain_skorch(X, y, epochs):
    """Train the same network with plain skorch, with utterances padded to the longest."""
    longest = int(X.lengths.max())
    padded = np.zeros((len(X), 1, longest, N_BANDS), np.float32)
    for row, x in zip(padded, X, strict=True):
        row[0, : len(x)] = x
    module, criterion, targets = new_parts(X, y)
    one_cycle = LRScheduler(
        torch.optim.lr_scheduler.OneCycleLR,
        max_lr=0.003,
        total_steps=epochs * -(-len(X) // BATCH_SIZE),
        cycle_momentum=False,
        step_every="batch",
    )
    net = skorch.NeuralNetClassifier(
        module,
        criterion=criterion,
        optimizer=torch.optim.AdamW,
        lr=0.003,
        max_epochs=epochs,
        batch_size=BATCH_SIZE,
        train_split=None,
        iterator_train__shuffle=True,
        iterator_train__collate_fn=partial(_collate, longest=longest),
        callbacks=[("one_cycle", one_cycle)],
        verbose=0,
    )
    net.fit({"x": padded, "lengths": X.lengths.astype(np.int64)}, targets.astype(np.int64))


def _collate(rows, longest):
    """Stack and augment rows, like the other two sides, and keep their padding."""
    inputs, labels = torch.utils.data.default_collate(rows)
    x, lengths = SpecAugment()(inputs["x"], inputs["lengths"], torch.default_generator)
    x = nn.functional.pad(x, (0, 0, 0, max(0, longest - x.shape[2])))
    return {"x": x, "lengths": lengths}, labels


def fit(X, y, epochs, device="cpu", **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator(epochs, device, **settings).fit(X, y)


def seconds(function, *arguments, clock=time.process_time, **settings):
    start = clock()
    function(*arguments, **settings)
    return clock() - start


def alternating(a, b, n_rounds, clock=time.process_time):
    """Return the seconds of alternating calls of `a` and `b`, which take turns going first."""
    a(), b()
    times = {a: [], b: []}
    for i in range(n_rounds):
        for function in (a, b) if i % 2 else (b, a):
            times[function].append(seconds(function, clock=clock))
    return np.array(times[a]), np.array(times[b])


def measure_loop(arguments):
    X, y = made_up(arguments.utterances)
    ours, theirs = alternating(
        lambda: fit(X, y, arguments.epochs),
        lambda: train_by_hand(X, y, arguments.epochs),
        arguments.rounds,
    )
    per_utterance = 1e3 / (len(X) * arguments.epochs)
    return {
        "n_utterances": len(X),
        "epochs": arguments.epochs,
        "ratio": float(np.median(ours / theirs)),
        "ratios": (ours / theirs).round(3).tolist(),
        "fit_milliseconds_per_utterance_and_epoch": float(np.median(ours) * per_utterance),
    }


def measure_skorch(arguments):
    X, y = made_up(arguments.utterances)
    ours, theirs = alternating(
        lambda: fit(X, y, arguments.epochs),
        lambda: train_plain_skorch(X, y, arguments.epochs),
        arguments.rounds,
    )
    return {
        "n_utterances": len(X),
        "epochs": arguments.epochs,
        "times_faster": float(np.median(theirs / ours)),
        "ratios": (theirs / ours).round(3).tolist(),
    }


def resident_peak():
    """Return the peak resident memory of this process, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def memory_of(how, n_utterances, epochs):
    """Return the growth of peak resident memory in megabytes; requires a new process."""
    X, y = made_up(n_utterances)
    first = X[:BATCH_SIZE]
    (fit if how == "fit" else train_by_hand)(first, y[:BATCH_SIZE], 1)  # torch loads libraries
    before = resident_peak()
    (fit if how == "fit" else train_by_hand)(X, y, epochs)
    return resident_peak() - before


def measure_memory(arguments):
    grown = {}
    for how in ("fit", "loop"):
        command = [sys.executable, __file__, "memory", "--memory-of", how]
        command += ["--utterances", str(arguments.utterances), "--epochs", str(arguments.epochs)]
        runs = [subprocess.run(command, check=True, capture_output=True) for _ in range(3)]
        grown[how] = float(np.median([float(run.stdout) for run in runs]))
    return {
        "n_utterances": arguments.utterances,
        "fit_megabytes": grown["fit"],
        "loop_megabytes": grown["loop"],
        "ratio": grown["fit"] / grown["loop"],
    }


class CpuSeconds(Callback):
    """Callback that appends the CPU seconds of every epoch to a list."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __deepcopy__(self, memo):  # fit copies its callbacks, but must append to the given list
        return self

    def on_epoch_begin(self, net, **kwargs):
        """Start the clock."""
        self.start_ = time.process_time()

    def on_epoch_end(self, net, **kwargs):
        """Append the time since the epoch began."""
        self.seconds.append(time.process_time() - self.start_)


def measure_growth(arguments):
    """Measure an epoch after the first, which prepares convolutions and memory."""
    per_epoch = []
    for n_utterances in arguments.sizes:
        X, y = made_up(n_utterances)
        epochs = []
        fit(X, y, 2 if n_utterances > 5000 else 4, callbacks=[CpuSeconds(epochs)])
        per_epoch.append(float(np.median(epochs[1:])))
        print(f"{n_utterances} utterances: {per_epoch[-1]:.1f} s an epoch", flush=True)
    exponent = np.polyfit(np.log(arguments.sizes), np.log(per_epoch), 1)[0]
    return {
        "n_utterances": arguments.sizes,
        "seconds_per_epoch": per_epoch,
        "exponent": float(exponent),
    }


class Package:
    """Package of a checkout, which can be imported beside others of the same name.

    Parameters
    ----------
    checkout : Path
        Folder that holds the package.
    """

    def __init__(self, checkout):
        self.checkout = str(checkout)
        self.modules = {}

    @contextlib.contextmanager
    def active(self):
        """Make imports within this context, also those of functions, find this package."""
        outside = _taken_out()
        sys.modules.update(self.modules)
        sys.path.insert(0, self.checkout)
        try:
            yield
        finally:
            sys.path.remove(self.checkout)
            self.modules = _taken_out()
            sys.modules.update(outside)


def _taken_out():
    names = [name for name in sys.modules if name.partition(".")[0] == "skser"]
    return {name: sys.modules.pop(name) for name in names}


def measure_earlier(arguments):
    """Measure one epoch of a warm network of either package, on the same utterances."""
    X, y = made_up(arguments.utterances)
    models = {}
    for checkout in (arguments.checkout.resolve(), Path(__file__).resolve().parents[1]):
        package = Package(checkout)
        with package.active():
            network = importlib.import_module("skser.neural_network").AttentionFCNClassifier
            sequences = importlib.import_module("skser.sequences").Sequences
            settings = {"device": "cpu", "n_threads": 1, "random_state": 0}
            models[package] = (
                network(max_epochs=1, warm_start=True, **settings),
                sequences(X.values, X.lengths),
            )

    def epoch(package):
        model, sequences = models[package]
        with package.active(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(sequences, y)

    earlier, present = (partial(epoch, package) for package in models)
    before, now = alternating(earlier, present, arguments.rounds)
    git = ["git", "-C", str(arguments.checkout), "rev-parse", "--short", "HEAD"]
    return {
        "n_utterances": len(X),
        "earlier_commit": subprocess.run(
            git, check=True, capture_output=True, text=True
        ).stdout.strip(),
        "times_faster": float(np.median(before / now)),
        "ratios": (before / now).round(3).tolist(),
        "seconds_per_epoch": float(np.median(now)),
    }


def measure_device(arguments):
    device = arguments.device
    X, y = made_up(arguments.utterances)
    settings = {"epochs": arguments.epochs, "device": device}

    def by_hand():
        train_by_hand(X, y, **settings)
        torch.cuda.synchronize()

    ours, theirs = alternating(
        lambda: fit(X, y, **settings), by_hand, arguments.rounds, time.perf_counter
    )
    train, test = slice(None, -len(X) // 4), slice(-len(X) // 4, None)
    accuracy = {
        precision: fit(X[train], y[train], **settings, precision=precision).score(X[test], y[test])
        for precision in ("float32", "bfloat16")
    }
    return {
        "device": torch.cuda.get_device_name(device),
        "n_utterances": len(X),
        "utterances_per_second": float(len(X) * arguments.epochs / np.median(ours)),
        "share_of_loop": float(np.median(theirs / ours)),
        "busy_share": busy_share(X, y, device),
        "accuracy": accuracy,
    }


def busy_share(X, y, device):
    """Return the share of a warm epoch in which a kernel or a copy runs, from a trace."""
    model = fit(X, y, 1, device, warm_start=True)
    profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
    with profile:
        model.fit(X, y)
        torch.cuda.synchronize()
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profile.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    busy, until = 0.0, spans[0][0]
    for start, end in spans:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return busy / (until - spans[0][0])


PARTS = {
    "loop": measure_loop,
    "skorch": measure_skorch,
    "memory": measure_memory,
    "growth": measure_growth,
    "earlier": measure_earlier,
    "device": measure_device,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--utterances", type=int, default=535)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 3000, 10_000, 50_000])
    parser.add_argument("--checkout", type=Path, help="checkout of an earlier commit")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--memory-of", choices=["fit", "loop"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if "earlier" in arguments.parts and arguments.checkout is None:
        parser.error("'earlier' needs --checkout")
    torch.set_num_threads(1)
    if arguments.memory_of:
        print(memory_of(arguments.memory_of, arguments.utterances, arguments.epochs))
        return
    result = kept_result(RESULT) or {}
    for part in arguments.parts:
        if part == "device" and not torch.cuda.is_available():
            print("No GPU is available: skipped the part 'device'.")
            continue
        result[part] = PARTS[part](arguments)
        result[part]["versions"] = versions("torch", "skorch", "scikit-learn", "numpy")
        write_result(RESULT, result)
        print(part, json.dumps(result[part]), flush=True)


if __name__ == "__main__":
    main()
