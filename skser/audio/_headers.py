"""Detection of headers that claim less than their file holds, and of joined recordings."""

import io
import os
import struct
import warnings

from skser.audio._errors import AudioReadError

UNKNOWN = 2**35  # samples; a header that claims more does not know the length
_HEAD = 512  # bytes, enough for the usual header
_MOST_CHUNKS = 1000
_TAILS = (2**13, 2**16)  # bytes; an Ogg page has at most 2**16
# Bytes that may follow the last frame: tags, and data that the decoder has not requested.
_TAGS = {"FLAC": 256, "MP3": 2**14}


def size_of(opened):
    """Return the size of an open file in bytes, keeping its position."""
    place = opened.tell()
    size = opened.seek(0, os.SEEK_END)
    opened.seek(place)
    return size


def _bytes_at(opened, place, n_bytes):
    """Read bytes at a place in a file, keeping the position that libsndfile relies on."""
    if isinstance(opened, io.FileIO) and hasattr(os, "pread"):
        return os.pread(opened.fileno(), n_bytes, place)
    before = opened.tell()
    opened.seek(place)
    found = opened.read(n_bytes)
    opened.seek(before)
    return found


def check_header(file, opened, name, size):
    """Compare the length in a header with the size of the file.

    Parameters
    ----------
    file : soundfile.SoundFile
        Audio file opened by libsndfile.
    opened : binary file
        Underlying file of `file`.
    name : str
        Name of the file in messages.
    size : int
        Size of the file in bytes.

    Returns
    -------
    soundfile.SoundFile or None
        Repaired file to read instead if the header states a length of 0, otherwise None.

    Raises
    ------
    AudioReadError
        If the file consists of several recordings joined.

    Warns
    -----
    UserWarning
        If the header claims less than the file holds.
    """
    head = _bytes_at(opened, 0, _HEAD)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _check_wav_header(file, opened, name, size, head)
    if head[:4] == b"OggS":
        _refuse_chained(opened, name, size, head)
    elif head[:4] == b"fLaC" and size > 100:
        if head[21] & 0x0F == 0 and head[22:26] == bytes(4):
            _warn_of_zero(name)
            file.close()
            return _without_seeking(opened)
    elif head[:4] in (b".snd", b"dns.") and head[8:12] == bytes(4) and file.frames == 0:
        return _mended(opened, {8: b"\xff" * 4}, name)
    return None


def _check_wav_header(file, opened, name, size, head):
    place, fields = 12, None
    for _ in range(_MOST_CHUNKS):
        fields = head[place : place + 8] if place < _HEAD - 8 else _bytes_at(opened, place, 8)
        if len(fields) < 8:
            return None
        chunk, n_bytes = struct.unpack("<4sI", fields)
        if chunk == b"data":
            break
        place += 8 + n_bytes + n_bytes % 2
    else:
        return None
    end = place + 8 + n_bytes + n_bytes % 2
    if n_bytes == 0 and file.frames == 0 and size > end:
        return _mended(opened, {4: b"\xff" * 4, place + 4: b"\xff" * 4}, name)
    rest = _bytes_at(opened, end, 8) if size > end else b""
    if len(rest) < 8:
        return None
    if rest[:4] == b"RIFF":
        _refuse(name, "WAV files")
    chunk, n_bytes = struct.unpack("<4sI", rest)
    is_chunk = chunk.isascii() and chunk.decode("latin-1").isprintable()
    is_tag = rest[:3] in (b"ID3", b"TAG") or rest == bytes(8)
    if not is_tag and not (is_chunk and end + 8 + n_bytes <= size + 1):
        _warn_of_more(name)
    return None


def check_end(opened, name, size, kind):
    """Warn if a decoder stopped long before the end of a file; raise if files were joined."""
    place = opened.tell()
    if size - place <= _TAGS[kind]:
        return
    if kind == "FLAC" and b"fLaC\0\0\0\x22" in _bytes_at(opened, 4, size):
        _refuse(name, "FLAC files")
    _warn_of_more(name)


def refuse_joined(opened, name):
    """Raise AudioReadError if an unreadable file consists of several WAV files."""
    if _bytes_at(opened, 0, 4) != b"RIFF":
        return
    (n_bytes,) = struct.unpack("<I", _bytes_at(opened, 4, 4).ljust(4, b"\0"))
    if n_bytes and _bytes_at(opened, 8 + n_bytes + n_bytes % 2, 4) == b"RIFF":
        _refuse(name, "WAV files")


def _refuse_chained(opened, name, size, head):
    for n_bytes in _TAILS:
        tail = _bytes_at(opened, max(0, size - n_bytes), n_bytes)
        page = tail.rfind(b"OggS\0")
        if page >= 0:
            break
    if page >= 0 and len(tail) >= page + 18 and tail[page + 14 : page + 18] != head[14:18]:
        _refuse(name, "Ogg streams")


def _refuse(name, what):
    reason = f"consists of several {what} joined into one: split it, or concatenate their samples"
    raise AudioReadError([(name, reason)])


def _mended(opened, patches, name):
    """Return the file, in memory, with some bytes of its header replaced."""
    import soundfile

    _warn_of_zero(name)
    opened.seek(0)
    content = bytearray(opened.read())
    for place, value in patches.items():
        content[place : place + len(value)] = value
    return soundfile.SoundFile(io.BytesIO(content))


def _without_seeking(opened):
    """Return the file, in memory, without seeking, so that soundfile reads it to the end."""
    import soundfile

    class Stream(soundfile.SoundFile):
        def seekable(self):
            return False

    opened.seek(0)
    return Stream(io.BytesIO(opened.read()))


def _warn_of_zero(name):
    warnings.warn(
        f"{name}: its header states a length of 0, probably because the recording was not closed; "
        "the file was read to its end.",
        stacklevel=2,
    )


def _warn_of_more(name):
    warnings.warn(
        f"{name}: its header claims less than the file holds; the rest was not read. Repair "
        "the header, or save the recording again.",
        stacklevel=2,
    )
