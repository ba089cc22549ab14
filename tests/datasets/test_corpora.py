import importlib
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import skser.datasets
from skser.datasets import (
    SpeechCorpus,
    concatenate_corpora,
    list_corpora,
    load_corpus,
    load_crema_d,
    load_emodb,
    load_emovo,
    load_folder,
    load_iemocap,
    load_meld,
    load_msp_podcast,
    load_table,
)
from skser.datasets._registry import CORPORA, HARMONIZED, SHARED_EMOTIONS
from skser.feature_extraction import MelSpectrogram
from tests.support.corpus_trees import add, build_tree, open_folder, without_privileges


def load(key, path, **options):
    """Load without the warning that a made-up tree is incomplete."""
    with warnings.catch_warnings(action="ignore"):
        return getattr(skser.datasets, CORPORA[key].loader)(path, **options)


@pytest.fixture(params=CORPORA)
def key(request):
    return request.param


class TestRegistry:
    def test_the_numbers_of_an_entry_are_consistent(self, key):
        info = CORPORA[key]
        assert callable(getattr(skser.datasets, info.loader))
        assert all((info.name, info.title, info.language, info.speech, info.license))
        assert all((info.citation, info.url, info.description))
        if info.emotions:
            assert set(info.emotions) == set(info.labels.values())
            assert sum(info.published.values()) == info.n_utterances
        if info.counted_by == "speaker" and info.published:
            assert len(info.published) == info.n_speakers == len(info.sexes)
            assert set(info.sexes) == set(info.published)

    def test_every_emotion_has_a_common_name_and_four_are_in_all_corpora(self, key):
        emotions = set(CORPORA[key].labels.values())
        assert emotions <= set(HARMONIZED)
        assert set(SHARED_EMOTIONS) <= {HARMONIZED[emotion] for emotion in emotions}

    def test_crema_d_has_43_women_and_iemocap_its_four_classes(self):
        sexes = list(CORPORA["crema-d"].sexes.values())
        assert (sexes.count("female"), sexes.count("male")) == (43, 48)
        emotions = CORPORA["iemocap"].emotions
        kept = [n for e, n in emotions.items() if HARMONIZED[e] in SHARED_EMOTIONS]
        assert sum(kept) == 5531

    def test_the_list_has_a_row_per_corpus(self):
        table = list_corpora()
        assert table.index.tolist() == list(CORPORA)
        assert table.loc["crema-d", "n_utterances"] == 7442
        assert table.loc["crema-d", "download"] == "fetch_crema_d()"
        assert pd.isna(table.loc["msp-podcast", "n_utterances"])
        assert table["download"].isna().sum() == 4
        assert table.loc["msp-podcast", "dimension_range"] == (1, 7)

    def test_the_documentation_lists_every_entry(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs")
        render = importlib.import_module("render_corpora")
        (tmp_path / "generated").mkdir()
        render.write_corpora(tmp_path)
        text = (tmp_path / "generated/corpora.rst").read_text()
        for info in CORPORA.values():
            assert info.name in text
            assert info.license in text
            assert all(f"``{code}`` {emotion}" in text for code, emotion in info.labels.items())


class TestEveryCorpus:
    def test_the_published_layout_is_read(self, key, tmp_path):
        expected = build_tree(key, tmp_path)
        info = CORPORA[key]
        corpus = load(key, tmp_path)
        found = zip(corpus.target, corpus.frame["speaker"], strict=True)
        found = [(emotion, None if pd.isna(speaker) else speaker) for emotion, speaker in found]
        assert sorted(map(str, found)) == sorted(map(str, expected))
        assert all(Path(audio).is_file() for audio in corpus.data)
        assert corpus.target_names == sorted(set(info.labels.values()))
        assert corpus.label_map == info.labels
        assert (corpus.name, corpus.license, corpus.citation) == (
            info.name, info.license, info.citation,
        )  # fmt: skip
        assert corpus.dimension_range == info.dimension_range
        assert all(note in corpus.DESCR for note in info.notes)
        if info.sexes:
            sexes = corpus.frame["speaker"].map(info.sexes)
            assert corpus.frame["sex"].dropna().tolist() == sexes.dropna().tolist()

    def test_return_X_y_returns_data_and_target(self, key, tmp_path):
        build_tree(key, tmp_path)
        X, y = load(key, tmp_path, return_X_y=True)
        corpus = load(key, tmp_path)
        assert X.tolist() == corpus.data.tolist()
        assert y.tolist() == corpus.target.tolist()

    def test_an_incomplete_corpus_is_reported(self, key, tmp_path):
        build_tree(key, tmp_path)
        info = CORPORA[key]
        loader = getattr(skser.datasets, info.loader)
        if not info.published:
            # Releases differ, so nothing is compared, and a warning would fail the test.
            assert len(loader(tmp_path)) > 0
            return
        first, expected = next(iter(info.published.items()))
        message = rf"{info.name} is incomplete: \d+ of {info.n_utterances} .*{first} \(\d+ of "
        with pytest.warns(UserWarning, match=message + f"{expected}"):
            loader(tmp_path)

    def test_a_folder_without_the_corpus_is_named(self, key, tmp_path):
        loader = getattr(skser.datasets, CORPORA[key].loader)
        with pytest.raises(FileNotFoundError, match=f"{re.escape(str(tmp_path))} has no "):
            loader(tmp_path)
        with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
            loader(tmp_path / "nowhere")

    def test_harmonize_keeps_the_four_shared_emotions(self, key, tmp_path):
        build_tree(key, tmp_path)
        corpus = load(key, tmp_path).harmonize()
        assert corpus.target_names == list(SHARED_EMOTIONS)

    def test_load_corpus_accepts_key_and_name(self, key, tmp_path):
        build_tree(key, tmp_path)
        with warnings.catch_warnings(action="ignore"):  # the made-up trees are incomplete
            for name in (key, CORPORA[key].name):
                assert load_corpus(name, tmp_path).name == CORPORA[key].name

    def test_spaces_unicode_and_circular_links_are_handled(self, key, tmp_path):
        home = tmp_path / "Körper und Stimme ☂ %20"
        expected = build_tree(key, home / "the corpus")
        (home / "the corpus" / "again").symlink_to(home, target_is_directory=True)
        (home / "the corpus" / "itself.wav").symlink_to("itself.wav")
        assert len(load(key, home).target) == len(expected)

    def test_a_link_to_the_corpus_is_followed(self, key, tmp_path):
        expected = build_tree(key, tmp_path / "disk")
        (tmp_path / "data").mkdir()
        (tmp_path / "data/link").symlink_to(tmp_path / "disk", target_is_directory=True)
        assert len(load(key, tmp_path / "data").target) == len(expected)

    def test_files_that_macos_adds_to_archives_are_skipped(self, key, tmp_path):
        expected = build_tree(key, tmp_path)
        for file in [f for f in tmp_path.rglob("*") if f.is_file()]:
            shadow = tmp_path / "__MACOSX" / file.relative_to(tmp_path)
            add(shadow.parent, f"._{file.name}", content=b"\x00\x05\x16\x07")
        assert len(load(key, tmp_path).target) == len(expected)


def test_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="The corpus 'emo-db' has no loader; choose one of emodb, ravd"
    ):
        load_corpus("emo-db", tmp_path)


