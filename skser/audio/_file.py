"""Reading of audio files: opening, decoding block by block, and resampling."""

import os

import numpy as np

from skser.audio import _headers
from skser.audio._arrays import Energy, check_channel, warn_if_cancelled
from skser.audio._checks import (
    check_amplitude,
    check_duration,
    check_length,
    check_rates,
    check_reach,
    check_values,
    span,
)
from skser.audio._containers import is_container, part_of_container
from skser.audio._errors import AudioReadError, printable
from skser.audio._opening import file_source, open_audio
from skser.audio._utterance import MAX_AMPLITUDE, MAX_DURATION, Utterance
from skser.audio._waveform import check_sampling_rate

_BLOCK_SAMPLES = 2**20
WHOLE = Utterance("")  # the times, channel and limits that a bare path stands for
_LIMITS = (MAX_DURATION, MAX_AMPLITUDE)
# Bytes per sample of uncompressed subtypes, whose length the size of the file limits.
_BYTES = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8,
          "ULAW": 1, "ALAW": 1}  # fmt: skip
# Formats in which libsndfile seeks to the exact sample. In others everything before a part is
# decoded; in Ogg, for one, seeking is inexact within the last page of some files.
_SEEKS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "AU", "CAF", "NIST"}


def load_audio(
    path,
    sampling_rate=None,
    *,
    start=None,
    end=None,
    channel=None,
    max_duration=MAX_DURATION,
    max_amplitude=MAX_AMPLITUDE,
):
    """Read an audio file, or a part of one, as mono float32.

    Channels are averaged unless one is chosen. The part is cut at the file's own sampling rate
    and then resampled (soxr, high quality).

    Parameters
    ----------
    path : str, path-like, bytes, binary file or Utterance
        Audio file or its content: WAV (8 to 32 bits or float), FLAC, OGG, MP3, AIFF and other
        formats that libsndfile recognizes by their header; with the extra ``containers`` also
        M4A, MP4, WebM, 3GP, WMA, MKA, AMR and AAC. The format is detected from the content, not
        from the name. An `Utterance` of a file sets all other parameters but `sampling_rate`.
    sampling_rate : float or None, default=None
        Sampling rate of the result in Hz; None keeps the file's own rate.
    start, end : float or None, default=None
        Bounds of the part in seconds: samples round(start · rate) to round(end · rate) - 1.
    channel : int, "loudest" or None, default=None
        Index of the channel; "loudest" is the one with the most energy in this part; None
        averages all channels.
    max_duration : float or None, default=14400
        Longest part that is read, in seconds; None lifts the limit.
    max_amplitude : float or None, default=8.0
        Largest magnitude of floating-point samples; None lifts the limit.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        Samples whose full scale is 1.
    sampling_rate : float
        Sampling rate of `samples` in Hz.

    Raises
    ------
    AudioReadError
        If the file is missing, empty, not audio, a directory, a pipe or a device; if it holds no
        samples, values that are not finite or larger than `max_amplitude`, or several recordings
        joined; if the part is longer than `max_duration` or outside the recording; if the channel
        does not exist; or if the file states a rate more than 16 times below or 128 times above
        `sampling_rate`.
    ValueError
        If `path` is an `Utterance` and a part is given as well, or `sampling_rate` is not a
        positive, finite number.

    Warns
    -----
    UserWarning
        If the channels cancel when averaged, or the header claims less or more than the file
        holds.

    Notes
    -----
    Memory use depends on what the file holds, not on what its header claims.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.sin(np.arange(8000) / 10), 8000)
    >>> samples, rate = load_audio(path, sampling_rate=16000)
    >>> samples.shape, samples.dtype, rate
    ((16000,), dtype('float32'), 16000)
    >>> load_audio(path, start=0.25, end=0.5)[0].shape
    (2000,)
    """
    if sampling_rate is not None:
        check_sampling_rate(sampling_rate)
    utterance, source, name = _of_file(path, (start, end, channel), (max_duration, max_amplitude))
    return load_part(source, name, utterance, sampling_rate)


def load_part(source, name, utterance, sampling_rate):
    """Read a part of a file as `load_audio` does, from arguments that are checked already.

    Parameters
    ----------
    source : str or bytes
        Path of the file, or its content.
    name : str
        Name of the file in messages.
    utterance : Utterance
        Times, channel and limits to apply; its own source is not used.
    sampling_rate : float or None
        Sampling rate of the result in Hz; None keeps the file's own rate.

    Returns
    -------
    samples, sampling_rate
        Result of `load_audio`.
    """
    blocks = mono_blocks(source, name, utterance)
    pieces, rates = zip(*_at_rate(blocks, name, sampling_rate), strict=True)
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces), rates[0]


