import tracemalloc
import warnings

import librosa
import numpy as np
import parselmouth
import pytest
import scipy.signal
from parselmouth.praat import call

from skser.audio import Utterance
from skser.datasets import _synthesis, make_emotional_speech
from skser.feature_extraction import FrameFeatures
from skser.feature_extraction._frame_features import COLUMNS

RATE = 16000
MELS = {"n_mels": 26, "fmin": 20, "fmax": 8000}


@pytest.fixture(scope="module")
def speech(corpus):
    return corpus.data[3]


@pytest.fixture(scope="module")
def features(speech):
    return columns(FrameFeatures(), speech)


@pytest.fixture(scope="module")
def power(speech):
    """Power spectra of the same frames by librosa, (n_bins, n_frames)."""
    centred = speech - speech.mean()
    return (
        np.abs(
            librosa.stft(centred, n_fft=512, win_length=320, hop_length=160, window="hamming")
        ).astype(float)
        ** 2
    )


@pytest.fixture(scope="module")
def mels(power):
    return librosa.feature.melspectrogram(S=power, sr=RATE, n_fft=512, **MELS)


def spoken_with_pitch(with_mean):
    """Made-up utterances, each with its fundamental frequency at every sample.

    All pulses have one sign. If their mean is kept, short lags are correlated, and Praat and we
    make fewer octave errors.
    """
    pitches = []
    make = _synthesis._pulses
    with pytest.MonkeyPatch.context() as patch:

        def recorded(pitch, *rest):
            pitches.append(np.array(pitch))
            return make(pitch, *rest)

        patch.setattr(_synthesis, "_pulses", recorded)
        if with_mean:
            patch.setattr(_synthesis, "_transmitted", lambda source, rate: source)
        corpus = make_emotional_speech(n_speakers=6, n_utterances_per_speaker=5, random_state=1)
    return list(zip(corpus.data, pitches, strict=True))


def at_any_level(samples):
    return Utterance(samples, max_amplitude=None)


def columns(transformer, samples):
    X = transformer.set_params(input_sampling_rate=RATE).transform([at_any_level(samples)])
    return dict(zip(X.layout.feature_names, X[0].T.astype(float), strict=True))


def loud(power):
    """Mark the frames whose spectrum is well above rounding errors."""
    energy = power.sum(axis=0)
    return energy > 1e-4 * energy.max()


def vowel(pitch, formants=(730, 1090, 2440, 3500, 4500), bandwidths=(60, 80, 110, 150, 200)):
    """Synthesize one second of a pulse train filtered by resonances."""
    samples = np.zeros(RATE)
    instants = np.arange(0, RATE - 2, RATE / pitch)
    share = instants % 1  # of the next sample, where a pulse falls between two
    samples[instants.astype(int)] = 1 - share
    samples[instants.astype(int) + 1] += share
    samples = scipy.signal.lfilter([1], [1, -0.97], samples)
    for formant, bandwidth in zip(formants, bandwidths, strict=True):
        radius = np.exp(-np.pi * bandwidth / RATE)
        angle = 2 * np.pi * formant / RATE
        samples = scipy.signal.lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], samples)
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


