"""Interactive Emotional Dyadic Motion Capture (IEMOCAP)."""

import re
import warnings

import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._audio_files import existing_folder, walk_files
from skser.datasets._corpus import finish
from skser.datasets._files import (
    audio_by_name,
    choose,
    number_in,
    published_corpus,
    read_text,
    warn_of_missing,
    with_audio,
)
from skser.datasets._parameters import SHARED
from skser.datasets._registry import CORPORA, HARMONIZED, SHARED_EMOTIONS
from skser.datasets._votes import DIMENSIONS, SELF, emotions_voted_for, votes_by_name

_TURN = r"Ses0(?P<session>[1-5])[FM]_(?P<dialog>(?P<scenario>impro|script)\w+)_(?P<sex>[FM])\w{3}"
_LABEL = re.compile(
    rf"\[(?P<start>\S+) - (?P<end>\S+)\]\t(?P<turn>{_TURN})\t(?P<code>\w+)"
    r"\t\[(?P<valence>[^],]+), *(?P<activation>[^],]+), *(?P<dominance>[^],]+)\]\s*"
)
_SPOKEN = re.compile(rf"(?P<turn>{_TURN})\s*\[[^]]*\]\s*:\s*(?P<text>.*)")
_VOTE = re.compile(
    r"[CA]-(?P<kind>[EFM])(?P<number>\d+):\s*(?:"
    r"(?P<dimensions>val *(?P<val>[^;]*?) *; *act *(?P<act>[^;]*?) *; *dom *(?P<dom>[^;]*?) *;)"
    r"|(?P<emotions>[^(\t]*))\s*(\(.*)?"
)
_VOTED = {
    "neutral": "neutral", "neutral state": "neutral", "anger": "anger", "happiness": "happiness",
    "excited": "excitement", "sadness": "sadness", "frustration": "frustration", "fear": "fear",
    "surprise": "surprise", "disgust": "disgust", "other": "other",
}  # fmt: skip
_LABELS = ("all", "4-class")
_SOUNDS = ("turns", "dialogs")
_SCENARIOS = {"impro": "improvised", "script": "scripted"}


@insert_descriptions(SHARED)
def load_iemocap(path, *, labels="all", scenario="all", audio="turns", return_X_y=False):
    r"""Load the turns of IEMOCAP, the Interactive Emotional Dyadic Motion Capture database.

    The published protocol leaves out one session at a time: use ``corpus.frame["session"]`` as
    the groups of a cross-validation.

    Parameters
    ----------
    path : path-like
        Folder that holds some or all of ``Session1`` to ``Session5`` as published. Labels are
        read from ``Session1/dialog/EmoEvaluation``, transcripts from
        ``Session1/dialog/transcriptions``, the audio of single turns from
        ``Session1/sentences/wav``, and the audio of whole dialogues from
        ``Session1/dialog/wav``.
    labels : {"all", "4-class"}, default="all"
        Set of labels. "all" keeps all eleven, one of which is "no agreement" for turns whose
        raters had no majority. "4-class" keeps the usual anger, happiness, neutral and sadness,
        and counts excitement as happiness; 5531 turns remain.
    scenario : {"all", "improvised", "scripted"}, default="all"
        Kind of dialogues to load.
    audio : {"turns", "dialogs"}, default="turns"
        Kind of audio files: one per turn, or one per dialogue. In the latter case each
        utterance is a part of its file.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes, transcripts where they exist, and valence, activation and
        dominance between 1 and 5. A speaker such as ``Ses01F`` consists of the session and the
        sex of the person who speaks, who may differ from the one that the recording is named
        after. ``frame`` has the columns ``utterance``, ``session``, ``scenario``, ``dialog``
        (the same names in all sessions), and the times of the turn within the dialogue, in
        seconds: ``start`` and ``end`` if `audio` is "dialogs", otherwise ``dialog_start`` and
        ``dialog_end``. ``votes`` holds what each evaluator chose, where the label files have
        these lines. An evaluator who named several emotions has a row for each, the first with
        the dimensions. Votes of the actors on their own turns bear the speaker's name as the
        rater, and True in the column ``self_evaluation``.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist, or has no labels or no audio for them.
    ValueError
        If a line of the labels is invalid (the message names file and line), if a turn occurs
        twice, or if `labels`, `scenario` or `audio` has another value than those above.

    Warns
    -----
    UserWarning
        If labeled turns have no audio file, if turns have no text although their dialogue has a
        transcript, or if sessions have fewer turns than published.

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
    >>> with warnings.catch_warnings(action="ignore"):  # most turns are missing
    ...     corpus = load_iemocap(session.parent, labels="4-class")
    >>> corpus.target[0], corpus.speakers[0], float(corpus.valence[0]), corpus.dimension_range
    ('happiness', 'Ses01M', 4.0, (1.0, 5.0))
    """
    scenarios = ("all", *_SCENARIOS.values())
    for option, given, known in (
        ("labels", labels, _LABELS),
        ("scenario", scenario, scenarios),
        ("audio", audio, _SOUNDS),
    ):
        if given not in known:
            raise ValueError(f"{option}={given!r} is unknown; choose one of {known}.")
    info = CORPORA["iemocap"]
    path = existing_folder(path)
    files = walk_files(path)
    sounds = _sounds(files, info, audio)
    texts, transcribed = _texts(files)
    labels_of, votes = _label_files(files), []
    rows = [row for file in labels_of for row in _rows(file, sounds, texts, info, votes)]
    if not rows:
        raise FileNotFoundError(
            f"{path} has no labels of {info.name}, such as {info.example}. "
            f"Give the folder that {info.name} was unpacked into."
        )
    frame = pd.DataFrame(with_audio(rows, info, path))
    if audio == "turns":  # each file is one turn, so `start` and `end` would cut it again
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
    corpus = published_corpus(info, frame, votes_by_name(votes, frame["utterance"]))
    if labels == "4-class":
        # Not `harmonize`, which raises an error if one of the four emotions is missing.
        present = {*corpus.target_names, *emotions_voted_for(corpus.votes)}
        common = {name: HARMONIZED[name] for name in present}
        corpus = corpus.relabel(
            {old: new if new in SHARED_EMOTIONS else None for old, new in common.items()}
        )
    return finish(corpus, return_X_y)


