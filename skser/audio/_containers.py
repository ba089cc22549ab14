"""Reading of phone and browser formats, which libsndfile does not support, with PyAV."""

import numpy as np

from skser._optional import import_optional
from skser.audio._checks import span
from skser.audio._errors import AudioReadError, printable

_BLOCK_SAMPLES = 2**18
_STARTS = {
    b"\x1a\x45\xdf\xa3": "Matroska or WebM",
    b"\x30\x26\xb2\x75": "WMA",
    b"#!AMR": "AMR",
    b"\xff\xf1": "AAC",
    b"\xff\xf9": "AAC",
}


def is_container(opened):
    """Return True if a file starts with the signature of a format that PyAV reads."""
    return _kind(opened) is not None


def _kind(opened):
    opened.seek(0)
    head = opened.read(16)
    opened.seek(0)
    if head[4:8] == b"ftyp":
        return "3GP" if head[8:11] in (b"3gp", b"3g2") else "MP4 or M4A"
    return next((kind for start, kind in _STARTS.items() if head.startswith(start)), None)


def part_of_container(opened, name, utterance):
    """Decode a part of the first audio track of a file, in bounded memory.

    Everything before the part is decoded and discarded, because these formats cannot seek to an
    exact sample.

    Parameters
    ----------
    opened : binary file
        File to decode.
    name : str
        Name of the file in error messages.
    utterance : Utterance
        Times of the part; its channel and limits are not applied.

    Yields
    ------
    block : ndarray of shape (n_samples, n_channels), float32
        Successive samples of the part, possibly none.
    sampling_rate : int
        Sampling rate of the file in Hz.
    first : int
        Number of samples before the part.
    is_float : bool
        True if samples can exceed full scale.

    Raises
    ------
    AudioReadError
        If PyAV is not installed, or the file cannot be decoded.
    """
    kind = _kind(opened)
    try:
        av = import_optional("av", extra="containers", purpose=f"Reading {kind}")
    except ImportError as error:
        raise AudioReadError([(name, f"cannot be read: {str(error).rstrip('.')}")]) from error
    try:
        with av.open(opened, metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise AudioReadError([(name, f"holds no audio track ({kind})")])
            yield from _part(container, name, utterance)
    except (av.FFmpegError, UnicodeDecodeError) as error:
        reason = f"cannot be read as audio ({kind}: {printable(str(error))})"
        raise AudioReadError([(name, reason)]) from error


def _part(container, name, utterance):
    blocks, n_kept, place, rate, n_channels = [], 0, 0, None, None
    for frame in container.decode(container.streams.audio[0]):
        if rate is None:
            rate, n_channels = frame.sample_rate, frame.layout.nb_channels
            first, last = span(utterance, rate, None, name)
        if (frame.sample_rate, frame.layout.nb_channels) != (rate, n_channels):
            reason = (
                "changes its sampling rate or number of channels midway: convert it to a file "
                "with one rate and one number of channels"
            )
            raise AudioReadError([(name, reason)])
        if last is not None and place >= last:
            break
        samples = _samples(frame, n_channels)
        stop = len(samples) if last is None else last - place
        samples = samples[max(0, first - place) : max(0, stop)]
        place += frame.samples
        if len(samples):
            blocks.append(samples)
            n_kept += len(samples)
        if n_kept >= _BLOCK_SAMPLES:
            yield np.concatenate(blocks), rate, first, True
            blocks, n_kept = [], 0
    if rate is None:
        return
    empty = np.empty((0, n_channels), np.float32)
    yield np.concatenate([empty, *blocks]), rate, min(first, place), True


def _samples(frame, n_channels):
    """Return the samples of a decoded frame as (n_samples, n_channels), float32."""
    samples = frame.to_ndarray()
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, n_channels)
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    info = np.iinfo(samples.dtype)
    middle = 0 if info.min < 0 else (info.max + 1) // 2
    scaled = (samples.astype(np.float64) - middle) / (info.max + 1 - middle)
    return scaled.astype(np.float32)
