import logging
import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import opensmile
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skser.audio import AudioReadError, load_audio
from skser.feature_extraction import MelSpectrogram, OpenSmile, _opensmile
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences

RATE = 16000
LEVELS = {
    "functionals": opensmile.FeatureLevel.Functionals,
    "lld": opensmile.FeatureLevel.LowLevelDescriptors,
}


@pytest.fixture(scope="module")
def speech(corpus):
    return corpus.data[3]


def reference(feature_set, level, samples, rate=RATE):
    return opensmile.Smile(opensmile.FeatureSet[feature_set], LEVELS[level]).process_signal(
        samples, rate
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("feature_set", ["eGeMAPSv02", "ComParE_2016", "GeMAPSv01b"])
def test_values_and_names_equal_those_of_opensmile(feature_set, level, speech):
    expected = reference(feature_set, level, speech)
    smile = OpenSmile(feature_set, level, input_sampling_rate=RATE)
    given = smile.transform([speech])
    frames = given if level == "functionals" else given[0]
    np.testing.assert_array_equal(frames, expected.to_numpy(np.float32))
    assert smile.get_feature_names_out().tolist() == expected.columns.tolist()


@pytest.mark.real_data
@pytest.mark.parametrize("level", LEVELS)
def test_values_of_a_real_recording_equal_those_of_opensmile(level, ravdess_path):
    path = sorted(ravdess_path.rglob("*.flac"))[7]
    expected = reference("eGeMAPSv02", level, load_audio(path, RATE)[0]).to_numpy(np.float32)
    given = OpenSmile(level=level).transform([path])[0]
    np.testing.assert_array_equal(np.atleast_2d(given), expected)


def test_an_offset_of_the_recording_is_removed(speech):
    speech = speech - speech.mean()
    smile = OpenSmile(input_sampling_rate=RATE)
    with_offset, without = smile.transform([speech + np.float32(0.1), speech])
    # 16-bit samples are rounded differently.
    np.testing.assert_allclose(with_offset, without, rtol=0.02, atol=1e-3)


def test_functionals_are_a_table_on_request(corpus):
    smile = OpenSmile(input_sampling_rate=RATE)
    plain = smile.transform(corpus.data[:3])
    assert plain.shape == (3, 88)
    assert plain.dtype == np.float32
    table = pd.DataFrame({"audio": corpus.data[:3]}, index=["a", "b", "c"])
    named = smile.set_output(transform="pandas").fit_transform(table)
    assert named.index.tolist() == ["a", "b", "c"]
    assert named.columns.tolist() == smile.get_feature_names_out().tolist()
    np.testing.assert_array_equal(named, plain)
    with sklearn.config_context(transform_output="pandas"):
        assert OpenSmile(input_sampling_rate=RATE).transform(table).equals(named)


@pytest.mark.parametrize("how", ["set_output", "set_config"])
@pytest.mark.parametrize("cls", [partial(OpenSmile, level="lld"), MelSpectrogram])
def test_set_output_does_not_change_frame_sequences(cls, how, speech):
    steps = [cls(input_sampling_rate=RATE), SequenceScaler()]
    with sklearn.config_context(transform_output="pandas" if how == "set_config" else "default"):
        if how == "set_output":
            steps = [step.set_output(transform="pandas") for step in steps]
        assert isinstance(make_pipeline(*steps).fit_transform([speech]), Sequences)
        assert isinstance(make_pipeline(*steps).fit([speech]).transform([speech]), Sequences)


@pytest.mark.parametrize("feature_set", ["eGeMAPSv02", "ComParE_2016"])
def test_frames_lie_at_the_times_of_the_layout(feature_set):
    samples = np.zeros(RATE, np.float32)
    t = np.arange(3200) / RATE
    samples[6400:9600] = 0.3 * np.sin(2 * np.pi * 200 * t) + 0.2 * np.sin(2 * np.pi * 400 * t)
    X = OpenSmile(feature_set, "lld", input_sampling_rate=RATE).transform([samples])
    seconds = X.layout.offset + X.layout.hop * np.arange(len(X[0]))
    names = X.layout.feature_names

    def centre(name):
        values = X[0][:, names.index(name)]
        loud = values > (values.min() + values.max()) / 2
        return seconds[loud].mean()

    level, pitch = {
        "eGeMAPSv02": ("Loudness_sma3", "F0semitoneFrom27.5Hz_sma3nz"),
        "ComParE_2016": ("pcm_RMSenergy_sma", "F0final_sma"),
    }[feature_set]
    assert centre(level) == pytest.approx(0.5, abs=0.003)
    assert centre(pitch) == pytest.approx(0.5 - 0.02, abs=0.003)


def test_the_hop_is_rounded_as_in_opensmile():
    noise = (np.random.RandomState(0).randn(3 * 22050) / 10).astype(np.float32)
    smile = OpenSmile(level="lld", sampling_rate=22050, input_sampling_rate=22050)
    X = smile.transform([noise])
    assert X.layout.hop == 221 / 22050
    assert len(X[0]) == (len(noise) - 1323) // 221 + 2
    with pytest.raises(ValueError, match=r"sampling_rate=16000\.5 must be a whole number of Hz"):
        OpenSmile(sampling_rate=16000.5).fit()


def test_clipped_samples_do_not_wrap_around(speech):
    speech = np.concatenate([speech, -speech])  # so that clipping causes no offset
    loud, full = 4 * speech / np.abs(speech).max(), speech / np.abs(speech).max()
    smile = OpenSmile(input_sampling_rate=RATE)
    given = smile.transform([loud, np.clip(loud, -1, 32767 / 32768), full])
    np.testing.assert_array_equal(given[0], given[1])
    assert np.isfinite(given).all()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("feature_set", ["eGeMAPSv02", "ComParE_2016"])
def test_odd_signals_give_finite_values(feature_set, level):
    signals = [np.zeros(8000), np.ones(8000), np.sign(np.sin(np.arange(8000))), np.ones(960)]
    X = OpenSmile(feature_set, level, input_sampling_rate=RATE).transform(signals)
    assert all(np.isfinite(x).all() for x in X)


def test_an_utterance_too_short_is_named(speech):
    smile = OpenSmile(input_sampling_rate=RATE)
    utterances = [speech, speech[:959], speech[:960]]
    with pytest.raises(AudioReadError, match="utterance 1: has 959 samples, less than one window"):
        smile.transform(utterances)
    with pytest.warns(UserWarning, match=r"utterance 1.*They are left with NaN\."):
        X = smile.set_params(on_error="empty").transform(utterances)
    assert np.isnan(X).all(axis=1).tolist() == [False, True, False]
    with pytest.warns(UserWarning, match="left with 0 frames"):
        X = smile.set_params(level="lld").transform(utterances)
    assert X.lengths.tolist()[1:] == [0, 2]


@pytest.mark.parametrize("level", LEVELS)
def test_jobs_threads_and_the_cache_do_not_change_values(level, corpus, tmp_path):
    from joblib import parallel_config

    audio = corpus.data[:6]
    smile = OpenSmile(level=level, input_sampling_rate=RATE)
    expected = smile.transform(audio)
    copy = clone(smile).set_params(n_jobs=2, memory=tmp_path)
    with parallel_config("threading"):
        first = copy.transform(audio)
    again = pickle.loads(pickle.dumps(copy)).transform(audio)
    for given in (first, again):
        for a, b in zip(given, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(list(tmp_path.rglob("*.npy"))) == 6


def test_cache_entries_depend_on_the_version_of_opensmile(speech, tmp_path, monkeypatch):
    smile = OpenSmile(input_sampling_rate=RATE, memory=tmp_path)
    smile.transform([speech])
    monkeypatch.setattr(opensmile, "__version__", "0")
    smile.transform([speech])
    assert len(list(tmp_path.rglob("*.npy"))) == 2


def test_functionals_go_through_cross_validation_and_grid_search(corpus, tmp_path):
    smile = OpenSmile(input_sampling_rate=RATE, memory=tmp_path)
    model = make_pipeline(smile, StandardScaler(), LinearSVC())
    predicted = cross_val_predict(model, corpus.data, corpus.target, cv=2)
    assert np.mean(predicted == corpus.target) > 0.3  # of five emotions
    search = GridSearchCV(model, {"linearsvc__C": [0.01, 1.0]}, scoring="balanced_accuracy", cv=2)
    assert search.fit(corpus.data, corpus.target).best_score_ > 0.3


def test_the_license_is_logged_once_in_a_process(caplog):
    _opensmile._log_license.cache_clear()
    with caplog.at_level(logging.WARNING, "skser"):
        OpenSmile().fit()
        OpenSmile("ComParE_2016").get_feature_names_out()
    (message,) = [record.getMessage() for record in caplog.records]
    assert "commercial use needs a license from audEERING" in message
    assert "commercial use" in OpenSmile.__doc__


def test_the_license_is_visible_without_any_configuration():
    code = "from skser.feature_extraction import OpenSmile; print(1); OpenSmile().fit()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "1"
    assert result.stderr.count("audEERING Research License Agreement") == 1


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    _opensmile._log_license.cache_clear()
    with pytest.raises(ImportError, match=r"OpenSmile needs.*skser\[opensmile\]"):
        OpenSmile().fit()