class TestPitch:
    @staticmethod
    def gross_errors(spoken, track, snr=None):
        """Return two shares: frames voiced in both but off by over a fifth, and missed frames."""
        random = np.random.RandomState(0)
        wrong = both = missed = truly = 0
        for samples, pitch in spoken:
            if snr is not None:
                level = np.sqrt(np.mean(samples[pitch > 0] ** 2) / 10 ** (snr / 10))
                samples = samples + level * random.randn(len(samples))
            times, found = track(samples)
            true = pitch[np.minimum(np.round(times * RATE).astype(int), len(pitch) - 1)]
            shared = (true > 0) & (found > 0)
            wrong += (np.abs(found[shared] / true[shared] - 1) > 0.2).sum()
            both += shared.sum()
            missed += ((true > 0) & (found == 0)).sum()
            truly += (true > 0).sum()
        return wrong / both, missed / truly

    @staticmethod
    def ours(samples):
        semitones = columns(FrameFeatures(("pitch",)), samples)["F0"]
        hertz = np.where(semitones > 0, 27.5 * 2 ** (semitones / 12), 0)
        return np.arange(len(hertz)) * 0.010, hertz

    @staticmethod
    def praats(samples):
        sound = parselmouth.Sound(np.asarray(samples, float), RATE)
        pitch = sound.to_pitch_ac(time_step=0.01, pitch_floor=60, pitch_ceiling=600)
        return pitch.xs(), pitch.selected_array["frequency"]

    @pytest.mark.parametrize("snr", [None, 10])
    @pytest.mark.parametrize("with_mean", [True, False])
    def test_gross_errors_are_few_and_no_more_than_praats(self, with_mean, snr):
        spoken = spoken_with_pitch(with_mean)
        wrong, missed = self.gross_errors(spoken, self.ours, snr)
        praat_wrong, praat_missed = self.gross_errors(spoken, self.praats, snr)
        if with_mean:
            assert wrong < (0.03 if snr is None else 0.10)
        assert wrong < praat_wrong
        assert missed < praat_missed + 0.02

    @pytest.mark.parametrize("pitch", [70, 110, 233, 450])
    def test_a_vowel_has_its_pitch(self, pitch):
        found = columns(FrameFeatures(("pitch",)), vowel(pitch))
        steady = slice(10, -10)
        assert np.median(found["F0"][steady]) == pytest.approx(12 * np.log2(pitch / 27.5), abs=0.05)
        assert found["voicing"][steady].min() > 0.9

    def test_noise_and_silence_are_unvoiced(self):
        noise = 0.1 * np.random.RandomState(0).randn(RATE).astype(np.float32)
        for samples in (noise, np.zeros(RATE, np.float32)):
            found = columns(FrameFeatures(("pitch", "quality")), samples)
            assert (found["F0"] == 0).mean() > 0.95
            assert found["jitter"][found["F0"] == 0].max() == 0

    def test_pitch_stays_within_its_range(self, speech):
        hertz = self.ours(speech)[1]
        low, high = np.quantile(hertz[hertz > 0], (0.3, 0.7))
        transformer = FrameFeatures(("pitch",), pitch_range=(low, high))
        semitones = columns(transformer, speech)["F0"]
        limits = 12 * np.log2(np.array([0.97 * low, 1.03 * high]) / 27.5)
        found = semitones[semitones > 0]
        assert limits[0] < found.min() <= found.max() < limits[1]


class TestQuality:
    def test_harmonicity_agrees_with_praat(self):
        random = np.random.RandomState(0)
        band = scipy.signal.butter(8, 3800, fs=RATE, output="sos")
        for snr in (5, 10, 20):
            clean = vowel(120)
            noise = scipy.signal.sosfilt(band, random.randn(RATE))
            samples = clean + noise / noise.std() * clean.std() * 10 ** (-snr / 20)
            sound = parselmouth.Sound(samples.astype(float), RATE)
            praat = sound.to_harmonicity_ac(time_step=0.01, minimum_pitch=60, periods_per_window=3)
            expected = np.median(praat.values[praat.values > -100])
            found = columns(FrameFeatures(("quality",)), samples.astype(np.float32))["HNR"]
            assert np.median(found[10:-10]) == pytest.approx(expected, abs=1.0)

    @pytest.mark.parametrize("jitter", [0.0, 0.01, 0.03])
    def test_jitter_of_a_pulse_train(self, jitter):
        random = np.random.RandomState(0)
        durations = RATE / 125 * (1 + jitter * random.randn(200))
        instants = np.cumsum(durations)
        samples = self.pulses(instants, np.ones(200))
        found = columns(FrameFeatures(("quality",)), samples)["jitter"]
        expected = np.abs(np.diff(durations)).mean() / durations.mean()
        assert found[10:150].mean() == pytest.approx(expected, abs=0.001 + 0.15 * expected)

    @pytest.mark.parametrize("shimmer", [0.0, 0.03, 0.1])
    def test_shimmer_of_a_pulse_train(self, shimmer):
        random = np.random.RandomState(0)
        heights = 1 + shimmer * random.randn(200)
        samples = self.pulses(np.cumsum(np.full(200, 128.0)), heights)
        found = columns(FrameFeatures(("quality",)), samples)["shimmer"]
        expected = np.abs(np.diff(heights)).mean() / heights.mean()
        assert found[10:150].mean() == pytest.approx(expected, abs=0.002 + 0.15 * expected)

    def test_jitter_and_shimmer_agree_with_praat_on_speech(self):
        ours, praats = [], []
        for samples, _ in spoken_with_pitch(with_mean=False)[:10]:
            sound = parselmouth.Sound(samples.astype(float), RATE)
            pitch = sound.to_pitch_ac(time_step=0.01, pitch_floor=60, pitch_ceiling=600)
            marks = call([sound, pitch], "To PointProcess (cc)")
            jitter = call(marks, "Get jitter (local)", 0, 0, 0.0001, 0.02, 1.3)
            shimmer = call([sound, marks], "Get shimmer (local)", 0, 0, 0.0001, 0.02, 1.3, 1.6)
            praats.append((jitter, shimmer))
            found = columns(FrameFeatures(("quality",)), samples)
            voiced = found["jitter"] > 0
            ours.append((found["jitter"][voiced].mean(), found["shimmer"][voiced].mean()))
        ours, praats = np.array(ours), np.array(praats)
        assert np.corrcoef(ours[:, 0], praats[:, 0])[0, 1] > 0.8
        assert ours[:, 0].mean() == pytest.approx(praats[:, 0].mean(), rel=0.35)
        assert ours[:, 1].mean() == pytest.approx(praats[:, 1].mean(), rel=0.5)

    @staticmethod
    def pulses(instants, heights):
        # Smooth pulses, since instants may fall between samples.
        time = np.arange(int(instants[-1]) + 200)
        samples = np.zeros(len(time))
        for instant, height in zip(instants, heights, strict=True):
            near = slice(max(0, int(instant) - 30), int(instant) + 31)
            samples[near] += height * np.exp(-0.5 * ((time[near] - instant) / 5) ** 2)
        return (0.4 * samples).astype(np.float32)


