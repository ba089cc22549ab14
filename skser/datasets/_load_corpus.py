"""Any published corpus, by name."""

from skser.datasets._registry import CORPORA


def load_corpus(name, path, **options):
    """Load a corpus by its name.

    Parameters
    ----------
    name : str
        As the index of `list_corpora` has it, such as ``"emodb"``, or its column ``name``, in
        upper or lower case.
    path : path-like
        Folder that the corpus was unpacked into.
    **options
        Of the corpus's own loader.

    Returns
    -------
    SpeechCorpus

    Raises
    ------
    ValueError
        If there is no such corpus: the message lists those there are.

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_corpus
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "tri-m2-n3.wav").touch()
    >>> with warnings.catch_warnings(action="ignore"):  # of the utterances that are missing
    ...     X, y = load_corpus("emovo", folder, return_X_y=True)
    >>> y.tolist()
    ['sadness']
    """
    import skser.datasets

    for key, info in CORPORA.items():
        if str(name).lower() in (key, info.name.lower()):
            return getattr(skser.datasets, info.loader)(path, **options)
    raise ValueError(f"There is no corpus {name!r}; those with a loader are {', '.join(CORPORA)}.")
