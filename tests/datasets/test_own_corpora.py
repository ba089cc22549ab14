import os
import pickle

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.audio import Utterance, audio_inputs, load_audio
from skser.datasets import (
    SpeechCorpus,
    concatenate_corpora,
    load_emodb,
    load_folder,
    load_ravdess,
    load_table,
    make_emotional_speech,
)
from skser.feature_extraction import MelSpectrogram


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


class TestEmoDB:
    def test_labels_are_read_from_file_names(self, tmp_path):
        touch(tmp_path, "wav/03a01Fa.wav", "wav/14b10Wc.flac", "notes.txt", "wav/other.wav")
        (tmp_path / "erkennung.txt").write_bytes(
            b"Nr.\tSatz\terkannt\tnatuerlich\n1\xa0\t03a01Fa.wav\t90,00\xa0\t75,50\xa0\n"
        )
        with pytest.warns(UserWarning, match=r"2 of 535 .*03 \(1 of 49\), 08 \(0 of 58\)"):
            corpus = load_emodb(tmp_path)
        assert corpus.target.tolist() == ["happiness", "anger"]
        assert corpus.speakers.tolist() == ["03", "14"]
        assert corpus.sexes.tolist() == ["male", "female"]
        assert corpus.sentences.tolist() == ["a01", "b10"]
        assert corpus.transcripts[0] == "Der Lappen liegt auf dem Eisschrank."
        assert corpus.frame["recognition"][0] == 0.9
        assert corpus.frame["naturalness"][0] == 0.755
        assert np.isnan(corpus.frame["recognition"][1])

    @pytest.mark.real_data
    def test_the_corpus_is_as_published(self, emodb_path):
        corpus = load_emodb(emodb_path)
        counts = corpus.frame["emotion"].value_counts().to_dict()
        assert counts == {
            "anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71,
            "sadness": 62, "neutral": 79,
        }  # fmt: skip
        assert len(set(corpus.speakers)) == 10
        assert len(set(corpus.sentences)) == 10
        assert corpus.frame["recognition"].notna().all()
        assert 0.8 <= corpus.frame["recognition"].min() <= corpus.frame["recognition"].max() <= 1
        assert corpus.frame.notna().all().all()


class TestRAVDESS:
    @pytest.mark.parametrize("folder", ["", "Actor_12/", "a/b/"])
    def test_flat_and_nested_layouts_are_read(self, tmp_path, folder):
        touch(
            tmp_path,
            f"{folder}03-01-05-01-02-01-12.wav",
            f"{folder}03-01-01-01-01-02-07.flac",
            f"{folder}03-02-05-01-02-01-12.wav",
            f"{folder}01-01-05-01-02-01-12.mp4",
        )
        with pytest.warns(UserWarning, match=r"2 of 1440 .*01 \(0 of 60\)"):
            corpus = load_ravdess(tmp_path)
        assert sorted(corpus.target) == ["anger", "neutral"]
        assert corpus.speakers.tolist() == ["07", "12"]
        assert corpus.sexes.tolist() == ["male", "female"]
        assert corpus.frame["intensity"].tolist() == ["normal", "normal"]
        assert corpus.frame["repetition"].tolist() == [2, 1]

    @pytest.mark.real_data
    def test_the_corpus_is_as_published(self, ravdess_path):
        corpus = load_ravdess(ravdess_path)
        counts = corpus.counts()
        assert counts.loc["all", "neutral"] == 96
        assert (counts.loc["all"].drop(["all", "neutral"]) == 192).all()
        assert (counts.drop("all")["all"] == 60).all()
        assert len(set(corpus.speakers)) == 24
        assert len(set(corpus.sentences)) == 2

    @pytest.mark.real_data
    def test_an_excerpt_loads_with_a_warning(self, ravdess_originals_path):
        with pytest.warns(UserWarning, match=r"8 of 1440 .*01 \(4 of 60\)"):
            X, y = load_ravdess(ravdess_originals_path, return_X_y=True)
        assert X.shape == y.shape == (8,)


