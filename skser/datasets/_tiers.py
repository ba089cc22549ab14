"""Annotations in tiers, from TextGrid files of Praat and EAF files of ELAN."""

import os
import warnings
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from skser._docstrings import insert_descriptions
from skser._optional import import_optional
from skser.datasets._audio_files import AUDIO_SUFFIXES, READABLE_SUFFIXES, walk_files
from skser.datasets._corpus import finish
from skser.datasets._own import labeled_corpus
from skser.datasets._parameters import SHARED
from skser.datasets._table_file import decoded


@insert_descriptions(SHARED)
def load_textgrid(path, tier, *, speaker_tier=None, root=None, return_X_y=False):
    """Load a corpus from Praat TextGrids (extra ``annotations``).

    Parameters
    ----------
    path : path-like
        TextGrid in Praat's long or short text format (not the binary one), or a folder of
        TextGrids. The recording of ``call.TextGrid`` is ``call.wav``, or ``call`` with the suffix
        of another audio format.
    tier : str or list of str
        Name of the interval tier whose labels are the emotions. Empty intervals are left out.
        A list names one tier per speaker, and each tier's name is the name of its speaker.
    speaker_tier : str or None, default=None
        Name of the interval tier whose labels are the speakers. The speaker of an utterance is
        the label of this tier at the utterance's middle. None leaves the speakers unknown,
        unless `tier` is a list.
    root : path-like or None, default=None
        Folder of the recordings; None means the folder of the TextGrid.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus with the column ``tier`` and, if speakers are known, ``speaker``.

    Raises
    ------
    ImportError
        If the extra ``annotations`` is not installed.
    FileNotFoundError
        If a TextGrid or a recording does not exist.
    ValueError
        If a file is not a TextGrid, a tier is missing, empty or there twice, an interval reaches
        beyond its recording, or `tier` and `speaker_tier` both name speakers; the message names
        file, tier and interval.

    Warns
    -----
    UserWarning
        If utterances of one recording overlap, or if emotions or speakers that differ only in
        case or spaces were merged.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, soundfile
    >>> from praatio import textgrid
    >>> from skser.datasets import load_textgrid
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> soundfile.write(folder / "call.wav", np.zeros(32000), 16000)
    >>> grid = textgrid.Textgrid()
    >>> intervals = [(0.0, 0.8, "neutral"), (1.0, 2.0, "anger")]
    >>> grid.addTier(textgrid.IntervalTier("emotion", intervals, 0, 2))
    >>> grid.save(str(folder / "call.TextGrid"), "long_textgrid", includeBlankSpaces=True)
    >>> load_textgrid(folder, "emotion").frame[["start", "end", "emotion"]].values.tolist()
    [[0.0, 0.8, 'neutral'], [1.0, 2.0, 'anger']]
    """
    import_optional("praatio", extra="annotations", purpose="load_textgrid")
    return finish(
        _corpus_of_tiers(path, ".textgrid", _read_textgrid, tier, speaker_tier, root), return_X_y
    )


@insert_descriptions(SHARED)
def load_elan(path, tier, *, speaker_tier=None, root=None, return_X_y=False):
    """Load a corpus from ELAN annotations (extra ``annotations``).

    Parameters
    ----------
    path : path-like
        EAF file, or a folder of EAF files. The recording is the media file that ELAN linked, an
        audio file before a video, or else a file with the name of the EAF file and the suffix of
        an audio format. A linked file is also found by its name alone, if its path is that of
        another machine. An offset of the media file is added to all times.
    tier : str or list of str
        Name of the tier whose values are the emotions. Annotations without a value are left
        out. A tier that depends on another tier takes its times from there. A list names one
        tier per speaker.
    speaker_tier : str or None, default=None
        Name of the tier whose values are the speakers, as in `load_textgrid`. None takes the
        participant of the tier, or of the tier that it depends on, as the speaker or, if there
        is none and `tier` is a list, the name of the tier.
    root : path-like or None, default=None
        Folder of the recordings; None means the folder of the EAF file.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Corpus with the column ``tier`` and, if speakers are known, ``speaker``.

    Raises
    ------
    ImportError
        If the extra ``annotations`` is not installed.
    FileNotFoundError
        If an EAF file or a recording does not exist.
    ValueError
        If a file is not an EAF file, a tier is missing or empty, an annotation reaches beyond
        its recording or has no times, or `tier` and `speaker_tier` both name speakers; the
        message names file, tier and annotation.

    Warns
    -----
    UserWarning
        If a file links several recordings (the first is used), if utterances of one recording
        overlap, or if emotions or speakers that differ only in case or spaces were merged.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, pympi, soundfile
    >>> from skser.datasets import load_elan
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> soundfile.write(folder / "call.wav", np.zeros(32000), 16000)
    >>> eaf = pympi.Eaf()
    >>> eaf.add_linked_file(str(folder / "call.wav"), mimetype="audio/x-wav")
    >>> eaf.add_tier("emotion", part="Ann")
    >>> eaf.add_annotation("emotion", 0, 800, "neutral")
    >>> eaf.add_annotation("emotion", 1000, 2000, "anger")
    >>> eaf.to_file(folder / "call.eaf")
    >>> corpus = load_elan(folder / "call.eaf", "emotion")
    >>> corpus.target.tolist(), corpus.speakers.tolist()
    (['neutral', 'anger'], ['Ann', 'Ann'])
    """
    import_optional("pympi", extra="annotations", purpose="load_elan")
    return finish(_corpus_of_tiers(path, ".eaf", _read_elan, tier, speaker_tier, root), return_X_y)


