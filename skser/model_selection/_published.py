"""Folds of published protocols."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from skser._wording import counted
from skser.datasets import CORPORA
from skser.model_selection._given_splits import GivenSplits
from skser.model_selection._speaker_folds import SpeakerFolds

_IEMOCAP = tuple((f"Ses0{i}F", f"Ses0{i}M") for i in range(1, 6))


def _every_fifth(sexes):
    """Deal the women and the men of a corpus to five folds in turn, each in order of names."""
    folds = [[] for _ in range(5)]
    for sex in ("female", "male"):
        for place, speaker in enumerate(sorted(s for s in sexes if sexes[s] == sex)):
            folds[place % 5].append(speaker)
    return tuple(tuple(sorted(fold)) for fold in folds)


# For each protocol, the groups of speakers that are held out together.
_OF_SPEAKERS = {
    "emodb-loso": tuple((f"{i:02}",) for i in (3, *range(8, 17))),
    # Luna-Jiménez, C. et al. (2021). Multimodal Emotion Recognition on RAVDESS Dataset Using
    # Transfer Learning. Sensors 21(22), 7665.
    "ravdess-5": (
        ("02", "05", "14", "15", "16"),
        ("03", "06", "07", "13", "18"),
        ("10", "11", "12", "19", "20"),
        ("08", "17", "21", "23", "24"),
        ("01", "04", "09", "22"),
    ),
    # Each of the five sessions has two speakers.
    "iemocap-5": _IEMOCAP,
    "iemocap-10": tuple((speaker,) for session in _IEMOCAP for speaker in session),
    "crema-d-5": _every_fifth(CORPORA["crema-d"].sexes),
}
_TRAIN, _TESTS = "Train", ("Test1", "Test2", "Test3")  # as MSP-Podcast names them
_PROTOCOLS = sorted([*_OF_SPEAKERS, "emodb-loso-sentences", "msp-podcast", "emobox"])


def published_folds(corpus, protocol, *, folds_dir=None, allow_shared_speakers=False):
    """Return the folds of a published protocol.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus to split. Its speakers must be those of the protocol.
    protocol : str
        Name of the protocol:

        - "emodb-loso" leaves out one of EmoDB's ten speakers at a time.
        - "emodb-loso-sentences" leaves out one speaker and one sentence at a time, and trains on
          the other speakers' other sentences: one fold for each pair that occurs.
        - "ravdess-5" splits RAVDESS' 24 actors into five folds [1]_.
        - "iemocap-5" leaves out one of IEMOCAP's five sessions at a time, and "iemocap-10" one of
          its ten speakers, while the partner of the dialogues stays in training [2]_.
        - "crema-d-5" splits CREMA-D's 91 actors into five folds. No speaker-disjoint folds of the
          corpus are in common use, so the women and then the men, in the order of their numbers,
          are dealt out in turn: fold 1 gets the first, sixth, eleventh and so on of each.
        - "msp-podcast" trains on the official partition "Train" and tests on each of "Test1",
          "Test2" and "Test3" that the corpus has [3]_. "Development" is on neither side: use it
          to choose a model. The test sets may have utterances of unknown speakers.
        - "emobox" reads the folds of the EmoBox benchmark [4]_ from `folds_dir`. Many of them
          share speakers.
    folds_dir : path-like or None, default=None
        Folder of a corpus in EmoBox's repository, such as ``data/emodb``, with the folders
        ``fold_1``, ``fold_2`` and so on. Their lists of training and test utterances are read;
        those for validation are on neither side.
    allow_shared_speakers : bool, default=False
        Whether to accept a protocol whose folds share speakers, to reproduce published figures.

    Returns
    -------
    SpeakerFolds or GivenSplits

    Raises
    ------
    ValueError
        If the protocol is unknown, the corpus has other speakers, partitions or utterances than
        the protocol, or the folds share speakers (the message states how many).
    FileNotFoundError
        If `folds_dir` has no lists of EmoBox.

    References
    ----------
    .. [1] Luna-Jiménez, C. et al. (2021). Multimodal Emotion Recognition on RAVDESS Dataset Using
       Transfer Learning. Sensors 21(22), 7665.
    .. [2] Pepino, L., Riera, P. and Ferrer, L. (2021). Emotion Recognition from Speech Using
       wav2vec 2.0 Embeddings. Interspeech, 3400-3404.
    .. [3] Lotfian, R. and Busso, C. (2019). Building Naturalistic Emotionally Balanced Speech
       Corpus by Retrieving Emotional Speech From Existing Podcast Recordings. IEEE Transactions
       on Affective Computing 10(4), 471-483.
    .. [4] Ma, Z. et al. (2024). EmoBox: Multilingual Multi-corpus Speech Emotion Recognition
       Toolkit and Benchmark. Interspeech, 1580-1584.

    Examples
    --------
    >>> from skser.datasets import load_ravdess
    >>> from skser.model_selection import published_folds
    >>> corpus = load_ravdess("data/ravdess")  # doctest: +SKIP
    >>> cv = published_folds(corpus, "ravdess-5")  # doctest: +SKIP
    """
    if protocol not in _PROTOCOLS:
        raise ValueError(f"Unknown protocol {protocol!r}; choose one of {_PROTOCOLS}.")
    if (folds_dir is not None) != (protocol == "emobox"):
        raise ValueError(
            "folds_dir= is the folder of EmoBox's lists: give it with protocol='emobox', and only "
            "then."
        )
    if corpus.speakers is None:
        raise ValueError(f"{corpus.name} has no speakers; load it with a speaker column.")
    if protocol == "emobox":
        folds = _emobox(corpus, Path(folds_dir).expanduser())
    elif protocol == "msp-podcast":
        folds = _official(corpus)
    else:
        held_out = _OF_SPEAKERS[protocol.removesuffix("-sentences")]
        _check_speakers(corpus, protocol, held_out)
        if protocol != "emodb-loso-sentences":
            return SpeakerFolds([list(fold) for fold in held_out])
        folds = _with_sentences_apart(corpus, held_out)
    if not allow_shared_speakers:
        _refuse_shared_speakers(corpus, protocol, folds)
    return GivenSplits(folds, protocol, allow_shared_speakers)


def _check_speakers(corpus, protocol, folds):
    """Raise ValueError if the corpus has other speakers than the protocol."""
    speakers = sorted({str(speaker) for speaker in corpus.speakers})
    published = {speaker for fold in folds for speaker in fold}
    if published != set(speakers):
        raise ValueError(
            f"{protocol} is defined for the speakers {sorted(published)}, but {corpus.name} has "
            f"{speakers}."
        )


def _with_sentences_apart(corpus, held_out):
    """Return a fold for each speaker and sentence, trained on other speakers' other sentences."""
    if corpus.sentences is None or pd.isna(corpus.sentences).any():
        raise ValueError(f"{corpus.name} does not name the sentence of every utterance.")
    speakers, sentences = corpus.speakers.astype(str), corpus.sentences.astype(str)
    folds = []
    for (speaker,) in held_out:
        for sentence in np.unique(sentences):
            of_speaker, of_sentence = speakers == speaker, sentences == sentence
            test = np.flatnonzero(of_speaker & of_sentence)
            if len(test):
                folds.append((np.flatnonzero(~of_speaker & ~of_sentence), test))
    return folds


