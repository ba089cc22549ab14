"""Interactive Emotional Dyadic Motion Capture."""

import re
import warnings

import pandas as pd

from skser.datasets._corpus import finish
from skser.datasets._files import (
    audio_by_name,
    choose,
    existing_folder,
    number_in,
    published_corpus,
    read_text,
    walk_files,
    warn_of_missing,
    with_audio,
)
from skser.datasets._registry import CORPORA, HARMONIZED, SHARED_EMOTIONS

_TURN = r"Ses0(?P<session>[1-5])[FM]_(?P<dialog>(?P<scenario>impro|script)\w+)_(?P<sex>[FM])\w{3}"
_LABEL = re.compile(
    rf"\[(?P<start>\S+) - (?P<end>\S+)\]\t(?P<turn>{_TURN})\t(?P<code>\w+)"
    r"\t\[(?P<valence>[^],]+), *(?P<activation>[^],]+), *(?P<dominance>[^],]+)\]\s*"
)
_SPOKEN = re.compile(rf"(?P<turn>{_TURN})\s*\[[^]]*\]\s*:\s*(?P<text>.*)")
_LABELS = ("all", "4-class")
_SOUNDS = ("turns", "dialogs")
_SCENARIOS = {"impro": "improvised", "script": "scripted"}


def load_iemocap(path, *, labels="all", scenario="all", audio="turns", return_X_y=False):
    r"""Load the turns of IEMOCAP, the Interactive Emotional Dyadic Motion Capture database.

    The published protocol leaves one session out: ``groups=corpus.frame["session"]``.

    Parameters
    ----------
    path : path-like
        Folder that holds ``Session1`` to ``Session5`` (or some of them) as published: labels in
        ``Session1/dialog/EmoEvaluation``, transcripts in ``Session1/dialog/transcriptions``,
        sound in ``Session1/sentences/wav``, a file per turn, and in ``Session1/dialog/wav``, a
        file per dialogue.
    labels : {"all", "4-class"}, default="all"
        "all" are eleven, among them "no agreement" (the raters had no majority). "4-class" are
        the usual anger, happiness, neutral and sadness, excitement counted as happiness: 5531
        turns.
    scenario : {"all", "improvised", "scripted"}, default="all"
        Which dialogues.
    audio : {"turns", "dialogs"}, default="turns"
        Which sound: the files of single turns, or those of whole dialogues, of which turns are
        parts.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    SpeechCorpus
        Paths, with speakers (``Ses01F``: session and sex of who speaks, which need not be who
        the recording is named after), sexes, transcripts (where they are), valence, activation
        and dominance between 1 and 5, and, in ``frame``, ``utterance``, ``session``,
        ``scenario``, ``dialog`` (the same in all sessions) and the times of the turn within
        the dialogue, in seconds: ``start`` and ``end`` where `audio` is "dialogs", else
        ``dialog_start`` and ``dialog_end``.

    Raises
    ------
    FileNotFoundError
        If the folder is missing or holds no labels, or no audio for them.
    ValueError
        If a line of the labels cannot be understood, naming file and line; if a turn is there
        twice; or if `labels`, `scenario` or `audio` is none of those above.

    Warns
    -----
    UserWarning
        Naming labeled turns without audio, or without a transcript where that of their
        dialogue is there, and sessions with fewer turns than published.

    References
    ----------
    Busso, C., Bulut, M., Lee, C.-C., Kazemzadeh, A., Mower, E., Kim, S., Chang, J. N., Lee, S.
    and Narayanan, S. S. (2008). IEMOCAP: interactive emotional dyadic motion capture database.
    Language Resources and Evaluation 42(4).

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_iemocap
    >>> session = pathlib.Path(tempfile.mkdtemp()) / "Session1"
    >>> for folder in ("dialog/EmoEvaluation", "sentences/wav/Ses01F_impro01"):
    ...     (session / folder).mkdir(parents=True)
    >>> (session / "sentences/wav/Ses01F_impro01/Ses01F_impro01_M003.wav").touch()
    >>> line = "[6.29 - 8.23]\tSes01F_impro01_M003\texc\t[4.0000, 3.5000, 3.0000]\n"
    >>> _ = (session / "dialog/EmoEvaluation/Ses01F_impro01.txt").write_text(line)
    >>> with warnings.catch_warnings(action="ignore"):  # of the turns that are missing
    ...     corpus = load_iemocap(session.parent, labels="4-class")
    >>> corpus.target[0], corpus.speakers[0], float(corpus.valence[0]), corpus.dimension_range
    ('happiness', 'Ses01M', 4.0, (1.0, 5.0))
    """
    scenarios = ("all", *_SCENARIOS.values())
    for given, known in ((labels, _LABELS), (scenario, scenarios), (audio, _SOUNDS)):
        if given not in known:
            raise ValueError(f"{given!r} is not known; choose from {known}.")
    info = CORPORA["iemocap"]
    path = existing_folder(path)
    files = walk_files(path)
    sounds = _sounds(files, info, audio)
    texts, transcribed = _texts(files)
    rows = [row for file in _label_files(files) for row in _rows(file, sounds, texts, info)]
    if not rows:
        raise FileNotFoundError(
            f"{path} holds no labels of {info.name}, such as {info.example}. "
            f"Is this the folder that {info.name} was unpacked into?"
        )
    frame = pd.DataFrame(with_audio(rows, info, path))
    if audio == "turns":  # whose files are cut already
        frame = frame.rename(columns={"start": "dialog_start", "end": "dialog_end"})
    dialogs = frame["utterance"].str.rpartition("_")[0]
    wordless = frame["utterance"][frame["transcript"].isna() & dialogs.isin(transcribed)]
    if len(wordless):
        warnings.warn(
            f"{info.name}: {len(wordless)} turns have no text in the transcript of their dialogue, "
            f"such as {wordless.iloc[0]}.",
            stacklevel=2,
        )
    warn_of_missing(info, frame)
    if scenario != "all":
        frame = choose(frame, "scenario", scenario, info)
    corpus = published_corpus(info, frame)
    if labels == "4-class":
        common = {name: HARMONIZED[name] for name in corpus.target_names}
        corpus = corpus.relabel(
            {old: new if new in SHARED_EMOTIONS else None for old, new in common.items()}
        )
    return finish(corpus, return_X_y)


