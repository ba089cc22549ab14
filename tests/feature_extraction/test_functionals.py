import tracemalloc

import numpy as np
import pytest
import scipy.fft
import scipy.stats
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skser.audio import AudioReadError
from skser.feature_extraction import FrameFeatures, Functionals, MelSpectrogram, OpenSmile
from skser.feature_extraction._functionals import STATISTICS
from skser.feature_extraction._segments import PERCENTILES, Segments
from skser.feature_extraction._statistics import bridged
from skser.preprocessing import SequenceScaler
from skser.sequences import Layout, Sequences

RATE = 16000


def described(sequences, *statistics, **settings):
    functionals = Functionals(None, statistics or STATISTICS, **settings)
    return functionals.set_output(transform="pandas").fit_transform(sequences)


@pytest.fixture(scope="module")
def frames(corpus):
    return FrameFeatures(input_sampling_rate=RATE).transform(corpus.data[:12])


@pytest.fixture
def voices():
    """Two utterances with a pitch that has gaps, and a level."""
    pitch = [
        [0, 0, 20, 21, 22, 0, 0, 26, 25, 24, 23, 0, 0, 0],
        [30, 0, 0, 0, 31, 32, 33, 0, 30, 30],
    ]
    layout = Layout(("F0", "level"), hop=0.01)
    return Sequences.from_list(
        [np.stack([p, np.arange(len(p))], axis=1).astype(float) for p in pitch], layout
    )


def test_moments_and_percentiles_agree_with_scipy(sequences):
    X = described(sequences, "moments", "percentiles")
    for i, frames in enumerate(sequences):
        for j in range(frames.shape[1]):
            column = frames[:, j].astype(float)
            expected = {
                "mean": column.mean(),
                "std": column.std(),
                "skewness": scipy.stats.skew(column),
                "kurtosis": scipy.stats.kurtosis(column, fisher=False),
                **{f"p{p}": np.percentile(column, p) for p in PERCENTILES},
                "p25-75": scipy.stats.iqr(column),
            }
            for name, value in expected.items():
                assert X.loc[i, f"f{j}_{name}"] == pytest.approx(value, rel=1e-4, abs=1e-5), name


def test_slopes_are_those_of_rising_and_falling_steps():
    X = Sequences.from_list([[[0.0], [2.0], [3.0], [3.0], [-1.0]], [[5.0], [4.0], [3.0]]])
    slopes = described(X, "slopes")
    first, second = slopes.to_dict("records")
    assert first["x0_rise"] == 1.5
    assert first["x0_rise_std"] == 0.5
    assert first["x0_rise_share"] == 0.5
    assert first["x0_fall"] == -4
    assert first["x0_fall_share"] == 0.25
    assert second["x0_rise"] == second["x0_rise_share"] == 0
    assert second["x0_fall"] == -1


def test_regression_agrees_with_polyfit(sequences):
    X = described(sequences, "regression")
    for i, frames in enumerate(sequences):
        time = np.linspace(-1, 1, len(frames))
        line = np.polyfit(time, frames[:, 2], 1)
        error = np.sqrt(np.mean((frames[:, 2] - np.polyval(line, time)) ** 2))
        parabola = np.polyfit(time, frames[:, 2], 2)
        assert X.loc[i, "f2_slope"] == pytest.approx(line[0], abs=1e-4)
        assert X.loc[i, "f2_regression_error"] == pytest.approx(error, abs=1e-4)
        assert X.loc[i, "f2_curvature"] == pytest.approx(parabola[0], abs=1e-3)


def test_contour_is_a_cosine_transform(sequences):
    X = described(sequences, "contour")
    for i, frames in enumerate(sequences):
        expected = scipy.fft.dct(frames[:, 3].astype(float), n=len(frames)) / 2 / len(frames)
        for k in range(1, min(8, len(frames))):
            assert X.loc[i, f"f3_cosine{k}"] == pytest.approx(expected[k], abs=1e-4)


