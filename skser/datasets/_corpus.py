"""What every loader returns."""

import pandas as pd
from sklearn.utils import Bunch

_DIMENSIONS = ("valence", "activation", "dominance")
_ATTRIBUTES = {"speakers": "speaker", "sexes": "sex", "sentences": "sentence"}


class SpeechCorpus(Bunch):
    """Utterances with their labels and who spoke them.

    Built from an utterance table: every other array is one of its columns.

    Parameters
    ----------
    frame : DataFrame
        One row per utterance, with columns ``audio`` (path, or 1-D array of samples) and
        ``emotion`` (str), and optionally ``speaker``, ``sex``, ``sentence``, ``transcript``,
        ``valence``, ``activation``, ``dominance`` and whatever else a corpus knows.
    name : str
    label_map : dict
        From the corpus's own label to the name used here.
    license, citation, description : str
    sampling_rate : float or None, default=None
        Rate of the arrays in ``audio``, in Hz; None for files.

    Attributes
    ----------
    data : ndarray of shape (n_utterances,), object
        The column ``audio``.
    target : ndarray of shape (n_utterances,), object
        Emotion of each utterance, by name.
    target_names : list of str
        The emotions, sorted: a fitted classifier's ``classes_``.
    speakers, sexes, sentences, transcripts : ndarray of shape (n_utterances,), object, or None
        None where the corpus does not tell.
    valence, activation, dominance : ndarray of shape (n_utterances,), float64, or None
    frame, name, label_map, license, citation, sampling_rate, DESCR
        As given; ``DESCR`` is the description.
    """

    def __init__(
        self,
        frame,
        name,
        label_map,
        license="unknown",
        citation="",
        description="",
        sampling_rate=None,
    ):
        frame = frame.reset_index(drop=True)
        missing = {"audio", "emotion"} - set(frame.columns)
        if missing:
            raise ValueError(f"The utterance table lacks the columns {sorted(missing)}.")
        if frame.empty:
            raise ValueError(f"{name}: no utterance is left.")

        def column(key):
            return frame[key].to_numpy(dtype=object) if key in frame else None

        dimensions = {
            key: frame[key].to_numpy(dtype=float) if key in frame else None for key in _DIMENSIONS
        }
        super().__init__(
            data=column("audio"),
            target=column("emotion"),
            target_names=sorted(frame["emotion"].unique()),
            **{plural: column(singular) for plural, singular in _ATTRIBUTES.items()},
            transcripts=column("transcript"),
            **dimensions,
            frame=frame,
            name=name,
            label_map=dict(label_map),
            license=license,
            citation=citation,
            sampling_rate=sampling_rate,
            DESCR=description,
        )

    def _with_frame(self, frame, label_map=None):
        return SpeechCorpus(
            frame,
            self.name,
            self.label_map if label_map is None else label_map,
            self.license,
            self.citation,
            self.DESCR,
            self.sampling_rate,
        )

    def select(self, emotions=None, speakers=None):
        """Keep some emotions, some speakers, or both.

        Parameters
        ----------
        emotions, speakers : list of str or None, default=None
            None keeps all.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        ValueError
            If the corpus lacks one of those named.
        """
        frame = self.frame
        for column, wanted in (("emotion", emotions), ("speaker", speakers)):
            if wanted is None:
                continue
            known = set(self.frame[column]) if column in self.frame else set()
            unknown = [w for w in wanted if w not in known]
            if unknown:
                raise ValueError(f"{self.name} has no {column} {unknown}; it has {sorted(known)}.")
            frame = frame[frame[column].isin(list(wanted))]
        return self._with_frame(frame)

    def relabel(self, mapping):
        """Rename or merge emotions; those mapped to None are left out.

        Parameters
        ----------
        mapping : dict
            From every emotion of the corpus to its new name, or to None.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        ValueError
            If the mapping forgets an emotion, or names one that is not there.
        """
        differing = set(mapping) ^ set(self.target_names)
        if differing:
            raise ValueError(
                f"The mapping must name each of {self.target_names}, and nothing else; "
                f"it differs in {sorted(differing)}. Map what to leave out to None."
            )
        frame = self.frame.assign(emotion=self.frame["emotion"].map(mapping))
        label_map = {k: mapping.get(v) for k, v in self.label_map.items()}
        return self._with_frame(frame[frame["emotion"].notna()], label_map)

    def counts(self):
        """Utterances per speaker (rows) and emotion (columns), with totals.

        Returns
        -------
        DataFrame
        """
        rows = self.frame["speaker"] if "speaker" in self.frame else ["?"] * len(self.frame)
        return pd.crosstab(
            pd.Series(rows, name="speaker"), self.frame["emotion"], margins=True, margins_name="all"
        )

    def __repr__(self):
        n_speakers = "an unknown number of" if self.speakers is None else len(set(self.speakers))
        return (
            f"SpeechCorpus {self.name}: {len(self.target)} utterances, "
            f"{n_speakers} speakers, {len(self.target_names)} emotions\n{self.counts()}"
        )

    __str__ = __repr__

    def __dir__(self):
        return [*super().__dir__(), "counts", "relabel", "select"]


def finish(corpus, return_X_y):
    """Give the corpus, or (data, target) as scikit-learn's loaders do."""
    return (corpus.data, corpus.target) if return_X_y else corpus
