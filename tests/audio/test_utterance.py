"""Utterances as parts of recordings, through everything that takes audio."""

import base64
import copy
import datetime
import io
import pickle
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.audio import (
    AudioReadError,
    Utterance,
    Waveform,
    audio_inputs,
    identity,
    load_audio,
    overlapping,
    read_utterance,
    stream_audio,
)
from skser.compose import AugmentedClassifier
from skser.datasets import SpeechCorpus, make_emotional_speech
from skser.evaluation import (
    EvaluationReport,
    cross_validate_speakers,
    leakage_report,
    robustness_report,
)
from skser.feature_extraction import FrameFeatures, Functionals, MelSpectrogram
from skser.inspection import emotion_timeline
from skser.neural_network._bimodal import _numbered_as
from skser.preprocessing import VoiceActivityTrimmer

RATE = 16000
NOISE = (np.random.RandomState(0).randn(3 * RATE) / 10).astype(np.float32)
STEREO = np.stack([NOISE, 0.3 * NOISE[::-1]], axis=1)


def content(samples, rate=RATE, kind="WAV", subtype="PCM_16"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def model_of(corpus):
    features = Functionals(FrameFeatures(("energy",)))
    waves = [Waveform(x, corpus.sampling_rate) for x in corpus.data]
    return make_pipeline(features, StandardScaler(), LogisticRegression()).fit(waves, corpus.target)


@pytest.fixture(scope="module")
def dialogs(tmp_path_factory):
    """A recording per speaker, and the table of the utterances in them."""
    made = make_emotional_speech(4, 10, random_state=0)
    folder, rows = tmp_path_factory.mktemp("dialogs"), []
    for speaker in sorted(set(made.speakers)):
        parts, first = [], 0
        of_speaker = made.speakers == speaker
        for x, emotion in zip(made.data[of_speaker], made.target[of_speaker], strict=True):
            path, last = str(folder / f"{speaker}.wav"), first + len(x)
            rows.append((path, first / RATE, last / RATE, emotion, speaker))
            parts.append(x)
            first = last
        soundfile.write(path, np.concatenate(parts), RATE)
    return pd.DataFrame(rows, columns=["audio", "start", "end", "emotion", "speaker"])


def cut_files(table, folder):
    paths = []
    for i, row in enumerate(table.itertuples()):
        samples, rate = soundfile.read(row.audio, dtype="int16")
        part = samples[round(row.start * rate) : round(row.end * rate)]
        paths.append(str(folder / f"{i}.wav"))
        soundfile.write(paths[-1], part, rate)
    return paths


class TestUtterance:
    def test_an_utterance_is_an_immutable_value(self):
        one, other = Utterance("a.wav", 1, 2.0, 0), Utterance("a.wav", 1.0, 2, channel=0)
        assert one == other == pickle.loads(pickle.dumps(one)) == copy.deepcopy(one)
        assert len({one, other, Utterance("a.wav", 1, 3)}) == 2
        assert repr(one) == "Utterance('a.wav', start=1.0, end=2.0, channel=0)"
        with pytest.raises(AttributeError, match="is immutable"):
            one.start = 0

    @pytest.mark.parametrize("missing", [None, np.nan, pd.NaT, pd.NA, ""])
    def test_missing_times_mean_the_whole_recording(self, missing):
        assert Utterance("a.wav", missing, missing, missing).is_whole

    @pytest.mark.parametrize(
        "time",
        [
            1.5,
            "1.5",
            pd.Timedelta("1.5s"),
            np.timedelta64(1500, "ms"),
            "0 days 00:00:01.5",
            Decimal("1.5"),
            datetime.time(second=1, microsecond=500_000),
        ],
    )
    def test_times_of_every_type_are_converted_to_seconds(self, time):
        assert Utterance("a.wav", time).start == 1.5

    def test_invalid_times_and_channels_are_named(self):
        with pytest.raises(TypeError, match="start='soon' is not a time in seconds"):
            Utterance("a.wav", "soon")
        with pytest.raises(TypeError, match="channel='left' is not an index, 'loudest' or None"):
            Utterance("a.wav", channel="left")


class TestParts:
    @pytest.mark.parametrize(
        ("kind", "subtype"),
        [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"),
         ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("WAV", "IMA_ADPCM"), ("AIFF", "PCM_16")],
    )  # fmt: skip
    def test_a_part_is_a_slice_of_the_whole(self, kind, subtype):
        file = content(STEREO, kind=kind, subtype=subtype)
        whole, rate = load_audio(file)
        for start, end in ((0.5, 1.25), (None, 0.1), (2.70003, None), (1.00002, 1.00009)):
            first = round((start or 0) * rate)
            last = None if end is None else round(end * rate)
            part, _ = load_audio(Utterance(file, start, end))
            np.testing.assert_allclose(part, whole[first:last], atol=1e-7)
            pieces = [piece for piece, _ in stream_audio(file, start=start, end=end)]
            np.testing.assert_allclose(np.concatenate(pieces), part, atol=1e-7)

    def test_a_part_is_cut_before_it_is_resampled(self, wav):
        path = wav(NOISE, rate=48000)
        part, _ = load_audio(path, RATE, start=0.2, end=0.7)
        cut = wav(soundfile.read(path, dtype="int16")[0][9600:33600], rate=48000, name="cut.wav")
        np.testing.assert_array_equal(part, load_audio(cut, RATE)[0])

    def test_arrays_are_cut_like_files(self):
        item = Utterance(Waveform(NOISE, RATE), 0.5, 1.0)
        np.testing.assert_array_equal(read_utterance(item, 0, None, RATE), NOISE[8000:16000])
        bare = audio_inputs([Utterance(NOISE, 0.5, 1.0)], RATE)[0]
        np.testing.assert_array_equal(read_utterance(bare, 0, RATE, RATE), NOISE[8000:16000])

    def test_only_the_part_is_decoded(self, tmp_path, monkeypatch):
        path, minutes, rate = tmp_path / "long.flac", 20, 8000
        with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(np.resize(NOISE, 60 * rate))
        starts = np.random.RandomState(0).uniform(0, 60 * minutes - 3, 200)
        table = pd.DataFrame({"audio": str(path), "start": starts, "end": starts + 2.0})
        decoded, read = [], soundfile.SoundFile.read

        def counted(self, *args, **kwargs):
            block = read(self, *args, **kwargs)
            decoded.append(len(block))
            return block

        monkeypatch.setattr(soundfile.SoundFile, "read", counted)
        lengths = [len(read_utterance(u, i, None, None)) for i, u in enumerate(audio_inputs(table))]
        assert sum(decoded) == sum(lengths) == pytest.approx(200 * 2 * rate, abs=200)

    @pytest.mark.parametrize(
        ("part", "reason"),
        [
            ((2, 1), "ends at 1 s, before its start at 2 s: correct the times"),
            ((2, 2), "ends at 2 s, at its start at 2 s: correct the times"),
            ((-1, 1), "starts at -1 s: a start must be 0 s or later"),
            ((5, 6), "starts at 5 s, after the end of the recording, which is 3 s long"),
            ((3, None), "starts at 3 s, after the end of the recording, which is 3 s long"),
            ((1, 9), "ends at 9 s, after the end of the recording, which is 3 s long"),
            ((1, 1.00001), "is shorter than one sample at 16000 Hz"),
            ((1, 1.001), "less than one window"),
            ((None, None, 1), "has no channel 1: choose one that exists .the only one is 0"),
            ((None, None, -1), "has no channel -1"),
        ],
    )
    def test_a_wrong_row_is_named_and_does_not_affect_others(self, wav, part, reason):
        path = wav(NOISE)
        rows = [(path, 0, 1, None), (path, *part, None)[:4], (path, 1, 2, 0)]
        if len(part) == 3:
            rows[1] = (path, *part)
        table = pd.DataFrame(rows, columns=["audio", "start", "end", "channel"], dtype=object)
        with pytest.raises(AudioReadError, match="a.wav, utterance 1 .*" + reason):
            MelSpectrogram().transform(table)
        with pytest.warns(UserWarning, match=reason):
            lengths = MelSpectrogram(on_error="empty").transform(table).lengths
        assert lengths.tolist() == [101, 0, 101]

    def test_an_end_slightly_after_the_recording_is_its_end(self, wav):
        assert len(load_audio(wav(NOISE), start=1, end=3.006)[0]) == 2 * RATE

    def test_parts_outside_an_array_are_rejected(self):
        with pytest.raises(AudioReadError, match="utterance 0 from 2 to 4 s: ends at 4 s, after"):
            MelSpectrogram().transform([Utterance(Waveform(NOISE, RATE), 2, 4)])


class TestChannels:
    def test_a_channel_is_chosen_by_index_or_energy(self):
        quiet_first = content(STEREO[:, ::-1])
        left, right = (load_audio(quiet_first, channel=c)[0] for c in (0, 1))
        np.testing.assert_allclose(right, NOISE, atol=1e-4)
        np.testing.assert_array_equal(load_audio(quiet_first, channel="loudest")[0], right)
        np.testing.assert_allclose(load_audio(quiet_first)[0], (left + right) / 2, atol=1e-6)
        for shape in (STEREO, STEREO.T):  # the orders of soundfile and torchaudio
            item = Utterance(Waveform(shape, RATE), channel="loudest")
            np.testing.assert_array_equal(read_utterance(item, 0, None, RATE), NOISE)

    @pytest.mark.parametrize("n_channels", [2, 4])
    def test_channels_that_cancel_warn(self, wav, n_channels):
        signs = (-1) ** np.arange(n_channels)
        path = wav(NOISE[:, None] * signs)
        with pytest.warns(UserWarning, match=r"a\.wav: its \d channels cancel.*channel='loudest'"):
            load_audio(path)
        assert len(load_audio(path, channel=0)[0]) == len(NOISE)
        with pytest.warns(UserWarning, match="cancel"):
            read_utterance(Waveform(NOISE[:, None] * signs, RATE), 0, None, RATE)

    def test_independent_channels_do_not_cancel(self):
        load_audio(content(np.random.RandomState(0).randn(RATE, 8) / 10))  # warnings are errors

    def test_the_channels_of_a_call_are_predicted_separately(self, dialogs):
        made = make_emotional_speech(4, 10, random_state=0)
        model, n = model_of(made), min(len(made.data[0]), len(made.data[7]))
        call = Waveform(np.stack([made.data[0][:n], made.data[7][:n]], axis=1), RATE)
        table = pd.DataFrame({"audio": [call, call], "channel": [0, 1]})
        alone = [Waveform(made.data[i][:n], RATE) for i in (0, 7)]
        np.testing.assert_array_equal(model.predict_proba(table), model.predict_proba(alone))


class TestTables:
    def test_features_of_parts_equal_those_of_cut_files_exactly(self, dialogs, tmp_path):
        mel = MelSpectrogram()
        wanted = mel.transform(cut_files(dialogs, tmp_path))
        index = pd.MultiIndex.from_arrays(
            [dialogs["audio"], pd.to_timedelta(dialogs["start"], "s"),
             pd.to_timedelta(dialogs["end"], "s")],
            names=["file", "start", "end"],
        )  # fmt: skip
        for X in (dialogs, index, pd.DataFrame({"x": 1}, index=index),
                  SpeechCorpus(dialogs, "dialogs", {}).data):  # fmt: skip
            np.testing.assert_array_equal(mel.transform(X).values, wanted.values)

    def test_rows_without_times_stay_paths(self):
        table = pd.DataFrame({"audio": ["a.wav", "b.wav"], "start": [np.nan, 1], "end": np.nan})
        assert audio_inputs(table) == ["a.wav", Utterance("b.wav", 1)]

    def test_an_invalid_time_is_named_with_its_row(self):
        table = pd.DataFrame({"audio": ["a.wav", "b.wav"], "start": [0, "soon"]})
        with pytest.raises(TypeError, match="Row 1 of the utterance table: start='soon'"):
            audio_inputs(table)

    def test_a_part_is_stated_once(self):
        table = pd.DataFrame({"audio": [Utterance("a.wav", 1, 2)], "start": [0.5]})
        with pytest.raises(ValueError, match="Row 0 .* state the part once"):
            audio_inputs(table)


class TestIdentity:
    def test_identity_depends_on_content_times_and_channel(self, tmp_path, wav):
        path = wav(STEREO)
        other = wav(STEREO, name="b.wav")
        here = Utterance(path, 1, 2, 0)
        assert identity(here, None) == identity(Utterance(other, 1, 2, 0), None)
        assert identity(here, None) == identity(Utterance(content(STEREO), 1, 2, 0), None)
        assert identity(Utterance(path), None) == identity(path, None)
        different = [(path,), (path, 1), (path, 1, 2), (path, 1, 2, 1), (path, 0, 2, 0)]
        known = {identity(Utterance(*part), None) for part in different} | {identity(here, None)}
        assert len(known) == 6
        soundfile.write(path, STEREO[::-1], RATE)
        assert identity(here, None) != identity(Utterance(other, 1, 2, 0), None)

    def test_cache_and_disk_distinguish_parts(self, dialogs, tmp_path):
        for _ in range(2):
            X = MelSpectrogram(memory=tmp_path / "cache").transform(dialogs)
            written = MelSpectrogram().transform_to(dialogs, tmp_path / "to")
            np.testing.assert_array_equal(X.frames(), written.frames())
        np.testing.assert_array_equal(X.frames(), MelSpectrogram().transform(dialogs).frames())
        shifted = dialogs.assign(start=dialogs["start"] + 0.01)
        with pytest.raises(ValueError, match=r"Input 0 \(.*utterance 0 from 0.01.* differs from"):
            MelSpectrogram().transform_to(shifted, tmp_path / "to")

    def test_finished_folds_of_other_times_are_rejected(self, dialogs, tmp_path):
        model = make_pipeline(
            Functionals(FrameFeatures(("energy",))), StandardScaler(), LogisticRegression()
        )
        corpus = SpeechCorpus(dialogs, "dialogs", {})
        cross_validate_speakers(model, corpus, cv=2, results_dir=tmp_path)
        cross_validate_speakers(model, corpus, cv=2, results_dir=tmp_path)
        later = SpeechCorpus(dialogs.assign(end=dialogs["end"] - 0.01), "dialogs", {})
        with pytest.raises(ValueError, match="differs in utterances"):
            cross_validate_speakers(model, later, cv=2, results_dir=tmp_path)


class TestOverlaps:
    def test_parts_that_share_samples_are_pairs(self):
        parts = [(0, 2), (1, 3), (3, 4), (None, None), (5, None)]
        items = [Utterance(b"a", *part) for part in parts] + ["b.wav"]

        def key(item, _):
            return "a" if isinstance(item, Utterance) else "b"

        assert overlapping(items, None, key) == [(0, 1), (0, 3), (1, 3), (2, 3), (3, 4)]
        channels = [Utterance(b"a", 0, 2, c) for c in (0, 1, None, 0)]
        assert overlapping(channels, None, key) == [(0, 2), (0, 3), (1, 2), (2, 3)]

    def test_overlapping_parts_are_reported_as_a_leak(self, dialogs):
        rows = dialogs.iloc[[0, 0, 20, 21]].reset_index(drop=True)
        rows.loc[1, "start"] += 0.3
        rows["speaker"] = ["a", "b", "c", "d"]  # as if two people spoke
        report = leakage_report(SpeechCorpus(rows, "dialogs", {}), [([0, 2], [1, 3])])
        assert "overlapping audio" in report.checked
        found = report.leaks[report.leaks["kind"] == "overlapping audio"]
        assert len(found) == 1
        assert "utterance 0 from" in found["what"].iloc[0]
        clean = leakage_report(SpeechCorpus(dialogs, "dialogs", {}), KFold(4))
        assert "overlapping audio" not in set(clean.leaks["kind"])


class TestPartsEverywhere:
    def test_augmentation_and_distortion_use_only_the_part(self, dialogs, tmp_path):
        def softer(samples, sampling_rate, random_state):
            return samples / 2

        inner = make_pipeline(
            Functionals(FrameFeatures(("energy",))), StandardScaler(), LogisticRegression()
        )
        model = AugmentedClassifier(inner, softer, random_state=0)
        paths = cut_files(dialogs, tmp_path)
        of_table = model.fit(dialogs, dialogs["emotion"]).predict_proba(dialogs)
        of_files = model.fit(paths, dialogs["emotion"]).predict_proba(paths)
        np.testing.assert_allclose(of_table, of_files, atol=1e-9)
        corpus = SpeechCorpus(dialogs, "dialogs", {})
        for use_frame in (False, True):
            report = robustness_report(
                model, corpus, distortions={"softer": softer}, use_frame=use_frame
            )
            assert report.loc[("clean", ""), "score"] > 0.4

    def test_trimming_uses_only_the_part(self):
        silence = np.zeros(RATE, np.float32)
        recording = Waveform(np.concatenate([silence, NOISE, silence]), RATE)
        (trimmed,) = VoiceActivityTrimmer().transform([Utterance(recording, 0.5, 3)])
        assert len(trimmed) / RATE == pytest.approx(2.05, abs=0.05)

    def test_a_timeline_of_a_part_has_the_times_of_the_recording(self, dialogs):
        model = model_of(make_emotional_speech(4, 10, random_state=0))
        path = dialogs["audio"][0]
        timeline = emotion_timeline(model, Utterance(path, 2, 5), window=1, hop=1)
        assert timeline[["start", "end"]].to_numpy().tolist() == [[2, 3], [3, 4], [4, 5]]
        whole = emotion_timeline(model, path, window=1, hop=1)
        pd.testing.assert_frame_equal(timeline, whole[2:5].reset_index(drop=True))
        with open(path, "rb") as file:
            pd.testing.assert_frame_equal(emotion_timeline(model, file, window=1, hop=1), whole)
        wave = Waveform(*load_audio(path))
        pd.testing.assert_frame_equal(emotion_timeline(model, wave, window=1, hop=1), whole)
        of_part = emotion_timeline(model, Utterance(wave, 2, 5), window=1, hop=1)
        pd.testing.assert_frame_equal(of_part, timeline)

    def test_a_report_plays_only_the_part(self, dialogs, tmp_path):
        corpus = SpeechCorpus(dialogs, "dialogs", {})
        features = Functionals(FrameFeatures(("energy",)))
        model = make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=1000))
        evaluation = cross_validate_speakers(model, corpus, cv=2)
        path = EvaluationReport(evaluation, corpus, n_errors=2).save(tmp_path / "report.html")
        html = path.read_text()
        assert html.count("<audio") == 2
        assert ".wav, utterance " in html
        assert "overlapping audio" in html

    def test_errors_of_networks_name_the_row_of_the_table(self, wav):
        failures = [("utterance 1 from 2 to 1 s", "a"), (f"{wav(NOISE)}, utterance 0", "b")]
        renumbered = _numbered_as(np.array([3, 7]), failures)
        assert [name.rpartition("utterance ")[2] for name, _ in renumbered] == [
            "7 from 2 to 1 s", "3"
        ]  # fmt: skip

    def test_two_processes_compute_the_same_features(self, dialogs):
        one, two = (MelSpectrogram(n_jobs=n).transform(dialogs) for n in (1, 2))
        np.testing.assert_array_equal(one.frames(), two.frames())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,5", 1.5),
        ("0,25", 0.25),
        ("00:00:01,059", 1.059),
        ("00:01:02.5", 62.5),
        ("90 s", 90.0),
        ("1,5 s", 1.5),
        ("0,25s", 0.25),
        ("2,25 min", 135.0),
        ("1 min 2,5 s", 62.5),
        ("1 day, 0:00:05", 86405.0),  # as str(timedelta) writes it
    ],
)
def test_times_with_a_decimal_comma_or_a_unit_are_parsed(text, expected):
    assert Utterance("x", text).start == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    ["3 000", "1,2,3", "soon", "1,2,3 s", "1, 5 s", "1 ,5 s", "1.000,5 s", "1-2 s", "1 30 s"],
)
def test_other_text_is_rejected_and_not_read_as_nanoseconds(text):
    with pytest.raises(TypeError, match="is not a time in seconds"):
        Utterance("x", text)


