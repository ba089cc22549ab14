"""Tests that the speakers reach every part of a model that splits by them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils._metadata_requests import _RoutingNotSupportedMixin

from skser.compose import AugmentedClassifier, TransferClassifier
from skser.datasets import SpeechCorpus, make_emotional_speech
from skser.evaluation import cross_validate_speakers
from skser.feature_extraction import MelSpectrogram
from skser.model_selection import StratifiedSpeakerKFold
from skser.neural_network import AttentionFCNClassifier

SEEN = []


class Stopping(ClassifierMixin, BaseEstimator):
    """Warns without groups as networks do, and notes the groups that it is given."""

    def __init__(self, early_stopping=True):
        self.early_stopping = early_stopping

    def fit(self, X, y, *, groups=None):
        if self.early_stopping and groups is None:
            warnings.warn("early_stopping without groups= may share speakers.", stacklevel=2)
        SEEN.append(None if groups is None else np.asarray(groups))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        first = 0.4 + 0.2 * (np.arange(len(X)) % 2)
        return np.column_stack([first, 1 - first])

    def predict(self, X):
        return np.resize(self.classes_, len(X))


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(6, 8, ("anger", "fear"), random_state=0)


@pytest.fixture(scope="module")
def lengths():
    """Audio to one number per utterance."""
    return FunctionTransformer(lambda X: np.array([[len(x)] for x in X], dtype=float))


def evaluate(model, corpus, **settings):
    SEEN.clear()
    return cross_validate_speakers(model, corpus, cv=2, **settings)


def wrapped(kind, inner, lengths):
    """An early-stopping estimator inside others."""
    linear = LogisticRegression()
    return {
        "pipeline": lambda: make_pipeline(lengths, inner),
        "vote": lambda: make_pipeline(
            lengths, VotingClassifier([("a", linear), ("b", inner)], voting="soft")
        ),
        "pipeline in a vote": lambda: VotingClassifier(
            [("a", make_pipeline(lengths, inner))], voting="soft"
        ),
        "one against the rest": lambda: make_pipeline(lengths, OneVsRestClassifier(inner)),
        "calibration": lambda: make_pipeline(
            lengths, CalibratedClassifierCV(inner, cv=StratifiedSpeakerKFold(2))
        ),
        "vote of votes": lambda: make_pipeline(
            lengths, VotingClassifier([("a", VotingClassifier([("b", inner)]))])
        ),
        "search": lambda: GridSearchCV(
            make_pipeline(lengths, VotingClassifier([("a", inner)])),
            {},
            cv=2,
            scoring="balanced_accuracy",
        ),
    }[kind]()


KINDS = (
    "pipeline", "vote", "pipeline in a vote", "one against the rest", "calibration",
    "vote of votes", "search",
)  # fmt: skip


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_gets_the_speakers(corpus, lengths, kind, routing):
    with config_context(enable_metadata_routing=routing):
        found = evaluate(wrapped(kind, Stopping(), lengths), corpus)
    held_out = [set(speakers) for speakers in found.fold_results["held_out"]]
    assert SEEN
    for groups in SEEN:
        assert groups is not None
        assert groups.ndim == 1
        assert any(set(groups).isdisjoint(speakers) for speakers in held_out)
    assert any(len(set(groups)) > 1 for groups in SEEN)


class Passing(ClassifierMixin, BaseEstimator):
    """Estimator around an estimator that passes no groups on."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y):
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        return self.estimator_.predict(X)


class PassingWithoutRouting(_RoutingNotSupportedMixin, Passing):
    """The same, which says so when it is asked."""


@pytest.mark.parametrize("kind", [Passing, PassingWithoutRouting])
def test_early_stopping_that_speakers_cannot_reach_is_refused(corpus, lengths, kind):
    with pytest.raises(ValueError, match="cannot be given the speakers, .* early_stopping=False"):
        evaluate(make_pipeline(lengths, kind(Stopping())), corpus)
    evaluate(make_pipeline(lengths, kind(Stopping(early_stopping=False))), corpus)
    assert [groups is None for groups in SEEN] == [True, True]


def test_a_stack_that_passes_groups_to_every_part_is_refused(corpus, lengths):
    # scikit-learn gives the metadata of a stack to its final estimator, whether it takes it or not.
    stack = StackingClassifier([("a", Stopping())], cv=2)
    with pytest.raises(ValueError, match="cannot be given the speakers"):
        evaluate(make_pipeline(lengths, stack), corpus)
    stack.set_params(final_estimator=Stopping(early_stopping=False))
    evaluate(make_pipeline(lengths, stack), corpus)
    assert all(groups is not None for groups in SEEN)


