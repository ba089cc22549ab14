"""A file of which nothing is known, opened and decoded block by block."""

import os
import stat

import numpy as np

_BLOCK_SAMPLES = 2**20


class AudioReadError(ValueError):
    """Audio inputs that could not be read, each with its reason.

    Parameters
    ----------
    failures : list of (str, str)
        Name of the input (a path, or ``"utterance 3"`` for an array) and the reason.
    n_inputs : int, default=1
        How many inputs were tried.

    Attributes
    ----------
    failures : list of (str, str)
    n_inputs : int
    """

    __module__ = "skser.audio"  # where it is public

    def __init__(self, failures, n_inputs=1):
        super().__init__(failures, n_inputs)
        self.failures = failures
        self.n_inputs = n_inputs

    def __str__(self):
        listed = "; ".join(f"{printable(name)}: {reason}" for name, reason in self.failures)
        if self.n_inputs == 1:
            return listed
        return f"{len(self.failures)} of {self.n_inputs} inputs could not be used: {listed}"


def printable(name):
    """A name on one line, whatever it holds: line breaks, control codes, undecodable bytes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(name)) or "''"


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
                for block in _read_mono(file):
                    n_samples += len(block)
                    yield block, file.samplerate
        except (soundfile.SoundFileError, OSError) as error:
            reason = getattr(error, "error_string", None) or str(error)
            reason = f"cannot be read as audio ({printable(reason.strip())})"
            raise AudioReadError([(name, reason)]) from error
    if n_samples == 0:
        raise AudioReadError([(name, "holds no samples (zero length)")])


def _read_mono(file):
    # Plain 16-bit samples are scaled here: the same values in a third of the time.
    is_16_bit = file.subtype == "PCM_16" and file.format != "FLAC"
    # In blocks, so that memory follows what the file holds, not what its header claims.
    n_frames = max(1, min(file.frames + 1, _BLOCK_SAMPLES // file.channels))
    while True:
        block = file.read(n_frames, dtype="int16" if is_16_bit else "float32", always_2d=True)
        n_read = len(block)
        if is_16_bit:
            block = block * np.float32(2**-15)
        if n_read:
            with np.errstate(over="ignore", invalid="ignore"):  # to values that are refused
                samples = block[:, 0] if file.channels == 1 else block.mean(axis=1)
            yield samples
        if n_read < n_frames:
            return