def test_a_boolean_channel_is_rejected():
    with pytest.raises(TypeError, match="channel=True"):
        Utterance("x", channel=True)


def test_an_infinite_time_does_not_affect_other_rows(wav):
    path = wav(np.random.RandomState(0).randn(32000) / 10)
    table = pd.DataFrame({"audio": [path] * 3, "start": [0, 1, 0], "end": [1, np.inf, 2]})
    with pytest.raises(AudioReadError, match="1 of 3 .* ends at inf s: times must be finite"):
        MelSpectrogram().transform(table)
    with pytest.warns(UserWarning, match="ends at inf s"):
        X = MelSpectrogram(on_error="empty").transform(table)
    assert X.lengths.tolist() == [101, 0, 201]


def test_a_polars_table_can_have_parts(wav):
    polars = pytest.importorskip("polars")
    path = wav(np.random.RandomState(0).randn(32000) / 10)
    table = pd.DataFrame({"audio": [path] * 2, "start": [0.0, 1.0], "end": [1.0, None]})
    expected = MelSpectrogram().transform(table)
    found = MelSpectrogram().transform(polars.from_pandas(table))
    np.testing.assert_array_equal(found.values, expected.values)


def test_64_bit_integers_are_rejected():
    with pytest.raises(AudioReadError, match="integers of 64 bits.*int16"):
        MelSpectrogram().transform([(16000, np.arange(16000))])


