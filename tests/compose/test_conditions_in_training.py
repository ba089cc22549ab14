"""Training on copies in random conditions: what babble is made of, and where samples lie."""

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skser
from skser.audio import Waveform
from skser.augmentation import Conditions, add_noise
from skser.compose import AugmentedClassifier, AugmentedRegressor
from skser.compose._sample_file import SampleFile
from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals, MelSpectrogram

RATE = 16000


class Recorder(ClassifierMixin, BaseEstimator):
    """Classifier that stores what it is fitted on."""

    def fit(self, X, y, groups=None):
        audio = X["audio"] if hasattr(X, "columns") else X
        self.audio_ = [np.array(samples) for samples in audio]
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


def logistic_regression_of(features):
    return make_pipeline(
        features, Functionals(), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)
    )


def tone(frequency, seconds=2.0):
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE) / 4


def frequency_of(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**16))
    return round(spectrum.argmax() * RATE / 2**16, -2)


TONES = [tone(200 * (i + 1)) for i in range(4)]
ONE_VOICE = Conditions({"babble": 1.0}, snr=-40, n_voices=1)


def heard(X, n_copies=30, augment=ONE_VOICE, **fit):
    """Return the frequencies in the copies of each utterance."""
    model = AugmentedClassifier(
        Recorder(), augment, n_copies=n_copies, input_sampling_rate=RATE, random_state=0
    )
    audio = model.fit(X, list("aabb"), **fit).estimator_.audio_
    return [sorted({frequency_of(copy) for copy in audio[4 + i :: 4]}) for i in range(4)]


def test_babble_is_made_of_the_other_utterances_of_training():
    assert heard(TONES) == [
        [200 * (k + 1) for k in range(4) if k != i] for i in range(4)
    ]  # fmt: skip


def test_babble_is_made_of_other_speakers_where_they_are_known():
    expected = [[600, 800], [600, 800], [200, 400], [200, 400]]
    assert heard(TONES, groups=["x", "x", "y", "y"]) == expected
    table = pd.DataFrame({"audio": TONES, "speaker": ["x", "x", "y", "y"]}, index=list("dcba"))
    assert heard(table) == expected
    table["speaker"] = ["x", "x", None, None]  # each unknown speaker is another one
    assert heard(table) == [[600, 800], [600, 800], [200, 400, 800], [200, 400, 600]]


def test_babble_that_is_given_replaces_the_utterances_of_training():
    given = clone(ONE_VOICE).set_params(babble=[Waveform(tone(3000), RATE)])
    assert heard(TONES, 2, given) == [[3000]] * 4


def test_no_test_utterance_is_in_the_copies(corpus):
    trained = []

    class Watch(Recorder):
        def fit(self, X, y, groups=None):
            trained.append({frequency_of(samples) for samples in X})
            return super().fit(X, y)

    tones = [tone(300 * (i + 1)) for i in range(8)]
    model = AugmentedClassifier(
        Watch(), ONE_VOICE, n_copies=4, input_sampling_rate=RATE, random_state=0
    )
    speakers, cv = np.repeat([0, 1], 4), GroupKFold(2)
    cross_val_predict(model, tones, list("abababab"), groups=speakers, cv=cv)
    for frequencies, (train, _) in zip(trained, cv.split(tones, groups=speakers), strict=True):
        assert frequencies == {300 * (i + 1) for i in train}


def test_copies_do_not_depend_on_order_or_processes(corpus):
    data, target, speakers = corpus.data[:8], corpus.target[:8], corpus.speakers[:8]

    def copies(order, n_jobs=None):
        model = AugmentedClassifier(
            Recorder(), Conditions(), n_copies=2, input_sampling_rate=RATE, n_jobs=n_jobs,
            random_state=0,
        )  # fmt: skip
        model.fit(list(data[order]), target[order], groups=speakers[order])
        back = np.argsort(order)
        return [model.estimator_.audio_[8 * k + i] for k in (1, 2) for i in back]

    forwards = copies(np.arange(8))
    for same in (copies(np.arange(8)[::-1]), copies(np.arange(8), n_jobs=2)):
        for a, b in zip(forwards, same, strict=True):
            np.testing.assert_array_equal(a, b)


def test_noise_of_a_folder_is_checked_before_anything_is_altered(tmp_path):
    with pytest.raises(FileNotFoundError, match="noise=.*does not exist"):
        heard(TONES, 1, Conditions(noise=tmp_path / "nowhere"))


def test_own_alterations_may_be_bound_too():
    class Louder:
        factor = None

        def bind(self, utterances, speakers):
            bound = Louder()
            bound.factor = len(utterances) * (1 + len(set(speakers)))
            assert all(isinstance(samples, Waveform) for samples in utterances)
            return bound

        def __call__(self, samples, sampling_rate, random_state):
            return samples * self.factor

    model = AugmentedClassifier(Recorder(), Louder(), input_sampling_rate=RATE)
    audio = model.fit(TONES, list("aabb"), groups=["x", "x", "y", "z"]).estimator_.audio_
    np.testing.assert_allclose(audio[5], 16 * audio[1], rtol=1e-6)
    assert model.augment.factor is None


