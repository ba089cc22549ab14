"""Files that the commands read and write: models, audio and results."""

import codecs
import contextlib
import glob
import os
import sys
import tempfile
from pathlib import Path

from skser.persistence import list_pretrained, load, load_pretrained, path_of, read_info

# First bytes of FLAC, Ogg, MP3, AAC, Matroska, WMA, AMR, AU, CAF, WavPack and NIST files.
_AUDIO = (
    b"fLaC\0", b"fLaC\x80", b"OggS\0", b"ID3\2", b"ID3\3", b"ID3\4", b"\xff\xfb", b"\xff\xfa",
    b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9", b"\x1aE\xdf\xa3", b"0&\xb2u", b"#!AMR",
    b".snd\0", b"caff\0", b"wvpk", b"NIST_1A\n",
)  # fmt: skip


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
    name = path.partition("@")[0] if path.startswith("hf:") else path
    return Path(name).suffix.lower() == ".onnx"


def _require(name):
    """Raise FileNotFoundError if there is no file with this name, unless it is on the hub."""
    if not name.startswith("hf:") and not os.path.lexists(name):
        raise FileNotFoundError(
            f"There is no file {name}, and skser includes no model with that name. It includes: "
            f"{', '.join(list_pretrained())}."
        )


def holds_audio(head):
    """Return whether the first bytes of a file are those of a recording."""
    is_riff = head[:4] in (b"RIFF", b"RF64", b"FORM") and head[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    return is_riff or head[4:8] == b"ftyp" or head.startswith(_AUDIO)


def named_files(files, standard_input):
    """Return a pair of name to print and path for each audio file.

    A folder stands for the audio files in it, a table for its rows, and a pattern such as
    ``calls/**/*.wav`` for what it matches. For ``-``, standard input is either audio, which is
    copied to a file, or a list of such arguments, one per line or, as ``find -print0`` writes
    them, with null bytes between them.

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
            if sys.stdin is None:
                raise ValueError("- reads from a pipe, but standard input is closed.")
            content = sys.stdin.buffer.read()
            if holds_audio(content) or _is_binary(content):
                standard_input.write_bytes(content)
                named.append(("-", str(standard_input)))
            else:
                named += named_files(_listed(content), standard_input)
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


def _is_binary(content):
    """Return whether bytes are neither text nor a list of names, such as audio of a rare format."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return bool(set(content) & set(range(1, 32)) - set(b"\t\n\r"))
    return False


def _listed(content):
    """Return the names in a list of files, which may be in another encoding than UTF-8."""
    text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="surrogateescape")
    names = text.split("\0" if "\0" in text else "\n")
    names = [name for line in names if (name := line.removesuffix("\r"))]
    if not names:
        raise ValueError("The pipe is empty. Send audio or the names of files through it.")
    if "-" in names:
        raise ValueError("The list of files names the pipe itself (-). Leave that line out.")
    return names


@contextlib.contextmanager
def writing(path):
    """Name a file in the errors of writing it, which may lack its name, as on a full disk."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error.strerror or error}).") from error


def refuse_same_file(**files):
    """Raise ValueError if a file to write is also another one of the command.

    Parameters
    ----------
    **files : path-like or None
        File of each option or argument; None for those that are not given.
    """
    seen = {}
    for name, file in files.items():
        if file is None:
            continue
        option = name if name == "table" else f"--{name}"
        other = seen.setdefault(os.path.realpath(file), option)
        if other != option:
            raise ValueError(
                f"{other} and {option} are the same file, {file}, which would be overwritten. "
                "Give another name."
            )


def check_place(path, holds_model=False, is_replaced=False):
    """Raise an error before hours of work if their result could not be written to `path`.

    Parameters
    ----------
    path : Path
        File to write.
    holds_model : bool, default=False
        Whether the file will hold a model, whose kind its name states.
    is_replaced : bool, default=False
        Whether the file is written under another name first, then moved, as models are.

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
    if holds_model or (is_replaced and path.is_file()) or not path.exists():
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise OSError(
                f"{path} cannot be written ({error.strerror}). Choose another folder."
            ) from error
    if holds_model and path.suffix.lower() not in (".skser", ".onnx"):
        raise ValueError(f"{path} ends in neither .skser nor .onnx, the two kinds of models.")
