import pytest

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
