"""Annotations in other tools' formats, written by the tool's own library where one exists."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.audio import load_audio
from skser.datasets import (
    load_audformat,
    load_elan,
    load_emobox,
    load_kaldi,
    load_nkululeko,
    load_table,
    load_textgrid,
    make_emotional_speech,
    read_rttm,
)
from skser.feature_extraction import FrameFeatures, Functionals

RATE = 16000


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(2, 8, ["anger", "neutral"], random_state=0)


@pytest.fixture(scope="module")
def recordings(speech, tmp_path_factory):
    """One recording per speaker, whose utterances begin and end on whole milliseconds."""
    folder, rows = tmp_path_factory.mktemp("recordings"), []
    for speaker in ("01", "02"):
        samples, place = [np.zeros(RATE // 10)], 100  # ms
        for i in np.flatnonzero(speech.speakers == speaker):
            length = len(speech.data[i]) * 1000 // RATE
            rows.append({"recording": f"call{speaker}", "start": place / 1000,
                         "end": (place + length) / 1000, "speaker": speaker,
                         "emotion": speech.target[i]})  # fmt: skip
            samples += [speech.data[i][: length * RATE // 1000], np.zeros(RATE // 10)]
            place += length + 100
        soundfile.write(folder / f"call{speaker}.wav", np.concatenate(samples), RATE)
    return folder, pd.DataFrame(rows)


@pytest.fixture
def recorded(recordings, tmp_path):
    """Table of the utterances, whose recordings are in the test's own folder."""
    folder, table = recordings
    for file in folder.iterdir():
        shutil.copy(file, tmp_path)
    return table.copy()


def probabilities(data, target, speakers):
    """Return cross-validated probabilities of a small pipeline on audio."""
    model = make_pipeline(
        Functionals(FrameFeatures(("energy",), input_sampling_rate=RATE)),
        StandardScaler(),
        LogisticRegression(),
    )
    return cross_val_predict(
        model, data, target, groups=speakers, cv=LeaveOneGroupOut(), method="predict_proba"
    )


@pytest.fixture(scope="module")
def check(recordings):
    """Compare cross-validated probabilities with those of utterances cut from the recordings."""
    folder, table = recordings
    cut = []
    for row in table.itertuples():
        samples, _ = soundfile.read(folder / f"{row.recording}.wav", dtype="float32")
        cut.append(samples[round(row.start * RATE) : round(row.end * RATE)])
    expected = probabilities(cut, table["emotion"].to_numpy(), table["speaker"].to_numpy())

    def compare(corpus):
        assert corpus.target.tolist() == table["emotion"].tolist()
        assert corpus.speakers.tolist() == table["speaker"].tolist()
        found = probabilities(corpus.data, corpus.target, corpus.speakers)
        np.testing.assert_array_equal(found, expected)

    return compare


