"""Files that the commands read and write: models, audio and results."""

import glob
import os
import sys
import tempfile
from pathlib import Path

from skser.persistence import list_pretrained, load, load_pretrained, path_of, read_info


def open_model(name, trusted, needs_estimator=False):
    """Load a saved model, an ONNX model, or one that skser includes.

    An included model is run by onnxruntime if it has an ONNX file, which loads in a tenth of the
    time of the libraries that it was trained with.

    Parameters
    ----------
    name : str
        Name of an included model, path of a file, or name of a model on the hub (``hf:``).
    trusted : bool
        Whether to build whatever the file holds, as in `skser.persistence.load`.
    needs_estimator : bool, default=False
        Whether the fitted estimator is needed, which an ONNX file does not hold.

    Returns
    -------
    estimator or OnnxModel
    """
    from skser.export import load_onnx

    if name in list_pretrained():
        graph = path_of(name).with_suffix(".onnx")
        if graph.exists() and not needs_estimator:
            return load_onnx(graph)
        return load_pretrained(name)
    _require(name)
    return load_onnx(name) if is_onnx(name) else load(name, trusted=trusted)


def describe_model(name):
    """Return the description in the file of a model, as a dict for JSON."""
    from skser.export import load_onnx

    if name in list_pretrained():
        return read_info(path_of(name))
    _require(name)
    return load_onnx(name).description if is_onnx(name) else read_info(name)


def is_onnx(path):
    """Return True if the name of a file is that of an ONNX model."""
    return Path(path.partition("@")[0]).suffix.lower() == ".onnx"


def _require(name):
    """Raise FileNotFoundError if there is no file with this name, unless it is on the hub."""
    if not name.startswith("hf:") and not os.path.lexists(name):
        raise FileNotFoundError(
            f"There is no file {name}, and skser includes no model with that name. It includes: "
            f"{', '.join(list_pretrained())}."
        )


def named_files(files, standard_input):
    """Return a pair of name to print and path for each audio file.

    A folder stands for the audio files in it, a table for its rows, and a pattern such as
    ``calls/**/*.wav`` for what it matches. For ``-``, standard input is either audio, which is
    copied to a file, or the names of files, one per line.

    Parameters
    ----------
    files : list of str
        Arguments of the command.
    standard_input : Path
        File to copy audio from a pipe to.

    Returns
    -------
    list of (str, str or Utterance)

    Raises
    ------
    ValueError
        If the pipe or a folder holds no audio, or nothing matches a pattern.
    """
    named = []
    for file in _matches(files):
        if file == "-":
            named += _piped(standard_input)
        elif os.path.isdir(file):
            named += [(path, path) for path in _files_in(file)]
        elif Path(file).suffix.lower() in (".csv", ".tsv"):
            named += _rows_of(file)
        else:
            named.append((file, file))
    return named


def _matches(names):
    """Yield names, and in place of patterns the names that match them, sorted.

    Shells expand patterns themselves, except in quotes and on Windows.
    """
    for name in names:
        if not glob.has_magic(name) or os.path.lexists(name):
            yield name
            continue
        matches = sorted(glob.glob(name, recursive=True))
        if "**" in name:  # it matches what is in the folders as well
            matches = [match for match in matches if not os.path.isdir(match)]
        if not matches and not set("*?") & set(name):
            matches = [name]  # such as the missing file "call [2].wav"
        if not matches:
            raise ValueError(f"No file matches {name}. ** stands for folders of any depth.")
        yield from matches


def _files_in(folder):
    from skser.datasets import audio_files_in

    found = audio_files_in(folder)
    if not found:
        raise ValueError(f"The folder {folder} holds no audio files. Give the names of files.")
    return list(map(str, found))


def _rows_of(table):
    from skser.datasets import read_utterances

    return [(getattr(row, "source", row), row) for row in read_utterances(table)]


def _piped(standard_input):
    content = sys.stdin.buffer.read()
    try:
        lines = content.decode().splitlines()
        # A null byte is valid UTF-8, but cannot be part of a file's name.
        is_text = "\0" not in lines[0] if lines else True
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        standard_input.write_bytes(content)
        return [("-", str(standard_input))]
    named = [(line, line) for line in lines if line]
    if not named:
        raise ValueError("The pipe is empty. Send audio or the names of files through it.")
    return named


def check_place(path, holds_model=False):
    """Raise an error before hours of work if their result could not be written to `path`.

    Parameters
    ----------
    path : Path
        File to write.
    holds_model : bool, default=False
        Whether the file will hold a model, whose kind its name states.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the name is not that of a model.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder} to write {path.name} to. Create it first."
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Give the name of a file to write.")
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(f"{path} is write-protected. Choose another file.")
    if holds_model or not path.exists():  # models are written to a new file first, then moved
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise OSError(
                f"{path} cannot be written ({error.strerror}). Choose another folder."
            ) from error
    if holds_model and path.suffix.lower() not in (".skser", ".onnx"):
        raise ValueError(f"{path} ends in neither .skser nor .onnx, the two kinds of models.")
