"""Search for audio files in folders."""

import os
from pathlib import Path

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"}
# Formats that libsndfile or PyAV reads, for users' own files.
READABLE_SUFFIXES = AUDIO_SUFFIXES | {
    ".aac", ".aifc", ".amr", ".asf", ".au", ".caf", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp2",
    ".mp4", ".oga", ".opus", ".rf64", ".snd", ".sph", ".3g2", ".3gp", ".w64", ".wave", ".weba",
    ".webm", ".wma",
}  # fmt: skip
_LFS = b"version https://git-lfs"
_LFS_MAX = 1024  # bytes; Git LFS keeps its placeholders smaller than this


def existing_folder(path):
    """Return `path` as a Path, or raise FileNotFoundError if it is not a folder."""
    path = Path(path).expanduser()
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise FileNotFoundError(f"{path} {what}. Give the path of a folder.")
    return path


def walk_files(root):
    """Return every file below a folder, sorted.

    Links are followed, but each folder is entered only once. Names that begin with a dot are
    skipped; they include the files that macOS adds to archives.
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
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        files += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(files)


def audio_files(files, suffixes=AUDIO_SUFFIXES):
    """Return the audio files among `files`.

    Raises
    ------
    ValueError
        If an audio file is a placeholder of Git LFS.
    """
    sounds = [f for f in files if f.suffix.lower() in suffixes and f.is_file()]
    for file in sounds:
        if file.stat().st_size < _LFS_MAX and file.read_bytes().startswith(_LFS):
            raise ValueError(
                f"{file} is a placeholder of Git LFS, not audio. Run 'git lfs pull' in the "
                "repository to download the audio files."
            )
    return sounds


def audio_files_in(folder):
    """Return the readable audio files at any depth below a folder, sorted.

    Parameters
    ----------
    folder : path-like
        Folder to search. Files and folders whose names begin with a dot are skipped.

    Returns
    -------
    list of Path

    Raises
    ------
    FileNotFoundError
        If there is no folder of this name.
    ValueError
        If an audio file is a placeholder of Git LFS.
    """
    return audio_files(walk_files(existing_folder(folder)), READABLE_SUFFIXES)
