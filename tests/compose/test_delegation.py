"""Estimators whose methods depend on inner estimators, inside those of this package."""

import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skser._delegation import will_have
from skser.compose import AugmentedClassifier, SegmentedClassifier
from skser.datasets import load_table, make_emotional_speech
from skser.evaluation import cross_validate_speakers, label_efficiency_curve
from skser.feature_extraction import Functionals, MelSpectrogram
from tests.support.estimators import add_noise


def audio():
    mel = MelSpectrogram(n_mels=4, deltas=0, input_sampling_rate=16000)
    return Functionals(mel, statistics=("moments",))


def linear(*steps):
    return make_pipeline(*steps, StandardScaler(), LogisticRegression())


def stack(*steps):
    return StackingClassifier([("a", linear(*steps)), ("b", linear(*steps))], cv=2)


STACKS = {
    "alone": lambda: stack(audio()),
    "last step": lambda: make_pipeline(audio(), stack()),
    "searched": lambda: GridSearchCV(stack(audio()), {"a__logisticregression__C": [0.1]}, cv=2),
    "augmented": lambda: AugmentedClassifier(stack(audio()), add_noise, input_sampling_rate=16000),
}


INNER_SPLIT = pytest.mark.filterwarnings("ignore:StackingClassifier splits its training rows")


@INNER_SPLIT
@pytest.mark.parametrize("name", STACKS)
def test_stack_with_default_final_estimator_is_evaluated(name, corpus):
    model = STACKS[name]()
    found = cross_validate_speakers(model, corpus, cv=2)
    model.set_params(**{p: 0 for p in model.get_params() if p.endswith("random_state")})
    for train, test in found.folds:
        given = found.predictions.set_index("utterance").loc[test, "predicted"]
        alone = clone(model).fit([corpus.data[i] for i in train], corpus.target[train])
        assert list(given) == list(alone.predict([corpus.data[i] for i in test]))
    assert not hasattr(model, "estimator_")


@INNER_SPLIT
def test_stack_with_default_final_estimator_works_in_curves_and_windows(corpus, mels):
    speakers, y = corpus.speakers, corpus.target
    vectors = audio().fit_transform(corpus.data)
    curve = label_efficiency_curve(
        {"stack": stack()}, vectors, y, groups=speakers, n_labels=[4], cv=2
    )
    assert len(curve.predictions) == 5 * len(y)
    means = Functionals(statistics=("moments",))
    model = SegmentedClassifier(make_pipeline(means, stack()), window=0.4, hop=0.4)
    assert model.fit(mels, y).predict_proba(mels).shape == (40, len(np.unique(y)))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_methods_of_a_fitted_estimator_are_known_before_fit(method):
    X, y = np.random.RandomState(0).randn(40, 3), np.arange(40) % 2
    for model in (
        stack(),
        make_pipeline(StandardScaler(), stack()),
        GridSearchCV(stack(), {"cv": [2]}),
        StackingClassifier([("a", LogisticRegression())], LinearSVC(), cv=2),
        VotingClassifier([("a", LogisticRegression())]),
        make_pipeline(LinearSVC()),
        make_pipeline(StandardScaler()),
        GridSearchCV(LinearSVC(), {"C": [1.0]}),
        LogisticRegression(),
    ):
        assert will_have(model, method) == hasattr(clone(model).fit(X, y), method)


def test_estimator_without_predict_raises_before_any_fit(corpus):
    for model in (StandardScaler(), make_pipeline(audio(), StandardScaler())):
        with pytest.raises(ValueError, match="implementing 'fit' and 'predict'"):
            cross_validate_speakers(model, corpus)
    with pytest.raises(ValueError, match="implementing 'fit' and 'predict_proba'"):
        SegmentedClassifier(LinearSVC()).fit(np.zeros((2, 5, 1)), [0, 1])


class NotesInput(LogisticRegression):
    """Logistic regression that records, as `n_iter_`, a description of its input."""

    def fit(self, X, y, groups=None):
        super().fit(X, y)
        self.n_iter_ = f"{type(X).__name__}, {len(np.unique(groups))} groups"
        return self


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scikit_learn_configuration_reaches_every_process(corpus, n_jobs):
    with config_context(enable_metadata_routing=True, transform_output="pandas"):
        model = make_pipeline(audio(), StandardScaler(), NotesInput().set_fit_request(groups=True))
        found = cross_validate_speakers(model, corpus, cv=2, n_jobs=n_jobs)
    given = [fold["n_iter_"] for fold in found.fold_results["fitted"]]
    assert given == ["DataFrame, 2 groups"] * 2


def test_search_scored_by_recall_does_not_warn_of_absent_classes(tmp_path):
    made = make_emotional_speech(4, 10, random_state=0, output_dir=tmp_path)
    table = made.frame[["audio", "emotion", "speaker"]]
    table = table[(table["emotion"] != "fear") | (table["speaker"] != "01")]
    table.to_csv(tmp_path / "table.csv", index=False)
    features = Functionals(MelSpectrogram(n_mels=4, deltas=0), statistics=("moments",))
    search = GridSearchCV(
        linear(features), {"logisticregression__C": [0.1]}, cv=2, scoring="balanced_accuracy"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corpus = load_table(tmp_path / "table.csv")
        found = cross_validate_speakers(search, corpus, cv=LeaveOneGroupOut())
    assert len(found.predictions) == len(table)
