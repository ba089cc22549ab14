"""Made-up speech, a model trained on it, and the command line."""

import io
import sys

import pytest

import skser
from skser.cli import main
from skser.datasets import load_table, make_emotional_speech
from skser.pipelines import attention_fcn


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with a table of made-up speech and a model trained on it."""
    folder = tmp_path_factory.mktemp("with a space")
    corpus = make_emotional_speech(3, 8, random_state=0, output_dir=folder / "speech")
    corpus.frame.to_csv(folder / "table.csv", index=False)
    model = attention_fcn(max_epochs=6, device="cpu", n_threads=1, random_state=0)
    skser.save(model.fit(corpus.data, corpus.target.astype(str)), folder / "model.skser")
    return folder


@pytest.fixture
def files(folder):
    return load_table(folder / "table.csv").data[:3].tolist()


@pytest.fixture
def shell(monkeypatch, capfd):
    """Return a function that runs a command and returns exit code, output and messages."""

    def run(*arguments, pipe=b""):
        # The small model, whatever the default is.
        monkeypatch.setenv("SKSER_MODEL", "emodb-afcn")
        monkeypatch.setattr(sys, "argv", ["skser", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pipe)))
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capfd.readouterr()

    return run
