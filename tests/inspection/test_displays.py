"""Displays of a scikit-learn pipeline on functionals, and of networks."""

import io

import matplotlib
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skser import inspection
from skser.audio import Waveform
from skser.datasets import make_emotional_speech
from skser.evaluation import robustness_report
from skser.feature_extraction import Functionals, MelSpectrogram
from skser.metrics import unweighted_average_recall
from skser.neural_network import AdversarialAEClassifier, AttentionFCNClassifier
from skser.preprocessing import SequenceScaler, VoiceActivityTrimmer

matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
RATE = 16000


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def halves():
    corpus = make_emotional_speech(4, 12, ("anger", "sadness", "neutral"), random_state=0)
    return corpus.select(speakers=["01", "02"]), corpus.select(speakers=["03", "04"])


def vectors():
    mel = MelSpectrogram(n_mels=8, deltas=0, input_sampling_rate=RATE)
    return Functionals(mel, statistics=("moments",))


@pytest.fixture(scope="module")
def models(halves):
    """Return a calibrated SVC on functionals and a network, fitted on the first half."""
    known = halves[0]
    svc = CalibratedClassifierCV(make_pipeline(StandardScaler(), SVC()), ensemble=False, cv=3)
    network = make_pipeline(
        MelSpectrogram(n_mels=16, deltas=0, input_sampling_rate=RATE),
        SequenceScaler(),
        AttentionFCNClassifier(
            filters=(8, 8, 8, 8), max_epochs=20, batch_size=8, learning_rate=0.01, device="cpu",
            n_threads=1, random_state=0,
        ),
    )  # fmt: skip
    return {
        "svc": make_pipeline(vectors(), svc).fit(known.data, known.target),
        "network": network.fit(known.data, known.target),
    }


@pytest.mark.parametrize("name", ["svc", "network"])
class TestBothModels:
    def test_confusion(self, models, halves, name):
        new = halves[1]
        display = inspection.ConfusionDisplay.from_estimator(models[name], new.data, new.target)
        predicted = models[name].predict(new.data)
        shown = np.diag(display.im_.get_array())
        expected = [np.mean(predicted[new.target == c] == c) for c in new.target_names]
        np.testing.assert_allclose(shown, expected)
        assert display.counts.to_numpy().sum() == len(new.target)
        assert [t.get_text() for t in display.ax_.get_yticklabels()] == new.target_names
        order = ["neutral", "anger", "sadness"]
        other = inspection.ConfusionDisplay.from_predictions(new.target, predicted, labels=order)
        assert list(other.counts) == order

    def test_speaker_recall(self, models, halves, name):
        new = halves[1]
        display = inspection.SpeakerRecallDisplay.from_estimator(
            models[name], new.data, new.target, speakers=new.speakers
        )
        widths = [bar.get_width() / 100 for bar in display.bars_]
        predicted = models[name].predict(new.data)
        uars = [
            unweighted_average_recall(new.target[chosen], predicted[chosen])
            for chosen in (new.speakers == "03", new.speakers == "04")
        ]
        assert sorted(widths) == pytest.approx(sorted(uars))

    def test_calibration_and_risk(self, models, halves, name):
        new = halves[1]
        model = models[name]
        calibration = inspection.CalibrationDisplay.from_estimator(
            model, new.data, new.target, n_bins=5
        )
        assert calibration.curve["n"].sum() == len(new.target)
        assert "ECE" in calibration.ax_.get_legend().get_texts()[0].get_text()
        risk = inspection.RiskCoverageDisplay.from_estimator(model, new.data, new.target)
        errors = np.mean(model.predict(new.data) != new.target)
        assert risk.line_.get_ydata()[-1] == pytest.approx(100 * errors)

    def test_robustness(self, models, halves, name):
        def softer(samples, sampling_rate, random_state):
            return samples / 4

        distortions = {("gain", "-12 dB"): softer, ("other", ""): softer, ("gain", "again"): softer}
        report = robustness_report(models[name], halves[1], distortions=distortions)
        display = inspection.RobustnessDisplay.from_report(report)
        assert [ax.get_title() for ax in display.axes_] == ["gain", "other"]
        line = display.axes_[0].get_lines()[-1].get_ydata()
        np.testing.assert_allclose(line, 100 * display.report["score"].iloc[[0, 1, 3]])

    def test_timeline(self, models, halves, name, tmp_path):
        import soundfile

        path = tmp_path / "call.wav"
        soundfile.write(path, np.concatenate(halves[1].data[:3]), RATE)
        display = inspection.TimelineDisplay.from_estimator(models[name], path, window=1, hop=0.5)
        assert len(display.ax_.collections) == 3
        assert display.ax_.get_xlim()[1] == pytest.approx(display.timeline["end"].iloc[-1])


