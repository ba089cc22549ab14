import numpy as np
import pytest

from skser.feature_extraction import Functionals, MelSpectrogram
from skser.neural_network import AdversarialAEClassifier
from tests.support.optional import installed

shap = installed("shap")


@pytest.mark.filterwarnings("ignore")  # shap and its plotting library raise warnings
def test_shap_values_of_named_columns_sum_to_the_prediction(spoken):
    features = Functionals(MelSpectrogram(n_mels=2, deltas=0), ("moments",))
    vectors = features.set_output(transform="pandas").fit_transform(spoken.files)
    vectors = (vectors - vectors.mean()) / vectors.std()
    model = AdversarialAEClassifier(max_epochs=5, device="cpu", random_state=0)
    model.fit(vectors, spoken.y)

    def probability(X):
        return model.predict_proba(vectors.iloc[:0].reindex(range(len(X))).assign(
            **dict(zip(vectors, X.T, strict=True))))[:, 0]  # fmt: skip

    explainer = shap.PermutationExplainer(probability, vectors.to_numpy(), seed=0)
    explained = explainer(vectors.to_numpy()[:2], max_evals=60, silent=True)
    assert explained.values.shape == (2, 8)
    total = explained.base_values + explained.values.sum(axis=1)
    np.testing.assert_allclose(total, probability(vectors.to_numpy()[:2]), atol=1e-4)
