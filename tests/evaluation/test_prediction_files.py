"""Files of predictions."""

import io
import os

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from skser.datasets import make_emotional_speech
from skser.evaluation import compare, cross_validate_speakers, read_predictions, write_predictions

HEAD = "utterance,speaker,true,predicted\n"


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(3, 6, random_state=0)


class _Noise(DummyRegressor):
    """Regressor of random numbers."""

    def __init__(self, random_state=0):
        super().__init__()
        self.random_state = random_state

    def predict(self, X):
        shape = (len(X), np.size(self.constant_))
        return np.squeeze(np.random.RandomState(self.random_state).rand(*shape))


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (DummyClassifier(strategy="stratified"), "emotion"),
        (_Noise(), "valence"),
        (_Noise(), ["valence", "dominance"]),
    ],
    ids=str,
)
def test_a_file_holds_the_whole_of_the_predictions(model, target, corpus, tmp_path):
    evaluation = cross_validate_speakers(model, corpus, target=target, cv=3, n_seeds=2)
    write_predictions(evaluation, tmp_path / "p.csv")
    found = read_predictions(tmp_path / "p.csv")
    assert found.target == target
    pd.testing.assert_frame_equal(found.predictions, evaluation.predictions)
    pd.testing.assert_frame_equal(found.summary(), evaluation.summary())
    assert found.interval() == evaluation.interval()
    both = compare({"before": evaluation, "after": found})
    assert both.pairs["difference"].tolist() == [0]


