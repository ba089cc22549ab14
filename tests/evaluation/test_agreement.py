import numpy as np
import pandas as pd
import pytest

from skser.datasets import SpeechCorpus, evaluator_weighted_estimator
from skser.evaluation import agreement
from tests.support.optional import installed


def corpus(votes, n=4):
    frame = pd.DataFrame({"audio": [f"{i}.wav" for i in range(n)], "emotion": "neutral"})
    return SpeechCorpus(frame, "mine", {}, votes=None if votes is None else pd.DataFrame(votes))


def table(target, **ratings):
    """One column of a table of raters, one row per vote."""
    rows = [
        {"utterance": i, "rater": rater, target: value}
        for rater, values in ratings.items()
        for i, value in enumerate(values)
        if value is not None
    ]
    return pd.DataFrame(rows)


class TestEvaluatorWeightedEstimator:
    def test_weights_are_correlations_with_the_mean_of_the_others(self):
        ratings = {"r": [1, 2, 3, 4], "s": [1, 3, 2, 5], "t": [2, 2, 4, 3]}
        estimates, weights = evaluator_weighted_estimator(
            corpus(table("valence", **ratings)), "valence", return_weights=True
        )
        x = np.array(list(ratings.values()), dtype=float)
        expected = [np.corrcoef(x[k], np.delete(x, k, axis=0).mean(axis=0))[0, 1] for k in range(3)]
        np.testing.assert_allclose(weights, expected)
        assert weights.index.tolist() == ["r", "s", "t"]
        np.testing.assert_allclose(estimates, np.average(x, axis=0, weights=expected))

    def test_contrary_and_constant_raters_have_no_weight(self):
        agreeing = {rater: [1, 2, 3, 4] for rater in "pqr"}
        votes = table("valence", **agreeing, t=[4, 3, 2, 1], u=[5, 5, 5, 5])
        estimates, weights = evaluator_weighted_estimator(
            corpus(votes), "valence", return_weights=True
        )
        assert (weights[["t", "u"]] == 0).all()
        np.testing.assert_allclose(estimates, [1, 2, 3, 4])

    def test_utterances_of_raters_without_weight_have_the_mean_and_others_none(self):
        votes = table("valence", r=[1, None, None, None], s=[3, None, 4, None])
        estimates = evaluator_weighted_estimator(corpus(votes), "valence")
        np.testing.assert_array_equal(estimates, [2, np.nan, 4, np.nan])

    def test_missing_and_anonymous_votes_are_refused(self):
        with pytest.raises(ValueError, match="mine has no votes for valence"):
            evaluator_weighted_estimator(corpus(None), "valence")
        with pytest.raises(ValueError, match="dimension='arousal' is unknown"):
            evaluator_weighted_estimator(corpus(None), "arousal")
        votes = table("valence", r=[1, 2]).assign(rater=None)
        with pytest.raises(ValueError, match="mine has anonymous votes for valence"):
            evaluator_weighted_estimator(corpus(votes), "valence")


# Four units with a missing vote: alpha, by hand, from the coincidences of Krippendorff (2011).
RATED = {"r": ["a", "a", "b", "b"], "s": ["a", "a", "b", "a"], "t": ["a", "b", "b", None]}


class TestAgreement:
    def test_alpha_of_emotions_equals_the_value_by_hand(self):
        installed("krippendorff")
        found = agreement(corpus(table("emotion", **RATED))).summary.loc["emotion"]
        # 11 values in four units, six of them "a". Coincidences of unequal values: of unit 2,
        # 2 * 2 / 2 ordered pairs, of unit 4, 2 / 1. Expected: 2 * 6 * 5 / 10.
        assert found["alpha"] == pytest.approx(1 - 4 / (2 * 6 * 5 / 10))
        assert found["n_utterances"] == 4
        assert found["raters"] == 11 / 4

    def test_alpha_of_numbers_is_that_of_intervals(self):
        krippendorff = installed("krippendorff")
        ratings = {"r": [1, 2, 3, 4], "s": [1, 3, 3, 5], "t": [2, 2, 4, None]}
        found = agreement(corpus(table("valence", **ratings))).summary.loc["valence"]
        data = np.array([[np.nan if v is None else v for v in row] for row in ratings.values()])
        expected = krippendorff.alpha(data, level_of_measurement="interval")
        assert found["alpha"] == pytest.approx(expected)

    def test_the_human_score_is_that_of_each_vote_against_the_others(self):
        installed("krippendorff")
        found = agreement(corpus(table("emotion", **RATED)))
        # All votes of units 1 and 3 have a consensus of the others, of unit 2 that of t alone,
        # and of unit 4 both, against the one other.
        true = ["a"] * 3 + ["b"] * 3 + ["a"] + ["a", "b"]
        voted = ["a"] * 3 + ["b"] * 3 + ["b"] + ["b", "a"]
        recalls = [
            np.mean([v == c for t, v in zip(true, voted, strict=True) if t == c]) for c in "ab"
        ]
        assert found.summary.loc["emotion", "human"] == pytest.approx(np.mean(recalls))
        assert found.summary.loc["emotion", "metric"] == "UAR"
        assert found.raters.loc[("emotion", "t"), "n"] == 3
        assert found.raters.loc[("emotion", "t"), "score"] == pytest.approx((0.5 + 1) / 2)

    def test_the_human_score_of_a_dimension_is_the_concordance(self):
        installed("krippendorff")
        votes = table("activation", r=[1, 2, 3, 4], s=[2, 3, 4, 5])
        found = agreement(corpus(votes))
        # Both have the variance 1.25, and their means differ by 1.
        expected = 2 * 1.25 / (1.25 + 1.25 + 1)
        assert found.raters.loc[("activation", "r"), "score"] == pytest.approx(expected)
        assert found.summary.loc["activation", "metric"] == "CCC"

    def test_anonymous_votes_count_together(self):
        installed("krippendorff")
        named, anonymous = table("emotion", **RATED), table("emotion", **RATED)
        anonymous["rater"] = None
        found = agreement(corpus(anonymous))
        assert found.raters.empty
        pd.testing.assert_frame_equal(found.summary, agreement(corpus(named)).summary)

    def test_speakers_and_second_choices_do_not_count(self):
        installed("krippendorff")
        votes = table("emotion", **RATED)
        own = votes.assign(rater="speaker", emotion="c", self_evaluation=True)
        second = votes.assign(emotion="d", self_evaluation=False)
        both = pd.concat([votes.assign(self_evaluation=False), own, second])
        pd.testing.assert_frame_equal(
            agreement(corpus(both)).summary, agreement(corpus(votes)).summary
        )

    def test_votes_that_never_differ_have_no_alpha(self):
        installed("krippendorff")
        found = agreement(corpus(table("emotion", r=["a", "a"], s=["a", "a"])))
        assert np.isnan(found.summary.loc["emotion", "alpha"])
        assert found.summary.loc["emotion", "human"] == 1

    def test_too_few_votes_are_refused(self):
        installed("krippendorff")
        with pytest.raises(ValueError, match="mine has no votes"):
            agreement(corpus(None))
        with pytest.raises(ValueError, match="mine has no utterance with the votes of two raters"):
            agreement(corpus(table("emotion", r=["a", "b"])))