def _corpus_of_tiers(path, suffix, read, tier, speaker_tier, root):
    """Load a file, or all files with the suffix in a folder, with the function `read`."""
    tier = tier if isinstance(tier, str) else list(tier)
    if not isinstance(tier, str) and len(tier) > 1 and speaker_tier is not None:
        raise ValueError(
            f"tier={tier} gives one tier per speaker, but speaker_tier={speaker_tier!r} names "
            "speakers too. Give a single tier, or no speaker_tier."
        )
    path = Path(path).expanduser()
    frames = []
    for file in _files(path, suffix):
        found = _utterances(file, read, tier, speaker_tier, root)
        if path.is_dir():
            found.index = [f"{place} of {file.name}" for place in found.index]
        frames.append(found)
    frame = pd.concat(frames)
    if frame["speaker"].isna().all():
        frame = frame.drop(columns="speaker")
    return labeled_corpus(frame, path.parent, str(path), "annotation", path.stem, check_times=True)


def _files(path, suffix):
    """Return the file itself, or the files with the suffix in a folder."""
    if path.is_dir():
        files = [file for file in walk_files(path) if file.suffix.lower() == suffix]
        if not files:
            raise FileNotFoundError(f"{path} has no file that ends in {suffix}.")
        return files
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return [path]


def _utterances(file, read, tier, speaker_tier, root):
    """Return the utterances of one file; the index names annotation and tier for messages."""
    tiers, media = read(file)
    chosen = [tier] if isinstance(tier, str) else tier
    wanted = [*chosen, *([] if speaker_tier is None else [speaker_tier])]
    missing = [name for name in wanted if name not in tiers]
    if missing:
        raise ValueError(
            f"{file} has no tier {missing[0]!r}; choose among its tiers {sorted(tiers)}."
        )
    twice = [name for name in wanted if tiers[name] is None]
    if twice:
        raise ValueError(f"{file} has several tiers {twice[0]!r}. Rename all but one in Praat.")
    rows, places = [], []
    for name in chosen:
        participant, entries = tiers[name]
        owner = participant or (None if isinstance(tier, str) else name)
        for i, (start, end, label) in enumerate(entries, 1):
            if label.strip():
                rows.append({"tier": name, "start": start, "end": end, "emotion": label.strip()})
                rows[-1]["speaker"] = owner
                places.append(f"{i} of tier {name!r}")
    if not rows:
        raise ValueError(
            f"{file}: the tier {', '.join(map(repr, chosen))} has no labels. Write the emotions "
            "there, or choose another tier."
        )
    if speaker_tier is not None:
        for row in rows:
            row["speaker"] = _label_at((row["start"] + row["end"]) / 2, tiers[speaker_tier][1])
    audio, offset = _recording(file, media, root)
    frame = pd.DataFrame(rows, index=pd.Index(places, dtype=object))
    frame[["start", "end"]] += offset
    return frame.assign(audio=audio, speaker=frame["speaker"].astype(object))


def _label_at(time, entries):
    """Return the label of the interval at a time in seconds, or None."""
    labels = (label.strip() for start, end, label in entries if start <= time < end)
    return next(filter(None, labels), None)