class TestFormants:
    @pytest.mark.parametrize(
        ("pitch", "formants"),
        [
            (110, (730, 1090, 2440)),
            (120, (270, 2290, 3010)),
            (140, (300, 870, 2240)),
            (200, (530, 1840, 2480)),
        ],
    )
    def test_a_vowel_has_its_formants_and_praat_agrees(self, pitch, formants):
        samples = vowel(pitch, (*formants, 3500, 4500))
        found = columns(FrameFeatures(("formants",)), samples)
        sound = parselmouth.Sound(samples.astype(float), RATE)
        praat = sound.to_formant_burg(time_step=0.01, maximum_formant=5500)
        times = np.arange(20, 80) * 0.01
        for i, formant in enumerate(formants, 1):
            frequency = np.median(found[f"F{i}"][20:80])
            bandwidth = np.median(found[f"F{i}_bandwidth"][20:80])
            assert frequency == pytest.approx(formant, rel=0.05)
            expected = np.median([praat.get_value_at_time(i, t) for t in times])
            assert frequency == pytest.approx(expected, rel=0.02)
            expected = np.median([praat.get_bandwidth_at_time(i, t) for t in times])
            assert bandwidth == pytest.approx(expected, rel=0.3)


class TestSpectrum:
    def test_moments_agree_with_librosa(self, features, power):
        here = loud(power)
        for name, function in (
            ("centroid", librosa.feature.spectral_centroid),
            ("bandwidth", librosa.feature.spectral_bandwidth),
        ):
            expected = function(S=power, sr=RATE, n_fft=512)[0]
            np.testing.assert_allclose(features[name][here], expected[here], rtol=1e-3)

    @pytest.mark.parametrize("percent", [25, 85])
    def test_rolloff_agrees_with_librosa(self, features, power, percent):
        expected = librosa.feature.spectral_rolloff(
            S=power, sr=RATE, n_fft=512, roll_percent=percent / 100
        )[0]
        here = loud(power)
        off = np.abs(features[f"rolloff{percent}"] - expected)[here]
        assert (off > 1).mean() < 0.01  # rounding may move a tie to the next bin
        assert off.max() < 32

    def test_flatness_agrees_with_librosa(self, features, power):
        expected = librosa.feature.spectral_flatness(S=power, power=1, amin=1e-10)[0]
        np.testing.assert_allclose(features["flatness"], expected, rtol=5e-3, atol=1e-6)

    @pytest.mark.parametrize(("low", "high"), [(0, 500), (500, 1500)])
    def test_slopes_are_those_of_a_line_through_the_decibels(self, features, power, low, high):
        frequencies = librosa.fft_frequencies(sr=RATE, n_fft=512)
        inside = (frequencies >= low) & (frequencies <= high)
        decibels = 10 * np.log10(np.maximum(power[inside], 1e-10))
        expected = np.polyfit(frequencies[inside], decibels, 1)[0]
        np.testing.assert_allclose(features[f"slope{low}-{high}"], expected, atol=5e-5)

    def test_alpha_ratio_and_hammarberg_index_by_their_definition(self, features, power):
        f = librosa.fft_frequencies(sr=RATE, n_fft=512)
        low, high = (power[(f >= a) & (f < b)].sum(axis=0) for a, b in ((50, 1000), (1000, 5000)))
        here = loud(power)
        expected = 10 * np.log10((high + 1e-10) / (low + 1e-10))
        np.testing.assert_allclose(features["alpha_ratio"][here], expected[here], atol=0.01)
        decibels = 10 * np.log10(np.maximum(power, 1e-10))
        expected = decibels[f <= 2000].max(axis=0) - decibels[(f > 2000) & (f <= 5000)].max(axis=0)
        np.testing.assert_allclose(features["hammarberg"], expected, atol=0.02)

    def test_flux_is_the_distance_of_successive_shapes(self, features, mels):
        shape = np.sqrt(mels)
        shape = shape / (shape.sum(axis=0) + 1e-10)
        expected = np.r_[0, np.linalg.norm(np.diff(shape, axis=1), axis=0)]
        np.testing.assert_allclose(features["flux"], expected, atol=1e-4)

    def test_mfcc_and_mel_bands_agree_with_librosa(self, features, mels):
        decibels = 10 * np.log10(np.maximum(mels, 1e-10))
        for i in range(26):
            np.testing.assert_allclose(features[f"mel{i}"], decibels[i], atol=0.05)
        expected = librosa.feature.mfcc(S=decibels, n_mfcc=14)
        for i in range(1, 14):
            np.testing.assert_allclose(features[f"mfcc{i}"], expected[i], atol=0.05)