def test_a_request_against_groups_is_refused(corpus, lengths):
    with config_context(enable_metadata_routing=True):
        inner = Stopping().set_fit_request(groups=False)
        with pytest.raises(ValueError, match="cannot be given the speakers"):
            evaluate(make_pipeline(lengths, inner), corpus)


def test_a_network_in_a_vote_stops_early_by_speaker(corpus):
    network = AttentionFCNClassifier(
        max_epochs=2, early_stopping=True, validation_fraction=0.3, random_state=0
    )
    spectrogram = MelSpectrogram(n_mels=16, input_sampling_rate=corpus.sampling_rate)
    vote = VotingClassifier([("a", make_pipeline(spectrogram, network))], voting="soft")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="early_stopping")
        warnings.filterwarnings("ignore", message="All .* predictions|In its last epoch")
        found = evaluate(vote, corpus)
    assert len(found.predictions) == len(corpus.target)


def test_calibration_by_speaker_works(corpus, lengths):
    calibrated = CalibratedClassifierCV(LogisticRegression(), cv=StratifiedSpeakerKFold(2))
    found = evaluate(make_pipeline(lengths, calibrated), corpus)
    assert np.isfinite(found.y_proba).all()


def test_a_vote_gets_speakers_when_sentences_are_kept_apart_as_well(corpus, lengths):
    frame = pd.concat([corpus.frame.assign(sentence=f"s{i}") for i in range(4)])
    crossed = SpeechCorpus(frame, "crossed", {}, sampling_rate=corpus.sampling_rate)
    evaluate(wrapped("vote", Stopping(), lengths), crossed, sentences=True)
    assert {groups.ndim for groups in SEEN} == {1}
    assert set(np.concatenate(SEEN)) == set(corpus.speakers)


def in_copies(estimator, corpus):
    def softer(samples, sampling_rate, random_state):
        return samples / 2

    return AugmentedClassifier(estimator, softer, input_sampling_rate=corpus.sampling_rate)


def test_copies_whose_speakers_are_not_passed_on_are_refused(corpus, lengths):
    inner = in_copies(make_pipeline(lengths, Stopping()), corpus)
    with pytest.raises(ValueError, match="cannot be given the speakers, .* early_stopping=False"):
        evaluate(Passing(inner), corpus)