def _at_rate(blocks, name, sampling_rate):
    """Check blocks of a file and resample them as they come, so that few are kept at its rate."""
    resampler, n_samples = None, 0
    for samples, rate in blocks:
        check_values(samples, name)
        if sampling_rate in (None, rate):
            yield samples, sampling_rate or rate
            continue
        if resampler is None:
            import soxr

            check_rates(rate, sampling_rate, name)
            resampler = soxr.ResampleStream(rate, sampling_rate, 1, dtype="float32")
        resampled = resampler.resample_chunk(samples)
        n_samples += len(resampled)
        yield resampled, sampling_rate
    if resampler is not None:
        resampled = resampler.resample_chunk(np.empty(0, np.float32), last=True)
        check_length(n_samples + len(resampled), sampling_rate, name)
        yield resampled, sampling_rate


def _of_file(path, part, limits):
    """Return utterance, source and name for the arguments of `load_audio`."""
    if not isinstance(path, Utterance):
        if isinstance(path, str) and part == (None, None, None) and limits == _LIMITS:
            return WHOLE, path, path
        path = Utterance(path, *part, max_duration=limits[0], max_amplitude=limits[1])
    elif part != (None, None, None):
        raise ValueError(f"{path.called('the audio')} is a part already: state the part once.")
    source = file_source(path.source)
    if not isinstance(source, str | bytes):
        raise TypeError(
            f"load_audio reads files, not {type(source).__name__}: pass samples to a transformer "
            "directly, as Waveform(samples, rate)."
        )
    return path, source, path.called("the audio")


def stream_audio(path, sampling_rate=None, *, start=None, end=None, channel=None):
    """Read an audio file as `load_audio` does, in pieces and in bounded memory.

    Parameters
    ----------
    path : str, path-like, bytes, binary file or Utterance
        Audio file of any length; the `max_duration` of an `Utterance` is not applied.
    sampling_rate : float or None, default=None
        Sampling rate of the result in Hz; None keeps the file's own rate.
    start, end : float or None, default=None
        Bounds of the part in seconds, as in `load_audio`.
    channel : int, "loudest" or None, default=None
        Channel to read, as in `load_audio`. With "loudest" the part is decoded twice.

    Yields
    ------
    samples : ndarray of shape (n_samples,), float32
        Successive pieces. Concatenated, they equal the result of `load_audio`, because the
        resampler keeps its state between pieces.
    sampling_rate : float
        Sampling rate of `samples` in Hz.

    Raises
    ------
    AudioReadError
        Under the conditions of `load_audio`, when the piece concerned is requested.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.sin(np.arange(8000) / 10), 8000)
    >>> sum(len(samples) for samples, rate in stream_audio(path, sampling_rate=16000))
    16000
    """
    if sampling_rate is not None:
        check_sampling_rate(sampling_rate)
    utterance, source, name = _of_file(path, (start, end, channel), _LIMITS)
    blocks = mono_blocks(source, name, utterance, any_length=True)
    yield from _at_rate(blocks, name, sampling_rate)


def resample(samples, from_rate, to_rate):
    """Resample mono float32 `samples` between rates in Hz; `to_rate` None returns them as given."""
    if to_rate is None or to_rate == from_rate:
        return samples
    import soxr

    return soxr.resample(samples, from_rate, to_rate)


def mono_blocks(source, name, utterance, any_length=False):
    """Decode a part of a file as mono, in bounded memory.

    Parameters
    ----------
    source : str or bytes
        Path of the file, or its content.
    name : str
        Name of the file in messages.
    utterance : Utterance
        Times, channel and limits to apply; its own source is not used.
    any_length : bool, default=False
        Whether the `max_duration` of `utterance` is ignored.

    Yields
    ------
    samples : ndarray of shape (n_samples,), float32
        Successive samples, at least one.
    sampling_rate : int
        Sampling rate of the file in Hz.

    Raises
    ------
    AudioReadError
        If the file cannot be opened, is not audio, or holds no samples.
    """
    channel, of_mean, of_channels = utterance.channel, Energy(), Energy()
    if channel == "loudest":
        channel = _loudest(source, name, utterance, any_length)
    with np.errstate(over="ignore", invalid="ignore"):  # `check_values` rejects the results
        for block, rate in _blocks(source, name, utterance, any_length):
            if channel is not None:
                check_channel(channel, block.shape[1], name)
                yield np.ascontiguousarray(block[:, channel]), rate
            elif block.shape[1] == 1:
                yield block[:, 0], rate
            else:
                samples = block.mean(axis=1)
                of_mean.add(samples[:, None])
                of_channels.add(block)
                yield samples, rate
    if of_channels.n_samples:
        warn_if_cancelled(of_mean, of_channels, name)


