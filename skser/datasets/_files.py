"""Finding a corpus's files, and reading its tables."""

import io
import os
import warnings
from pathlib import Path

import pandas as pd

from skser.datasets._corpus import SpeechCorpus

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"}
# Of files that users bring along: what libsndfile reads, and what PyAV does.
READABLE_SUFFIXES = AUDIO_SUFFIXES | {
    ".aac", ".aifc", ".amr", ".asf", ".au", ".caf", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp2",
    ".mp4", ".oga", ".opus", ".rf64", ".snd", ".sph", ".3g2", ".3gp", ".w64", ".wave", ".weba",
    ".webm", ".wma",
}  # fmt: skip
_LFS = b"version https://git-lfs"
_LFS_MAX = 1024  # bytes: Git LFS keeps its placeholders below


def existing_folder(path):
    """`path` as a Path, or FileNotFoundError if it is no folder."""
    path = Path(path).expanduser()
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise FileNotFoundError(f"{path} {what}.")
    return path


def walk_files(root):
    """Every file below a folder, sorted; links are followed, each folder is entered once.

    Names that begin with a dot are passed over: among them is what archives of macOS add.
    """

    def refuse(error):
        raise error

    files, entered = [], set()
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
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
    """Those of the files that are sound; ValueError if one is a placeholder of Git LFS."""
    sounds = [f for f in files if f.suffix.lower() in suffixes and f.is_file()]
    for file in sounds:
        if file.stat().st_size < _LFS_MAX and file.read_bytes().startswith(_LFS):
            raise ValueError(
                f"{file} is not sound but a placeholder of Git LFS. Download the sound with "
                "'git lfs pull' in the repository."
            )
    return sounds


def find_audio(path, pattern, info, depth=1, preferred=None):
    """Audio files whose name matches a corpus's naming, at any depth.

    Parameters
    ----------
    path : path-like
    pattern : re.Pattern
        Of the last `depth` parts of the path without its suffix, joined by "/". Its groups are
        what the name tells; two files with the same are one utterance.
    info : CorpusInfo
    depth : int, default=1
    preferred : str or None, default=None
        Where there is a folder of this name, only what lies in it counts.

    Returns
    -------
    list of (Path, re.Match)
        Sorted by name.

    Raises
    ------
    FileNotFoundError
        If `path` is no folder or nothing in it matches.
    ValueError
        If an utterance is there twice, or a file is a placeholder of Git LFS.
    """
    path = existing_folder(path)
    files = walk_files(path)
    if any(preferred in file.parts for file in files):
        files = [file for file in files if preferred in file.parts]
    found, others = {}, 0
    for file in audio_files(files):
        name = "/".join(file.absolute().with_suffix("").parts[-depth:])
        match = pattern.fullmatch(name)
        if match is None:
            others += 1
        elif match.groups() in found:
            raise _there_twice(info, file.stem, found[match.groups()][1], file)
        else:
            found[match.groups()] = (name, file, match)
    if not found:
        hint = f" ({others} audio files have other names)" if others else ""
        raise FileNotFoundError(
            f"{path} holds no {info.name} file, such as {info.example}{hint}. "
            f"Is this the folder that {info.name} was unpacked into?"
        )
    return [(file, match) for _, file, match in sorted(found.values(), key=lambda f: f[0])]


def find_table(files, path, name, info):
    """The file of this name among those of a corpus, or FileNotFoundError."""
    found = [file for file in files if file.name == name]
    if not found:
        raise FileNotFoundError(
            f"{path} holds no {name}. Is this the folder that {info.name} was unpacked into?"
        )
    return found[0]


def read_text(path):
    """Text of a file, in UTF-8 or, where it is not that, in the encoding of old Windows."""
    content = Path(path).read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def read_table(path, columns):
    """A CSV file of strings with at least these columns, or ValueError that says what is wrong."""
    try:
        table = pd.read_csv(io.StringIO(read_text(path)), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path} is not a table: {error}") from error
    table.columns = table.columns.str.strip()
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"{path} lacks the columns {missing}; it has {list(table.columns)}.")
    return table.fillna("")  # of rows that end early


def in_row(path, number):
    """Where a row of a table stands, counting the heading as line 1."""
    return f"{path}, line {number + 2},"


def number_in(text, kind, where, column):
    """A number of a table's cell, or ValueError that says where it stands."""
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{where} has no number in {column}, but {text!r}.") from None


