"""Tests of timelines, streams and displays of dimensions."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import BaseEstimator, RegressorMixin

from skser.audio import Waveform
from skser.inspection import (
    PredictedValuesDisplay,
    SpeakerScoresDisplay,
    TimelineDisplay,
    emotion_stream,
    emotion_timeline,
)
from skser.metrics import concordance_correlation_coefficient

RATE = 16000
RAMP = np.linspace(0, 0.5, 4 * RATE).astype(np.float32)


class Level(RegressorMixin, BaseEstimator):
    """Regressor that predicts the mean of each waveform, and its negative if `both`."""

    def __init__(self, both=False):
        self.both = both

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        mean = np.array([np.mean(x) for x in X])
        return np.stack([mean, -mean], axis=1) if self.both else mean


@pytest.fixture
def one():
    return Level().fit(None, None)


@pytest.fixture
def two():
    return Level(both=True).fit(None, None)


class TestTimeline:
    def test_a_regressor_predicts_each_window(self, one):
        table = emotion_timeline(one, Waveform(RAMP, RATE), window=2.0, hop=1.0, names=["valence"])
        assert table.columns.tolist() == ["start", "end", "valence"]
        np.testing.assert_allclose(table["valence"], [0.125, 0.1875 + 0.0625, 0.375], atol=1e-3)
        assert emotion_timeline(one, Waveform(RAMP, RATE)).columns[-1] == "prediction"

    def test_several_dimensions_have_a_column_each(self, two):
        table = emotion_timeline(two, Waveform(RAMP, RATE), names=["valence", "activation"])
        np.testing.assert_allclose(table["activation"], -table["valence"])
        assert emotion_timeline(two, Waveform(RAMP, RATE)).columns[2:].tolist() == [
            "target0",
            "target1",
        ]

    def test_turns_are_predicted_too(self, one, tmp_path):
        path = tmp_path / "call.wav"
        soundfile.write(path, RAMP, RATE)
        turns = pd.DataFrame({"start": [0.0, 2.0], "end": [2.0, 4.0], "speaker": ["a", "b"]})
        table = emotion_timeline(one, path, segments=turns)
        np.testing.assert_allclose(table["prediction"], [0.125, 0.375], atol=1e-3)
        assert table["speaker"].tolist() == ["a", "b"]

    def test_a_stream_gives_the_same_rows(self, two):
        names = ["valence", "activation"]
        rows = pd.DataFrame(emotion_stream(two, np.array_split(RAMP, 7), RATE, names=names))
        whole = emotion_timeline(two, Waveform(RAMP, RATE), names=names)
        pd.testing.assert_frame_equal(rows, whole)

    def test_a_wrong_number_of_names_raises(self, two):
        with pytest.raises(ValueError, match="the model predicts 2 numbers"):
            emotion_timeline(two, Waveform(RAMP, RATE), names=["valence"])


class TestDisplays:
    @pytest.fixture(autouse=True)
    def agg(self):
        matplotlib = pytest.importorskip("matplotlib")
        matplotlib.use("Agg")
        yield
        matplotlib.pyplot.close("all")

    def test_values_are_lines_over_time(self, two):
        display = TimelineDisplay.from_estimator(
            two, Waveform(RAMP, RATE), hop=1.0, names=["valence", "activation"]
        )
        lines = display.ax_.lines
        assert [line.get_label() for line in lines] == ["valence", "activation"]
        np.testing.assert_allclose(lines[0].get_ydata()[1:-1], display.timeline["valence"])
        assert display.ax_.get_xlim() == (0, 4)
        assert display.ax_.get_ylabel() == "prediction"

    def test_probabilities_stay_stacked(self):
        table = pd.DataFrame({"start": [0, 1], "end": [1, 2], "a": [0.2, 1], "b": [0.8, 0]})
        display = TimelineDisplay.from_predictions(table)
        assert not display.ax_.lines
        assert len(display.ax_.collections) == 2

    def test_values_of_turns_lie_in_the_lane_of_their_speaker(self):
        table = pd.DataFrame(
            {"start": [0, 1, 2], "end": [1, 2, 3], "speaker": ["a", "b", "a"], "v": [-1.0, 1, 1]}
        )
        display = TimelineDisplay.from_predictions(table)
        (lines,) = display.ax_.collections
        heights = [segment[0, 1] for segment in lines.get_segments()]
        np.testing.assert_allclose(heights, [0.9, 1.1, 0.1])
        assert "-1 to 1" in lines.get_label()

    def test_predictions_are_drawn_over_ratings_with_their_ccc(self):
        true = np.array([[0.0, 1], [1, 2], [2, np.nan], [3, 3]])
        predicted = np.array([[0.5, 1], [1, 1], [2, 1], [2, 3]])
        display = PredictedValuesDisplay.from_predictions(true, predicted, names=["v", "a"])
        first, second = display.ax_.collections
        np.testing.assert_allclose(first.get_offsets().T, [true[:, 0], predicted[:, 0]])
        assert len(second.get_offsets()) == 3
        ccc = concordance_correlation_coefficient(true[:, 0], predicted[:, 0])
        assert first.get_label() == f"v, {ccc:.2f}"

    def test_a_regressor_is_drawn_from_its_predictions(self, one):
        X = [RAMP[:100], RAMP[100:]]
        display = PredictedValuesDisplay.from_estimator(one, X, [0.1, 0.2])
        np.testing.assert_allclose(display.y_pred[:, 0], one.predict(X))

    def test_shapes_and_names_that_do_not_fit_raise(self):
        with pytest.raises(ValueError, match="shape"):
            PredictedValuesDisplay.from_predictions([1.0, 2], [1.0, 2, 3])
        with pytest.raises(ValueError, match="one name for each of 1 dimension"):
            PredictedValuesDisplay.from_predictions([1.0, 2], [1.0, 2], names=["a", "b"])

    def test_scores_of_speakers_are_sorted_bars(self):
        scores = pd.Series({"a": 0.2, "b": 0.6, "c": -0.2}, name="CCC")
        display = SpeakerScoresDisplay.from_scores(scores)
        assert [bar.get_width() for bar in display.bars_] == [0.6, 0.2, -0.2]
        assert display.ax_.get_xlabel() == "CCC"
        assert display.ax_.lines[0].get_label() == "mean 0.20"
