import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.support.optional import installed

installed("mlxtend")


def test_selector_chooses_among_named_columns(spoken, features):
    from mlxtend.feature_selection import SequentialFeatureSelector

    vectors = features.set_output(transform="pandas").fit_transform(spoken.files)
    vectors = vectors[[name for name in vectors if name.endswith(("_mean", "_std"))]]
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    selector = SequentialFeatureSelector(classifier, k_features=2, cv=2).fit(vectors, spoken.y)
    assert set(selector.k_feature_names_) <= set(vectors)
    assert selector.k_score_ > 0.6


def test_vote_averages_probabilities_of_models_of_files(spoken, linear, network):
    from mlxtend.classifier import EnsembleVoteClassifier

    models = [model.fit(spoken.files, spoken.y) for model in (linear, network)]
    vote = EnsembleVoteClassifier(
        models, voting="soft", fit_base_estimators=False, use_clones=False
    )
    proba = vote.fit(spoken.files, spoken.y).predict_proba(spoken.files)
    expected = np.mean([model.predict_proba(spoken.files) for model in models], axis=0)
    np.testing.assert_allclose(proba, expected)