def write_database(recorded, folder, second=None):
    """Write a database with segments, two raters, a split, speakers of files and their sexes."""
    audformat = pytest.importorskip("audformat")
    db = audformat.Database("calls", license="CC0-1.0")
    db.schemes["emotion"] = audformat.Scheme(labels=["anger", "fear", "neutral"])
    db.schemes["speaker"] = audformat.Scheme(
        labels={"01": {"gender": "female"}, "02": {"gender": "male"}}
    )
    db.schemes["arousal"] = audformat.Scheme("float", minimum=1, maximum=5)
    db.splits["test"] = audformat.Split("test")
    files = [f"{name}.wav" for name in recorded["recording"]]
    seconds = [pd.to_timedelta(recorded[bound], unit="s") for bound in ("start", "end")]
    db["turns"] = audformat.Table(audformat.segmented_index(files, *seconds), split_id="test")
    given = recorded["emotion"].tolist()
    for rater, votes in {"first": given, "second": given if second is None else second}.items():
        db.raters[rater] = audformat.Rater("human")
        db["turns"][rater] = audformat.Column(scheme_id="emotion", rater_id=rater)
        db["turns"][rater].set(votes)
    db["turns"]["arousal"] = audformat.Column(scheme_id="arousal")
    db["turns"]["arousal"].set(np.linspace(1, 5, len(files)))
    db["files"] = audformat.Table(audformat.filewise_index(["call01.wav", "call02.wav"]))
    db["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    db["files"]["speaker"].set(["01", "02"])
    db.save(folder)
    return db


class TestAudformat:
    def test_segments_equal_manually_cut_utterances(self, recorded, check, tmp_path):
        write_database(recorded, tmp_path)
        corpus = load_audformat(tmp_path, "turns", "first")
        check(corpus)
        assert corpus.sexes.tolist() == ["female"] * 8 + ["male"] * 8
        assert set(corpus.frame["split"]) == {"test"}
        assert corpus.license.startswith("CC0-1.0 ")
        assert corpus.dimension_range == (1, 5)
        np.testing.assert_allclose(corpus.activation, np.linspace(1, 5, 16))

    def test_the_label_is_the_majority_of_raters(self, recorded, tmp_path):
        second = [None, "fear", *recorded["emotion"][2:]]
        db = write_database(recorded, tmp_path, second)
        corpus = load_audformat(db, column=["first", "second"], root=tmp_path)
        given = recorded["emotion"].tolist()
        assert corpus.target.tolist() == [given[0], "no agreement", *given[2:]]
        assert corpus.frame["vote second"].iloc[1] == "fear"

    def test_the_index_can_be_given_as_audio(self, recorded, speech, tmp_path):
        db = write_database(recorded, tmp_path)
        audformat = pytest.importorskip("audformat")
        index = audformat.utils.expand_file_path(db["turns"].df.index, str(tmp_path))
        features = Functionals(FrameFeatures(("energy",))).fit([tmp_path / "call01.wav"])
        expected = features.transform(load_audformat(tmp_path, "turns", "first").data)
        np.testing.assert_array_equal(features.transform(index), expected)

    def test_a_whole_file_with_a_start_of_0_is_the_same_row(self, recorded, tmp_path):
        audformat = pytest.importorskip("audformat")
        db, files = audformat.Database("calls"), ["call01.wav", "call02.wav"]
        whole = audformat.segmented_index(files, [0, 0], [pd.NaT, pd.NaT])
        for key, index, name, values in (
            ("files", audformat.filewise_index(files), "emotion", ["anger", "fear"]),
            ("other", whole, "emotion", ["anger", "joy"]),
            ("people", whole, "speaker", ["a", "b"]),
        ):
            db[key] = audformat.Table(index)
            db[key][name] = audformat.Column()
            db[key][name].set(values)
        assert load_audformat(db, "files", root=tmp_path).speakers.tolist() == ["a", "b"]
        with pytest.raises(ValueError, match=r"call02.wav has different labels in files, other"):
            load_audformat(db, ["files", "other"], root=tmp_path)

    def test_every_table_gives_its_values_to_its_rows(self, recorded, tmp_path):
        audformat = pytest.importorskip("audformat")
        db = audformat.Database("calls")
        db.schemes["valence"] = audformat.Scheme("float", minimum=1, maximum=5)
        db.schemes["share"] = audformat.Scheme("float", minimum=0, maximum=1)
        for key, file, speaker in (("train", "call01.wav", "a"), ("test", "call02.wav", "b")):
            db[key] = audformat.Table(audformat.filewise_index([file]))
            for name, value in {"emotion": "anger", "speaker": speaker, "valence": 2.0}.items():
                scheme = "valence" if name == "valence" else None
                db[key][name] = audformat.Column(scheme_id=scheme)
                db[key][name].set([value])
        db["train"]["valence"].set([np.nan])
        db["first"] = audformat.Table(audformat.filewise_index(["call01.wav"]))
        for name in ("arousal", "valence"):  # valence has another scheme in the other tables
            db["first"][name] = audformat.Column(scheme_id="share")
            db["first"][name].set([0.5])
        db["ratings"] = audformat.Table(audformat.filewise_index(["call01.wav", "call02.wav"]))
        db["ratings"]["valence"] = audformat.Column(scheme_id="valence")
        db["ratings"]["valence"].set([4.0, 5.0])
        corpus = load_audformat(db, ["train", "test"], root=tmp_path)
        assert corpus.speakers.tolist() == ["a", "b"]
        # The tables of the labels come first.
        assert corpus.valence.tolist() == [4.0, 2.0]
        np.testing.assert_array_equal(corpus.activation, [0.5, np.nan])

    def test_a_rater_that_stands_for_several_people_has_several_votes(self, recorded, tmp_path):
        audformat = pytest.importorskip("audformat")
        db = audformat.Database("calls")
        db.schemes["emotion"] = audformat.Scheme(labels=["anger", "fear"])
        db.schemes["arousal"] = audformat.Scheme("float")
        db.raters["crowd"] = audformat.Rater("human")
        db["files"] = audformat.Table(audformat.filewise_index(["call01.wav"]))
        votes = {"r0": "fear", "r1": "anger", "r2": "anger"}
        for name, value in votes.items() | {("arousal.1", 1.0), ("arousal.2", 3.0)}:
            scheme = "emotion" if name in votes else "arousal"
            db["files"][name] = audformat.Column(scheme_id=scheme, rater_id="crowd")
            db["files"][name].set([value])
        corpus = load_audformat(db, column=list(votes), root=tmp_path)
        np.testing.assert_allclose(corpus.soft_targets(["anger", "fear"]), [[2 / 3, 1 / 3]])
        assert corpus.votes.groupby("utterance")["activation"].mean().tolist() == [2]

    def test_properties_of_speakers_may_be_in_a_table(self, recorded, tmp_path):
        audformat = pytest.importorskip("audformat")
        db = write_database(recorded, tmp_path)
        about = pd.Index(["01", "02"], dtype="string", name="speaker")
        db["speaker"] = audformat.MiscTable(about)
        db["speaker"]["sex"] = audformat.Column()
        db["speaker"]["sex"].set(["female", None])
        db.schemes["of table"] = audformat.Scheme("str", labels="speaker")
        db["files"]["speaker"] = audformat.Column(scheme_id="of table")
        db["files"]["speaker"].set(["01", "02"])
        corpus = load_audformat(db, "turns", "first", root=tmp_path)
        assert corpus.sexes.tolist() == ["female"] * 8 + [None] * 8

    def rated(self, valence, arousal):
        """Return a database with ratings of other scales in its first table than in the last."""
        audformat = pytest.importorskip("audformat")
        db = audformat.Database("calls")
        for name, bounds in {"pilot": (1, 7), "valence": valence, "arousal": arousal}.items():
            db.schemes[name] = audformat.Scheme("float", minimum=bounds[0], maximum=bounds[1])
        for key in ("a_pilot", "gold"):
            db[key] = audformat.Table(audformat.filewise_index(["call01.wav"]))
            for name in ("valence", "arousal"):
                scheme = name if key == "gold" else "pilot"
                db[key][name] = audformat.Column(scheme_id=scheme)
                db[key][name].set([2.0])
        db["gold"]["emotion"] = audformat.Column()
        db["gold"]["emotion"].set(["anger"])
        return db

    @pytest.mark.parametrize(
        ("valence", "arousal", "expected"),
        [
            ((1, 5), (1, 5), (1, 5)),
            ((1, 5), (None, None), None),
            ((1, 5), (0, 5), None),
        ],
    )
    def test_the_scale_is_that_of_the_values(self, valence, arousal, expected, recorded, tmp_path):
        corpus = load_audformat(self.rated(valence, arousal), root=tmp_path)
        assert corpus.valence.tolist() == [2.0]
        assert corpus.dimension_range == expected

    def test_spellings_of_one_name_are_merged_before_votes_are_counted(self, recorded, tmp_path):
        audformat = pytest.importorskip("audformat")
        db = audformat.Database("calls")
        db["files"] = audformat.Table(audformat.filewise_index(["call01.wav", "call02.wav"]))
        columns = {
            "r0": ["anger", "joy"], "r1": ["Anger", "joy"], "r2": ["anger ", "fear"],
            "speaker": ["Ann", "ann "],
        }  # fmt: skip
        for name, values in columns.items():
            db["files"][name] = audformat.Column()
            db["files"][name].set(values)
        with pytest.warns(UserWarning, match="calls: .* were merged: ") as caught:
            corpus = load_audformat(db, column=["r0", "r1", "r2"], root=tmp_path)
        assert len(caught) == 2  # emotions and speakers
        assert corpus.target.tolist() == ["anger", "joy"]
        assert len(set(corpus.speakers)) == 1
        assert corpus.soft_targets(["anger", "joy"]).tolist() == [[1, 0], [0, 1]]

    def test_overlaps_are_warned_of_and_times_beyond_the_file_refused(self, recorded, tmp_path):
        audformat = pytest.importorskip("audformat")
        db = audformat.Database("calls")
        for ends in (["2s", "3s"], ["1s", "99s"]):
            index = audformat.segmented_index(["call01.wav"] * 2, ["0s", "1s"], ends)
            db["turns"] = audformat.Table(index)
            db["turns"]["emotion"] = audformat.Column()
            db["turns"]["emotion"].set(["anger", "joy"])
            if ends[0] == "2s":
                with pytest.warns(UserWarning, match="calls: 1 pair of utterances overlaps"):
                    load_audformat(db, root=tmp_path)
        with pytest.raises(ValueError, match="calls, row 1: reaches 99 s, beyond the end of"):
            load_audformat(db, root=tmp_path)

    def test_a_scheme_that_one_table_lacks_does_not_lose_speakers(self, recorded, tmp_path):
        audformat = pytest.importorskip("audformat")
        db = audformat.Database("calls")
        db.schemes["speaker"] = audformat.Scheme(labels={"a": {"gender": "female"}})
        db.schemes["other"] = audformat.Scheme(labels=["b"])
        for key, file, speaker in (("train", "call01.wav", "a"), ("test", "call02.wav", "b")):
            db[key] = audformat.Table(audformat.filewise_index([file]))
            for name, value in {"emotion": "anger", "speaker": speaker}.items():
                scheme = "speaker" if value == "a" else None
                db[key][name] = audformat.Column(scheme_id=scheme)
                db[key][name].set([value])
        for tables in (["train", "test"], ["test", "train"]):
            corpus = load_audformat(db, tables, root=tmp_path)
            of_speaker = dict(zip(corpus.speakers, corpus.sexes, strict=True))
            assert of_speaker == {"a": "female", "b": None}
        db["test"]["speaker"] = audformat.Column(scheme_id="other")
        db["test"]["speaker"].set(["b"])
        with pytest.warns(UserWarning, match="'speaker' of table test has the scheme other, not"):
            corpus = load_audformat(db, ["train", "test"], root=tmp_path)
        assert corpus.speakers.tolist() == ["a", None]

    def test_segments_of_one_speaker_describe_their_file(self, recorded, tmp_path):
        audformat = pytest.importorskip("audformat")
        db, files = audformat.Database("calls"), ["call01.wav", "call02.wav"]
        db["emotions"] = audformat.Table(audformat.filewise_index(files))
        db["emotions"]["emotion"] = audformat.Column()
        db["emotions"]["emotion"].set(["anger", "joy"])
        index = audformat.segmented_index(
            [*files, files[1]], ["0s", "0s", "1s"], ["1s", "1s", "2s"]
        )
        db["turns"] = audformat.Table(index)
        db["turns"]["speaker"] = audformat.Column()
        db["turns"]["speaker"].set(["a", "b", "c"])
        assert load_audformat(db, root=tmp_path).speakers.tolist() == ["a", None]
        db["turns"]["speaker"].set(["a", "b", "b"])
        assert load_audformat(db, root=tmp_path).speakers.tolist() == ["a", "b"]

    def test_the_split_of_any_table_is_kept(self, recorded, tmp_path):
        audformat = pytest.importorskip("audformat")
        db, files = audformat.Database("calls"), ["call01.wav", "call02.wav"]
        for name, rows, split in (
            ("all", files, None),
            ("te", files[:1], "test"),
            ("tr", files, "train"),
        ):
            if split is not None:
                db.splits[split] = audformat.Split(split)
            db[name] = audformat.Table(audformat.filewise_index(rows), split_id=split)
            db[name]["emotion"] = audformat.Column()
            db[name]["emotion"].set(["anger", "joy"][: len(rows)])
        for tables in (["all", "te"], ["te", "all"]):
            corpus = load_audformat(db, tables, root=tmp_path)
            splits = dict(zip(corpus.data, corpus.frame["split"].fillna("none"), strict=True))
            assert splits == {str(tmp_path / files[0]): "test", str(tmp_path / files[1]): "none"}
        with pytest.raises(ValueError, match=r"calls: call01\.wav is in several splits"):
            load_audformat(db, ["te", "tr"], root=tmp_path)

    def test_missing_tables_labels_and_files_are_errors(self, recorded, tmp_path):
        db = write_database(recorded, tmp_path, [None] * 16)
        with pytest.raises(ValueError, match=r"calls has no table \['x'\]; .*turns: first, second"):
            load_audformat(db, "x")
        with pytest.raises(ValueError, match=r"no column 'emotion'; it has first.*column="):
            load_audformat(db, "turns")
        with pytest.raises(ValueError, match="column 'second' of table turns has no labels"):
            load_audformat(db, "turns", ["first", "second"])
        (tmp_path / "call02.wav").unlink()
        with pytest.raises(FileNotFoundError, match=r"1 of 2 audio files .*call02.wav\. .*root="):
            load_audformat(tmp_path, "turns", "first")
        with pytest.raises(FileNotFoundError, match=r"has no db\.yaml\. Give the folder"):
            load_audformat(tmp_path / "nowhere")


def write_textgrids(recorded, folder, save="long_textgrid"):
    textgrid = pytest.importorskip("praatio.textgrid")
    for name, rows in recorded.groupby("recording"):
        grid, longest = textgrid.Textgrid(), float(rows["end"].max()) + 0.1
        for tier in ("emotion", "speaker"):
            entries = [tuple(e) for e in rows[["start", "end", tier]].itertuples(index=False)]
            grid.addTier(textgrid.IntervalTier(tier, entries, 0, longest))
        grid.save(str(folder / f"{name}.TextGrid"), save, includeBlankSpaces=True)


class TestTextGrid:
    @pytest.mark.parametrize("form", ["long_textgrid", "short_textgrid"])
    def test_intervals_equal_manually_cut_utterances(self, form, recorded, check, tmp_path):
        write_textgrids(recorded, tmp_path, form)
        check(load_textgrid(tmp_path, "emotion", speaker_tier="speaker"))

    @pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
    def test_other_encodings_are_read(self, encoding, recorded, tmp_path):
        write_textgrids(recorded, tmp_path)
        file = tmp_path / "call01.TextGrid"
        text = file.read_text("utf-8").replace('"neutral"', '"gelöst"')
        file.write_bytes(text.encode(encoding))
        corpus = load_textgrid(file, "emotion")
        assert corpus.target_names == ["anger", "gelöst"]
        assert corpus.speakers is None

    def test_several_tiers_name_the_speakers(self, recorded, tmp_path):
        textgrid = pytest.importorskip("praatio.textgrid")
        grid = textgrid.Textgrid()
        for who, entry in {"Ann": (0, 1, "joy"), "Bob": (1, 2, "anger")}.items():
            grid.addTier(textgrid.IntervalTier(who, [entry], 0, 2))
        grid.save(str(tmp_path / "call01.TextGrid"), "long_textgrid", includeBlankSpaces=True)
        corpus = load_textgrid(tmp_path / "call01.TextGrid", ["Ann", "Bob"])
        assert corpus.speakers.tolist() == ["Ann", "Bob"]
        with pytest.raises(ValueError, match="Give a single tier, or no speaker_tier"):
            load_textgrid(tmp_path / "call01.TextGrid", ["Ann", "Bob"], speaker_tier="Bob")

    def test_a_list_of_one_tier_names_its_speaker(self, recorded, tmp_path):
        write_textgrids(recorded, tmp_path)
        corpus = load_textgrid(tmp_path / "call01.TextGrid", ["emotion"])
        assert set(corpus.speakers) == {"emotion"}

    def test_two_tiers_of_one_name_are_refused(self, recorded, tmp_path):
        write_textgrids(recorded, tmp_path)
        file = tmp_path / "call01.TextGrid"
        file.write_text(file.read_text().replace('name = "speaker"', 'name = "emotion"'))
        with pytest.raises(ValueError, match="has several tiers 'emotion'. Rename all but one"):
            load_textgrid(file, "emotion")

    def test_missing_tiers_recordings_and_labels_are_errors(self, recorded, tmp_path):
        textgrid = pytest.importorskip("praatio.textgrid")
        write_textgrids(recorded, tmp_path)
        file = tmp_path / "call01.TextGrid"
        with pytest.raises(ValueError, match=r"01.TextGrid has no tier 'mood'; choose .*'emotion'"):
            load_textgrid(tmp_path, "mood")
        grid = textgrid.Textgrid()
        grid.addTier(textgrid.IntervalTier("emotion", [(0, 99, "joy")], 0, 99))
        grid.addTier(textgrid.IntervalTier("empty", [(0, 99, "")], 0, 99))
        grid.save(str(file), "long_textgrid", includeBlankSpaces=True)
        with pytest.raises(
            ValueError,
            match=r"call01.TextGrid, annotation 1 of tier 'emotion': reaches 99 s, beyond the "
            r"end of .*call01.wav at .* s\. Correct the times",
        ):
            load_textgrid(file, "emotion")
        with pytest.raises(ValueError, match="the tier 'empty' has no labels. Write"):
            load_textgrid(file, "empty")
        (tmp_path / "call01.wav").unlink()
        with pytest.raises(
            FileNotFoundError, match="no recording for it, such as call01.wav.* root="
        ):
            load_textgrid(file, "emotion")
        file.write_text("")
        with pytest.raises(ValueError, match="01.TextGrid is empty. Write a tier in Praat"):
            load_textgrid(file, "emotion")
        file.write_text("not a TextGrid")
        with pytest.raises(ValueError, match="cannot be read as a TextGrid .* save it as a text"):
            load_textgrid(file, "emotion")


def write_eafs(recorded, folder):
    pympi = pytest.importorskip("pympi")
    for name, rows in recorded.groupby("recording"):
        eaf = pympi.Eaf()
        eaf.add_linked_file(f"/elsewhere/{name}.wav", mimetype="audio/x-wav")
        eaf.add_tier("emotion", part=rows["speaker"].iloc[0])
        for row in rows.itertuples():
            eaf.add_annotation(
                "emotion", round(row.start * 1000), round(row.end * 1000), row.emotion
            )
        eaf.to_file(folder / f"{name}.eaf")


class TestElan:
    def test_annotations_equal_manually_cut_utterances(self, recorded, check, tmp_path):
        write_eafs(recorded, tmp_path)
        check(load_elan(tmp_path, "emotion"))

    def test_a_dependent_tier_takes_the_times_of_its_parent(self, recorded, tmp_path):
        pympi = pytest.importorskip("pympi")
        eaf = pympi.Eaf()
        eaf.add_tier("turns")
        eaf.add_annotation("turns", 100, 900, "well now")
        eaf.add_linguistic_type("depends", constraints="Symbolic_Association", timealignable=False)
        eaf.add_tier("mood", ling="depends", parent="turns")
        eaf.add_ref_annotation("mood", "turns", 500, "joy")
        eaf.to_file(tmp_path / "call01.eaf")
        (row,) = load_elan(tmp_path / "call01.eaf", "mood").frame.itertuples()
        assert (row.start, row.end, row.emotion) == (0.1, 0.9, "joy")

    def test_links_start_from_the_file_and_offsets_are_added(self, recorded, tmp_path):
        pympi = pytest.importorskip("pympi")
        for folder in ("eaf", "media"):
            (tmp_path / folder).mkdir()
        eaf = pympi.Eaf()
        eaf.add_linked_file(
            "file:///elsewhere/call%201.wav",
            "../media/call%201.wav",
            "audio/x-wav",
            time_origin=100,
        )
        eaf.add_tier("turns", part="Ann")
        eaf.add_annotation("turns", 0, 500, "well now")
        eaf.add_linguistic_type("depends", constraints="Symbolic_Association", timealignable=False)
        eaf.add_tier("mood", ling="depends", parent="turns")
        eaf.add_ref_annotation("mood", "turns", 200, "joy")
        eaf.to_file(tmp_path / "eaf/call01.eaf")
        (tmp_path / "call01.wav").rename(tmp_path / "media/call 1.wav")
        (tmp_path / "call02.wav").rename(tmp_path / "eaf/call01.wav")  # another recording
        (row,) = load_elan(tmp_path / "eaf", "mood").frame.itertuples()
        assert os.path.samefile(row.audio, tmp_path / "media/call 1.wav")
        assert (row.start, row.end, row.speaker) == (0.1, 0.6, "Ann")

    def linked(self, folder, *media):
        """Return the loaded annotation of a file that links these media."""
        pympi = pytest.importorskip("pympi")
        eaf = pympi.Eaf()
        for name, kind in media:
            (folder / name).touch()
            eaf.add_linked_file(f"/elsewhere/{name}", mimetype=kind)
        eaf.add_tier("mood")
        eaf.add_annotation("mood", 0, 500, "joy")
        eaf.to_file(folder / "call01.eaf")
        (row,) = load_elan(folder / "call01.eaf", "mood").frame.itertuples()
        return os.path.basename(row.audio)

    @pytest.mark.parametrize("video", [("call.mpg", "video/mpeg"), ("call.mp4", "video/mp4")])
    def test_audio_is_preferred_to_a_video(self, video, recorded, tmp_path):
        assert self.linked(tmp_path, video, ("call01.wav", "audio/x-wav")) == "call01.wav"

    def test_several_recordings_cause_a_warning(self, recorded, tmp_path):
        media = [(f"call0{i}.wav", "audio/x-wav") for i in (1, 2)]
        with pytest.warns(UserWarning, match=r"eaf links several .*call01\.wav, not .*call02\.wav"):
            assert self.linked(tmp_path, *media) == "call01.wav"

    def test_overlapping_turns_warn_and_bad_files_are_errors(self, recorded, tmp_path):
        pympi = pytest.importorskip("pympi")
        eaf = pympi.Eaf()
        for who, start, end in (("Ann", 0, 900), ("Bob", 500, 1500)):
            eaf.add_tier(who)
            eaf.add_annotation(who, start, end, "joy")
        eaf.to_file(tmp_path / "call01.eaf")
        with pytest.warns(
            UserWarning,
            match="1 pair of utterances overlaps.*1 of tier 'Ann' and 1 of tier 'Bob'. Keep",
        ):
            load_elan(tmp_path / "call01.eaf", ["Ann", "Bob"])
        with pytest.raises(ValueError, match=r"has no tier 'Eve'; choose .*'Ann', 'Bob'"):
            load_elan(tmp_path / "call01.eaf", "Eve")
        (tmp_path / "call01.eaf").write_text("<no xml")
        with pytest.raises(ValueError, match="cannot be read as an EAF file"):
            load_elan(tmp_path / "call01.eaf", "Ann")


def write_rttm(recorded, file):
    lines = [
        f"SPEAKER {r.recording} 1 {r.start:.3f} {r.end - r.start:.3f} <NA> <NA> {r.speaker} <NA>"
        for r in recorded.itertuples()
    ]
    file.write_text(";; turns\n" + "\n".join(lines) + "\n")


class TestRttm:
    def test_turns_with_emotions_equal_manually_cut_utterances(self, recorded, check, tmp_path):
        write_rttm(recorded, tmp_path / "all.rttm")
        turns = read_rttm(tmp_path / "all.rttm", root=tmp_path)
        assert turns.index[0] == 2  # the first line is a comment
        check(load_table(turns.assign(emotion=recorded["emotion"].to_numpy())))

    def test_the_channel_is_kept_only_if_there_are_several(self, tmp_path):
        lines = "SPEAKER a {} 0 1 x x Ann x x\nSPEAKER a {} 1 1 x x Bob x x\n"
        (tmp_path / "a.rttm").write_text(lines.format(1, 2))
        assert read_rttm(tmp_path / "a.rttm")["channel"].tolist() == [0, 1]
        (tmp_path / "a.rttm").write_text(lines.format(1, 1))
        assert "channel" not in read_rttm(tmp_path / "a.rttm")

    def test_a_missing_speaker_is_none(self, tmp_path):
        (tmp_path / "a.rttm").write_text("SPEAKER a 1 0 1 x x <NA> x x\n")
        assert read_rttm(tmp_path / "a.rttm")["speaker"].tolist() == [None]

    def test_only_line_ends_end_a_line(self, tmp_path):
        (tmp_path / "a.rttm").write_text(";; one\u2028\x0ctwo\r\nSPEAKER a 1 0 1 x x Ann x x\n")
        assert read_rttm(tmp_path / "a.rttm").index.tolist() == [2]

    def test_a_turn_beyond_the_recording_is_an_error(self, recorded, tmp_path):
        (tmp_path / "a.rttm").write_text("SPEAKER call01 1 0 99 x x Ann x x\n")
        assert read_rttm(tmp_path / "a.rttm")["end"].tolist() == [99]
        with pytest.raises(ValueError, match=r"a\.rttm, line 1: reaches 99 s, beyond the end of"):
            read_rttm(tmp_path / "a.rttm", root=tmp_path)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "has no line of the type SPEAKER. Write one per turn"),
            ("SPEAKER a 1 0", "line 1: 4 fields; expected at least 8"),
            ("\nSPEAKER a 1 x 1 x x A", "line 2: start 'x' and duration '1' are not valid"),
            ("SPEAKER a 1 0 -1 x x A", "line 1: .*with a duration above 0"),
            ("SPEAKER a 1 0 1 x x A", "line 1: .* has no recording a, such as a.wav.*root="),
        ],
    )
    def test_invalid_lines_are_errors(self, text, message, tmp_path):
        (tmp_path / "a.rttm").write_text(text)
        with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
            read_rttm(tmp_path / "a.rttm", root=tmp_path)
        assert "\n" not in str(caught.value)


