"""Audio files, streams and every form of audio input."""

import copy
import io
import pathlib
import pickle
import tracemalloc

import numpy as np
import pytest
import soundfile
import torch
from sklearn.linear_model import LogisticRegression

from skser.audio import (
    AudioReadError,
    Utterance,
    Waveform,
    audio_inputs,
    load_audio,
    read_utterance,
    stream_audio,
)
from skser.compose import AugmentedClassifier
from skser.feature_extraction import MelSpectrogram

RATE = 16000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "kwargs", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_U8"}, 0.01),
        ("a.wav", {"subtype": "PCM_16"}, 1e-4),
        ("a.wav", {"subtype": "PCM_24"}, 1e-6),
        ("a.wav", {"subtype": "PCM_32"}, 1e-6),
        ("a.wav", {"subtype": "FLOAT"}, 0),
        ("a.flac", {}, 1e-4),
        ("a.ogg", {}, 0.05),
        ("a.aiff", {}, 1e-4),
        ("a.wav", {"format": "AIFF"}, 1e-4),
    ],
)
def test_formats_are_read_by_content(wav, name, kwargs, tolerance):
    samples, rate = load_audio(wav(TONE, name=name, **kwargs))
    assert samples.dtype == np.float32
    assert rate == RATE
    assert np.abs(samples - TONE).max() <= tolerance


