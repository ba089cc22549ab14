"""The example of a web service, asked over HTTP, and one model shared by threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests

import skser
from skser.datasets import make_emotional_speech
from skser.persistence import path_of

pytest.importorskip("fastapi")
pytest.importorskip("multipart")

from examples import service
from tests.support.service import running


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    return make_emotional_speech(2, 5, random_state=0, output_dir=folder).data.tolist()


@pytest.fixture(scope="module")
def address():
    with running(service.app) as address:
        yield f"{address}/predict"


def post(address, content, name="voice.wav"):
    return requests.post(address, files={"file": (name, content)}, timeout=60)


def test_200_uploads_in_4_threads_get_the_answers_of_the_model(address, files):
    expected = service.model.judge(files)
    contents = [Path(path).read_bytes() for path in files]

    def answer(i):
        response = post(address, contents[i % len(files)])
        assert response.status_code == 200
        return response.json()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(answer, range(200)))
    for i, found in enumerate(answers):
        assert found == answers[i % len(files)]
    for found, scores, reason in zip(
        answers, expected["probabilities"], expected["reasons"], strict=False
    ):
        assert list(found["probabilities"]) == service.model.classes_.tolist()
        assert list(found["probabilities"].values()) == pytest.approx(scores.tolist(), abs=1e-5)
        assert found["reason"] == (reason or None)
        assert found["emotion"] == (None if reason else service.model.classes_[scores.argmax()])


def test_a_model_without_refusals_is_served_too(address, files, monkeypatch):
    graph = path_of("emodb-afcn").with_suffix(".onnx")
    monkeypatch.setattr(service, "model", skser.load_onnx(graph, n_threads=1))
    (expected,) = skser.load_pretrained("emodb-afcn").predict_proba(files[:1])
    found = post(address, Path(files[0]).read_bytes()).json()
    assert list(found["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-4)
    assert found["emotion"] == max(found["probabilities"], key=found["probabilities"].get)
    assert found["reason"] is None


def test_what_is_not_audio_is_an_error_of_the_client(address):
    response = post(address, b"no audio", "notes.txt")
    assert response.status_code == 422
    assert response.json()["detail"].startswith("notes.txt: cannot be read as audio")


def test_large_and_long_uploads_are_refused(address, files, monkeypatch):
    content = Path(files[0]).read_bytes()
    monkeypatch.setattr(service, "MOST_SECONDS", 0.1)
    response = post(address, content)
    assert response.status_code == 422
    assert "is more than 0.1 s long" in response.json()["detail"]
    monkeypatch.setattr(service, "MOST_BYTES", 1000)
    assert post(address, content).status_code == 413


def test_a_request_without_a_file_is_an_error(address):
    assert requests.post(address, timeout=60).status_code == 422


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_8_threads_share_a_model(kind, files):
    if kind == "onnx":
        model = skser.load_onnx(path_of("emodb-afcn").with_suffix(".onnx"), n_threads=1)
    else:
        model = skser.load_pretrained("emodb-afcn")
        model.set_params(classifier__n_threads=1)
    expected = [model.predict_proba([path]) for path in files]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: model.predict_proba([files[i % len(files)]]), range(80)))
    for i, one in enumerate(found):
        np.testing.assert_array_equal(one, expected[i % len(files)])
