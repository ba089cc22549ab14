"""Export of networks to ONNX, together with spectral features."""

import math
import os
import warnings

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

import skser
from skser.compose import TransferClassifier, TransferRegressor
from skser.export._description import (
    METADATA,
    Description,
    described,
    described_labels,
    described_outside,
    is_rebuilt,
)
from skser.export._features import SPECTRAL, add_features, shortest
from skser.export._file import write_sealed
from skser.export._graph import Graph
from skser.export._network import add_network, blank
from skser.preprocessing import SequenceScaler


def export_onnx(model, path):
    """Write a fitted network and the steps before it as an ONNX file.

    `load_onnx` and any other ONNX runtime predict with the file, without torch. The extra
    ``onnx`` installs the libraries for export and prediction.

    - `Spectrogram`, `MelSpectrogram`, `MFCC` and `LevelContour` become part of the graph, which
      then computes everything from samples to probabilities.
    - Other transformers of this package that do not need torch (`FrameFeatures`, `Functionals`,
      `OpenSmile`, `VoiceActivityTrimmer` by energy) stay outside the graph. The file stores their
      parameters, and `load_onnx` computes them with NumPy.
    - After any other step (`SpeechEmbedding`, your own transformers) the graph and the loaded
      model take the output of that step, and a warning names it.

    Parameters
    ----------
    model : estimator
        Fitted network of `skser.neural_network`, Pipeline that ends in one, or search over
        these, whose best estimator is exported.
    path : path-like
        File to write, in an existing folder. An existing file is replaced.

    Raises
    ------
    TypeError
        If the model does not end in a network. The message names parts that can be exported.
    ValueError
        If the network takes audio and text together, or has fine-tuned layers of an encoder.
    NotFittedError
        If the model is not fitted.
    SavedModelError
        If the folder of the file does not exist.

    Warns
    -----
    UserWarning
        If steps are missing from the file. The message names them.

    Notes
    -----
    Inputs of the graph, of any batch size and length:

    - ``waveform`` (batch, samples), float32, at the sampling rate in the description, or
      ``frames`` (batch, time, columns), float32, together with ``lengths`` (batch,), int64, in
      samples or frames. Values after the end of an utterance are ignored.
    - ``vectors`` (batch, columns), float32, alone.

    Output: ``probabilities`` (batch, classes) in the order of ``classes_``, or ``predictions``
    (batch, targets) in units of y; float32. The metadata entry ``skser`` holds a description as
    JSON, and the last entry a SHA-256 of everything before it.

    Everything is computed in float32, whatever the network's `precision`.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import MelSpectrogram
    >>> from skser.neural_network import AttentionFCNClassifier
    >>> from skser.export import export_onnx, load_onnx
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
    >>> model = make_pipeline(
    ...     MelSpectrogram(n_mels=16, input_sampling_rate=corpus.sampling_rate),
    ...     AttentionFCNClassifier(max_epochs=2, device="cpu", random_state=0),
    ... ).fit(corpus.data, corpus.target)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.onnx")
    >>> export_onnx(model, path)
    >>> probabilities = load_onnx(path).predict_proba(corpus.data)
    >>> bool(np.abs(probabilities - model.predict_proba(corpus.data)).max() < 1e-4)
    True
    """
    from skser.neural_network import NeuralEstimator

    steps = _steps(model)
    network = steps.pop()
    if not isinstance(network, NeuralEstimator):
        raise TypeError(_refusal(network))
    check_is_fitted(network)
    steps += _own_transformers(network)
    scaler = (
        steps.pop() if steps and isinstance(steps[-1], SequenceScaler | StandardScaler) else None
    )
    features = steps.pop() if steps and isinstance(steps[-1], SPECTRAL) else None
    outside, missing = steps, []
    if not all(map(is_rebuilt, steps)):
        outside, missing = [], [*steps, *([] if features is None else [features])]
        features = None
    description = _description(network, scaler, features, outside, missing)
    write_sealed(_model(network, scaler, features, description), path)
    if missing:
        names = " and ".join(type(step).__name__ for step in missing)
        warnings.warn(
            f"{os.fspath(path)} takes the output of {names}, not its input, since export_onnx has "
            "no operators for it. Compute this step before the exported model.",
            stacklevel=2,
        )


def _steps(model):
    """Return the steps of a model and of the pipelines in it; the last is its estimator."""
    if hasattr(model, "best_estimator_"):
        return _steps(model.best_estimator_)
    if isinstance(model, TransferClassifier | TransferRegressor):
        check_is_fitted(model)
        return _steps(model.estimator_)
    if not isinstance(model, Pipeline):
        return [model]
    steps = [step for _, step in model.steps if step is not None and not isinstance(step, str)]
    return [inner for step in steps for inner in _steps(step)]


def _refusal(model):
    name = type(model).__name__
    parts = [key for key, part in _parts(model) if _ends_in_network(part)]
    hint = f"; of this one {' and '.join(parts)} can be exported" if parts else ""
    return (
        "export_onnx takes a network of skser.neural_network or a Pipeline that ends in one, "
        f"not {name}{hint}."
    )


def _parts(model):
    if hasattr(model, "estimator_"):
        yield ".estimator_", model.estimator_
    for key, part in getattr(model, "named_estimators_", {}).items():
        yield f".named_estimators_[{key!r}]", part


