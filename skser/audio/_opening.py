"""Opening of audio files, from their path or their content."""

import inspect
import io
import os
import re
import stat

from skser.audio._errors import AudioReadError

_SHORTEST_BASE64 = 1000  # characters; a recording has more, and a path has fewer


def file_source(source, name="The audio"):
    """Convert a path to str, and a binary file to its content as bytes, read from the start.

    Parameters
    ----------
    source : object
        Path, bytes or open file; any other object is returned unchanged.
    name : str, default="The audio"
        Name of the source in messages.

    Raises
    ------
    TypeError
        If the file was opened in text mode, or its content cannot be read as bytes.
    """
    if isinstance(source, os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if not hasattr(source, "read"):
        return source
    kind = type(source).__name__
    if inspect.iscoroutinefunction(source.read):
        raise TypeError(
            f"{name} is of type {kind}, which is read asynchronously: pass its content, await "
            "upload.read(), or its file, upload.file."
        )
    if hasattr(source, "seek") and getattr(source, "seekable", bool)():
        source.seek(0)
    try:
        content = source.read()
    except UnicodeDecodeError:
        content = ""
    if isinstance(content, str):
        raise TypeError(f"{name} was opened as text: open it in binary mode, with mode='rb'.")
    if not isinstance(content, bytes):
        raise TypeError(
            f"{name} is of type {kind}, whose content is not bytes but {type(content).__name__}: "
            "pass a path, a file opened with mode='rb', or Waveform(samples, rate)."
        )
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
            reason = (
                "the file is empty (0 bytes); if it is an upload that was read before, pass its "
                "content as bytes"
            )
            raise AudioReadError([(name, reason)])
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
        raise AudioReadError([(name, _not_a_path(source) or "no such file")]) from error
    except OSError as error:
        reason = _not_a_path(source) or f"cannot be opened ({error.strerror})"
        raise AudioReadError([(name, reason)]) from error
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


def _not_a_path(source):
    """Return what a string is that nobody meant as a path, such as a URL; otherwise None."""
    scheme = re.match(r"data:|[a-z][a-z0-9+.-]*://", source, re.IGNORECASE)
    if scheme and scheme[0].lower() == "data:":
        return "is a data URI, not a path: pass base64.b64decode(uri.partition(',')[2])"
    if scheme and scheme[0].lower() == "file://":
        return "is a URL, not a path: pass the path without 'file://'"
    if scheme:
        return "is a URL, not a path: download it, and pass the file or its content as bytes"
    if len(source) >= _SHORTEST_BASE64 and re.fullmatch(r"[\w+/=\s-]+", source, re.ASCII):
        return "is not a path, but seems to be base64: pass base64.b64decode(text)"
    return None