def test_copies_of_an_augmented_network_keep_their_speakers(corpus, lengths):
    inner = in_copies(make_pipeline(lengths, Stopping()), corpus)
    evaluate(VotingClassifier([("a", inner)]), corpus)
    assert all(len(groups) == 2 * len(corpus.target) // 2 for groups in SEEN)
    assert all(len(set(groups)) == 3 for groups in SEEN)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_search_without_scoring_around_a_vote_is_scored(corpus, lengths, at_the_end, routing):
    vote = VotingClassifier([("a", Stopping()), ("b", LogisticRegression())], voting="soft")
    choices = {"weights": [[1, 0], [0, 1]]}
    if at_the_end:
        search = make_pipeline(lengths, GridSearchCV(vote, choices, cv=2))
    else:
        choices = {f"votingclassifier__{name}": values for name, values in choices.items()}
        search = GridSearchCV(make_pipeline(lengths, vote), choices, cv=2)
    with config_context(enable_metadata_routing=routing):
        found = evaluate(search, corpus)
    # Accuracies of the inner folds: each class has half of the utterances.
    for fitted in found.fold_results["fitted"]:
        assert float(fitted["best_score_"]) >= 0.5


@pytest.fixture(scope="module")
def voted(corpus):
    votes = pd.DataFrame(
        {
            "utterance": np.repeat(np.arange(48), 4),
            "rater": ["1", "2", "3", "4"] * 48,
            "emotion": ["anger", "anger", "anger", "fear"] * 48,
        }
    )
    return SpeechCorpus(corpus.frame, "voted", {}, sampling_rate=16000, votes=votes)


class TestSoftTargets:
    """The shares of votes reach every part that learns them, or the call is refused."""

    class Learner(ClassifierMixin, BaseEstimator):
        """Predicts the mean shares of its training set, and notes them."""

        def fit(self, X, y, soft_targets=None):
            self.classes_ = np.unique(y)
            self.shares_ = [0.0, 0.0] if soft_targets is None else soft_targets.mean(axis=0)
            assert soft_targets is None or len(soft_targets) == len(X)
            return self

        def predict_proba(self, X):
            return np.tile(self.shares_, (len(X), 1))

        def predict(self, X):
            return np.resize(self.classes_, len(X))

    @pytest.mark.parametrize("routing", [False, True])
    @pytest.mark.parametrize(
        "around",
        [
            lambda inner: VotingClassifier([("a", inner)], voting="soft"),
            lambda inner: VotingClassifier(
                [("a", VotingClassifier([("b", inner)], voting="soft"))], voting="soft"
            ),
            lambda inner: GridSearchCV(VotingClassifier([("a", inner)], voting="soft"), {}, cv=2),
            lambda inner: BaggingClassifier(inner, n_estimators=2),
        ],
        ids=["vote", "vote of votes", "search", "bagging"],
    )
    def test_parts_of_other_estimators_get_them(self, voted, lengths, around, routing):
        model = make_pipeline(lengths, around(self.Learner()))
        with config_context(enable_metadata_routing=routing):
            found = cross_validate_speakers(model, voted, target="votes", cv=2)
        np.testing.assert_allclose(found.y_pred, [[0.75, 0.25]] * 48)

    def test_a_network_in_a_vote_is_trained_on_them(self, voted):
        network = AttentionFCNClassifier(max_epochs=2, random_state=0, device="cpu", n_threads=1)
        spectrogram = MelSpectrogram(n_mels=16, input_sampling_rate=voted.sampling_rate)
        alone = make_pipeline(spectrogram, network)
        vote = VotingClassifier([("a", alone)], voting="soft")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="All .* predictions|In its last epoch")
            first, second = (
                cross_validate_speakers(model, voted, target="votes", cv=2)
                for model in (alone, vote)
            )
        np.testing.assert_allclose(first.y_pred, second.y_pred, atol=1e-6)

    def test_the_fitted_source_of_a_transfer_needs_none(self, voted):
        spectrogram = MelSpectrogram(n_mels=16, input_sampling_rate=voted.sampling_rate)
        network = AttentionFCNClassifier(max_epochs=1, random_state=0, device="cpu", n_threads=1)
        X = spectrogram.fit_transform(voted.data)
        alone = TransferClassifier(network, clone(network).fit(X, voted.speakers))
        vote = VotingClassifier([("a", alone)], voting="soft")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="All .* predictions|In its last epoch")
            first, second = (
                cross_validate_speakers(
                    make_pipeline(spectrogram, model), voted, target="votes", cv=2
                ).y_pred
                for model in (alone, vote)
            )
        np.testing.assert_allclose(first, second, atol=1e-6)

    @pytest.mark.parametrize(
        "around",
        [
            Passing,
            PassingWithoutRouting,
            # It passes them on to its final estimator too, which does not take them.
            lambda inner: StackingClassifier([("a", inner)], cv=2),
        ],
    )
    def test_a_part_that_they_cannot_reach_is_refused(self, voted, lengths, around):
        model = make_pipeline(lengths, around(self.Learner()))
        with pytest.raises(ValueError, match="takes soft_targets but cannot be given the shares"):
            cross_validate_speakers(model, voted, target="votes", cv=2)
        cross_validate_speakers(model, voted, cv=2)

    def test_a_request_under_another_name_is_met(self, voted, lengths):
        with config_context(enable_metadata_routing=True):
            inner = self.Learner().set_fit_request(soft_targets="shares")
            model = make_pipeline(lengths, VotingClassifier([("a", inner)], voting="soft"))
            found = cross_validate_speakers(model, voted, target="votes", cv=2)
        np.testing.assert_allclose(found.y_pred, [[0.75, 0.25]] * 48)

    def test_a_request_against_them_is_kept(self, voted, lengths):
        with config_context(enable_metadata_routing=True):
            inner = self.Learner().set_fit_request(soft_targets=False)
            model = make_pipeline(
                lengths,
                VotingClassifier([("a", inner), ("b", LogisticRegression())], voting="soft"),
            )
            found = cross_validate_speakers(model, voted, target="votes", cv=2)
        # The mean of zeros and the probabilities of the other model, scaled to shares.
        assert np.isfinite(found.y_pred).all()
        assert not np.allclose(found.y_pred, [[0.75, 0.25]])
