import time
import warnings

import librosa
import numpy as np
import pytest
import soundfile
from filelock import FileLock

from skser.audio import AudioReadError, load_audio
from skser.feature_extraction import (
    MFCC,
    FrameFeatures,
    LevelContour,
    MelSpectrogram,
    Spectrogram,
)
from skser.feature_extraction._done import FeatureCache
from skser.feature_extraction._mel_bands import mel_filters
from skser.feature_extraction._spectral import NumpyFrames

RATE = 16000
STFT = {"n_fft": 512, "win_length": 400, "hop_length": 160, "window": "hamming"}
MELS = {"sr": RATE, "n_mels": 64, "fmin": 50, "fmax": 8000, **STFT}
ALL = [Spectrogram, MelSpectrogram, MFCC]


@pytest.fixture(scope="module")
def speech(corpus):
    return corpus.data[3]


def one(transformer, samples):
    return transformer.set_params(input_sampling_rate=RATE).transform([samples])[0]


@pytest.mark.parametrize("n_fft", [512, 800])
def test_power_agrees_with_librosa(speech, n_fft):
    settings = {**STFT, "n_fft": n_fft}
    expected = np.abs(librosa.stft(speech, **settings)).T ** 2
    given = one(Spectrogram(window=0.025, n_fft=n_fft, scale="power"), speech)
    assert given.shape == expected.shape
    assert np.abs(given - expected).max() < 1e-4 * expected.max()


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
@pytest.mark.parametrize(
    ("n_mels", "fmin", "fmax"), [(64, 50, 8000), (26, 0, 3999.5), (1, 1000, 1001)]
)
def test_mel_filters_are_those_of_librosa(rate, n_mels, fmin, fmax):
    fmax = min(fmax, rate / 2)
    filters, centers = mel_filters(rate, 1024, n_mels, fmin, fmax)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty bands
        expected = librosa.filters.mel(sr=rate, n_fft=1024, n_mels=n_mels, fmin=fmin, fmax=fmax)
    np.testing.assert_array_equal(filters, expected)
    edges = librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax)
    np.testing.assert_array_equal(centers, edges[1:-1])


def test_decibels_agree_with_librosa_over_the_top_60_db(speech):
    expected = librosa.power_to_db(librosa.feature.melspectrogram(y=speech, **MELS), top_db=60).T
    given = one(MelSpectrogram(deltas=0, normalize=None), speech)
    assert np.abs(given - expected).max() < 0.01


def test_deltas_agree_with_librosa(speech):
    mel = one(MelSpectrogram(normalize=None), speech)
    static, delta, delta2 = np.split(mel, 3, axis=1)
    np.testing.assert_allclose(
        delta, librosa.feature.delta(static, axis=0, mode="nearest"), atol=1e-4
    )
    np.testing.assert_allclose(
        delta2, librosa.feature.delta(delta, axis=0, mode="nearest"), atol=1e-4
    )


def test_deltas_of_a_ramp_are_its_slope():
    ramp = 0.5 * np.arange(30, dtype=np.float32)[:, None]
    frames = NumpyFrames(ramp)
    frames.append_deltas(2)
    deltas = frames.values
    np.testing.assert_allclose(deltas[4:-4, 1], 0.5, rtol=1e-5)
    np.testing.assert_allclose(deltas[8:-8, 2], 0, atol=1e-6)


def test_mfcc_agrees_with_librosa(speech):
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=speech, **MELS), top_db=80)
    expected = librosa.feature.mfcc(S=mel, n_mfcc=20).T
    assert np.abs(one(MFCC(), speech) - expected).max() < 0.02


def test_the_level_of_the_recording_has_no_effect(speech):
    loud, quiet = (one(MelSpectrogram(), gain * speech) for gain in (1.0, 0.01))
    np.testing.assert_allclose(loud, quiet, atol=0.01)


