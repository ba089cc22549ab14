import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from skser.datasets import (
    SpeechCorpus,
    concatenate_corpora,
    load_audformat,
    load_crema_d,
    load_iemocap,
    load_msp_podcast,
)
from tests.support.corpus_trees import add

VOTES = pd.DataFrame(
    [
        (1, "r", "anger", 2.0),
        (0, "r", "fear", 1.0),
        (0, "s", "anger", 3.0),
        (2, None, "boredom", np.nan),
        (2, None, "fear", np.nan),
    ],
    columns=["utterance", "rater", "emotion", "valence"],
)


def corpus(votes=VOTES, name="mine"):
    frame = pd.DataFrame(
        {
            "audio": ["0.wav", "1.wav", "2.wav"],
            "emotion": ["anger", "anger", "fear"],
            "speaker": ["a", "b", "b"],
            "valence": [2.0, 2.0, np.nan],
        }
    )
    return SpeechCorpus(frame, name, {}, dimension_range=(1, 5), votes=votes)


def rows(votes, *columns):
    return votes[["utterance", "rater", *(columns or ["emotion"])]].values.tolist()


def quietly(load, path, **options):
    with warnings.catch_warnings(action="ignore"):
        return load(path, **options)


class TestVotesFollowTheUtterances:
    def test_votes_are_sorted_by_utterance(self):
        assert rows(corpus().votes)[:3] == [[0, "r", "fear"], [0, "s", "anger"], [1, "r", "anger"]]

    def test_rows_are_renumbered_and_repeated_rows_repeat_their_votes(self):
        votes = corpus()[[1, 2, 1]].votes
        assert votes["utterance"].tolist() == [0, 1, 1, 2]
        assert votes["emotion"].tolist() == ["anger", "boredom", "fear", "anger"]
        assert corpus()[[True, False, False]].votes["utterance"].tolist() == [0, 0]

    def test_selection_keeps_the_votes_of_its_utterances(self):
        assert rows(corpus().select(emotions="fear").votes) == [
            [0, None, "boredom"], [0, None, "fear"],
        ]  # fmt: skip

    def test_new_names_reach_the_votes_and_dropped_emotions_drop_theirs(self):
        renamed = corpus().relabel({"anger": "hot", "fear": None, "boredom": None})
        assert rows(renamed.votes) == [[0, "r", None], [0, "s", "hot"], [1, "r", "hot"]]
        assert renamed.votes["valence"].tolist() == [1.0, 3.0, 2.0]  # a rating remains
        kept = corpus().relabel({"anger": "hot", "fear": "fear"})
        assert kept.votes["emotion"].tolist() == ["fear", "hot", "hot", "boredom", "fear"]
        with pytest.raises(ValueError, match="differs in \\['calm'\\]"):
            corpus().relabel({"anger": "hot", "fear": "fear", "calm": "calm"})

    def test_harmonized_votes_are_for_the_emotions_kept(self):
        assert rows(corpus().harmonize(["anger"]).votes) == [
            [0, "r", None], [0, "s", "anger"], [1, "r", "anger"],
        ]  # fmt: skip

    def test_ratings_in_votes_are_rescaled(self):
        assert corpus().rescale_dimensions(0, 1).votes["valence"].tolist()[:3] == [0.0, 0.5, 0.25]
        assert corpus().votes["valence"].tolist()[:3] == [1.0, 3.0, 2.0]

    def test_ratings_that_only_votes_have_are_on_a_scale_too(self):
        frame = pd.DataFrame(
            {"audio": ["x.wav"], "emotion": ["fear"], "speaker": ["c"], "valence": [3.0]}
        )
        rated = SpeechCorpus(frame, "rated", {}, dimension_range=(1, 7))
        voted = corpus().frame.drop(columns="valence")
        voted = SpeechCorpus(voted, "voted", {}, dimension_range=(1, 5), votes=VOTES)
        with pytest.raises(ValueError, match=r"different scales: .*'rated': \(1, 7\)"):
            concatenate_corpora([voted, rated])

    def test_joined_corpora_keep_their_raters_apart(self):
        second = VOTES.assign(self_evaluation=[True, False, False, False, False])
        joined = concatenate_corpora([corpus(), corpus(None, "none"), corpus(second, "own")])
        assert joined.votes["utterance"].tolist() == [0, 0, 1, 2, 2, 6, 6, 7, 8, 8]
        assert joined.votes["rater"].tolist()[:4] == ["mine r", "mine s", "mine r", None]
        assert joined.votes["rater"].tolist()[5] == "own r"
        assert joined.votes["self_evaluation"].tolist() == [False] * 7 + [True, False, False]

    def test_a_corpus_without_votes_has_none(self):
        assert corpus(None).votes is None
        assert corpus(None)[[0]].votes is None
        assert corpus(VOTES[VOTES["utterance"] == 1])[[0, 2]].votes is None

    @pytest.mark.parametrize(
        ("votes", "message"),
        [
            (VOTES.drop(columns="rater"), "it needs utterance, rater"),
            (VOTES[["utterance", "rater"]], "at least one of"),
            (VOTES.assign(utterance=3), "for utterance 3, but the corpus has the utterances 0 to"),
            (VOTES.assign(utterance="a"), "give their positions"),
            (VOTES.assign(valence=["1", "2", "3,5", 4, 5]), "row 2: valence='3,5' is not a number"),
            (
                VOTES.assign(self_evaluation=["False", *[False] * 4]),
                "row 0: self_evaluation='False' is neither True nor False. Convert",
            ),
        ],
    )
    def test_a_table_that_is_not_votes_is_refused(self, votes, message):
        with pytest.raises(ValueError, match=message):
            corpus(votes)


