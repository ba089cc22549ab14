"""Web service: an uploaded recording in, the portrayed emotion as JSON out.

    pip install fastapi python-multipart uvicorn
    uvicorn --app-dir examples service:app
    curl -F file=@recording.wav http://127.0.0.1:8000/predict

The model runs on onnxruntime, without torch. Set SKSER_MODEL to the path of a model that
`skser.export_onnx` has written to serve another one.
"""

import os
from typing import Annotated

from fastapi import FastAPI, File, HTTPException, UploadFile

import skser
from skser.audio import AudioReadError, Utterance
from skser.persistence import path_of

MOST_BYTES = 20_000_000
MOST_SECONDS = 60.0

# One thread per request is faster than several, as soon as there are several requests.
model = skser.load_onnx(
    os.environ.get("SKSER_MODEL", path_of("emodb-whisper").with_suffix(".onnx")), n_threads=1
)
app = FastAPI(title="Speech emotion recognition", version=skser.__version__)


# A function without async: FastAPI runs it in a thread of its own, so that requests do not wait
# for each other. The model may be shared by all threads.
@app.post("/predict")
def predict(file: Annotated[UploadFile, File(description="Audio file of any usual format.")]):
    """Return the emotion, or the reason why there is none, and the probability of each."""
    content = file.file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise HTTPException(413, f"The file is larger than {MOST_BYTES} bytes.")
    recording = Utterance(content, name=file.filename, max_duration=MOST_SECONDS)
    try:
        if hasattr(model, "judge"):  # it may refuse the recording
            judged = model.judge([recording])
            (probabilities,), (reason,) = judged["probabilities"], judged["reasons"].tolist()
        else:
            (probabilities,), reason = model.predict_proba([recording]), ""
    except AudioReadError as error:
        raise HTTPException(422, str(error)) from error
    shares = dict(zip(model.classes_.tolist(), probabilities.tolist(), strict=True))
    emotion = None if reason else max(shares, key=shares.get)
    return {"emotion": emotion, "reason": reason or None, "probabilities": shares}
