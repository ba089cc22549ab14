"""The extraction engine: reads many utterances, computes, caches and collects their features."""

import os
from dataclasses import dataclass

import numpy as np

from skser._device import torch_threads
from skser.audio import identity, printable, utterance_name
from skser.feature_extraction._done import FeatureCache
from skser.feature_extraction._parallel import WorkersLost, n_workers, parallel_map
from skser.sequences import Sequences

# A parallel task is a run of utterances; these limit their number and their total size.
_RUN_UTTERANCES = 16
_RUN_BYTES = 2**22
# Bounds the memory of a batch, which gathers utterances until it holds this many samples.
SAMPLES_AT_ONCE = 2**22
# Growth of a `FrameBuffer`: at least and at most to this many times the frames that it must hold.
_LEAST_GROWTH, _MOST_GROWTH = 1.25, 32


@dataclass(frozen=True)
class _Unextracted:
    """Samples of an utterance without features yet, and its cache key, None if not cached."""

    samples: np.ndarray
    key: str | None

    @property
    def size(self):
        return self.samples.size


class ExtractionEngine:
    """Runner of a transformer of audio over many utterances.

    Worker threads or processes read utterances and compute features. If the transformer works on
    batches, they only read, and the calling thread computes many utterances at a time.

    Parameters
    ----------
    transformer : AudioTransformer
    prepared : object
        Result of the transformer's `_prepare`.
    reduce : callable or None, default=None
        Function from a list with the frames of some utterances to one array for each. It is
        called where the frames are computed. None keeps the frames.
    """

    def __init__(self, transformer, prepared, reduce=None):
        self.transformer = transformer
        self.prepared = prepared
        self.reduce = reduce
        memory = transformer.memory
        self.cache = None
        if memory is not None:
            like = transformer._empty_result(prepared)
            self.cache = FeatureCache(memory, transformer._setting(), like)

    def run(self, items):
        """Extract the features of every utterance.

        Parameters
        ----------
        items : list of str or list of ndarray
            Result of `audio_inputs`.

        Returns
        -------
        FrameBuffer
            One array, or (name, reason) if it could not be used, per item.
        """
        results = FrameBuffer([_n_bytes(item) for item in items])
        for result in self.stream(range(len(items)), items, wait=False):
            results.append(result)
        # Utterances that another process was computing come last, when they are likely cached.
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
            Positions in `items`.
        items : list of str or list of ndarray
            Result of `audio_inputs`.
        wait : bool
            Whether to wait for another process that is computing an utterance.

        Yields
        ------
        ndarray, tuple or None
            Features; (name, reason) of an utterance that could not be used; None if another
            process is computing it.
        """
        results = self._mapped(indices, items, wait)
        if not self.transformer._in_batches:
            yield from results
            return
        batch, size = [], 0
        for result in results:
            batch.append(result)
            size += getattr(result, "size", 0)
            if size >= SAMPLES_AT_ONCE:
                yield from self._extracted(batch)
                batch, size = [], 0
        yield from self._extracted(batch)

    def _mapped(self, indices, items, wait):
        """Yield the result of `_extract_run` for each index."""
        transformer = self.transformer
        n_jobs = transformer.n_jobs
        runs = _runs(indices, items, n_workers(n_jobs), together=self.reduce is not None)
        tasks = [(self, run, [items[i] for i in run], wait) for run in runs]
        prefer = "threads" if transformer._in_batches else transformer._prefer
        done = parallel_map(_extract_run, tasks, n_jobs, prefer)
        results = (result for run in done for result in run)
        if transformer.verbose:
            from tqdm.auto import tqdm

            name = type(transformer).__name__
            results = tqdm(results, total=len(indices), desc=name, unit="utterance")
        try:
            yield from results
        except WorkersLost as lost:
            i = runs[lost.task][0]
            name = printable(utterance_name(items[i], i))
            raise RuntimeError(
                f"Worker processes died repeatedly at {name} or soon after it. If memory ran "
                "out, use a smaller n_jobs=; if a file crashes its reader, leave it out."
            ) from lost

    def _extracted(self, batch):
        """Replace the utterances of a batch that are only read by their features."""
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
        """Return the features of one utterance, from the cache or computed.

        A transformer that works on batches gets an `_Unextracted` instead of computed features.
        """
        transformer, prepared = self.transformer, self.prepared

        def extract():
            return transformer._extract(transformer._read(item, index), prepared)

        def extract_or_find():
            key = self.cache and identity(item, transformer.input_sampling_rate)
            if not transformer._in_batches:
                return self.cache.get(key, extract, wait=wait) if key else extract()
            # No lock, since a batch would hold many. So two processes may compute one utterance.
            found = self.cache.find(key) if key else None
            if found is not None:
                return found
            samples = transformer._read(item, index)
            transformer._check_length(samples, prepared)
            return _Unextracted(samples, key)

        return transformer._extract_one(item, index, prepared, extract_or_find)


def _runs(indices, items, n_workers, together):
    """Cut the indices into runs that are short enough for every worker to get several.

    A single process takes utterances one by one, unless it is faster to process them `together`.
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
    except (OSError, ValueError):  # ValueError: the name holds a null byte
        return 0


def _extract_run(engine, indices, items, wait):
    """Extract, and reduce, a run of utterances: one task."""
    results = [engine.extract_one(i, item, wait) for i, item in zip(indices, items, strict=True)]
    done = [i for i, result in enumerate(results) if isinstance(result, np.ndarray)]
    if engine.reduce is not None and done:
        for i, reduced in zip(done, engine.reduce([results[i] for i in done]), strict=True):
            results[i] = reduced
    return results


class FrameBuffer:
    """List that copies frames, 2-D float32 arrays of one width, into one contiguous block.

    Touching memory for the first time takes about as long as computing the features in it.
    Gathering arrays in a list and concatenating them would touch twice as much.

    Parameters
    ----------
    sizes : sequence of int, default=()
        Size of the audio of each expected result, in any unit. The block is made large enough for
        all of them if frames are in proportion.
    """

    def __init__(self, sizes=()):
        self._sizes = np.cumsum([1, *sizes], dtype=float)  # 1 avoids division by zero
        self._values = None
        self._n_frames = 0
        self._entries = []  # slices of the block, and any other results themselves

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
        n_done = min(len(self._entries) + 1, len(self._sizes) - 1)
        share = self._sizes[n_done] / self._sizes[-1]
        # Pages cost nothing until they are touched, so a generous block costs no more than its
        # used part. `ndarray.resize` would touch them, since it fills what it adds with zeros.
        capacity = n_frames * np.clip(1.1 / share, _LEAST_GROWTH, _MOST_GROWTH)
        larger = np.empty((int(capacity) + 1, self._values.shape[1]), np.float32)
        larger[: self._n_frames] = self._values[: self._n_frames]
        self._values = larger

    def __len__(self):
        return len(self._entries)

    def __getitem__(self, i):
        entry = self._entries[i]
        return self._values[entry] if isinstance(entry, slice) else entry

    def __setitem__(self, i, result):
        self._entries[i] = result

    def sequences(self, layout):
        """Turn the results into `Sequences`. The buffer must not be used afterwards."""
        if not all(isinstance(entry, slice) for entry in self._entries):
            return Sequences.from_list(list(self), layout)
        # Safe without a reference check: by contract, no view of the block is in use any more.
        self._values.resize((self._n_frames, self._values.shape[1]), refcheck=False)
        return Sequences(self._values, [e.stop - e.start for e in self._entries], layout=layout)
