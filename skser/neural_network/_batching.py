"""Length-bucketed batches of utterances, gathered from one block and padded."""

import numpy as np
import torch

# Batches are cut from runs of this many batches' worth of shuffled utterances, sorted by
# length: little padding, and yet another company for each utterance every epoch.
_BATCHES_PER_BUCKET = 8


class SequenceDataset(torch.utils.data.Dataset):
    """`Sequences` and their targets, as skorch takes them.

    Parameters
    ----------
    sequences : Sequences of shape (n_utterances,)
    targets : ndarray of shape (n_utterances, ...)
    """

    def __init__(self, sequences, targets):
        self.sequences = sequences
        self.targets = targets

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, indices):
        """One padded batch: a dict of the module's arguments, and the targets."""
        return padded_batch(self.sequences, indices), torch.from_numpy(self.targets[indices])


class BatchIterator:
    """Iterate over a `SequenceDataset` once per epoch.

    Parameters
    ----------
    dataset : SequenceDataset
    batch_size : int
        Utterances per batch at most; batches are as equal in size as the number of
        utterances allows.
    seed : int or None, default=None
        Seed of order and augmentation, which go on from epoch to epoch; None means no
        shuffling.
    augment : callable or None, default=None
        ``augment(x, lengths, generator)`` -> (x, lengths), applied to every batch.
    mixup : callable or None, default=None
        ``mixup(x, lengths, targets, random_state)`` -> (x, lengths, targets), applied to
        every batch after `augment`.
    """

    def __init__(self, dataset, batch_size, seed=None, augment=None, mixup=None):
        self.dataset = dataset
        self.batch_size = batch_size
        self.augment = augment
        self.mixup = mixup
        self.order = None if seed is None else np.random.RandomState(seed)
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        lengths = self.dataset.sequences.lengths
        for indices in bucketed_indices(lengths, self.batch_size, self.order):
            inputs, targets = self.dataset[indices]
            if self.augment is not None:
                inputs["x"], inputs["lengths"] = self.augment(
                    inputs["x"], inputs["lengths"], self.generator
                )
            if self.mixup is not None:
                inputs["x"], inputs["lengths"], targets = self.mixup(
                    inputs["x"], inputs["lengths"], targets, self.order
                )
            yield inputs, targets


def bucketed_indices(lengths, batch_size, random_state=None):
    """Split utterances into batches of similar length.

    Parameters
    ----------
    lengths : ndarray of shape (n_utterances,), int
    batch_size : int
        Utterances per batch at most.
    random_state : RandomState or None, default=None
        None sorts all utterances by length, in a stable order.

    Returns
    -------
    list of ndarray, int
    """
    n_batches = -(-len(lengths) // batch_size)
    if random_state is None:
        return np.array_split(np.argsort(lengths, kind="stable"), n_batches)
    shuffled = np.array_split(random_state.permutation(len(lengths)), n_batches)
    batches = []
    for first in range(0, n_batches, _BATCHES_PER_BUCKET):
        run = shuffled[first : first + _BATCHES_PER_BUCKET]
        bucket = np.concatenate(run)
        batches += np.array_split(bucket[np.argsort(lengths[bucket], kind="stable")], len(run))
    return [batches[i] for i in random_state.permutation(n_batches)]


def padded_batch(sequences, indices):
    """Gather utterances into one padded tensor.

    Returns
    -------
    dict
        ``x``, a float32 tensor of shape (batch, channels, time, bands), zero beyond each
        utterance, and ``lengths``, an int64 tensor of shape (batch,).
    """
    lengths = sequences.lengths[indices]
    n_times = int(lengths.max())
    times = np.arange(n_times)
    rows = sequences.starts[indices][:, None] + np.minimum(times, lengths[:, None] - 1)
    x = torch.from_numpy(sequences.values[rows])
    lengths = torch.from_numpy(lengths)
    first = int(lengths.min())
    if first < n_times:
        x[:, first:] *= (torch.from_numpy(times[first:]) < lengths[:, None]).unsqueeze(-1)
    layout = sequences.layout
    x = x.unflatten(-1, (layout.n_channels, layout.n_bands))
    return {"x": x.transpose(1, 2), "lengths": lengths}