# File names of the right form with a label that does not exist, and the error.
UNKNOWN_LABELS = {
    "emodb": ("wav/03a01Qa.wav", "the unknown label 'Q'"),
    "ravdess": ("03-01-09-01-01-01-01.wav", "the unknown label '09'"),
    "crema-d": ("AudioWAV/1001_IEO_SUR_XX.wav", "the unknown label 'SUR'"),
    "savee": ("AudioData/DC/x01.wav", "the unknown label 'x'"),
    "tess": ("OAF_back_bored.wav", "the unknown label 'bored'"),
    "emovo": ("noi-f1-b1.wav", "the unknown label 'noi'"),
    "nemo": ("EB0_bored_3.wav", "the unknown label 'bored'"),
}


@pytest.mark.parametrize(("key", "case"), UNKNOWN_LABELS.items())
def test_an_unknown_label_is_named_with_its_file(key, case, tmp_path):
    build_tree(key, tmp_path)
    name, message = case
    add(tmp_path, name)
    with pytest.raises(
        ValueError, match=rf"{CORPORA[key].name}: .*{name} has {message}; the labels are"
    ):
        load(key, tmp_path)


@pytest.mark.parametrize(("key", "copy"), [
    ("emodb", "copy/03a01Wa.flac"), ("crema-d", "AudioWAV/copy/1001_IEO_ANG_LO.wav"),
    ("savee", "flat/DC_a01.wav"), ("tess", "TESS/OAF_back_angry.wav"),
    ("iemocap", "copy/Ses01F_impro01_F000.wav"), ("msp-podcast", "b/MSP-PODCAST_0000_0000.wav"),
    ("meld", "train/b/dia3_utt0.flac"), ("nemo", "copy/EB0_anger_10.flac"),
])  # fmt: skip
def test_an_utterance_that_occurs_twice_is_refused(key, copy, tmp_path):
    build_tree(key, tmp_path)
    add(tmp_path, copy)
    with pytest.raises(ValueError, match=rf"occurs twice, as .* and as .*{Path(copy).stem}"):
        load(key, tmp_path)


