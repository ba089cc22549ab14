"""Predict a 16-kHz mono file with an exported model and without skser.

Run ``python onnx_alone.py model.onnx file.wav``.
"""

import json
import sys

import numpy as np
import onnxruntime
import soundfile

session = onnxruntime.InferenceSession(sys.argv[1])
description = json.loads(session.get_modelmeta().custom_metadata_map["skser"])
samples, rate = soundfile.read(sys.argv[2], dtype="float32")
assert (samples.ndim, rate) == (1, description["inputs"][0]["sampling_rate"])
inputs = {"waveform": samples[None], "lengths": np.array([len(samples)])}
(shares,) = session.run(["probabilities"], inputs)[0]
print(json.dumps(dict(zip(description["classes"]["values"], shares.tolist(), strict=True))))
