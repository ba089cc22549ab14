"""What every loader returns."""

import pandas as pd
from sklearn.utils import Bunch

from skser.datasets._registry import HARMONIZED, SHARED_EMOTIONS

_DIMENSIONS = ("valence", "activation", "dominance")
_ATTRIBUTES = {
    "speakers": "speaker",
    "sexes": "sex",
    "sentences": "sentence",
    "transcripts": "transcript",
}


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
    dimension_range : tuple of two floats or None, default=None
        Lowest and highest value of the scale that valence, activation and dominance were rated
        on, such as (1, 5); None where there are no ratings or the scale is not known.
    joined : bool, default=False
        Whether `concatenate_corpora` made it: the column ``corpus`` then names the corpus that
        an utterance is of, and speakers and sentences begin with that name.

    Attributes
    ----------
    data : ndarray of shape (n_utterances,), object
        The column ``audio``.
    target : ndarray of shape (n_utterances,), object
        Emotion of each utterance, by name.
    target_names : list of str
        The emotions, sorted: a fitted classifier's ``classes_``.
    speakers, sexes, sentences, transcripts : ndarray of shape (n_utterances,), object, or None
        None where the corpus does not tell; in the array, None for utterances of which it
        does not.
    valence, activation, dominance : ndarray of shape (n_utterances,), float64, or None
        On the corpus's own scale, ``dimension_range``; `rescale_dimensions` changes it. NaN for
        utterances without a rating, None where there is no rating.
    frame, name, label_map, license, citation, sampling_rate, dimension_range, joined, DESCR
        As given; ``DESCR`` is the description.

    Examples
    --------
    >>> import pandas as pd
    >>> from skser.datasets import SpeechCorpus
    >>> frame = pd.DataFrame(
    ...     {
    ...         "audio": ["a.wav", "b.wav", "c.wav"],
    ...         "emotion": ["excitement", "happiness", "frustration"],
    ...         "speaker": ["x", "y", "y"],
    ...         "valence": [4.0, 5.0, 1.0],
    ...     }
    ... )
    >>> corpus = SpeechCorpus(frame, "mine", {"e": "excitement"}, dimension_range=(1, 5))
    >>> corpus.select(speakers=["y"]).target.tolist()
    ['happiness', 'frustration']
    >>> corpus.harmonize(["happiness"])
    SpeechCorpus mine: 2 utterances, 2 speakers, 1 emotions
    emotion  happiness  all
    speaker
    x                1    1
    y                1    1
    all              2    2
    >>> corpus.rescale_dimensions(-1, 1).valence.tolist()
    [0.5, 1.0, -1.0]
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
        dimension_range=None,
        joined=False,
    ):
        frame = frame.reset_index(drop=True)
        missing = {"audio", "emotion"} - set(frame.columns)
        if missing:
            raise ValueError(f"The utterance table lacks the columns {sorted(missing)}.")
        if frame.empty:
            raise ValueError(f"{name}: no utterance is left.")

        def known(key):
            return key in frame and frame[key].notna().any()

        def column(key):
            if not known(key):
                return None
            return frame[key].astype(object).where(frame[key].notna(), None).to_numpy()

        super().__init__(
            data=frame["audio"].to_numpy(dtype=object),
            target=frame["emotion"].to_numpy(dtype=object),
            target_names=sorted(frame["emotion"].unique()),
            **{plural: column(singular) for plural, singular in _ATTRIBUTES.items()},
            **{
                key: frame[key].to_numpy(dtype=float) if known(key) else None for key in _DIMENSIONS
            },
            frame=frame,
            name=name,
            label_map=dict(label_map),
            license=license,
            citation=citation,
            sampling_rate=sampling_rate,
            dimension_range=dimension_range,
            joined=joined,
            DESCR=description,
        )

    def _with_frame(self, frame, label_map=None, dimension_range=None):
        return SpeechCorpus(
            frame,
            self.name,
            self.label_map if label_map is None else label_map,
            self.license,
            self.citation,
            self.DESCR,
            self.sampling_rate,
            dimension_range or self.dimension_range,
            self.joined,
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
            known = set(self.frame[column].dropna()) if column in self.frame else set()
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

    def harmonize(self, emotions=SHARED_EMOTIONS):
        """Rename emotions to the names that corpora are compared under, and keep some.

        Excitement becomes happiness and calm neutral; frustration, "other" and "no agreement"
        are left out. For another choice, use `relabel`.

        Parameters
        ----------
        emotions : list of str or None, default=("anger", "happiness", "neutral", "sadness")
            Which to keep. The default are those that all corpora with a loader have; None keeps
            all.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        ValueError
            If the corpus has an emotion without a common name, or lacks one of `emotions`.
        """
        unknown = [name for name in self.target_names if name not in HARMONIZED]
        if unknown:
            raise ValueError(
                f"{self.name} has emotions without a common name: {unknown}. Give them one of "
                f"{sorted(HARMONIZED)} with relabel, or map them to None there."
            )
        names = {name: HARMONIZED[name] for name in self.target_names}
        lacking = [] if emotions is None else [e for e in emotions if e not in names.values()]
        if lacking:
            there = sorted(name for name in set(names.values()) if name is not None)
            raise ValueError(f"{self.name} has no emotion {lacking}; it has {there}.")
        kept = {
            old: new if emotions is None or new in emotions else None for old, new in names.items()
        }
        return self.relabel(kept)

    def rescale_dimensions(self, low=-1.0, high=1.0):
        """Map valence, activation and dominance linearly to another scale.

        Parameters
        ----------
        low, high : float, default=-1.0, 1.0
            What the ends of ``dimension_range`` become.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        ValueError
            If the present scale is not known, or `low` is not below `high`.
        """
        if self.dimension_range is None:
            raise ValueError(
                f"{self.name} does not tell the scale of its dimensions; "
                "give SpeechCorpus a dimension_range."
            )
        if not low < high:
            raise ValueError(f"low={low!r} is not below high={high!r}.")
        first, last = self.dimension_range
        frame = self.frame.copy()
        for key in _DIMENSIONS:
            if key in frame:
                share = (frame[key].astype(float) - first) / (last - first)
                frame[key] = low + share * (high - low)
        return self._with_frame(frame, dimension_range=(low, high))

    def counts(self):
        """Utterances per speaker (rows) and emotion (columns), with totals.

        Returns
        -------
        DataFrame
            Utterances whose speaker is not known count as of speaker "?".
        """
        speakers = ["?"] * len(self.frame) if self.speakers is None else self.speakers
        return pd.crosstab(
            pd.Series(speakers, name="speaker").fillna("?"),
            self.frame["emotion"],
            margins=True,
            margins_name="all",
        )

    def __repr__(self):
        unknown = self.speakers is None
        n_speakers = "an unknown number of" if unknown else self.frame["speaker"].nunique()
        return (
            f"SpeechCorpus {self.name}: {len(self.target)} utterances, "
            f"{n_speakers} speakers, {len(self.target_names)} emotions\n{self.counts()}"
        )

    __str__ = __repr__

    def __dir__(self):
        return [
            *super().__dir__(),
            "counts",
            "harmonize",
            "relabel",
            "rescale_dimensions",
            "select",
        ]


def finish(corpus, return_X_y):
    """Give the corpus, or (data, target) as scikit-learn's loaders do."""
    return (corpus.data, corpus.target) if return_X_y else corpus