def test_a_regressor_trains_in_conditions(corpus):
    pipeline = make_pipeline(MelSpectrogram(n_mels=8), Functionals(), StandardScaler(), Ridge())
    model = AugmentedRegressor(pipeline, Conditions(), input_sampling_rate=RATE, random_state=0)
    model.fit(corpus.data[:10], corpus.valence[:10], groups=corpus.speakers[:10])
    assert np.isfinite(model.predict(corpus.data[:3])).all()


def test_conditions_can_be_searched_in_processes(corpus):
    pipeline = logistic_regression_of(MelSpectrogram(n_mels=8))
    model = AugmentedClassifier(pipeline, Conditions(), input_sampling_rate=RATE, random_state=0)
    search = GridSearchCV(
        model,
        {"augment__snr": [5, (0, 20)], "estimator__logisticregression__C": [1e-3, 1e-2]},
        cv=GroupKFold(2),
        n_jobs=2,
    ).fit(corpus.data, corpus.target, groups=corpus.speakers)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.cv_results_["params"]) == 4


def test_a_model_trained_in_conditions_is_saved_without_its_recordings(corpus, tmp_path):
    pipeline = logistic_regression_of(MelSpectrogram(n_mels=8))
    augment = Conditions(snr=(5, 10), noise=[Waveform(tone(50), RATE)])
    model = AugmentedClassifier(pipeline, augment, input_sampling_rate=RATE, random_state=0)
    model.fit(corpus.data, corpus.target)
    skser.save(model, tmp_path / "model.skser")
    loaded = skser.load(tmp_path / "model.skser")  # nothing needs to be trusted
    np.testing.assert_array_equal(
        loaded.predict_proba(corpus.data[:5]), model.predict_proba(corpus.data[:5])
    )
    assert loaded.augment.snr == (5, 10)
    assert loaded.augment.noise is None
    assert loaded.augment.babble == "training"


def test_features_of_copies_in_babble_are_mostly_reused_between_folds(corpus, tmp_path):
    def entries():
        return len(list(tmp_path.rglob("*.npy")))

    features = MelSpectrogram(n_mels=8, memory=tmp_path)
    model = AugmentedClassifier(
        logistic_regression_of(features),
        Conditions({"babble": 1.0}, n_voices=2),
        input_sampling_rate=RATE,
        random_state=0,
    )
    model.fit(corpus.data, corpus.target)
    assert entries() == 80
    model.fit(corpus.data, corpus.target)
    assert entries() == 80
    # One of 40 voices less: 1/20 of the copies have lost one of their two.
    model.fit(corpus.data[1:], corpus.target[1:])
    assert 80 <= entries() <= 90


def test_the_file_of_samples_is_deleted_and_its_arrays_stay(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = AugmentedClassifier(Recorder(), Conditions(), input_sampling_rate=RATE)
    model.fit(TONES, list("aabb"))
    assert not list(tmp_path.iterdir())
    with SampleFile() as file:
        file.append(np.arange(3, dtype=np.float32))
        (first,) = file.arrays()
        file.append(np.arange(5, dtype=np.float32))
        (second,) = file.arrays()
        first[0] = 7  # writes to a copy of the page, not to the file
        assert np.fromfile(next(tmp_path.rglob("samples.f32")), np.float32)[0] == 0
    assert (first.tolist(), second.tolist()) == ([7, 1, 2], [0, 1, 2, 3, 4])


def test_a_full_disk_is_an_error_that_names_the_remedy(monkeypatch):
    with SampleFile() as file:

        class Full:
            def write(self, data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            def close(self):
                pass

        file._file.close()
        file._file = Full()
        with pytest.raises(OSError, match="No space left") as caught:
            file.append(np.zeros(3, np.float32))
    assert "TMPDIR" in caught.value.__notes__[0]
    assert not Path(file._folder.name).exists()


def test_training_in_conditions_helps_in_noise():
    corpus = make_emotional_speech(6, 10, random_state=0)
    known = np.isin(corpus.speakers, ["01", "02", "03", "04"])
    clean = list(corpus.data[~known])
    noisy = [add_noise(x, RATE, np.random.RandomState(0), snr=10) for x in clean]

    def accuracies(n_copies):
        model = AugmentedClassifier(
            logistic_regression_of(FrameFeatures()), Conditions(), n_copies=n_copies,
            input_sampling_rate=RATE, random_state=0,
        )  # fmt: skip
        model.fit(corpus.data[known], corpus.target[known], groups=corpus.speakers[known])
        return [model.score(X, corpus.target[~known]) for X in (clean, noisy)]

    before, after = accuracies(0), accuracies(2)
    assert before[0] >= 0.7
    assert before[1] <= 0.4
    assert after[0] >= before[0] - 0.1
    assert after[1] >= before[1] + 0.3