class TestRobustnessDisplay:
    @pytest.fixture
    def report(self):
        rows = [("clean", ""), ("noise", "20 dB"), ("noise", "10 dB"), ("clip", "")]
        scores = {"score": [0.8, 0.7, 0.5, 0.6], "same": 1.0}
        return pd.DataFrame(scores, index=pd.MultiIndex.from_tuples(rows))

    def test_the_row_of_clean_recordings_may_be_anywhere(self, report):
        display = inspection.RobustnessDisplay.from_report(report.sort_values("score"))
        lines = {ax.get_title(): ax.get_lines()[-1].get_ydata() for ax in display.axes_}
        assert lines["noise"].tolist() == [80, 50, 70]
        assert lines["clip"].tolist() == [80, 60]

    def test_a_report_without_that_row_is_refused(self, report):
        with pytest.raises(ValueError, match="has no row .*'clean'"):
            inspection.RobustnessDisplay.from_report(report.loc[["noise"]])


class TestTimelineDisplay:
    def test_what_was_not_predicted_is_not_drawn(self):
        table = pd.DataFrame(
            {"start": [0, 1, 20], "end": [2, 3, 22], "anger": [0.9, 1, 0.1], "joy": [0.1, 0, 0.9]}
        )
        for columns in (["anger", "joy"], ["anger"]):
            timeline = table[["start", "end", *columns]]
            ax = inspection.TimelineDisplay.from_predictions(timeline).ax_
            if len(columns) == 2:
                places = [p.vertices[:, 0] for areas in ax.collections for p in areas.get_paths()]
                spans = [(x.min(), x.max()) for x in places]
            else:
                spans = [tuple(line.get_xdata()[[0, -1]]) for line in ax.get_lines()]
            assert set(spans) == {(0, 3), (20, 22)}
            assert [text.get_text() for text in ax.get_legend().get_texts()] == columns

    @pytest.mark.parametrize("speakers", [{}, {"speaker": ["a", "b", "a"]}])
    def test_a_timeline_from_a_file_is_drawn_alike(self, speakers):
        timeline = pd.DataFrame(
            {"start": [0, 1, 2], "end": [1, 2, 3], **speakers, "anger": [0.9, 1, 0.1],
             "joy": [0.1, 0, 0.9], "reason": ["", "silence", ""]}
        )  # fmt: skip
        read = pd.read_csv(io.StringIO(timeline.to_csv(index=False)))
        for table in (timeline, read):
            ax = inspection.TimelineDisplay.from_predictions(table).ax_
            (hatched,) = (bars for bars in ax.containers if bars.get_label() == "refused")
            assert [(bar.get_x(), bar.get_width()) for bar in hatched] == [(1, 1)]


def test_display_draws_on_given_axes(halves):
    figure, axes = plt.subplots(1, 2)
    y = halves[0].target
    display = inspection.ConfusionDisplay.from_predictions(y, y, ax=axes[1])
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert not axes[0].has_data()


def test_confusions_equal_those_of_scikit_learn():
    random = np.random.RandomState(0)
    true, predicted = random.choice(["anger", "fear", "joy", "sadness"], (2, 50))
    counts = inspection.ConfusionDisplay.from_predictions(true, predicted).counts
    np.testing.assert_array_equal(counts, confusion_matrix(true, predicted))
    assert counts.loc["anger"].sum() == np.sum(true == "anger")
    with pytest.raises(ValueError, match="labels lacks \\['joy', 'sadness'\\]"):
        inspection.ConfusionDisplay.from_predictions(true, predicted, labels=["anger", "fear"])


def test_row_of_an_absent_class_stays_white():
    display = inspection.ConfusionDisplay.from_predictions(["a", "a"], ["a", "b"])
    assert np.isnan(np.asarray(display.im_.get_array().filled(np.nan))[1]).all()
    assert display.text_[1, 0].get_text() == "-"


