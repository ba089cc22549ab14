"""Distortions do what their names say, and the report tells what they did."""

import numpy as np
import pandas as pd
import pytest
import scipy.signal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser import augmentation as distort
from skser.audio import Waveform
from skser.augmentation import default_distortions
from skser.datasets import make_emotional_speech
from skser.evaluation import robustness_report
from skser.feature_extraction import FrameFeatures, Functionals

RATE = 16000
RANDOM = np.random.RandomState


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(1, 5, random_state=0).data[0]


@pytest.fixture(scope="module")
def halves():
    corpus = make_emotional_speech(4, 15, ("anger", "sadness", "neutral"), random_state=0)
    return corpus.select(speakers=["01", "02"]), corpus.select(speakers=["03", "04"])


@pytest.fixture(scope="module")
def model(halves):
    features = FrameFeatures(("energy", "pitch"), input_sampling_rate=RATE)
    model = make_pipeline(features, Functionals(), StandardScaler(), LogisticRegression())
    return model.fit(halves[0].data, halves[0].target)


@pytest.mark.parametrize("snr", [20, 0, -5])
def test_noise_has_the_ratio_it_says(speech, snr):
    noise = distort.add_noise(speech, RATE, RANDOM(0), snr=snr) - speech
    ratio = 10 * np.log10(np.mean(speech**2) / np.mean(noise**2))
    assert ratio == pytest.approx(snr, abs=0.2)


def test_clipping_leaves_the_rest_alone(speech):
    clipped = distort.clip(speech, RATE, RANDOM(0), share=0.1)
    changed = clipped != speech
    assert changed.mean() == pytest.approx(0.1, abs=0.01)
    assert np.abs(clipped).max() == pytest.approx(np.quantile(np.abs(speech), 0.9))


def test_gain_is_a_factor(speech):
    np.testing.assert_allclose(
        distort.change_gain(speech, RATE, RANDOM(0), decibels=-20), speech / 10, rtol=1e-6
    )


def band_energy(samples, low, high):
    frequencies, power = scipy.signal.welch(samples, RATE, nperseg=1024)
    return power[(frequencies >= low) & (frequencies < high)].sum()


def test_a_telephone_has_no_treble_and_no_bass():
    noise = RANDOM(0).randn(RATE).astype(np.float32)
    narrow = distort.telephone(noise, RATE, RANDOM(0))
    assert len(narrow) == len(noise)
    assert band_energy(narrow, 4200, 8000) < 1e-3 * band_energy(noise, 4200, 8000)
    assert band_energy(narrow, 0, 100) < 0.05 * band_energy(noise, 0, 100)
    assert band_energy(narrow, 800, 2500) == pytest.approx(band_energy(noise, 800, 2500), rel=0.2)
    assert not distort.telephone(np.zeros(800, np.float32), RATE, RANDOM(0)).any()


@pytest.mark.parametrize("format", ["MP3", "OGG"])
def test_codecs_are_heard_and_no_more(speech, format):
    decoded = distort.encode(speech, RATE, RANDOM(0), format=format)
    assert not np.array_equal(decoded, speech)
    n = min(len(decoded), len(speech))
    correlation = np.abs(scipy.signal.correlate(decoded[:n], speech[:n])).max()
    assert correlation / np.sqrt(np.sum(decoded**2) * np.sum(speech**2)) > 0.9


