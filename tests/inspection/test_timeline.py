import pickle
import tracemalloc

import numpy as np
import pytest
import soundfile
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skser.audio import AudioReadError, Waveform, load_audio
from skser.compose import AugmentedClassifier, SegmentedClassifier
from skser.feature_extraction import MFCC, FrameFeatures, Functionals, MelSpectrogram
from skser.inspection import emotion_timeline, timeline_outputs
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler, VoiceActivityTrimmer

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
RATE = 16000


class Recorder(ClassifierMixin, BaseEstimator):
    """Classifier that stores its input and predicts equal probabilities."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.heard_ = []
        return self

    def predict_proba(self, X):
        self.heard_ += X
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def recorder():
    return Recorder().fit(None, ["angry", "calm"])


def mean_frames(X):
    return np.stack([frames.mean(axis=0) for frames in X])


def pooled(**kwargs):
    return make_pipeline(
        MFCC(n_mfcc=8, n_mels=20, **kwargs),
        FunctionTransformer(mean_frames),
        StandardScaler(),
        LogisticRegression(),
    )


def network(**kwargs):
    net = AttentionFCNClassifier(
        filters=(4, 8), strides=2, pool_sizes=1, max_epochs=2, device="cpu", n_threads=1,
        random_state=0,
    )  # fmt: skip
    return make_pipeline(MelSpectrogram(n_mels=16, deltas=0, **kwargs), SequenceScaler(), net)


def segmented(**kwargs):
    *features, net = network(**kwargs)
    return make_pipeline(*features, SegmentedClassifier(net, window=0.5, hop=0.25))


def statistics(**kwargs):
    frames = FrameFeatures(("energy", "pitch"), **kwargs)
    return make_pipeline(Functionals(frames), StandardScaler(), LogisticRegression())


def vote(**kwargs):
    return VotingClassifier(
        [("mfcc", pooled(**kwargs)), ("slow", pooled(sampling_rate=8000, **kwargs))], voting="soft"
    )


def search(**kwargs):
    return GridSearchCV(pooled(sampling_rate=8000, **kwargs), {"mfcc__sampling_rate": [16000]})


def add_noise(samples, sampling_rate, random_state):
    return samples + 1e-3 * random_state.standard_normal(len(samples))


def augmented(**kwargs):
    return AugmentedClassifier(pooled(), add_noise, random_state=0, **kwargs)


def calibrated(**kwargs):
    return CalibratedClassifierCV(pooled(**kwargs), cv=2)


MODELS = [pooled, network, segmented, statistics, vote, search, augmented, calibrated]


@pytest.fixture
def recording(corpus):
    """Return about ten seconds of synthetic speech at 44.1 kHz, on two channels."""
    import soxr

    samples = soxr.resample(np.concatenate(corpus.data)[: 10 * RATE + 3000], RATE, 44100)
    return np.stack([samples, 0.5 * samples], axis=1)


@pytest.fixture
def paths(corpus, tmp_path):
    for i, samples in enumerate(corpus.data):
        soundfile.write(tmp_path / f"{i}.wav", samples, RATE, subtype="FLOAT")
    return [str(tmp_path / f"{i}.wav") for i in range(len(corpus.data))]


def starts_of(timeline):
    return timeline["start"].to_numpy()


@pytest.mark.parametrize("make", MODELS)
def test_probabilities_equal_those_of_windows_cut_by_hand(make, recording, corpus, wav):
    path = wav(recording, rate=44100, subtype="FLOAT")
    model = make(input_sampling_rate=RATE).fit(corpus.data, corpus.target)
    timeline = emotion_timeline(model, path, window=2.0, hop=0.75)
    samples, _ = load_audio(path, RATE)
    starts = [*range(0, len(samples) - 2 * RATE, 12000), len(samples) - 2 * RATE]
    expected = model.predict_proba([samples[start : start + 2 * RATE] for start in starts])
    assert timeline.columns.tolist() == ["start", "end", *model.classes_]
    np.testing.assert_allclose(timeline[["start", "end"]], np.c_[starts, starts] / RATE + [0, 2])
    np.testing.assert_allclose(timeline[model.classes_], expected, atol=1e-5)


@pytest.mark.parametrize("make", [pooled, statistics, network])
def test_model_trained_on_paths_works_and_is_not_changed(make, recording, corpus, paths, wav):
    path = wav(recording, rate=44100, name="long.wav", subtype="FLOAT")
    model = make().fit(paths, corpus.target)
    model.predict(paths[:1])  # switches a network from training to evaluation mode
    before = pickle.dumps(model)
    timeline = emotion_timeline(model, path)
    assert pickle.dumps(model) == before
    on_arrays = make(input_sampling_rate=RATE).fit(corpus.data, corpus.target)
    expected = emotion_timeline(on_arrays, path)
    np.testing.assert_allclose(timeline, expected, atol=1e-5)


def test_threshold_classifier_of_two_classes_works(corpus, paths):
    model = FixedThresholdClassifier(pooled(), threshold=0.3)
    model.fit(paths, np.where(corpus.target == "anger", "anger", "other"))
    timeline = emotion_timeline(model, paths[0], window=0.5, hop=0.5)
    assert timeline.columns.tolist() == ["start", "end", "anger", "other"]
    np.testing.assert_allclose(timeline[["anger", "other"]].sum(axis=1), 1)


def test_windows_start_every_hop_and_the_last_ends_with_the_recording(wav):
    path = wav(np.arange(22) / 100, rate=10, subtype="FLOAT")
    timeline = emotion_timeline(recorder(), path, window=1.0, hop=0.5)
    assert timeline[["start", "end"]].to_numpy().tolist() == [
        [0, 1], [0.5, 1.5], [1, 2], [1.2, 2.2]
    ]  # fmt: skip
    exact = emotion_timeline(recorder(), path, window=1.2, hop=1.0)
    assert starts_of(exact).tolist() == [0, 1]
    apart = emotion_timeline(recorder(), path, window=0.4, hop=0.7)
    assert starts_of(apart).tolist() == [0, 0.7, 1.4, 1.8]


def test_recording_shorter_than_the_window_gives_one_row(wav):
    model = recorder()
    timeline = emotion_timeline(model, wav(np.ones(1234), rate=RATE), window=2.0)
    assert timeline[["start", "end"]].to_numpy().tolist() == [[0, 1234 / RATE]]
    assert len(model.heard_[0]) == 1234


def test_starts_do_not_drift_if_the_hop_is_not_a_whole_number_of_samples(wav):
    path = wav(np.zeros(11025 * 60), rate=11025)
    starts = starts_of(emotion_timeline(recorder(), path, window=1.0, hop=0.1))
    np.testing.assert_allclose(starts, np.arange(len(starts)) / 10, atol=0.5001 / 11025)
    assert len(starts) == 591


@pytest.mark.parametrize("hop", [7.3, 70.0])
@pytest.mark.parametrize("n_samples", [2**20, 2**20 + 5000, 3 * 2**20])
def test_windows_hold_the_samples_between_their_bounds_across_blocks(wav, n_samples, hop):
    samples = np.random.RandomState(0).uniform(-1, 1, n_samples).astype(np.float32)
    model = recorder()
    timeline = emotion_timeline(model, wav(samples, subtype="FLOAT"), window=40.0, hop=hop)
    for start, end, heard in zip(timeline["start"], timeline["end"], model.heard_, strict=True):
        assert heard.sampling_rate == RATE
        np.testing.assert_array_equal(heard, samples[round(start * RATE) : round(end * RATE)])
    assert timeline["end"].iloc[-1] == pytest.approx(n_samples / RATE)


def test_memory_does_not_grow_with_the_recording(tmp_path, corpus):
    model = pooled(sampling_rate=8000, input_sampling_rate=RATE).fit(corpus.data, corpus.target)
    noise = (3000 * np.random.RandomState(0).randn(60 * 8000)).astype(np.int16)
    peaks, n_rows = [], []
    for minutes in (10, 60):
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", 8000, 1) as file:
            for _ in range(minutes):
                file.write(noise)
        tracemalloc.start()
        try:
            n_rows.append(len(emotion_timeline(model, path, window=2.0, hop=2.0)))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert n_rows == [300, 1800]
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 60 * 60 * 8000 * 4 / 3  # a third of the whole recording in float32


def test_n_jobs_does_not_change_probabilities(recording, corpus, wav):
    path = wav(recording, rate=44100, subtype="FLOAT")
    model = pooled(input_sampling_rate=RATE).fit(corpus.data, corpus.target)
    alone = emotion_timeline(model, path)
    model.set_params(mfcc__n_jobs=2)
    np.testing.assert_array_equal(emotion_timeline(model, path), alone)


def test_cached_features_depend_on_the_rate(recording, corpus, wav, tmp_path):
    model = pooled(memory=str(tmp_path / "kept"))
    model.set_params(mfcc__input_sampling_rate=RATE).fit(corpus.data, corpus.target)
    model.set_params(mfcc__input_sampling_rate=None)
    path = wav(recording, rate=44100)
    np.testing.assert_array_equal(emotion_timeline(model, path), emotion_timeline(model, path))
    samples = corpus.data[0]
    fast, slow = (model[0].transform([Waveform(samples, rate)]) for rate in (RATE, 8000))
    assert slow.lengths[0] == pytest.approx(2 * fast.lengths[0], abs=1)


def test_silence_is_trimmed_in_each_window(corpus, wav):
    model = make_pipeline(
        VoiceActivityTrimmer(input_sampling_rate=RATE), *pooled(input_sampling_rate=RATE)
    )
    model.fit(corpus.data, corpus.target)
    model[0].set_params(input_sampling_rate=None)
    speech = np.concatenate([np.zeros(RATE), *corpus.data[:2], np.zeros(RATE)])
    timeline = emotion_timeline(model, wav(speech), window=2.0, hop=1.0)
    np.testing.assert_allclose(timeline[model.classes_].sum(axis=1), 1)


def test_bad_input_raises(corpus, wav, tmp_path):
    path = wav(np.ones(3 * RATE) / 2)
    model = pooled(input_sampling_rate=RATE)
    with pytest.raises(NotFittedError):
        emotion_timeline(model, path)
    model.fit(corpus.data, corpus.target)
    for name, value in (("window", 0), ("window", -1.0), ("hop", 0.0), ("hop", "1")):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of emotion_timeline"):
            emotion_timeline(model, path, **{name: value})
    with pytest.raises(ValueError, match="The 'path' parameter of emotion_timeline"):
        emotion_timeline(model, [path])
    with pytest.raises(ValueError, match="hop=1e-05 s is less than one sample at 16000 Hz"):
        emotion_timeline(model, path, hop=1e-5)
    with pytest.raises(ValueError, match="window=1e-05 s is less than one sample"):
        emotion_timeline(model, path, window=1e-5)
    for value in (np.inf, np.nan):  # from the command line, which has only a lower limit
        for name, lengths in (("window", (value, 0.5)), ("hop", (2.0, value))):
            with pytest.raises(ValueError, match=f"{name}={value} must be a positive, finite nu"):
                list(timeline_outputs(model, model.predict, path, *lengths))
    with pytest.raises(AudioReadError, match="none.wav: no such file"):
        emotion_timeline(model, tmp_path / "none.wav")
    without = clone(model).set_params(logisticregression=SVC()).fit(corpus.data, corpus.target)
    with pytest.raises(TypeError, match="implementing 'predict_proba'"):
        emotion_timeline(without, path)
    of_frames = network(input_sampling_rate=RATE).fit(corpus.data, corpus.target)[1:]
    with pytest.raises(TypeError, match="takes frame sequences, not audio"):
        emotion_timeline(of_frames, path)


def test_error_of_too_short_windows_names_the_recording_once(corpus, wav):
    model = pooled(input_sampling_rate=RATE).fit(corpus.data, corpus.target)
    with pytest.raises(AudioReadError) as info:
        emotion_timeline(model, wav(np.ones(3 * RATE) / 2), window=0.01)
    assert str(info.value).count("a.wav") == 1
    assert "a.wav from 0 to 0.01 s: has 160 samples, less than one window of 400" in str(info.value)
