"""Search for the files of a corpus, and reading of its tables."""

import csv
import io
import warnings
from pathlib import Path

import pandas as pd

from skser.datasets._audio_files import audio_files, existing_folder, walk_files
from skser.datasets._corpus import SpeechCorpus


def find_audio(path, pattern, info, depth=1, preferred=None):
    """Find the audio files below a folder whose names follow the naming of a corpus.

    Parameters
    ----------
    path : path-like
        Folder to search, at any depth.
    pattern : re.Pattern
        Pattern of the last `depth` parts of the path without its suffix, joined by "/". Two
        files with the same groups are the same utterance.
    info : CorpusInfo
        Facts about the corpus, for messages.
    depth : int, default=1
        Number of parts of the path that `pattern` matches.
    preferred : str or None, default=None
        Name of a folder; if it exists, only files in it are considered.

    Returns
    -------
    list of (Path, re.Match)
        Files and matches, sorted by name.

    Raises
    ------
    FileNotFoundError
        If `path` is not a folder or no file in it matches.
    ValueError
        If an utterance occurs twice, or a file is a placeholder of Git LFS.
    """
    path = existing_folder(path)
    files = walk_files(path)
    if any(preferred in file.parts for file in files):
        files = [file for file in files if preferred in file.parts]
    found, others = {}, 0
    for file in audio_files(files):
        # Absolute, because a relative path may have fewer than `depth` parts.
        name = "/".join(file.absolute().with_suffix("").parts[-depth:])
        match = pattern.fullmatch(name)
        if match is None:
            others += 1
        elif match.groups() in found:
            raise _duplicate_error(info, file.stem, found[match.groups()][1], file)
        else:
            found[match.groups()] = (name, file, match)
    if not found:
        hint = f" ({others} audio files have other names)" if others else ""
        raise FileNotFoundError(
            f"{path} has no {info.name} file, such as {info.example}{hint}. "
            f"Give the folder that {info.name} was unpacked into."
        )
    return [(file, match) for _, file, match in sorted(found.values(), key=lambda f: f[0])]


def find_table(files, path, name, info):
    """Return the file with this name, or raise FileNotFoundError if there is none."""
    found = [file for file in files if file.name == name]
    if not found:
        raise FileNotFoundError(
            f"{path} has no file {name}. Give the folder that {info.name} was unpacked into."
        )
    return found[0]


def read_text(path):
    """Return the text of a file in UTF-8 or, if it is not valid UTF-8, in cp1252."""
    content = Path(path).read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def read_table(path, columns, sep=","):
    """Read a CSV file as strings, or raise ValueError if it lacks one of the columns."""
    quoting = csv.QUOTE_MINIMAL if sep == "," else csv.QUOTE_NONE
    try:
        table = pd.read_csv(
            io.StringIO(read_text(path)),
            dtype=str,
            keep_default_na=False,
            sep=sep,
            quoting=quoting,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path} cannot be read as a CSV table: {error}") from error
    table.columns = table.columns.str.strip()
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"{path} lacks the columns {missing}; it has {list(table.columns)}.")
    return table.fillna("")  # the last cells of rows that end early


def in_row(path, number):
    """Return the place of a row for messages; the heading is line 1, and rows count from 0."""
    return f"{path}, line {number + 2},"


def number_in(text, kind, where, column):
    """Return the number in a cell of a table, or raise ValueError that names the cell."""
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{where} has {text!r} in {column}; expected a number.") from None


def audio_by_name(files, info, name_of):
    """Return audio files by the names that `name_of` gives them, except those it calls None.

    Raises
    ------
    ValueError
        If two files have the same name, or a file is a placeholder of Git LFS.
    """
    sounds = {}
    for file in audio_files(files):
        name = name_of(file)
        if name in sounds:
            raise _duplicate_error(info, name, sounds[name], file)
        if name is not None:
            sounds[name] = file
    return {name: str(file) for name, file in sounds.items()}


def _duplicate_error(info, name, first, second):
    """Return the error for two files of one utterance; it keeps a .wav file if there is one."""
    extra = max((second, first), key=lambda file: file.suffix.lower() != ".wav")
    return ValueError(
        f"{info.name}: utterance {name} occurs twice, as {first} and as {second}. If both are the "
        f"same recording, remove {extra}."
    )


def with_audio(rows, info, path, remedy=""):
    """Return the rows that have a file in ``audio``, and warn about the others.

    Parameters
    ----------
    rows : list of dict
        Rows of the utterance table, with the keys ``audio`` and ``utterance``.
    info : CorpusInfo
        Facts about the corpus.
    path : Path
        Folder of the corpus, for messages.
    remedy : str, default=""
        Sentence to add to the error if all audio is missing.

    Returns
    -------
    list of dict

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
            f"{info.name}: utterance {labeled[labeled.duplicated()].iloc[0]} is labeled twice. "
            "Remove one of the labels."
        )
    missing = [row["utterance"] for row in rows if row["audio"] is None]
    if not rows:
        raise ValueError(f"The tables of {info.name} in {path} have no rows. Restore them.")
    if len(missing) == len(rows):
        raise FileNotFoundError(
            f"{path} has no audio file for any of the {len(rows)} utterances that {info.name} "
            f"labels, such as {missing[0]}.{remedy}"
        )
    missing = [name for name in missing if name not in info.absent]
    if missing:
        warnings.warn(
            f"{info.name}: {len(missing)} of {len(rows)} labeled utterances have no audio file "
            f"and are left out: {_some(missing)}.",
            stacklevel=3,
        )
    return [row for row in rows if row["audio"] is not None]


def warn_of_missing(info, frame, chosen=None):
    """Warn if speakers, sessions or splits have other numbers of utterances than published.

    Parameters
    ----------
    info : CorpusInfo
        Facts about the corpus.
    frame : DataFrame
        Utterance table.
    chosen : list of str or None, default=None
        Speakers, sessions or splits that the user asked for; None means all.
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
            f"{info.name} differs from its published form: {len(frame)} of {info.n_utterances} "
            "utterances"
            + (f", unknown {info.counted_by}s: {_some(unknown)}" if unknown else "")
            + (f", other counts by emotion: {_some(odd)}" if odd else "")
            + ".",
            stacklevel=3,
        )


def published_corpus(info, frame, votes=None):
    """Build a published corpus with the facts in its registry entry, and the raters' votes."""
    notes = "".join(f"\n- {note}" for note in info.notes)
    return SpeechCorpus(
        frame,
        info.name,
        info.labels,
        license=info.license,
        citation=info.citation,
        description=f"{info.title} ({info.name})\n\n{info.description}\n{notes}".rstrip() + "\n",
        dimension_range=info.dimension_range,
        votes=votes,
    )


def choose(frame, column, wanted, info):
    """Return the rows with the wanted values in a column; None means all rows.

    Raises
    ------
    ValueError
        If no row has one of the values; the message lists those that exist.
    """
    if wanted is None:
        return frame
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    there = list(dict.fromkeys(frame[column]))
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise ValueError(f"{info.name} has no {column} {unknown}; it has {there}.")
    return frame[frame[column].isin(wanted)]


def _some(names, n=10):
    """Return the first names as text, with the number of the others."""
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more
