"""Audio files: opened, decoded block by block, and resampled to a stated rate."""

import os
import stat

import numpy as np

from skser.audio._errors import AudioReadError, printable

_BLOCK_SAMPLES = 2**20
_MOST_ENERGY = 1e28  # beyond, powers leave the range of float32
# A header may claim any rate; 128 times the samples is what resampling may make of a file.
_MOST_RESAMPLING = 128


def load_audio(path, sampling_rate=None):
    """Read an audio file as mono float32.

    Channels are averaged; other rates are resampled (soxr, high quality).

    Parameters
    ----------
    path : str or path-like
        WAV (8 to 32 bits or float), FLAC, OGG, MP3, AIFF or whatever else libsndfile knows by
        its header. The content decides, not the file's name.
    sampling_rate : float or None, default=None
        Rate of the result in Hz; None keeps the file's own.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        Full scale is 1.
    sampling_rate : float
        In Hz.

    Raises
    ------
    AudioReadError
        If the file is missing, a directory, a pipe or a device, empty, not audio, of zero
        length, holds values that are not finite, or states a rate that is more than 128 times
        above or below `sampling_rate`.

    Notes
    -----
    Memory follows what the file holds, not what its header claims.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.sin(np.arange(8000) / 10), 8000)
    >>> samples, rate = load_audio(path, sampling_rate=16000)
    >>> samples.shape, samples.dtype, rate
    ((16000,), dtype('float32'), 16000)
    """
    name = os.fsdecode(path)
    blocks, rates = zip(*mono_blocks(name), strict=True)
    samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    check_values(samples, name)
    if sampling_rate in (None, rates[0]):
        return samples, sampling_rate or rates[0]
    return resampled(samples, rates[0], sampling_rate, name), sampling_rate


def stream_audio(path, sampling_rate=None):
    """Read an audio file as `load_audio` does, in pieces and in bounded memory.

    Parameters
    ----------
    path : str or path-like
    sampling_rate : float or None, default=None
        Rate of the result in Hz; None keeps the file's own.

    Yields
    ------
    samples : ndarray of shape (n_samples,), float32
        Joined, the pieces are what `load_audio` gives; the resampler goes on from one to the
        next.
    sampling_rate : float
        In Hz.

    Raises
    ------
    AudioReadError
        As `load_audio`, when the piece concerned is asked for.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.sin(np.arange(8000) / 10), 8000)
    >>> sum(len(samples) for samples, rate in stream_audio(path, sampling_rate=16000))
    16000
    """
    import soxr

    name = os.fsdecode(path)
    resampler, n_samples = None, 0
    for samples, file_rate in mono_blocks(name):
        check_values(samples, name)
        if sampling_rate in (None, file_rate):
            yield samples, file_rate
            continue
        if resampler is None:
            _check_rates(file_rate, sampling_rate, name)
            resampler = soxr.ResampleStream(file_rate, sampling_rate, 1, dtype="float32")
        resampled = resampler.resample_chunk(samples)
        n_samples += len(resampled)
        yield resampled, sampling_rate
    if resampler is not None:
        resampled = resampler.resample_chunk(np.empty(0, np.float32), last=True)
        _check_length(n_samples + len(resampled), sampling_rate, name)
        yield resampled, sampling_rate


def check_values(samples, name):
    # A finite sum of squares has finite terms, and is found in one quick pass.
    with np.errstate(over="ignore", invalid="ignore"):
        energy = np.dot(samples, samples)
    if energy < _MOST_ENERGY:
        return
    if not np.isfinite(samples).all():
        raise AudioReadError([(name, "holds samples that are NaN or infinite")])
    raise AudioReadError([(name, "holds samples far beyond full scale, which is 1")])