@pytest.mark.parametrize("cls", [*ALL, LevelContour, FrameFeatures])
def test_a_constant_offset_of_the_recording_has_no_effect(cls, speech):
    speech = speech - speech.mean()
    for offset in (-0.01, 0.3):
        given = one(cls(), speech + np.float32(offset))
        np.testing.assert_allclose(given, one(cls(), speech), rtol=1e-3, atol=0.02)


def test_a_mean_that_is_no_offset_stays(speech):
    speech = speech - speech.mean()
    mean = np.float32(0.04 * speech.std())
    power = one(Spectrogram(window=0.025, scale="power"), speech + mean)
    expected = np.abs(librosa.stft(speech + mean, **STFT)[0]) ** 2
    np.testing.assert_allclose(power[:, 0], expected, rtol=1e-3)


def test_scales_of_the_spectrogram_convert_into_each_other(speech):
    power, linear, db, log = (
        one(Spectrogram(scale=scale, top_db=None), speech)
        for scale in ("power", "linear", "db", "log")
    )
    np.testing.assert_allclose(linear**2, power, rtol=1e-4)
    np.testing.assert_allclose(db, 10 * np.log10(np.maximum(power, 1e-10)), atol=1e-3)
    np.testing.assert_allclose(log, db * np.log(10) / 20, atol=1e-3)


def test_zhangs_spectrogram_has_200_bins_below_4_khz(speech):
    transformer = Spectrogram(
        window=0.040, hop=0.010, n_fft=800, fmax=4000, scale="log", input_sampling_rate=RATE
    )
    layout = transformer.transform([speech]).layout
    assert layout.n_bands == 200
    assert layout.frequencies[:2] == (0.0, 20.0)
    assert layout.frequencies[-1] == 3980.0


@pytest.mark.parametrize("transformer", [cls() for cls in ALL], ids=lambda t: type(t).__name__)
def test_a_tone_is_found_at_its_frequency_and_time(transformer):
    samples = np.zeros(RATE, np.float32)
    burst = slice(6400, 9600)
    samples[burst] = np.sin(2 * np.pi * 1000 * np.arange(3200) / RATE)
    X = transformer.set_params(input_sampling_rate=RATE).transform([samples])
    static = X[0][:, : X.layout.n_bands]
    energy = static[:, 0] if isinstance(transformer, MFCC) else static.sum(axis=1)
    seconds = np.arange(len(static)) * X.layout.hop + X.layout.offset
    middle = seconds[energy > energy.mean()]
    assert middle.min() == pytest.approx(0.4, abs=0.03)
    assert middle.max() == pytest.approx(0.6, abs=0.03)
    if X.layout.frequencies is not None:
        band = static[50].argmax()
        assert X.layout.frequencies[band] == pytest.approx(1000, rel=0.05)


def test_column_names_follow_channels():
    names = MelSpectrogram(n_mels=2, deltas=2).get_feature_names_out()
    assert names.tolist() == ["mel0", "mel1", "Δmel0", "Δmel1", "ΔΔmel0", "ΔΔmel1"]


@pytest.mark.parametrize("deltas", [0, 1, 2])
@pytest.mark.parametrize("cls", [MFCC, MelSpectrogram, FrameFeatures, LevelContour])
def test_each_delta_is_a_channel(cls, deltas, speech):
    X = cls(deltas=deltas, input_sampling_rate=RATE).transform([speech[:RATE]])
    assert X.layout.n_channels == 1 + deltas
    assert X.n_columns % X.layout.n_channels == 0
    names = list(X.layout.feature_names)
    static = names[: len(names) // (1 + deltas)]
    expected = [f"{'Δ' * k}{name}" for k in range(1 + deltas) for name in static]
    assert names == expected


def test_frames_of_a_long_recording_equal_those_of_its_start(speech):
    long = np.tile(speech, 8)
    whole = one(Spectrogram(scale="power"), long)
    part = one(Spectrogram(scale="power"), long[: RATE * 2])
    np.testing.assert_array_equal(whole[:190], part[:190])


@pytest.mark.parametrize("transformer", [cls() for cls in ALL], ids=lambda t: type(t).__name__)
@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(8000),
        np.ones(8000),
        np.clip(5 * np.sin(np.arange(8000)), -1, 1),
        np.random.RandomState(0).randn(640),
    ],
    ids=["silence", "constant", "clipped", "one window"],
)
def test_odd_signals_give_finite_values(transformer, samples):
    assert np.isfinite(one(transformer, samples)).all()