@pytest.mark.parametrize("key", ["emodb", "iemocap"])
@pytest.mark.parametrize(
    ("other", "removed"), [(".flac", ".flac"), (".mp3", ".mp3"), ("/again.wav", "again.wav")]
)
def test_the_error_names_which_of_two_files_to_remove(key, other, removed, tmp_path):
    build_tree(key, tmp_path)
    sound = sorted(tmp_path.rglob("*a.wav" if key == "emodb" else "Ses01F_impro01_F000.wav"))[0]
    copy = sound.with_suffix(other) if other[0] == "." else sound.parent / "z" / sound.name
    add(copy.parent, copy.name)
    with pytest.raises(ValueError, match=f"occurs twice, as .*recording, remove {copy}[.]$"):
        load(key, tmp_path)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 99\n"


def test_placeholders_of_git_lfs_are_refused(tmp_path):
    build_tree("crema-d", tmp_path)
    add(tmp_path, "AudioMP3/1001_DFA_ANG_XX.mp3", content=LFS)  # outside AudioWAV, so not read
    assert len(load("crema-d", tmp_path).target) == 12
    add(tmp_path, "AudioWAV/1001_DFA_ANG_XX.wav", content=LFS)
    with pytest.raises(
        ValueError, match="1001_DFA_ANG_XX.wav is a placeholder of Git LFS.*'git lfs pull'"
    ):
        load("crema-d", tmp_path)
    with pytest.raises(
        ValueError, match="1001_DFA_ANG_XX.mp3 is a placeholder of Git LFS.*'git lfs pull'"
    ):
        load_folder(tmp_path)


def test_only_a_complete_corpus_loads_without_a_warning(tmp_path):
    info = CORPORA["emovo"]
    sentences = ("b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1", "d2")
    names = [f"{c}-{a}-{s}.wav" for a in info.published for c in info.labels for s in sentences]
    for name in names:
        (tmp_path / name).touch()
    corpus = load_emovo(tmp_path)
    assert corpus.frame["emotion"].value_counts().to_dict() == info.emotions
    assert corpus.counts().loc["f1", "all"] == 98
    (tmp_path / "dis-f1-b1.wav").rename(tmp_path / "gio-f1-b9.wav")
    with pytest.warns(
        UserWarning, match=r"differs from its published form: .*disgust \(83 of 84\), happiness"
    ):
        load_emovo(tmp_path)


class TestCremaD:
    def test_actors_and_irregular_names_are_read(self, tmp_path):
        build_tree("crema-d", tmp_path)
        add(tmp_path, "AudioWAV/1040_ITH_SAD_X.wav")
        corpus = load("crema-d", tmp_path)
        last = corpus.frame.iloc[-1]
        assert (last["intensity"], last["speaker"]) == ("unspecified", "1040")
        assert pd.isna(last["age"])
        assert corpus.frame["age"].tolist()[0] == 20
        assert corpus.frame["intensity"][0] == "low"
        assert corpus.transcripts[0] == "It's eleven o'clock."
        assert all(audio.endswith(".wav") for audio in corpus.data)

    def test_the_table_of_actors_is_optional(self, tmp_path):
        add(tmp_path, "1091_WSI_FEA_XX.flac")
        with pytest.warns(UserWarning, match="1002 .0 of 81.* and 81 more"):
            corpus = load_crema_d(tmp_path)
        assert corpus.sexes.tolist() == ["female"]
        assert "age" not in corpus.frame

    def test_a_bad_row_of_the_table_is_named(self, tmp_path):
        build_tree("crema-d", tmp_path)
        (tmp_path / "VideoDemographics.csv").write_text("ActorID,Age,Race,Ethnicity\n1001,old,,\n")
        with pytest.raises(
            ValueError, match=r"Demographics.csv, line 2, has 'old' in Age; expected a number"
        ):
            load("crema-d", tmp_path)