class TestEnergy:
    def test_energy_of_a_tone_is_its_mean_square(self):
        tone = 0.25 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)
        energy = columns(FrameFeatures(("energy",)), tone)["energy"]
        np.testing.assert_allclose(energy[5:-5], 20 * np.log10(0.25 / np.sqrt(2)), atol=0.05)

    def test_zero_crossings_agree_with_librosa(self, speech, features):
        centred = speech - speech.mean()
        expected = librosa.feature.zero_crossing_rate(
            centred, frame_length=320, hop_length=160, threshold=0, pad=False, zero_pos=False
        )[0]
        inner = slice(2, -2)
        np.testing.assert_allclose(features["zero_crossings"][inner], expected[inner], atol=0.004)

    def test_loudness_grows_with_the_cube_root_of_power(self, speech, features):
        louder = columns(FrameFeatures(("energy",)), 2 * speech)["loudness"]
        here = features["loudness"] > 0.1
        np.testing.assert_allclose(
            louder[here] / features["loudness"][here], 4 ** (1 / 3), rtol=1e-3
        )

    def test_loudness_is_the_sum_of_the_auditory_spectrum(self, features, mels):
        w2 = (2 * np.pi * librosa.mel_frequencies(28, fmin=20, fmax=8000)[1:-1]) ** 2
        ear = (w2 + 56.8e6) * w2**2 / ((w2 + 6.3e6) ** 2 * (w2 + 0.38e9))
        expected = np.cbrt(mels * (ear / ear.max())[:, None]).sum(axis=0)
        np.testing.assert_allclose(features["loudness"], expected, rtol=5e-3, atol=1e-4)
        assert 3000 < np.sqrt(w2[ear.argmax()]) / 2 / np.pi < 8001


def test_groups_name_their_columns():
    names = FrameFeatures().get_feature_names_out().tolist()
    assert names == [name for group in COLUMNS.values() for name in group]
    assert len(names) == 63
    few = FrameFeatures(("energy", "pitch"), deltas=1)
    assert few.get_feature_names_out().tolist() == [
        *("F0", "voicing", "loudness", "energy", "zero_crossings"),
        *("ΔF0", "Δvoicing", "Δloudness", "Δenergy", "Δzero_crossings"),
    ]


def test_a_group_does_not_depend_on_the_other_groups(speech, features):
    for group, names in COLUMNS.items():
        alone = columns(FrameFeatures((group,)), speech)
        assert list(alone) == list(names)
        for name in names:
            np.testing.assert_array_equal(alone[name], features[name])


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(8000),
        np.full(8000, 0.5),
        np.clip(5 * np.sin(np.arange(8000)), -1, 1),
        np.sin(2 * np.pi * 1000 * np.arange(8000) / RATE),
        0.3 + 0.1 * np.sin(2 * np.pi * 50 * np.arange(8000) / RATE),
        np.eye(1, 8000, 4000)[0],
        1e-8 * np.random.RandomState(0).randn(8000),
        1e-13 * np.sign(np.sin(2 * np.pi * 150 * np.arange(8000) / RATE)),
        1e-30 * np.sign(np.sin(2 * np.pi * 150 * np.arange(8000) / RATE)),
        1e9 * np.sign(np.sin(2 * np.pi * 150 * np.arange(8000) / RATE)),
        np.random.RandomState(0).randn(320),
    ],
    ids=[
        "silence",
        "constant",
        "clipped",
        "tone",
        "offset",
        "click",
        "faint",
        "fainter",
        "faintest",
        "loud",
        "one window",
    ],
)
def test_odd_signals_give_finite_values(samples):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X = FrameFeatures(input_sampling_rate=RATE, deltas=2).transform([at_any_level(samples)])
    assert np.isfinite(X.values).all()