def test_every_bad_file_is_named_after_the_others_are_done(wav, tmp_path):
    good = wav(np.random.RandomState(0).randn(8000) / 10)
    (tmp_path / "text.wav").write_text("not audio")
    (tmp_path / "empty.wav").touch()
    files = [
        good,
        str(tmp_path / "text.wav"),
        str(tmp_path / "empty.wav"),
        str(tmp_path / "no.wav"),
    ]
    mel = MelSpectrogram(memory=tmp_path / "cache")
    with pytest.raises(AudioReadError, match=r"3 of 4.*text\.wav.*empty\.wav.*no\.wav") as caught:
        mel.transform(files)
    assert [name for name, _ in caught.value.failures] == files[1:]
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1
    with pytest.warns(UserWarning, match="3 of 4.*left with 0 frames"):
        X = mel.set_params(on_error="empty").transform(files)
    assert X.lengths.tolist() == [51, 0, 0, 0]


def test_jobs_and_order_do_not_change_an_utterance(corpus):
    mel = MelSpectrogram(input_sampling_rate=RATE)
    alone = mel.transform(corpus.data[:6])
    parallel = mel.set_params(n_jobs=2, verbose=True).transform(corpus.data[:6][::-1])
    for i in range(6):
        np.testing.assert_array_equal(parallel[5 - i], alone[i])


def test_files_and_arrays_give_the_same(wav, speech):
    path = wav(speech, subtype="FLOAT")
    np.testing.assert_array_equal(
        MelSpectrogram().transform([path])[0], one(MelSpectrogram(), speech)
    )


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="must lie below fmax"):
        MelSpectrogram(fmin=8000).fit()
    with pytest.raises(ValueError, match="covers no frequency bin"):
        MelSpectrogram(n_mels=400).fit()
    with pytest.raises(ValueError, match="n_mfcc=65 exceeds n_mels=64"):
        MFCC(n_mfcc=65).fit()
    with pytest.raises(ValueError, match="shorter than the window of 400"):
        MelSpectrogram(n_fft=256).fit()
    with pytest.raises(ValueError, match="No frequency bin"):
        Spectrogram(fmin=7000, fmax=6000).fit()
    with pytest.raises(ValueError, match="at least 2 and 1"):
        Spectrogram(hop=1e-6).fit()
    with pytest.raises(ValueError, match="'deltas' parameter"):
        MelSpectrogram(deltas=3).fit()