def test_mp3_is_read(wav):
    samples, _ = load_audio(wav(TONE, name="a.mp3", format="MP3"))
    assert len(samples) >= len(TONE)
    middle = slice(4000, 12000)
    assert np.sqrt(np.mean(samples[middle] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


@pytest.mark.parametrize("n_channels", [2, 5])
def test_channels_are_averaged(wav, n_channels):
    channels = np.stack([TONE * k for k in range(n_channels)], axis=1) / n_channels
    samples, _ = load_audio(wav(channels, subtype="FLOAT"))
    np.testing.assert_allclose(samples, channels.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_other_rates_are_resampled(wav, rate):
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    samples, given = load_audio(wav(tone, rate=rate, subtype="FLOAT"), RATE)
    expected = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert given == RATE
    assert len(samples) == RATE
    assert np.abs(samples - expected)[500:-500].max() < 1e-3


def test_long_files_are_read_whole(wav):
    samples = np.random.RandomState(0).uniform(-1, 1, 2**20 + 12345).astype(np.float32)
    np.testing.assert_array_equal(load_audio(wav(samples, subtype="FLOAT"))[0], samples)


def test_a_pickled_error_keeps_its_message():
    error = AudioReadError([("a.wav", "no such file"), ("b.wav", "is a directory")], 7)
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert "2 of 7" in str(copy)
    assert "b.wav: is a directory" in str(copy)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8])
def test_integer_samples_are_scaled_by_their_full_scale(dtype):
    info = np.iinfo(dtype)
    middle = 0 if info.min < 0 else 128
    samples = np.array([info.min, middle, info.max], dtype)
    scaled = read_utterance(samples, 0, RATE, RATE)
    np.testing.assert_allclose(scaled, [-1, 0, 1], atol=0.01)


def test_a_table_is_read_from_its_column_audio():
    import pandas as pd

    assert audio_inputs(pd.DataFrame({"audio": ["a.wav"], "speaker": ["x"]})) == ["a.wav"]
    with pytest.raises(ValueError, match="no column 'audio'.*'path'"):
        audio_inputs(pd.DataFrame({"path": ["a.wav"]}))


@pytest.mark.parametrize("dtype", [object, str])
def test_an_array_with_one_column_of_paths_is_audio(dtype):
    paths = ["a.wav", "b.wav"]
    assert audio_inputs(np.array(paths, dtype=dtype)[:, None]) == paths
    with pytest.raises(TypeError, match="X must be a list of paths"):
        audio_inputs(np.array([paths], dtype=dtype))


@pytest.mark.parametrize("make", [set, frozenset, iter, lambda paths: (path for path in paths)])
def test_containers_without_order_or_length_are_rejected(make):
    audio = make(["a.wav", "b.wav"])
    match = "set, which has no order" if hasattr(audio, "union") else "X must be a list"
    for read in (audio_inputs, MelSpectrogram().transform):
        with pytest.raises(TypeError, match=match):
            read(audio)
    model = AugmentedClassifier(LogisticRegression(), lambda x, **_: x)
    with pytest.raises(TypeError, match=match):
        model.fit(audio, ["anger", "joy"])


@pytest.mark.real_data
def test_published_files_agree_with_their_16_khz_copies(ravdess_originals_path, ravdess_path):
    for original in ravdess_originals_path.rglob("*.wav"):
        info = soundfile.info(original)
        assert info.samplerate == 48000
        ours, _ = load_audio(original, RATE)
        copy, _ = load_audio(ravdess_path / original.parent.name / f"{original.stem}.flac", RATE)
        assert abs(len(ours) - len(copy)) <= 2
        n = min(len(ours), len(copy))
        assert np.corrcoef(ours[:n], copy[:n])[0, 1] > 0.999


@pytest.mark.parametrize("sampling_rate", [None, 8000, 16000, 22050.5, 44100])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_stream_yields_the_samples_that_are_loaded(wav, name, sampling_rate):
    samples = np.random.RandomState(0).uniform(-1, 1, (600_000, 2))
    path = wav(samples, rate=44100, name=name)
    blocks, rates = zip(*stream_audio(path, sampling_rate), strict=True)
    loaded, rate = load_audio(path, sampling_rate)
    assert len(blocks) > 1
    assert set(rates) == {rate}
    np.testing.assert_allclose(np.concatenate(blocks), loaded, atol=1e-6)


def test_a_stream_raises_what_loading_the_file_raises(wav, tmp_path):
    with pytest.raises(AudioReadError, match="none.wav: no such file"):
        list(stream_audio(tmp_path / "none.wav"))
    with pytest.raises(AudioReadError, match="a.wav: holds no samples"):
        list(stream_audio(wav(np.empty(0))))
    late = np.zeros((2**20, 2))
    late[-1] = np.nan
    stream = stream_audio(wav(late, subtype="FLOAT"))
    assert len(next(stream)[0]) == 2**19
    with pytest.raises(AudioReadError, match="a.wav: holds samples that are NaN"):
        list(stream)


def test_the_rate_of_a_waveform_overrides_input_sampling_rate():
    at_48_khz = Waveform(np.repeat(TONE, 3), 3 * RATE)
    for rate in (None, 8000):
        lengths = MelSpectrogram(input_sampling_rate=rate).transform([at_48_khz]).lengths
        assert lengths.tolist() == [101]


def test_a_pickled_waveform_keeps_its_rate_and_name():
    back = pickle.loads(pickle.dumps(Waveform(TONE, 8000, "call")))
    assert (back.sampling_rate, back.name) == (8000, "call")
    np.testing.assert_array_equal(back, TONE)


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda waveform: pickle.loads(pickle.dumps(waveform))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_of_a_waveform_keep_its_rate_and_copies_of_a_slice_have_none(duplicate):
    waveform = Waveform(TONE.copy(), 8000, "call")
    twin, half = duplicate(waveform), duplicate(waveform[::2])
    assert (twin.sampling_rate, twin.name, half.sampling_rate) == (8000, "call", None)
    twin[0] = 1
    assert waveform[0] == 0
    np.testing.assert_array_equal(half, TONE[::2])


@pytest.mark.parametrize("rate", [0, -16000, float("nan"), float("inf"), "16 kHz", None])
def test_a_waveform_without_a_valid_rate_is_rejected(rate):
    # NaN Hz would make resampling endless, and 0 would be replaced by input_sampling_rate.
    with pytest.raises(ValueError, match=r"sampling_rate=.* must be a positive, finite number"):
        Waveform(TONE, rate)


def test_a_slice_of_a_waveform_has_no_rate():
    half = Waveform(TONE, RATE)[::2]
    for rate in (None, RATE):  # that of arrays is not meant for it
        with pytest.raises(TypeError, match="Utterance 1 was derived .* lost its sampling rate"):
            audio_inputs([TONE, half], rate)
    assert len(read_utterance(half, 0, RATE / 2, RATE)) == RATE


def test_errors_name_a_waveform():
    broken = Waveform(np.full(100, np.nan), RATE, "call.wav from 2 to 4 s")
    with pytest.raises(AudioReadError, match="call.wav from 2 to 4 s: holds samples that are NaN"):
        MelSpectrogram().transform([broken])
    with pytest.raises(AudioReadError, match="utterance 0: holds samples that are NaN"):
        MelSpectrogram().transform([Waveform(np.full(100, np.nan), RATE)])


def content(samples, **kwargs):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, **{"format": "WAV", **kwargs})
    return file.getvalue()