def test_irregular_names_of_savee_and_tess_are_read(tmp_path):
    add(tmp_path / "savee", "ALL/JK_sa11.wav")
    add(tmp_path / "tess", "OAF_neutral/OA_bite_neutral.wav", "YAF_Pleasant/YAF_dog_PS.WAV")
    savee, tess = load("savee", tmp_path / "savee"), load("tess", tmp_path / "tess")
    assert (savee.target[0], savee.speakers[0], savee.sentences[0]) == ("sadness", "JK", "sa11")
    assert tess.target.tolist() == ["neutral", "surprise"]
    assert tess.speakers.tolist() == ["OAF", "YAF"]
    assert tess.transcripts[1] == "Say the word dog."


def test_texts_and_ages_of_nemo_are_read(tmp_path):
    heading = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
    row = 'SM0_anger_9.wav\tanger\t„Ród smoka", to.\tród smoka to\t        SM0\tmale\t24\n'
    add(tmp_path / "samples", "SM0_anger_9.wav", "EB0_fear_2.wav")
    (tmp_path / "data.tsv").write_text(heading + row, "utf-8")
    corpus = load("nemo", tmp_path)
    assert corpus.speakers.tolist() == ["EB0", "SM0"]
    assert corpus.sexes.tolist() == ["female", "male"]
    assert corpus.sentences.tolist() == ["2", "9"]
    assert corpus.transcripts.tolist() == [None, '„Ród smoka", to.']
    assert corpus.frame["age"].tolist()[1] == 24
    (tmp_path / "data.tsv").write_text(heading + row.replace("24", "old"), "utf-8")
    with pytest.raises(ValueError, match=r"data.tsv, line 2, has 'old' in age; expected a number"):
        load("nemo", tmp_path)


