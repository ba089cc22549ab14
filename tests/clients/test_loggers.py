"""Experiment loggers, used as callbacks of skorch."""

import numpy as np
import pytest

from skser.neural_network import AttentionFCNClassifier

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
QUICK = {"max_epochs": 3, "device": "cpu", "n_threads": 1, "random_state": 0}


@pytest.fixture
def data():
    random = np.random.RandomState(0)
    return random.randn(20, 12, 4).astype(np.float32), np.arange(20) % 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_tensorboard_logs_the_losses(data, tmp_path):
    pytest.importorskip("tensorboard")
    from skorch.callbacks import TensorBoard
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        model = AttentionFCNClassifier(callbacks=[TensorBoard(writer)], **QUICK).fit(*data)
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("Loss/train_loss")
    losses = [row["train_loss"] for row in model.history_]
    assert [event.value for event in events] == pytest.approx(losses, rel=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_logs_the_losses(data, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow")
    from skorch.callbacks import MlflowLogger

    client = mlflow.MlflowClient((tmp_path / "mlruns").as_uri())
    experiment = client.create_experiment("skser", artifact_location=tmp_path.as_uri())
    run = client.create_run(experiment)
    logger = MlflowLogger(run, client, terminate_after_train=False)
    model = AttentionFCNClassifier(callbacks=[logger], **QUICK).fit(*data)
    kept = client.get_metric_history(run.info.run_id, "train_loss")
    losses = [row["train_loss"] for row in model.history_]
    assert sorted(metric.value for metric in kept) == pytest.approx(sorted(losses), rel=1e-5)


def test_weights_and_biases_logs_the_losses_offline(data, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from skorch.callbacks import WandbLogger

    monkeypatch.setenv("WANDB_SILENT", "true")
    run = wandb.init(mode="offline", dir=tmp_path, project="skser")
    model = AttentionFCNClassifier(callbacks=[WandbLogger(run, save_model=False)], **QUICK)
    model.fit(*data)
    last = run.summary["train_loss"]
    run.finish()
    assert last == pytest.approx(model.history_[-1]["train_loss"], rel=1e-5)