class TestSources:
    @pytest.mark.parametrize(
        "source",
        [
            lambda x, path: path,
            lambda x, path: pathlib.Path(path),
            lambda x, path: pathlib.Path(path).read_bytes(),
            lambda x, path: bytearray(pathlib.Path(path).read_bytes()),
            lambda x, path: io.BytesIO(pathlib.Path(path).read_bytes()),
            lambda x, path: Utterance(io.BytesIO(pathlib.Path(path).read_bytes())),
            lambda x, path: Waveform(x, RATE),
            lambda x, path: Waveform(np.stack([x, x]), RATE),
            lambda x, path: {"array": x, "sampling_rate": RATE, "path": None},
            lambda x, path: {"bytes": pathlib.Path(path).read_bytes(), "path": "a.wav"},
            lambda x, path: {"bytes": None, "path": path},
            lambda x, path: (RATE, x),
            lambda x, path: (x, RATE),
            lambda x, path: (torch.from_numpy(x)[None].requires_grad_(), RATE),
            lambda x, path: Waveform(torch.from_numpy(x), RATE),
        ],
    )
    def test_all_sources_of_a_sound_have_the_same_spectrogram(self, wav, source):
        path = wav(TONE, subtype="FLOAT")
        wanted = MelSpectrogram().transform([path])
        for _ in range(2):  # an open file is read from its start each time
            item = source(TONE, path)
            np.testing.assert_array_equal(MelSpectrogram().transform([item])[0], wanted[0])
        with open(path, "rb") as file:
            np.testing.assert_array_equal(MelSpectrogram().transform([file])[0], wanted[0])
            np.testing.assert_array_equal(MelSpectrogram().transform([file])[0], wanted[0])

    def test_a_list_can_mix_sources_that_state_their_rate(self, wav):
        path = wav(TONE)
        X = [path, pathlib.Path(path).read_bytes(), Waveform(TONE, RATE), Utterance(path, 0, 0.5)]
        assert MelSpectrogram().transform(X).lengths.tolist() == [101, 101, 101, 51]

    @pytest.mark.parametrize(
        ("wrong", "reason"),
        [
            (None, "Utterance 1 is missing, not audio: give a path, or Waveform"),
            (float("nan"), "Utterance 1 is missing, not audio"),
            (7, "Utterance 1 is of type int, not audio"),
            (
                {"text": "a"},
                r"Utterance 1 is a dict with the keys \['text'\].*Waveform\(samples, rate",
            ),
            (
                {"array": TONE},
                r"Utterance 1 is a dict with the keys \['array'\], but needs 'array'",
            ),
            (io.StringIO("a"), "opened as text: open it in binary mode"),
        ],
    )
    def test_errors_describe_an_element_that_is_not_audio(self, wrong, reason):
        with pytest.raises(TypeError, match=reason):
            audio_inputs([Waveform(TONE, RATE), wrong])

    @pytest.mark.parametrize(
        ("X", "reason"),
        [
            ((path for path in ["a.wav"]), r"not generator: pass list\(X\)"),
            (Waveform(TONE, RATE), r"X is a single Waveform; pass a list: \[utterance\]"),
            (Utterance("a.wav", 1), "X is a single Utterance"),
            (b"RIFF", "X is a single file's content"),
            (io.BytesIO(b"RIFF"), r"X is a single open file \(BytesIO\)"),
            ({"array": TONE}, r"not dict: pass \[X\]"),
        ],
    )
    def test_a_single_source_is_rejected_with_the_remedy(self, X, reason):
        with pytest.raises(TypeError, match=reason):
            audio_inputs(X)