class TestIEMOCAP:
    def test_speakers_ratings_times_and_texts_are_read(self, tmp_path):
        build_tree("iemocap", tmp_path)
        frame = load("iemocap", tmp_path).frame.set_index("utterance")
        row = frame.loc["Ses01F_impro01_M003"]
        assert (row["speaker"], row["sex"], row["emotion"]) == ("Ses01M", "male", "sadness")
        assert (row["valence"], row["activation"], row["dominance"]) == (2.5, 3.0, 3.5)
        assert (row["dialog_start"], row["dialog_end"]) == (3.5, 4.25)
        assert row["transcript"] == "Number 3."
        assert (row["session"], row["dialog"], row["scenario"]) == ("1", "impro01", "improvised")

    def test_turns_cut_from_dialogues_equal_their_own_files(self, tmp_path):
        build_tree("iemocap", tmp_path)
        random = np.random.RandomState(0)
        for dialog in tmp_path.glob("Session*/dialog/wav/*.wav"):
            samples = (random.randn(13 * 16000, 2) * 3000).astype(np.int16)
            soundfile.write(dialog, samples, 16000)
            for turn in tmp_path.rglob(f"sentences/wav/{dialog.stem}/*.wav"):
                first = int(turn.stem[-3:]) + 0.5
                part = samples[round(first * 16000) : round((first + 0.75) * 16000)]
                soundfile.write(turn, part, 16000)
        turns = load("iemocap", tmp_path)
        dialogs = load("iemocap", tmp_path, audio="dialogs")
        assert dialogs.target.tolist() == turns.target.tolist()
        assert len({item.source for item in dialogs.data}) == 4
        mel = MelSpectrogram()
        wanted = mel.transform(turns.data)
        for X in (dialogs.data, dialogs.frame):
            np.testing.assert_array_equal(mel.transform(X).values, wanted.values)
        with pytest.raises(ValueError, match="audio='sentences' is unknown; choose one of"):
            load_iemocap(tmp_path, audio="sentences")

    def test_four_classes_and_improvised_turns_are_selected(self, tmp_path):
        build_tree("iemocap", tmp_path)
        corpus = load("iemocap", tmp_path, labels="4-class", scenario="improvised")
        assert corpus.target_names == ["anger", "happiness", "neutral", "sadness"]
        assert corpus.frame["emotion"].value_counts()["happiness"] == 4
        assert corpus.label_map["exc"] == "happiness"
        assert corpus.label_map["fru"] is None
        assert set(corpus.frame["scenario"]) == {"improvised"}
        with pytest.raises(ValueError, match="labels='5-class' is unknown; choose one of"):
            load_iemocap(tmp_path, labels="5-class")
        with pytest.raises(ValueError, match="scenario='read' is unknown; choose one of"):
            load_iemocap(tmp_path, scenario="read")

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("[1 - 2]\tSes01F_impro01_F000\tneu", "cannot be read as the label of a turn"),
            ("[1 - 2]\tSes01F_impro01_F000\tbor\t[1, 2, 3]", "has the unknown label 'bor'"),
            (
                "[1 - 2]\tSes01F_impro01_F000\tneu\t[1, x, 3]",
                "has 'x' in activation; expected a number",
            ),
            (
                "[1 - 2]\tSes09F_impro01_F000\tneu\t[1, 2, 3]",
                "cannot be read as the label of a turn",
            ),
        ],
    )
    def test_a_bad_line_is_named(self, line, message, tmp_path):
        build_tree("iemocap", tmp_path)
        file = tmp_path / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
        file.write_text(f"% heading\n{line}\n")
        with pytest.raises(ValueError, match=rf"Ses01F_impro01.txt, line 2, {message}"):
            load("iemocap", tmp_path)

    def test_turns_without_audio_are_left_out_and_named(self, tmp_path):
        build_tree("iemocap", tmp_path)
        name = "Ses01F_impro01_F000"
        (tmp_path / f"Session1/sentences/wav/Ses01F_impro01/{name}.wav").unlink()
        with pytest.warns(UserWarning, match="IEMOCAP") as caught:
            corpus = load_iemocap(tmp_path)
        assert f"1 of 44 labeled utterances have no audio file and are left out: {name}." in str(
            caught[0].message
        )
        assert "Sessions with fewer than published: 1 (21 of 1819)" in str(caught[1].message)
        assert name not in set(corpus.frame["utterance"])
        assert caught[0].filename == caught[1].filename == __file__

    def test_unknown_transcripts_are_none(self, tmp_path):
        build_tree("iemocap", tmp_path)
        files = sorted(tmp_path.glob("Session*/dialog/transcriptions/*.txt"))
        files[0].unlink()
        with warnings.catch_warnings(action="error"):
            warnings.filterwarnings("ignore", "IEMOCAP is incomplete")
            corpus = load_iemocap(tmp_path)  # a dialogue without a transcript does not warn
        assert [text for text in corpus.transcripts if not isinstance(text, str)] == [None] * 11
        for file in files[1:]:
            file.unlink()
        assert load("iemocap", tmp_path).transcripts is None

    @pytest.mark.parametrize("form", ["{} [0-1] : {}", "  {}[0-1]:{}", "{}\t[0 - 1]:  {} "])
    def test_unusual_spaces_in_a_transcript_keep_its_text(self, form, tmp_path):
        build_tree("iemocap", tmp_path)
        file = tmp_path / "Session1/dialog/transcriptions/Ses01F_impro01.txt"
        turns = [line.split()[0] for line in file.read_text().splitlines()[:-1]]
        file.write_text("\n".join(form.format(turn, "Well. [LAUGHTER]: yes") for turn in turns))
        frame = load("iemocap", tmp_path).frame
        texts = frame["transcript"][frame["utterance"].isin(turns)]
        assert texts.tolist() == ["Well. [LAUGHTER]: yes"] * 11

    def test_turns_missing_from_their_transcript_are_counted(self, tmp_path):
        build_tree("iemocap", tmp_path)
        file = tmp_path / "Session1/dialog/transcriptions/Ses01F_impro01.txt"
        lines = file.read_text().splitlines()
        name = "Ses01F_impro01_F000"
        lines[:2] = [f"{name} (000.5-001.2) Lost.", "Ses01F_impro01_M001 [000.5-001.2]: "]
        file.write_text("\n".join(lines))
        with pytest.warns(UserWarning, match="IEMOCAP") as caught:
            corpus = load_iemocap(tmp_path)
        message = str(caught[0].message)
        assert message.endswith(
            f"2 turns have no text in the transcript of their dialogue, such as {name}."
        )
        assert caught[0].filename == __file__
        assert corpus.transcripts[:3].tolist() == [None, None, "Number 2."]

    def test_labels_without_any_audio_are_an_error(self, tmp_path):
        build_tree("iemocap", tmp_path)
        for sound in tmp_path.rglob("*.wav"):
            sound.unlink()
        with pytest.raises(
            FileNotFoundError, match="no audio file for any of the 44 utterances .* Ses01F_imp"
        ):
            load_iemocap(tmp_path)


