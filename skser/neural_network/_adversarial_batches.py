"""Batches of the adversarial autoencoder: labels, speakers and the settings of a recording."""

import numpy as np
import torch
from torch.nn import functional

from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.neural_network._callbacks import warn_caller

# Distance between labeled and unlabeled utterances above which the statistics are matched: length
# of the difference of means, relative to the standard deviation. Sets of different speakers of one
# corpus measured 0.1 to 0.5, two corpora 0.7 to 1.7.
_ANOTHER_SETTING = 0.6
_PRIOR_WEIGHT = 4  # utterances
_FEWEST = 10  # utterances on either side, below which the distance is too uncertain


class PhaseBatches:
    """Batches of labeled utterances; every second one comes with a batch of all utterances.

    An epoch goes once over all utterances, labeled or not. It draws the same number of labeled
    utterances, repeating them if there are fewer. Batches of all utterances are twice as large,
    because discriminators compare distributions.

    Parameters
    ----------
    dataset : SequenceDataset
        Utterances and their targets. See `is_labeled`.
    batch_size : int
        Maximum number of labeled utterances per batch.
    seeds : (int, int)
        Seed of the labeled batches, and seed of the batches of all utterances.
    augment : callable or None
        Augmentation, as for `BatchIterator`.
    device : str or torch.device
        Device of the batches.
    supervised_only : bool
        If True, batches of all utterances are left out.
    groups : array-like of shape (n_utterances,) or None
        Speaker of each utterance, for objectives that need them.
    scaling : bool, default=False
        As for `SpeakerStatistics`.
    """

    def __init__(
        self,
        dataset,
        batch_size,
        *,
        seeds,
        augment,
        device,
        supervised_only,
        groups=None,
        scaling=False,
    ):
        self.n_batches = -(-len(dataset) // batch_size)
        self.device = device
        rows = np.flatnonzero(is_labeled(dataset.targets))
        # Batches carry rows of the dataset, which lead to both targets and speakers.
        known = SequenceDataset(dataset.sequences[rows], rows)
        self.labeled = BatchIterator(known, batch_size, seeds[0], augment, device=device)
        self.everything = None
        if not supervised_only:
            everything = SequenceDataset(dataset.sequences, np.arange(len(dataset)))
            self.everything = BatchIterator(
                everything,
                2 * batch_size,
                seeds[1],
                augment,
                device=device,
                block=self.labeled.block,
            )
        self.targets = torch.as_tensor(dataset.targets, device=device)
        self.speakers = None
        if groups is not None:
            self.speakers = SpeakerStatistics(dataset.sequences, groups, device, scaling)
        self._supply = self._labeled_batches()

    def __len__(self):
        return self.n_batches

    def in_order(self):
        """Iterate over batches of all utterances and their rows, without changing any state."""
        dataset = self.everything.dataset
        return BatchIterator(dataset, 256, device=self.device, block=self.labeled.block)

    def class_shares(self, n_classes):
        """Return the share of each class among the labeled utterances, with add-one smoothing."""
        known = self.targets[self.labeled.dataset.targets]
        if known.ndim == 1:
            known = functional.one_hot(known, n_classes)
        counts = known.sum(dim=0).float() + 1
        return counts / counts.sum()

    def _labeled_batches(self):
        """Iterate over the labeled utterances endlessly; an epoch may end within a pass."""
        while True:
            self._pass, self._n_taken = self.labeled.state(), 0
            for batch in self.labeled:
                self._n_taken += 1
                yield batch

    def state(self):
        """Return the state of shuffling and augmentation, between two epochs."""
        others = None if self.everything is None else self.everything.state()
        return {"pass": self._pass, "n_taken": self._n_taken, "everything": others}

    def set_state(self, state):
        """Continue from a `state`."""
        self.labeled.set_state(state["pass"])
        self._supply = self._labeled_batches()
        for _ in range(state["n_taken"]):
            next(self._supply)
        if self.everything is not None:
            self.everything.set_state(state["everything"])

    def __iter__(self):
        others = None if self.everything is None else iter(self.everything)
        for i in range(self.n_batches):
            inputs, rows = next(self._supply)
            inputs["rows"], inputs["speakers"] = rows, self.speakers
            if others is not None and i % 2 == 0:
                everything, all_rows = next(others)
                everything["classes"] = _classes(self.targets[all_rows])
                everything["rows"] = all_rows
                inputs["everything"] = everything
            yield inputs, self.targets[rows]


def is_labeled(targets):
    """Return a mask of the rows with a target: a class other than -1, or a row not all NaN."""
    if targets.ndim == 1:
        return targets >= 0
    return ~np.isnan(targets).all(axis=1)


def _classes(targets):
    """Return the class of each utterance, the largest one for shares; -1 means unlabeled."""
    if targets.ndim == 1:
        return targets
    return torch.where(targets.isnan().any(dim=1), -1, targets.nan_to_num().argmax(dim=1))


class SpeakerStatistics:
    """Statistics of the columns of each speaker, to swap or remove them in batches.

    Parameters
    ----------
    sequences : Sequences of shape (n_utterances,)
        Utterances, labeled or not.
    groups : array-like of shape (n_utterances,)
        Speaker of each utterance.
    device : str or torch.device
        Device of the batches.
    scaling : bool, default=False
        Whether swapping and removing concern the standard deviations too, not only the means.
    """

    def __init__(self, sequences, groups, device, scaling=False):
        names, codes = np.unique(groups, return_inverse=True)
        counts = np.bincount(codes)

        def by_speaker(rows):  # utterances count equally, whatever their length
            sums = np.zeros((len(names), rows.shape[1]))
            np.add.at(sums, codes, rows)
            return sums / counts[:, None]

        means = by_speaker(utterance_means(sequences))
        self.codes = torch.as_tensor(codes, device=device)
        self.means = torch.as_tensor(means, dtype=torch.float32, device=device)
        self.center = self.means.mean(dim=0)
        self.deviations = None
        if scaling:
            variances = by_speaker(utterance_means(sequences, power=2)) - means**2
            deviations = np.sqrt(shrunk(variances, counts))
            self.deviations = torch.as_tensor(deviations, dtype=torch.float32, device=device)
            self.spread = self.deviations.square().mean(dim=0).sqrt()

    def swapped(self, x, lengths, rows, share, generator):
        """Return ``x`` with the statistics of another speaker, drawn for a `share` of the rows."""
        drawn = torch.randint(
            len(self.means), (len(rows),), generator=generator, device=self.means.device
        )
        chosen = self._chosen(rows, share, generator)
        spread = None if self.deviations is None else self.deviations[drawn]
        return self._moved(x, lengths, rows, self.means[drawn], spread, chosen)

    def centered(self, x, lengths, rows, share=1.0, generator=None):
        """Return ``x`` with the statistics of the speaker replaced by those of all speakers.

        A `share` below 1 leaves the other utterances, drawn anew in each call, as they are.
        """
        everyone = torch.ones(len(rows), 1, dtype=torch.bool, device=self.means.device)
        chosen = self._chosen(rows, share, generator) if share < 1 else everyone
        spread = None if self.deviations is None else self.spread
        return self._moved(x, lengths, rows, self.center, spread, chosen)

    def _moved(self, x, lengths, rows, mean, spread, chosen):
        """Replace the statistics of the speakers by others where `chosen` (batch, 1) is true."""
        own = self.means[self.codes[rows]]
        if spread is None:
            return _shifted(x, lengths, (mean - own) * chosen)
        deviations = self.deviations[self.codes[rows]]
        # A column that is constant for all speakers keeps its scale.
        factor = torch.where(chosen & (deviations > 0), spread / deviations, 1.0)
        x = x * factor.view(len(x), x.shape[1], 1, -1)
        return _shifted(x, lengths, (mean - own * factor) * chosen)

    def _chosen(self, rows, share, generator):
        drawn = torch.rand(len(rows), 1, generator=generator, device=self.means.device)
        return drawn < share


def groups_of(chosen, sequences, groups):
    """Return the groups of chosen utterances, which their starts in the block identify."""
    by_start = dict(zip(sequences.starts.tolist(), groups, strict=True))
    return np.array([by_start[start] for start in chosen.starts.tolist()])


def utterance_means(sequences, power=1):
    """Compute the mean (n_utterances, n_columns) over frames of each column to a power."""
    values, lengths = sequences.values, sequences.lengths
    if (lengths == 1).all():
        return values[sequences.starts].astype(np.float64) ** power
    return np.array(
        [
            (values[start : start + n].astype(np.float64) ** power).mean(axis=0)
            for start, n in zip(sequences.starts, lengths, strict=True)
        ]
    )


def shrunk(variances, counts):
    """Shrink the variances (n_speakers, n_columns) of speakers towards their mean.

    A speaker's own variance has the share (n - 1) / (n - 1 + 4) for n utterances, as in
    `skser.compose.adapt`, since few utterances say little about it.
    """
    share = ((counts - 1) / (counts - 1 + _PRIOR_WEIGHT))[:, None]
    pooled = np.average(variances, axis=0, weights=counts)
    return share * variances.clip(min=0) + (1 - share) * pooled.clip(min=0)


def _shifted(x, lengths, shift):
    """Add a constant (batch, n_columns) to the frames of ``x``, but not to the padding."""
    batch, n_channels, n_times, _ = x.shape
    inside = torch.arange(n_times, device=x.device) < lengths[:, None]
    return x + shift.view(batch, n_channels, 1, -1) * inside[:, None, :, None]


def matching_statistics(sequences, labeled, choice):
    """Shift and scale the unlabeled utterances to the statistics of the labeled ones.

    Parameters
    ----------
    sequences : Sequences of shape (n_utterances,)
        Utterances.
    labeled : ndarray of shape (n_utterances,), bool
        Whether an utterance has a target.
    choice : bool or "auto"
        Whether to do it. "auto" does it, with a warning, if the two settings differ.

    Returns
    -------
    Sequences
        The same object if nothing changes.
    """
    if choice is False or labeled.all():
        return sequences
    if choice == "auto":
        distance = _distance(sequences, labeled)
        if distance <= _ANOTHER_SETTING:
            return sequences
        warn_caller(
            f"The unlabeled utterances differ from the labeled ones by {distance:.2f} standard "
            "deviations, as speech of another corpus, microphone or room does. Their columns are "
            "shifted and scaled to the labeled ones in training. If they are of the same kind, "
            "pass objectives={'match_statistics': False}."
        )
    own = _frames_of(sequences, ~labeled)
    (mean, sd), (own_mean, own_sd) = (
        _moments(sequences.values[frames]) for frames in (_frames_of(sequences, labeled), own)
    )
    values = sequences.values.copy()
    scale = np.where(own_sd > 0, sd / np.where(own_sd > 0, own_sd, 1), 1)
    values[own] = (values[own] - own_mean) * scale + mean
    return type(sequences)(values, sequences.lengths, sequences.starts, sequences.layout)


def _distance(sequences, labeled):
    """Return the distance of the means, relative to the standard deviation, without chance."""
    n_known, n_others = int(labeled.sum()), int((~labeled).sum())
    if min(n_known, n_others) < _FEWEST:
        return 0.0
    rows = utterance_means(sequences)
    known, others = rows[labeled], rows[~labeled]
    variance = (known.var(axis=0) * n_known + others.var(axis=0) * n_others) / len(rows)
    if not variance.any():
        return 0.0
    shift = (known.mean(axis=0) - others.mean(axis=0)) ** 2
    # A ratio of sums, which a rotation of the columns does not change; minus what chance gives.
    squared = shift.sum() / variance.sum() - 1 / n_known - 1 / n_others
    return float(np.sqrt(max(0.0, squared)))


def _frames_of(sequences, chosen):
    """Return the indices of the frames of the chosen utterances."""
    starts, lengths = sequences.starts[chosen], sequences.lengths[chosen]
    return np.concatenate([np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)])


def _moments(values):
    values = values.astype(np.float64)
    return values.mean(axis=0), values.std(axis=0)
