"""Valid files of every format, ways to corrupt them, and files with false headers."""

import functools
import io
import pickle
import struct

import numpy as np
import soundfile

from skser.datasets import make_emotional_speech

_FORMATS = [
    *(("WAV", subtype, ".wav") for subtype in (
        "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM",
        "MS_ADPCM", "GSM610", "G721_32", "NMS_ADPCM_24",
    )),
    ("WAVEX", "PCM_16", ".wav"),
    ("RF64", "PCM_16", ".wav"),
    ("W64", "PCM_16", ".w64"),
    ("W64", "IMA_ADPCM", ".w64"),
    ("FLAC", "PCM_16", ".flac"),
    ("FLAC", "PCM_24", ".flac"),
    ("OGG", "VORBIS", ".ogg"),
    ("OGG", "OPUS", ".opus"),
    ("MP3", "MPEG_LAYER_III", ".mp3"),
    ("AIFF", "PCM_16", ".aiff"),
    ("AIFF", "PCM_S8", ".aiff"),
    ("AIFF", "FLOAT", ".aifc"),
    ("AIFF", "GSM610", ".aifc"),
    ("CAF", "PCM_16", ".caf"),
    ("CAF", "ALAC_16", ".caf"),
    ("AU", "PCM_16", ".au"),
    ("AU", "G723_24", ".au"),
    ("NIST", "PCM_16", ".sph"),
    ("SVX", "PCM_16", ".iff"),
    ("VOC", "PCM_16", ".voc"),
    ("IRCAM", "FLOAT", ".sf"),
    ("PVF", "PCM_16", ".pvf"),
    ("PAF", "PCM_24", ".paf"),
    ("MAT4", "DOUBLE", ".mat"),
    ("MAT5", "PCM_16", ".mat"),
    ("AVR", "PCM_16", ".avr"),
    ("HTK", "PCM_16", ".htk"),
    ("SDS", "PCM_16", ".sds"),
    ("XI", "DPCM_16", ".xi"),
    ("MPC2K", "PCM_16", ".mpc"),
    ("WVE", "ALAW", ".wve"),
]  # fmt: skip
_MONO = {"GSM610", "G721_32", "NMS_ADPCM_24", "G723_24", "DPCM_16"}
_MONO_FORMATS = {"HTK", "SDS", "WVE", "SVX", "XI"}


@functools.cache
def whole_files():
    """Write 0.4 s of synthetic speech in every format; return (suffix, content) by format."""
    corpus = make_emotional_speech(1, 2, random_state=0)
    speech = np.concatenate(corpus.data)[2000:8400]
    found = {}
    for kind, subtype, suffix in _FORMATS:
        stereo = len(found) % 3 == 2 and subtype not in _MONO and kind not in _MONO_FORMATS
        samples = np.stack([speech, speech[::-1]], axis=1) if stereo else speech
        rate = 8000 if kind == "WVE" else corpus.sampling_rate
        file = io.BytesIO()
        soundfile.write(file, samples, rate, format=kind, subtype=subtype)
        found[f"{kind} {subtype}"] = suffix, file.getvalue()
    return found


def _cut(random, content):
    # Half of the cuts are within the header.
    reach = len(content) if random.random() < 0.5 else min(100, len(content))
    return content[: random.integers(reach)]


def _flip(random, content, first=0, last=None, most=64):
    spoiled = np.frombuffer(content, np.uint8).copy()
    reach = min(last or len(spoiled), len(spoiled))
    if first < reach:
        places = random.integers(first, reach, random.integers(1, most))
        spoiled[places] ^= (1 << random.integers(0, 8, len(places))).astype(np.uint8)
    return spoiled.tobytes()


_EXTREMES = [0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x400, 0x7FFF, 0x8000, 0xFFFF, 2**24, 2**31 - 1,
             2**31, 2**32 - 2, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]  # fmt: skip


def _set_fields(random, content):
    """Overwrite some fields of the header with extreme numbers in either byte order."""
    spoiled = bytearray(content)
    for _ in range(random.integers(1, 4)):
        size = int(random.choice([1, 2, 4, 8]))
        value = _EXTREMES[random.integers(len(_EXTREMES))] % 256**size
        place = int(random.integers(4, 128)) // 2 * 2
        spoiled[place : place + size] = value.to_bytes(size, random.choice(["little", "big"]))
    return bytes(spoiled)


def _splice(random, content):
    """Join the start of one file and the rest of another."""
    others = list(whole_files().values())
    other = others[random.integers(len(others))][1]
    return content[: random.integers(200)] + other[random.integers(200) :]


