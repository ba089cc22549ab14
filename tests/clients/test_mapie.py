import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from tests.support.optional import installed

installed("mapie")


@pytest.mark.filterwarnings("ignore::UserWarning:mapie")
@pytest.mark.parametrize("model", ["linear", "network"])
def test_prediction_sets_reach_the_requested_coverage(spoken, model, request):
    from mapie.classification import SplitConformalClassifier

    # Freeze the model, because MAPIE would pass a 2-D array to a fitted one.
    model = request.getfixturevalue(model).fit(spoken.files[spoken.train], spoken.y[spoken.train])
    sets = SplitConformalClassifier(FrozenEstimator(model), confidence_level=0.8, prefit=False)
    sets.fit(spoken.files[spoken.train], spoken.y[spoken.train])
    sets.conformalize(spoken.files[spoken.test], spoken.y[spoken.test])
    predicted, contained = sets.predict_set(spoken.files[spoken.test])
    assert set(predicted) <= {"anger", "sadness"}
    index = np.searchsorted(model.classes_, spoken.y[spoken.test])
    assert contained[np.arange(len(index)), index, 0].mean() >= 0.8