class TestOwnData:
    def test_all_columns_of_a_table_are_kept(self, tmp_path):
        touch(tmp_path, "x/a.wav", "x/b.wav")
        pd.DataFrame(
            {
                "audio": ["x/a.wav", "x/b.wav"],
                "emotion": ["anger", "joy"],
                "speaker": ["01", "02"],
                "valence": [-0.5, 0.5],
                "take": [1, 2],
            }
        ).to_csv(tmp_path / "table.csv", index=False)
        corpus = load_table(tmp_path / "table.csv", name="mine")
        assert corpus.speakers.tolist() == ["01", "02"]
        assert corpus.data[0] == str(tmp_path / "x/a.wav")
        assert corpus.valence.tolist() == [-0.5, 0.5]
        assert corpus.activation is None
        assert corpus.sexes is None
        assert corpus.frame["take"].tolist() == [1, 2]

    def test_subfolders_are_classes(self, tmp_path):
        touch(tmp_path, "anger/a.wav", "anger/deep/b.mp3", "joy/c.flac", "joy/readme.txt")
        X, y = load_folder(tmp_path, return_X_y=True)
        assert y.tolist() == ["anger", "anger", "joy"]
        assert [path.rsplit("/", 1)[1] for path in X] == ["a.wav", "b.mp3", "c.flac"]
        assert "unknown number of speakers" in repr(load_folder(tmp_path))

    @pytest.fixture
    def folder(self, tmp_path):
        return touch(tmp_path, "a.wav", "b.wav", "deep/c.wav", "Gr\u00fc\u00dfe.wav")

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
    def test_delimiter_and_encoding_are_detected(self, folder, delimiter, encoding):
        rows = [
            ["audio", "emotion", "speaker", "valence"],
            ["Gr\u00fc\u00dfe.wav", "\u00c4rger", "01", "1.5"],
            ["b.wav", "joy", "02", ""],
        ]
        text = "\r\n".join(delimiter.join(row) for row in rows)
        (folder / "t.csv").write_bytes(text.encode(encoding))
        corpus = load_table(folder / "t.csv")
        assert corpus.target.tolist() == ["\u00c4rger", "joy"]
        assert corpus.speakers.tolist() == ["01", "02"]
        assert corpus.valence[0] == 1.5
        assert np.isnan(corpus.valence[1])

    def test_decimal_commas_are_read(self, folder):
        (folder / "t.csv").write_text("audio;emotion;start;end\na.wav;joy;0,5;1,25\n")
        assert load_table(folder / "t.csv").data[0] == Utterance(str(folder / "a.wav"), 0.5, 1.25)

    def test_spellings_of_one_label_or_speaker_are_merged_with_a_warning(self, folder):
        table = pd.DataFrame(
            {
                "audio": ["a.wav", "b.wav", " deep/c.wav "],
                "emotion": ["joy ", "Joy", "joy"],
                "speaker": ["Anna Lee", "anna  lee", "Anna Lee"],
            }
        )
        with pytest.warns(UserWarning, match="merged") as caught:
            corpus = load_table(table, root=folder)
        assert corpus.target.tolist() == ["joy"] * 3
        assert corpus.speakers.tolist() == ["Anna Lee"] * 3
        messages = " ".join(str(warning.message) for warning in caught)
        assert "emotions that differ only in case or spaces were merged: 'Joy' as 'joy'" in messages
        assert "'anna  lee' as 'Anna Lee'" in messages

    def test_na_and_none_are_names_and_empty_rows_are_dropped(self, folder):
        (folder / "t.csv").write_text(
            "audio,emotion,speaker,rating\na.wav,None,NA,NA\n,,,\n\nb.wav,NA,,3\n"
        )
        corpus = load_table(folder / "t.csv")
        assert corpus.target.tolist() == ["None", "NA"]
        assert corpus.speakers.tolist() == ["NA", None]
        assert np.isnan(corpus.frame["rating"][0])

    def test_texts_of_several_lines_with_delimiters_are_kept(self, folder):
        text = "Oh, well,\nyes, no, maybe"
        (folder / "t.csv").write_text(f'audio,emotion,transcript\na.wav,joy,"{text}"\n')
        assert load_table(folder / "t.csv").transcripts.tolist() == [text]

    def test_paths_in_any_spelling_are_found(self, folder, monkeypatch):
        monkeypatch.setenv("HOME", str(folder))
        names = ["deep\\c.wav", "~/a.wav", "Gru\u0308\u00dfe.wav", folder / "b.wav"]
        corpus = load_table(pd.DataFrame({"audio": names, "emotion": "joy"}), root=folder)
        wanted = ["deep/c.wav", "a.wav", "Gr\u00fc\u00dfe.wav", "b.wav"]
        assert corpus.data.tolist() == [str(folder / name) for name in wanted]

    def test_columns_with_other_usual_names_are_recognized(self, folder):
        (folder / "t.csv").write_text(
            "File Path,label,speaker_id,Onset,duration\na.wav,joy,7,1,0.5\n"
        )
        with pytest.warns(UserWarning, match="'File Path' as 'audio', 'label' as 'emotion'"):
            corpus = load_table(folder / "t.csv")
        assert corpus.speakers.tolist() == ["7"]
        assert corpus.data[0] == Utterance(str(folder / "a.wav"), 1, 1.5)

    def test_an_audformat_index_gives_the_parts_of_files(self, folder):
        index = pd.MultiIndex.from_arrays(
            [["a.wav", "b.wav"], pd.to_timedelta([0, 1], "s"), pd.to_timedelta([1, pd.NaT], "s")],
            names=["file", "start", "end"],
        )
        corpus = load_table(pd.DataFrame({"emotion": ["joy", "fear"]}, index=index), root=folder)
        assert corpus.data.tolist() == [
            Utterance(str(folder / "a.wav"), 0, 1), Utterance(str(folder / "b.wav"), 1)
        ]  # fmt: skip

    @pytest.mark.parametrize("levels", [["speaker"], ["start", "end"], ["audio", "start"]])
    def test_levels_of_the_index_count_as_columns(self, folder, levels):
        table = pd.DataFrame(
            {
                "audio": [str(folder / name) for name in ("a.wav", "b.wav")],
                "emotion": ["joy", "fear"],
                "speaker": ["x", "y"],
                "start": [0.0, 0.25],
                "end": [0.5, 0.75],
            }
        )
        expected = load_table(table)
        indexed = table.set_index(levels)
        for corpus in (load_table(indexed), SpeechCorpus(indexed, "mine", {})):
            assert corpus.data.tolist() == expected.data.tolist() == audio_inputs(indexed)
            assert corpus.speakers.tolist() == ["x", "y"]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", r"t\.csv is empty\. Write a line of headings"),
            ("sep=;", r"t\.csv is empty\. Write a line of headings"),
            ("audio,emotion\n", r"t\.csv has headings but no rows\. Write one row per utterance"),
            ("audio,emotion\na.wav,joy,x\n", r"t\.csv, line 2: 3 values for 2 headings"),
            (
                "audio,transcript,emotion,comment\na.wav,Well, fine,joy,\n",
                r"line 2: 5 values for 4 headings\. Put quotes .* let the headings end in as many",
            ),
            (
                'audio\temotion\ttext\na.wav\tjoy\t"Oh no\nb.wav\tfear\tfoo\nc.wav\tjoy\tbar"\n',
                r"line 2: a value in quotes extends over 3 lines, which seem to be rows",
            ),
            (
                'audio,text,emotion\na.wav,joy,joy\nb.wav,"Oh,fear\nc.wav,bar",joy\n',
                r"line 3: a value in quotes extends over 2 lines",
            ),
            ("audio,emotion\na.wav,joy\nb.wav,\n", r"t\.csv has no emotion in lines \[3\]\. Fill"),
            (
                "audio,emotion,start\na.wav,joy,soon\n",
                r"t\.csv, line 2: start='soon' is not a time",
            ),
            ("audio,emotion,channel\na.wav,joy,left\n", r"t\.csv, line 2: channel='left'"),
            (
                "audio,emotion\nno.wav,joy\n",
                r"t\.csv: 1 of 1 audio files are missing: line 2: .*root=",
            ),
            ("audio,emotion\ndeep,joy\n", r"deep is a folder, not an audio file"),
            ("audio,audio,emotion\na.wav,b.wav,joy\n", r"has the columns \['audio'\] twice"),
            ("speaker,emotion\na,joy\n", r"t\.csv lacks the columns \['audio'\]"),
        ],
    )
    def test_errors_name_file_row_and_remedy(self, folder, text, reason):
        (folder / "t.csv").write_text(text)
        with pytest.raises((ValueError, FileNotFoundError), match=reason) as caught:
            load_table(folder / "t.csv")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"PK\x03\x04\0\0", r"t\.csv is an Excel file .*pandas\.read_excel, and pass the fr"),
            (b"PAR1\0", r"is a Parquet file, not a CSV file\. Read it with pandas\.read_parquet"),
            (b"\x1f\x8b\x08\0", r"is compressed by gzip, .*pandas\.read_csv"),
            (b'\n[{"audio": "a.wav"}]', r"is a JSON file, .*pandas\.read_json"),
        ],
    )
    def test_a_file_of_another_format_is_named(self, folder, content, message):
        (folder / "t.csv").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_table(folder / "t.csv")

    @pytest.mark.parametrize("line", ["sep=;\r\n", "sep=;\n", '"sep=;"\n', "sep=|\n"])
    def test_the_delimiter_that_excel_states_is_used(self, folder, line):
        rows = "audio;emotion;start\na.wav;joy;1\nb.wav;;2\n".replace(";", line.strip('"\r\n')[-1])
        (folder / "t.csv").write_text(line + rows, newline="")
        with pytest.raises(ValueError, match=r"no emotion in lines \[4\]"):
            load_table(folder / "t.csv")

    def test_a_folder_or_an_empty_table_is_refused(self, folder):
        with pytest.raises(FileNotFoundError, match="is a folder, not a table. Use load_folder"):
            load_table(folder)
        with pytest.raises(ValueError, match=r"has the columns \['audio', 'emotion'\] but no rows"):
            load_table(pd.DataFrame({"audio": [], "emotion": []}))

    @pytest.mark.parametrize(
        ("emotions", "words"), [("joy", "one emotion, 'joy'"), (["joy", "fear", "joy"], "two emot")]
    )
    def test_overlapping_utterances_cause_a_warning(self, folder, emotions, words):
        table = pd.DataFrame(
            {"audio": "a.wav", "emotion": emotions, "start": [0, 1, 5], "end": [2, 3, 6]}
        )
        with pytest.warns(UserWarning, match=f"1 pair of utterances overlaps .* {words}.* 0 and 1"):
            load_table(table, root=folder)


