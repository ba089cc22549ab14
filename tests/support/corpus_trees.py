"""Synthetic copies of corpora in their published layout, with their expected labels."""

import contextlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from skser.datasets._registry import CORPORA


def _sound():
    content = io.BytesIO()
    soundfile.write(content, np.zeros(160, np.float32), 16000, format="WAV")
    return content.getvalue()


SOUND = _sound()


def add(root, *names, content=SOUND):
    """Write files with the same content below a folder and return the folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@contextlib.contextmanager
def open_folder():
    """Create a temporary folder that every user may enter, unlike the folders of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextlib.contextmanager
def without_privileges():
    """Run a block as an ordinary user if this is root, who ignores permissions."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def build_tree(key, root):
    """Write an utterance of each label by two speakers; return the (emotion, speaker) pairs."""
    return _BUILDERS[key](root, CORPORA[key])


def _two_speakers(info):
    return list(info.published or info.sexes)[:2]


def _acted(name_of):
    """Return a builder of a corpus whose file names state speaker and emotion."""

    def build(root, info):
        expected = []
        for speaker in _two_speakers(info):
            for code, emotion in info.labels.items():
                add(root, name_of(speaker, code))
                expected.append((emotion, speaker))
        return expected

    return build


def _crema_d(root, info):
    expected = _acted(lambda s, code: f"AudioWAV/{s}_IEO_{code}_LO.wav")(root, info)
    _acted(lambda s, code: f"AudioMP3/{s}_IEO_{code}_LO.mp3")(
        root, info
    )  # the repository holds both formats
    actors = "".join(
        f'{s},{20 + i},"Male","Asian","Hispanic"\n' for i, s in enumerate(_two_speakers(info))
    )
    heading = '"ActorID","Age","Sex","Race","Ethnicity"\n'
    (root / "VideoDemographics.csv").write_text(heading + actors)
    return expected


def _iemocap(root, info):
    expected = []
    for session in "12":
        folder = root / f"Session{session}"
        for dialog in ("impro01", "script02_1"):
            recording = f"Ses0{session}F_{dialog}"
            lines, spoken = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"], []
            for number, (code, emotion) in enumerate(info.labels.items()):
                sex = "FM"[number % 2]
                turn = f"{recording}_{sex}{number:03d}"
                add(folder, f"sentences/wav/{recording}/{turn}.wav")
                lines.append(f"[{number}.5 - {number + 1}.25]\t{turn}\t{code}\t[2.5, 3.0, 3.5]\n")
                lines.append("C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n")
                spoken.append(f"{turn} [000.5-001.2]: Number {number}.\n")
                expected.append((emotion, f"Ses0{session}{sex}"))
            spoken.append("M: not a turn\n")
            text = "".join(lines).encode()
            add(folder, f"dialog/EmoEvaluation/{recording}.txt", content=text)
            add(folder, f"dialog/EmoEvaluation/Categorical/{recording}_e1_cat.txt", content=text)
            add(folder, f"dialog/EmoEvaluation/._{recording}.txt", content=b"\x00\x05\x16\x07")
            spoken = "".join(spoken).encode()
            add(folder, f"dialog/transcriptions/{recording}.txt", content=spoken)
            add(folder, f"dialog/wav/{recording}.wav")
    return expected


def _msp_podcast(root, info):
    lines = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    expected = []
    speakers = (("7", "Female", "Train"), ("Unknown", "Unknown", "Test1"))
    for i, (speaker, gender, split) in enumerate(speakers):
        for j, (code, emotion) in enumerate(info.labels.items()):
            name = f"MSP-PODCAST_{i:04d}_{j:04d}"
            add(root, f"Audios/{name}.wav")
            add(root, f"Transcripts/{name}.txt", content=f"words {j}\n".encode())
            lines.append(f"{name}.wav,{code},1.5,2.5,7,{speaker},{gender},{split}")
            expected.append((emotion, None if speaker == "Unknown" else speaker))
    add(root, "Labels/labels_consensus.csv", content="\n".join(lines).encode())
    return expected


def _meld(root, info):
    expected = []
    folders = ("train/train_splits", "dev/dev_splits_complete", "test/output_repeated_splits_test")
    for split, folder in zip(info.published, folders, strict=True):
        lines = ["Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season"]
        for number, (code, emotion) in enumerate(info.labels.items()):
            speaker = ("Rachel", "The Waiter")[number % 2]
            add(root, f"{folder}/dia3_utt{number}.wav")
            lines.append(f'{number},"Oh, it\x92s {number}",{speaker},{code},neutral,3,{number},1')
            expected.append((emotion, speaker))
        # The published tables use \x92, the apostrophe of Windows-1252.
        add(root, f"{split}_sent_emo.csv", content="\n".join(lines).encode("latin-1"))
        add(root, f"{folder}/dia99_utt0.wav")  # a clip without a label
    return expected


_BUILDERS = {
    "emodb": _acted(lambda s, code: f"wav/{s}a01{code}a.wav"),
    "ravdess": _acted(lambda s, code: f"Actor_{s}/03-01-{code}-01-01-01-{s}.wav"),
    "crema-d": _crema_d,
    "savee": _acted(lambda s, code: f"AudioData/{s}/{code}01.wav"),
    "tess": _acted(lambda s, code: f"{s}_{code}/{s}_back_{code}.wav"),
    "emovo": _acted(lambda s, code: f"EMOVO/{s}/{code}-{s}-b1.wav"),
    "nemo": _acted(lambda s, code: f"samples/{s}_{code}_10.wav"),
    "iemocap": _iemocap,
    "msp-podcast": _msp_podcast,
    "meld": _meld,
}