class TestMSPPodcast:
    def test_speakers_ratings_and_partitions_are_read(self, tmp_path):
        build_tree("msp-podcast", tmp_path)
        corpus = load_msp_podcast(tmp_path)
        assert corpus.frame["speaker"].isna().sum() == 10
        assert corpus.counts().loc["?", "all"] == 10
        assert "20 utterances, 1 speaker, " in repr(corpus)
        assert (corpus.activation[0], corpus.valence[0], corpus.dominance[0]) == (1.5, 2.5, 7.0)
        assert corpus.transcripts[3] == "words 3"
        train = load_msp_podcast(tmp_path, partitions="Train")
        assert set(train.speakers) == {"7"}
        assert set(train.sexes) == {"female"}
        assert len(load_msp_podcast(tmp_path, partitions=["Train", "Test1"]).target) == 20
        with pytest.raises(
            ValueError, match=r"no Split_Set \['Test9'\]; it has \['Train', 'Test1'"
        ):
            load_msp_podcast(tmp_path, partitions=["Test9"])
        with pytest.raises(ValueError, match=r"no speaker \['8'\]; it has \['7'\]"):
            corpus.select(speakers=["8"])

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ("a.wav,Z,1,2,3,1,Male,Train", "line 2, has the unknown label 'Z'"),
            ("a.wav,N,high,2,3,1,Male,Train", "line 2, has 'high' in EmoAct; expected a number"),
            ("a.wav,N,1,2,8,1,Male,Train", "line 2, has 8 in EmoDom; expected 1 to 7"),
            ("a.wav,N,1,nan,3,1,Male,Train", "line 2, has nan in EmoVal"),
            ("a.wav,N,1,2,3,1,Robot,Train", "line 2, has the Gender 'Robot'"),
            ("a.wav,N,1,2", "line 2, has the Gender ''"),
            ("a.wav,N,1,2,3,1,Male,Train\na.wav,N,1,2,3,1,Male,Train", "a is labeled twice"),
        ],
    )
    def test_a_bad_row_is_named(self, row, message, tmp_path):
        build_tree("msp-podcast", tmp_path)
        heading = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
        (tmp_path / "Labels/labels_consensus.csv").write_text(heading + row + "\n")
        with pytest.raises(ValueError, match=message):
            load_msp_podcast(tmp_path)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "cannot be read as a CSV table"),
            ("FileName,EmoClass\n", "lacks the columns .*'EmoVal'"),
            ("FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n", "have no rows"),
        ],
    )
    def test_an_unusable_table_is_named(self, content, message, tmp_path):
        build_tree("msp-podcast", tmp_path)
        (tmp_path / "Labels/labels_consensus.csv").write_text(content)
        with pytest.raises(ValueError, match=message):
            load_msp_podcast(tmp_path)

    def test_transcripts_are_optional(self, tmp_path):
        build_tree("msp-podcast", tmp_path)
        for file in tmp_path.glob("Transcripts/*"):
            file.unlink()
        assert load_msp_podcast(tmp_path).transcripts is None


class TestMELD:
    def test_names_texts_and_splits_are_read(self, tmp_path):
        build_tree("meld", tmp_path)
        corpus = load("meld", tmp_path)
        row = corpus.frame.set_index("utterance").loc["dev dia3_utt3"]
        assert (row["emotion"], row["speaker"]) == ("happiness", "The Waiter")
        assert pd.isna(row["sex"])
        assert row["transcript"] == "Oh, it’s 3"
        assert (row["split"], row["dialog"], row["sentiment"]) == ("dev", "dev 3", "neutral")
        assert "dev_splits_complete" in row["audio"]
        assert load("meld", tmp_path, partitions=["test", "dev"]).frame["split"].nunique() == 2
        with pytest.raises(ValueError, match=r"no split \['all'\]; it has \['train', 'dev', 'test"):
            load_meld(tmp_path, partitions="all")

    def test_unpublished_utterances_cause_no_warning(self, tmp_path):
        build_tree("meld", tmp_path)
        with open(tmp_path / "train_sent_emo.csv", "a") as table:
            table.write("\n8,Hi,Ross,joy,positive,125,3,1\n9,Hi,Ross,joy,positive,125,4,1")
        with pytest.warns(UserWarning, match="MELD") as caught:
            load_meld(tmp_path)
        assert "1 of 23 labeled utterances have no audio file" in str(caught[0].message)
        assert "train dia125_utt4" in str(caught[0].message)
        assert "dia125_utt3" not in str(caught[0].message)

    def test_the_error_for_videos_shows_how_to_extract_audio(self, tmp_path):
        build_tree("meld", tmp_path)
        for sound in tmp_path.rglob("*.wav"):
            sound.rename(sound.with_suffix(".mp4"))
        with pytest.raises(FileNotFoundError, match="First extract the audio.*ffmpeg -i"):
            load_meld(tmp_path)

    def test_bad_rows_are_named(self, tmp_path):
        build_tree("meld", tmp_path)
        with open(tmp_path / "dev_sent_emo.csv", "a") as table:
            table.write("\n8,Hi,Ross,joy,positive,three,3,1")
        with pytest.raises(ValueError, match="dev_sent_emo.csv, line 9, has 'three' in Dialog"):
            load("meld", tmp_path)
        (tmp_path / "dev_sent_emo.csv").unlink()
        with pytest.raises(FileNotFoundError, match=r"has no file dev_sent_emo\.csv"):
            load("meld", tmp_path)


