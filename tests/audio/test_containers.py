"""Formats of phones and browsers, and files with wrong headers or unexpected ends."""

import io
import struct
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from skser.audio import AudioReadError, Utterance, load_audio, stream_audio
from skser.datasets import load_emodb, load_folder
from skser.persistence import load_pretrained
from tests.support.hostile_audio import MUTATORS

RATE = 16000
NOISE = (np.random.RandomState(0).randn(2 * RATE) / 10).astype(np.float32)


def encoded(samples, codec, container, rate=RATE):
    """Encode mono samples at 16 kHz with PyAV and return the content of the file."""
    av = pytest.importorskip("av")
    try:
        av.Codec(codec, "w")
    except ValueError:
        pytest.skip(f"PyAV has no encoder {codec} here")
    file = io.BytesIO()
    integers = np.clip(samples * 32768, -32768, 32767).astype(np.int16)
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        context = stream.codec_context
        if codec in ("aac", "libopus", "wmav2"):
            context.bit_rate = 128000
        context.open(strict=False)
        frame = av.AudioFrame.from_ndarray(integers[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        resampler = av.AudioResampler(
            format=context.format, layout="mono", rate=rate, frame_size=context.frame_size or None
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return file.getvalue()


LOSSLESS = [("alac", "ipod", ".m4a"), ("flac", "matroska", ".mka"), ("pcm_s16le", "mov", ".mov")]
LOSSY = [
    ("aac", "ipod", ".m4a", RATE),
    ("aac", "adts", ".aac", RATE),
    ("libopus", "webm", ".webm", 48000),
    ("libopencore_amrnb", "amr", ".amr", 8000),
    ("libopencore_amrnb", "3gp", ".3gp", 8000),
    ("wmav2", "asf", ".wma", 44100),
]


@pytest.mark.parametrize(("codec", "container", "suffix"), LOSSLESS)
def test_lossless_containers_return_identical_samples(tmp_path, wav, codec, container, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(NOISE, codec, container))
    samples, rate = load_audio(path)
    wanted = np.clip(NOISE * 32768, -32768, 32767).astype(np.int16) / np.float32(32768)
    assert rate == RATE
    np.testing.assert_array_equal(samples, wanted)
    np.testing.assert_array_equal(load_audio(path, start=0.5, end=1.25)[0], wanted[8000:20000])
    pieces = [piece for piece, _ in stream_audio(path)]
    np.testing.assert_array_equal(np.concatenate(pieces), wanted)


@pytest.mark.parametrize(("codec", "container"), [("aac", "mp4"), ("libopus", "webm")])
@pytest.mark.parametrize("first", [0, 2])
def test_frames_are_placed_by_their_time_stamps(tmp_path, codec, container, first):
    rate, path = 48000, tmp_path / "muted"
    path.write_bytes(tones_at((first, first + 3), codec, container, rate))
    gap = r"0 to (1\.9|2\.?)" if first else r"1\.0\d* to 3\.0"
    with pytest.warns(UserWarning, match=rf"muted: by its time stamps, .* from {gap}\d* s"):
        samples, _ = load_audio(path)
    with pytest.warns(UserWarning, match="read as silence"):
        part = load_audio(path, start=first + 3.2, end=first + 3.7)[0]
    np.testing.assert_array_equal(part, samples[round((first + 3.2) * rate) :][: rate // 2])
    middles = [samples[(2 * i + 1) * rate // 2 :][: rate // 4] for i in range(first + 4)]
    silent = [np.sqrt(np.mean(middle**2)) < 0.01 for middle in middles]
    assert silent == [i not in (first, first + 3) for i in range(first + 4)]


def test_time_stamps_that_jump_by_hours_are_refused(tmp_path):
    path = tmp_path / "a.mka"
    path.write_bytes(tones_at((0, 5 * 3600), "aac", "matroska", 16000))
    with pytest.raises(AudioReadError, match=r"a\.mka.*: has time stamps that jump from 1\.\d+ to"):
        load_audio(path, start=0.5)


def tones_at(starts, codec, container, rate):
    """Encode tones of a second that start at several times, with nothing between them."""
    av = pytest.importorskip("av")
    file, tone = io.BytesIO(), 0.3 * np.sin(np.arange(rate) / 10)
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        kind = stream.codec_context.format.name
        tone = (tone * 2**15).astype(np.int16) if kind == "s16" else tone.astype(np.float32)
        for start in starts:
            for i in range(0, rate, 960):
                part = tone[None, i : i + 960]
                frame = av.AudioFrame.from_ndarray(part, format=kind, layout="mono")
                frame.sample_rate, frame.pts = rate, start * rate + i
                frame.time_base = Fraction(1, rate)
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(("codec", "container", "suffix", "rate"), LOSSY)
def test_lossy_containers_return_similar_samples(tmp_path, codec, container, suffix, rate):
    tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(tone, codec, container, rate))
    samples, found = load_audio(path, RATE)
    assert found == RATE
    assert len(samples) == pytest.approx(2 * RATE, abs=0.12 * RATE)
    level = np.sqrt(np.mean(samples[RATE // 2 : RATE] ** 2))
    assert level == pytest.approx(0.3 / np.sqrt(2), rel=0.25)
    whole, own_rate = load_audio(path)
    part = load_audio(path, start=0.5, end=1.0)[0]
    np.testing.assert_array_equal(part, whole[round(0.5 * own_rate) : round(1.0 * own_rate)])


def differences(corpus_samples, codec, container, rate):
    """Compute how far the probabilities of each utterance are from those of the same WAV."""
    model = load_pretrained("emodb-afcn")
    integers = [np.clip(x * 32768, -32768, 32767).astype(np.int16) for x in corpus_samples]
    of_wav = model.predict_proba([wav(x) for x in integers])
    found = model.predict_proba([encoded(x, codec, container, rate) for x in corpus_samples])
    assert (found.argmax(axis=1) == of_wav.argmax(axis=1)).all()
    return np.abs(found - of_wav).max(axis=1)


def test_predictions_for_lossless_containers_equal_those_for_wav(corpus):
    assert differences(corpus.data[:6], "alac", "ipod", RATE).max() < 1e-6


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("codec", "container", "rate"), [("aac", "ipod", RATE), ("libopus", "webm", 48000)]
)
def test_predictions_for_lossy_containers_are_close_to_those_for_wav(
    emodb_path, codec, container, rate
):
    speech = [load_audio(path, RATE)[0] for path in load_emodb(emodb_path).data[::60]]
    assert differences(speech, codec, container, rate).max() < 0.05


def test_a_container_that_is_cut_or_has_no_audio_is_rejected_by_name(tmp_path):
    path = tmp_path / "a.m4a"
    path.write_bytes(encoded(NOISE, "aac", "ipod")[:2000])
    with pytest.raises(AudioReadError, match=r"a\.m4a: cannot be read as audio \(MP4 or M4A"):
        load_audio(path)
    path.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(1000))
    with pytest.raises(AudioReadError, match=r"a\.m4a: cannot be read as audio \(Matroska"):
        load_audio(path)


@pytest.mark.parametrize(("codec", "container", "suffix", "rate"), LOSSY)
@pytest.mark.filterwarnings("ignore:call. by its time stamps, it has no sound:UserWarning")
def test_corrupted_containers_are_read_or_rejected_by_name(codec, container, suffix, rate):
    whole, outcomes = encoded(NOISE[:8000], codec, container, rate), set()
    mutators = [MUTATORS[name] for name in MUTATORS if name not in ("spliced", "pages spoiled")]
    for number in range(40):
        random = np.random.default_rng(number)
        mutator = mutators[random.integers(len(mutators))]
        try:
            samples, _ = load_audio(Utterance(bytes(mutator(random, whole)), name="call"))
            assert len(samples) > 0
            assert np.isfinite(samples).all()
            outcomes.add("read")
        except AudioReadError as error:
            outcomes.add(str(error))
    assert "read" in outcomes
    assert len(outcomes) > 1
    assert all(one.startswith("call: ") and "\n" not in one for one in outcomes - {"read"})


def test_load_folder_finds_every_readable_format(tmp_path):
    (tmp_path / "joy").mkdir()
    for name in ("a.wav", "b.opus", "c.m4a", "d.webm", "e.AMR", "f.caf", "readme.txt"):
        (tmp_path / "joy" / name).touch()
    assert len(load_folder(tmp_path)) == 6


def wav(samples=NOISE, riff=None, data=None):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV")
    content = bytearray(file.getvalue())
    for place, value in ((4, riff), (40, data)):
        if value is not None:
            content[place : place + 4] = struct.pack("<I", value)
    return bytes(content)


def other(kind, subtype=None, samples=NOISE):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=kind, subtype=subtype)
    return bytearray(file.getvalue())


class TestHeaders:
    def test_a_header_with_length_0_is_read_to_the_end_with_a_warning(self):
        flac, au = other("FLAC"), other("AU", "PCM_16")
        flac[21] &= 0xF0
        flac[22:26] = bytes(4)
        au[8:12] = bytes(4)
        for content in (wav(riff=0, data=0), wav(data=0), bytes(flac), bytes(au)):
            with pytest.warns(UserWarning, match="states a length of 0"):
                samples, _ = load_audio(content)
            np.testing.assert_allclose(samples, NOISE, atol=1e-4)
            with pytest.warns(UserWarning, match="states a length of 0"):
                part, _ = load_audio(content, start=1)
            np.testing.assert_array_equal(part, samples[RATE:])

    def test_a_header_with_unknown_length_is_read_to_the_end(self):
        for size in (2**32 - 1, 2**31 - 4096):  # the sizes that ffmpeg and sox write into a pipe
            assert len(load_audio(wav(riff=2**32 - 1, data=size))[0]) == len(NOISE)

    def test_a_header_that_claims_too_little_warns(self):
        flac = other("FLAC")
        flac[22:26] = struct.pack(">I", 8000)
        for content in (wav(data=16000), bytes(flac)):
            with pytest.warns(UserWarning, match="claims less than the file holds"):
                assert len(load_audio(content)[0]) == 8000

    @pytest.mark.parametrize(
        ("kind", "field", "layout", "value"),
        [
            ("AU", b".snd", (8, ">I"), 16000),
            ("AIFF", b"SSND", (4, ">I"), 16008),
            ("CAF", b"data", (4, ">q"), 16004),
            ("RF64", b"ds64", (16, "<Q"), 16000),
        ],
    )
    def test_other_headers_that_claim_too_little_warn(self, kind, field, layout, value):
        content = other(kind, "PCM_16")
        struct.pack_into(layout[1], content, content.index(field) + layout[0], value)
        with pytest.warns(UserWarning, match="claims less than the file holds"):
            assert len(load_audio(bytes(content))[0]) == 8000

    @pytest.mark.parametrize(
        ("kind", "subtype"),
        [
            ("WAV", "PCM_16"),
            ("WAV", "FLOAT"),
            ("WAV", "IMA_ADPCM"),
            ("WAVEX", "PCM_24"),
            ("RF64", "PCM_16"),
            ("W64", "PCM_16"),
            ("AIFF", "PCM_16"),
            ("AIFF", "ULAW"),
            ("AU", "PCM_16"),
            ("NIST", "PCM_16"),
        ],
    )
    def test_a_file_that_was_cut_off_warns(self, tmp_path, kind, subtype):
        whole = other(kind, subtype)
        path = tmp_path / "cut"
        path.write_bytes(whole)
        load_audio(path)  # does not warn
        path.write_bytes(whole[: len(whole) // 2])
        message = r"cut: its header claims 2\S* s, but the file holds only (1|0.9|1.0)\d* s"
        for source in (path, path.read_bytes()):
            name = message if source is path else message.replace("cut", "the audio")
            with pytest.warns(UserWarning, match=name):
                assert load_audio(source)[0].size == pytest.approx(RATE, rel=0.02)

    def test_a_sphere_file_with_another_type_of_number_warns(self):
        content = bytes(other("NIST", "ALAW"))
        assert b"sample_n_bytes -s1 1" in content
        with pytest.warns(UserWarning, match="its header claims 2 s, but the file holds only 1 s"):
            load_audio(content[: 1024 + RATE])

    def test_a_few_missing_bytes_do_not_warn(self):
        assert len(load_audio(wav(data=2 * len(NOISE) + 44))[0]) == len(NOISE)

    @pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**31 - 37, 2**32 - 1 - 36])
    def test_a_placeholder_for_the_length_does_not_warn(self, size):
        assert len(load_audio(wav(data=size))[0]) == len(NOISE)

    def test_the_length_of_rf64_is_that_of_64_bits(self):
        content = other("RF64", "PCM_16")
        struct.pack_into("<I", content, content.index(b"data") + 4, 16000)
        assert len(load_audio(bytes(content))[0]) == len(NOISE)

    def test_a_joined_mp3_warns(self):
        content = other("MP3")
        assert len(load_audio(bytes(content) + b"TAG" + bytes(125))[0]) == len(NOISE)
        tag = b"ID3\4\0\0" + bytes([0, 0, 1, 0]) + bytes(128)
        for second in (content, tag + content):
            with pytest.warns(UserWarning, match="claims less than the file holds"):
                assert len(load_audio(bytes(content + second))[0]) == len(NOISE)

    def test_chunks_and_tags_after_the_samples_are_ignored(self):
        for rest in (b"LIST" + struct.pack("<I", 4) + b"INFO", b"ID3" + bytes(200), bytes(100)):
            for content in (wav(), bytes(other("RF64")), bytes(other("AU"))):
                if content[:4] != b".snd" or rest[:4] != b"LIST":
                    assert len(load_audio(content + rest)[0]) == len(NOISE)
        aiff = bytes(other("AIFF")) + b"ANNO" + struct.pack(">I", 4) + b"note"
        caf = bytes(other("CAF")) + b"info" + struct.pack(">qI", 4, 0)
        for content in (aiff, caf):
            assert len(load_audio(content)[0]) == len(NOISE)

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (wav() * 2, "WAV files"),
            (bytes(other("OGG", "VORBIS") + other("OGG", "VORBIS")), "Ogg streams"),
            (bytes(other("OGG", "OPUS") + other("OGG", "OPUS")), "Ogg streams"),
            (bytes(other("FLAC") * 2), "FLAC files"),
        ],
    )
    def test_joined_recordings_are_rejected_by_name(self, tmp_path, content, what):
        path = tmp_path / "joined"
        path.write_bytes(content)
        with pytest.raises(AudioReadError, match=f"joined: consists of several {what}"):
            load_audio(path)


def test_further_audio_tracks_are_warned_of():
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        streams = [out.add_stream("flac", rate=RATE, layout="mono") for _ in range(2)]
        for stream, height in zip(streams, (0, 8000), strict=True):
            frame = av.AudioFrame.from_ndarray(
                np.full((1, RATE), height, np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = RATE, 0
            out.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.warns(UserWarning, match="holds 2 audio tracks, of which only the first"):
        samples, _ = load_audio(file.getvalue(), RATE)
    assert not samples.any()