def _check_rates(from_rate, to_rate, name):
    if not 1 / _MOST_RESAMPLING <= to_rate / from_rate <= _MOST_RESAMPLING:
        reason = (
            f"states a rate of {from_rate:g} Hz, which is more than {_MOST_RESAMPLING} times "
            f"{'above' if from_rate > to_rate else 'below'} the {to_rate:g} Hz that are needed"
        )
        raise AudioReadError([(name, reason)])


def _check_length(n_samples, rate, name):
    if n_samples == 0:
        raise AudioReadError([(name, f"is shorter than one sample at {rate:g} Hz")])


def resampled(samples, from_rate, to_rate, name):
    if to_rate is None:
        return samples
    _check_rates(from_rate, to_rate, name)
    samples = resample(samples, from_rate, to_rate)
    _check_length(len(samples), to_rate, name)
    return samples


def resample(samples, from_rate, to_rate):
    """Resample mono float32 `samples` between rates in Hz; `to_rate` None changes nothing."""
    if to_rate is None or to_rate == from_rate:
        return samples
    import soxr

    return soxr.resample(samples, from_rate, to_rate)


def open_audio(name):
    """Open a file for reading as bytes, without a buffer.

    Parameters
    ----------
    name : str

    Raises
    ------
    AudioReadError
        If it is no file that can be opened, or empty. A pipe or a device is refused unopened:
        it might keep its reader waiting, or never end.
    """
    try:
        kind = os.stat(name).st_mode
        if not stat.S_ISREG(kind):
            raise AudioReadError([(name, _why_no_file(kind))])
        descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except AudioReadError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioReadError([(name, "no such file")]) from error
    except OSError as error:
        raise AudioReadError([(name, f"cannot be opened ({error.strerror})")]) from error
    except ValueError as error:
        raise AudioReadError([(name, f"cannot be the name of a file ({error})")]) from error
    if os.fstat(descriptor).st_size == 0:
        os.close(descriptor)
        raise AudioReadError([(name, "the file is empty (0 bytes)")])
    return os.fdopen(descriptor, "rb", buffering=0)


def _why_no_file(kind):
    if stat.S_ISDIR(kind):
        return "is a directory, not an audio file"
    return "is a pipe or a device: write what it gives into a file first"


def mono_blocks(name):
    """Decode a file in bounded memory.

    Parameters
    ----------
    name : str

    Yields
    ------
    samples : ndarray of shape (n_samples,), float32
        At least one.
    sampling_rate : int
        In Hz, as the file states it.

    Raises
    ------
    AudioReadError
        If the file cannot be opened, is not audio, or holds no samples.
    """
    import soundfile

    n_samples = 0
    with open_audio(name) as opened:
        # By number: behind a name, its suffix would count where the content tells nothing. In
        # Windows every library numbers open files for itself.
        source = opened if os.name == "nt" else opened.fileno()
        try:
            with soundfile.SoundFile(source, closefd=False) as file:
                # Plain 16-bit samples are scaled here: the same values in a third of the time.
                is_16_bit = file.subtype == "PCM_16" and file.format != "FLAC"
                dtype = "int16" if is_16_bit else "float32"
                # In blocks, so that memory follows what the file holds, not what its header says.
                n_frames = max(1, min(file.frames + 1, _BLOCK_SAMPLES // file.channels))
                n_read = n_frames
                while n_read == n_frames:
                    block = file.read(n_frames, dtype=dtype, always_2d=True)
                    n_read = len(block)
                    if not n_read:
                        break
                    if is_16_bit:
                        block = block * np.float32(2**-15)
                    with np.errstate(over="ignore", invalid="ignore"):  # to values that are refused
                        samples = block[:, 0] if file.channels == 1 else block.mean(axis=1)
                    n_samples += n_read
                    yield samples, file.samplerate
        except (soundfile.SoundFileError, OSError) as error:
            reason = getattr(error, "error_string", None) or str(error)
            reason = f"cannot be read as audio ({printable(reason.strip())})"
            raise AudioReadError([(name, reason)]) from error
    if n_samples == 0:
        raise AudioReadError([(name, "holds no samples (zero length)")])
