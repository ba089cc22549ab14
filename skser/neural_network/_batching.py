"""Batches of utterances of similar length, gathered from one block and padded."""

import numpy as np
import skorch.dataset
import torch

from skser.neural_network._bimodal import Bimodal

# Number of batches that are cut from one bucket: shuffled utterances, sorted by length. Padding
# stays small, and yet each epoch combines utterances differently.
_BATCHES_PER_BUCKET = 8


class SequenceDataset(skorch.dataset.Dataset):
    """Dataset of `Sequences` and targets that skorch and its callbacks accept.

    Parameters
    ----------
    sequences : Sequences of shape (n_utterances,)
        Utterances.
    targets : ndarray of shape (n_utterances, ...)
        Target of each utterance.
    """

    def __init__(self, sequences, targets):
        self.sequences = sequences
        self.targets = targets

    @property
    def X(self):
        """Sequences, under the name that skorch uses."""
        return self.sequences

    @property
    def y(self):
        """Targets, under the name that skorch uses."""
        return self.targets

    def __len__(self):
        return len(self.sequences)


class BatchIterator:
    """Batches of one epoch over a `SequenceDataset`; each new iteration is the next epoch.

    Parameters
    ----------
    dataset : SequenceDataset
        Utterances and their targets.
    batch_size : int
        Maximum number of utterances per batch. Batches are as equal in size as the number of
        utterances allows.
    seed : int or None, default=None
        Seed of shuffling and augmentation, which draw from it over all epochs. None means no
        shuffling.
    augment : callable or None, default=None
        Function ``augment(x, lengths, generator)`` that returns new (x, lengths), applied to
        each batch. ``x`` is on the device; lengths and generator are on the CPU.
    mixup : callable or None, default=None
        Function ``mixup(x, lengths, targets, random_state)`` that returns new
        (x, lengths, targets), applied to each batch after `augment`.
    device : str or torch.device, default="cpu"
        Device of the batches. On a CUDA device, a dataset that fits into half of the free memory
        is copied there once, and batches are gathered there. Otherwise each batch is copied from
        pinned memory.
    block : tensor or None, default=None
        All values of the dataset, if they are on the device already.
    """

    def __init__(
        self,
        dataset,
        batch_size,
        seed=None,
        augment=None,
        mixup=None,
        device="cpu",
        block=None,
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.augment = augment
        self.mixup = mixup
        self.order = None if seed is None else np.random.RandomState(seed)
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.device = torch.device(device)
        self.block = block
        self._of_block = dataset.sequences
        if block is None:
            self._copy_to_device()

    def _copy_to_device(self):
        """Copy the values of the dataset to a CUDA device, if they fit."""
        self.block, self._of_block = None, self.dataset.sequences
        if self.device.type == "cuda":
            values = self.dataset.sequences.values
            if values.nbytes <= _free_memory(self.device) / 2:
                self.block = torch.tensor(values, device=self.device)

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def state(self):
        """Return the state of shuffling and augmentation, between two epochs."""
        return {"order": generator_state(self.order), "generator": self.generator.get_state()}

    def set_state(self, state):
        """Continue from a `state`."""
        set_generator_state(self.order, state["order"])
        self.generator.set_state(state["generator"].cpu())

    def __iter__(self):
        utterances = self.dataset.sequences
        if utterances is not self._of_block:  # a callback has replaced them
            self._copy_to_device()
        for indices in bucketed_indices(utterances.lengths, self.batch_size, self.order):
            targets = torch.from_numpy(self.dataset.targets[indices])
            inputs = padded_batch(utterances, indices, self.block)
            x, lengths = self._moved(inputs.pop("x")), inputs.pop("lengths")
            if self.augment is not None:
                x, lengths = self.augment(x, lengths, self.generator)
            if self.mixup is not None:
                x, lengths, targets = self.mixup(x, lengths, targets, self.order)
            others = {name: self._moved(value) for name, value in inputs.items()}
            yield {**others, "x": x, "lengths": self._moved(lengths)}, self._moved(targets)

    def _moved(self, tensor):
        if self.device.type == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()  # copies from other memory block the host
        return tensor.to(self.device, non_blocking=True)


def generator_state(random_state):
    """Return the state of a RandomState as a list of plain numbers and text."""
    name, keys, *place = random_state.get_state()
    return [name, keys.tolist(), *place]


def set_generator_state(random_state, state):
    """Set a RandomState to a `generator_state`."""
    random_state.set_state(tuple(state))


def _free_memory(device):
    """Return the number of free bytes on a CUDA device."""
    return torch.cuda.mem_get_info(device)[0]


def bucketed_indices(lengths, batch_size, random_state=None):
    """Split utterances into batches of similar length.

    Parameters
    ----------
    lengths : ndarray of shape (n_utterances,), int
        Number of frames of each utterance.
    batch_size : int
        Maximum number of utterances per batch.
    random_state : RandomState or None, default=None
        Random generator of the order. None sorts all utterances by length, with a stable sort.

    Returns
    -------
    list of ndarray, int
        Indices of the utterances of each batch.
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


def rounded_up(n_times):
    """Round a number of frames up to a padded length, of which there are 16 per octave.

    Few distinct shapes keep training fast, as torch prepares convolutions anew for each shape.
    """
    step = 1 << max(n_times.bit_length() - 5, 0)
    return -(-n_times // step) * step


def _gathered(block, starts, lengths, n_times):
    """Gather utterances from a block on a device, with zeros beyond each."""
    times = np.arange(n_times)
    # An utterance with 0 frames (a missing modality) reads some other frame, zeroed below.
    rows = starts[:, None] + np.minimum(times, np.maximum(lengths[:, None] - 1, 0))
    x = block[torch.from_numpy(rows).to(block.device, non_blocking=True)]
    first = int(lengths.min())
    if first < n_times:
        inside = torch.from_numpy(times[first:] < lengths[:, None])
        x[:, first:] *= inside.unsqueeze(-1).to(x.device, non_blocking=True)
    return x


def padded_batch(sequences, indices, block=None):
    """Gather utterances into one padded tensor.

    Parameters
    ----------
    sequences : Sequences or Bimodal
        Utterances to choose from.
    indices : ndarray of int
        Utterances to gather.
    block : tensor or None, default=None
        Values of `sequences` on the device where they are gathered. None gathers them from
        memory.

    Returns
    -------
    dict
        ``x``, a float32 tensor of shape (batch, channels, time, bands), zero beyond each
        utterance, and ``lengths``, an int64 tensor of shape (batch,), on the CPU. `Bimodal` adds
        ``words`` and ``word_lengths`` of the same form for the word pieces.
    """
    if isinstance(sequences, Bimodal):
        words = padded_batch(sequences.words, indices)
        return {
            **padded_batch(sequences.frames, indices, block),
            "words": words["x"],
            "word_lengths": words["lengths"],
        }
    lengths, starts = sequences.lengths[indices], sequences.starts[indices]
    n_times = rounded_up(max(1, int(lengths.max())))
    if block is None:
        padded = np.zeros((len(indices), n_times, sequences.n_columns), np.float32)
        for utterance, start, length in zip(padded, starts, lengths, strict=True):
            utterance[:length] = sequences.values[start : start + length]
        x = torch.from_numpy(padded)
    else:
        x = _gathered(block, starts, lengths, n_times)
    x = x.unflatten(-1, (sequences.layout.n_channels, -1))
    return {"x": x.transpose(1, 2), "lengths": torch.from_numpy(lengths)}