def _sounds(files, info, audio):
    """Return audio files by the name of their turn or dialogue."""
    if audio == "turns":
        turn = re.compile(_TURN)
        return audio_by_name(files, info, lambda f: f.stem if turn.fullmatch(f.stem) else None)
    inside = ("dialog", "wav")
    return audio_by_name(files, info, lambda f: f.stem if f.parts[-3:-1] == inside else None)


def _label_files(files):
    """Return the label files of the dialogues; those of single raters are one folder deeper."""
    return [f for f in files if f.suffix == ".txt" and f.parent.name == "EmoEvaluation"]


def _rows(file, sounds, texts, info, votes):
    """Return a row of the utterance table for each labeled turn of a dialogue.

    The lines of single raters are added to `votes`.
    """
    rows, of_turn = [], {}
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        where = f"{file}, line {number},"
        if line.startswith(("C-", "A-")) and rows:
            _add_vote(of_turn, line, where, rows[-1])
        if not line.startswith("["):
            continue  # the heading, or the vote of a single rater
        match = _LABEL.fullmatch(line)
        if match is None:
            raise ValueError(
                f"{info.name}: {where} cannot be read as the label of a turn: {line!r}."
            )
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
    for (turn, rater), vote in of_turn.items():
        emotions = vote.pop("emotions", [None])
        votes.append({"utterance": turn, "rater": rater, "emotion": emotions[0], **vote})
        votes += [
            {"utterance": turn, "rater": rater, "emotion": emotion, SELF: vote[SELF]}
            for emotion in emotions[1:]
        ]
    return rows


def _add_vote(votes, line, where, turn):
    """Add a rater's line to the votes by turn and rater."""
    match = _VOTE.fullmatch(line)
    if match is None:
        raise ValueError(f"{where} cannot be read as the vote of a rater: {line!r}.")
    own = match["kind"] != "E"
    rater = f"Ses0{turn['session']}{match['kind']}" if own else f"E{match['number']}"
    vote = votes.setdefault((turn["utterance"], rater), {SELF: own})
    if match["dimensions"] is not None:
        for key, value in zip(DIMENSIONS, match.group("val", "act", "dom"), strict=True):
            if value:
                vote[key] = number_in(value, float, where, key)
        return
    chosen = [name.strip().lower() for name in match["emotions"].split(";")]
    for name in filter(None, chosen):
        if name not in _VOTED:
            raise ValueError(
                f"{where} has a vote for {name!r}; the emotions are {', '.join(_VOTED)}."
            )
        emotions = vote.setdefault("emotions", [])
        if _VOTED[name] not in emotions:
            emotions.append(_VOTED[name])


def _texts(files):
    """Return the transcripts by turn, and the dialogues that have a transcript file."""
    texts, transcribed = {}, set()
    for file in files:
        if file.suffix == ".txt" and file.parent.name == "transcriptions":
            transcribed.add(file.stem)
            for line in read_text(file).splitlines():
                match = _SPOKEN.fullmatch(line.strip())
                if match is not None:
                    texts[match["turn"]] = match["text"] or None
    return texts, transcribed
