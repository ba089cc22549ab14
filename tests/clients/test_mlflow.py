import numpy as np
import pytest

from skser.persistence import trusted_types
from tests.support.optional import installed

pytestmark = pytest.mark.filterwarnings("ignore")  # mlflow raises deprecation warnings itself


def test_autologging_records_the_parameters_of_every_step(spoken, network, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = installed("mlflow")
    installed("mlflow.sklearn")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    mlflow.sklearn.autolog(
        log_models=False, log_datasets=False, log_post_training_metrics=False, silent=True
    )
    try:
        with mlflow.start_run() as run:
            network.fit(spoken.files, spoken.y)
        parameters = mlflow.get_run(run.info.run_id).data.params
    finally:
        mlflow.sklearn.autolog(disable=True)
        mlflow.set_tracking_uri(before)
    assert parameters["melspectrogram__n_mels"] == "16"
    assert parameters["attentionfcnclassifier__max_epochs"] == "12"


def test_a_logged_model_predicts_the_same_also_as_pyfunc(spoken, network, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")  # skops' format included
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = installed("mlflow")
    installed("mlflow.sklearn")
    path = tmp_path / "model"
    model = network.set_params(attentionfcnclassifier__max_epochs=1).fit(spoken.files, spoken.y)
    mlflow.sklearn.save_model(
        model, path, skops_trusted_types=trusted_types(model), pip_requirements=[]
    )
    assert (path / "model.skops").is_file()
    loaded = mlflow.sklearn.load_model(path.as_uri())
    expected = model.predict_proba(spoken.files)
    np.testing.assert_array_equal(loaded.predict_proba(spoken.files), expected)
    predicted = mlflow.pyfunc.load_model(path.as_uri()).predict(spoken.files)
    assert list(predicted) == model.predict(spoken.files).tolist()
