"""Print the messages of calls as JSON, as if no extra was installed.

Run as ``python -m tests.support.without_extras FOLDER``.
"""

import importlib
import json
import os
import pkgutil
import re
import sys
import tomllib
from importlib.machinery import PathFinder
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
MODULES = {"pympi-ling": "pympi"}  # modules whose name differs from that of their library
EXTRAS = {
    extra: [
        MODULES.get(name, name.replace("-", "_"))
        for requirement in requirements  # such as "dask[distributed]>=2024.8"
        for name in re.findall(r"[A-Za-z][\w-]*", requirement)
    ]
    for extra, requirements in _PROJECT["optional-dependencies"].items()
    if extra not in {"clients", "docs", "test"}
}


class _Hiding(PathFinder):
    """Path finder that hides some libraries, as if they were not installed."""

    hidden = {name for names in EXTRAS.values() for name in names}

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname.partition(".")[0] in cls.hidden:
            return None
        return super().find_spec(fullname, path, target)


def _audb(speech, emotions, folder):
    from skser.datasets import fetch_audb

    fetch_audb("emodb", "1.4.1", data_home=folder)


def _audformat(speech, emotions, folder):
    from skser.datasets import load_audformat

    load_audformat(folder)


def _textgrid(speech, emotions, folder):
    from skser.datasets import load_textgrid

    load_textgrid(folder, "emotion")


def _elan(speech, emotions, folder):
    from skser.datasets import load_elan

    load_elan(folder, "emotion")


def _listen(speech, emotions, folder):
    from skser.cli import main

    sys.argv = ["skser", "listen"]
    os.environ["SKSER_TRACEBACK"] = "1"
    main()


def _agreement(speech, emotions, folder):
    from skser.datasets import make_emotional_speech
    from skser.evaluation import agreement

    agreement(make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0))


def _embeddings(speech, emotions, folder):
    from skser.feature_extraction import SpeechEmbedding

    SpeechEmbedding("openai/whisper-tiny", input_sampling_rate=16000).transform(speech)


def _text_embeddings(speech, emotions, folder):
    from skser.feature_extraction import TextEmbedding

    TextEmbedding("sentence-transformers/all-MiniLM-L6-v2").transform(emotions)


def _adapters(speech, emotions, folder):
    from skser.feature_extraction import SpeechEmbedding
    from skser.neural_network import AttentionRNNClassifier
    from tests.support.checkpoints import save_speech_checkpoint

    # transformers itself needs the hub.
    _Hiding.hidden = _Hiding.hidden - {*EXTRAS["embeddings"], *EXTRAS["hub"]}
    importlib.invalidate_caches()
    checkpoint = save_speech_checkpoint("whisper", folder / "whisper")
    audio = SpeechEmbedding(checkpoint, 2, None, input_sampling_rate=16000, device="cpu")
    AttentionRNNClassifier(
        audio, n_fine_tuned_layers=1, adapter_rank=2, max_epochs=1, device="cpu"
    ).fit(speech, emotions)


def _hub(speech, emotions, folder):
    from skser import load

    load("hf:owner/name")


def _export_onnx(speech, emotions, folder):
    import numpy as np

    from skser import export_onnx
    from skser.neural_network import AttentionFCNClassifier

    frames = np.random.RandomState(0).randn(len(emotions), 20, 8)
    network = AttentionFCNClassifier(max_epochs=1, device="cpu").fit(frames, emotions)
    export_onnx(network, folder / "model.onnx")


def _opensmile(speech, emotions, folder):
    from skser.feature_extraction import OpenSmile

    OpenSmile(input_sampling_rate=16000).transform(speech)


def _plot(speech, emotions, folder):
    from skser.inspection import ConfusionDisplay

    ConfusionDisplay.from_predictions(emotions, emotions)


def _report(speech, emotions, folder):
    from sklearn.dummy import DummyClassifier

    from skser.datasets import make_emotional_speech
    from skser.evaluation import EvaluationReport, cross_validate_speakers

    corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=5, random_state=0)
    evaluation = cross_validate_speakers(DummyClassifier(strategy="prior"), corpus, cv=2)
    EvaluationReport(evaluation, corpus, leakage=False).save(folder / "report.html")


def _rooms(speech, emotions, folder):
    from skser.augmentation import simulate_rooms

    simulate_rooms(1)


def _own_augmentation(speech, emotions, folder):
    from sklearn.dummy import DummyClassifier

    from skser.compose import AugmentedClassifier

    AugmentedClassifier(
        DummyClassifier(), lambda x, sampling_rate, random_state: -x, input_sampling_rate=16000
    ).fit(speech, emotions)


def _processes(speech, emotions, folder):
    from skser.feature_extraction import MelSpectrogram

    MelSpectrogram(input_sampling_rate=16000, n_jobs=2).transform(speech)


def _containers(speech, emotions, folder):
    from skser.audio import load_audio

    (folder / "voice.m4a").write_bytes(b"\0\0\0\x1cftypM4A " + bytes(100))
    load_audio(folder / "voice.m4a")


# Adapters come last, because they make the extra embeddings visible again.
NEEDED_BY = {
    "agreement": [_agreement],
    "annotations": [_textgrid, _elan],
    "audb": [_audb],
    "audformat": [_audformat],
    "containers": [_containers],
    "embeddings": [_embeddings, _text_embeddings],
    "hub": [_hub],
    "live": [_listen],
    "onnx": [_export_onnx],
    "opensmile": [_opensmile],
    "plot": [_plot],
    "report": [_report],
    "rooms": [_rooms],
    "adapters": [_adapters],
}
# Libraries that only the user imports; this package accepts their objects.
NOT_NEEDED_BY = {"augment": [_own_augmentation], "distributed": [_processes]}


def _outcome(call, *given):
    from skser.audio import AudioReadError  # imported here, after the extras are hidden

    try:
        call(*given)
    except (ImportError, AudioReadError) as error:
        return str(error)
    return "nothing"


def main(folder):
    """Print the names of all modules and the message of each call."""
    assert not _Hiding.hidden & set(sys.modules)
    sys.meta_path[sys.meta_path.index(PathFinder)] = _Hiding
    import numpy as np

    import skser

    modules = [module.name for module in pkgutil.walk_packages(skser.__path__, "skser.")]
    for module in modules:
        importlib.import_module(module)
    speech = list(np.random.RandomState(0).randn(4, 8000).astype(np.float32) / 10)
    given = speech, ["anger", "joy"] * 2, Path(folder)
    said = {
        call.__name__: _outcome(call, *given)
        for calls in [*NOT_NEEDED_BY.values(), *NEEDED_BY.values()]
        for call in calls
    }
    print(json.dumps({"modules": modules, "said": said}))


if __name__ == "__main__":
    main(sys.argv[1])
