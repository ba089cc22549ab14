"""List of the corpora in the registry, as plain values and as a table."""

from skser.datasets._registry import CORPORA


def corpus_facts():
    """Return the rows of `list_corpora` as plain values, by the names of the corpora.

    Returns
    -------
    dict of dict
        Columns of `list_corpora`; None where a value is missing.
    """
    return {
        key: {
            "name": info.name,
            "title": info.title,
            "loader": info.loader,
            "download": info.fetcher,
            "language": info.language,
            "speech": info.speech,
            "n_utterances": info.n_utterances,
            "n_speakers": info.n_speakers,
            "emotions": sorted(set(info.labels.values())),
            "dimension_range": info.dimension_range,
            "license": info.license,
            "citation": info.citation,
            "url": info.url,
        }
        for key, info in CORPORA.items()
    }


def list_corpora():
    """List the corpora that have a loader.

    Returns
    -------
    DataFrame
        Table with one row per corpus, whose index is the name for `load_corpus`. Its columns
        are ``name``, ``title``, ``loader``, ``download`` (call that downloads the corpus;
        missing if only its publishers distribute it), ``language``, ``speech``,
        ``n_utterances`` and ``n_speakers`` (missing if they differ from release to release or
        were not counted), ``emotions`` (list of str), ``dimension_range`` (scale of valence,
        activation and dominance), ``license``, ``citation`` and ``url``.

    Examples
    --------
    >>> from skser.datasets import list_corpora
    >>> corpora = list_corpora()
    >>> corpora.loc["ravdess", ["loader", "download"]].tolist()
    ['load_ravdess', 'fetch_ravdess()']
    >>> int(corpora["n_utterances"].max())
    13708
    >>> corpora.loc["iemocap", "dimension_range"]
    (1.0, 5.0)
    """
    import pandas as pd

    table = pd.DataFrame.from_dict(corpus_facts(), orient="index")
    return table.astype({"n_utterances": "Int64", "n_speakers": "Int64"})