class TestSoftTargets:
    def test_shares_are_those_of_the_raters(self):
        shares = corpus().soft_targets(["anger", "boredom", "fear"])
        assert shares.tolist() == [[0.5, 0, 0.5], [1, 0, 0], [0, 0.5, 0.5]]

    def test_votes_for_other_emotions_do_not_count(self):
        assert corpus().soft_targets().tolist() == [[0.5, 0.5], [1, 0], [0, 1]]

    def test_an_utterance_without_votes_has_its_label(self):
        votes = VOTES[VOTES["utterance"] == 0]
        assert corpus(votes).soft_targets().tolist() == [[0.5, 0.5], [1, 0], [0, 1]]

    def test_a_rater_of_two_emotions_has_one_vote(self):
        votes = pd.DataFrame(
            {"utterance": 0, "rater": ["r", "r", "s"], "emotion": ["anger", "fear", "fear"]}
        )
        assert corpus(votes).soft_targets()[0].tolist() == [0.25, 0.75]

    def test_speakers_do_not_vote_on_themselves(self):
        votes = VOTES.assign(self_evaluation=VOTES["emotion"] == "fear")
        assert corpus(votes).soft_targets()[0].tolist() == [1, 0]

    def test_votes_in_another_spelling_count_for_the_label(self):
        emotions = ["Anger", "anger\u200b", "FEAR ", "boredom", "Boredom"]
        votes = corpus(VOTES.assign(emotion=emotions, rater=["r", "r ", 1, 1.0, None])).votes
        assert votes["emotion"].tolist() == ["anger", "fear", "anger", "boredom", "boredom"]
        assert votes["rater"].tolist() == ["r", "1", "r", "1", None]

    def test_an_unknown_self_evaluation_is_a_vote_of_another(self):
        votes = VOTES.assign(self_evaluation=[None, None, True, np.nan, False])
        assert corpus(votes).votes["self_evaluation"].tolist() == [False, True, *[False] * 3]
        assert corpus(votes).soft_targets()[0].tolist() == [0, 1]

    def test_missing_votes_and_labels_outside_the_classes_are_refused(self):
        with pytest.raises(ValueError, match="mine has no votes for emotions"):
            corpus(None).soft_targets()
        with pytest.raises(ValueError, match=re.escape("labels ['anger'], which are not in")):
            corpus().soft_targets(["fear"])


CREMA_D = (
    '"","A","D","F","H","N","S","fileName","numResponses","agreement"\n'
    '"100001",1,0,0,0,2,0,"1001_IEO_NEU_XX",3,0.67\n'
    '"100002",0,0,0,1,0,0,"1001_IEO_HAP_LO",1,1\n'
    '"200001",9,0,0,0,0,0,"1001_IEO_NEU_XX",9,1\n'
    '"300001",0,0,0,0,0,9,"1001_IEO_NEU_XX",9,1\n'
)