def write_kaldi(recorded, folder):
    names = [f"{r.speaker}-{i:02d}" for i, r in enumerate(recorded.itertuples())]
    columns = {
        "wav.scp": {r: f"{r}.wav" for r in recorded["recording"]},
        "segments": dict(zip(names, (f"{r.recording} {r.start:.3f} {r.end:.3f}"
                                     for r in recorded.itertuples()), strict=True)),
        "utt2spk": dict(zip(names, recorded["speaker"], strict=True)),
        "utt2emo": dict(zip(names, recorded["emotion"], strict=True)),
        "spk2gender": {"01": "f", "02": "m"},
        "text": dict.fromkeys(names, "some words"),
    }  # fmt: skip
    for file, values in columns.items():
        (folder / file).write_text("".join(f"{k} {v}\n" for k, v in values.items()))


class TestKaldi:
    def test_channels_tabs_and_capital_letters_are_read(self, tmp_path):
        soundfile.write(tmp_path / "call.wav", np.tile([0.1, 0.5], (16000, 1)), 16000)
        for name, text in {
            "wav.scp": "call call.wav\n", "utt2emo": "a joy\nb fear\n", "utt2spk": "a ann\nb bob\n",
            "segments": "a call 0 0.5 0\nb call 0.25 1.0 1\n", "spk2gender": "ann F\nbob M\n",
            "text": "a well\tnow\nb \n",
        }.items():  # fmt: skip
            (tmp_path / name).write_text(text)
        corpus = load_kaldi(tmp_path)
        found = [load_audio(x.source, start=x.start, end=x.end, channel=x.channel)[0].mean()
                 for x in corpus.data]  # fmt: skip
        np.testing.assert_allclose(found, [0.1, 0.5], atol=1e-3)
        assert corpus.sexes.tolist() == ["female", "male"]
        assert corpus.transcripts.tolist() == ["well\tnow", ""]
        (tmp_path / "segments").write_text("a call 0 0.5 left\nb call 0.25 1.0 1\n")
        with pytest.raises(ValueError, match="line 1: .* with or without a channel"):
            load_kaldi(tmp_path)

    def test_segments_equal_manually_cut_utterances(self, recorded, check, tmp_path):
        write_kaldi(recorded, tmp_path)
        corpus = load_kaldi(tmp_path)
        check(corpus)
        assert corpus.sexes[0] == "female"
        assert corpus.transcripts[0] == "some words"

    def test_without_segments_each_recording_is_an_utterance(self, recorded, tmp_path):
        (tmp_path / "wav.scp").write_text("a call01.wav\nb call02.wav\n")
        (tmp_path / "text").write_text("a joy\nb anger\n")
        corpus = load_kaldi(tmp_path, labels="text")
        assert corpus.target.tolist() == ["joy", "anger"]
        assert corpus.speakers is None

    @pytest.mark.parametrize(
        ("file", "old", "new", "message"),
        [
            ("wav.scp", "call01 call01.wav", "call01 sph2pipe x |", "line 1: .* is a command"),
            ("wav.scp", "call01.wav", "gone.wav", r"line 1: there is no file gone.wav\. .*root="),
            ("segments", "call01 0.100", "call09 0.100", "line 1: wav.scp has no recording call09"),
            ("segments", "call01 0.100", "call01 x", "line 1: .* Expected a recording, and"),
            ("segments", "call01 0.100", "call01 90.1", "line 1: from 90.1 to .* not a valid"),
            ("utt2emo", "01-01", "01-00", "line 2: 01-00 occurs twice, first in line 1. Remove"),
            ("utt2emo", "01-00", "09-00", "line 1: segments has no utterance 09-00. Correct"),
            ("utt2spk", "01-00 01", "01-00", "line 1: 01-00 has no value. Add it"),
        ],
    )  # fmt: skip
    def test_invalid_lines_are_errors(self, file, old, new, message, recorded, tmp_path):
        write_kaldi(recorded, tmp_path)
        (tmp_path / file).write_text((tmp_path / file).read_text().replace(old, new, 1))
        with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
            load_kaldi(tmp_path)
        assert str(tmp_path / file) in str(caught.value)

    @pytest.mark.parametrize("separator", ["\u2028", "\x0c", "\x85"])
    def test_only_line_ends_end_a_line(self, separator, recorded, tmp_path):
        write_kaldi(recorded, tmp_path)
        text = (tmp_path / "text").read_text("utf-8")
        changed = text.replace("some words", f"some{separator}words").replace("\n", "\r\n")
        (tmp_path / "text").write_bytes(changed.encode())
        assert load_kaldi(tmp_path).transcripts[0] == f"some{separator}words"

    def test_missing_speakers_cause_a_warning(self, recorded, tmp_path):
        write_kaldi(recorded, tmp_path)
        lines = (tmp_path / "utt2spk").read_text().splitlines()
        (tmp_path / "utt2spk").write_text("\n".join(lines[1:]))
        with pytest.warns(
            UserWarning, match="utt2spk: 1 of 16 utterances have no speaker, such as"
        ):
            corpus = load_kaldi(tmp_path)
        assert corpus.speakers[0] is None

    def test_missing_labels_are_an_error_or_a_warning(self, recorded, tmp_path):
        write_kaldi(recorded, tmp_path)
        with pytest.raises(
            FileNotFoundError, match=r"has no file emo .*labels=, one of \[.*'utt2emo'"
        ):
            load_kaldi(tmp_path, labels="emo")
        lines = (tmp_path / "utt2emo").read_text().splitlines()
        (tmp_path / "utt2emo").write_text("\n".join(lines[1:]))
        with pytest.warns(UserWarning, match="1 of 16 utterances have no label .* such as 01-00"):
            assert len(load_kaldi(tmp_path)) == 15