def _official(corpus):
    """Return the official splits of MSP-Podcast."""
    if "split" not in corpus.frame:
        raise ValueError(f"{corpus.name} has no column 'split' with MSP-Podcast's partitions.")
    partitions = corpus.frame["split"].to_numpy(dtype=str)
    train = np.flatnonzero(partitions == _TRAIN)
    tests = [np.flatnonzero(partitions == name) for name in _TESTS]
    folds = [(train, test) for test in tests if len(test)]
    if not len(train) or not folds:
        raise ValueError(
            f"msp-podcast needs the partition {_TRAIN!r} and one of {list(_TESTS)}; {corpus.name} "
            f"has {sorted(set(partitions))}."
        )
    return folds


def _emobox(corpus, folder):
    """Return the folds in the lists of EmoBox, by the names of the audio files."""
    names = [Path(str(source)).stem for source in corpus.frame["audio"]]
    row_of = {name: i for i, name in enumerate(names)}
    if len(row_of) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"{corpus.name} has several files named {twice!r}, so EmoBox's lists are ambiguous."
        )
    folds = []
    # By number: as text, fold_10 would come before fold_2.
    for fold in sorted(folder.glob("fold_*"), key=lambda path: (len(path.name), path.name)):
        sides = []
        for side in ("train", "test"):
            # Some folders also have lists in an earlier format, such as emodb_test_fold1.jsonl.
            lists = fold.glob(f"*_{side}_{fold.name}.jsonl")
            listed = sorted({name for file in lists for name in _listed(file)})
            missing = [name for name in listed if name not in row_of]
            if missing:
                raise ValueError(
                    f"{fold} lists {counted(len(missing), 'utterance')} that {corpus.name} lacks, "
                    f"such as {missing[0]}."
                )
            sides.append(np.array([row_of[name] for name in listed], dtype=np.int64))
        folds.append(tuple(sides))
    if not folds or not all(len(side) for pair in folds for side in pair):
        raise FileNotFoundError(
            f"{folder} has no folders fold_1, fold_2, ... with lists such as "
            "emodb_train_fold_1.jsonl and emodb_test_fold_1.jsonl. Give the folder of the corpus "
            "in EmoBox's repository."
        )
    return [(np.sort(train), np.sort(test)) for train, test in folds]


def _listed(file):
    """Yield the name of the audio file in each line of a list, without folder and suffix."""
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        if line.strip():
            try:
                yield Path(json.loads(line)["wav"]).stem
            except (ValueError, KeyError, TypeError):
                raise ValueError(
                    f"{file}, line {number}, is not a JSON object with the key 'wav'."
                ) from None


def _refuse_shared_speakers(corpus, protocol, folds):
    """Raise ValueError if folds share speakers, and state how many."""
    known = ~pd.isna(corpus.speakers)
    speakers = np.where(known, corpus.speakers, "").astype(str)
    shared, tested = set(), set()
    for train, test in folds:
        in_test = set(speakers[test[known[test]]])
        tested |= in_test
        shared |= in_test & set(speakers[train[known[train]]])
    if shared:
        raise ValueError(
            f"{protocol} shares {len(shared)} of {len(tested)} test speakers of {corpus.name} with "
            f"the training side of the same fold, such as {min(shared)!r}, so its scores are too "
            "high. Pass allow_shared_speakers=True to reproduce published figures, or use "
            "speaker-disjoint folds."
        )
