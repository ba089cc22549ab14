"""
Serve a model with FastAPI
==========================

An upload in, JSON out. The model runs on onnxruntime, so the service needs no torch, but
the extra ``onnx``, fastapi, python-multipart and uvicorn.
"""

# %%
# The application is a few lines. ``examples/service.py`` is a longer one, with limits on the size
# and the length of uploads.

from typing import Annotated

from fastapi import FastAPI, File

import skser

model = skser.load_onnx("emodb-whisper", n_threads=1)
app = FastAPI()


@app.post("/predict")
def predict(file: Annotated[bytes, File()]):
    """Return the probability of each emotion, and the reason if the model refuses the audio."""
    judged = model.judge([file])
    shares = judged["probabilities"][0].round(3).tolist()
    reason = str(judged["reasons"][0])
    return {
        "reason": reason or None,
        "probabilities": dict(zip(model.classes_, shares, strict=True)),
    }


# %%
# Usually ``uvicorn service:app`` runs it. On this page, it runs in a thread, on a free port.

import socket
import threading
import time

import uvicorn

listening = socket.socket()
listening.bind(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
thread.start()
while not server.started:
    time.sleep(0.01)
address = f"http://127.0.0.1:{listening.getsockname()[1]}/predict"

# %%
# A client sends recordings of a made-up voice, which the model refuses, as it should.

import io

import requests
import soundfile

from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
seconds, answers = [], []
for samples in corpus.data:
    upload = io.BytesIO()
    soundfile.write(upload, samples, corpus.sampling_rate, format="FLAC")
    begin = time.perf_counter()
    answer = requests.post(address, files={"file": upload.getvalue()}, timeout=60)
    seconds.append(time.perf_counter() - begin)
    answers.append(answer.json())
answers[0]

# %%
# The time of each request, from the upload to the answer:

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.bar(range(1, len(seconds) + 1), [1000 * value for value in seconds])
ax.set(xlabel="request", ylabel="milliseconds")
server.should_exit = True
thread.join()
listening.close()
