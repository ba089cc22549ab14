"""Tests of the robustness report."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.audio import Waveform
from skser.augmentation import default_distortions
from skser.datasets import SpeechCorpus, make_emotional_speech
from skser.evaluation import robustness_report
from skser.feature_extraction import FrameFeatures, Functionals

RATE = 16000
RANDOM = np.random.RandomState


@pytest.fixture(scope="module")
def halves():
    corpus = make_emotional_speech(4, 9, ("anger", "sadness", "neutral"), random_state=0)
    return corpus.select(speakers=["01", "02"]), corpus.select(speakers=["03", "04"])


@pytest.fixture(scope="module")
def model(halves):
    features = FrameFeatures(("energy", "pitch"), input_sampling_rate=RATE)
    model = make_pipeline(features, Functionals(), StandardScaler(), LogisticRegression())
    return model.fit(halves[0].data, halves[0].target)


@pytest.mark.filterwarnings("ignore:All 18 predictions are")
def test_scores_are_relative_to_the_clean_recordings(model, halves):
    new = halves[1]
    report = robustness_report(model, new)
    assert report.index[0] == ("clean", "")
    assert list(report.index[1:]) == list(default_distortions())
    clean = accuracy_score(new.target, model.predict(new.data))
    undistorted = robustness_report(model, new, distortions={}, metric=accuracy_score)
    assert undistorted["score"].item() == clean
    np.testing.assert_allclose(report["change"], report["score"] - report["score"].iloc[0])
    noise = report.loc["noise"]
    assert noise["shift"].idxmin() == "20 dB SNR"  # louder noise may shift less once all is lost
    assert noise["shift"].min() > 0
    assert noise.loc["0 dB SNR", "same"] < 0.95
    noises = {key: value for key, value in default_distortions().items() if key[0] == "noise"}
    again = robustness_report(model, new, distortions=noises)
    np.testing.assert_array_equal(report.loc["noise"], again.loc["noise"])


def test_models_of_tables_and_without_probabilities_are_scored(halves):
    class Loud(ClassifierMixin, BaseEstimator):
        """Calls loud recordings anger; checks that it is given a table of waveforms."""

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
    clean = np.where([np.abs(s).max() > 0.3 for s in halves[1].data], "anger", "sadness")
    assert report.loc[("louder", ""), "same"] == np.mean(clean == "anger")


def test_distortions_get_files_at_their_own_rate(model, halves, tmp_path):
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


def test_the_noise_of_an_utterance_depends_on_its_samples_and_the_seed_only(model, halves):
    def drawn(corpus, random_state):
        seen = {}

        def note(samples, sampling_rate, random):
            seen[samples.tobytes()] = random.randint(2**31 - 1)
            return samples

        robustness_report(
            model,
            corpus,
            distortions={"note": note},
            metric=accuracy_score,
            random_state=random_state,
        )
        return seen

    whole = drawn(halves[1], 0)
    assert len(set(whole.values())) == len(halves[1])
    some = drawn(halves[1][[7, 3]], 0)
    assert some == {key: whole[key] for key in some}
    assert drawn(halves[1][[3]], 1).items().isdisjoint(whole.items())


def test_an_error_names_a_distortion_that_breaks_audio(model, halves):
    for broken in (lambda s, *_: s[:0], lambda s, *_: s * np.nan, lambda s, *_: s[:, None]):
        with pytest.raises(ValueError, match="The distortion 'broken' returned .* for utterance 0"):
            robustness_report(model, halves[1], distortions={"broken": broken})


def test_an_error_names_a_distortion_that_fails(model, halves):
    def fails(samples, sampling_rate, random_state):
        return samples / (1 // 0)

    with pytest.raises(ValueError, match="'worse' failed on utterance 0: ZeroDivisionError"):
        robustness_report(model, halves[1], distortions={"worse": fails})
    with pytest.raises(ValueError, match="cannot be named 'clean'"):
        robustness_report(model, halves[1], distortions={"clean": fails})


def test_a_transform_of_audiomentations_works_as_a_distortion(model, halves):
    audiomentations = pytest.importorskip("audiomentations")
    softer = audiomentations.Gain(min_gain_db=-12.0, max_gain_db=-12.0, p=1.0)
    same = {"softer": lambda samples, rate, random: samples * 10 ** (-12 / 20)}
    found = robustness_report(model, halves[1], distortions={"softer": softer})
    expected = robustness_report(model, halves[1], distortions=same)
    pd.testing.assert_frame_equal(found, expected, atol=1e-4)


def test_integer_samples_are_rejected(model, halves):
    whole = {"whole": lambda samples, rate, random: np.rint(32767 * samples).astype(np.int16)}
    with pytest.raises(ValueError, match="'whole' returned int16 of shape .* utterance 0"):
        robustness_report(model, halves[1], distortions=whole)


def test_classes_that_the_model_lacks_are_named(model, halves):
    new = halves[1]
    renamed = SpeechCorpus(
        new.frame.assign(emotion=np.where(new.target == "anger", "rage", new.target)), "other", {},
        sampling_rate=RATE,
    )  # fmt: skip
    softer = {"softer": lambda samples, sampling_rate, random_state: samples / 2}
    with pytest.warns(UserWarning, match=r"never predicts \['rage'\]. Its classes are \['anger',"):
        robustness_report(model, renamed, distortions=softer)
    foreign = new.frame.assign(emotion=[f"{name}!" for name in new.target])
    foreign = SpeechCorpus(foreign, "other", {}, sampling_rate=RATE)
    with pytest.raises(ValueError, match="The model has no class of the corpus"):
        robustness_report(model, foreign, distortions=softer)