def test_predictions_are_written_whole_compressed_or_to_a_device(corpus, tmp_path, monkeypatch):
    evaluation = cross_validate_speakers(DummyClassifier(), corpus, cv=3)
    stream = io.StringIO()
    write_predictions(evaluation, stream)
    for name in ("p.csv", "p.csv.gz", "p.csv.zip"):
        write_predictions(evaluation, tmp_path / name)
        found = read_predictions(tmp_path / name)
        pd.testing.assert_frame_equal(found.predictions, evaluation.predictions)
    assert (tmp_path / "p.csv").read_bytes().decode() == stream.getvalue()
    write_predictions(evaluation, os.devnull)
    assert not os.path.isfile(os.devnull)
    before = (tmp_path / "p.csv").read_bytes()
    monkeypatch.setattr(pd.DataFrame, "to_csv", lambda _, file, **__: file.write(b"half") / 0)
    with pytest.raises(ZeroDivisionError):
        write_predictions(evaluation, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_bytes() == before


def test_shares_of_votes_are_kept(tmp_path):
    text = (
        "utterance,speaker,true_joy,true_fear,predicted_joy,predicted_fear\n"
        "a.wav,x,0.75,0.25,0.5,0.5\nb.wav,y,0,1,0.5,0.5\n"
    )
    found = read_predictions(io.StringIO(text))
    assert found.target == "votes"
    assert found.labels.tolist() == ["joy", "fear"]
    assert found.pooled()[0] == pytest.approx(np.log(2))


def test_a_missing_rating_is_kept_but_a_missing_prediction_refused():
    text = (
        "utterance,speaker,true_valence,true_dominance,predicted_valence,predicted_dominance\n"
        "1,x,,0.5,0.5,0\n2,y,1,1,0,1\n3,y,0,,{},0\n"
    )
    found = read_predictions(io.StringIO(text.format("0.25")))
    assert found.target == ["valence", "dominance"]
    np.testing.assert_array_equal(found.y_true, [[np.nan, 0.5], [1, 1], [0, np.nan]])
    with pytest.raises(ValueError, match="line 4: predicted_valence='' is not a number"):
        read_predictions(io.StringIO(text.format("")))


def test_rows_without_the_rating_of_a_single_dimension_are_left_out():
    head = "utterance,speaker,true_valence,predicted_valence\n"
    found = read_predictions(io.StringIO(head + "1,x,,0.5\n2,y,1,0\n3,y,0,0.25\n"))
    assert found.predictions["utterance"].tolist() == [2, 3]
    assert found.y_true.tolist() == [1, 0]
    with pytest.raises(ValueError, match="table has no ratings in the column true_valence"):
        read_predictions(io.StringIO(head + "1,x,,0.5\n"))


def test_names_stay_text(tmp_path):
    (tmp_path / "p.csv").write_text(HEAD + "b.wav,03,NA,1\n a.wav,nan,1,NA\n")
    found = read_predictions(tmp_path / "p.csv")
    assert found.predictions["utterance"].tolist() == ["a.wav", "b.wav"]
    assert found.predictions["speaker"].tolist() == ["nan", "03"]
    assert found.y_true.tolist() == ["1", "NA"]
    assert found.protocol["corpus"] == "p.csv, 2 utterances"


def test_each_seed_has_its_scores():
    rows = "1,x,joy,joy,0\n2,x,fear,fear,0\n3,x,joy,joy,0\n"
    rows += "1,x,joy,joy,1\n2,x,fear,joy,1\n3,x,joy,fear,1\n"
    found = read_predictions(io.StringIO(HEAD.replace("\n", ",seed\n") + rows))
    assert found.pooled().to_dict() == {0: 1.0, 1: 0.25}
    assert found.fold_results["uar"].tolist() == [1.0, 0.25]


def test_spellings_of_emotions_and_speakers_are_merged():
    rows = "1,x,joy,Joy ,0.5,0.5\n2,X,joy,JOY,1,0\n3,x,fear,Fear,0,1\n4,y,Fear,fear,0,1\n"
    text = HEAD.replace("\n", ",proba_JOY,proba_Fear\n") + rows
    with pytest.warns(UserWarning, match="that differ only in spelling were merged") as caught:
        found = read_predictions(io.StringIO(text))
    assert [str(warning.message) for warning in caught] == [
        "table: speakers that differ only in spelling were merged: 'X' as 'x'.",
        "table: emotions that differ only in spelling were merged: "
        "'Fear' as 'fear', 'Joy' as 'joy', 'JOY' as 'joy'.",
    ]
    assert found.pooled().tolist() == [1.0]
    assert found.labels.tolist() == ["joy", "fear"]
    assert set(found.predictions["speaker"]) == {"x", "y"}


def test_whole_numbers_of_another_type_are_the_same_emotions():
    with pytest.warns(UserWarning, match="'0.0' as '0', '1.0' as '1'"):
        found = read_predictions(io.StringIO(HEAD + "1,x,0,0.0\n2,x,1,1.0\n3,y,01,01\n"))
    assert found.pooled().tolist() == [1.0]
    assert set(found.y_true) == {"0", "1", "01"}  # codes are not numbers


def test_predictions_that_cannot_be_right_are_warned_of():
    with pytest.warns(UserWarning, match="table: no predicted emotion is among the true ones"):
        found = read_predictions(io.StringIO(HEAD + "1,x,joy,happy\n2,y,joy,sad\n"))
    assert found.pooled().tolist() == [0.0]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_other_encodings_than_utf_8_are_refused(encoding, tmp_path):
    (tmp_path / "p.csv").write_text(HEAD + "1,x,größe,größe\n", encoding=encoding)
    with pytest.raises(ValueError, match=r"^p.csv is not encoded in UTF-8. Save it"):
        read_predictions(tmp_path / "p.csv")
    with pytest.raises(IsADirectoryError, match="is a folder. Give a CSV file of predictions"):
        read_predictions(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "table has no rows"),
        ("utterance,true,predicted\n1,a,b\n", "lacks the columns \\['speaker'\\]"),
        (HEAD.replace("true", "truth") + "1,x,a,b\n", "lacks the columns \\['true'\\]"),
        (HEAD.replace("\n", ",group\n") + "1,x,a,b,c\n", "unknown columns \\['group'\\]"),
        (HEAD + "1,x,a,b\n2,,a,b\n", "line 3: the column speaker is empty"),
        (HEAD + "1,x,a,b\n2,x,a, \n", "line 3: the column predicted is empty"),
        (HEAD + "1,x,a,b\n1,x,a,a\n", "line 3: the utterance 1 occurs twice"),
        (HEAD + "1,2,x,a,b\n", "more values than its 4 headings in each row"),
        (HEAD.replace("\n", ",seed\n") + "1,x,a,b,0.5\n", "line 2: seed is not a whole number"),
        (
            HEAD.replace("\n", ",seed\n") + "1,x,a,b,0\n1,x,b,b,1\n",
            "line 3: the utterance 1 has another true value",
        ),
        (HEAD.replace("\n", ",proba_a\n") + "1,x,a,a,7\n", "line 2: proba_a is not a probability"),
        (
            HEAD.replace("\n", ",seed\n") + "1,x,a,a,0\n1,y,a,a,1\n",
            "line 3: the utterance 1 has another true value or speaker",
        ),
        (
            HEAD.replace("\n", ",seed\n") + "1,x,a,a,0\n2,x,a,a,0\n3,x,a,a,0\n1,x,a,a,1\n",
            "table: seed 1 lacks the utterance 2, which another seed has",
        ),
        ("", "table is empty"),
        (HEAD + "1,x,a,b\n2,x,a,b,c\n", "table cannot be read as CSV: Expected 4 .* in line 3"),
        (HEAD + '1,x,a,b\n2,x,a,"b\n', "table cannot be read as CSV: .*EOF inside string"),
        (HEAD + "1,x,a,b\n\n2,x,a\n", "line 4: the column predicted is empty"),
        (HEAD.replace(",", ";") + "1;x;a;b\n", "table has semicolons or tabs"),
        (
            HEAD.replace("\n", ",proba_Joy,proba_joy\n") + "1,x,joy,joy,0.5,0.5\n",
            "table has the column proba_joy in two spellings",
        ),
        (HEAD + "1,x,0.5,0.25\n2,x,1,0.5\n", "Name the columns of a dimension after it"),
        (HEAD.replace("\n", ",seed\n") + "1,x,a,b,one\n", "line 2: seed='one' is not a number"),
        (
            "utterance,speaker,true_valence,predicted_valence\n1,x,high,1\n",
            "line 2: true_valence='high' is not a number",
        ),
        (
            "utterance,speaker,true_valence,predicted_arousal\n1,x,1,1\n",
            "lacks the columns \\['predicted_valence'\\]",
        ),
    ],
)
def test_bad_files_are_refused_by_line(text, message):
    with pytest.raises(ValueError, match=message):
        read_predictions(io.StringIO(text))