class TestSpeechCorpus:
    def test_a_corpus_is_indexed_by_rows(self, corpus):
        assert len(corpus) == 40
        mask = corpus.target == "anger"
        for rows in (mask, np.flatnonzero(mask), np.flatnonzero(mask).tolist(), pd.Series(mask)):
            assert corpus[rows].target.tolist() == ["anger"] * 8
        assert len(corpus[:5]) == 5
        assert corpus[-1].data[0] is corpus.data[-1]
        assert corpus[:5].sampling_rate == corpus.sampling_rate
        with pytest.raises(TypeError, match="use corpus.target"):
            corpus["target"]
        with pytest.raises(IndexError):
            corpus[[40]]

    def test_select_accepts_any_column(self, corpus):
        sentences = sorted(set(corpus.sentences))[:2]
        part = corpus.select(sex="female", sentence=sentences)
        wanted = (corpus.sexes == "female") & np.isin(corpus.sentences, sentences)
        assert wanted.any()
        assert part.frame["speaker"].tolist() == corpus.speakers[wanted].tolist()
        assert part.sentences.tolist() == corpus.sentences[wanted].tolist()
        assert len(corpus.select(sexes=["male", "female"])) == 40
        with pytest.raises(ValueError, match="no column 'session'; its columns are"):
            corpus.select(session="1")

    def test_repr_shows_every_class(self):
        emotions = [f"emotion-{i:02}" for i in range(40)]
        frame = pd.DataFrame({"audio": "a.wav", "emotion": emotions, "speaker": "x"})
        text = repr(SpeechCorpus(frame, "many", {}))
        assert all(emotion in text for emotion in emotions)

    def test_select_keeps_emotions_and_speakers(self, corpus):
        part = corpus.select(emotions=["anger", "fear"], speakers=["02", "03"])
        assert part.target_names == ["anger", "fear"]
        assert set(part.speakers) == {"02", "03"}
        assert len(part.data) == 8
        assert part.sampling_rate == corpus.sampling_rate
        with pytest.raises(ValueError, match=r"no emotion \['joy'\]; it has \['anger'"):
            corpus.select(emotions=["joy"])
        with pytest.raises(ValueError, match="no speaker"):
            corpus.select(speakers=["99"])

    def test_relabel_merges_and_drops_emotions(self, corpus):
        merged = corpus.relabel(
            {
                "anger": "high",
                "fear": "high",
                "happiness": "high",
                "sadness": "low",
                "neutral": None,
            }
        )
        assert merged.target_names == ["high", "low"]
        assert len(merged.target) == 32
        assert merged.label_map["anger"] == "high"
        assert len(merged.frame) == 32
        with pytest.raises(ValueError, match=r"must name each of .* it differs in"):
            corpus.relabel({"anger": "high"})

    def test_repr_counts_classes_and_speakers(self, corpus):
        text = repr(corpus)
        assert "40 utterances, 4 speakers, 5 emotions" in text
        assert all(name in text for name in (*corpus.target_names, "01", "04", "all"))

    def test_a_corpus_can_be_pickled(self, corpus):
        import pickle

        copy = pickle.loads(pickle.dumps(corpus))
        assert copy.target.tolist() == corpus.target.tolist()
        assert copy.select(speakers=["01"]).target_names == corpus.target_names

    def test_the_frame_can_be_transformed_as_audio(self, corpus):
        mel = MelSpectrogram(n_mels=8, input_sampling_rate=corpus.sampling_rate)
        from_table, from_data = mel.transform(corpus.frame), mel.transform(corpus.data)
        np.testing.assert_array_equal(from_table.values, from_data.values)


