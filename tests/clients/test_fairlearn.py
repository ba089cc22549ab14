import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.metrics import unweighted_average_recall
from tests.support.optional import installed

installed("fairlearn")


def test_metric_frame_accepts_metrics_of_this_package(spoken, network):
    from fairlearn.metrics import MetricFrame

    network.fit(spoken.files[spoken.train], spoken.y[spoken.train])
    true, sex = spoken.y[spoken.test], spoken.frame["sex"].to_numpy()[spoken.test]
    predicted = network.predict(spoken.files[spoken.test])
    frame = MetricFrame(
        metrics=unweighted_average_recall, y_true=true, y_pred=predicted, sensitive_features=sex
    )
    for name, value in frame.by_group.items():
        rows = sex == name
        assert value == unweighted_average_recall(true[rows], predicted[rows])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_thresholds_are_optimized_on_vectors(spoken, features):
    from fairlearn.postprocessing import ThresholdOptimizer

    vectors, sex = features.fit_transform(spoken.files), spoken.frame["sex"].to_numpy()
    model = ThresholdOptimizer(
        estimator=make_pipeline(StandardScaler(), LogisticRegression()),
        predict_method="predict_proba",
    )
    model.fit(vectors, spoken.codes, sensitive_features=sex)
    predicted = model.predict(vectors, sensitive_features=sex, random_state=0)
    assert np.mean(predicted == spoken.codes) > 0.7