def audio_by_name(files, info, name_of):
    """Audio files by what `name_of` calls them; those that it calls None are passed over.

    Raises
    ------
    ValueError
        If two files have one name, or a file is a placeholder of Git LFS.
    """
    sounds = {}
    for file in audio_files(files):
        name = name_of(file)
        if name in sounds:
            raise _there_twice(info, name, sounds[name], file)
        if name is not None:
            sounds[name] = file
    return {name: str(file) for name, file in sounds.items()}


def _there_twice(info, name, first, second):
    """The error that says which of two files of one utterance to remove: not a .wav, if any."""
    extra = max((second, first), key=lambda file: file.suffix.lower() != ".wav")
    return ValueError(
        f"{info.name}: utterance {name} is there twice, as {first} and {second}. If both are the "
        f"same recording, remove {extra}."
    )


def with_audio(rows, info, path, remedy=""):
    """Rows that have a file in ``audio``; a warning names the others by ``utterance``.

    Raises
    ------
    FileNotFoundError
        If no row has a file.
    ValueError
        If an utterance is labeled twice.
    """
    labeled = pd.Series([row["utterance"] for row in rows], dtype=object)
    if labeled.duplicated().any():
        raise ValueError(
            f"{info.name}: utterance {labeled[labeled.duplicated()].iloc[0]} is labeled twice."
        )
    missing = [row["utterance"] for row in rows if row["audio"] is None]
    if not rows:
        raise ValueError(f"{path} holds tables of {info.name} without a row.")
    if len(missing) == len(rows):
        raise FileNotFoundError(
            f"{path} holds no audio of the {len(rows)} utterances that {info.name} labels, such "
            f"as {missing[0]}.{remedy}"
        )
    missing = [name for name in missing if name not in info.absent]
    if missing:
        warnings.warn(
            f"{info.name}: no audio file for {len(missing)} of {len(rows)} labeled utterances; "
            f"they are left out: {_some(missing)}.",
            stacklevel=3,
        )
    return [row for row in rows if row["audio"] is not None]


def warn_of_missing(info, frame, chosen=None):
    """Warn of speakers, sessions or sets that are not as large as published.

    Parameters
    ----------
    info : CorpusInfo
    frame : DataFrame
        The utterance table.
    chosen : list of str or None, default=None
        Which of them were asked for; None means all.
    """
    counts = frame[info.counted_by].value_counts()
    missing = [
        f"{name} ({counts.get(name, 0)} of {expected})"
        for name, expected in info.published.items()
        if (chosen is None or name in chosen)
        and counts.get(name, 0) < expected - sum(a.startswith(f"{name} ") for a in info.absent)
    ]
    if missing:
        warnings.warn(
            f"{info.name} is incomplete: {len(frame)} of {info.n_utterances} utterances. "
            f"{info.counted_by.capitalize()}s with fewer than published: {_some(missing)}.",
            stacklevel=3,
        )
    if missing or chosen is not None:
        return
    unknown = sorted(set(counts.index) - set(info.published))
    counts = frame["emotion"].value_counts()
    odd = [
        f"{emotion} ({counts.get(emotion, 0)} of {expected})"
        for emotion, expected in info.emotions.items()
        if abs(counts.get(emotion, 0) - expected) > len(info.absent)
    ]
    if unknown or odd:
        warnings.warn(
            f"{info.name} is not as published: {len(frame)} of {info.n_utterances} utterances"
            + (f", {info.counted_by}s not known: {_some(unknown)}" if unknown else "")
            + (f", other counts by emotion: {_some(odd)}" if odd else "")
            + ".",
            stacklevel=3,
        )


def published_corpus(info, frame):
    """The corpus, with all that the registry knows of it."""
    notes = "".join(f"\n- {note}" for note in info.notes)
    return SpeechCorpus(
        frame,
        info.name,
        info.labels,
        license=info.license,
        citation=info.citation,
        description=f"{info.title} ({info.name})\n\n{info.description}\n{notes}".rstrip() + "\n",
        dimension_range=info.dimension_range,
    )


def choose(frame, column, wanted, info):
    """Rows whose column is among those wanted, or ValueError that says what there is."""
    if wanted is None:
        return frame
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    there = list(dict.fromkeys(frame[column]))
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise ValueError(f"{info.name} has no {column} {unknown}; it has {there}.")
    return frame[frame[column].isin(wanted)]


def _some(names, n=10):
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more
