"""
Read EmoBox's folds, and compare them with ours
===============================================

EmoBox publishes folds of many corpora as JSON lines. They can be read, checked for shared speakers,
and used in an evaluation.
"""

# %%
# This folder has EmoBox's layout. The made-up entries name their speakers, which EmoBox's own do
# not.

import json
import tempfile
from pathlib import Path

import numpy as np

from skser.datasets import load_emobox, make_emotional_speech

folder = tempfile.TemporaryDirectory()
root = Path(folder.name)
speech = make_emotional_speech(
    n_speakers=6, n_utterances_per_speaker=10, random_state=0, output_dir=root / "wav"
)
split = np.random.RandomState(0).choice(["train", "test"], len(speech), p=[0.75, 0.25])
for side in ("train", "test"):
    rows = speech.frame[split == side]
    entries = [
        {"key": Path(row.audio).stem, "dataset": "made-up", "emo": row.emotion,
         "speaker": row.speaker, "wav": str(Path(row.audio).relative_to(root))}
        for row in rows.itertuples()
    ]  # fmt: skip
    lines = "\n".join(map(json.dumps, entries))
    (root / f"made-up_{side}_fold_1.jsonl").write_text(lines)
corpus = load_emobox(root)
corpus.frame["split"].value_counts()

# %%
# The split is drawn by utterance, as in some published folds. The report says so.

from skser.evaluation import leakage_report
from skser.model_selection import GivenSplits, StratifiedSpeakerKFold

of_split = corpus.frame["split"].to_numpy()
given = GivenSplits(
    [(np.flatnonzero(of_split == "train"), np.flatnonzero(of_split == "test"))],
    name="EmoBox fold 1", allow_shared_speakers=True,
)  # fmt: skip
print(leakage_report(corpus, given))

# %%
# The number of utterances of each speaker on the test side, in the fold that was read and in the
# first fold of a :class:`~skser.model_selection.StratifiedSpeakerKFold`:

import pandas as pd

ours = StratifiedSpeakerKFold(3)
_, first = next(iter(ours.split(corpus.data, corpus.target, corpus.speakers)))
_, theirs = given.folds[0]
counts = pd.DataFrame(
    {
        name: pd.Series(corpus.speakers[test]).value_counts()
        for name, test in {"EmoBox fold 1": theirs, "new speakers": first}.items()
    }
).fillna(0)
axes = counts.sort_index().plot.bar(
    subplots=True, figsize=(6, 4), legend=False, sharey=True, xlabel="speaker", rot=0
)
axes[0].figure.supylabel("utterances in the test")
axes[0].figure.set_layout_engine("constrained")
folder.cleanup()
