"""Finding a corpus's files."""

import warnings
from pathlib import Path

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"}


def existing_folder(path):
    """`path` as a Path, or FileNotFoundError if it is no folder."""
    path = Path(path)
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise FileNotFoundError(f"{path} {what}.")
    return path


def find_audio(path, pattern, corpus, example):
    """Audio files whose stem matches a corpus's naming, at any depth.

    Parameters
    ----------
    path : path-like
    pattern : re.Pattern
        Of the whole stem.
    corpus, example : str
        For the error: the corpus's name, and a file name of it.

    Returns
    -------
    list of (Path, re.Match)
        Sorted by stem.

    Raises
    ------
    FileNotFoundError
        If `path` is no folder or nothing in it matches.
    ValueError
        If an utterance is there twice.
    """
    path = existing_folder(path)
    found = {}
    n_others = 0
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() not in AUDIO_SUFFIXES or not file.is_file():
            continue
        match = pattern.fullmatch(file.stem)
        if match is None:
            n_others += 1
        elif file.stem in found:
            raise ValueError(
                f"{corpus}: utterance {file.stem} is there twice, "
                f"as {found[file.stem][0]} and {file}."
            )
        else:
            found[file.stem] = (file, match)
    if not found:
        others = f" ({n_others} audio files have other names)" if n_others else ""
        raise FileNotFoundError(
            f"{path} holds no {corpus} file, such as {example}{others}. "
            f"Is this the folder that {corpus} was unpacked into?"
        )
    return [found[stem] for stem in sorted(found)]


def warn_of_missing(corpus, speakers, published):
    """Warn of speakers with fewer utterances than published.

    Parameters
    ----------
    corpus : str
        The corpus's name.
    speakers : Series of str
        Speaker of each utterance found.
    published : dict
        From every speaker to the number of utterances.
    """
    counts = speakers.value_counts()
    missing = [
        f"{speaker} ({counts.get(speaker, 0)} of {expected})"
        for speaker, expected in published.items()
        if counts.get(speaker, 0) < expected
    ]
    if missing:
        warnings.warn(
            f"{corpus} is incomplete: {len(speakers)} of {sum(published.values())} utterances. "
            f"Speakers with fewer than published: {', '.join(missing)}.",
            stacklevel=3,
        )