class TestEmobox:
    def write(self, recorded, folder):
        fold = folder / "data" / "calls" / "fold_1"
        fold.mkdir(parents=True)
        # EmoBox's own map of EmoDB has "Neutral" for the code "neutral" of its lists.
        (fold.parent / "label_map.json").write_text('{"a": "anger", "N": "neutral"}')
        for split, speaker in (("test", "01"), ("train", "02")):
            lines = [
                json.dumps({
                    "key": f"calls-{i}", "dataset": "calls", "wav": f"{r.recording}.wav",
                    "type": "raw", "sample_rate": RATE, "task": "category", "emo": r.emotion[0],
                    "channel": 1, "start_time": r.start, "end_time": r.end, "speaker": r.speaker,
                })
                for i, r in enumerate(recorded.itertuples()) if r.speaker == speaker
            ]  # fmt: skip
            (fold / f"calls_{split}_fold_1.jsonl").write_text("\n".join(lines))
            # Lists in the earlier format, which EmoBox's folders of EmoDB still have.
            old = [line.replace('"wav"', '"audio"').replace('"emo"', '"label"') for line in lines]
            (fold / f"calls_{split}_fold1.jsonl").write_text("\n".join(old))
        return fold

    def test_entries_equal_manually_cut_utterances(self, recorded, check, tmp_path):
        corpus = load_emobox(self.write(recorded, tmp_path))
        check(corpus)
        assert corpus.name == "calls"
        assert corpus.frame["split"].tolist() == ["test"] * 8 + ["train"] * 8

    def test_only_line_ends_end_a_line(self, recorded, tmp_path):
        line = '{"wav": "call01.wav", "emo": "a", "text": "so\u2028angry"}'
        (tmp_path / "x.jsonl").write_text(line, "utf-8")
        assert load_emobox(tmp_path / "x.jsonl").frame["text"].tolist() == ["so\u2028angry"]

    def test_lists_in_the_earlier_format_alone_are_refused(self, recorded, tmp_path):
        fold = self.write(recorded, tmp_path)
        for file in fold.glob("*_fold_1.jsonl"):
            file.unlink()
        with pytest.raises(ValueError, match="line 1: lacks wav and emo"):
            load_emobox(fold)

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("{", r"line 1: cannot be read as JSON .*\. Write one object per line"),
            ("[]", "line 1: lacks wav and emo. Write an object with wav and emo"),
            ('{"wav": "call01.wav", "emo": "x"}', "line 1: label_map has no emotion for 'x'"),
            ('{"wav": "gone.wav", "emo": "a"}', "1 of 1 audio files are missing: line 1: .*root="),
            ('{"wav": "call01.wav", "emo": "a", "start_time": 0, "end_time": 99}',
             "line 1: reaches 99 s, beyond the end"),
            ("", "is empty. Write one JSON object per line"),
            ('{"wav": "call01.wav", "emo": ["a"]}', r"line 1: emo=\['a'\] is not a label"),
            ('{"wav": 3, "emo": "a"}', "line 1: wav=3 is not a path. Write it as text"),
            ('{"wav": "call01.wav", "emo": "a", "emotion": "joy"}', "has both 'emo' and 'emotion'"),
            ('{"wav": "call01.wav", "emo": "a"}\n{"wav": "call01.wav", "emo": "n"}',
             "lines 1 and 2 are the same utterance"),
        ],
    )  # fmt: skip
    def test_invalid_lines_are_errors(self, line, message, recorded, tmp_path):
        (tmp_path / "x.jsonl").write_text(line)
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            load_emobox(tmp_path / "x.jsonl", label_map={"a": "anger", "n": "neutral"})

    def test_a_label_map_of_another_type_is_refused(self, recorded, tmp_path):
        (tmp_path / "x.jsonl").write_text('{"wav": "call01.wav", "emo": "a"}')
        with pytest.raises(TypeError, match="label_map is of type list. Give a dict"):
            load_emobox(tmp_path / "x.jsonl", label_map=["anger"])
        for text, message in (("[]", "is not a JSON object"), ("{", "cannot be read as JSON")):
            (tmp_path / "label_map.json").write_text(text)
            with pytest.raises(ValueError, match=rf"label_map\.json {message}"):
                load_emobox(tmp_path / "x.jsonl")