class TestCache:
    def test_entries_depend_on_content_and_setting(self, wav, tmp_path, speech):
        first, copy = wav(speech, name="a.wav"), wav(speech, name="b.wav")
        mel = MelSpectrogram(memory=tmp_path / "cache")
        X = mel.transform([first, copy])
        np.testing.assert_array_equal(X[0], X[1])
        entries = list((tmp_path / "cache").rglob("*.npy"))
        assert len(entries) == 1
        np.testing.assert_array_equal(mel.transform([first])[0], X[0])
        mel.set_params(n_jobs=2, verbose=True, on_error="empty").transform([first])
        assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1
        mel.set_params(n_mels=32).transform([first])
        assert len(list((tmp_path / "cache").rglob("*.npy"))) == 2

    def test_entries_of_arrays_depend_on_their_rate(self, tmp_path, speech):
        mel = MelSpectrogram(memory=tmp_path, input_sampling_rate=16000)
        assert len(mel.transform([speech])[0]) > 1.9 * len(
            mel.set_params(input_sampling_rate=32000).transform([speech])[0]
        )

    def test_a_changed_file_is_computed_again(self, wav, tmp_path, speech):
        mel = MelSpectrogram(memory=tmp_path / "cache")
        before = mel.transform([wav(speech)])
        after = mel.transform([wav(speech[:16000])])
        assert len(after[0]) < len(before[0])

    def test_a_damaged_entry_is_computed_again_with_a_warning(self, wav, tmp_path, speech):
        mel = MelSpectrogram(memory=tmp_path / "cache")
        path = wav(speech)
        X = mel.transform([path])
        (entry,) = (tmp_path / "cache").rglob("*.npy")
        entry.write_bytes(entry.read_bytes()[:200])
        with pytest.warns(UserWarning, match="are damaged"):
            again = mel.transform([path])
        np.testing.assert_array_equal(again[0], X[0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mel.transform([path])

    def test_an_entry_that_another_process_computes_is_left_for_later(self, tmp_path):
        cache = FeatureCache(tmp_path, "a setting")
        with FileLock(cache.folder / "busy.lock"):
            assert cache.get("busy", lambda: np.ones(1), wait=False) is None
            assert cache.get("free", lambda: np.ones(2), wait=False).shape == (2,)
        assert cache.get("busy", lambda: np.ones(1), wait=True).shape == (1,)

    @pytest.mark.real_data
    def test_reading_back_costs_less_than_a_quarter(self, emodb_path, tmp_path):
        files = [str(p) for p in sorted(emodb_path.glob("*.flac"))[:60]]
        plain, kept = MelSpectrogram(), MelSpectrogram(memory=tmp_path)
        plain.transform(files), kept.transform(files)
        ratios = []
        for _ in range(5):
            start = time.perf_counter()
            plain.transform(files)
            middle = time.perf_counter()
            kept.transform(files)
            ratios.append((time.perf_counter() - middle) / (middle - start))
        assert np.median(ratios) < 0.25


@pytest.mark.real_data
def test_real_speech_of_every_format_is_read(emodb_path, ravdess_originals_path):
    files = [*sorted(emodb_path.glob("*.flac"))[:3], *sorted(ravdess_originals_path.rglob("*.wav"))]
    X = MelSpectrogram().transform(files)
    for file, frames in zip(files, X, strict=True):
        seconds = soundfile.info(file).duration
        assert len(frames) == pytest.approx(seconds / 0.010, abs=2)
        samples, _ = load_audio(file, RATE)
        expected = librosa.power_to_db(
            librosa.feature.melspectrogram(y=samples, **MELS), top_db=60
        ).T
        assert np.abs(frames[:, :64] - (expected - expected.mean())).max() < 0.01


def test_filters_and_windows_are_built_once_per_setting(monkeypatch, speech):
    mel = MelSpectrogram(n_mels=23, fmin=61.0, window_type=("general_cosine", [0.4, 0.5, 0.1]))
    first = one(mel, speech)

    def again(*args, **kwargs):
        raise AssertionError("built again")

    monkeypatch.setattr("skser.feature_extraction._mel.mel_filters", again)
    monkeypatch.setattr("scipy.signal.get_window", again)
    np.testing.assert_array_equal(one(mel, speech), first)
    with pytest.raises(AssertionError, match="built again"):
        one(mel.set_params(fmin=62.0), speech)


def test_a_setting_is_checked_again_when_it_changes(speech):
    mel = MelSpectrogram(input_sampling_rate=RATE)
    mel.transform([speech])
    with pytest.raises(ValueError, match="The 'n_mels' parameter"):
        mel.set_params(n_mels=0).transform([speech])
    with pytest.raises(ValueError, match="n_mels=2000 is too many"):
        mel.set_params(n_mels=2000).transform([speech])
    mel.set_params(n_mels=64).transform([speech])
