import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline

from skser.audio import AudioReadError, load_audio
from skser.datasets import load_emodb, make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler, VoiceActivityTrimmer

RATE = 16000
SPEECH = 0.8  # seconds


def trimmer(*args, **kwargs):
    return VoiceActivityTrimmer(*args, input_sampling_rate=RATE, **kwargs)


def voice(seconds=SPEECH):
    """Synthesize harmonics of 150 Hz whose level rises and falls four times a second."""
    t = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 9))
    return tone * (1 - 0.6 * np.cos(2 * np.pi * 4 * t)) / 10


def silence(seconds):
    return np.zeros(int(seconds * RATE))


def noise(n, seed=0):
    return np.random.RandomState(seed).randn(n)


def recording(before=0.6, after=0.9):
    return np.concatenate([silence(before), voice(), silence(after)])


def at_snr(samples, decibels):
    return samples + noise(len(samples)) * voice().std() * 10 ** (-decibels / 20)


@pytest.mark.parametrize(
    "condition",
    [
        lambda x: x,
        lambda x: at_snr(x, 60),
        lambda x: at_snr(x, 20),
        lambda x: at_snr(x, 20) + 0.3,
        lambda x: 1e-3 * at_snr(x, 40),
        lambda x: np.clip(5 * x, -1, 1),
    ],
    ids=["digital silence", "60 dB", "20 dB", "DC offset", "faint", "clipped"],
)
def test_speech_is_found_within_30_ms_of_its_true_place(condition):
    (segments,) = trimmer().speech_segments([condition(recording(0.6))])
    assert segments.dtype == np.float64
    np.testing.assert_allclose(segments, [[0.6, 0.6 + SPEECH]], atol=0.03)


