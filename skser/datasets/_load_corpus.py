"""Loading of published corpora by name."""

from skser.datasets._registry import CORPORA


def load_corpus(name, path, **options):
    """Load a published corpus by its name.

    Parameters
    ----------
    name : str
        Name of the corpus, from the index of `list_corpora` (such as ``"emodb"``) or from its
        column ``name`` (such as ``"EmoDB"``). Case does not matter.
    path : path-like
        Folder that the corpus was unpacked into.
    **options
        Further arguments for the corpus's own loader, such as `return_X_y`.

    Returns
    -------
    SpeechCorpus

    Raises
    ------
    ValueError
        If no loader exists for this name; the message lists the corpora.

    Examples
    --------
    >>> import pathlib, tempfile, warnings
    >>> from skser.datasets import load_corpus
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "tri-m2-n3.wav").touch()
    >>> with warnings.catch_warnings(action="ignore"):  # most utterances are missing
    ...     X, y = load_corpus("emovo", folder, return_X_y=True)
    >>> y.tolist()
    ['sadness']
    """
    import skser.datasets  # here, because it imports this module

    for key, info in CORPORA.items():
        if str(name).lower() in (key, info.name.lower()):
            return getattr(skser.datasets, info.loader)(path, **options)
    raise ValueError(f"The corpus {name!r} has no loader; choose one of {', '.join(CORPORA)}.")
