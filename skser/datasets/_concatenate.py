"""Several corpora as one."""

import pandas as pd

from skser.datasets._corpus import SpeechCorpus


def concatenate_corpora(corpora, *, name=None):
    """Join corpora into one, for training or testing across them.

    Speakers and sentences are prefixed by their corpus's name, so that "03" of one and "03" of
    another stay two speakers. The table gets a column ``corpus``, which serves as groups where
    a whole corpus is to be left out. Corpora joined before may be joined with more. Emotions are
    joined as they are: call `SpeechCorpus.harmonize` or `SpeechCorpus.relabel` first.

    Parameters
    ----------
    corpora : list of SpeechCorpus
        Of different names. All must tell their speakers, or none. What else only some know is
        missing in the others' rows.
    name : str or None, default=None
        The new name; None joins those of the corpora by "+".

    Returns
    -------
    SpeechCorpus

    Raises
    ------
    ValueError
        If fewer than two are given, two have the same name, some tell no speakers, one has a
        column ``corpus`` of its own, dimensions are on different scales, or arrays and files,
        or arrays of different rates, would be mixed.

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
        raise ValueError(f"At least two corpora are needed to join; there are {len(corpora)}.")
    _refuse_unknown_speakers(corpora)
    frames = [_marked(corpus) for corpus in corpora]
    members = [member for frame in frames for member in frame["corpus"].unique()]
    twice = sorted({member for member in members if members.count(member) > 1})
    if twice:
        raise ValueError(
            f"Corpora to join need different names, to tell their speakers apart; {twice} is "
            "there twice. Set corpus.name of one of them."
        )
    joined = name or "+".join(corpus.name for corpus in corpora)
    return SpeechCorpus(
        pd.concat(frames, ignore_index=True),
        joined,
        {f"{c.name} {k}": v for c in corpora for k, v in c.label_map.items()},
        license="; ".join(f"{corpus.name}: {corpus.license}" for corpus in corpora),
        citation="\n".join(corpus.citation for corpus in corpora if corpus.citation),
        description="\n".join(corpus.DESCR for corpus in corpora),
        sampling_rate=_common_rate(corpora),
        dimension_range=_common_range(corpora),
        joined=True,
    )


def _marked(corpus):
    """The utterance table with its corpus, in a column and before speakers and sentences."""
    if corpus.joined:
        return corpus.frame
    if "corpus" in corpus.frame:
        raise ValueError(
            f"{corpus.name} has a column 'corpus' of its own, where joining writes the corpus's "
            "name. Rename that column in its table."
        )
    frame = corpus.frame.assign(corpus=corpus.name)
    for column in ("speaker", "sentence"):
        if column in frame:
            known = frame[column].notna()
            prefixed = corpus.name + " " + frame[column].astype(str)
            frame[column] = prefixed.where(known, None)
    return frame


def _refuse_unknown_speakers(corpora):
    """Speakers of some alone would leave folds of the whole without a meaning."""
    without = [corpus.name for corpus in corpora if corpus.speakers is None]
    if 0 < len(without) < len(corpora):
        raise ValueError(
            f"Corpora to join must all tell their speakers, or none; {without} do not, so that "
            "no split would hold speakers apart. Name them in a table (load_table)."
        )


def _common_rate(corpora):
    rates = {corpus.name: corpus.sampling_rate for corpus in corpora}
    if len(set(rates.values())) > 1:
        said = ", ".join(
            f"{name} has {'files' if rate is None else f'arrays at {rate:g} Hz'}"
            for name, rate in rates.items()
        )
        raise ValueError(f"Corpora to join must all have files, or arrays at one rate: {said}.")
    return corpora[0].sampling_rate


def _common_range(corpora):
    rated = [
        corpus
        for corpus in corpora
        if any(getattr(corpus, key) is not None for key in ("valence", "activation", "dominance"))
    ]
    ranges = {corpus.name: corpus.dimension_range for corpus in rated}
    if len(set(ranges.values())) > 1:
        raise ValueError(
            f"The corpora rate dimensions on different scales: {ranges}. "
            "Call rescale_dimensions on each first."
        )
    return rated[0].dimension_range if rated else None