def _ends_in_network(model):
    from skser.neural_network import NeuralEstimator

    return isinstance(_steps(model)[-1], NeuralEstimator)


def _own_transformers(network):
    """Return the transformers inside a network, or raise if it cannot be exported."""
    own = getattr(network, "transformers_", {})
    name = type(network).__name__
    if len(own) > 1:
        raise ValueError(
            f"A {name} of audio and text together cannot be exported to ONNX. Use skser.save."
        )
    if getattr(network, "n_fine_tuned_layers", 0):
        raise ValueError(
            f"A {name} with n_fine_tuned_layers={network.n_fine_tuned_layers} cannot be exported "
            "to ONNX, because the layers belong to another library. Use skser.save."
        )
    return list(own.values())


def _description(network, scaler, features, outside, missing):
    takes_vectors = getattr(network, "_takes_vectors", False)
    form = "frames"
    if features is not None:
        form = "waveform"
    elif network._fitted_on_flat:
        form = "vectors" if takes_vectors else "contours"
    classes, targets = getattr(network, "classes_", None), None
    if classes is None:
        names = getattr(network, "target_names_", None)
        targets = {"names": names, "one_dimensional": bool(network._target_is_1d)}
    n_columns = math.prod(_input_shape(network, form))
    if form == "contours":
        n_columns = int(network.n_features_in_)
    first = (outside or [features])[0]
    # Functionals have the rate of the transformer inside.
    first = getattr(first, "transformer", None) or first
    rate = getattr(first, "input_sampling_rate", None)
    inside = [step for step in (features, scaler) if step is not None]
    return Description(
        skser=skser.__version__,
        estimator=type(network).__name__,
        form=form,
        n_columns=None if form == "waveform" else n_columns,
        sampling_rate=None if features is None else float(features.sampling_rate),
        shortest=None if features is None else int(shortest(features)),
        input_sampling_rate=None if rate is None else float(rate),
        classes=None if classes is None else described_labels(classes),
        targets=targets,
        outside=[described_outside(step) for step in outside],
        inside=[described(step) for step in inside],
        missing=[described(step) for step in missing],
    )


def _model(network, scaler, features, description):
    """Return the bytes of the ONNX model."""
    form, module = description.form, network.net_.module_
    n_channels, n_bands = _input_shape(network, form)
    lengths = {"lengths": (np.int64, ["batch"])}
    if form == "waveform":
        graph = Graph({"waveform": (np.float32, ["batch", "samples"]), **lengths})
        inside = graph.inside("waveform", 1, "lengths")
        waveform = graph.add("Where", inside, "waveform", 0.0)
        x, lengths = add_features(graph, features, waveform, "lengths")
    elif form == "vectors":
        graph = Graph({"vectors": (np.float32, ["batch", n_bands])})
        x, lengths = graph.reshape("vectors", 0, 1, 1, n_bands), _ones(graph)
    else:
        shape = ["batch", "time", n_channels * n_bands]
        graph = Graph({"frames": (np.float32, shape), **lengths})
        inside = graph.add("Unsqueeze", graph.inside("frames", 1, "lengths"), np.array([2]))
        x = graph.add("Where", inside, "frames", 0.0)
        x = graph.reshape(x, 0, 0, n_channels, n_bands)
        x, lengths = graph.add("Transpose", x, perm=[0, 2, 1, 3]), "lengths"
    if scaler is not None:
        check_is_fitted(scaler)
        fitted = getattr(scaler, "_scaler", scaler)  # has a mean even if it is not subtracted
        steps = [("Sub", fitted.mean_)] if fitted.with_mean else []
        steps += [("Div", fitted.scale_)] if fitted.with_std else []
        for operator, values in steps:
            # StandardScaler has a mean per place in time of contours.
            x = graph.add(operator, x, np.reshape(values, (n_channels, -1, n_bands)))
    if form != "vectors":
        x = blank(graph, x, lengths)
    outputs = add_network(graph, module, x, lengths)
    if description.classes is not None:
        name, n_outputs = "probabilities", len(network.classes_)
        outputs = graph.add("Softmax", outputs, axis=1)
    else:
        name, n_outputs = "predictions", len(network._target_mean)
        outputs = graph.add("Mul", outputs, network._target_scale)
        outputs = graph.add("Add", outputs, network._target_mean)
    outputs = {name: (outputs, np.float32, ["batch", n_outputs])}
    return graph.serialized(outputs, {METADATA: description.to_json()})


def _ones(graph):
    return graph.add("Expand", np.array([1]), graph.length("vectors", 0))


def _input_shape(network, form):
    """Return the number of channels and bands of the network's input."""
    from skser.neural_network.modules.attention_rnn import AttentionRNN
    from skser.neural_network.modules.fcn import AttentionFCN

    module = network.net_.module_
    if form == "contours":
        return 1, 1
    if isinstance(module, AttentionRNN):
        n_channels, _, n_bands = module.audio.center.shape
        return n_channels, n_bands
    # The adversarial autoencoder does not distinguish channels.
    fcn = isinstance(module, AttentionFCN)
    n_channels = module.blocks[0].convolution.in_channels if fcn else 1
    return n_channels, network._n_columns // n_channels
