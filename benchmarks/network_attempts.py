"""Attempts to make the attention FCN alone more accurate, on inner folds of EmoDB.

    python benchmarks/network_attempts.py
    python benchmarks/network_attempts.py --only default "three networks"

Needs SKSER_DATA and the extras "rooms" and "containers". All networks are trained in conditions, on
each utterance and four altered copies, as by ``attention_fcn(conditions=True)``; the copies' noise
includes ESC-10's folds 1 and 2. They are scored on the inner folds of ablation.py, which use no
test fold of EmoDB-LOSO: three folds of three speakers. Test conditions are those of
altered_recordings.py, with sounds of fold 3. There is one seed and one thread, so differences of
two points are noise. Finished attempts are stored in the result file.

Each network is also scored with its probabilities averaged over five speeds of the test utterance,
and in the vote of `fcn_and_functionals` with a discriminant analysis of the same copies.
"""

import argparse
import functools
import time
from dataclasses import replace
from unittest import mock

import numpy as np
import torch
from ablation import inner_folds
from altered_recordings import RATE, altered, read
from protocols import load
from provenance import RESULTS, kept_result, write_result
from sklearn.model_selection import GroupKFold
from torch import nn
from utterance_vectors import TEST_SOUNDS, TRAINING_SOUNDS, sounds

from skser.audio import Waveform
from skser.augmentation._conditions import _DEFAULT
from skser.feature_extraction import FrameFeatures, MelSpectrogram
from skser.metrics import unweighted_average_recall
from skser.neural_network import AttentionFCNClassifier, SpecAugment
from skser.neural_network.modules.fcn import AttentionFCN
from skser.pipelines import attention_fcn, fcn_and_functionals, functionals
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences

PROTOCOL = "emodb-loso"
TESTED = ("clean", "white 10 dB", "sounds 5 dB")
N_COPIES = 4
WEIGHT = fcn_and_functionals(conditions=False).weights[1]  # that of the network is 1
KEYWORDS = ("features", "copies", "module", "frames", "share", "n_networks")
# What the copies are altered by, beside noise and rooms.
COPIES = {
    "usual": {},
    "other speeds": {"probabilities": _DEFAULT | {"speed": 0.6}, "speed": (0.85, 1.15)},
}
SPEEDS = (0.85, 0.92, 1.0, 1.08, 1.15)


def two_resolutions(recordings):
    """Compute mel spectrograms of windows of 25 and of 100 ms, as channels of the same bands."""
    short, long = (MelSpectrogram(window=window).transform(recordings) for window in (0.025, 0.1))
    n_before = round((long.layout.offset - short.layout.offset) / short.layout.hop)
    pairs = [
        np.hstack([frames, np.pad(others, ((n_before, n_after), (0, 0)), mode="edge")])
        for frames, others in zip(short, long, strict=True)
        for n_after in [len(frames) - len(others) - n_before]
    ]
    names = (*short.layout.feature_names, *(f"long_{n}" for n in long.layout.feature_names))
    layout = replace(short.layout, feature_names=names, n_channels=2 * short.layout.n_channels)
    return Sequences.from_list(pairs, layout)


FEATURES = {
    "mel": MelSpectrogram().transform,
    "two resolutions": two_resolutions,
    "descriptors": FrameFeatures().transform,
    "functionals": functionals(conditions=False)[0].fit_transform,
}


class WithStatistics(AttentionFCN):
    """Network that pools the mean and the deviation of all cells beside attention."""

    def __init__(self, **settings):
        super().__init__(**settings)
        n_cells = settings["filters"][-1]
        self.output = nn.Linear(n_cells * (settings["n_heads"] + 2), settings["n_outputs"])
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x, lengths):
        """Compute outputs (batch, n_outputs) of a padded batch."""
        cells, mask, _ = self._annotations(x, lengths)
        cells = cells.flatten(1, 2)
        share = mask[:, :, None] / mask.sum(dim=1)[:, None, None]
        mean = (cells * share).sum(dim=1)
        deviation = ((cells - mean[:, None]).square() * share).sum(dim=1).add(1e-6).sqrt()
        return self.output(self.dropout(torch.cat([self.pooling(cells, mask), mean, deviation], 1)))


