"""Reading of phone and browser formats, which libsndfile does not support, with PyAV."""

import warnings

import numpy as np

from skser._optional import import_optional
from skser.audio._checks import span
from skser.audio._errors import AudioReadError, printable
from skser.audio._utterance import MAX_DURATION

_BLOCK_SAMPLES = 2**18
# Time stamps are rounded, to milliseconds in WebM; gaps are longer than this many seconds.
_SHORTEST_GAP = 0.1
_WITHOUT_TIME_STAMPS = ("AMR", "AAC")
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
    exact sample. Frames are placed by their time stamps: where some are missing, because packets
    were lost or a microphone was muted, there is silence.

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

    Warns
    -----
    UserWarning
        If there is silence in place of missing frames; the message has the first such place. If
        there are several audio tracks.
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
            n_tracks = len(container.streams.audio)
            if n_tracks > 1:
                warnings.warn(
                    f"{name} holds {n_tracks} audio tracks, of which only the first is read. To "
                    "read another one, extract it, for example with ffmpeg's -map 0:a:1.",
                    stacklevel=2,
                )
            frames = _frames(container, name, kind not in _WITHOUT_TIME_STAMPS)
            yield from _part(frames, name, utterance)
    except (av.FFmpegError, UnicodeDecodeError) as error:
        reason = f"cannot be read as audio ({kind}: {printable(str(error))})"
        raise AudioReadError([(name, reason)]) from error


def _part(frames, name, utterance):
    blocks, n_kept, place, rate = [], 0, 0, None
    for samples, frame_rate in frames:
        if rate is None:
            rate, empty = frame_rate, samples[:0]
            first, last = span(utterance, rate, None, name)
        if last is not None and place >= last:
            break
        stop = len(samples) if last is None else last - place
        kept = samples[max(0, first - place) : max(0, stop)]
        place += len(samples)
        if len(kept):
            blocks.append(kept)
            n_kept += len(kept)
        if n_kept >= _BLOCK_SAMPLES:
            yield np.concatenate(blocks), rate, first, True
            blocks, n_kept = [], 0
    if rate is None:
        return
    yield np.concatenate([empty, *blocks]), rate, min(first, place), True


def _frames(container, name, has_time_stamps):
    """Yield the samples (n_samples, n_channels) of each frame and gap, with the sampling rate."""
    place, layout, has_gaps = 0, None, False
    for frame in container.decode(container.streams.audio[0]):
        rate, n_channels = frame.sample_rate, frame.layout.nb_channels
        layout = layout or (rate, n_channels)
        if (rate, n_channels) != layout:
            reason = (
                "changes its sampling rate or number of channels midway: convert it to a file "
                "with one rate and one number of channels"
            )
            raise AudioReadError([(name, reason)])
        stamped = has_time_stamps and frame.pts is not None
        begin = round(frame.pts * frame.time_base * rate) if stamped else place
        if begin - place > MAX_DURATION * rate:
            reason = (
                f"has time stamps that jump from {place / rate:.4g} to {begin / rate:.4g} s: "
                "convert it to another format"
            )
            raise AudioReadError([(name, reason)])
        if begin - place > _SHORTEST_GAP * rate:
            if not has_gaps:
                warnings.warn(
                    f"{name}: by its time stamps, it has no sound from {place / rate:.4g} to "
                    f"{begin / rate:.4g} s, and perhaps elsewhere, as if packets were lost or a "
                    "microphone was muted. This is read as silence.",
                    stacklevel=2,
                )
            has_gaps = True
            for start in range(place, begin, _BLOCK_SAMPLES):
                yield np.zeros((min(_BLOCK_SAMPLES, begin - start), n_channels), np.float32), rate
            place = begin
        place += frame.samples
        yield _samples(frame, n_channels), rate


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
