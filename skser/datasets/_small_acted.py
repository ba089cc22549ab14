"""Small acted corpora whose file names contain all labels: SAVEE, TESS and EMOVO."""

import re

import pandas as pd

from skser._docstrings import insert_descriptions
from skser.datasets._corpus import finish
from skser.datasets._files import find_audio, published_corpus, warn_of_missing
from skser.datasets._parameters import SHARED
from skser.datasets._registry import CORPORA

_SAVEE_NAME = re.compile(
    r"(?:.*/)?(?P<speaker>DC|JE|JK|KL)[_/](?P<code>[a-z]{1,2})(?P<number>\d\d)"
)
_TESS_NAME = re.compile(r"(?P<speaker>OA|YA)F?_(?P<word>[a-z]+)_(?P<code>[a-z]+)", re.IGNORECASE)
_EMOVO_NAME = re.compile(r"(?P<code>[a-z]{3})-(?P<speaker>[fm][123])-(?P<sentence>[bdln]\d)")
_EMOVO_SENTENCES = {
    "b1": "Gli operai si alzano presto.",
    "b2": "I vigili sono muniti di pistola.",
    "b3": "La cascata fa molto rumore.",
    "l1": "L'autunno prossimo Tony partirà per la Spagna nella prima metà di ottobre.",
    "l2": "Ora prendo la felpa di là ed esco per fare una passeggiata.",
    "l3": "Un attimo dopo s'è incamminato ed è inciampato.",
    "l4": "Vorrei il numero telefonico del Signor Piatti.",
    "n1": "La casa forte vuole col pane.",
    "n2": "La forza trova il passo e l'aglio rosso.",
    "n3": "Il gatto sta scorrendo nella pera.",
    "n4": "Insalata pastasciutta coscia d'agnello limoncello.",
    "n5": "Uno quarantatré dieci mille cinquantasette venti.",
    "d1": "Sabato sera cosa farà?",
    "d2": "Porti con te quella cosa?",
}


@insert_descriptions(SHARED)
def load_savee(path, *, return_X_y=False):
    """Load SAVEE, the Surrey Audio-Visual Expressed Emotion database.

    Parameters
    ----------
    path : path-like
        Folder that holds files with names such as ``DC/a01.wav``, as published, or
        ``DC_a01.wav``, at any depth.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes (all male) and sentences. A sentence is named by emotion and
        number, such as ``a01``, because file names do not show which sentences the emotions
        have in common.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or has no file of the corpus.
    ValueError
        If an utterance occurs twice, or the emotion in a file's name is unknown; the message
        names the file.

    Warns
    -----
    UserWarning
        If utterances are missing; the message names their speakers.

    References
    ----------
    Haq, S. and Jackson, P. J. B. (2010). Multimodal Emotion Recognition. In Machine Audition:
    Principles, Algorithms and Systems, IGI Global.

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_savee
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("DC_su07.wav", "KL_n30.wav"):
    ...     (folder / name).touch()
    >>> with warnings.catch_warnings(action="ignore"):  # most utterances are missing
    ...     corpus = load_savee(folder)
    >>> corpus.target.tolist(), corpus.sentences.tolist()
    (['surprise', 'neutral'], ['su07', 'n30'])
    """
    info = CORPORA["savee"]
    frame = pd.DataFrame(
        {
            "audio": str(file),
            "emotion": info.emotion(match["code"], file),
            "speaker": match["speaker"],
            "sex": info.sexes[match["speaker"]],
            "sentence": match["code"] + match["number"],
        }
        for file, match in find_audio(path, _SAVEE_NAME, info, depth=2)
    )
    warn_of_missing(info, frame)
    return finish(published_corpus(info, frame), return_X_y)


@insert_descriptions(SHARED)
def load_tess(path, *, return_X_y=False):
    """Load TESS, the Toronto Emotional Speech Set.

    Parameters
    ----------
    path : path-like
        Folder that holds files with names such as ``OAF_back_angry.wav``, at any depth.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes (all female), sentences (named by the word that varies) and
        transcripts.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or has no file of the corpus.
    ValueError
        If an utterance occurs twice, as in copies that contain the whole set a second time, or
        the emotion in a file's name is unknown; the message names the file.

    Warns
    -----
    UserWarning
        If utterances are missing; the message names their speakers.

    References
    ----------
    Pichora-Fuller, M. K. and Dupuis, K. (2020). Toronto emotional speech set (TESS). Scholars
    Portal Dataverse, doi:10.5683/SP2/E8H2MF.

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_tess
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "YAF_back_ps.wav").touch()
    >>> with warnings.catch_warnings(action="ignore"):  # most utterances are missing
    ...     corpus = load_tess(folder)
    >>> corpus.target[0], corpus.transcripts[0]
    ('surprise', 'Say the word back.')
    """
    info = CORPORA["tess"]
    rows = []
    for file, match in find_audio(path, _TESS_NAME, info):
        speaker, word = f"{match['speaker'].upper()}F", match["word"].lower()
        rows.append(
            {
                "audio": str(file),
                "emotion": info.emotion(match["code"].lower(), file),
                "speaker": speaker,
                "sex": info.sexes[speaker],
                "sentence": word,
                "transcript": f"Say the word {word}.",
            }
        )
    frame = pd.DataFrame(rows)
    warn_of_missing(info, frame)
    return finish(published_corpus(info, frame), return_X_y)


@insert_descriptions(SHARED)
def load_emovo(path, *, return_X_y=False):
    """Load EMOVO, a corpus of Italian emotional speech.

    Parameters
    ----------
    path : path-like
        Folder that holds files with names such as ``dis-f1-b1.wav``, at any depth.
    {return_X_y}

    Returns
    -------
    SpeechCorpus
        Paths with speakers, sexes, sentences and transcripts.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or has no file of the corpus.
    ValueError
        If an utterance occurs twice, or the emotion in a file's name is unknown; the message
        names the file.

    Warns
    -----
    UserWarning
        If utterances are missing; the message names their speakers.

    References
    ----------
    Costantini, G., Iaderola, I., Paoloni, A. and Todisco, M. (2014). EMOVO Corpus: an Italian
    Emotional Speech Database. LREC.

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_emovo
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "gio-f1-d1.wav").touch()
    >>> with warnings.catch_warnings(action="ignore"):  # most utterances are missing
    ...     corpus = load_emovo(folder)
    >>> corpus.target[0], corpus.sexes[0], corpus.transcripts[0]
    ('happiness', 'female', 'Sabato sera cosa farà?')
    """
    info = CORPORA["emovo"]
    frame = pd.DataFrame(
        {
            "audio": str(file),
            "emotion": info.emotion(match["code"], file),
            "speaker": match["speaker"],
            "sex": info.sexes[match["speaker"]],
            "sentence": match["sentence"],
            "transcript": _EMOVO_SENTENCES.get(match["sentence"]),
        }
        for file, match in find_audio(path, _EMOVO_NAME, info)
    )
    warn_of_missing(info, frame)
    return finish(published_corpus(info, frame), return_X_y)