class TestMadeUpSpeech:
    def test_the_seed_determines_the_corpus(self):
        a, b = (make_emotional_speech(2, 5, random_state=3) for _ in range(2))
        for x, y in zip(a.data, b.data, strict=True):
            np.testing.assert_array_equal(x, y)
        c = make_emotional_speech(2, 5, random_state=4)
        assert len(a.data[0]) != len(c.data[0]) or not np.array_equal(a.data[0], c.data[0])

    def test_utterances_are_audio_of_different_lengths(self, corpus):
        lengths = [len(x) / corpus.sampling_rate for x in corpus.data]
        assert 0.8 < min(lengths) < 0.7 * max(lengths) < 4
        for x in corpus.data:
            assert x.dtype == np.float32
            assert 0.1 < np.abs(x).max() <= 1

    def test_emotions_are_balanced_over_speakers_and_sentences(self):
        corpus = make_emotional_speech(2, 30, sampling_rate=8000, random_state=0)
        assert (corpus.counts().drop("all").drop(columns="all") == 6).all().all()
        table = pd.crosstab(corpus.frame["emotion"], corpus.frame["sentence"])
        assert (table > 0).all().all()
        assert set(corpus.sexes) == {"female", "male"}

    def test_pitch_and_dimensions_follow_the_emotion(self):
        corpus = make_emotional_speech(2, 10, ["sadness", "anger"], random_state=0)

        def median_pitch(samples):
            frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::256]
            power = np.abs(np.fft.rfft(frames, 2048)) ** 2
            correlations = np.fft.irfft(power)[:, : 16000 // 60] / np.arange(1024, 1024 - 266, -1)
            periods = 16000 // 400 + correlations[:, 16000 // 400 :].argmax(axis=1)
            level = (frames**2).mean(axis=1)
            return np.median(16000 / periods[level > np.median(level)])

        pitch = np.array([median_pitch(x) for x in corpus.data])
        for speaker in set(corpus.speakers):
            of = corpus.speakers == speaker
            angry = np.median(pitch[of & (corpus.target == "anger")])
            sad = np.median(pitch[of & (corpus.target == "sadness")])
            assert 12 * np.log2(angry / sad) > 2
        male = np.median(pitch[corpus.sexes == "male"])
        assert np.median(pitch[corpus.sexes == "female"]) > 1.4 * male
        assert corpus.activation[corpus.target == "anger"].min() > 0.1
        assert corpus.activation[corpus.target == "sadness"].max() < -0.1

    def test_written_files_equal_the_arrays(self, tmp_path):
        arrays = make_emotional_speech(1, 5, random_state=0)
        files = make_emotional_speech(1, 5, random_state=0, output_dir=tmp_path / "new")
        assert files.sampling_rate is None
        for path, expected in zip(files.data, arrays.data, strict=True):
            assert soundfile.info(path).samplerate == 16000
            np.testing.assert_allclose(load_audio(path)[0], expected, atol=1e-4)

    @pytest.mark.parametrize("seed", [0, 1])
    def test_a_linear_model_on_statistics_solves_the_task_partly(self, seed):
        corpus = make_emotional_speech(n_utterances_per_speaker=15, random_state=seed)
        mel = MelSpectrogram(deltas=0, normalize=None, input_sampling_rate=corpus.sampling_rate)
        X = mel.transform(corpus.data)
        n = X.lengths[:, None]
        mean = X.reduce(np.add) / n
        variance = X.map_values(np.square).reduce(np.add) / n - mean**2
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
        scores = cross_val_score(
            linear, np.hstack([mean, variance]), corpus.target, groups=corpus.speakers,
            cv=GroupKFold(5), scoring="balanced_accuracy",
        )  # fmt: skip
        assert 0.45 <= scores.mean() <= 0.75


class TestTimesOfTables:
    @pytest.fixture
    def load(self, wav, tmp_path):
        def loaded(text):
            wav(np.random.RandomState(0).randn(8 * 16000) / 10, name="x.wav")
            (tmp_path / "t.csv").write_text(text)
            return load_table(tmp_path / "t.csv")

        return loaded

    @pytest.mark.filterwarnings("ignore:.*columns were read under other names:UserWarning")
    @pytest.mark.parametrize(
        ("heading", "values"),
        [
            ("offset,duration", "2,4"),
            ("begin_time,end_time", "2,6"),
            ("from,to", "2,6"),
            ("onset,offset", "2,6"),
            ("start,duration", "2,00:00:04"),
            ("start_seconds,end_seconds", "2,6"),
            ("segment_start,segment_end", "2,6"),
            ("start,finish", "2,6"),
            ("start,dur", "2,4"),
            ("start_s,duration_s", "2,4"),
            ("begin_s,stop_s", "2,6"),
            ("StartTimeSec,EndTimeSec", "2,6"),
        ],
    )
    def test_starts_and_ends_with_other_names_are_recognized(self, load, heading, values):
        (item,) = load(f"file,label,{heading}\nx.wav,a,{values}\n").data
        assert (item.start, item.end) == (2, 6)

    def test_unused_columns_that_look_like_times_cause_a_warning(self, load):
        with pytest.warns(UserWarning, match=r"\['turn_start', 'turn_end'\] look like times"):
            (item,) = load("audio,emotion,turn_start,turn_end\nx.wav,a,2,6\n").data
        assert item.endswith("x.wav")
        load("audio,emotion,dialog_start,duration_ms,length\nx.wav,a,2,6000,9\n")  # information

    @pytest.mark.parametrize(
        "columns",
        ["start_of_turn,end_of_turn", "segmentStartTime,x", "tmin,tmax", "xmin,xmax", "t0,t1"],
    )
    def test_times_in_other_notations_cause_a_warning(self, load, columns):
        with pytest.warns(UserWarning, match=f"{columns.split(',')[0]}.* look like times"):
            load(f"audio,emotion,{columns}\nx.wav,a,2,6\n")

    @pytest.mark.parametrize("column", ["duration_s", "until", "end_of_turn"])
    def test_a_table_with_starts_needs_ends_of_a_known_name(self, column):
        table = pd.DataFrame({"audio": ["x.wav"], "start": [2.0], column: [6.0]})
        with pytest.raises(ValueError, match=f"{column}.* seem to state parts of recordings"):
            audio_inputs(table)

    def test_audio_of_a_table_with_unused_times_is_warned_of(self):
        table = pd.DataFrame({"audio": ["x.wav"], "start_of_turn": [2.0]})
        with pytest.warns(UserWarning, match=r"\['start_of_turn'\] look like times"):
            assert audio_inputs(table) == ["x.wav"]

    def test_a_duration_replaces_a_missing_end(self, load):
        rows = "audio,emotion,start,end,duration\nx.wav,a,0,0.5,0.25\nx.wav,a,1,,0.5\nx.wav,a,7,,\n"
        assert [item.end for item in load(rows).data] == [0.5, 1.5, None]

    def test_files_that_occur_several_times_cause_a_warning(self, load):
        pattern = (
            r"1 file occurs several times, 1 of them with different emotions, .*lines 2, 3 as "
        )
        with pytest.warns(UserWarning, match=pattern + "'a' and 'b'"):
            load("audio,emotion\nx.wav,a\nx.wav,b\n")

    @pytest.mark.filterwarnings("ignore:.*columns were read under other names:UserWarning")
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("file,label,start,offset\nx.wav,a,0.2,0.1\n", "'offset' may be a start or an end"),
            ("file,label,stop_time\nx.wav,a,3\n", "the starts are missing"),
            ("file,label,start_ms,end_ms\nx.wav,a,200,500\n", "are in milliseconds"),
            ("file,label,start_time_ms,end_time_ms\nx.wav,a,200,500\n", "are in milliseconds"),
            ("file,label,start_sample,end_sample\nx.wav,a,200,500\n", "samples or frames"),
            ("file,label,start,length\nx.wav,a,1,2\n", "'length' may be the end or the duration"),
            ("file,label,start,end_timestamp\nx.wav,a,1,2\n", "'end_timestamp' may be the end"),
            ("file,label,start,until\nx.wav,a,1,2\n", "'until' may be the end"),
            ("file,label,end\nx.wav,a,3\n", "'end' seems to hold the ends.* starts are missing"),
            ("file,label,end,duration\nx.wav,a,3,1\n", "the starts are missing"),
            ("file,label,start,duration_ms\nx.wav,a,1,2000\n", "'duration_ms' may be the"),
            ('file,label,text\nx.wav,a,"hello\nx.wav,b,foo\n', "line 2: the quotes around a value"),
            ("file,label,start,duration\nx.wav,a,1,long\n", "line 2: duration='long' is not"),
        ],
    )
    def test_ambiguous_columns_are_refused(self, load, text, message):
        with pytest.raises(ValueError, match=message):
            load(text)

    @pytest.mark.parametrize(
        ("cells", "expected"),
        [
            (["1.1", "1.10", "2.1"], ["1.1", "1.10", "2.1"]),
            (
                ["9007199254740993", "9007199254740992", ""],
                ["9007199254740993", "9007199254740992", None],
            ),
            (["1E1", "1E2", "10"], ["1E1", "1E2", "10"]),
            (["1", "2.5", "NA"], [1, 2.5, None]),
        ],
    )
    def test_names_that_look_like_numbers_stay_distinct(self, load, cells, expected):
        rows = "".join(f"x.wav,a,{i},{i + 1},{cell}\n" for i, cell in enumerate(cells))
        given = load(f"audio,emotion,start,end,call\n{rows}").frame["call"]
        assert given.astype(object).where(given.notna(), None).tolist() == expected

    def test_words_for_missing_numbers_need_no_number_beside_them(self, load):
        corpus = load("audio,emotion,start,end,channel,valence\nx.wav,a,NA,n/a,NA,nan\n")
        assert corpus.data[0].endswith("x.wav")
        assert np.isnan(corpus.frame["valence"].astype(float)).all()

    @pytest.mark.filterwarnings("ignore:.*columns were read under other names:UserWarning")
    def test_an_invalid_rating_is_named(self, load):
        with pytest.raises(ValueError, match="line 3: valence='high' is not a number"):
            load("file,emotion,valence\nx.wav,a,1.5\nx.wav,b,high\n")


