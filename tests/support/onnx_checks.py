"""Models for export to ONNX, and comparisons of their predictions."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from skser.export import export_onnx, load_onnx

pytest.importorskip("onnx")

QUICK = {"max_epochs": 1, "device": "cpu", "random_state": 0}
SMALL = {"filters": (6, 8), "strides": (2, 1), "pool_sizes": (2, 1), **QUICK}


def fitted(model, X, y, judged_on=None):
    """Fit a model for one epoch, then replace its weights with random ones.

    Outputs after a single epoch are near zero and would hide errors. The last layer is scaled so
    that each output has a standard deviation of 1 over `judged_on`, or over X if that is None.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    network = model
    if isinstance(model, Pipeline):
        network, X = model[-1], model[:-1].transform(X if judged_on is None else judged_on)
    network = getattr(network, "estimator_", network)
    module = network.net_.module_
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith(("running_var", "scale")):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=random))
            elif tensor.is_floating_point():
                n_inputs = tensor[0].numel() if tensor.ndim > 1 else 1
                tensor.copy_(torch.randn(tensor.shape, generator=random) / n_inputs**0.5)
        outputs = network._outputs(X)
        last = module.output if hasattr(module.output, "weight") else module.emotion
        scale = torch.tensor(1 / outputs.std(axis=0), dtype=torch.float32)
        last.weight.mul_(scale[:, None])
        last.bias.sub_(torch.tensor(outputs.mean(axis=0))).mul_(scale)
    return model


def exported(model, folder, **settings):
    path = folder / "model.onnx"
    export_onnx(model, path)
    return load_onnx(path, n_threads=1, **settings)


def only_input(loaded):
    (given,) = loaded.description["inputs"]
    return given


def assert_same(loaded, model, X, tolerance=1e-4, spread=0.05):
    expected = model.predict_proba(X)
    assert np.ptp(expected, axis=0).max() > spread  # constant outputs would agree trivially
    assert np.abs(loaded.predict_proba(X) - expected).max() < tolerance
    assert (loaded.predict(X) == model.predict(X)).all()
