import numpy as np
import pytest

from tests.support.optional import installed

installed("imblearn")


@pytest.fixture
def unbalanced(spoken):
    """Return the rows of all angry utterances and of five sad ones."""
    return np.r_[np.flatnonzero(spoken.codes == 1), np.flatnonzero(spoken.codes == 0)[:5]]


def test_sampler_before_the_transformer_repeats_files(spoken, unbalanced, network):
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline

    X, y = spoken.files[unbalanced, None], spoken.y[unbalanced]
    repeated, labels = RandomOverSampler(random_state=0).fit_resample(X, y)
    assert repeated.shape == (32, 1)
    model = make_pipeline(RandomOverSampler(random_state=0), *(s for _, s in network.steps))
    expected = network.fit(repeated, labels).predict_proba(spoken.files)
    given = model.fit(X, y).predict_proba(spoken.files)
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_sampler_accepts_an_utterance_table(spoken, unbalanced, linear):
    from imblearn.under_sampling import RandomUnderSampler

    table = spoken.frame[["audio"]].iloc[unbalanced]
    fewer, labels = RandomUnderSampler(random_state=0).fit_resample(table, spoken.y[unbalanced])
    assert len(fewer) == 10
    assert set(linear.fit(fewer, labels).predict(spoken.files)) == {"anger", "sadness"}


def test_smote_creates_vectors_between_features_and_classifier(spoken, unbalanced, linear):
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import make_pipeline

    features, *rest = (step for _, step in linear.steps)
    model = make_pipeline(features, SMOTE(k_neighbors=3, random_state=0), *rest)
    model.fit(spoken.files[unbalanced], spoken.y[unbalanced])
    assert model.score(spoken.files, spoken.y) > 0.7
