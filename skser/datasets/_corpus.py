"""The class of all corpora, which every loader returns."""

import numpy as np
import pandas as pd

from skser._wording import counted
from skser.audio import table_rows, with_index_columns
from skser.datasets._registry import HARMONIZED, SHARED_EMOTIONS
from skser.datasets._table_checks import as_positions, check_corpus_table
from skser.datasets._votes import (
    DIMENSIONS,
    checked_votes,
    emotions_voted_for,
    renamed_votes,
    vote_shares,
    votes_of_rows,
)

_MOST_ROWS = 30  # rows of speakers that the representation shows
_ATTRIBUTES = {
    "speakers": "speaker",
    "sexes": "sex",
    "sentences": "sentence",
    "transcripts": "transcript",
}


class SpeechCorpus:
    """Utterances of a corpus with their emotions, speakers and ratings.

    The corpus is built from an utterance table, and its arrays are columns of that table.
    ``len(corpus)`` is the number of utterances. ``corpus[rows]`` is the corpus of some
    utterances, chosen by a slice, a boolean mask or positions.

    Parameters
    ----------
    frame : DataFrame
        Utterance table with one row per utterance. The columns ``audio`` (path, or any other
        source of audio) and ``emotion`` (str) are required. Optional columns are ``start`` and
        ``end`` of the utterance in seconds and ``channel``, as in `skser.audio.Utterance`,
        ``speaker``, ``sex``, ``sentence``, ``transcript``, ``valence``, ``activation``,
        ``dominance`` and any others.
    name : str
        Name of the corpus.
    label_map : dict
        Emotion for each of the corpus's own labels.
    license : str, default="unknown"
        License of the corpus.
    citation : str, default=""
        Reference to cite.
    description : str, default=""
        Description of the corpus in a few paragraphs.
    sampling_rate : float or None, default=None
        Sampling rate of the arrays in ``audio``, in Hz; None for files.
    dimension_range : tuple of two floats or None, default=None
        Lowest and highest value of the scale on which valence, activation and dominance were
        rated, such as (1, 5); None if the scale is unknown or nothing is rated. Ratings that are
        clearly outside, such as a code 99 for missing ones, raise ValueError.
    joined : bool, default=False
        Whether `concatenate_corpora` made the corpus. If so, the column ``corpus`` names the
        original corpus of each utterance, and speakers and sentences begin with that name.
    votes : DataFrame or None, default=None
        Votes of single raters, one row per utterance and rater: ``utterance`` (position in the
        table), ``rater`` (str, or None for an anonymous rater), and ``emotion``, ``valence``,
        ``activation``, ``dominance`` or some of them. A rater who named several emotions has
        several rows. The optional column ``self_evaluation`` (bool) marks votes of the speakers
        themselves. Emotions that differ from those of the table only in case, spaces or notation
        get the name that they have there.

    Attributes
    ----------
    data : ndarray of shape (n_utterances,), object
        Audio source of each utterance: the column ``audio``, or a `skser.audio.Utterance` where
        a row is a part of a recording.
    target : ndarray of shape (n_utterances,), object
        Emotion of each utterance, by name.
    target_names : list of str
        Emotions in sorted order, as in ``classes_`` of a fitted classifier.
    speakers, sexes, sentences, transcripts : ndarray of shape (n_utterances,), object, or None
        Columns of the table, with None for utterances where the value is missing. The whole
        attribute is None if the corpus does not have the column or all its values are missing.
    valence, activation, dominance : ndarray of shape (n_utterances,), float64, or None
        Ratings on the corpus's own scale, ``dimension_range``, with NaN for utterances without
        a rating. The whole attribute is None if no utterance is rated. `rescale_dimensions`
        changes the scale.
    votes : DataFrame or None
        Votes as above, sorted by utterance. They follow the utterances through indexing,
        selection, new names and scales, and `concatenate_corpora`. None if nobody's votes are
        known.
    frame, name, label_map, license, citation, sampling_rate, dimension_range, joined
        The parameters of the same names; the index of ``frame`` counts from 0. ``frame`` and
        ``votes`` are copies, and like the arrays cannot be set: build a corpus of a changed table.
    DESCR : str
        The parameter `description`.

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
    SpeechCorpus mine: 2 utterances, 2 speakers, 1 emotion
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
        votes=None,
    ):
        frame = with_index_columns(frame).reset_index(drop=True)
        check_corpus_table(frame, name, dimension_range)

        def known(key):
            return key in frame and frame[key].notna().any()

        def column(key):
            if not known(key):
                return None
            return frame[key].astype(object).where(frame[key].notna(), None).to_numpy()

        self.data = np.empty(len(frame), dtype=object)
        # One by one, because np.array would stack arrays of equal length into a 2-D array.
        for i, source in enumerate(table_rows(frame)):
            self.data[i] = source
        self.data.flags.writeable = False  # the table would not change with it
        self.target = frame["emotion"].to_numpy(dtype=object)
        self.target_names = sorted(frame["emotion"].unique())
        for plural, singular in _ATTRIBUTES.items():
            setattr(self, plural, column(singular))
        for key in DIMENSIONS:
            ratings = frame[key].astype("Float64") if known(key) else None
            values = None if ratings is None else ratings.to_numpy(float, na_value=np.nan)
            setattr(self, key, values)
        self.name = name
        self.label_map = dict(label_map)
        self.license = license
        self.citation = citation
        self.sampling_rate = sampling_rate
        self.dimension_range = dimension_range
        self.joined = joined
        self._votes = checked_votes(votes, self.target, name)
        self.DESCR = description
        self._frame = frame  # the last: from here on, what follows from the table is fixed

    @property
    def frame(self):
        """Copy of the utterance table."""
        return self._frame.copy()

    @property
    def votes(self):
        """Copy of the votes, or None."""
        return None if self._votes is None else self._votes.copy()

    def __setattr__(self, key, value):
        fixed = ("frame", "votes", "data", "target", "target_names", *_ATTRIBUTES, *DIMENSIONS)
        if key in fixed and "_frame" in vars(self):
            raise AttributeError(
                f"The {key} of a corpus cannot be set, because its table and arrays would "
                "contradict each other. Change a copy of the table and build a new corpus: "
                "SpeechCorpus(corpus.frame.assign(speaker=...), corpus.name, corpus.label_map)."
            )
        super().__setattr__(key, value)

    __iter__ = None  # ambiguous, rows or attributes: iterate over `data` instead

    def __len__(self):
        return len(self._frame)

    def __getitem__(self, rows):
        """Return the corpus of some utterances.

        Parameters
        ----------
        rows : slice, bool mask, int or array-like of int
            Positions of the utterances to keep.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        TypeError
            If `rows` is a name: write ``corpus.target``, not ``corpus["target"]``.
        IndexError
            If a row does not exist.
        """
        return self._with_frame(self._frame.iloc[as_positions(rows)])

    def _with_frame(self, frame, label_map=None, dimension_range=None, votes=None):
        """Return a corpus with rows of the table and the same information otherwise.

        The index of `frame` holds the present positions of its rows.
        """
        votes = self._votes if votes is None else votes
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
            votes_of_rows(votes, frame.index.to_numpy()),
        )

    def select(self, emotions=None, speakers=None, **columns):
        """Keep the utterances with the given emotions, speakers or other values.

        Parameters
        ----------
        emotions : str, list of str or None, default=None
            Emotions to keep; None keeps all.
        speakers : str, list of str or None, default=None
            Speakers to keep; None keeps all.
        **columns : value or list of values
            Values to keep in any other column of ``frame``, such as ``session="1"``.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        ValueError
            If the corpus does not have the column, or none of its utterances has the value.
        """
        frame = self._frame
        singular = {"emotions": "emotion", **_ATTRIBUTES}  # of attributes; columns are singular
        for plural, given in (("emotions", emotions), ("speakers", speakers)):
            if given is not None and (one := singular[plural]) in columns:
                raise ValueError(f"Give {plural}= or {one}=, not both.")
        for name, wanted in {"emotion": emotions, "speaker": speakers, **columns}.items():
            if wanted is None:
                continue
            column = name if name in frame else singular.get(name, name)
            wanted = [wanted] if isinstance(wanted, str) or np.ndim(wanted) == 0 else list(wanted)
            if column not in frame and column not in ("emotion", "speaker"):
                raise ValueError(
                    f"{self.name} has no column {name!r}; its columns are {list(frame.columns)}."
                )
            # Values are checked against the whole corpus, not against what is left so far.
            known = set(self._frame[column].dropna()) if column in self._frame else set()
            unknown = [w for w in wanted if w not in known]
            if unknown:
                there = sorted(known, key=str)
                raise ValueError(f"{self.name} has no {column} {unknown}; it has {there}.")
            frame = frame[frame[column].isin(wanted)]
        return self._with_frame(frame)

    def relabel(self, mapping):
        """Rename, merge or leave out emotions.

        Parameters
        ----------
        mapping : dict
            New name of every emotion of the corpus. Utterances whose emotion is mapped to None
            are left out, and so are votes for it. Emotions that only raters named may be mapped
            too; without an entry they keep their names.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        ValueError
            If the mapping lacks an emotion of the corpus, or has one that the corpus lacks.
        """
        differing = set(mapping) ^ set(self.target_names)
        differing -= set(emotions_voted_for(self._votes)) - set(self.target_names)
        if differing:
            raise ValueError(
                f"The mapping must name each of {self.target_names}, and nothing else; "
                f"it differs in {sorted(differing)}. Map emotions to leave out to None."
            )
        frame = self._frame.assign(emotion=self._frame["emotion"].map(mapping))
        label_map = {k: mapping.get(v) for k, v in self.label_map.items()}
        votes = renamed_votes(self._votes, mapping)
        return self._with_frame(frame[frame["emotion"].notna()], label_map, votes=votes)

    def harmonize(self, emotions=SHARED_EMOTIONS):
        """Rename emotions to the names that all corpora share, and keep some of them.

        Excitement becomes happiness, and calm becomes neutral. Frustration, "other" and
        "no agreement" are left out. For another choice, use `relabel`.

        Parameters
        ----------
        emotions : list of str or None, default=("anger", "happiness", "neutral", "sadness")
            Emotions to keep, under their new names. The default keeps those that every corpus
            with a loader has; None keeps all.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        ValueError
            If the corpus has an emotion without a common name, or lacks one of `emotions`.
        """
        present = sorted({*self.target_names, *emotions_voted_for(self._votes)})
        unknown = [name for name in present if name not in HARMONIZED]
        if unknown:
            raise ValueError(
                f"{self.name} has emotions without a common name: {unknown}. First rename them "
                f"to some of {sorted(HARMONIZED)} with relabel, or map them to None there."
            )
        names = {name: HARMONIZED[name] for name in present}
        of_labels = {names[name] for name in self.target_names}
        lacking = [] if emotions is None else [e for e in emotions if e not in of_labels]
        if lacking:
            there = sorted(name for name in of_labels if name is not None)
            raise ValueError(f"{self.name} has no emotion {lacking}; it has {there}.")
        kept = {
            old: new if emotions is None or new in emotions else None for old, new in names.items()
        }
        return self.relabel(kept)

    def rescale_dimensions(self, low=-1.0, high=1.0):
        """Map valence, activation and dominance linearly to another scale.

        Parameters
        ----------
        low : float, default=-1.0
            New value of the lower end of ``dimension_range``.
        high : float, default=1.0
            New value of the upper end of ``dimension_range``.

        Returns
        -------
        SpeechCorpus

        Raises
        ------
        ValueError
            If the present scale is unknown, or `low` is not below `high`.
        """
        if self.dimension_range is None:
            raise ValueError(
                f"{self.name} has no dimension_range, so the scale of its ratings is unknown. "
                "Pass dimension_range= to SpeechCorpus."
            )
        if not low < high:
            raise ValueError(f"low={low!r} is not below high={high!r}. Give an increasing scale.")
        first, last = self.dimension_range
        frame, votes = self.frame, self.votes
        for table in [frame] if votes is None else [frame, votes]:
            for key in DIMENSIONS:
                if key in table:
                    share = (table[key].astype(float) - first) / (last - first)
                    table[key] = low + share * (high - low)
        return self._with_frame(frame, dimension_range=(low, high), votes=votes)

    def soft_targets(self, classes=None):
        """Return the share of the raters who named each emotion.

        Classifiers take the result as ``soft_targets``. Raters who named several emotions split
        their vote among them. Votes for other emotions than `classes`, and those of the speakers
        themselves, do not count. An utterance without any vote gets its label.

        Parameters
        ----------
        classes : list of str or None, default=None
            Emotion of each column; None uses ``target_names``, the order of ``classes_`` of a
            fitted classifier.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes), float64
            Shares that sum to 1 for each utterance.

        Raises
        ------
        ValueError
            If the corpus has no votes for emotions, or a label is not among `classes`.

        Examples
        --------
        >>> import pandas as pd
        >>> from skser.datasets import SpeechCorpus
        >>> votes = pd.DataFrame(
        ...     {"utterance": [0, 0, 0], "rater": ["r", "s", "t"], "emotion": ["a", "a", "b"]}
        ... )
        >>> frame = pd.DataFrame({"audio": ["1.wav", "2.wav"], "emotion": ["a", "b"]})
        >>> SpeechCorpus(frame, "mine", {}, votes=votes).soft_targets().round(2).tolist()
        [[0.67, 0.33], [0.0, 1.0]]
        """
        return vote_shares(self, self.target_names if classes is None else list(classes))

    def counts(self):
        """Count the utterances per speaker (rows) and emotion (columns), with totals.

        Returns
        -------
        DataFrame
            Number of utterances. The row "?" counts those without a speaker, and the row and
            column "all" hold the totals.
        """
        speakers = ["?"] * len(self._frame) if self.speakers is None else self.speakers
        counts = pd.crosstab(pd.Series(speakers).fillna("?"), self._frame["emotion"])
        # Not by `margins=`, which refuses a speaker or an emotion that is named "all".
        counts = pd.concat([counts, counts.sum().to_frame("all").T])
        counts = pd.concat([counts, counts.sum(axis=1).rename("all")], axis=1)
        return counts.rename_axis(index="speaker", columns="emotion")

    def __repr__(self):
        unknown = self.speakers is None
        n_speakers = None if unknown else self._frame["speaker"].nunique()
        speakers = "an unknown number of speakers" if unknown else counted(n_speakers, "speaker")
        return (
            f"SpeechCorpus {self.name}: {counted(len(self.target), 'utterance')}, "
            f"{speakers}, {counted(len(self.target_names), 'emotion')}\n"
            # Columns, the classes, are never cut; rows, the speakers, are.
            f"{self.counts().to_string(max_rows=_MOST_ROWS)}"
        )


def finish(corpus, return_X_y):
    """Return the corpus, or ``(data, target)`` as scikit-learn's loaders do."""
    return (corpus.data, corpus.target) if return_X_y else corpus