def test_the_voice_does_not_depend_on_the_level():
    samples = vowel(150)
    plain = columns(FrameFeatures(("pitch", "quality", "formants")), samples)
    for gain in (1e-12, 1e9):
        scaled = columns(FrameFeatures(("pitch", "quality", "formants")), gain * samples)
        for name in plain:
            np.testing.assert_allclose(scaled[name], plain[name], rtol=1e-2, atol=1e-2)


def test_jitter_and_shimmer_are_those_of_voiced_frames(corpus):
    for samples in corpus.data[:5]:
        found = columns(FrameFeatures(("pitch", "quality")), samples)
        unvoiced = found["F0"] == 0
        assert unvoiced.any()
        for name in ("HNR", "jitter", "shimmer"):
            assert (found[name][unvoiced] == 0).all()


def test_a_long_recording_is_described_in_bounded_memory(speech):
    long = np.resize(speech, 1200 * RATE)
    tracemalloc.start()
    X = FrameFeatures(("energy", "mfcc"), input_sampling_rate=RATE).transform([long])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(X[0]) == 120_001
    assert np.isfinite(X.values).all()
    assert peak < 6 * long.nbytes


def test_a_dc_offset_has_no_effect(speech):
    plain, lifted = (columns(FrameFeatures(), x) for x in (speech, speech + np.float32(0.25)))
    for name in ("energy", "zero_crossings", "centroid", "mfcc1"):
        np.testing.assert_allclose(lifted[name], plain[name], atol=0.02 * np.ptp(plain[name]))


def test_telephone_speech_is_described_up_to_4_khz(speech):
    narrow = librosa.resample(speech, orig_sr=RATE, target_sr=8000)
    X = FrameFeatures(sampling_rate=8000, input_sampling_rate=8000).transform([narrow])
    assert np.isfinite(X.values).all()
    assert X.values[:, X.layout.feature_names.index("rolloff85")].max() <= 4000
    wide = columns(FrameFeatures(("pitch",)), speech)["F0"]
    n = min(len(wide), len(X[0]))
    narrow_pitch, wide = X[0][:n, 0], wide[:n]
    both = (narrow_pitch > 0) & (wide > 0)
    assert both.mean() > 0.5
    assert np.median(np.abs(narrow_pitch[both] - wide[both])) < 0.1


def test_frames_of_a_long_recording_equal_those_of_its_start(speech):
    long = np.tile(speech, 6)
    long = long[: 4 * len(speech)] - long[: 4 * len(speech)].mean()
    part = long[: len(speech)] - long[: len(speech)].mean()
    whole, first = (columns(FrameFeatures(("spectral", "mfcc")), x) for x in (long, part))
    inner = slice(0, len(first["mfcc1"]) - 10)
    for name in first:
        spread = np.ptp(first[name]) + 1e-6
        np.testing.assert_allclose(whole[name][inner], first[name][inner], atol=0.05 * spread)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"descriptors": ("pitch", "colour")},
            r"holds \['colour'\], but needs one or more of \('pitch'",
        ),
        ({"descriptors": ()}, "holds nothing"),
        ({"pitch_range": (400, 100)}, "two increasing frequencies"),
        ({"pitch_range": (60,)}, "two increasing frequencies"),
        ({"pitch_range": (20, 300)}, "at least 30"),
        ({"window": 0.003}, "too short for 26 mel bands"),
        ({"pitch_range": (60, 5000)}, "at most 1000.0 Hz"),
        ({"sampling_rate": 4000}, "too low"),
        ({"window": 1e-5}, "at least 2 and 1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FrameFeatures(**settings).fit()


@pytest.mark.parametrize("group", list(COLUMNS))
def test_an_utterance_shorter_than_a_frame_is_named(group):
    with pytest.raises(ValueError, match="utterance 1: has 200 samples, less than one window"):
        FrameFeatures((group,), input_sampling_rate=RATE).transform([np.ones(400), np.ones(200)])