def _drop(random, content):
    first = int(random.integers(len(content) + 1))
    return content[:first] + content[first + int(random.integers(1, 2000)) :]


def _repeat(random, content):
    first = int(random.integers(len(content) + 1))
    part = content[first : first + int(random.integers(1, 500))]
    return content[:first] + part * int(random.integers(2, 50)) + content[first:]


def _put_garbage(random, content):
    place = int(random.choice([0, len(content) // 2, len(content)]))
    return content[:place] + random.bytes(int(random.integers(1, 3000))) + content[place:]


def _blank(random, content):
    first = int(random.integers(len(content) + 1))
    n_bytes = min(int(random.integers(1, 4000)), len(content) - first)
    fill = bytes([int(random.choice([0, 255]))])
    return content[:first] + fill * n_bytes + content[first + n_bytes :]


def _spoil_page(random, content):
    """Flip bits of an Ogg file and correct its checksums."""
    return with_page_checksums(_flip(random, content, most=16))


MUTATORS = {
    "cut": _cut,
    "bits flipped": _flip,
    "a bit flipped": lambda random, content: _flip(random, content, most=2),
    "header flipped": lambda random, content: _flip(random, content, 4, 128, 12),
    "body noise": lambda random, content: content[:128] + random.bytes(len(content[128:])),
    "fields set": _set_fields,
    "spliced": _splice,
    "part dropped": _drop,
    "part repeated": _repeat,
    "garbage put in": _put_garbage,
    "part blanked": _blank,
    "pages spoiled": _spoil_page,
    "nothing": lambda random, content: content,
}


def with_page_checksums(content):
    """Return an Ogg file with the correct checksum on each page."""
    content, place = bytearray(content), content.find(b"OggS")
    while 0 <= place < len(content) - 27:
        n_segments = content[place + 26]
        size = 27 + n_segments + sum(content[place + 27 : place + 27 + n_segments])
        content[place + 22 : place + 26] = bytes(4)
        page = content[place : place + size]
        content[place + 22 : place + 26] = _page_checksum(page).to_bytes(4, "little")
        place = content.find(b"OggS", place + 4)
    return bytes(content)


@functools.cache
def _checksum_table():
    table = []
    for i in range(256):
        value = i << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


def _page_checksum(page):
    table, value = _checksum_table(), 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ table[(value >> 24) ^ byte]
    return value


def _any(random, *values):
    return values[random.integers(len(values))]


def wav(
    rate=16000, channels=1, bits=16, tag=1, align=None, n_bytes=None, riff=None, body=bytes(4000),
    extra=b"", fmt_size=None, before=b"",
):  # fmt: skip
    """Build a WAV file with any values in its header, true or false."""
    align = (channels * bits // 8) % 2**16 if align is None else align
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * align % 2**32, align, bits) + extra
    head = struct.pack("<4sI", b"fmt ", len(fmt) if fmt_size is None else fmt_size) + fmt
    data = struct.pack("<4sI", b"data", len(body) if n_bytes is None else n_bytes) + body
    inside = b"WAVE" + before + head + data
    return struct.pack("<4sI", b"RIFF", len(inside) if riff is None else riff) + inside


def _wav_gigabytes(random):
    size = _any(random, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 8)
    return ".wav", wav(n_bytes=size, riff=_any(random, size, 0, 2**32 - 1), body=random.bytes(2000))


def _wav_channels(random):
    channels = int(_any(random, 0, 255, 1000, 1024, 1025, 4096, 32767, 32768, 65535))
    body = random.bytes(_any(random, 0, 100, 5000, 300000))
    return ".wav", wav(channels=channels, bits=_any(random, 8, 16, 32), body=body)


def _wav_rate(random):
    rate = _any(random, 0, 1, 2, 10, 100, 125, 999, 10**6, 2**24, 2**31 - 1, 2**31, 4 * 10**9)
    return ".wav", wav(rate=rate, body=random.bytes(30000))


def _wav_bits(random):
    bits = _any(random, 0, 1, 7, 8, 12, 15, 17, 20, 24, 31, 33, 64, 255, 65535)
    align = _any(random, None, 0, 1, 2, 3, 255, 65535)
    return ".wav", wav(bits=bits, align=align, body=random.bytes(3000))


def _wav_codec(random):
    """Choose codecs whose decoders read the size of their blocks from the header."""
    tag = int(_any(random, 0, 2, 3, 6, 7, 0x11, 0x31, 0x40, 0x45, 0x55, 0xFFFE, 0x674F, 0xFFFF))
    extra = struct.pack("<HH", _any(random, 0, 2, 32, 65535), _any(random, 0, 1, 505, 65535))
    extra += random.bytes(_any(random, 0, 28, 34))
    align = _any(random, 0, 1, 4, 256, 1024, 65535)
    bits, channels = _any(random, 0, 4, 16, 65535), _any(random, 1, 2, 9, 1024)
    return ".wav", wav(tag=tag, extra=extra, align=align, bits=bits, channels=channels,
                       body=random.bytes(4000))  # fmt: skip


def _wav_sizes(random):
    """Choose sizes that contradict each other or are negative."""
    sizes = (0, 1, 3, 15, 17, 2**31 - 1, 2**31, 2**32 - 1)
    return ".wav", wav(riff=_any(random, *sizes), fmt_size=_any(random, None, *sizes),
                       n_bytes=_any(random, None, *sizes))  # fmt: skip


def _endless_chunks(random):
    name = _any(random, b"LIST", b"junk", b"cue ", b"bext", b"cart", b"smpl", b"\0\0\0\0", b"fact")
    size = _any(random, 0, 0, 1, 4, 2**32 - 8, 2**31 - 1, 2**32 - 1)
    chunk = struct.pack("<4sI", name, size) + bytes(min(size, 4))
    return ".wav", wav(before=chunk * int(_any(random, 1, 1000, 50000)))


def _rf64(random):
    sizes = [int(_any(random, 0, 2**31, 2**40, 2**62, 2**63 - 1, 2**64 - 1)) for _ in range(3)]
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, *sizes, _any(random, 0, 1, 2**32 - 1))
    content = wav(before=ds64, n_bytes=2**32 - 1, riff=2**32 - 1, body=random.bytes(3000))
    return ".wav", b"RF64" + content[4:]


def _flac(random):
    """Fill STREAMINFO with extreme numbers, and keep, cut or remove the frames."""
    content = bytearray(whole_files()["FLAC PCM_16"][1])
    least, most = (_any(random, 0, 1, 15, 16, 4096, 65535) for _ in range(2))
    rate = _any(random, 0, 1, 16000, 655350, 2**20 - 1)
    channels, bits = _any(random, 1, 2, 8), _any(random, 1, 4, 16, 24, 32)
    total = _any(random, 0, 1, 6400, 2**32, 2**36 - 1)
    packed = rate << 44 | (channels - 1) << 41 | (bits - 1) << 36 | total
    content[8:26] = struct.pack(">HH", least, most) + random.bytes(6) + packed.to_bytes(8, "big")
    return ".flac", bytes(content[: int(_any(random, len(content), 42, 200))])


def _flac_blocks(random):
    """Insert many metadata blocks, or one larger than the file."""
    content = whole_files()["FLAC PCM_16"][1]
    kind = _any(random, 1, 2, 3, 4, 5, 6, 126)
    size = _any(random, 0, 4, 100, 2**24 - 1)
    block = bytes([kind]) + size.to_bytes(3, "big") + random.bytes(min(size, 100))
    return ".flac", content[:42] + block * int(_any(random, 1, 100, 20000)) + content[42:]


def _ogg(random):
    """Reorder, repeat and alter pages, with correct checksums."""
    content = whole_files()[_any(random, "OGG VORBIS", "OGG OPUS")][1]
    pages = [b"OggS" + page for page in content.split(b"OggS")[1:]]
    order = random.integers(0, len(pages), int(_any(random, 3, 10, 300)))
    pages = pages[:2] + [pages[i] for i in order]
    spoiled = []
    for page in pages:
        page, field = bytearray(page), _any(random, None, None, 5, 6, 14, 18, 26)
        if field is not None:
            size = {5: 1, 6: 8, 14: 4, 18: 4, 26: 1}[field]
            page[field : field + size] = _any(random, bytes(size), b"\xff" * size, b"\x7f" * size)
        spoiled.append(bytes(page))
    return ".ogg", with_page_checksums(b"".join(spoiled))


def _opus_head(random):
    content = bytearray(whole_files()["OGG OPUS"][1])
    place = content.find(b"OpusHead") + 8
    numbers = (_any(random, 0, 1, 15, 255), _any(random, 0, 1, 2, 255), _any(random, 0, 65535),
               _any(random, 0, 1, 2**31, 2**32 - 1), _any(random, 0, 32767, 65535))  # fmt: skip
    content[place : place + 10] = struct.pack("<BBHIH", *numbers)
    content[place + 10] = _any(random, 0, 1, 2, 255)
    return ".opus", with_page_checksums(content)


def _mp3(random):
    content = whole_files()["MP3 MPEG_LAYER_III"][1]
    size = random.integers(0, 128, 4).astype(np.uint8).tobytes()
    tag = _any(
        random, b"ID3\x04\0\0" + size, b"ID3\xff\xff\xff\xff\xff\xff\xff", b"TAG", b"\xff\xfb"
    )
    garbage = random.bytes(int(_any(random, 0, 10, 1000, 20000)))
    return ".mp3", tag + garbage + content[random.integers(len(content)) :] + garbage


def _aiff(random):
    """Write an 80-bit rate that is infinite, NaN, negative or huge into COMM."""
    rate = _any(random, "7fff8000000000000000", "7fffc000000000000000", "c00cfa00000000000000",
                "43ff8000000000000000", "00000000000000000000", "400cfa00000000000000")  # fmt: skip
    comm = struct.pack(">hIh", _any(random, 0, 1, -1, 1025), _any(random, 0, 100, 2**32 - 1),
                       _any(random, -1, 0, 8, 16, 33)) + bytes.fromhex(rate)  # fmt: skip
    sound = struct.pack(">4sIII", b"SSND", _any(random, 8, 0, 2**32 - 1), _any(random, 0, 2**31), 0)
    inside = b"AIFF" + struct.pack(">4sI", b"COMM", 18) + comm + sound + random.bytes(2000)
    return _any(random, ".wav", ".aiff"), struct.pack(">4sI", b"FORM", len(inside)) + inside


def _caf(random):
    """Write an invalid rate and negative sizes into the description."""
    rate = _any(random, np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, 0.5, 16000.0)
    desc = struct.pack(">d4sIIIII", rate, _any(random, b"lpcm", b"alac", b"ulaw", b"xxxx"),
                       *(_any(random, 0, 1, 2, 16, 2**32 - 1) for _ in range(5)))  # fmt: skip
    sizes = _any(random, 2004, -1, 2**63 - 1, -(2**63))
    chunks = struct.pack(">4sq", b"desc", 32) + desc + struct.pack(">4sq", b"data", sizes)
    return ".caf", b"caff\0\1\0\0" + chunks + random.bytes(2004)


def _au(random):
    fields = (_any(random, 0, 24, 28, 2**31, 2**32 - 1), _any(random, 0, 4000, 2**32 - 1),
              _any(random, 0, 1, 3, 6, 23, 27, 255), _any(random, 0, 1, 16000, 2**32 - 1),
              _any(random, 0, 1, 1024, 65536, 2**32 - 1))  # fmt: skip
    order = _any(random, "<", ">")
    magic = b".snd" if order == ">" else b"dns."
    return ".au", magic + struct.pack(f"{order}5I", *fields) + random.bytes(4000)


def _w64(random):
    content = bytearray(whole_files()["W64 PCM_16"][1])
    for place in (16, 56, content.find(b"data") + 16):
        if random.random() < 0.6:
            content[place : place + 8] = struct.pack("<q", _any(random, -1, 0, 2**40, 2**63 - 1))
    return ".w64", bytes(content)


class _Payload:
    def __reduce__(self):
        return exec, ("open('executed', 'w').close()",)


def _no_audio(random):
    array = io.BytesIO()
    np.save(array, np.zeros(100, np.float32))
    return ".wav", _any(
        random, b"", b"\0", b"RIFF", b"no audio here\n" * 100, bytes(5000), random.bytes(5000),
        b"<html><body>404</body></html>", b"PK\x03\x04" + random.bytes(1000), array.getvalue(),
        pickle.dumps(_Payload()), b"#!/bin/sh\ntouch executed\n", b"\xff" * 4000,
    )  # fmt: skip


def _silence(random):
    """Encode silence as FLAC, which expands the most when decoded."""
    file = io.BytesIO()
    n_samples = int(_any(random, 10**5, 10**6))
    soundfile.write(file, np.zeros(n_samples), 16000, format="FLAC", subtype="PCM_16")
    return ".flac", file.getvalue()


HOSTILE = {
    "WAV of gigabytes": _wav_gigabytes,
    "WAV of many channels": _wav_channels,
    "WAV of odd rates": _wav_rate,
    "WAV of odd bits": _wav_bits,
    "WAV of odd codecs": _wav_codec,
    "WAV of odd sizes": _wav_sizes,
    "WAV of endless chunks": _endless_chunks,
    "RF64": _rf64,
    "STREAMINFO": _flac,
    "FLAC metadata": _flac_blocks,
    "OGG pages": _ogg,
    "OpusHead": _opus_head,
    "MP3": _mp3,
    "AIFF": _aiff,
    "CAF": _caf,
    "AU": _au,
    "W64": _w64,
    "no audio": _no_audio,
    "silence": _silence,
}