def test_thirds_are_the_first_the_middle_and_the_last():
    X = described(Sequences.from_list([np.repeat([1.0, 2.0, 6.0], 4)[:, None]]), "thirds")
    assert X.filter(regex="mean").iloc[0].tolist() == [1, 2, 6]
    assert X.filter(regex="std").iloc[0].tolist() == [0, 0, 0]


def test_differences_of_a_ramp_are_its_slope():
    ramp = np.arange(40.0)[:, None]
    X = described(Sequences.from_list([ramp, -2 * ramp]), "moments", "differences")
    np.testing.assert_allclose(described(Sequences.from_list([ramp]), "moments")["x0_mean"], 19.5)
    names = Functionals(statistics=("moments", "differences")).fit([ramp]).get_feature_names_out()
    assert "Δx0_mean" in names
    assert "ΔΔx0_std" in names
    middle = Segments(np.array([40])).slopes(ramp.T.astype(np.float32), 4)[0, 4:-4]
    np.testing.assert_allclose(middle, 1)
    np.testing.assert_allclose(X["Δx0_mean"], [0.9, -1.8], atol=0.1)


def test_pitch_is_described_over_voiced_frames(voices):
    X = described(voices, "moments", active_only=False)
    assert X["F0_mean"].tolist() == pytest.approx([23, 31], abs=1e-5)
    assert X["level_mean"].tolist() == [6.5, 4.5]


def test_voiced_statistics_leave_out_unvoiced_frames(voices):
    X = described(voices, "moments", "voiced", active_only=False)
    voiced = [[2, 3, 4, 7, 8, 9, 10], [0, 4, 5, 6, 8, 9]]
    expected = [np.mean(v) for v in voiced]
    assert X["voiced_level_mean"].tolist() == pytest.approx(expected, rel=1e-6)


def test_unvoiced_gaps_are_bridged_within_the_utterance(voices):
    pitch = voices.values[:, 0]
    across = bridged(pitch, pitch > 0, Segments(voices.lengths))
    assert across[:14].tolist() == pytest.approx(
        [20, 20, 20, 21, 22, 22 + 4 / 3, 22 + 8 / 3, 26, 25, 24, 23, 23, 23, 23]
    )
    assert across[14:].tolist() == pytest.approx([30, 30.25, 30.5, 30.75, 31, 32, 33, 31.5, 30, 30])
    none = bridged(np.zeros(4), np.zeros(4, bool), Segments(np.array([2, 2])))
    assert none.tolist() == [0, 0, 0, 0]


def test_rhythm_counts_voiced_stretches_and_pauses(voices):
    X = described(voices, "rhythm", active_only=False)
    first, second = X.to_dict("records")
    assert first["rhythm_voiced_per_second"] == pytest.approx(2 / 0.14)
    assert first["rhythm_voiced_length"] == pytest.approx(0.035)
    assert first["rhythm_voiced_length_std"] == pytest.approx(0.005)
    assert first["rhythm_pause_length"] == pytest.approx(0.02)
    assert first["rhythm_pause_length_std"] == 0
    assert first["rhythm_voiced_share"] == pytest.approx(7 / 14)
    assert second["rhythm_voiced_per_second"] == pytest.approx(3 / 0.10)
    assert second["rhythm_pause_length"] == pytest.approx(0.02)
    assert second["rhythm_pause_length_std"] == pytest.approx(0.01)
    assert second["rhythm_duration"] == pytest.approx(0.10)


def test_silence_around_speech_has_no_effect(frames):
    def padded(n):
        silence = np.zeros((n, frames.n_columns), np.float32)
        return Sequences.from_list(
            [np.concatenate([silence, x, silence]) for x in frames], frames.layout
        )

    some, more = (described(padded(n), "moments", "rhythm") for n in (10, 80))
    np.testing.assert_array_equal(some, more)
    whole = described(padded(80), "rhythm", active_only=False)
    assert (whole["rhythm_duration"] > more["rhythm_duration"] + 1.4).all()