def _loudest(source, name, utterance, any_length):
    """Return the index of the channel with the most energy."""
    energy = Energy()
    for block, _ in _blocks(source, name, utterance, any_length):
        energy.add(block)
    return energy.loudest()


def _blocks(source, name, utterance, any_length):
    """Yield pieces (n_samples, n_channels), float32, of a part with the file's sampling rate."""
    import soundfile

    n_read, rate, first = 0, None, 0
    n_most = None if any_length else utterance.max_duration  # seconds
    with open_audio(source, name) as opened:
        # Pass a descriptor, because libsndfile falls back on the suffix of a named file whose
        # content it does not recognize. Windows libraries do not share descriptors.
        by_number = isinstance(source, str) and os.name != "nt"
        try:
            try:
                file = soundfile.SoundFile(opened.fileno() if by_number else opened, closefd=False)
            except soundfile.SoundFileError:
                if not is_container(opened):
                    _headers.refuse_joined(opened, name)
                    raise
                pieces = part_of_container(opened, name, utterance)
            else:
                pieces = _part(file, opened, name, utterance, n_most)
            for block, rate, begin, is_float in pieces:
                first = begin
                n_read += len(block)
                if is_float:
                    check_amplitude(block, utterance.max_amplitude, name)
                if n_most is not None and n_read > n_most * rate:
                    check_duration(n_read, rate, n_most, name)
                if len(block):
                    yield block, rate
        except (soundfile.SoundFileError, OSError) as error:
            reason = getattr(error, "error_string", None) or str(error)
            reason = f"cannot be read as audio ({printable(reason.strip())})"
            raise AudioReadError([(name, reason)]) from error
    if (utterance.start is not None or utterance.end is not None) and rate is not None:
        check_reach(utterance, rate, first + n_read, name)
    if n_read == 0:
        raise AudioReadError([(name, "holds no samples (zero length)")])


def _part(file, opened, name, utterance, n_most, is_mended=False):
    """Yield pieces of a part of an open `soundfile.SoundFile`, like `part_of_container`."""
    with file:
        rate, n_channels, n_frames = file.samplerate, file.channels, file.frames
        size = _headers.size_of(opened)
        mended = None if is_mended else _headers.check_header(file, opened, name, size)
        if mended is not None:
            yield from _part(mended, opened, name, utterance, n_most, is_mended=True)
            return
        width = None if file.format == "FLAC" else _BYTES.get(file.subtype)
        n_there = n_frames if width is None else min(n_frames, size // (width * n_channels))
        first, last = 0, None
        if utterance.start is not None or utterance.end is not None:
            first, last = span(utterance, rate, None, name)
        n_part = (n_there if last is None else min(n_there, last)) - first
        if n_most is not None and n_most * rate < n_part < _headers.UNKNOWN:
            check_duration(n_part, rate, n_most, name)
        # Scaling 16-bit samples here gives the same values in a third of libsndfile's time.
        is_16_bit = file.subtype == "PCM_16" and file.format != "FLAC"
        dtype = "int16" if is_16_bit else "float32"
        # Reading in blocks keeps a header that claims gigabytes from allocating them.
        at_once = max(1, min(n_frames + 1, _BLOCK_SAMPLES // n_channels))
        if first:
            check_reach(utterance, rate, n_there, name)
            _go_to(file, first, at_once)
        n_left = None if last is None else last - first
        while n_left is None or n_left > 0:
            n_wanted = at_once if n_left is None else min(at_once, n_left)
            block = file.read(n_wanted, dtype=dtype, always_2d=True)
            n_read = len(block)
            if is_16_bit:
                block = block * np.float32(2**-15)
            yield block, rate, first, width is None or file.subtype in ("FLOAT", "DOUBLE")
            if n_read < n_wanted:
                break
            n_left = None if n_left is None else n_left - n_read
        if last is None and not is_mended and file.format in ("FLAC", "MP3"):
            _headers.check_end(opened, name, size, file.format)


def _go_to(file, first, at_once):
    """Move to a sample, decoding everything before it if the format cannot seek exactly."""
    if file.format in _SEEKS:
        file.seek(first)
        return
    while first > 0:
        n_read = len(file.read(min(at_once, first), dtype="float32", always_2d=True))
        if n_read == 0:
            return
        first -= n_read