class TestCremaD:
    def load(self, root, table):
        add(root, "AudioWAV/1001_IEO_NEU_XX.wav")
        if table is not None:
            add(root, "processedResults/tabulatedVotes.csv", content=table.encode())
        return quietly(load_crema_d, root)

    def test_counts_of_the_voice_alone_become_rows(self, tmp_path):
        votes = self.load(tmp_path, CREMA_D).votes
        assert rows(votes) == [[0, None, "anger"], [0, None, "neutral"], [0, None, "neutral"]]

    def test_without_the_table_there_are_no_votes(self, tmp_path):
        assert self.load(tmp_path, None).votes is None

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('"S",', "", r"lacks the columns \['S'\]"),
            ("100001", "900001", "line 2, begins with '900001'"),
            (",2,0,", ",two,0,", "line 2, has 'two' in N"),
            (",3,0.67", ",4,0.67", "line 2, counts .* not the 4 votes"),
            ("200001", "100003", "line 4, repeats the votes on the voice of 1001_IEO_NEU_XX"),
        ],
    )
    def test_a_damaged_table_is_named_with_the_line(self, tmp_path, old, new, message):
        with pytest.raises(ValueError, match=f"tabulatedVotes.csv.*{message}"):
            self.load(tmp_path, CREMA_D.replace(old, new, 1))


IEMOCAP = (
    "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
    "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
    "C-E2:\tNeutral;\t()\n"
    "C-E4:\tAnger; Frustration;\t()\n"
    "C-F1:\tSadness;\t(curious)\n"
    "A-E3:\tval 3; act 2; dom  2;\t()\n"
    "A-E4:\tval 2; act 3; dom  ;\t(mildly aggravated but staying polite, attitude)\n"
    "A-F1:\tval 3; act 2; dom  1;\t()\n"
)


class TestIEMOCAP:
    def load(self, root, text, **options):
        add(root, "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav")
        path = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
        add(root, path, content=text.encode())
        return quietly(load_iemocap, root, **options)

    def test_evaluators_and_speakers_vote(self, tmp_path):
        votes = self.load(tmp_path, IEMOCAP).votes
        assert rows(votes, "emotion", "self_evaluation") == [
            [0, "E2", "neutral", False],
            [0, "E4", "anger", False],
            [0, "E4", "frustration", False],
            [0, "Ses01F", "sadness", True],
            [0, "E3", None, False],
        ]
        ratings = votes.set_index("rater")[["valence", "activation", "dominance"]]
        assert ratings.loc["E3"].tolist() == [3, 2, 2]
        assert ratings.loc["Ses01F"].tolist() == [3, 2, 1]
        np.testing.assert_array_equal(ratings.loc["E4"], [[2, 3, np.nan], [np.nan] * 3])

    def test_four_classes_are_shared_by_labels_and_votes(self, tmp_path):
        loaded = self.load(tmp_path, IEMOCAP.replace("Neutral", "Excited"), labels="4-class")
        assert loaded.votes["emotion"].dropna().tolist() == ["happiness", "anger", "sadness"]

    def test_without_votes_there_are_none(self, tmp_path):
        text = "".join(IEMOCAP.splitlines(keepends=True)[:3])
        assert self.load(tmp_path, text).votes is None

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("C-E2", "C-X2", "line 4, cannot be read as the vote of a rater"),
            ("Neutral", "Nautral", "line 4, has a vote for 'nautral'"),
            ("val 3", "val three", "line 7, has 'three' in valence"),
            ("; dom  2;", "", "line 7, "),
        ],
    )
    def test_a_damaged_line_is_named(self, tmp_path, old, new, message):
        with pytest.raises(ValueError, match=rf"Ses01F_impro01.txt, {message}"):
            self.load(tmp_path, IEMOCAP.replace(old, new, 1))


WORKER = {"EmoClass_Major": "Other-tired; A:", "EmoAct": "5", "EmoVal": 3, "EmoDom": "4"}
PODCAST = {
    "labels_detailed.csv": [
        "FileName,EmoDetail\n"
        'P_1.wav,"WORKER1; Happy; Happy,Amused; A:4.0; V:6.0; D:3.0;"\n'
        'P_1.wav,"WORKER2; Other-tired; A:; A:5.0; V:3.0; D:4.0;"\n'
        'P_9.wav,"WORKER2; Sad; ; A:5.0; V:3.0; D:4.0;"\n',
        "FileName,Workers,EmoClass_Major,EmoClass_Second,EmoAct,EmoVal,EmoDom\n"
        'P_1.wav,WORKER1,Happy,"Happy,Amused",4,6,3\n'
        "P_1.wav,WORKER2,Other-tired; A:,,5,3,4\n",
    ],
    "labels_detailed.json": [
        json.dumps(
            {
                "P_1.wav": {
                    "WORKER1": WORKER | {"EmoClass_Major": "Happy", "EmoAct": 4, "EmoVal": "6",
                                         "EmoDom": 3},
                    "WORKER2": WORKER,
                }
            }
        ),
        json.dumps(
            {
                "P_1.wav": {
                    "Workers": [
                        WORKER | {"Name": "WORKER1", "EmoClass_Major": "Happy", "EmoAct": 4,
                                  "EmoVal": "6", "EmoDom": 3},
                        WORKER | {"Name": "WORKER2"},
                    ]
                }
            }
        ),
    ],
}  # fmt: skip


