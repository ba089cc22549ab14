"""Search for audio files in folders."""

import os
from pathlib import Path

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"}
# Formats that libsndfile or PyAV reads, for users' own files.
READABLE_SUFFIXES = AUDIO_SUFFIXES | {
    ".aac", ".aifc", ".amr", ".asf", ".au", ".avr", ".caf", ".ircam", ".m4a", ".m4b", ".mka",
    ".mkv", ".mov", ".mp2", ".mp4", ".mpga", ".nist", ".oga", ".opus", ".paf", ".pvf", ".rf64",
    ".sf", ".snd", ".sph", ".svx", ".3g2", ".3gp", ".voc", ".w64", ".wave", ".weba", ".webm",
    ".wma",
}  # fmt: skip
_PLACEHOLDERS = {
    b"version https://git-lfs": ("Git LFS", "git lfs pull"),
    b"/annex/objects/": ("git-annex", "git annex get"),
}
_PLACEHOLDER_MAX = 1024  # bytes; Git LFS keeps its placeholders smaller than this


def existing_folder(path):
    """Return `path` as a Path, or raise FileNotFoundError if it is not a folder."""
    path = Path(path).expanduser()
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise FileNotFoundError(f"{path} {what}. Give the path of a folder.")
    return path


def is_hidden(name):
    """Return True for names that begin with a dot and for the folder that macOS adds to ZIPs."""
    return name.startswith(".") or name == "__MACOSX"


def walk_files(root):
    """Return every file below a folder, sorted.

    Links are followed, but each folder is entered only once. Hidden names are skipped.
    """

    def refuse(error):
        raise error

    files, entered = [], set()
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        # Two paths to one folder have the same device and inode: this ends circles of links.
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in entered:
            subfolders.clear()
            continue
        entered.add(identity)
        subfolders[:] = sorted(name for name in subfolders if not is_hidden(name))
        files += [Path(folder, name) for name in names if not is_hidden(name)]
    return sorted(files)


def audio_files(files, suffixes=AUDIO_SUFFIXES):
    """Return the audio files among `files`.

    Raises
    ------
    ValueError
        If an audio file is a placeholder of Git LFS or git-annex, or a link that leads nowhere.
    """
    sounds = []
    for file in files:
        suffix = file.suffix.lower()
        if suffix not in suffixes and suffix:
            continue
        if not file.is_file():
            if _is_dangling(file):  # without a suffix, it may have been a folder of audio files
                raise ValueError(
                    f"{file} is a link that leads nowhere. Run 'git annex get' or 'datalad get' in "
                    "the repository to download the audio files, or remove the link."
                )
        elif suffix:
            _check_content(file)
            sounds.append(file)
    return sounds


def _is_dangling(path):
    """Return True for a link whose target does not exist; a link to itself is none."""
    try:
        path.stat()
    except FileNotFoundError:
        return path.is_symlink()
    except OSError:
        return False
    return False


def _check_content(file):
    """Raise ValueError if a file is a placeholder."""
    if file.stat().st_size >= _PLACEHOLDER_MAX:
        return
    content = file.read_bytes()
    for begin, (tool, command) in _PLACEHOLDERS.items():
        if content.startswith(begin):
            raise ValueError(
                f"{file} is a placeholder of {tool}, not audio. Run '{command}' in the "
                "repository to download the audio files."
            )


def audio_files_in(folder):
    """Return the readable audio files at any depth below a folder, sorted.

    Parameters
    ----------
    folder : path-like
        Folder to search. Files and folders whose names begin with a dot are skipped, and so is
        ``__MACOSX``.

    Returns
    -------
    list of Path

    Raises
    ------
    FileNotFoundError
        If there is no folder of this name.
    ValueError
        If an audio file is a placeholder of Git LFS or git-annex, or a link that leads nowhere.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skser.datasets import audio_files_in
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("b.wav", "a.flac", "notes.txt"):
    ...     (folder / name).touch()
    >>> [path.name for path in audio_files_in(folder)]
    ['a.flac', 'b.wav']
    """
    return audio_files(walk_files(existing_folder(folder)), READABLE_SUFFIXES)
