"""Headers that claim less than their file holds, and recordings joined in one file."""

import io
import os
import struct
import warnings

from skser.audio._errors import AudioReadError

UNKNOWN = 2**35  # samples; a header that claims more knows nothing
_HEAD = 512  # bytes, in which headers usually lie
_MOST_CHUNKS = 1000
_TAILS = (2**13, 2**16)  # bytes; no Ogg page is larger than the latter
# Bytes that may follow the last frame: tags, and what a decoder has not yet asked for.
_TAGS = {"FLAC": 256, "MP3": 2**14}


def size_of(opened):
    """Bytes of an open file."""
    place = opened.tell()
    size = opened.seek(0, os.SEEK_END)
    opened.seek(place)
    return size


def _bytes_at(opened, place, n_bytes):
    """Bytes of a file, whose position stays as libsndfile left it."""
    if isinstance(opened, io.FileIO) and hasattr(os, "pread"):
        return os.pread(opened.fileno(), n_bytes, place)
    before = opened.tell()
    opened.seek(place)
    found = opened.read(n_bytes)
    opened.seek(before)
    return found


def look(file, opened, name, size):
    """Compare what a header claims with what the file holds.

    Parameters
    ----------
    file : soundfile.SoundFile
    opened : binary file
        That `file` reads.
    name : str
    size : int
        Of the file, in bytes.

    Returns
    -------
    soundfile.SoundFile or None
        To be read instead, where the header states a length of 0.

    Raises
    ------
    AudioReadError
        If the file is several recordings joined.

    Warns
    -----
    UserWarning
        If the header claims less than the file holds.
    """
    head = _bytes_at(opened, 0, _HEAD)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _look_at_wav(file, opened, name, size, head)
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


def _look_at_wav(file, opened, name, size, head):
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


def look_behind(opened, name, size, kind):
    """Warn if a decoder stopped long before the end of its file, or refuse what is joined."""
    place = opened.tell()
    if size - place <= _TAGS[kind]:
        return
    if kind == "FLAC" and b"fLaC\0\0\0\x22" in _bytes_at(opened, 4, size):
        _refuse(name, "FLAC files")
    _warn_of_more(name)


def refuse_joined(opened, name):
    """Raise AudioReadError if a file that cannot be read is WAV files joined."""
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
    reason = f"is several {what}, one after the other: split them, or join their samples"
    raise AudioReadError([(name, reason)])


def _mended(opened, patches, name):
    """The file with some bytes of its header changed."""
    import soundfile

    _warn_of_zero(name)
    opened.seek(0)
    content = bytearray(opened.read())
    for place, value in patches.items():
        content[place : place + len(value)] = value
    return soundfile.SoundFile(io.BytesIO(content))


def _without_seeking(opened):
    """A file that soundfile reads straight on, since its length is not known."""
    import soundfile

    class Stream(soundfile.SoundFile):
        def seekable(self):
            return False

    opened.seek(0)
    return Stream(io.BytesIO(opened.read()))


def _warn_of_zero(name):
    warnings.warn(
        f"{name}: its header states a length of 0, as a recording does that was never closed: "
        "read to the end of the file.",
        stacklevel=2,
    )


def _warn_of_more(name):
    warnings.warn(
        f"{name}: its header claims less than the file holds; what is beyond is not read. Mend "
        "the header, or write the recording anew.",
        stacklevel=2,
    )
