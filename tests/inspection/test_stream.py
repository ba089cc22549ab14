"""Emotions predicted from a stream, from speakers' turns and from the microphone."""

import io
import itertools
import json
import sys
import tracemalloc
import types

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skser
from skser.audio import AudioReadError, Utterance
from skser.cli import main
from skser.cli._microphone import microphone
from skser.datasets import read_rttm
from skser.feature_extraction import FrameFeatures, Functionals
from skser.inspection import TimelineDisplay, emotion_stream, emotion_timeline
from skser.inspection._turns import turns_of

RATE = 16000


class Constant(ClassifierMixin, BaseEstimator):
    """Classifier that gives every window the same probabilities."""

    sampling_rate = RATE
    classes_ = np.array(["anger", "joy"])

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


@pytest.fixture(scope="module")
def model(corpus):
    features = Functionals(FrameFeatures(("energy", "pitch"), input_sampling_rate=RATE))
    model = make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(corpus.data, corpus.target)
    # In double precision, one row of a matrix product does not depend on the other rows.
    model[-1].coef_ = model[-1].coef_.astype(np.float64)
    return model


@pytest.fixture(scope="module")
def speech(corpus):
    return np.concatenate(corpus.data)[: 5 * RATE + 3000].astype(np.float32)


def blocks_of(samples, size):
    return (samples[i : i + size] for i in range(0, len(samples), size))


class TestStream:
    @pytest.mark.parametrize("size", [1, 160, 1000, 16000])
    def test_rows_equal_those_of_the_timeline(self, size, model, speech, wav):
        path = wav(speech, subtype="FLOAT")
        expected = emotion_timeline(model, path, window=1.5, hop=0.5)
        found = pd.DataFrame(emotion_stream(model, blocks_of(speech, size), RATE, 1.5, 0.5))
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=0, atol=1e-7)

    @pytest.mark.parametrize("size", [1, 441, 44100])
    def test_resampled_rows_are_prompt_and_equal_those_of_a_file(self, size, model, speech, wav):
        import soxr

        samples = soxr.resample(speech[: 3 * RATE + 3000], RATE, 44100)
        path = wav(samples, rate=44100, subtype="FLOAT")
        expected = emotion_timeline(model, path, window=1.5, hop=0.5)
        heard, rows, late = [0], [], []

        def arriving():
            for block in blocks_of(samples, size):
                heard[0] += len(block)
                yield block

        for row in emotion_stream(model, arriving(), 44100, 1.5, 0.5):
            rows.append(row)
            late.append(heard[0] / 44100 - row["end"])
        pd.testing.assert_frame_equal(
            pd.DataFrame(rows), expected, check_dtype=False, rtol=0, atol=1e-6
        )
        assert max(late) <= max(0.5, size / 44100)
        if size < 44100:
            assert max(late) < 0.1

    @pytest.mark.parametrize("size", [1, 160, 1000, 16000])
    def test_window_is_predicted_with_the_block_that_completes_it(self, size, speech):
        heard = [0]

        def arriving():
            for block in blocks_of(speech, size):
                heard[0] += len(block)
                yield block

        for row in emotion_stream(Constant(), arriving(), RATE, 1.0, 0.25):
            assert heard[0] - size < round(row["end"] * RATE) <= heard[0]

    def test_blocks_may_vary_in_size_and_hold_integers_or_channels(self, model, speech):
        integers = np.round(speech * 32767).astype(np.int16)
        sizes = np.cumsum([0, 1, 5000, 0, 7, 20000, len(speech)])
        blocks = [integers[a:b] for a, b in itertools.pairwise(sizes)]
        whole = pd.DataFrame(emotion_stream(model, [integers], RATE))
        pd.testing.assert_frame_equal(pd.DataFrame(emotion_stream(model, blocks, RATE)), whole)
        stereo = [np.stack([block, block], axis=1) for block in blocks]
        found = pd.DataFrame(emotion_stream(model, stereo, RATE))
        pd.testing.assert_frame_equal(found, whole, rtol=1e-5)

    def test_short_stream_gives_one_row_and_empty_stream_none(self, model, speech):
        (row,) = emotion_stream(model, [speech[:RATE]], RATE)
        assert (row["start"], row["end"]) == (0.0, 1.0)
        assert list(emotion_stream(model, [], RATE)) == []
        assert list(emotion_stream(model, [speech[:0]], RATE)) == []

    @pytest.mark.parametrize("hop", [0.5, 20.0])
    def test_memory_does_not_grow(self, hop):
        def peak(seconds):
            blocks = (np.zeros(1600, np.float32) for _ in range(10 * seconds))
            tracemalloc.start()
            for _ in emotion_stream(Constant(), blocks, RATE, 2.0, hop):
                pass
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return peak

        assert peak(240) < 1.2 * peak(30) < 3e6

    @pytest.mark.parametrize(
        ("blocks", "error", "said"),
        [
            (np.zeros(RATE), TypeError, "blocks is of type ndarray, not an iterable of arrays: p"),
            (3, TypeError, "blocks is of type int"),
            ([np.zeros(9), np.zeros(9, np.int16)], TypeError, "int16, but .* have type float64"),
            ([np.zeros(9), np.zeros((9, 2))], ValueError, "1 has 2 channels, but .* have 1: pass"),
            ([b"00"], TypeError, r"block 0 is bytes.*pass an array, for example numpy.frombuffer"),
            ([["a"]], TypeError, "block 0 is not an array of numbers"),
            ([None], TypeError, "block 0 is not an array of numbers"),
            ([np.full(9, np.nan)], AudioReadError, "the stream: holds samples that are NaN"),
            ([np.full(9, 900.0)], AudioReadError, "the stream: holds floating-point samples up to"),
        ],
    )
    def test_bad_blocks_raise(self, blocks, error, said):
        with pytest.raises(error, match=said) as caught:
            list(emotion_stream(Constant(), blocks, RATE))
        assert "\n" not in str(caught.value)

    def test_error_of_the_iterator_is_raised_after_all_complete_windows(self, speech):
        def arriving():
            yield speech[: 2 * RATE]
            raise ConnectionError("the line is dead")

        rows = emotion_stream(Constant(), arriving(), RATE)
        assert next(rows)["end"] == 2.0
        with pytest.raises(ConnectionError, match="the line is dead") as caught:
            next(rows)
        assert caught.value.__notes__ == [
            "raised by the iterator of the stream when block 1 was requested"
        ]

    def test_window_shorter_than_a_sample_raises(self, speech):
        with pytest.raises(ValueError, match="window=1e-09 s is less than one sample"):
            next(emotion_stream(Constant(), [speech], RATE, window=1e-9))
        with pytest.raises(ValueError, match="'sampling_rate'"):
            emotion_stream(Constant(), [speech], 0)


