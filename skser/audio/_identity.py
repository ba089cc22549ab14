"""Identity of utterances by their content, independent of where and under which name it lies."""

import functools
import hashlib
import os

import numpy as np

from skser.audio._errors import AudioReadError
from skser.audio._inputs import rate_of
from skser.audio._opening import open_audio
from skser.audio._utterance import Utterance
from skser.audio._waveform import detached


def identity(item, input_sampling_rate):
    """Compute a digest of an utterance from the content of its source, its times and its channel.

    Parameters
    ----------
    item : str, Utterance or array-like
        Element of the list that `audio_inputs` returns.
    input_sampling_rate : float or None
        Sampling rate in Hz of arrays that do not state their own.

    Returns
    -------
    str or None
        Hexadecimal digest, or None if the content cannot be hashed (an array of objects).

    Raises
    ------
    AudioReadError
        If the item names a file that cannot be opened.
    """
    if not isinstance(item, Utterance):
        return _content(item, input_sampling_rate)
    content = source_identity(item, input_sampling_rate)
    if content is None or item.is_whole:
        return content
    digest = hashlib.blake2b(content.encode(), digest_size=16, person=b"part")
    digest.update(f"{item.start or 0.0!r} {item.end!r} {item.channel!r}".encode())
    return digest.hexdigest()


def source_identity(item, input_sampling_rate):
    """Compute a digest of the whole recording that an utterance belongs to.

    Parameters, returned value and errors are those of `identity`.
    """
    source = item.source if isinstance(item, Utterance) else item
    if isinstance(item, Utterance) and isinstance(source, str):
        # A file often holds many utterances; the cache hashes it again only if it has changed.
        try:
            status = os.stat(source)
        except (OSError, ValueError):
            return _content(source, None)  # raises AudioReadError with the reason
        return _file_content(
            source, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )
    return _content(source, input_sampling_rate)


@functools.lru_cache(maxsize=1024)
def _file_content(path, *status):
    return _content(path, None)


def _content(source, input_sampling_rate):
    if isinstance(source, str | bytes):
        with open_audio(source, "the audio" if isinstance(source, bytes) else None) as file:
            return hashlib.file_digest(file, _file_digest).hexdigest()
    try:
        array = np.asarray(detached(source))
    except ValueError:  # ragged
        return None
    if array.dtype == object:
        return None
    digest = hashlib.blake2b(digest_size=16, person=b"array")
    rate = float(rate_of(source, input_sampling_rate))
    digest.update(f"{array.dtype.str} {array.shape} {rate!r} ".encode())
    digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def _file_digest():
    return hashlib.blake2b(digest_size=16, person=b"file")


def overlapping(items, input_sampling_rate, key=source_identity):
    """Find pairs of utterances that share samples of one recording.

    Parameters
    ----------
    items : list
        Audio in the form that `audio_inputs` returns.
    input_sampling_rate : float or None
        Sampling rate in Hz of arrays that do not state their own.
    key : callable, default=source_identity
        Function ``key(item, input_sampling_rate)`` that returns the same value for all parts of
        a recording, and None if the recording is unknown.

    Returns
    -------
    list of (int, int)
        Sorted pairs of positions in `items`. Two copies of a whole recording do not count as a
        pair, and neither do two different channels.
    """
    if not any(isinstance(item, Utterance) and not item.is_whole for item in items):
        return []
    parts = {}
    for i, item in enumerate(items):
        try:
            content = key(item, input_sampling_rate)
        except AudioReadError:  # reported when the utterance is read
            continue
        if content is not None:
            whole = (0.0, np.inf, None)
            if isinstance(item, Utterance):
                end = np.inf if item.end is None else item.end
                whole = (item.start or 0.0, end, item.channel)
            parts.setdefault(content, []).append((*whole, i))
    pairs = []
    for of_one in parts.values():
        of_one.sort(key=lambda part: (part[0], part[3]))
        running = []
        for start, end, channel, i in of_one:
            running = [part for part in running if part[1] > start]
            for other_start, other_end, other_channel, j in running:
                both_whole = start == other_start == 0 and end == other_end == np.inf
                apart = isinstance(channel, int) and isinstance(other_channel, int)
                if not (apart and channel != other_channel) and not (
                    both_whole and channel == other_channel
                ):
                    pairs.append((min(i, j), max(i, j)))
            running.append((start, end, channel, i))
    return sorted(pairs)