class TestNkululeko:
    def write(self, recorded, folder):
        times = {b: pd.to_timedelta(recorded[b], unit="s") for b in ("start", "end")}
        table = recorded.assign(file=recorded["recording"] + ".wav", gender="female", **times)
        table = table[["file", "start", "end", "emotion", "speaker", "gender"]]
        for split, speaker in (("test", "01"), ("train", "02")):
            rows = table[table["speaker"] == speaker]
            rows.to_csv(folder / f"calls_{split}.csv", index=False)
        return [folder / "calls_test.csv", folder / "calls_train.csv"]

    def test_rows_equal_manually_cut_utterances(self, recorded, check, tmp_path):
        corpus = load_nkululeko(self.write(recorded, tmp_path))
        check(corpus)
        assert corpus.frame["split"].tolist() == ["test"] * 8 + ["train"] * 8
        assert set(corpus.sexes) == {"female"}

    def test_the_gender_may_be_the_target(self, recorded, tmp_path):
        test, _ = self.write(recorded, tmp_path)
        assert load_nkululeko(test, target="gender").target_names == ["female"]

    def test_channels_of_one_part_are_two_utterances(self, recorded, tmp_path):
        test, _ = self.write(recorded, tmp_path)
        first = pd.read_csv(test).iloc[[0, 0]].assign(channel=[0, 1])
        first.to_csv(test, index=False)
        assert [item.channel for item in load_nkululeko(test).data] == [0, 1]

    def test_invalid_rows_are_errors(self, recorded, tmp_path):
        test, train = self.write(recorded, tmp_path)
        with pytest.raises(ValueError, match=r"lacks the columns \['mood'\]; .*target="):
            load_nkululeko(test, target="mood")
        with pytest.raises(ValueError, match="are the same utterance, call01.wav. Remove one"):
            load_nkululeko([test, test])
        text = train.read_text()
        train.write_text(text.replace(",anger,", ",,", 1))
        with pytest.raises(ValueError, match=r"no emotion in lines \[\d+\]. Fill in"):
            load_nkululeko(train)
        train.write_text(text.replace("0 days", "9 days", 2))
        with pytest.raises(ValueError, match=r"line 2: reaches .*, beyond the end of .*call02.wav"):
            load_nkululeko(train)

    def test_columns_have_one_type_in_all_files(self, recorded, tmp_path):
        test, train = self.write(recorded, tmp_path)
        for file, session in ((test, "01"), (train, "10")):
            table = pd.read_csv(file, dtype=str).assign(session=session, sex="male")
            table.to_csv(file, index=False)
        corpus = load_nkululeko([test, train]).select(session="10")
        assert set(corpus.speakers) == {"02"}
        assert set(corpus.frame["sex"]) == {"male"}
        table.assign(audio="x").to_csv(train, index=False)
        with pytest.raises(ValueError, match="a column 'file' and a column 'audio'"):
            load_nkululeko(train)

    def test_a_file_whose_speakers_have_gaps_names_the_same_speakers(self, recorded, tmp_path):
        first, second = tmp_path / "first.csv", tmp_path / "second.csv"
        table = pd.DataFrame({"file": "call01.wav", "start": [0, 1], "end": [0.5, 1.5]})
        table.assign(emotion="anger", speaker=[1, 1]).to_csv(first, index=False)
        table["file"] = "call02.wav"
        table.assign(emotion="anger", speaker=[1, None]).to_csv(second, index=False)
        with pytest.warns(UserWarning, match=r"'1\.0' as '1'"):
            corpus = load_nkululeko([first, second])
        assert set(corpus.speakers) == {"1", None}