@pytest.fixture
def dialogue(corpus, tmp_path):
    """Return a recording of two synthetic speakers who take turns, and its RTTM file."""
    samples, lines, place = [], [], 0
    for i in range(4):
        for speaker in ("01", "02"):
            said = corpus.data[np.flatnonzero(corpus.speakers == speaker)[i]]
            lines.append(
                f"SPEAKER call 1 {place / RATE:.6f} {len(said) / RATE:.6f} <NA> <NA> {speaker} <NA>"
            )
            samples += [said, np.zeros(RATE // 4)]
            place += len(said) + RATE // 4
    soundfile.write(tmp_path / "call.wav", np.concatenate(samples), RATE, subtype="FLOAT")
    (tmp_path / "call.rttm").write_text("\n".join(lines))
    return tmp_path / "call.wav", tmp_path / "call.rttm"


class TestTurns:
    def test_rows_equal_predictions_of_turns_cut_by_hand(self, model, dialogue):
        path, rttm = dialogue
        found = emotion_timeline(model, path, segments=rttm)
        turns = read_rttm(rttm)
        assert found.columns.tolist() == ["start", "end", "speaker", *model.classes_]
        assert found["speaker"].tolist() == ["01", "02"] * 4
        samples, _ = soundfile.read(path, dtype="float32")
        cut = [samples[round(t.start * RATE) : round(t.end * RATE)] for t in turns.itertuples()]
        np.testing.assert_allclose(found[model.classes_], model.predict_proba(cut), atol=1e-7)
        again = emotion_timeline(model, path, segments=turns.sample(frac=1, random_state=0))
        pd.testing.assert_frame_equal(again, found)
        with open(path, "rb") as file:
            again = emotion_timeline(model, file, segments=turns)
        pd.testing.assert_frame_equal(again, found)

    def test_speakers_are_optional_and_rttm_may_cover_several_recordings(self, model, dialogue):
        path, rttm = dialogue
        bare = read_rttm(rttm)[["start", "end"]]
        assert emotion_timeline(model, path, segments=bare)["speaker"].isna().all()
        rttm.write_text(rttm.read_text() + "\nSPEAKER other 1 0 1 x x Eve x x\n")
        assert len(emotion_timeline(model, path, segments=rttm)) == 8
        rttm.write_text(rttm.read_text().replace("SPEAKER call", "SPEAKER third"))
        with pytest.raises(ValueError, match="turns of 2 recordings, .* none of call. Give"):
            emotion_timeline(model, path, segments=rttm)
        rttm.write_text("SPEAKER third 1 0 1 x x Eve x x\n")
        with pytest.raises(ValueError, match="turns of 1 recording, such as third, .* of call. Gi"):
            emotion_timeline(model, path, segments=rttm)
        unnamed = read_rttm(rttm).drop(columns="recording")
        assert len(emotion_timeline(model, path, segments=unnamed)) == 1

    def test_overlapping_turns_warn_and_turns_beyond_the_recording_raise(self, model, dialogue):
        path, rttm = dialogue
        rttm.write_text("SPEAKER call 1 0 1 x x A x x\nSPEAKER call 1 0.5 1 x x B x x\n")
        with pytest.warns(
            UserWarning, match=r"1 turn overlaps .*rttm, line 2 and .*line 1\. Each"
        ) as caught:
            emotion_timeline(model, path, segments=rttm)
        assert [warning.filename for warning in caught] == [__file__]
        # A longer turn of another channel hides nothing.
        bounds = {"start": [0, 0.1, 0.2], "end": [0.9, 0.5, 0.6], "channel": [1, 0, 0]}
        with pytest.warns(UserWarning, match="1 turn overlaps .* row 2 and segments, row 1"):
            turns_of(Utterance(path), pd.DataFrame(bounds))
        rttm.write_text("SPEAKER call 1 0 1 x x A x x\nSPEAKER call 1 98 1 x x B x x\n")
        with pytest.raises(
            AudioReadError,
            match=r"call.wav, turn of B \(.*call.rttm, line 2\): starts at 98 s, after",
        ):
            emotion_timeline(model, path, segments=rttm)

    @pytest.mark.parametrize(
        ("segments", "said"),
        [
            (pd.DataFrame({"begin": [0.0]}), r"lacks the columns \['start', 'end'\]"),
            (pd.DataFrame({"start": [], "end": []}), "segments is an empty table. Give one row"),
            (pd.DataFrame({"start": [1.0], "end": [0.5]}), "row 0: the turn .*1 s and ends at 0.5"),
            (pd.DataFrame({"start": [1.0], "end": [None]}), "row 0: the turn .*1 s and has no end"),
            (pd.DataFrame({"start": [None], "end": [1.0]}), "row 0: the turn has no start and"),
            (pd.DataFrame({"start": ["x"], "end": [1]}), "row 0: start='x' is not a time"),
        ],
    )  # fmt: skip
    def test_bad_tables_raise(self, segments, said, model, dialogue):
        with pytest.raises(ValueError, match=said):
            emotion_timeline(model, dialogue[0], segments=segments)
        with pytest.raises(ValueError, match="part of a recording, but segments= selects parts"):
            emotion_timeline(model, Utterance(dialogue[0], 0, 1), segments=segments)

    def test_display_has_one_lane_per_speaker(self, model, dialogue):
        plt = pytest.importorskip("matplotlib.pyplot")
        display = TimelineDisplay.from_estimator(model, dialogue[0], segments=dialogue[1])
        assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["01", "02"]
        assert len(display.ax_.containers) == len(model.classes_)
        tops = {round(sum(c[i].get_height() for c in display.ax_.containers), 6) for i in range(8)}
        assert tops == {0.8}
        plt.close("all")


class TestRefusals:
    """Windows that a model refuses are not passed off as predictions."""

    @pytest.fixture
    def refusing(self):
        pytest.importorskip("onnxruntime")
        return skser.load_onnx("emodb-whisper", n_threads=1)

    def test_timelines_and_streams_state_the_reason(self, refusing, wav):
        silence = np.zeros(3 * RATE)
        timeline = emotion_timeline(refusing, wav(silence, subtype="FLOAT"))
        assert timeline.columns.tolist() == ["start", "end", *refusing.classes_, "reason"]
        assert timeline["reason"].tolist() == ["no speech"] * 3
        found = pd.DataFrame(emotion_stream(refusing, [silence], RATE))
        pd.testing.assert_frame_equal(found, timeline)

    def test_displays_hatch_what_is_refused(self, refusing, dialogue):
        plt = pytest.importorskip("matplotlib.pyplot")
        turns = emotion_timeline(refusing, dialogue[0], segments=dialogue[1])
        turns["reason"] = ["", "unsure", "no speech", *[""] * (len(turns) - 3)]
        for timeline in (turns, turns.drop(columns="speaker")):
            ax = TimelineDisplay(timeline).plot().ax_
            assert [patch.get_hatch() for patch in ax.patches].count("///") == 2
            assert [text.get_text() for text in ax.get_legend().texts].count("refused") == 1
        plt.close("all")


class TestListen:
    @pytest.fixture
    def listen(self, monkeypatch, capfd):
        def run(*arguments):
            monkeypatch.setattr(sys, "argv", ["skser", "listen", *map(str, arguments)])
            monkeypatch.setattr(sys, "stdin", io.StringIO())
            with pytest.raises(SystemExit) as ended:
                main()
            return ended.value.code, *capfd.readouterr()

        return run

    @pytest.fixture
    def sounddevice(self, monkeypatch, speech):
        """Replace `sounddevice` by a fake whose microphone delivers all speech at once."""

        class InputStream:
            active = False

            def __init__(self, samplerate, blocksize, device, channels, dtype, callback):
                if device == "none":
                    raise fake.PortAudioError("No input device matching 'none'")
                self.callback, self.size = callback, blocksize

            def __enter__(self):
                for block in blocks_of(speech[:, None], self.size):
                    self.callback(block, len(block), None, None)
                return self

            def __exit__(self, *error):
                pass

        fake = types.ModuleType("sounddevice")
        fake.InputStream = InputStream
        fake.PortAudioError = type("PortAudioError", (Exception,), {})
        monkeypatch.setitem(sys.modules, "sounddevice", fake)

    def test_rows_equal_those_of_the_timeline_of_a_file(self, listen, sounddevice, speech, wav):
        code, out, _ = listen("--seconds", 4, "--json")
        assert code == 0
        rows = [json.loads(line) for line in out.splitlines()]
        path = wav(speech[: 4 * RATE], subtype="FLOAT")
        expected = emotion_timeline(skser.load_onnx("emodb-whisper"), path)
        assert [row["end"] for row in rows] == expected["end"].tolist() == [2, 2.5, 3, 3.5, 4]
        found = [list(row["probabilities"].values()) for row in rows]
        np.testing.assert_allclose(found, expected.iloc[:, 2:-1], atol=1e-5)
        assert [row["reason"] or "" for row in rows] == expected["reason"].tolist()
        code, out, _ = listen("--seconds", 2)
        assert out.startswith("microphone: 0.00-2.00 s: ")

    def test_microphone_failure_is_reported_on_one_line(self, listen, sounddevice):
        code, out, err = listen("--hop", 1)
        assert (code, len(out.splitlines())) == (1, 4)
        assert err == "skser: error: The microphone has stopped. Check that it is plugged in.\n"
        code, _, err = listen("--microphone", "none")
        assert code == 1
        assert "cannot be opened (No input device matching 'none'). Choose another" in err

    def test_model_slower_than_the_speech_raises(self, sounddevice):
        # At 800 Hz a block has 40 samples, so the fake delivers more blocks than may wait.
        listening = microphone(800)
        with pytest.raises(OSError, match=r"slower than real time: .* Give a longer --hop"):
            next(listening)

    def test_missing_library_is_reported_on_one_line(self, listen, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "sounddevice", None)
        code, _, err = listen()
        assert code == 1
        assert err.endswith(
            "skser listen needs the library 'sounddevice': pip install 'skser[live]'.\n"
        )
        monkeypatch.delitem(sys.modules, "sounddevice")
        (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
        monkeypatch.syspath_prepend(tmp_path)
        code, _, err = listen()
        assert code == 1
        assert err.count("\n") == 1
        assert "needs PortAudio, which sounddevice cannot find (PortAudio library not found)" in err


def test_turns_of_loud_samples_keep_the_limit_of_their_recording(model, wav):
    loud = 20 * np.sin(np.arange(3 * RATE) / 10)
    source = Utterance(wav(loud, subtype="FLOAT"), max_amplitude=None)
    turns = pd.DataFrame({"start": [0.0], "end": [2.0]})
    assert len(emotion_timeline(model, source, segments=turns)) == 1