def test_an_invalid_number_in_the_listening_test_is_named(tmp_path):
    build_tree("emodb", tmp_path)
    (tmp_path / "erkennung.txt").write_text("Nr\tSatz\terk\tnat\n1\t03a01Fa.wav\tviel\t90\n")
    with pytest.raises(ValueError, match=r"erkennung.txt, line 2, has 'viel' in its shares"):
        load("emodb", tmp_path)


def test_load_folder_follows_each_link_once(tmp_path):
    add(tmp_path / "root", "anger/a.wav", "joy/b.wav")
    (tmp_path / "root/joy/loop").symlink_to(tmp_path / "root/joy", target_is_directory=True)
    assert load_folder(tmp_path / "root").target.tolist() == ["anger", "joy"]


class TestAcrossCorpora:
    @pytest.fixture
    def two(self, tmp_path):
        for key in ("emodb", "ravdess"):
            build_tree(key, tmp_path / key)
        return [load(key, tmp_path / key) for key in ("emodb", "ravdess")]

    def test_harmonize_merges_selects_and_refuses(self, two, corpus):
        emodb, ravdess = two
        assert ravdess.harmonize().frame["emotion"].value_counts()["neutral"] == 4  # including calm
        assert "boredom" in emodb.harmonize(None).target_names
        assert emodb.harmonize(["boredom"]).target_names == ["boredom"]
        with pytest.raises(ValueError, match=r"EmoDB has no emotion \['surprise'\]; it has"):
            emodb.harmonize(["anger", "surprise"])
        odd = corpus.relabel({name: f"my {name}" for name in corpus.target_names})
        with pytest.raises(ValueError, match="emotions without a common name: .'my anger'"):
            odd.harmonize()

    def test_speakers_and_sentences_of_two_corpora_stay_different(self, two):
        emodb, ravdess = two
        frame = emodb.frame.replace({"speaker": {"03": "01"}})  # a speaker of RAVDESS too
        emodb = SpeechCorpus(frame, emodb.name, emodb.label_map, emodb.license)
        both = concatenate_corpora([c.harmonize() for c in (emodb, ravdess)])
        assert both.name == "EmoDB+RAVDESS"
        assert len(both.target) == 2 * 4 + 2 * 5
        assert set(both.speakers) == {"EmoDB 01", "EmoDB 08", "RAVDESS 01", "RAVDESS 02"}
        assert set(both.sentences) == {"EmoDB a01", "RAVDESS 01"}
        assert both.frame["corpus"].value_counts().to_dict() == {"EmoDB": 8, "RAVDESS": 10}
        assert both.frame["intensity"].notna().sum() == 10
        assert both.frame.loc[both.frame["corpus"] == "EmoDB", "repetition"].isna().all()
        assert both.license == "EmoDB: CC0-1.0; RAVDESS: CC-BY-NC-SA-4.0"
        assert both.label_map["EmoDB W"] == both.label_map["RAVDESS 05"] == "anger"
        assert both.label_map["EmoDB L"] is None
        assert both.target_names == list(SHARED_EMOTIONS)

    def test_joined_corpora_can_be_joined_again(self, two, tmp_path):
        build_tree("tess", tmp_path / "tess")
        three = concatenate_corpora([concatenate_corpora(two), load("tess", tmp_path / "tess")])
        assert three.frame["corpus"].nunique() == 3
        assert {"EmoDB 03", "RAVDESS 01", "TESS OAF"} <= set(three.speakers)
        with pytest.raises(ValueError, match=r"\['EmoDB'\] occurs twice"):
            concatenate_corpora([three, two[0]])
        with pytest.raises(ValueError, match="At least two corpora are needed to join; 1 given"):
            concatenate_corpora(two[:1])

    def test_an_unknown_speaker_stays_unknown(self, two, tmp_path):
        build_tree("msp-podcast", tmp_path / "msp")
        both = concatenate_corpora([two[0], load_msp_podcast(tmp_path / "msp")])
        assert both.frame["speaker"].isna().sum() == 10
        assert [s for s in both.speakers if not isinstance(s, str)] == [None] * 10
        assert both.dimension_range == (1, 7)
        assert np.isnan(both.valence[0])

    @pytest.fixture
    def table(self, tmp_path):
        """Return a function that makes a corpus of two utterances from a user's table."""
        add(tmp_path, "a.wav", "b.wav")
        frame = pd.DataFrame({"audio": ["a.wav", "b.wav"], "emotion": ["anger", "neutral"]})

        def make(name, **columns):
            columns = {"speaker": ["1", "2"], **columns}
            return load_table(frame.assign(**columns), root=tmp_path, name=name)

        return make

    def test_an_existing_column_corpus_does_not_merge_speakers(self, table):
        mine, yours = (table(name, corpus=[name, name]) for name in ("mine", "yours"))
        with pytest.raises(ValueError, match="mine already has a column 'corpus'.* Rename"):
            concatenate_corpora([mine, yours])
        both = concatenate_corpora([table("mine"), table("yours")])
        assert set(both.speakers) == {"mine 1", "mine 2", "yours 1", "yours 2"}
        derived = both.relabel({"anger": "anger", "neutral": "calm"}).select(["calm"])
        assert derived.joined
        assert not mine.joined
        three = concatenate_corpora([derived, table("theirs")])
        assert three.speakers.tolist() == ["mine 2", "yours 2", "theirs 1", "theirs 2"]

    def test_corpora_with_and_without_speakers_are_not_joined(self, table):
        known, half = table("known"), table("half", speaker=["1", None])
        without = [table(name, speaker=[None, np.nan]) for name in ("one", "two")]
        with pytest.raises(ValueError, match=r"speakers or none; \['one', 'two'\] have none"):
            concatenate_corpora([known, *without])
        neither = concatenate_corpora(without)
        assert neither.speakers is None
        assert neither.frame["corpus"].tolist() == ["one", "one", "two", "two"]
        joined = concatenate_corpora([known, half])
        assert joined.speakers.tolist() == ["known 1", "known 2", "half 1", None]

    def test_missing_values_are_none_in_every_attribute(self, table):
        nothing, some = [np.nan, np.nan], table("some", sex=["female", np.nan], valence=[1, None])
        none = table("none", sex=nothing, sentence=nothing, transcript=nothing, valence=nothing)
        for key in ("sexes", "sentences", "transcripts", "valence"):
            assert getattr(none, key) is None
        assert some.sexes.tolist() == ["female", None]
        assert np.isnan(some.valence).tolist() == [False, True]
        assert concatenate_corpora([none, some]).sexes.tolist() == [None, None, "female", None]
        unknown = table("unknown", speaker=nothing)
        assert unknown.counts().loc["?", "all"] == 2
        assert "an unknown number of speakers" in repr(unknown)

    def test_different_scales_or_sampling_rates_are_not_joined(self, corpus, tmp_path):
        for key in ("iemocap", "msp-podcast"):
            build_tree(key, tmp_path / key)
        iemocap, msp = (load(key, tmp_path / key) for key in ("iemocap", "msp-podcast"))
        with pytest.raises(ValueError, match=r"different scales: .*\(1.0, 5.0\).*rescale_dim"):
            concatenate_corpora([iemocap, msp])
        both = concatenate_corpora([c.rescale_dimensions() for c in (iemocap, msp)])
        assert both.dimension_range == (-1, 1)
        assert both.valence[0] == pytest.approx(-0.25)  # 2.5 on the scale from 1 to 5
        assert both.valence[-1] == pytest.approx(-0.5)  # 2.5 on the scale from 1 to 7
        assert iemocap.valence[0] == 2.5
        with pytest.raises(ValueError, match="made-up has arrays at 16000 Hz"):
            concatenate_corpora([corpus, iemocap.rescale_dimensions()])

    def test_a_scale_must_be_known_and_increasing(self, two, corpus):
        with pytest.raises(ValueError, match="EmoDB has no dimension_range, so the scale"):
            two[0].rescale_dimensions()
        with pytest.raises(ValueError, match="low=1 is not below high=1"):
            corpus.rescale_dimensions(1, 1)
        wider = corpus.rescale_dimensions(0, 100)
        assert wider.valence == pytest.approx(50 + 50 * corpus.valence)
        assert wider.select(speakers=["01"]).dimension_range == (0, 100)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_an_unreadable_folder_is_an_error():
    with open_folder() as folder:
        build_tree("emodb", folder)
        add(folder, "closed/03a01Wb.wav")
        (folder / "closed").chmod(0)
        with without_privileges(), pytest.raises(PermissionError, match="closed"):
            load_emodb(folder)
        (folder / "closed").chmod(0o755)