def test_a_vector_does_not_depend_on_the_other_utterances(frames):
    functionals = Functionals().fit(frames)
    together = functionals.transform(frames)
    for i in range(len(frames)):
        np.testing.assert_array_equal(functionals.transform(frames[[i]])[0], together[i])
    order = np.random.RandomState(0).permutation(len(frames))
    np.testing.assert_array_equal(functionals.transform(frames[order]), together[order])


def test_audio_gives_the_same_vectors_as_its_frames(corpus, frames):
    expected = Functionals().fit_transform(frames)
    for n_jobs in (None, 2):
        transformer = FrameFeatures(input_sampling_rate=RATE, n_jobs=n_jobs)
        functionals = Functionals(transformer)
        np.testing.assert_array_equal(functionals.fit_transform(corpus.data[:12]), expected)
    assert functionals.get_feature_names_out().tolist() == (
        Functionals().fit(frames).get_feature_names_out().tolist()
    )


def test_names_are_unique(frames):
    functionals = Functionals().fit(frames)
    names = functionals.get_feature_names_out()
    assert len(names) == len(set(names)) == functionals.transform(frames[:1]).shape[1]


def test_frames_may_include_their_own_differences(corpus):
    for transformer in (
        MelSpectrogram(n_mels=4, input_sampling_rate=RATE),
        FrameFeatures(("pitch", "energy"), deltas=1, input_sampling_rate=RATE),
    ):
        functionals = Functionals(transformer).set_output(transform="pandas")
        X = functionals.fit_transform(corpus.data[:3])
        assert X.columns.is_unique
        first = transformer.get_feature_names_out()[0]
        assert f"Δ{first}_mean" in X.columns


def test_settings_changed_after_fit_take_effect_at_the_next_fit(corpus):
    frames = FrameFeatures(("energy",), input_sampling_rate=RATE)
    functionals = Functionals(frames, ("moments",)).fit(corpus.data)
    before = functionals.transform(corpus.data[:2])
    frames.set_params(descriptors=("quality",))
    np.testing.assert_array_equal(functionals.transform(corpus.data[:2]), before)
    assert functionals.get_feature_names_out()[0] == "loudness_mean"
    functionals.fit(corpus.data)
    assert functionals.get_feature_names_out()[0] == "HNR_mean"


