"""Export of models to ONNX, together with the features that they need."""

import os
import warnings

import skser
from skser.compose import RejectingClassifier
from skser.export._check import check_model
from skser.export._conversion import Conversion, estimator_of, targets_of
from skser.export._description import (
    METADATA,
    OUTPUTS,
    described_labels,
    described_rejection,
    to_json,
)
from skser.export._file import write_sealed
from skser.export._weights import StoredWeights


def export_onnx(model, path, *, weights=()):
    """Write a fitted model and the steps before it as an ONNX file.

    `load_onnx` and any other ONNX runtime predict with the file, without torch. The extra
    ``onnx`` installs the library for export.

    - Networks of this package, linear models and discriminant analysis of scikit-learn,
      `CalibratedClassifierCV` by sigmoids or a temperature, soft votes of these, and a
      `RejectingClassifier` around them become part of the graph.
    - So do `Spectrogram`, `MelSpectrogram`, `MFCC`, `LevelContour`, and `SpeechEmbedding` with a
      Whisper encoder, whose graph then begins with samples; scalers, `PCA`, and
      `QuantileTransformer` with uniform ranks.
    - Other transformers that `load` builds without trust (`FrameFeatures`, `Functionals`,
      `OpenSmile`, `VoiceActivityTrimmer` by energy) are stored beside the graph, and `load_onnx`
      computes them.
    - After any other step (your own transformers, other encoders) the graph and the loaded model
      take the output of that step, and a warning names it.

    Parameters
    ----------
    model : estimator
        Fitted model as above, Pipeline that ends in one, or search, transfer or augmentation
        around these.
    path : path-like
        File to write, in an existing folder. An existing file is replaced.
    weights : list of path-like, default=()
        Files of safetensors, in the same folder or below it, that hold the encoder of a
        `SpeechEmbedding` or the detector of speech. The ONNX file refers to their tensors instead
        of holding them.

    Raises
    ------
    TypeError
        If the model, or a part of it, has no operators. The message names parts that can be
        exported.
    ValueError
        If a network takes audio and text together, has fine-tuned layers of an encoder, or takes
        more memory than `load_onnx` allows; or if `weights` are not those of the model.
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
      ``frames`` (batch, time, columns), float32, each with ``lengths`` (batch,), int64, in
      samples or frames. Values after the end of an utterance are ignored.
    - ``vectors`` (batch, columns), float32, alone.

    A vote of different features has several of these, and the description lists them. Outputs:
    ``probabilities`` (batch, classes) in the order of ``classes_``, or ``predictions`` (batch,
    targets) in units of y; float32. A `RejectingClassifier` also gives ``distance`` (batch, 1) from
    the training utterances and ``speech`` (batch, 2), the share of the audio that is speech and its
    duration in seconds; the description holds its thresholds. The metadata entry ``skser`` holds
    a description as JSON, and the last entry a SHA-256 of everything before it.

    Everything is computed in float32, also if the `precision` of a network or an encoder is
    bfloat16. An encoder in int8 is refused.

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
    stored = [StoredWeights(file, os.path.dirname(path)) for file in weights]
    conversion = Conversion(stored)
    outputs = conversion.outputs(model)
    classes, targets = getattr(model, "classes_", None), None
    if classes is None:
        targets = targets_of(model)
        n_outputs, name = targets.pop("n"), "predictions"
    else:
        n_outputs, name = len(classes), "probabilities"
    conversion.graph.output(name, outputs, n_outputs)
    found, rejection = estimator_of(model), None
    if isinstance(found, RejectingClassifier):
        for name, value in conversion.judgments(model).items():
            conversion.graph.output(name, value, OUTPUTS[name])
        rejection = described_rejection(found)
    description = {
        "skser": skser.__version__,
        "estimator": type(found).__name__,
        "inputs": conversion.inputs,
        "classes": None if classes is None else described_labels(classes),
        "targets": targets,
        "rejection": rejection,
        "weights": [file.described() for file in stored],
    }
    content = conversion.graph.serialized({METADATA: to_json(description)})
    try:
        check_model(content, path)
    except ValueError as error:
        raise ValueError(f"load_onnx would refuse {os.fspath(path)}: {error}.") from error
    write_sealed(content, path)
    missing = [step["class"] for given in conversion.inputs for step in given["missing"]]
    if missing:
        warnings.warn(
            f"{os.fspath(path)} takes the output of {' and '.join(missing)}, not its input, since "
            "export_onnx has no operators for it. Compute this step before the exported model.",
            stacklevel=2,
        )
