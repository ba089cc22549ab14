"""What every loader returns."""

import numpy as np
import pandas as pd

from skser.audio import table_rows
from skser.datasets._registry import HARMONIZED, SHARED_EMOTIONS

_DIMENSIONS = ("valence", "activation", "dominance")
_MOST_ROWS = 30  # of a table of speakers
_ATTRIBUTES = {
    "speakers": "speaker",
    "sexes": "sex",
    "sentences": "sentence",
    "transcripts": "transcript",
}


class SpeechCorpus:
    """Utterances with their labels and who spoke them.

    Built from an utterance table: every other array is one of its columns. ``len(corpus)`` is
    the number of utterances, and ``corpus[rows]`` the corpus of some of them, by a slice, a
    mask or positions.

    Parameters
    ----------
    frame : DataFrame
        One row per utterance, with columns ``audio`` (path, or any other source of audio) and
        ``emotion`` (str), and optionally ``start`` and ``end`` of the utterance in seconds and
        ``channel``, as in `skser.audio.Utterance`, and ``speaker``, ``sex``, ``sentence``,
        ``transcript``, ``valence``, ``activation``, ``dominance`` and whatever else a corpus
        knows.
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
        The column ``audio``; `skser.audio.Utterance` where a row is a part of a recording.
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

        self.data = np.empty(len(frame), dtype=object)
        for i, source in enumerate(table_rows(frame)):  # arrays of one length would become 2-D
            self.data[i] = source
        self.target = frame["emotion"].to_numpy(dtype=object)
        self.target_names = sorted(frame["emotion"].unique())
        for plural, singular in _ATTRIBUTES.items():
            setattr(self, plural, column(singular))
        for key in _DIMENSIONS:
            setattr(self, key, frame[key].to_numpy(dtype=float) if known(key) else None)
        self.frame = frame
        self.name = name
        self.label_map = dict(label_map)
        self.license = license
        self.citation = citation
        self.sampling_rate = sampling_rate
        self.dimension_range = dimension_range
        self.joined = joined
        self.DESCR = description

    __iter__ = None  # over utterances or over attributes? Over `data`, say

    def __len__(self):
        return len(self.frame)

    def __getitem__(self, rows):
        """Corpus of some utterances.

        Parameters
        ----------
        rows : slice, bool mask, int or array-like of int

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        TypeError
            If `rows` is a name: ``corpus.target``, not ``corpus["target"]``.
        IndexError
            If there is no such row.
        """
        if isinstance(rows, str):
            raise TypeError(f"A corpus is indexed by rows; use corpus.{rows} for what it holds.")
        if not isinstance(rows, slice):
            rows = np.atleast_1d(np.asarray(rows))
            if rows.dtype.kind not in "iub":
                raise TypeError(f"A corpus is indexed by rows, not by {rows.dtype}.")
        return self._with_frame(self.frame.iloc[rows])

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

    def select(self, emotions=None, speakers=None, **columns):
        """Keep some emotions, some speakers, or what else columns of the table say.

        Parameters
        ----------
        emotions, speakers : str, list of str or None, default=None
            None keeps all.
        **columns : value or list of values
            Values to keep of any column of ``frame``, such as ``session="1"``.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        ValueError
            If the corpus lacks one of those named, or the column.
        """
        frame = self.frame
        singular = {"emotions": "emotion", **_ATTRIBUTES}
        for name, wanted in {"emotion": emotions, "speaker": speakers, **columns}.items():
            if wanted is None:
                continue
            column = name if name in frame else singular.get(name, name)
            wanted = [wanted] if isinstance(wanted, str) or np.ndim(wanted) == 0 else list(wanted)
            if column not in frame and column not in ("emotion", "speaker"):
                raise ValueError(
                    f"{self.name} has no column {name!r}; its columns are {list(frame.columns)}."
                )
            known = set(self.frame[column].dropna()) if column in self.frame else set()
            unknown = [w for w in wanted if w not in known]
            if unknown:
                there = sorted(known, key=str)
                raise ValueError(f"{self.name} has no {column} {unknown}; it has {there}.")
            frame = frame[frame[column].isin(wanted)]
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
            f"{n_speakers} speakers, {len(self.target_names)} emotions\n"
            # Every class, however many there are; of speakers, some.
            f"{self.counts().to_string(max_rows=_MOST_ROWS)}"
        )


def finish(corpus, return_X_y):
    """Give the corpus, or (data, target) as scikit-learn's loaders do."""
    return (corpus.data, corpus.target) if return_X_y else corpus