def _recording(file, media, root):
    """Return the path of the recording that a file annotates, and where its time 0 is in it."""
    folder = file.parent if root is None else Path(root)
    found = []
    for links, offset, kind in media:
        names = [Path(unquote(link.removeprefix("file://")).replace("\\", "/")) for link in links]
        # Relative links start from the file. Links of another machine may lead nowhere.
        places = [file.parent / name for name in names] if root is None else []
        for place in [*places, *(folder / name.name for name in names)]:
            if place.is_file():
                found.append((_preference(place, kind), str(place), offset))
                break
    if found:
        # A video is often linked besides the audio, and before it.
        best, path, offset = min(found, key=lambda medium: medium[0])
        others = [other for rank, other, _ in found if rank == best == 0 and other != path]
        if others:
            warnings.warn(
                f"{file} links several recordings. Its annotations are taken as those of {path}, "
                f"not of {', '.join(others)}. If that is wrong, unlink the others in ELAN.",
                stacklevel=5,
            )
        return path, offset
    beside = sorted(
        Path(folder, entry.name)
        for entry in (os.scandir(folder) if folder.is_dir() else ())
        if Path(entry.name).stem == file.stem
        and Path(entry.name).suffix.lower() in READABLE_SUFFIXES
    )
    if not beside:
        linked = [Path(unquote(links[0])).name for links, _, _ in media]
        names = " or ".join([*linked, f"{file.stem}.wav"])
        raise FileNotFoundError(
            f"{file}: {folder} has no recording for it, such as {names}. If the recordings are "
            "elsewhere, give their folder as root=."
        )
    # A .wav file is preferred to other formats of the same recording.
    return str(min(beside, key=lambda path: path.suffix.lower() != ".wav")), 0.0


def _preference(path, kind):
    """Return 0 for an audio file, 1 for another file that can be read, and 2 for the rest."""
    if kind.startswith("audio/") or path.suffix.lower() in AUDIO_SUFFIXES:
        return 0
    return 1 if path.suffix.lower() in READABLE_SUFFIXES else 2


def _read_textgrid(file):
    """Return participant (always None) and intervals of each interval tier, and no media."""
    from praatio.utilities.textgrid_io import parseTextgridStr

    text = decoded(file)
    if not text.strip():
        raise ValueError(f"{file} is empty. Write a tier in Praat and save it as a text file.")
    try:
        content = parseTextgridStr(text, includeEmptyIntervals=True)
        tiers = {}
        for tier in content["tiers"]:
            if tier["class"] == "IntervalTier":
                entries = [(float(s), float(e), str(v)) for s, e, v in tier["entries"]]
                # None for a name that occurs several times
                tiers[tier["name"]] = None if tier["name"] in tiers else (None, entries)
    except Exception as error:  # the parser raises errors of many types on invalid files
        raise ValueError(
            f"{file} cannot be read as a TextGrid ({type(error).__name__}: {error}). Open it "
            "in Praat and save it as a text file."
        ) from error
    if not tiers:
        raise ValueError(f"{file} has no interval tier. Write the emotions into one in Praat.")
    return tiers, ()


def _read_elan(file):
    """Return participant and annotations of each tier, and links, offset and type of media."""
    import pympi

    try:
        eaf = pympi.Eaf(str(file), suppress_version_warning=True)
        tiers = {
            name: (
                _participant(eaf.tiers, name),
                [
                    (start, end, value or "")
                    for start, end, value, *_ in eaf.get_annotation_data_for_tier(name)
                ],
            )
            for name in eaf.tiers
        }
        media = [
            (
                [about[key] for key in ("RELATIVE_MEDIA_URL", "MEDIA_URL") if about.get(key)],
                int(about.get("TIME_ORIGIN") or 0) / 1000,  # from ms
                str(about.get("MIME_TYPE") or ""),
            )
            for about in eaf.media_descriptors
        ]
    except Exception as error:  # the parser raises errors of many types on invalid files
        raise ValueError(
            f"{file} cannot be read as an EAF file ({type(error).__name__}: {error}). Open it "
            "in ELAN and save it again."
        ) from error
    for name, (_, entries) in tiers.items():
        for i, (start, end, _) in enumerate(entries, 1):
            if start is None or end is None:
                raise ValueError(
                    f"{file}, annotation {i} of tier {name!r} has no times. Align it in ELAN."
                )
    return {
        name: (who, sorted((s / 1000, e / 1000, v) for s, e, v in entries))
        for name, (who, entries) in tiers.items()
    }, media


def _participant(tiers, name):
    """Return the participant of a tier or of the nearest tier above it, or None."""
    while name is not None:
        about = tiers[name][2]
        if about.get("PARTICIPANT", "").strip():
            return about["PARTICIPANT"].strip()
        name = about.get("PARENT_REF")
    return None
