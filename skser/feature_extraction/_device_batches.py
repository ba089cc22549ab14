"""Extraction of many utterances at a time, on a torch device."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from skser.feature_extraction._base import AudioTransformer

# What bounds memory: utterances are gathered until they hold so many samples.
SAMPLES_AT_ONCE = 2**22


@dataclass(frozen=True)
class Unextracted:
    """An utterance that is read, with its key in the cache, or None."""

    samples: np.ndarray
    key: str | None

    @property
    def size(self):
        return self.samples.size


class DeviceTransformer(AudioTransformer):
    """Base of transformers that compute utterance by utterance or, on a device, in batches.

    Where `_in_batches` is true, parallel work is only the reading; features are computed here,
    of many utterances at a time: `_extract_on_device` does for them what `_extract` does for
    one.
    """

    @property
    @abstractmethod
    def _in_batches(self):
        """Whether features are computed by `_extract_on_device`."""

    @abstractmethod
    def _check_length(self, samples, prepared):
        """Raise UtteranceTooShort where there is nothing to compute."""

    @abstractmethod
    def _extract_on_device(self, utterances, prepared):
        """List of what `_extract` gives, for as many arrays of samples."""

    def _extract_kept(self, read, prepared, cache, key, wait):
        if not self._in_batches:
            return super()._extract_kept(read, prepared, cache, key, wait)
        # No lock, since a batch would hold many: two processes may both compute an utterance.
        found = cache.find(key) if key else None
        if found is not None:
            return found
        samples = read()
        self._check_length(samples, prepared)
        return Unextracted(samples, key)

    def _run(self, indices, items, prepared, cache, wait, reduce=None):
        results = super()._run(indices, items, prepared, cache, wait, reduce)
        if not self._in_batches:
            yield from results
            return
        batch, size = [], 0
        for result in results:
            # A cached array is only lent; see `in_order`.
            batch.append(np.array(result) if isinstance(result, np.ndarray) else result)
            size += getattr(result, "size", 0)
            if size >= SAMPLES_AT_ONCE:
                yield from self._extracted(batch, prepared, cache, reduce)
                batch, size = [], 0
        yield from self._extracted(batch, prepared, cache, reduce)

    def _extracted(self, batch, prepared, cache, reduce=None):
        """The batch, with features for whatever was only read so far."""
        import torch

        places = [i for i, result in enumerate(batch) if isinstance(result, Unextracted)]
        if not places:
            return batch
        with torch.inference_mode():
            features = self._extract_on_device([batch[i].samples for i in places], prepared)
        reduced = features if reduce is None else reduce(features)
        for i, frames, result in zip(places, features, reduced, strict=True):
            if batch[i].key:
                cache.keep(batch[i].key, frames)
            batch[i] = result
        return batch
