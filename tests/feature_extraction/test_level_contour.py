import librosa
import numpy as np
import pytest
from sklearn.base import clone

from skser.audio import AudioReadError, load_audio
from skser.datasets import load_ravdess
from skser.feature_extraction import Functionals, LevelContour
from skser.pipelines import gans2020

RATE = 16000


def librosa_contour(samples, rate, **settings):
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, **settings)
    return librosa.power_to_db(mel).mean(axis=0)


# librosa.load imports modules that Python has deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_contour_of_mpg_agrees_with_librosa_on_real_files(ravdess_path):
    files = load_ravdess(ravdess_path).data[::90]
    contours = gans2020()["features"].transform(files)
    for file, contour in zip(files, contours, strict=True):
        samples, rate = librosa.load(file, sr=44100)
        expected = librosa_contour(samples[22050:][: 3 * 44100], rate, n_mels=128, fmax=8000)
        assert contour.shape == (len(expected), 1)
        np.testing.assert_allclose(contour[:, 0], expected, atol=0.01)
        # The published code cuts before resampling, which changes the signal at both ends.
        samples, rate = librosa.load(file, sr=44100, offset=0.5, duration=3)
        published = librosa_contour(samples, rate, n_mels=128, fmax=8000)
        np.testing.assert_allclose(contour[3:-3, 0], published[3:-3], atol=0.01)


def test_the_contour_agrees_with_librosa_at_other_settings(corpus):
    samples = np.asarray(corpus.data[0], np.float32)
    contour = LevelContour(
        offset=0.2, n_mels=40, window=0.032, fmin=0, top_db=80, input_sampling_rate=RATE
    ).transform([samples])
    expected = librosa_contour(
        samples[3200:], RATE, n_mels=40, n_fft=512, hop_length=160, window="hamming", fmax=8000
    )
    np.testing.assert_allclose(contour[0][:, 0], expected, atol=0.01)


def test_twice_the_amplitude_is_6_db_more(corpus):
    contour = LevelContour(top_db=40, input_sampling_rate=RATE)
    quiet, loud = contour.transform([corpus.data[0], 2 * corpus.data[0]])
    np.testing.assert_allclose(loud - quiet, 20 * np.log10(2), atol=1e-3)


def test_offset_and_duration_cut_before_anything_is_computed(corpus):
    samples = corpus.data[0]
    cut = LevelContour(offset=0.3, duration=0.4, input_sampling_rate=RATE)
    given = cut.transform([samples])
    expected = LevelContour(input_sampling_rate=RATE).transform([samples[4800 : 4800 + 6400]])
    np.testing.assert_array_equal(given[0], expected[0])
    assert given.layout.offset == 0.3
    assert given.layout.feature_names == ("level",)


def test_a_duration_longer_than_the_rest_keeps_the_rest(corpus):
    contour = LevelContour(offset=0.5, input_sampling_rate=RATE)
    longer = clone(contour).set_params(duration=60.0)
    expected = contour.transform(corpus.data)
    np.testing.assert_array_equal(longer.transform(corpus.data).values, expected.values)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_an_utterance_that_ends_before_the_offset_is_named(device, corpus):
    contour = LevelContour(offset=0.5, input_sampling_rate=RATE, device=device)
    with pytest.raises(AudioReadError, match=r"utterance 1: lasts 0\.5 s.*offset"):
        contour.transform([corpus.data[0], np.ones(8000), corpus.data[1]])
    with pytest.raises(AudioReadError, match=r"utterance 0: has 100 samples, less than one"):
        contour.transform([np.ones(8100)])


@pytest.mark.parametrize("deltas", [0, 2])
def test_a_device_gives_the_values_of_numpy(deltas, corpus):
    contour = LevelContour(offset=0.2, deltas=deltas, input_sampling_rate=RATE)
    expected = contour.transform(corpus.data)
    given = contour.set_params(device="cpu").transform(corpus.data)
    assert given.layout == expected.layout
    assert given.n_columns == 1 + deltas
    np.testing.assert_allclose(given.values, expected.values, atol=5e-4)


def test_cache_entries_depend_on_the_offset(wav, tmp_path, corpus):
    file = wav(corpus.data[0])
    contour = LevelContour(memory=tmp_path / "kept")
    whole = contour.transform([file])
    cut = contour.set_params(offset=0.5).transform([file])
    assert len(cut[0]) < len(whole[0])
    np.testing.assert_array_equal(contour.transform([file])[0], cut[0])


def test_statistics_of_the_contour_are_named(corpus):
    functionals = Functionals(LevelContour(input_sampling_rate=RATE), statistics=("moments",))
    X = functionals.fit_transform(corpus.data)
    names = functionals.get_feature_names_out()
    contour = LevelContour(input_sampling_rate=RATE).transform(corpus.data)[0]
    np.testing.assert_allclose(X[0, list(names).index("level_mean")], contour.mean(), rtol=1e-5)


def test_files_of_another_rate_are_resampled(wav, corpus):
    file = wav(corpus.data[0])
    samples, _ = load_audio(file, 44100)
    contour = LevelContour(sampling_rate=44100)
    from_array = clone(contour).set_params(input_sampling_rate=44100).transform([samples])
    np.testing.assert_array_equal(contour.transform([file])[0], from_array[0])
