"""The extraction engine: many utterances read, computed, kept and collected."""

import os
from dataclasses import dataclass

import numpy as np

from skser._device import torch_threads
from skser.audio import identity, printable, utterance_name
from skser.feature_extraction._done import FeatureCache
from skser.feature_extraction._parallel import WorkersLost, n_workers, parallel_map
from skser.sequences import Sequences

# One task of parallel work is a run of utterances, of so many, or so many bytes, at most.
_RUN_UTTERANCES = 64
_RUN_BYTES = 2**22
# What bounds the memory of a batch: utterances are gathered until they hold so many samples.
SAMPLES_AT_ONCE = 2**22
# Numbers of values of a block: it doubles up to the one, and is moved by the system from the other.
_SMALL, _LARGE = 2**20, 2**24


@dataclass(frozen=True)
class _Unextracted:
    """An utterance that is read, with its identity, or None, in the cache."""

    samples: np.ndarray
    key: str | None

    @property
    def size(self):
        return self.samples.size


class ExtractionEngine:
    """Runs a transformer of audio over many utterances.

    Processes read utterances and compute features, or, where the transformer works on batches,
    only read: features are then computed here, of many utterances at a time.

    Parameters
    ----------
    transformer : AudioTransformer
    prepared : object
        What its `_prepare` returns.
    reduce : callable or None, default=None
        Takes the frames of some utterances, a list, and gives an array for each, where they are
        computed.
    """

    def __init__(self, transformer, prepared, reduce=None):
        self.transformer = transformer
        self.prepared = prepared
        self.reduce = reduce
        memory = transformer.memory
        self.cache = None if memory is None else FeatureCache(memory, transformer._setting())

    def run(self, items):
        """Extract the features of every utterance.

        Parameters
        ----------
        items : list of str or list of ndarray
            From `audio_inputs`.

        Returns
        -------
        FrameBuffer
            Of an array, or (name, reason), per item.
        """
        results = FrameBuffer()
        for result in self.stream(range(len(items)), items, wait=False):
            results.append(result)
        # What another process was busy with has waited until the end.
        left = [i for i, result in enumerate(results) if result is None]
        late = self.stream(left, items, wait=True) if left else ()
        for i, result in zip(left, late, strict=True):
            results[i] = result
        return results

    def stream(self, indices, items, *, wait):
        """Yield the features of the utterances at some indices, in order.

        Parameters
        ----------
        indices : sequence of int
        items : list of str or list of ndarray
        wait : bool
            Whether to wait for another process that is computing an utterance.

        Yields
        ------
        ndarray, tuple or None
            Features, which are the reader's until the next are asked for; (name, reason) of an
            utterance that could not be used; None where another process is at it.
        """
        results = self._mapped(indices, items, wait)
        if not self.transformer._in_batches:
            yield from results
            return
        batch, size = [], 0
        for result in results:
            # A cached array is only lent; see `parallel_map`.
            batch.append(np.array(result) if isinstance(result, np.ndarray) else result)
            size += getattr(result, "size", 0)
            if size >= SAMPLES_AT_ONCE:
                yield from self._extracted(batch)
                batch, size = [], 0
        yield from self._extracted(batch)

    def _mapped(self, indices, items, wait):
        """Yield what `_extract_run` gives for each index."""
        n_jobs = self.transformer.n_jobs
        runs = _runs(indices, items, n_workers(n_jobs), together=self.reduce is not None)
        tasks = [(self, run, [items[i] for i in run], wait) for run in runs]
        results = (result for run in parallel_map(_extract_run, tasks, n_jobs) for result in run)
        if self.transformer.verbose:
            from tqdm.auto import tqdm

            name = type(self.transformer).__name__
            results = tqdm(results, total=len(indices), desc=name, unit="utterance")
        try:
            yield from results
        except WorkersLost as lost:
            i = runs[lost.task][0]
            name = printable(utterance_name(items[i], i))
            raise RuntimeError(
                f"Worker processes died again and again at, or soon after, {name}: "
                "short of memory, or over a file that crashes its reader?"
            ) from lost

    def _extracted(self, batch):
        """The batch, with features for whatever was only read so far."""
        import torch

        places = [i for i, result in enumerate(batch) if isinstance(result, _Unextracted)]
        if not places:
            return batch
        samples = [batch[i].samples for i in places]
        with torch_threads(), torch.inference_mode():
            features = self.transformer._extract_batch(samples, self.prepared)
        reduced = features if self.reduce is None else self.reduce(features)
        for i, frames, result in zip(places, features, reduced, strict=True):
            if batch[i].key:
                self.cache.keep(batch[i].key, frames)
            batch[i] = result
        return batch

    def extract_one(self, index, item, wait):
        """Features of one utterance, kept or computed; `_Unextracted` for a batch."""
        transformer, prepared = self.transformer, self.prepared

        def extract():
            return transformer._extract(transformer._read(item, index), prepared)

        def extract_or_find():
            key = self.cache and identity(item, transformer.input_sampling_rate)
            if not transformer._in_batches:
                return self.cache.get(key, extract, wait=wait) if key else extract()
            # No lock, since a batch would hold many: two processes may both compute an utterance.
            found = self.cache.find(key) if key else None
            if found is not None:
                return found
            samples = transformer._read(item, index)
            transformer._check_length(samples, prepared)
            return _Unextracted(samples, key)

        return transformer._extract_one(item, index, prepared, extract_or_find)