def test_attention_display_takes_files_and_waveforms(models, halves, tmp_path):
    import soundfile

    path = tmp_path / "x.wav"
    soundfile.write(path, halves[1].data[0], RATE)
    for utterance in (path, Waveform(halves[1].data[0], RATE, "mine")):
        display = inspection.AttentionDisplay.from_estimator(models["network"], utterance)
        wave, spectrum, course = display.axes_
        assert len(wave.get_lines()[0].get_xdata()) == len(halves[1].data[0])
        assert "predicted:" in wave.get_title()
        assert len(course.get_lines()) == len(display.attention.weights)
        assert spectrum.collections
    with pytest.raises(TypeError, match="Got a Pipeline that ends in CalibratedClassifierCV"):
        inspection.AttentionDisplay.from_estimator(models["svc"], path)


def test_alignment_display_shows_word_pieces_and_weights(halves):
    times = np.arange(10) * 0.02
    alignment = pd.DataFrame(np.eye(3, 10), index=["so", "##me", "words"], columns=times)

    class Aligner:
        def alignment(self, X):
            assert len(X) == 1
            return [alignment]

    display = inspection.AlignmentDisplay.from_estimator(Aligner(), pd.DataFrame({"a": [1, 2]}))
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["so", "##me", "words"]
    np.testing.assert_array_equal(display.mesh_.get_array(), alignment)


def test_latent_space_display_shows_both_latents(halves):
    known = halves[0]
    autoencoder = AdversarialAEClassifier(max_epochs=2, device="cpu", random_state=0)
    model = make_pipeline(vectors(), StandardScaler(), autoencoder)
    with pytest.raises(NotFittedError):
        inspection.LatentSpaceDisplay.from_estimator(model, known.data, known.target)
    model.fit(known.data, known.target)
    before = model[-1].latent
    display = inspection.LatentSpaceDisplay.from_estimator(model, known.data, known.speakers)
    assert model[-1].latent == before
    emotion, style = display.axes_
    assert (emotion.get_title(), style.get_title()) == ("emotion latent", "style latent")
    assert len(emotion.collections) == 2  # one per speaker
    assert sum(len(part.get_offsets()) for part in style.collections) == len(known.target)
    assert not np.allclose(display.emotion[:, 0], display.style[:, 0])
    with pytest.raises(TypeError, match="SVC has no emotion and style latents"):
        inspection.LatentSpaceDisplay.from_estimator(SVC().fit([[0], [1]], [0, 1]), [[0]], [0])
    with pytest.raises(ValueError, match="inconsistent"):
        inspection.LatentSpaceDisplay.from_predictions(np.ones((3, 2)), np.ones((2, 2)), [1, 2, 3])


def test_attention_is_drawn_over_what_a_trimmer_leaves(halves):
    known = halves[0]
    silence = np.zeros(2 * known.sampling_rate, np.float32)
    speech = [Waveform(np.concatenate([silence, x]), known.sampling_rate) for x in known.data]
    model = make_pipeline(
        VoiceActivityTrimmer(),
        MelSpectrogram(n_mels=16),
        AttentionFCNClassifier(max_epochs=1, device="cpu", random_state=0),
    ).fit(speech, known.target)
    display = inspection.AttentionDisplay.from_estimator(model, speech[0])
    (heard,) = model[0].transform(speech[:1])
    np.testing.assert_array_equal(display.samples, heard)
    assert len(display.samples) < len(known.data[0]) + known.sampling_rate
    assert display.attention.times[-1] == pytest.approx(len(heard) / known.sampling_rate, abs=0.2)


def test_bad_input_raises(halves):
    known = halves[0]
    y = known.target
    with pytest.raises(NotFittedError):
        inspection.ConfusionDisplay.from_estimator(SVC(), known.data, y)
    X = np.arange(len(y))[:, None]
    with pytest.raises(TypeError, match="SVC has no predict_proba"):
        inspection.CalibrationDisplay.from_estimator(SVC().fit(X, y), X, y)
    with pytest.raises(ValueError, match="inconsistent"):
        inspection.SpeakerRecallDisplay.from_predictions(y, y, speakers=["a"])
    with pytest.raises(ValueError, match="only clean recordings"):
        inspection.RobustnessDisplay.from_report(robustness_report(Always(), known, distortions={}))
    two = robustness_report(
        Always(), known, distortions={"a": lambda s, *_: s, "b": lambda s, *_: s}
    )
    with pytest.raises(ValueError, match="Got 1 Axes object for 2 kinds of distortion"):
        inspection.RobustnessDisplay.from_report(two, axes=[plt.subplots()[1]])


class Always:
    """Classifier that predicts its two classes in turn."""

    def predict(self, X):
        return np.resize(["anger", "sadness"], len(X))