def test_reverberation_decays_as_told():
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1
    tail = distort.reverberate(click, RATE, RANDOM(0), seconds=0.5)
    early, late = (np.sqrt(np.mean(tail[a : a + 800] ** 2)) for a in (100, 100 + RATE // 4))
    assert 20 * np.log10(early / late) == pytest.approx(30, abs=2)  # half the time, half the dB
    assert np.abs(tail[RATE:]).max() < 1e-12


def test_speed_changes_duration_and_pitch():
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    fast = distort.change_speed(tone, RATE, RANDOM(0), factor=1.25)
    assert len(fast) == pytest.approx(RATE / 1.25, abs=2)
    peak = np.abs(np.fft.rfft(fast)).argmax() * RATE / len(fast)
    assert peak == pytest.approx(550, abs=2)


def test_a_bad_resampler_folds_frequencies():
    tone = np.sin(2 * np.pi * 7000 * np.arange(RATE) / RATE).astype(np.float32)
    bad = distort.resample_badly(tone, RATE, RANDOM(0), rate=11025)
    assert len(bad) == len(tone)
    assert band_energy(bad, 3900, 4150) > 10 * band_energy(tone, 3900, 4150)  # 11025 - 7000


def test_the_report_is_of_the_model(model, halves):
    new = halves[1]
    report = robustness_report(model, new)
    assert report.index[0] == ("clean", "")
    assert list(report.index[1:]) == list(default_distortions())
    clean = accuracy_score(new.target, model.predict(new.data))
    undistorted = robustness_report(model, new, distortions={}, metric=accuracy_score)
    assert undistorted["score"].item() == clean
    np.testing.assert_allclose(report["change"], report["score"] - report["score"].iloc[0])
    noise = report.loc["noise"]
    assert noise["shift"].is_monotonic_increasing
    assert noise.loc["0 dB SNR", "same"] < 0.95
    again = robustness_report(model, new)
    np.testing.assert_array_equal(report, again)


def test_models_without_probabilities_and_of_tables(halves):
    class Loud(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            return self

        def predict(self, X):
            assert list(X["speaker"].unique()) == ["03", "04"]
            assert all(isinstance(samples, Waveform) for samples in X["audio"])
            return np.where([np.abs(s).max() > 0.3 for s in X["audio"]], "anger", "sadness")

    louder = {"louder": lambda samples, rate, random: samples * 100}
    with pytest.warns(UserWarning, match="predictions are 'anger'"):
        report = robustness_report(Loud(), halves[1], distortions=louder, use_frame=True)
    assert list(report) == ["score", "change", "same"]


def test_files_are_read_at_their_own_rate(model, halves, tmp_path):
    import soundfile

    from skser.datasets import SpeechCorpus

    frame = halves[1].frame.iloc[:6].copy()
    paths = []
    for i, samples in enumerate(frame["audio"]):
        paths.append(str(tmp_path / f"{i}.flac"))
        soundfile.write(paths[-1], samples, RATE)
    corpus = SpeechCorpus(frame.assign(audio=paths), "files", {})
    rates = []

    def note(samples, sampling_rate, random_state):
        rates.append(sampling_rate)
        return samples

    report = robustness_report(model, corpus, distortions={"none": note})
    assert rates == [RATE] * 6
    assert report["same"].tolist() == [1, 1]


def test_a_distortion_that_breaks_audio_is_named(model, halves):
    for broken in (lambda s, *_: s[:0], lambda s, *_: s * np.nan, lambda s, *_: s[:, None]):
        with pytest.raises(ValueError, match="The distortion 'broken' returned .* for utterance 0"):
            robustness_report(model, halves[1], distortions={"broken": broken})


def test_a_distortion_that_fails_is_named(model, halves):
    def fails(samples, sampling_rate, random_state):
        return samples / (1 // 0)

    with pytest.raises(ValueError, match="'worse' failed on utterance 0: ZeroDivisionError"):
        robustness_report(model, halves[1], distortions={"worse": fails})
    with pytest.raises(ValueError, match="cannot be named 'clean'"):
        robustness_report(model, halves[1], distortions={"clean": fails})


@pytest.mark.parametrize("rate", [10000, 96000, 22050.0])
@pytest.mark.parametrize("kind", list(default_distortions()))
def test_any_rate_will_do(rate, kind):
    samples = RANDOM(0).randn(int(rate) // 2).astype(np.float32) / 10
    distorted = default_distortions()[kind](samples, rate, RANDOM(0))
    assert np.isfinite(distorted).all()
    assert 0.8 < len(distorted) / len(samples) < 1.2


def test_clipping_is_of_what_is_heard(speech):
    mostly_silent = np.concatenate([np.zeros(20 * len(speech), np.float32), speech])
    clipped = distort.clip(mostly_silent, RATE, RANDOM(0), share=0.1)
    assert np.abs(clipped).max() > 0.1 * np.abs(speech).max()
    assert not distort.clip(np.zeros(100, np.float32), RATE, RANDOM(0)).any()


def test_a_transform_of_audiomentations_is_a_distortion_too(model, halves):
    audiomentations = pytest.importorskip("audiomentations")
    softer = audiomentations.Gain(min_gain_db=-12.0, max_gain_db=-12.0, p=1.0)
    same = {"softer": lambda samples, rate, random: samples * 10 ** (-12 / 20)}
    found = robustness_report(model, halves[1], distortions={"softer": softer})
    expected = robustness_report(model, halves[1], distortions=same)
    pd.testing.assert_frame_equal(found, expected, atol=1e-4)


def test_whole_numbers_are_no_samples(model, halves):
    whole = {"whole": lambda samples, rate, random: np.rint(32767 * samples).astype(np.int16)}
    with pytest.raises(ValueError, match="'whole' returned int16 of shape .* utterance 0"):
        robustness_report(model, halves[1], distortions=whole)
