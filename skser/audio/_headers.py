"""Detection of headers that contradict the size of their file, and of joined recordings."""

import io
import math
import os
import re
import struct
import warnings

from skser.audio._errors import AudioReadError

UNKNOWN = 2**35  # samples; a header that claims more does not know the length
_HEAD = 512  # bytes, enough for the usual header
_MOST_CHUNKS = 1000
_TAILS = (2**13, 2**16)  # bytes; an Ogg page has at most 2**16
# Bytes that may follow the last frame: tags, and data that the decoder has not requested.
_TAGS = {"FLAC": 256, "MP3": 2**14}
_LONGEST_FRAME = 2**11  # bytes of MP3; the decoder may leave one frame of padding
# Where chunks begin, the layout of a chunk's head, the multiple at which the next one begins, and
# the name of the chunk of samples with the bytes in it that precede them.
_RIFF = (12, "<4sI", 2, b"data", 0)
_CHUNKS = {
    b"RIFF": _RIFF,
    b"RIFX": (12, ">4sI", 2, b"data", 0),
    b"RF64": _RIFF,
    b"BW64": _RIFF,
    b"FORM": (12, ">4sI", 2, b"SSND", 8),
    b"caff": (8, ">4sq", 1, b"data", 4),
    b"riff": (40, "<16sQ", 8, bytes.fromhex("64617461f3acd3118cd100c04f8edb8a"), 0),
}
_SPHERE_HEAD = 1024  # bytes
_SPHERE_FIELDS = (b"sample_count", b"sample_n_bytes", b"channel_count")
_TOLERATED = 0.01  # seconds, because some programs count their header as samples


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
        If the header claims less or more than the file holds.
    """
    head = _bytes_at(opened, 0, _HEAD)
    if head[:4] in _CHUNKS:
        return _check_chunks(file, opened, name, size, head)
    if head[:4] == b"OggS":
        _refuse_chained(opened, name, size, head)
    elif head[:4] == b"fLaC" and size > 100:
        if head[21] & 0x0F == 0 and head[22:26] == bytes(4):
            _warn_of_zero(name)
            file.close()
            return _without_seeking(opened)
    elif head[:4] in (b".snd", b"dns.") and len(head) >= 12:
        begin, n_bytes = struct.unpack(">II" if head[:4] == b".snd" else "<II", head[4:12])
        if n_bytes == 0 and file.frames == 0:
            return _mended(opened, {8: b"\xff" * 4}, name)
        if not _is_unknown(n_bytes):
            _compare(file, name, size, begin, n_bytes)
            rest = _bytes_at(opened, begin + n_bytes, 8)
            if len(rest) == 8 and not _is_tag(rest):
                _warn_of_more(name)
    elif head[:8] == b"NIST_1A\n":
        _check_sphere(file, opened, name, size)
    return None


def _check_sphere(file, opened, name, size):
    """Compare the numbers in a NIST SPHERE header, which is text, with the size of the file."""
    text = _bytes_at(opened, 0, _SPHERE_HEAD)
    number = rb" -(?:i|s\d+) (\d{1,12})\n"
    found = [re.search(b"\n" + field + number, text) for field in _SPHERE_FIELDS]
    if all(found):
        n_bytes = math.prod(int(match[1]) for match in found)
        _compare(file, name, size, _SPHERE_HEAD, n_bytes)


def _check_chunks(file, opened, name, size, head):
    """Compare the length of the chunk of samples with the size of the file."""
    place, layout, multiple, wanted, n_before = _CHUNKS[head[:4]]
    n_head = struct.calcsize(layout)
    for _ in range(_MOST_CHUNKS):
        is_near = place < _HEAD - n_head
        fields = head[place : place + n_head] if is_near else _bytes_at(opened, place, n_head)
        if len(fields) < n_head:
            return None
        chunk, n_bytes = struct.unpack(layout, fields)
        if head[:4] == b"riff":  # the only one whose lengths include the head
            n_bytes -= n_head
        if chunk == wanted:
            break
        place += n_head + n_bytes
        place += -place % multiple
        if n_bytes < 0 or place > size:
            return None
    else:
        return None
    begin = place + n_head
    if head[:4] in (b"RF64", b"BW64") and head[12:16] == b"ds64" and len(head) >= 36:
        (n_bytes,) = struct.unpack("<Q", head[28:36])
    end = begin + n_bytes
    end += -end % multiple
    if head[:4] == b"RIFF" and n_bytes == 0 and file.frames == 0 and size > end:
        return _mended(opened, {4: b"\xff" * 4, place + 4: b"\xff" * 4}, name)
    if _is_unknown(n_bytes):
        return None
    _compare(file, name, size, begin + n_before, n_bytes - n_before)
    rest = _bytes_at(opened, end, n_head) if size > end else b""
    if len(rest) < n_head or head[:4] == b"riff":  # libsndfile reads the latter to its end
        return None
    if head[:4] == b"RIFF" == rest[:4]:
        _refuse(name, "WAV files")
    chunk, n_bytes = struct.unpack(layout, rest)
    is_chunk = chunk.isascii() and chunk.decode("latin-1").isprintable()
    if not _is_tag(rest) and not (is_chunk and end + n_head + n_bytes <= size + 1):
        _warn_of_more(name)
    return None


def _is_unknown(n_bytes):
    """Return True for the lengths that programs write if they do not know the length."""
    is_near = any(abs(n_bytes - limit) <= 2**16 for limit in (2**31, 2**32, 2**63, 2**64))
    return n_bytes <= 0 or is_near


def _is_tag(rest):
    return rest[:3] in (b"ID3", b"TAG") or not any(rest)


def _compare(file, name, size, begin, n_claimed):
    """Warn if the samples end before the length in the header."""
    n_held = size - begin
    held = file.frames / file.samplerate
    if n_held <= 0 or held * (n_claimed / n_held - 1) <= _TOLERATED:
        return
    warnings.warn(
        f"{name}: its header claims {round(held * n_claimed / n_held, 2):g} s, but the file holds "
        f"only {round(held, 2):g} s; probably it was cut off. Copy or record it again.",
        stacklevel=2,
    )


def check_end(opened, name, size, kind):
    """Warn if a decoder stopped long before the end of a file; raise if files were joined."""
    place = opened.tell()
    if size - place <= _TAGS[kind]:
        if kind == "MP3" and _has_frames(_bytes_at(opened, place, size)):
            _warn_of_more(name)
        return
    if kind == "FLAC" and b"fLaC\0\0\0\x22" in _bytes_at(opened, 4, size):
        _refuse(name, "FLAC files")
    _warn_of_more(name)


def _has_frames(rest):
    """Return True if the bytes after the last frame of an MP3 are further frames, after tags."""
    if rest[:3] == b"TAG":
        rest = rest[128:]
    if rest[:3] == b"ID3":
        n_bytes = 0
        for byte in rest[6:10]:
            n_bytes = (n_bytes << 7) + (byte & 0x7F)
        rest = rest[10 + n_bytes :]
    return len(rest) > _LONGEST_FRAME and rest[0] == 0xFF and rest[1] & 0xE0 == 0xE0


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
