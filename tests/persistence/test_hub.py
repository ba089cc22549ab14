"""Models on the Hugging Face Hub, pushed to and loaded from a stand-in on this machine."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.svm import SVC

import skser
from skser.audio import Waveform
from skser.persistence import dumps, local_path, path_of, read_info
from tests.support.model_hub import COMMIT, ModelHub
from tests.support.optional import installed

installed("huggingface_hub")
SPEECH = np.random.RandomState(0).randn(16000).astype(np.float32) / 10
PUSH = """
import sys
from huggingface_hub import HfApi
api = HfApi(token="hf_secret")
api.create_repo("me/emotions", exist_ok=True)
api.upload_folder(repo_id="me/emotions", folder_path=sys.argv[1])
"""
CALLS = """
import json, sys, warnings
warnings.simplefilter("ignore")
import skser
from skser.persistence import read_info
said = []
for call in sys.argv[1:]:
    try:
        said.append(str(eval(call)))
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def hub():
    afcn = path_of("emodb-afcn").read_bytes()
    graph = path_of("emodb-afcn").with_suffix(".onnx").read_bytes()
    repositories = {
        "lab/usual": {"model.skser": afcn, "README.md": b"card"},
        "lab/other": {"afcn.skser": afcn, "graph/model.onnx": graph},
        "lab/two": {"a.skser": afcn, "b.skser": afcn},
        "lab/none": {"README.md": b"card"},
        "lab/forest": {"model.skser": dumps(SVC())},
        "lab/broken": {"model.skser": b"PK broken"},
        "lab/gated": {"model.skser": afcn},
    }
    with ModelHub(repositories, gated={"lab/gated"}) as hub:
        yield hub


@pytest.fixture
def run(hub, tmp_path):
    """Return a function that runs Python code with the stand-in as its hub, and an empty cache."""

    def run(code, *arguments, **environment):
        result = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True, text=True, check=False,
            env={
                **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HF_ENDPOINT": hub.address,
                "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0", **environment,
            },
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_a_model_is_loaded_by_its_name_once(run, hub):
    calls = [
        "skser.load('hf:lab/usual').classes_.tolist()",
        f"skser.load('hf:lab/usual@{COMMIT}').classes_.tolist()",
        "skser.load('hf:lab/other')[-1].classes_.tolist()",
        "skser.load('hf:lab/other/afcn.skser@main').classes_.tolist()",
        "read_info('hf:lab/two/b.skser')['labels']",
        "skser.load_onnx('hf:lab/other/graph/model.onnx').classes_.tolist()",
    ]
    hub.downloads.clear()
    expected = str(skser.load_pretrained("emodb-afcn").classes_.tolist())
    assert json.loads(run(CALLS, *calls)) == [expected] * len(calls)
    first = list(hub.downloads)
    assert len(first) == len(set(first)) == 4
    run(CALLS, *calls)
    assert hub.downloads == first


def test_a_downloaded_model_is_loaded_without_a_network(run):
    call = "skser.load('hf:lab/usual').classes_.tolist()"
    expected = run(CALLS, call)
    again, said = json.loads(run(CALLS, call, "skser.load('hf:lab/other')", HF_HUB_OFFLINE="1"))
    assert [again] == json.loads(expected)
    assert said.startswith("ConnectionError: hf:lab/other is not in the cache")
    # Without the hub, the one model in the cache may not be the only one of its repository.
    call = "skser.load('hf:lab/other')[-1].classes_.tolist()"
    run(CALLS, call)
    (said,) = json.loads(run(CALLS, call, HF_HUB_OFFLINE="1"))
    assert "In the cache are hf:lab/other/afcn.skser, by these names." in said
    at_once = "import time; time.sleep = lambda seconds: None\n"  # huggingface_hub tries six times
    (said,) = json.loads(
        run(at_once + CALLS, "skser.load('hf:lab/two/a.skser')", HF_ENDPOINT="http://127.0.0.1:9")
    )
    assert said.startswith("ConnectionError: hf:lab/two/a.skser is not in the cache")


def test_the_hub_earns_no_trust(run):
    calls = ["skser.load('hf:lab/forest')", "skser.load('hf:lab/forest', trusted=True)"]
    refused, loaded = json.loads(run(CALLS, *calls))
    assert refused.startswith(
        "SavedModelError: hf:lab/forest cannot be loaded. It holds sklearn.svm"
    )
    assert loaded == "SVC()"


def test_errors_name_the_model_and_the_remedy(run):
    messages = {
        "lab/absent": "FileNotFoundError: There is no model lab/absent on the hub",
        "lab/gated": "PermissionError: hf:lab/gated is shared on request",
        "lab/usual@v9": "FileNotFoundError: lab/usual has no revision v9",
        "lab/usual/x.skser": "hf:lab/usual/x.skser: lab/usual has no file x.skser, but",
        "lab/none": "FileNotFoundError: hf:lab/none holds no saved model (*.skser)",
        "lab/two": "SavedModelError: hf:lab/two holds several models. Name one of them, such as "
        "hf:lab/two/a",
        "lab/broken": "SavedModelError: hf:lab/broken cannot be loaded. ",
        "emotions": "SavedModelError: hf:emotions is not the name of a model on the hub. Expected",
    }
    said = json.loads(run(CALLS, *(f"skser.load('hf:{name}')" for name in messages)))
    for message, words in zip(messages.values(), said, strict=True):
        assert message in words


def test_a_model_and_its_card_are_pushed_and_loaded(run, hub, tmp_path):
    model = skser.load_pretrained("emodb-afcn")
    (tmp_path / "model").mkdir()
    skser.save(model, tmp_path / "model/model.skser", card="# Emotions")
    (tmp_path / "model/README.md").write_text("---\nlibrary_name: skser\n---\n# Emotions")
    hub.repositories.pop("me/emotions", None)
    run(PUSH, tmp_path / "model")
    assert set(hub.repositories["me/emotions"]) == {"model.skser", "README.md"}
    assert "Bearer hf_secret" in hub.tokens
    (tmp_path / "loaded.skser").write_bytes(hub.repositories["me/emotions"]["model.skser"])
    loaded = skser.load(tmp_path / "loaded.skser")
    given = [Waveform(SPEECH, 16000)]
    np.testing.assert_array_equal(loaded.predict_proba(given), model.predict_proba(given))
    (card,) = json.loads(run(CALLS, "read_info('hf:me/emotions')['card']"))
    assert card == "# Emotions"


def test_the_command_line_takes_models_of_the_hub(run, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", SPEECH, 16000)
    code = "from skser.cli import main; main()"
    out = run(code, "predict", tmp_path / "a.wav", "--model", "hf:lab/usual", "--json")
    (row,) = json.loads(out)
    model = skser.load_pretrained("emodb-afcn")
    (expected,) = model.predict_proba([str(tmp_path / "a.wav")])
    assert list(row["probabilities"].values()) == pytest.approx(expected, abs=1e-4)
    graph = "hf:lab/other/graph/model.onnx"
    (same,) = json.loads(run(code, "predict", tmp_path / "a.wav", "--model", graph, "--json"))
    assert list(same["probabilities"].values()) == pytest.approx(expected, abs=1e-4)
    assert "labels: anger, boredom" in run(code, "info", "hf:lab/usual")


def test_other_paths_stay_as_they_are(tmp_path):
    assert local_path("models/hf.skser") == "models/hf.skser"
    assert local_path(tmp_path) is tmp_path
    with pytest.raises(FileNotFoundError):
        read_info("hf")
