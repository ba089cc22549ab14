"""Tests of the folds of published protocols."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from skser.datasets import CORPORA, SpeechCorpus, load_emodb, load_ravdess
from skser.evaluation import cross_validate_speakers, leakage_report
from skser.model_selection import GivenSplits, published_folds

pytestmark = pytest.mark.filterwarnings("ignore:All .* predictions are")


def corpus_of(speakers, **columns):
    n = len(speakers)
    frame = {"audio": [f"{i}.wav" for i in range(n)], "emotion": ["anger", "fear"] * (n // 2)}
    return SpeechCorpus(pd.DataFrame(frame | {"speaker": speakers} | columns), "test", {})


def pairs(corpus, protocol, **options):
    cv = published_folds(corpus, protocol, **options)
    return list(cv.split(corpus.data, corpus.target, corpus.speakers))


def test_each_speaker_of_iemocap_is_held_out():
    speakers = [f"Ses0{i}{sex}" for i in range(1, 6) for sex in "FM"]
    corpus = corpus_of(np.repeat(speakers, 2))
    held_out = [set(corpus.speakers[test]) for _, test in pairs(corpus, "iemocap-10")]
    assert held_out == [{speaker} for speaker in speakers]


def test_the_actors_of_crema_d_are_dealt_to_five_folds():
    sexes = CORPORA["crema-d"].sexes
    corpus = corpus_of(np.repeat(list(sexes), 2))
    folds = [sorted(set(corpus.speakers[test])) for _, test in pairs(corpus, "crema-d-5")]
    assert sorted(name for fold in folds for name in fold) == sorted(sexes)
    assert [len(fold) for fold in folds] == [19, 19, 19, 17, 17]
    women = [sum(sexes[name] == "female" for name in fold) for fold in folds]
    assert women == [9, 9, 9, 8, 8]
    # The first women are 1002, 1003, 1004, 1006, 1007, 1008; the first men 1001, 1005.
    assert {"1002", "1008", "1001"} <= set(folds[0])
    assert {"1003", "1005"} <= set(folds[1])


def test_sentences_of_emodb_are_held_apart_too():
    speakers = ["03", *[f"{i:02}" for i in range(8, 17)]]
    corpus = corpus_of(np.repeat(speakers, 2), sentence=["a", "b"] * 10)
    folds = pairs(corpus[:-1], "emodb-loso-sentences")
    assert len(folds) == 19  # the last speaker has one sentence
    for train, test in folds:
        assert len(test) == 1
        assert test[0] not in train
        assert set(corpus.speakers[train]).isdisjoint(corpus.speakers[test])
        assert set(corpus.sentences[train]).isdisjoint(corpus.sentences[test])
    assert [len(train) for train, _ in folds[:2]] == [8, 9]  # "b" of one speaker is missing
    with pytest.raises(ValueError, match="does not name the sentence of every utterance"):
        published_folds(corpus_of(np.repeat(speakers, 2)), "emodb-loso-sentences")


class TestMSPPodcast:
    SPLITS = ["Train"] * 3 + ["Development"] + ["Test1"] * 2 + ["Test3"] * 2

    def corpus(self, speakers="ab?cd?ef"):
        names = [None if name == "?" else name for name in speakers]
        return corpus_of(names, split=self.SPLITS)

    def test_each_official_test_set_is_a_fold(self):
        found = pairs(self.corpus(), "msp-podcast")
        assert [(a.tolist(), b.tolist()) for a, b in found] == [
            ([0, 1, 2], [4, 5]), ([0, 1, 2], [6, 7]),
        ]  # fmt: skip

    def test_test_sets_with_unknown_speakers_are_evaluated(self):
        corpus = self.corpus()
        cv = published_folds(corpus, "msp-podcast")
        found = cross_validate_speakers(DummyClassifier(strategy="prior"), corpus, cv=cv)
        assert found.fold_results["n_train"].tolist() == [2, 2]
        assert "1 are tested on" in str(found)
        assert found.protocol["cv"] == "GivenSplits(2 folds of msp-podcast)"

    def test_a_known_speaker_on_both_sides_is_refused(self):
        with pytest.raises(
            ValueError, match="msp-podcast shares 1 of 3 test speakers of test .*'a'"
        ):
            published_folds(self.corpus("ab?cd?ea"), "msp-podcast")

    def test_other_partitions_are_refused(self):
        corpus = self.corpus()
        with pytest.raises(
            ValueError, match=r"msp-podcast needs the partition 'Train' .* \['Test1'"
        ):
            published_folds(corpus.select(split=["Test1", "Test3"]), "msp-podcast")
        with pytest.raises(ValueError, match="has no column 'split'"):
            published_folds(corpus_of(["a", "b"]), "msp-podcast")


def write_lists(folder, folds, corpus="mine"):
    """Write lists as EmoBox does, from the names on each side."""
    for number, sides in folds.items():
        for side, names in sides.items():
            path = folder / f"fold_{number}" / f"{corpus}_{side}_fold_{number}.jsonl"
            path.parent.mkdir(exist_ok=True)
            entries = [
                {
                    "key": f"{corpus}-{name}", "dataset": corpus,
                    "wav": f"downloads/{corpus}/wav/{name}.wav", "type": "raw",
                    "sample_rate": 16000, "num_frame": 33978.0, "task": "category",
                    "length": 2.123625, "emo": "anger", "channel": 1,
                }
                for name in names
            ]  # fmt: skip
            path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))


class TestEmoBox:
    def test_lists_are_matched_by_the_names_of_files(self, tmp_path):
        folds = {n: {"train": ["2", "0"], "valid": ["3"], "test": ["1"]} for n in range(1, 11)}
        folds[10]["test"] = ["3"]
        write_lists(tmp_path, folds)
        found = pairs(corpus_of(["a", "b", "a", "b"]), "emobox", folds_dir=tmp_path)
        assert len(found) == 10
        assert [side.tolist() for side in found[0]] == [[0, 2], [1]]
        assert found[9][1].tolist() == [3]  # fold_10 comes last

    def test_lists_in_the_earlier_format_are_not_read(self, tmp_path):
        # EmoBox's folders of EmoDB have both, under names that differ by an underscore.
        write_lists(tmp_path, {1: {"train": ["0"], "test": ["1"]}})
        for side, name in (("train", "1"), ("test", "0")):
            old = {"key": f"mine-{name}", "audio": f"{name}.wav", "label": "anger"}
            (tmp_path / f"fold_1/mine_{side}_fold1.jsonl").write_text(json.dumps(old))
        ((train, test),) = pairs(corpus_of(["a", "b"]), "emobox", folds_dir=tmp_path)
        assert (train.tolist(), test.tolist()) == ([0], [1])

    def test_shared_speakers_are_counted_and_refused_unless_allowed(self, tmp_path):
        write_lists(tmp_path, {1: {"train": ["0", "1"], "test": ["2", "3"]}})
        corpus = corpus_of(["a", "b", "a", "c"])
        with pytest.raises(ValueError, match="emobox shares 1 of 2 test speakers of test"):
            published_folds(corpus, "emobox", folds_dir=tmp_path)
        options = {"folds_dir": tmp_path, "allow_shared_speakers": True}
        cv = published_folds(corpus, "emobox", **options)
        found = cross_validate_speakers(DummyClassifier(strategy="prior"), corpus, cv=cv)
        assert found.protocol["shared_speakers"] == {"n": 1, "n_tested": 2}

    def test_lists_that_do_not_fit_are_refused(self, tmp_path):
        corpus = corpus_of(["a", "b"])
        with pytest.raises(FileNotFoundError, match="has no folders fold_1"):
            published_folds(corpus, "emobox", folds_dir=tmp_path)
        write_lists(tmp_path, {1: {"train": ["0"], "test": ["7"]}})
        with pytest.raises(ValueError, match="fold_1 lists 1 utterance that test lacks, such as 7"):
            published_folds(corpus, "emobox", folds_dir=tmp_path)
        (tmp_path / "fold_1/mine_test_fold_1.jsonl").write_text('{"key": "1"}\n')
        with pytest.raises(ValueError, match=r"test_fold_1.jsonl, line 1, is not a JSON object"):
            published_folds(corpus, "emobox", folds_dir=tmp_path)
        twice = SpeechCorpus(corpus.frame.assign(audio=["x/0.wav", "y/0.wav"]), "test", {})
        with pytest.raises(ValueError, match="several files named '0'"):
            published_folds(twice, "emobox", folds_dir=tmp_path)
        for options in ({}, {"folds_dir": tmp_path}):
            protocol = "crema-d-5" if options else "emobox"
            with pytest.raises(ValueError, match="folds_dir= is the folder of EmoBox's lists"):
                published_folds(corpus, protocol, **options)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "load", "sizes", "n_shared"),
    [("emodb", load_emodb, [107] * 5, 10), ("ravdess", load_ravdess, [240] * 6, 0)],
)
def test_the_published_test_folds_of_emobox(name, load, sizes, n_shared, tmp_path):
    table = Path(os.environ.get("SKSER_DATA", ""), "..", "reference", "emobox_test_folds.csv")
    if "SKSER_DATA" not in os.environ or not table.exists():
        pytest.skip("needs EmoBox's test folds beside SKSER_DATA")
    listed = pd.read_csv(table, dtype=str).query("corpus == @name")
    corpus = load(Path(os.environ["SKSER_DATA"], name))
    folds = {
        number: {
            "train": listed.loc[listed["test_fold"] != number, "utterance"],
            "test": listed.loc[listed["test_fold"] == number, "utterance"],
        }
        for number in sorted(set(listed["test_fold"]))
    }
    write_lists(tmp_path, folds, name)
    options = {"folds_dir": tmp_path}
    if n_shared:
        said = f"emobox shares {n_shared} of {n_shared} test speakers of EmoDB"
        with pytest.raises(ValueError, match=said):
            published_folds(corpus, "emobox", **options)
        options["allow_shared_speakers"] = True
    cv = published_folds(corpus, "emobox", **options)
    found = list(cv.split(corpus.data, corpus.target, corpus.speakers))
    assert [len(test) for _, test in found] == sizes
    names = np.array([Path(path).stem for path in corpus.frame["audio"]])
    for (train, test), sides in zip(found, folds.values(), strict=True):
        assert set(names[test]) == set(sides["test"])
        assert sorted([*train, *test]) == list(range(len(corpus)))
    leaks = leakage_report(corpus.speakers, found).leaks
    assert leaks["what"].nunique() == n_shared


def test_given_splits_may_be_masks_and_nothing_else_than_rows():
    mask = np.array([True, True, False, False])
    ((train, test),) = GivenSplits([(mask, ~mask)]).split(range(4))
    assert (train.tolist(), test.tolist()) == ([0, 1], [2, 3])
    for side, message in (
        ([0.7, 1.2], "type float64 .*Give row numbers, or a mask of all 4 utterances"),
        (mask[:3], "type bool and the shape"),
        ([0, 3], "row 3 on both sides"),
        ([0, -1], "has row -1, but there are 4 utterances"),
        ([0, 4], "has row 4, but there are 4 utterances"),
        ([0, 1, 1], "has row 1 2 times on its training side. Give each row once"),
    ):
        with pytest.raises(ValueError, match=message):
            list(GivenSplits([(side, [2, 3])]).split(range(4)))
    with pytest.raises(ValueError, match="has row 3 3 times on its test side"):
        list(GivenSplits([([0, 1], [2, 3, 3, 3])]).split(range(4)))