class TestMSPPodcast:
    def load(self, root, name=None, text=None):
        add(root, "Audios/P_1.wav")
        consensus = (
            "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
            "P_1.wav,H,4.5,4.5,3.5,7,Male,Test3\n"
        )
        add(root, "Labels/labels_consensus.csv", content=consensus.encode())
        if name is not None:
            add(root, f"Labels/{name}", content=text.encode())
        return load_msp_podcast(root)

    @pytest.mark.parametrize(
        ("name", "text"), [(name, text) for name, texts in PODCAST.items() for text in texts]
    )
    def test_each_layout_gives_the_same_votes(self, tmp_path, name, text):
        votes = self.load(tmp_path, name, text).votes
        assert rows(votes, "emotion", "valence", "activation", "dominance") == [
            [0, "WORKER1", "happiness", 6, 4, 3],
            [0, "WORKER2", "other", 3, 5, 4],
        ]

    def test_without_the_table_there_are_no_votes(self, tmp_path):
        assert self.load(tmp_path).votes is None

    @pytest.mark.parametrize(
        ("name", "old", "new", "message"),
        [
            ("labels_detailed.csv", "; D:3.0", "", "line 2, has the EmoDetail"),
            ("labels_detailed.csv", "V:3.0", "V:3.x", "line 3, has '3.x' in EmoVal"),
            ("labels_detailed.json", "{", "[", "cannot be read as JSON"),
            ("labels_detailed.json", "EmoAct", "Act", r"entry 'P_1.wav', lacks \['EmoAct'\]"),
        ],
    )
    def test_a_damaged_file_is_named_with_the_place(self, tmp_path, name, old, new, message):
        with pytest.raises(ValueError, match=f"{name}.*{message}"):
            self.load(tmp_path, name, PODCAST[name][0].replace(old, new, 1))


class TestAudformat:
    def load(self, folder, column):
        audformat = pytest.importorskip("audformat")
        db = audformat.Database("calls")
        db.schemes["emotion"] = audformat.Scheme(labels=["anger", "fear"])
        db.schemes["arousal"] = audformat.Scheme("float", minimum=1, maximum=5)
        for rater, kind in (("ann", "human"), ("bob", "human"), ("gold", "ground truth")):
            db.raters[rater] = audformat.Rater(kind)
        db["all"] = audformat.Table(audformat.filewise_index(["a.wav", "b.wav"]))
        columns = {
            "emotion": ("emotion", "gold", ["anger", "fear"]),
            "emotion.ann": ("emotion", "ann", ["anger", "anger"]),
            "emotion.bob": ("emotion", "bob", [None, "fear"]),
            "arousal.ann": ("arousal", "ann", [1.5, None]),
        }
        for name, (scheme, rater, values) in columns.items():
            db["all"][name] = audformat.Column(scheme_id=scheme, rater_id=rater)
            db["all"][name].set(values)
        add(folder, "a.wav", "b.wav")
        return load_audformat(db, column=column, root=folder).votes

    def test_columns_of_the_same_scheme_with_human_raters_are_votes(self, tmp_path):
        votes = self.load(tmp_path, "emotion")
        assert rows(votes) == [[0, "ann", "anger"], [1, "ann", "anger"], [1, "bob", "fear"]]
        np.testing.assert_array_equal(votes["activation"], [1.5, np.nan, np.nan])

    def test_a_list_names_the_columns_that_vote(self, tmp_path):
        votes = self.load(tmp_path, ["emotion.ann", "emotion"])
        assert rows(votes) == [
            [0, "ann", "anger"], [0, "gold", "anger"], [1, "ann", "anger"], [1, "gold", "fear"],
        ]  # fmt: skip