def test_speech_and_the_margin_around_it_are_kept():
    x = recording(0.6)
    for margin in (0.0, 0.05, 0.2):
        kept = trimmer(margin=margin).transform([x])[0]
        assert kept.dtype == np.float32
        assert len(kept) / RATE == pytest.approx(SPEECH + 2 * margin, abs=0.04)
        start = round((0.6 - margin) * RATE)
        assert np.abs(kept[: len(kept) // 2]).sum() == pytest.approx(
            np.abs(x[start : start + len(kept) // 2]).sum(), rel=0.1
        )
    np.testing.assert_array_equal(trimmer(margin=9).transform([x])[0], x.astype(np.float32))


def test_pauses_are_kept_unless_remove_pauses_is_set():
    x = np.concatenate([silence(0.5), voice(), silence(0.4), voice(), silence(0.1), voice()])
    (segments,) = trimmer().speech_segments([x])
    np.testing.assert_allclose(segments, [[0.5, 1.3], [1.7, 3.4]], atol=0.03)
    kept = trimmer().transform([x])[0]
    assert len(kept) / RATE == pytest.approx(2.9 + 0.05, abs=0.04)
    without = trimmer(remove_pauses=True).transform([x])[0]
    assert len(without) / RATE == pytest.approx(2.5 + 0.15, abs=0.06)
    # Overlapping margins do not repeat samples.
    wide = trimmer(remove_pauses=True, margin=0.3, min_pause=0.0).transform([x])[0]
    assert len(wide) / RATE == pytest.approx(2.9 + 0.3, abs=0.04)


def test_a_click_is_not_speech():
    x = recording(1.0)
    x[3200] = 1.0
    np.testing.assert_allclose(trimmer().speech_segments([x])[0], [[1.0, 1.8]], atol=0.03)
    assert len(trimmer(min_speech=0.0).speech_segments([x])[0]) == 2


def test_the_level_has_no_effect():
    x = at_snr(recording(), 40)
    expected = trimmer().speech_segments([x])[0]
    for gain in (0.01, 0.3, 3.0):
        np.testing.assert_array_equal(trimmer().speech_segments([gain * x])[0], expected)


def test_dynamic_range_and_threshold_exclude_quiet_speech():
    x = at_snr(recording(), 40)
    x[3200:6400] += 0.002 * voice(0.2)  # 54 dB below the speech, under the noise
    x[24000:27200] += 0.05 * voice(0.2)  # 26 dB below the speech
    ends = [trimmer(**kwargs).speech_segments([x])[0][-1, 1] for kwargs in (
        {}, {"dynamic_range": 15.0}, {"threshold": 25.0})]  # fmt: skip
    np.testing.assert_allclose(ends, [1.7, 1.4, 1.4], atol=0.04)


def test_utterances_without_speech_are_kept_whole_and_named(wav):
    constant = np.full(8000, 0.25)
    utterances = [recording(), np.zeros(8000), constant]
    with pytest.warns(UserWarning, match="in 2 of 3 .* kept whole: utterance 1; utterance 2"):
        trimmed = trimmer().transform(utterances)
    assert [len(x) for x in trimmed[1:]] == [8000, 8000]
    np.testing.assert_array_equal(trimmed[2], constant)
    path = wav(np.zeros(8000), rate=8000, name="silent.wav")
    with pytest.warns(UserWarning, match=r"kept whole: .*silent\.wav\."):
        assert len(VoiceActivityTrimmer(n_jobs=2).transform([path, path])[1]) == 16000
    assert trimmer().speech_segments(utterances)[1].shape == (0, 2)


def test_speech_segments_are_a_list_with_workers_and_a_cache_too(wav, tmp_path):
    paths = [wav(recording(), name=f"{i}.wav") for i in range(3)]
    expected = VoiceActivityTrimmer().speech_segments(paths)
    for settings in ({"n_jobs": 2}, {"memory": tmp_path / "cache"}):
        given = VoiceActivityTrimmer(**settings).speech_segments(paths)
        assert isinstance(given, list)
        np.testing.assert_array_equal(given, expected)


def test_steady_sound_is_kept():
    x = noise(8000) / 10
    assert len(trimmer().transform([x])[0]) == 8000


def test_bad_input_is_named(wav):
    for method in ("energy", "silero"):
        with pytest.warns(UserWarning, match="kept whole: .*utterance 1"):
            trimmed = trimmer(method).transform([recording(), np.ones(100)])
        assert len(trimmed[1]) == 100
    files = [wav(recording()), "no.wav"]
    with pytest.raises(AudioReadError, match=r"no\.wav: no such file"):
        VoiceActivityTrimmer().transform(files)
    with pytest.warns(UserWarning, match=r"no\.wav: no such file\. They are left with 0 samples"):
        trimmed = VoiceActivityTrimmer(on_error="empty").transform(files)
    assert len(trimmed[0]) > 0
    assert trimmed[1].shape == (0,)
    with pytest.warns(UserWarning, match="left with 0 segments"):
        segments = VoiceActivityTrimmer(on_error="empty").speech_segments(files)
    assert segments[1].shape == (0, 2)
    with pytest.raises(ValueError, match="'method' parameter"):
        VoiceActivityTrimmer("loudness").fit()


def test_utterances_of_equal_length_are_not_stacked():
    trimmed = trimmer(margin=9).transform([recording()] * 3)
    assert trimmed.shape == (3,)
    assert trimmed.dtype == object
    assert np.asarray(trimmed)[[0, 2]].shape == (2,)
    again = pickle.loads(pickle.dumps(trimmed))
    assert [len(x) for x in again] == [len(x) for x in trimmed]


def test_files_are_resampled_to_sampling_rate(wav):
    x = recording()[::2]  # too low for aliasing to matter
    segments = VoiceActivityTrimmer().speech_segments([wav(x, rate=8000)])[0]
    np.testing.assert_allclose(segments, [[0.6, 1.4]], atol=0.03)
    low = VoiceActivityTrimmer(sampling_rate=8000).transform([wav(x, rate=8000)])[0]
    assert len(low) / 8000 == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("method", ["energy", "silero"])
def test_jobs_threads_and_the_cache_do_not_change_segments(method, corpus, tmp_path):
    from joblib import parallel_config

    audio = corpus.data[:4]
    expected = trimmer(method).speech_segments(audio)
    copy = trimmer(method, n_jobs=2, memory=tmp_path)
    with parallel_config("threading"):
        first = copy.speech_segments(audio)
    again = clone(copy).speech_segments(audio)
    for given in (first, again):
        for a, b in zip(given, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(list(tmp_path.rglob("*.npy"))) == 4


@pytest.mark.filterwarnings("ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning")
def test_the_trimmer_precedes_features_in_cross_validation_and_grid_search():
    corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=10, random_state=0)
    padded = [np.concatenate([np.zeros(8000), x, np.zeros(4000)]) for x in corpus.data]
    model = make_pipeline(
        trimmer(),
        MelSpectrogram(n_mels=16, input_sampling_rate=RATE),
        SequenceScaler(),
        AttentionFCNClassifier(max_epochs=1, device="cpu", n_threads=1, random_state=0),
    )
    lengths = model[:2].transform(padded).lengths
    assert (lengths < model[1].transform(padded).lengths - 50).all()
    assert cross_val_predict(model, padded, corpus.target, cv=2).shape == (20,)
    search = GridSearchCV(
        model,
        {"voiceactivitytrimmer__margin": [0.0, 0.1]},
        scoring="balanced_accuracy", cv=2,
    )  # fmt: skip
    search.fit(padded, corpus.target)
    copy = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(copy.predict(padded), search.predict(padded))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


class TestSilero:
    def test_noise_is_not_speech(self):
        with pytest.warns(UserWarning, match="No speech was found in 1 of 1 .*utterance 0"):
            assert len(trimmer("silero").transform([noise(RATE) / 10])[0]) == RATE

    def test_read_only_and_reversed_arrays_are_accepted(self, corpus):
        x = corpus.data[0].copy()
        x.flags.writeable = False
        assert len(trimmer("silero").speech_segments([x, x[::-1]])) == 2


@pytest.mark.real_data
@pytest.mark.parametrize("method", ["energy", "silero"])
@pytest.mark.parametrize("condition", ["padded", "20 dB", "DC offset", "other rate"])
def test_silence_around_real_speech_is_found(method, condition, emodb_path):
    # These files have no silence around the speech, so the added silence must be found exactly.
    speech = [load_audio(path, RATE)[0] for path in load_emodb(emodb_path).data[:60:20]]
    bare = trimmer(method, margin=0).transform(speech)
    padded = [np.concatenate([np.zeros(16128), x, np.zeros(12800)]) for x in bare]
    expected = [[1.008, 1.008 + len(x) / RATE] for x in bare]
    settings, atol = {}, 0.03
    if condition == "20 dB":
        padded = [x + noise(len(x)) * y.std() / 10 for x, y in zip(padded, bare, strict=True)]
        atol = 0.16  # the faint ends of real speech drown
    elif condition == "DC offset":
        padded = [x + 0.05 for x in padded]
    elif condition == "other rate":
        settings = {"sampling_rate": 44100}
    found = trimmer(method, **settings).speech_segments(padded)
    for segments, ends in zip(found, expected, strict=True):
        np.testing.assert_allclose([segments[0, 0], segments[-1, 1]], ends, atol=atol)


def test_trimmed_audio_carries_its_sampling_rate_to_the_next_step(wav):
    files = [wav(recording(0.6), name=f"{i}.wav") for i in range(2)]
    trimmed = VoiceActivityTrimmer(sampling_rate=8000).transform(files)
    assert [samples.sampling_rate for samples in trimmed] == [8000, 8000]
    model = make_pipeline(VoiceActivityTrimmer(), MelSpectrogram(n_mels=8))
    assert len(model.fit_transform(files)) == 2