def test_folders_that_differ_in_case_or_spaces_are_one_emotion(tmp_path):
    for name in ("anger/a.wav", "anger/b.wav", "Anger /c.wav", "joy/d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match="'Anger ' as 'anger'"):
        corpus = load_folder(tmp_path)
    assert corpus.target_names == ["anger", "joy"]


def test_numbered_subfolders_are_probably_speakers(tmp_path):
    for name in ("Actor_01/a.wav", "Actor_02/b.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match="look like numbered speakers or sessions"):
        load_folder(tmp_path)


def test_values_of_a_frame_are_read_as_they_are_meant(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    table = pd.DataFrame({
        "audio": ["a.wav", "b.wav"], "emotion": ["x", "y"], "speaker": [1.0, None],
        "sex": ["Male", "male"], "valence": pd.Series([0.5, pd.NA], dtype=object),
    })  # fmt: skip
    with pytest.warns(UserWarning, match="sexes that differ only in case"):
        corpus = load_table(table, root=tmp_path)
    assert list(map(str, corpus.speakers)) == ["1", "None"]
    assert corpus.sexes.tolist() == ["male", "male"]
    np.testing.assert_array_equal(corpus.valence, [0.5, np.nan])
    with pytest.raises(ValueError, match=r"row 1: valence=.*inf.* is not a number"):
        load_table(table.assign(sex="male", valence=[1.0, np.inf]), root=tmp_path)


def test_a_table_of_another_type_is_refused():
    with pytest.raises(TypeError, match="table is of type dict. Give the path of a CSV file"):
        load_table({"audio": ["a.wav"], "emotion": ["anger"]})


class TestOneNameInSeveralNotations:
    @pytest.fixture
    def folder(self, tmp_path):
        return touch(tmp_path, "a.wav", "b.wav", "c.wav")

    def table(self, **columns):
        return pd.DataFrame({"audio": ["a.wav", "b.wav", "c.wav"], "emotion": "joy", **columns})

    def test_a_speaker_as_number_and_as_text_is_one_speaker(self, folder):
        table = self.table(speaker=[1, 1.0, "1"], emotion=[0, "0", 0.0], sentence=[2.0, 2, None])
        corpus = load_table(table, root=folder)
        assert corpus.speakers.tolist() == ["1"] * 3
        assert corpus.target.tolist() == ["0"] * 3
        assert corpus.sentences.tolist() == ["2", "2", None]

    def test_a_decimal_zero_does_not_make_another_speaker(self, folder):
        self.table(speaker=["1.0", "1", "01"]).to_csv(folder / "t.csv", index=False)
        with (
            pytest.warns(UserWarning, match=r"only in notation were merged: '1\.0' as '1'"),
            pytest.warns(UserWarning, match="the speakers '01' and '1' are kept apart"),
        ):
            corpus = load_table(folder / "t.csv")
        assert corpus.speakers.tolist() == ["1", "1", "01"]

    def test_invisible_characters_do_not_make_another_speaker(self, folder):
        table = self.table(speaker=["Ann \u200b Lee\u200b", "Ann Lee", "\ufeffann lee"])
        with pytest.warns(UserWarning, match=r"only in notation .*'Ann \\u200b Lee\\u200b'"):
            corpus = load_table(table, root=folder)
        assert corpus.speakers.tolist() == ["Ann Lee"] * 3


class TestACorpusIsOnePiece:
    FRAME = pd.DataFrame({"audio": ["a.wav", "b.wav"], "emotion": ["x", "y"], "speaker": "s"})

    @pytest.mark.parametrize("name", ["frame", "speakers", "target", "data", "votes", "valence"])
    def test_its_parts_cannot_be_set(self, name):
        corpus = SpeechCorpus(self.FRAME, "mine", {})
        with pytest.raises(AttributeError, match=f"The {name} of a corpus .* build a new corpus"):
            setattr(corpus, name, None)
        corpus.name = "other"
        assert repr(pickle.loads(pickle.dumps(corpus))) == repr(corpus)

    def test_changes_of_its_table_change_a_copy(self):
        corpus = SpeechCorpus(self.FRAME, "mine", {})
        frame = corpus.frame
        frame["emotion"] = "z"
        frame.loc[0, "speaker"] = "t"
        assert corpus.frame.equals(self.FRAME)
        assert corpus[:1].target.tolist() == ["x"]


class TestTablesThatAreNoCorpus:
    FRAME = pd.DataFrame({"audio": ["a.wav", "b.wav"], "emotion": ["x", "y"]})

    @pytest.mark.parametrize(
        ("columns", "scale", "message"),
        [
            ({"emotion": ["x", None]}, None, r"mine has no emotion in rows \[1\]\. Fill in"),
            ({"emotion": ["x", 1]}, None, "mine, row 1: the emotion 1 is not text"),
            ({"speaker": [1, "1"]}, None, "mine, row 0: the speaker 1 is not text"),
            ({"valence": [1, "high"]}, None, "mine, row 1: valence='high' is not a number"),
            ({"valence": [1, 99]}, (1, 5), "mine, row 1: valence=99 is not on the scale from 1 to"),
            ({"valence": [0, 4]}, (1, 5), "mine, row 0: valence=0 is not on the scale"),
            ({}, (5, 5), r"mine: dimension_range=\(5, 5\) is not a scale"),
            ({}, (5, 1), r"mine: dimension_range=\(5, 1\) is not a scale"),
        ],
    )
    def test_the_error_names_the_row(self, columns, scale, message):
        with pytest.raises(ValueError, match=message):
            SpeechCorpus(self.FRAME.assign(**columns), "mine", {}, dimension_range=scale)

    def test_ratings_slightly_outside_their_scale_are_kept(self):
        frame = self.FRAME.assign(valence=[5.5, np.nan])
        corpus = SpeechCorpus(frame, "mine", {}, dimension_range=(1, 5))
        assert corpus.rescale_dimensions(-1, 1).valence[0] == 1.25

    def test_one_value_outside_the_scale_may_be_a_code(self):
        with pytest.warns(UserWarning, match="2 ratings of valence beyond the scale .* always -1"):
            SpeechCorpus(self.FRAME.assign(valence=[-1, -1]), "mine", {}, dimension_range=(0, 100))

    def test_a_column_that_is_there_twice_is_refused(self):
        twice = pd.concat([self.FRAME, self.FRAME["audio"]], axis=1)
        for build in (load_table, lambda frame: SpeechCorpus(frame, "mine", {})):
            with pytest.raises(ValueError, match=r"table has the columns \['audio'\] twice"):
                build(twice)

    def test_no_rows_are_no_corpus(self):
        with pytest.raises(ValueError, match=r"mine: no utterances are left\. Keep"):
            SpeechCorpus(self.FRAME, "mine", {})[[]]

    def test_a_table_of_ratings_has_a_scale(self, tmp_path):
        touch(tmp_path, "a.wav", "b.wav")
        frame = self.FRAME.assign(valence=[1, 3])
        corpus = load_table(frame, root=tmp_path, dimension_range=(1, 5))
        assert corpus.rescale_dimensions(-1, 1).valence.tolist() == [-1, 0]

    def test_joining_ratings_on_unknown_scales_causes_a_warning(self):
        corpora = [
            SpeechCorpus(self.FRAME.assign(valence=[low, 1]), name, {})
            for name, low in (("one", 5), ("two", -1))
        ]
        with pytest.warns(UserWarning, match="scales of the ratings of one, two are unknown"):
            concatenate_corpora(corpora)


class TestFoldersThatAreNotWhatTheySeem:
    @pytest.fixture
    def root(self, tmp_path):
        return touch(tmp_path / "mine", "anger/a.wav", "joy/b.wav")

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["train/anger/c.wav", "Test/anger/d.wav"], r"look like sets of a split \(Test, train"),
            (["emodb/anger/c.wav", "emodb/joy/d.wav"], "subfolders anger, joy. .* load .*emodb"),
        ],
    )
    def test_sets_and_whole_corpora_are_not_emotions(self, names, message, tmp_path):
        with pytest.warns(UserWarning, match=message):
            load_folder(touch(tmp_path, *names))

    @pytest.mark.parametrize("name", ["c.wav", "joy/c", "joy/c.unknown", "joy/c.oga2"])
    def test_files_that_are_left_out_cause_a_warning(self, name, root):
        touch(root, "joy/README", "joy/notes.txt", "table.csv", ".hidden.wav", "joy/model.skser")
        soundfile.write(root / name, np.zeros(100), 16000, format="WAV")
        with pytest.warns(UserWarning, match=f"mine: 1 file is left out, such as {name}"):
            assert len(load_folder(root)) == 2

    def test_rarer_formats_are_found(self, root):
        touch(root, "joy/c.voc", "joy/d.ircam", "joy/e.nist", "joy/f.mpga")
        assert len(load_folder(root)) == 6

    @pytest.mark.parametrize("link", ["joy/c.wav", "fear"])
    def test_a_link_that_leads_nowhere_is_an_error(self, link, root):
        (root / link).symlink_to(root / ".git/annex/objects/x.wav")
        with pytest.raises(ValueError, match=f"{link} is a link that leads nowhere. .*annex get"):
            load_folder(root)

    def test_a_placeholder_of_git_annex_is_an_error(self, root):
        (root / "joy/c.wav").write_text("/annex/objects/SHA256E-s1--0.wav\n")
        with pytest.raises(ValueError, match="placeholder of git-annex, .* 'git annex get'"):
            load_folder(root)

    def test_the_folder_that_macos_adds_is_skipped(self, root):
        touch(root, "__MACOSX/anger/._a.wav", "joy/__MACOSX/c.wav")
        assert load_folder(root).target.tolist() == ["anger", "joy"]

    @pytest.mark.parametrize(
        ("source", "link"), [("anger/a.wav", "joy/c.wav"), ("anger", "joy/more")]
    )
    def test_a_link_into_a_second_emotion_causes_a_warning(self, source, link, root):
        (root / link).symlink_to(root / source)
        with pytest.warns(
            UserWarning,
            match="1 file occurs several times, 1 of them with different .* as 'anger' and 'joy'",
        ):
            load_folder(root)

    def test_one_recording_in_two_formats_causes_a_warning(self, root):
        touch(root, "joy/b.mp3")
        with pytest.warns(UserWarning, match=r"in the files joy/b\.mp3, joy/b\.wav as 'joy'. Keep"):
            load_folder(root)


