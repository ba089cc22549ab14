"""Opening of audio files, from their path or their content."""

import io
import os
import stat

from skser.audio._errors import AudioReadError


def file_source(source):
    """Convert a path to str, and a binary file to its content as bytes, read from the start.

    Parameters
    ----------
    source : object
        Path, bytes or open file; any other object is returned unchanged.

    Raises
    ------
    TypeError
        If the file was opened in text mode.
    """
    if isinstance(source, os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if not hasattr(source, "read"):
        return source
    if hasattr(source, "seek") and getattr(source, "seekable", bool)():
        source.seek(0)
    content = source.read()
    if not isinstance(content, bytes):
        raise TypeError("A file was opened as text: open it in binary mode, with mode='rb'.")
    return content


def open_audio(source, name=None):
    """Open a file, or the content of one, for unbuffered reading of bytes.

    Parameters
    ----------
    source : str or bytes
        Path of the file, or its content.
    name : str or None, default=None
        Name of the file in error messages; None uses the path.

    Raises
    ------
    AudioReadError
        If the file cannot be opened or is empty. A pipe or a device is rejected without opening
        it, because reading it could block or never end.
    """
    if isinstance(source, bytes):
        if not source:
            raise AudioReadError([(name, "the file is empty (0 bytes)")])
        return io.BytesIO(source)
    name = source if name is None else name
    try:
        kind = os.stat(source).st_mode
        if not stat.S_ISREG(kind):
            raise AudioReadError([(name, _why_not_a_file(kind))])
        descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except AudioReadError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioReadError([(name, "no such file")]) from error
    except OSError as error:
        raise AudioReadError([(name, f"cannot be opened ({error.strerror})")]) from error
    except ValueError as error:
        raise AudioReadError([(name, f"is not a valid file name ({error})")]) from error
    if os.fstat(descriptor).st_size == 0:
        os.close(descriptor)
        raise AudioReadError([(name, "the file is empty (0 bytes)")])
    return os.fdopen(descriptor, "rb", buffering=0)


def _why_not_a_file(kind):
    if stat.S_ISDIR(kind):
        return "is a directory, not an audio file: pass the files in it"
    return "is a pipe or a device: save its content to a file first"