def _sounds(files, info, audio):
    """Sound files by the name of their turn, or of their dialogue."""
    if audio == "turns":
        turn = re.compile(_TURN)
        return audio_by_name(files, info, lambda f: f.stem if turn.fullmatch(f.stem) else None)
    inside = ("dialog", "wav")
    return audio_by_name(files, info, lambda f: f.stem if f.parts[-3:-1] == inside else None)


def _label_files(files):
    """The summaries per dialogue; single raters' files are one folder deeper."""
    return [f for f in files if f.suffix == ".txt" and f.parent.name == "EmoEvaluation"]


def _rows(file, sounds, texts, info):
    rows = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if not line.startswith("["):
            continue  # single raters' labels, and the heading in brackets of per cent
        where = f"{file}, line {number},"
        match = _LABEL.fullmatch(line)
        if match is None:
            raise ValueError(f"{info.name}: {where} is no label of a turn: {line!r}.")
        speaker = f"Ses0{match['session']}{match['sex']}"
        rows.append(
            {
                "audio": sounds.get(match["turn"], sounds.get(match["turn"].rpartition("_")[0])),
                "emotion": info.emotion(match["code"], where),
                "speaker": speaker,
                "sex": info.sexes[speaker],
                "transcript": texts.get(match["turn"]),
                **{
                    key: number_in(match[key], float, where, key)
                    for key in ("valence", "activation", "dominance", "start", "end")
                },
                "utterance": match["turn"],
                "session": match["session"],
                "scenario": _SCENARIOS[match["scenario"]],
                "dialog": match["dialog"],
            }
        )
    return rows


def _texts(files):
    """Transcripts by turn, and which dialogues have a file of them."""
    texts, transcribed = {}, set()
    for file in files:
        if file.suffix == ".txt" and file.parent.name == "transcriptions":
            transcribed.add(file.stem)
            for line in read_text(file).splitlines():
                match = _SPOKEN.fullmatch(line.strip())
                if match is not None:
                    texts[match["turn"]] = match["text"] or None
    return texts, transcribed