class TestBounds:
    def test_24_bit_samples_in_int32_are_scaled_like_the_file(self, wav):
        path = wav(TONE, subtype="PCM_24")
        integers, _ = soundfile.read(path, dtype="int32")
        found = read_utterance(Waveform(integers, RATE), 0, None, None)
        np.testing.assert_allclose(found, load_audio(path)[0], atol=1e-7)

    def test_unscaled_integers_are_rejected_unless_the_limit_is_lifted(self):
        loud = TONE * 32768
        for item in (Waveform(loud, RATE), Utterance(content(loud, subtype="FLOAT"))):
            (item,) = audio_inputs([item])
            with pytest.raises(AudioReadError, match=r"up to 16384.*max_amplitude=None"):
                read_utterance(item, 0, None, RATE)
        wave = pickle.loads(pickle.dumps(Waveform(loud, RATE, max_amplitude=None)))
        np.testing.assert_array_equal(read_utterance(wave, 0, None, RATE), loud)
        for source in (Waveform(loud, RATE), content(loud, subtype="FLOAT")):
            item = Utterance(source, max_amplitude=None)
            np.testing.assert_array_equal(read_utterance(item, 0, None, RATE), loud)

    def test_streams_have_the_limit_of_amplitude_too(self):
        loud = content(TONE * 32768, subtype="FLOAT")
        with pytest.raises(AudioReadError, match=r"up to 16384.*max_amplitude=None"):
            list(stream_audio(loud))
        pieces = stream_audio(Utterance(loud, max_amplitude=None))
        assert sum(len(samples) for samples, _ in pieces) == len(TONE)

    def test_long_utterances_are_rejected_before_decoding(self, tmp_path, monkeypatch):
        path = tmp_path / "long.flac"
        soundfile.write(path, np.zeros(5 * 3600 * 1000, np.int16), 1000)
        read = soundfile.SoundFile.read
        monkeypatch.setattr(
            soundfile.SoundFile, "read", lambda *args, **kwargs: pytest.fail("decoded")
        )
        with pytest.raises(AudioReadError, match=r"long\.flac: is more than 4 hours long: cut it"):
            load_audio(path)
        with pytest.raises(AudioReadError, match="more than 4 hours"):
            load_audio(Utterance(path, end=4.5 * 3600))
        monkeypatch.setattr(soundfile.SoundFile, "read", read)
        assert len(load_audio(path, max_duration=None)[0]) == 18_000_000
        assert len(load_audio(path, start=4 * 3600)[0]) == 3_600_000
        assert sum(len(samples) for samples, _ in stream_audio(path)) == 18_000_000
        with pytest.raises(AudioReadError, match="utterance 0: is more than 2 s long"):
            MelSpectrogram().transform([Utterance(Waveform(np.ones(48000), RATE), max_duration=2)])

    def test_resampling_keeps_only_a_little_at_the_rate_of_the_file(self, wav):
        path = wav(np.zeros(20 * 655350, np.int16), rate=655350, name="a.flac")
        tracemalloc.start()
        samples, _ = load_audio(path, RATE)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(samples) == 20 * RATE
        assert peak < 25e6  # all samples at the rate of the file need 52 MB

    def test_extreme_upsampling_is_rejected(self, wav):
        assert len(load_audio(wav(TONE, rate=8000), 48000)[0]) == 96000
        with pytest.raises(AudioReadError, match="more than 16 times below the requested 16000 Hz"):
            load_audio(wav(TONE, rate=900), RATE)