@pytest.mark.parametrize("lengths", [[3] + [300] * 300, [300] * 300 + [30_000]])
def test_memory_is_bounded_if_lengths_differ_widely(lengths):
    random = np.random.RandomState(0)
    X = Sequences(random.randn(sum(lengths), 8).astype(np.float32), lengths)
    functionals = Functionals(None, ("moments", "percentiles")).fit(X)
    tracemalloc.start()
    functionals.transform(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 8 * max(2**14, max(lengths))


@pytest.mark.parametrize("statistic", STATISTICS)
def test_short_silent_and_constant_utterances_give_finite_values(statistic):
    names = FrameFeatures().get_feature_names_out()
    random = np.random.RandomState(0)
    cases = [
        np.zeros((1, 63)),
        np.zeros((50, 63)),
        np.full((2, 63), 0.1),
        np.full((300, 63), 1e4),
        random.randn(4, 63),
        np.abs(random.randn(200, 63)),
    ]
    cases[4][:, list(names).index("F0")] **= 2
    X = Sequences.from_list(cases, Layout(tuple(names), hop=0.01))
    extra = () if statistic in ("moments", "rhythm") else ("moments",)
    assert np.isfinite(described(X, statistic, *extra).to_numpy()).all()


def test_frames_without_pitch_are_described(mels):
    X = described(mels, "moments")
    assert list(X.columns[:2]) == ["mel0_mean", "mel1_mean"]
    assert X.shape == (40, 4 * mels.n_columns)


class TestBadInput:
    def test_all_unreadable_files_are_named(self, wav, tmp_path):
        good = wav(np.random.RandomState(0).randn(8000) / 10)
        (tmp_path / "text.wav").write_text("not audio")
        files = [good, str(tmp_path / "text.wav"), str(tmp_path / "no.wav"), good]
        functionals = Functionals(FrameFeatures(memory=tmp_path / "cache"))
        with pytest.raises(AudioReadError, match=r"2 of 4.*text\.wav.*no\.wav"):
            functionals.fit_transform(files)
        assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1
        functionals.set_params(transformer__on_error="empty")
        with pytest.warns(UserWarning, match="2 of 4.*left with NaN"):
            X = functionals.fit_transform(files)
        assert np.isnan(X).all(axis=1).tolist() == [False, True, True, False]
        np.testing.assert_array_equal(X[0], X[3])

    def test_unknown_or_inapplicable_statistics_are_refused(self, sequences):
        with pytest.raises(ValueError, match=r"\['mode'\], but needs one or more of \('moments'"):
            Functionals(statistics=("moments", "mode")).fit(sequences)
        with pytest.raises(ValueError, match="do not apply to frames without a column 'F0'"):
            Functionals(statistics=("rhythm",)).fit(sequences)

    def test_transformers_that_return_vectors_are_refused(self, corpus):
        with pytest.raises(TypeError, match="OpenSmile returns ndarray with these parameters"):
            Functionals(OpenSmile(input_sampling_rate=RATE)).fit(corpus.data[:2])

    def test_audio_without_a_transformer_is_refused(self):
        with pytest.raises(TypeError, match="takes frame sequences, not audio"):
            Functionals().fit(["a.wav"])


def test_a_search_over_frames_and_statistics_across_speakers(corpus, tmp_path):
    frames = FrameFeatures(
        ("pitch", "energy", "mfcc"), input_sampling_rate=RATE, memory=tmp_path / "cache"
    )
    model = make_pipeline(
        Functionals(frames),
        StandardScaler(),
        SVC(kernel="linear", C=0.01),
    )
    grid = {
        "functionals__statistics": [("moments",), STATISTICS],
        "functionals__transformer__hop": [0.010, 0.020],
    }
    search = GridSearchCV(
        model, grid, cv=GroupKFold(2), scoring="balanced_accuracy", n_jobs=2, error_score="raise"
    ).fit(corpus.data, corpus.target, groups=corpus.speakers)
    assert search.best_score_ > 0.3  # of five classes, from two speakers
    assert search.predict(corpus.data[:3]).shape == (3,)


def test_memory_does_not_grow_with_the_frames(corpus):
    # Without the reduction, the frames would take several times the memory.
    functionals = Functionals(MelSpectrogram(input_sampling_rate=RATE, deltas=0), ("moments",)).fit(
        corpus.data
    )
    audio = [corpus.data[0]] * 400
    tracemalloc.start()
    functionals.transform(audio)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    frames = 400 * len(corpus.data[0]) // 160 * 64 * 4
    assert peak < 0.6 * frames


def test_the_example_prints_accuracy_and_best_statistics(monkeypatch, capsys):
    from examples import sentence_vectors

    monkeypatch.delenv("SKSER_DATA", raising=False)
    sentence_vectors.main()
    printed = capsys.readouterr().out
    assert "5191 statistics of 120 utterances" in printed
    assert float(printed.split("all: UAR ")[1].split()[0]) > 0.4
    assert "voiced_" in printed.split("standard deviations:")[1]


def test_scaled_pitch_is_refused(corpus):
    frames = FrameFeatures(("pitch", "energy"), input_sampling_rate=RATE).transform(corpus.data[:4])
    Functionals().fit_transform(frames)
    with pytest.raises(ValueError, match="F0 holds negative values, as scaled frames do"):
        Functionals().fit_transform(SequenceScaler().fit_transform(frames))
