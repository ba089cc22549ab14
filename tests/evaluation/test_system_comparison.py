"""Tests of the comparison of several evaluations."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from skser.evaluation import SpeakerEvaluation, compare, jackknife_by_speaker
from skser.inspection import ComparisonDisplay

SPEAKERS = np.repeat([f"s{i}" for i in range(8)], 12)
TRUE = np.tile(["anger", "fear", "joy"], 32)


def evaluated(accuracy, seed, n_seeds=1):
    """An evaluation whose predictions are right with this probability."""
    random = np.random.RandomState(seed)
    tables = []
    for i in range(n_seeds):
        wrong = random.rand(96) > accuracy
        predicted = np.where(wrong, random.choice(["anger", "fear", "joy"], 96), TRUE)
        tables.append(
            pd.DataFrame(
                {
                    "seed": i,
                    "fold": 0,
                    "utterance": np.arange(96),
                    "speaker": SPEAKERS,
                    "true": TRUE,
                    "predicted": predicted,
                }
            )
        )
    predictions = pd.concat(tables, ignore_index=True)
    return SpeakerEvaluation(predictions, pd.DataFrame(), [], {"corpus": "made-up"})


def test_intervals_of_scores_end_where_the_scores_do():
    found = {f"system {seed}": evaluated(0.98, seed) for seed in range(4)}
    systems, beyond = compare(found).systems, 0
    for name, evaluation in found.items():
        low, high = evaluation.interval(lambda true, predicted: recall_score(
            true, predicted, average="macro"
        ))  # fmt: skip
        assert evaluation.interval() == pytest.approx((low, min(1, high)))
        assert systems.loc[name, ["low", "high"]].tolist() == list(evaluation.interval())
        beyond += high > 1
    assert beyond


def test_a_metric_may_lack_a_hash():
    class Share:
        __hash__ = None

        def __call__(self, true, predicted):
            return accuracy_score(true, predicted)

    evaluation = evaluated(0.6, 0)
    assert evaluation.interval(Share()) == evaluation.interval(accuracy_score)


@pytest.fixture(scope="module")
def evaluations():
    return {"poor": evaluated(0.3, 0), "good": evaluated(0.9, 1), "middle": evaluated(0.5, 2, 2)}


def test_systems_are_sorted_by_score_with_their_intervals(evaluations):
    found = compare(evaluations)
    assert found.systems.index.tolist() == ["good", "middle", "poor"]
    for name, row in found.systems.iterrows():
        evaluation = evaluations[name]
        assert row["score"] == pytest.approx(evaluation.pooled().mean())
        assert (row["low"], row["high"]) == pytest.approx(evaluation.interval())
    ranks = found.speaker_scores.rank(axis=1, ascending=False).mean()
    assert found.systems["rank"].to_dict() == pytest.approx(ranks.to_dict())


def test_pairs_agree_with_the_comparison_of_two(evaluations):
    found = compare({name: evaluations[name] for name in ("poor", "good")}, metric=accuracy_score)
    good, poor = evaluations["good"], evaluations["poor"]
    pair = jackknife_by_speaker(TRUE, good.y_pred, poor.y_pred, SPEAKERS, metric=accuracy_score)
    (row,) = found.pairs.to_dict("records")
    assert (row["better"], row["worse"]) == ("good", "poor")
    for name in ("difference", "low", "high", "p_value"):
        assert row[name] == pytest.approx(getattr(pair, name))
    assert row["p_holm"] == row["p_value"]
    assert np.isnan(found.p_value)  # Friedman's test needs three systems


def test_p_values_of_three_pairs_are_corrected(evaluations):
    pairs = compare(evaluations).pairs
    smallest = pairs.sort_values("p_value").iloc[0]
    assert smallest["p_holm"] == pytest.approx(3 * smallest["p_value"])
    assert (pairs["p_holm"] >= pairs["p_value"]).all()


def test_speaker_scores_are_averaged_over_seeds(evaluations):
    found = compare(evaluations)
    middle = evaluations["middle"].predictions
    for speaker, score in found.speaker_scores["middle"].items():
        of_speaker = middle[middle["speaker"] == speaker]
        seeds = [
            balanced_accuracy_score(part["true"], part["predicted"])
            for _, part in of_speaker.groupby("seed")
        ]
        assert score == pytest.approx(np.mean(seeds))
    expected = scipy.stats.friedmanchisquare(*found.speaker_scores.to_numpy().T).pvalue
    assert found.p_value == pytest.approx(expected)


def test_a_system_does_not_differ_from_itself(evaluations):
    good = evaluations["good"]
    found = compare({"a": good, "b": good, "c": good})
    assert found.p_value == 1
    assert found.pairs[["difference", "low", "high"]].to_numpy().ravel().tolist() == [0] * 9
    assert found.pairs["p_holm"].tolist() == [1, 1, 1]
    assert found.systems["rank"].tolist() == [2, 2, 2]


def test_the_text_names_systems_pairs_and_levels(evaluations):
    text = str(compare(evaluations, confidence_level=0.9))
    assert "8 speakers" in text
    assert "90 % interval" in text
    assert "good - poor" in text
    assert "p (Holm)" in text
    assert "Friedman's test over speakers: p = 0.00" in text


CHANGES = [
    (lambda t: {"speaker": t["speaker"].to_numpy()[::-1]}, "'speaker' of utterance 0 is 's0' and"),
    (
        lambda t: {"true": t["true"].where(t["utterance"] != 4, "joy")},
        "'true' of .* 4 is 'fear' and",
    ),
    (lambda t: {"true": t["true"].where(t["utterance"] != 4)}, "'true' of .* 4 is 'fear' and nan"),
    (lambda t: {"utterance": t["utterance"] + 2}, "2 utterances only in 'good', such as 0"),
    (lambda t: {"true_valence": 1.0}, "only 'other' has 'true_valence'"),
    (lambda t: {"utterance": t["utterance"].astype(float)}, "values of different types"),
]


@pytest.mark.parametrize(("changed", "message"), CHANGES)
def test_evaluations_of_other_utterances_are_refused(evaluations, changed, message):
    good = evaluations["good"]
    other = dataclasses.replace(
        good, predictions=good.predictions.assign(**changed(good.predictions))
    )
    with pytest.raises(ValueError, match=f"'good' and 'other' were evaluated on .*{message}"):
        compare({"good": good, "other": other})


def test_other_input_than_two_evaluations_is_refused(evaluations):
    good = evaluations["good"]
    with pytest.raises(ValueError, match=r"at least two evaluations, got 1: \['good'\]"):
        compare({"good": good})
    with pytest.raises(TypeError, match=r"evaluations\['b'\] must be a SpeakerEvaluation, got int"):
        compare({"a": good, "b": 3})


def test_the_display_draws_systems_or_pairs(evaluations):
    pytest.importorskip("matplotlib").use("Agg")
    found = compare(evaluations)
    display = ComparisonDisplay.from_comparison(found)
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == ["good", "middle", "poor"]
    drawn = display.points_.lines[0].get_xdata()
    np.testing.assert_allclose(drawn, found.systems["score"])
    display = ComparisonDisplay.from_comparison(found, kind="differences")
    assert len(display.points_.lines[0].get_xdata()) == 3
    assert "difference in unweighted average recall" in display.ax_.get_xlabel()
    ends = [segment[:, 0].tolist() for segment in display.points_.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, found.pairs[["low", "high"]])
    with pytest.raises(ValueError, match="kind must be 'scores' or 'differences', got 'ranks'"):
        ComparisonDisplay.from_comparison(found, kind="ranks")


def test_other_recordings_of_the_same_labels_are_warned_of(evaluations):
    good = evaluations["good"]
    a, b = (
        dataclasses.replace(good, protocol=good.protocol | {"utterances_hash": of})
        for of in ("one", "other")
    )
    with pytest.warns(UserWarning, match="recordings or tables that 'a' and 'b' were evaluated on"):
        compare({"a": a, "b": b})
    compare({"a": a, "b": a, "c": good})