class WithBranch(AttentionFCN):
    """Network whose scores are added to those of a linear layer on utterance vectors.

    `attached` puts the vectors at the end of the frames. In training, each part is left out for
    some utterances, so that the other learns to do without it.
    """

    n_columns, n_frames, scale, left_out = None, None, 0.05, 0.4

    def __init__(self, **settings):
        super().__init__(**settings)
        self.branch = nn.Linear(self.n_columns, settings["n_outputs"])
        nn.init.zeros_(self.branch.weight)
        nn.init.zeros_(self.branch.bias)

    def forward(self, x, lengths):
        """Compute outputs (batch, n_outputs) of a padded batch with vectors at its ends."""
        x, lengths, vectors = self.detached(x, lengths)
        own = super().forward(x, lengths)
        added = self.scale * self.branch(nn.functional.dropout(vectors, 0.5, self.training))
        if self.training:
            part = torch.rand(len(own), 1)
            own = own * (part > self.left_out)
            added = added * ((part < self.left_out) | (part > 2 * self.left_out))
        return own + added

    @staticmethod
    def vectors(linear, rows):
        """Return the ranks of functionals."""
        return linear[0].transform(rows)

    @classmethod
    def training_vectors(cls, linear, copies, of_others):
        """Return the vectors of all copies of the training utterances."""
        return cls.vectors(linear, np.vstack(copies))

    @classmethod
    def attached(cls, X, vectors):
        """Append the vectors to the frames of their utterances, in as many rows as they fill."""
        cls.n_columns, cls.n_frames = vectors.shape[1], -(-vectors.shape[1] // X.n_columns)
        rows = np.zeros((len(X), cls.n_frames * X.n_columns), np.float32)
        rows[:, : cls.n_columns] = vectors
        rows = rows.reshape(len(X), cls.n_frames, X.n_columns)
        return Sequences.from_list(
            [np.vstack(pair) for pair in zip(X, rows, strict=True)], X.layout
        )

    @classmethod
    def detached(cls, x, lengths):
        """Return the frames of a batch with their lengths, and the vectors at their ends."""
        lengths = lengths - cls.n_frames
        places = lengths[:, None] + torch.arange(cls.n_frames)
        rows = x.transpose(1, 2)[torch.arange(len(x))[:, None], places]
        inside = torch.arange(x.shape[2]) < lengths[:, None]
        return x * inside[:, None, :, None], lengths, rows.flatten(1)[:, : cls.n_columns]

    @classmethod
    def augment(cls, x, lengths, generator):
        """Augment the frames of a batch and leave the vectors as they are."""
        x, lengths, vectors = cls.detached(x, lengths)
        x, lengths = SpecAugment()(x, lengths, generator)
        rows = nn.functional.pad(vectors, (0, cls.n_frames * x[0, :, 0].numel() - cls.n_columns))
        rows = rows.view(len(x), cls.n_frames, x.shape[1], x.shape[3])
        x = nn.functional.pad(x, (0, 0, 0, cls.n_frames)).transpose(1, 2).contiguous()
        x[torch.arange(len(x))[:, None], lengths[:, None] + torch.arange(cls.n_frames)] = rows
        return x.transpose(1, 2), lengths + cls.n_frames


class WithSolvedBranch(WithBranch):
    """Network whose scores are added to the log probabilities of a discriminant analysis.

    In training, these are of analyses without the utterance's speaker, and are left out for some
    utterances.
    """

    scale = 1.0

    def __init__(self, **settings):
        super().__init__(**settings)
        nn.init.eye_(self.branch.weight)
        self.branch.requires_grad_(False)

    @staticmethod
    def vectors(linear, rows):
        """Return log probabilities."""
        return np.log(linear.predict_proba(rows) + 1e-6)

    @classmethod
    def training_vectors(cls, linear, copies, of_others):
        """Return log probabilities by analyses of the other speakers."""
        return np.log(of_others(1.0) + 1e-6)

    def forward(self, x, lengths):
        """Compute outputs (batch, n_outputs) of a batch with log probabilities at its ends."""
        x, lengths, scores = self.detached(x, lengths)
        if self.training:
            scores = scores * (torch.rand(len(scores), 1) > self.left_out)
        return AttentionFCN.forward(self, x, lengths) + self.scale * self.branch(scores)


def own_level(frames):
    """Subtract from the first channel the mean of each band over the utterance."""
    frames = frames.copy()
    n_bands = frames.shape[1] // 3
    frames[:, :n_bands] -= frames[:, :n_bands].mean(axis=0)
    return frames


def at_speed(frames, speed):
    """Interpolate frames linearly, as of speech at another speed of the same pitch."""
    places = np.arange(0, len(frames) - 1e-6, speed)
    before = np.minimum(places.astype(int), len(frames) - 1)
    after = np.minimum(before + 1, len(frames) - 1)
    share = (places - before)[:, None].astype(np.float32)
    return frames[before] * (1 - share) + frames[after] * share


def by_utterance(function, X):
    """Apply a function to the frames of each utterance."""
    return Sequences.from_list([function(frames) for frames in X], X.layout)


def soft_targets(vectors, y, speakers, share):
    """Mix labels with the probabilities of discriminant analyses of the other speakers."""
    classes, n = np.unique(y), len(y)
    found = np.zeros((len(vectors) * n, len(classes)))
    for train, rest in GroupKFold(len(set(speakers))).split(y, groups=speakers):
        model = functionals(conditions=False)[1:].fit(
            np.vstack([v[train] for v in vectors]), np.tile(y[train], len(vectors))
        )
        for copy, v in enumerate(vectors):
            found[copy * n + rest] = model.predict_proba(v[rest])
    return (1 - share) * (np.tile(y, len(vectors))[:, None] == classes) + share * found


# What differs from the default: settings of the network, and the keywords of `probabilities`.
ATTEMPTS = {
    "default": {},
    "branch of functionals": {"module": WithBranch},
    "branch of functionals, solved in closed form": {"module": WithSolvedBranch},
    "half of the targets from functionals": {"share": 0.5, "label_smoothing": 0.0},
    "own mean of each utterance subtracted": {"frames": own_level},
    "mean and deviation beside attention": {"module": WithStatistics},
    "batches of 32, twice the rate": {"batch_size": 32, "learning_rate": 0.006},
    "twice as wide": {"filters": (32, 64, 96, 128)},
    "mixup 0.3": {"mixup": 0.3},
    "40 epochs": {"max_epochs": 40},
    "windows of 100 ms beside those of 25 ms": {"features": "two resolutions"},
    "low-level descriptors in place of mel bands": {
        "features": "descriptors",
        "filters": (64, 96, 128, 160),
    },
    "copies at speeds of 0.85 to 1.15": {"copies": "other speeds"},
    "three networks": {"n_networks": 3},
}


class Data:
    """Frames and vectors of the training part of EmoDB: clean, altered for tests, and copies."""

    def __init__(self):
        corpus, folds = load(PROTOCOL)
        self.inner = inner_folds(PROTOCOL, folds, corpus.speakers.astype(str))
        self.y, self.speakers = corpus.target.astype(str), corpus.speakers.astype(str)
        self.samples = [read(source) for source in corpus.data]
        voices = [read(source) for source in load("ravdess-5")[0].data[::8]]
        self.tests = {
            c: waveforms([altered(x, c, voices, TEST_SOUNDS) for x in self.samples]) for c in TESTED
        }
        self.kept = {}

    def copies(self, kind):
        """Return the altered copies of all utterances, one list per copy."""
        conditions = attention_fcn(conditions=True).augment.set_params(
            noise=sounds(TRAINING_SOUNDS), **COPIES[kind]
        )
        bound = conditions.bind(waveforms(self.samples), self.speakers)
        return [
            waveforms(
                bound(x, RATE, np.random.RandomState([copy, i])) for i, x in enumerate(self.samples)
            )
            for copy in range(N_COPIES)
        ]

    def computed(self, name, kind):
        """Return the features of the tests, and of the clean utterances and their copies."""
        if (name, kind) not in self.kept:
            if name != "functionals":  # frames of all copies take gigabytes
                self.kept = {of: kept for of, kept in self.kept.items() if of[0] == "functionals"}
            compute = FEATURES[name]
            tests = {c: compute(given) for c, given in self.tests.items()}
            copies = [compute(copy) for copy in self.copies(kind)]
            self.kept[name, kind] = tests, [tests["clean"], *copies]
        return self.kept[name, kind]


def waveforms(samples):
    return [Waveform(x, RATE, max_amplitude=None) for x in samples]


def measured(data, settings):
    """Score networks on the inner folds, with the linear model and the vote beside them."""
    settings = dict(settings)
    keywords = {name: settings.pop(name) for name in KEYWORDS if name in settings}
    predicted, seconds = {}, 0.0
    for train, test in data.inner:
        network, linear, spent = probabilities(data, train, test, settings, **keywords)
        seconds += spent / len(data.inner)
        for c in TESTED:
            one, average = network[c][SPEEDS.index(1.0)], network[c].mean(axis=0)
            for name, proba in {
                "network": one,
                "network at five speeds": average,
                "functionals": linear[c],
                "vote": one * linear[c] ** WEIGHT,
                "vote at five speeds": average * linear[c] ** WEIGHT,
            }.items():
                predicted.setdefault(name, {}).setdefault(c, []).append(proba.argmax(axis=1))
    classes, true = np.unique(data.y), data.y[np.concatenate([test for _, test in data.inner])]
    uars = {
        name: {
            c: float(unweighted_average_recall(true, classes[np.concatenate(parts)]))
            for c, parts in of_conditions.items()
        }
        for name, of_conditions in predicted.items()
    }
    return {"uar": uars, "cpu_seconds_per_fold": round(seconds, 1)}


def probabilities(
    data, train, test, settings, *, features="mel", copies="usual", module=AttentionFCN,
    frames=None, share=0.0, n_networks=1,
):  # fmt: skip
    """Train on one inner fold.

    Returns
    -------
    dict of str to ndarray of shape (n_speeds, n_utterances, n_classes)
        Probabilities of the networks, by test condition.
    dict of str to ndarray of shape (n_utterances, n_classes)
        Probabilities of the linear model.
    float
        Processor time of training the networks, in seconds.
    """
    of_tests, of_training = data.computed(features, copies)
    vectors_of_tests, vectors = data.computed("functionals", copies)
    vectors = [rows[train] for rows in vectors]
    y = np.tile(data.y[train], 1 + N_COPIES)
    linear = functionals(conditions=False)[1:].fit(np.vstack(vectors), y)
    of_others = functools.partial(soft_targets, vectors, data.y[train], data.speakers[train])
    routed = {"soft_targets": of_others(share)} if share else {}
    of_training = [X[train] for X in of_training]
    if frames is not None:
        of_training = [by_utterance(frames, X) for X in of_training]
    joined = Sequences.from_list([x for X in of_training for x in X], of_training[0].layout)
    scaler = SequenceScaler().fit(joined)

    def prepared(X, rows, speed=1.0):
        X = X if frames is None else by_utterance(frames, X)
        X = scaler.transform(X if speed == 1 else by_utterance(lambda x: at_speed(x, speed), X))
        return branch.attached(X, branch.vectors(linear, rows)) if branch else X

    branch = module if issubclass(module, WithBranch) else None
    X = scaler.transform(joined)
    if branch:
        settings = settings | {"augment": branch.augment}
        X = branch.attached(X, branch.training_vectors(linear, vectors, of_others))
    start = time.process_time()
    with mock.patch("skser.neural_network._attention_fcn.AttentionFCN", module):
        networks = [
            AttentionFCNClassifier(
                **{"max_epochs": 20} | settings, device="cpu", n_threads=1, random_state=seed
            ).fit(X, y, **routed)
            for seed in range(n_networks)
        ]
    seconds = time.process_time() - start
    found = {}
    for c in TESTED:
        inputs = [prepared(of_tests[c][test], vectors_of_tests[c][test], s) for s in SPEEDS]
        found[c] = sum(np.array([network.predict_proba(X) for X in inputs]) for network in networks)
        found[c] /= n_networks
    return found, {c: linear.predict_proba(vectors_of_tests[c][test]) for c in TESTED}, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ATTEMPTS, default=list(ATTEMPTS))
    arguments = parser.parse_args()
    path = RESULTS / "network_attempts.json"
    result = kept_result(path) or {"protocol": PROTOCOL, "n_copies": N_COPIES, "attempts": {}}
    data = Data()
    for name in arguments.only:
        if name not in result["attempts"]:
            result["attempts"][name] = measured(data, ATTEMPTS[name])
            write_result(path, result, seeds=[0])
            print(name, result["attempts"][name], flush=True)


if __name__ == "__main__":
    main()