def _runs(indices, items, n_workers, together):
    """Cut into runs, short enough that every worker gets several.

    One process alone takes utterances one by one, unless working on them `together` pays.
    """
    share = len(indices) // (4 * n_workers)
    alone = n_workers == 1 and not together
    n_utterances = 1 if alone else max(1, min(_RUN_UTTERANCES, share))
    runs, total = [], np.inf
    for i in indices:
        size = _n_bytes(items[i])
        if total + size > _RUN_BYTES or len(runs[-1]) == n_utterances:
            runs.append([])
            total = 0
        runs[-1].append(i)
        total += size
    return runs


def _n_bytes(item):
    if not isinstance(item, str):
        return getattr(item, "nbytes", 0)
    try:
        return os.path.getsize(item)
    except (OSError, ValueError):  # a name that no file can have
        return 0


def _extract_run(engine, indices, items, wait):
    """What one task does."""
    results = [engine.extract_one(i, item, wait) for i, item in zip(indices, items, strict=True)]
    done = [i for i, result in enumerate(results) if isinstance(result, np.ndarray)]
    if engine.reduce is not None and done:
        for i, reduced in zip(done, engine.reduce([results[i] for i in done]), strict=True):
            results[i] = reduced
    return results


class FrameBuffer:
    """A list whose frames, 2-D float32 arrays of one width, are copied into one block.

    Memory that is touched for the first time costs about as much as computing what it holds;
    arrays that are gathered in a list and concatenated would touch twice as much.
    """

    def __init__(self):
        self._values = None
        self._n_frames = 0
        self._entries = []  # a slice of the block, or anything else as it is

    def append(self, result):
        """Add a result; an array is copied."""
        self._entries.append(self._store(result))

    def _store(self, result):
        if not isinstance(result, np.ndarray):
            return result
        if result.ndim != 2 or result.dtype != np.float32:
            return np.array(result)
        if self._values is None:
            self._values = np.empty((0, result.shape[1]), np.float32)
        if result.shape[1] != self._values.shape[1]:
            return np.array(result)
        start, stop = self._n_frames, self._n_frames + len(result)
        if stop > len(self._values):
            self._grow(stop)
        self._values[start:stop] = result
        self._n_frames = stop
        return slice(start, stop)

    def _grow(self, n_frames):
        capacity, width = self._values.shape
        if capacity * width >= _LARGE:
            # The system moves pages, not their content.
            return self._resize(max(n_frames, capacity * 5 // 4))
        # A large block costs no more than what of it is used.
        wanted = 2 * n_frames if n_frames * width < _SMALL else _LARGE // width + 1
        larger = np.empty((max(n_frames, wanted), width), np.float32)
        larger[: self._n_frames] = self._values[: self._n_frames]
        self._values = larger

    def _resize(self, n_frames):
        # No view is out yet, or they are all given up.
        self._values.resize((n_frames, self._values.shape[1]), refcheck=False)

    def __len__(self):
        return len(self._entries)

    def __getitem__(self, i):
        entry = self._entries[i]
        return self._values[entry] if isinstance(entry, slice) else entry

    def __setitem__(self, i, result):
        self._entries[i] = result

    def sequences(self, layout):
        """`Sequences` of the results, which must all be frames; the buffer is given up."""
        if not all(isinstance(entry, slice) for entry in self._entries):
            return Sequences.from_list(list(self), layout)
        self._resize(self._n_frames)
        return Sequences(self._values, [e.stop - e.start for e in self._entries], layout=layout)
