"""Concatenation of corpora."""

import warnings

import pandas as pd

from skser.datasets._corpus import SpeechCorpus
from skser.datasets._votes import DIMENSIONS, SELF


def concatenate_corpora(corpora, *, name=None):
    """Join corpora into one, for training or testing across corpora.

    Speakers, sentences and raters are prefixed with the name of their corpus, so that speaker
    "03" of one corpus and speaker "03" of another remain two speakers. The table gets a column
    ``corpus``; use it as the groups of a cross-validation that leaves out a whole corpus. The
    result may be joined with further corpora. Emotions keep their names, so call
    `SpeechCorpus.harmonize` or `SpeechCorpus.relabel` first if the corpora name them
    differently.

    Parameters
    ----------
    corpora : list of SpeechCorpus
        Two or more corpora with different names. Either all of them have speakers or none has.
        Other columns that only some of them have are missing values in the rows of the others.
    name : str or None, default=None
        Name of the new corpus; None joins the names of the corpora with "+".

    Returns
    -------
    SpeechCorpus

    Raises
    ------
    ValueError
        If fewer than two corpora are given, if two have the same name, if only some have
        speakers, if one already has a column ``corpus``, if their ratings are on different
        scales, or if files would be mixed with arrays, or arrays of different sampling rates.

    Warns
    -----
    UserWarning
        If several corpora have ratings, but the scales are unknown.

    Examples
    --------
    >>> from sklearn.model_selection import LeaveOneGroupOut
    >>> from skser.datasets import concatenate_corpora, make_emotional_speech
    >>> settings = {"n_speakers": 2, "n_utterances_per_speaker": 4}
    >>> settings["emotions"] = ["anger", "happiness", "neutral", "sadness"]
    >>> a = make_emotional_speech(**settings, random_state=0)
    >>> b = make_emotional_speech(**settings, random_state=1)
    >>> a.name, b.name = "first", "second"
    >>> both = concatenate_corpora([a.harmonize(), b.harmonize()])
    >>> both.name, len(both.target), sorted(set(both.speakers))
    ('first+second', 16, ['first 01', 'first 02', 'second 01', 'second 02'])
    >>> LeaveOneGroupOut().get_n_splits(groups=both.frame["corpus"])
    2
    """
    corpora = list(corpora)
    if len(corpora) < 2:
        raise ValueError(f"At least two corpora are needed to join; {len(corpora)} given.")
    _check_speakers(corpora)
    frames = [_with_corpus_name(corpus) for corpus in corpora]
    members = [member for frame in frames for member in frame["corpus"].unique()]
    twice = sorted({member for member in members if members.count(member) > 1})
    if twice:
        raise ValueError(
            f"Corpora to join must have different names, because speakers are prefixed with "
            f"them; {twice} occurs twice. Set corpus.name of one of them."
        )
    joined = name or "+".join(corpus.name for corpus in corpora)
    return SpeechCorpus(
        pd.concat(frames, ignore_index=True),
        joined,
        # Codes get a prefix too: corpora use the same code for different emotions.
        {f"{c.name} {k}": v for c in corpora for k, v in c.label_map.items()},
        license="; ".join(f"{corpus.name}: {corpus.license}" for corpus in corpora),
        citation="\n".join(corpus.citation for corpus in corpora if corpus.citation),
        description="\n".join(corpus.DESCR for corpus in corpora),
        sampling_rate=_common_rate(corpora),
        dimension_range=_common_range(corpora),
        joined=True,
        votes=_joined_votes(corpora),
    )


def _joined_votes(corpora):
    """Return the votes of all corpora by the positions in the joined one, or None."""
    parts, before = [], 0
    for corpus in corpora:
        if corpus.votes is not None:
            votes = corpus.votes.assign(utterance=corpus.votes["utterance"] + before)
            if not corpus.joined:
                known = votes["rater"].notna()
                votes["rater"] = (corpus.name + " " + votes["rater"].astype(str)).where(known, None)
            parts.append(votes)
        before += len(corpus)
    if not parts:
        return None
    votes = pd.concat(parts, ignore_index=True)
    if SELF in votes:  # missing where a corpus has no self-evaluations
        votes[SELF] = votes[SELF].eq(True)
    return votes


def _with_corpus_name(corpus):
    """Add the corpus's name as a column, and as a prefix of speakers and sentences."""
    if corpus.joined:  # has the column and the prefixes already
        return corpus.frame
    if "corpus" in corpus.frame:
        raise ValueError(
            f"{corpus.name} already has a column 'corpus', in which joining writes the name of "
            "the corpus. Rename that column in its table."
        )
    frame = corpus.frame.assign(corpus=corpus.name)
    for column in ("speaker", "sentence"):
        if column in frame:
            known = frame[column].notna()
            prefixed = corpus.name + " " + frame[column].astype(str)
            frame[column] = prefixed.where(known, None)
    return frame


def _check_speakers(corpora):
    """Raise ValueError if only some of the corpora have speakers.

    Speaker-disjoint folds would be impossible for the rows of the others.
    """
    without = [corpus.name for corpus in corpora if corpus.speakers is None]
    if 0 < len(without) < len(corpora):
        raise ValueError(
            f"Either all corpora to join must have speakers or none; {without} have none, so no "
            "split could keep speakers apart. Add speakers to their tables (load_table)."
        )


def _common_rate(corpora):
    """Return the sampling rate that all corpora share, in Hz; None for files."""
    rates = {corpus.name: corpus.sampling_rate for corpus in corpora}
    if len(set(rates.values())) > 1:
        listed = ", ".join(
            f"{name} has {'files' if rate is None else f'arrays at {rate:g} Hz'}"
            for name, rate in rates.items()
        )
        raise ValueError(
            "Corpora to join must all have files, or all have arrays at the same sampling rate; "
            f"{listed}."
        )
    return corpora[0].sampling_rate


def _common_range(corpora):
    """Return the scale that all rated corpora share, or None if none is rated."""
    rated = [
        corpus
        for corpus in corpora
        if any(getattr(corpus, key) is not None for key in DIMENSIONS)
        or (corpus.votes is not None and corpus.votes.filter(DIMENSIONS).notna().any(axis=None))
    ]
    ranges = {corpus.name: corpus.dimension_range for corpus in rated}
    if len(set(ranges.values())) > 1:
        raise ValueError(
            f"The corpora have ratings on different scales: {ranges}. "
            "Call rescale_dimensions on each of them first."
        )
    if len(rated) > 1 and rated[0].dimension_range is None:
        warnings.warn(
            f"The scales of the ratings of {', '.join(ranges)} are unknown, so the ratings are "
            "joined as they are. If the scales differ, give each corpus its dimension_range and "
            "call rescale_dimensions first.",
            stacklevel=3,
        )
    return rated[0].dimension_range if rated else None
