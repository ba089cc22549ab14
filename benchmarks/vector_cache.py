"""Vectors of recordings that are computed once, whatever model, fold or copy asks for them."""

import hashlib
import sqlite3

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone

from skser.audio import Waveform, load_audio

_OF_FILES = {}  # vectors by transformer and path, which spare this process another reading


class CachedVectors(TransformerMixin, BaseEstimator):
    """Transformer of audio to vectors, with one file for all vectors.

    `memory` of the transformers keeps the frames of each utterance in a file of its own, which for
    sentence vectors of some ten thousand altered recordings is far more than the vectors.

    Parameters
    ----------
    transformer : transformer of audio
        Transformer that returns a 2-D array.
    path : path-like
        Path of the SQLite database.
    input_sampling_rate : float or None, default=None
        Ignored: recordings state their own sampling rate.
    """

    def __init__(self, transformer, path, input_sampling_rate=None):
        self.transformer = transformer
        self.path = path
        self.input_sampling_rate = input_sampling_rate

    def fit(self, X, y=None):
        """Do nothing, as the transformer is stateless."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        """Return the vectors of recordings, which are paths or waveforms."""
        sources = list(X["audio"] if hasattr(X, "columns") else X)
        name = repr(self.transformer)
        places = [(name, source) if isinstance(source, str) else None for source in sources]
        found = [_OF_FILES.get(place) for place in places]
        missing = [i for i, vector in enumerate(found) if vector is None]
        for i, vector in zip(missing, self._stored([sources[i] for i in missing]), strict=True):
            found[i] = vector
            if places[i]:
                _OF_FILES[places[i]] = vector
        return np.stack(found)

    def _stored(self, sources):
        """Return vectors from the database, and compute and add those that it lacks."""
        if not sources:
            return []
        waves = [as_waveform(source) for source in sources]
        keys = [self._key(wave) for wave in waves]
        database = sqlite3.connect(self.path, timeout=600)
        database.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB)")
        found = {}
        for key in keys:
            row = database.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
            if row is not None:
                found[key] = np.frombuffer(row[0], np.float32)
        missing = {key: wave for key, wave in zip(keys, waves, strict=True) if key not in found}
        keys_left = list(missing)
        for start in range(0, len(missing), 64):  # a kill loses little
            some = keys_left[start : start + 64]
            computed = clone(self.transformer).fit_transform([missing[key] for key in some])
            found |= dict(zip(some, np.asarray(computed, np.float32), strict=True))
            rows = [(key, found[key].tobytes()) for key in some]
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
            database.commit()
        database.close()
        return [found[key] for key in keys]

    def _key(self, wave):
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.transformer!r} {wave.sampling_rate}".encode())
        digest.update(np.ascontiguousarray(wave, np.float32).tobytes())
        return digest.hexdigest()


def as_waveform(source):
    """Return a recording with its sampling rate."""
    if isinstance(source, Waveform):
        return source
    samples, rate = load_audio(source)
    return Waveform(samples, rate, max_amplitude=None)