def test_load_audio_rejects_a_part_of_an_utterance(wav):
    path = wav(np.random.RandomState(0).randn(32000) / 10)
    with pytest.raises(ValueError, match="from 1 to 2 s is a part already: state the part once"):
        load_audio(Utterance(path, 1, 2), start=0.5)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([0.5, -0.25, 0.0]), [[0.5], [-0.25], [0.0]]),
        (np.array([2.0, -1.0]), [[1.0], [-0.5]]),  # scaled to full scale
        (np.array([16384, 0], dtype=np.int16), [[0.5], [0.0]]),
        (np.array([[0.5, 0.0, 0.25], [0.25, 0.5, 0.0]]), [[0.5, 0.25], [0.0, 0.5], [0.25, 0.0]]),
    ],
)
def test_a_waveform_is_a_player_in_notebooks(samples, expected):
    (content,) = re.findall(
        '^<audio controls src="data:audio/wav;base64,(.*)"></audio>$',
        Waveform(samples, 22050)._repr_html_(),
    )
    found, rate = soundfile.read(io.BytesIO(base64.b64decode(content)), always_2d=True)
    assert rate == 22050
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_an_array_without_rate_or_samples_is_no_player():
    assert Waveform(np.zeros(3), 8000)[1:]._repr_html_() is None
    assert Waveform(np.zeros(0), 8000)._repr_html_() is None