class TestCopiesInTables:
    @pytest.mark.parametrize(
        "columns",
        [
            {"audio": ["a.wav", "a.wav"], "channel": [0, 0]},
            {"audio": ["a.wav", "a.wav"], "start": [0, 0]},
            {"audio": ["a.wav", "a.wav"], "start": [0, None]},
            {"audio": ["a.wav", "link.wav"]},
            {"audio": ["a.wav", "sub/../a.wav"]},
        ],
    )
    def test_one_file_in_two_rows_causes_a_warning(self, columns, tmp_path):
        touch(tmp_path, "a.wav", "sub/b.wav")
        (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
        with pytest.warns(UserWarning, match="1 file occurs several .* rows 0, 1 as 'x' and 'y'"):
            load_table(pd.DataFrame(columns | {"emotion": ["x", "y"]}), root=tmp_path)

    def test_parts_of_a_file_and_of_a_link_to_it_overlap(self, tmp_path):
        touch(tmp_path, "a.wav")
        (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
        table = pd.DataFrame({"audio": ["a.wav", "link.wav"], "start": [0, 1], "end": [2, 3]})
        with pytest.warns(UserWarning, match="1 pair of utterances overlaps"):
            load_table(table.assign(emotion="x"), root=tmp_path)

    def test_two_channels_are_two_utterances(self, tmp_path):
        table = pd.DataFrame({"audio": "a.wav", "channel": [0, 1], "emotion": ["x", "y"]})
        assert len(load_table(table, root=touch(tmp_path, "a.wav"))) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file names beyond Unicode")
def test_folders_may_hold_file_names_beyond_utf_8(wav, tmp_path):
    file = wav(np.random.RandomState(0).randn(8000) / 10, name="a.wav")
    (tmp_path / "root" / "joy").mkdir(parents=True)
    strange = os.fsencode(tmp_path / "root" / "joy") + b"/\xff.wav"
    try:
        os.link(file, strange)
    except OSError:
        pytest.skip("the file system takes no such names")
    corpus = load_folder(tmp_path / "root")
    assert corpus.data.tolist() == [os.fsdecode(strange)]
    assert "joy" in repr(corpus)


def test_a_speaker_or_an_emotion_may_be_named_all():
    frame = pd.DataFrame(
        {"audio": ["a", "b", "c"], "emotion": ["all", "x", "x"], "speaker": ["all", "t", "t"]}
    )
    corpus = SpeechCorpus(frame, "mine", {})
    assert corpus.counts().to_numpy().tolist() == [[1, 0, 1], [0, 2, 2], [1, 2, 3]]
    assert "3 utterances" in repr(corpus)


def test_select_refuses_two_conditions_for_one_column():
    frame = pd.DataFrame({"audio": ["a", "b"], "emotion": ["x", "y"], "speaker": ["s", "t"]})
    corpus = SpeechCorpus(frame, "mine", {})
    for both in ({"speakers": "s", "speaker": "t"}, {"emotions": "x", "emotion": "y"}):
        with pytest.raises(ValueError, match="or .*, not both"):
            corpus.select(**both)


def test_the_audio_of_a_corpus_is_not_changed_in_place():
    frame = pd.DataFrame({"audio": ["a", "b"], "emotion": ["x", "y"]})
    corpus = SpeechCorpus(frame, "mine", {})
    with pytest.raises(ValueError, match="read-only"):
        corpus.data[0] = "c"
