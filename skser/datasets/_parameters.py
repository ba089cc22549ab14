"""Descriptions of the parameters that the loaders share."""

# By name; `insert_descriptions` puts them into the docstrings of the functions.
SHARED = {
    "return_X_y": """\
return_X_y : bool, default=False
    If True, return ``(data, target)`` instead of the corpus.""",
    "data_home": """\
data_home : path-like or None, default=None
    Folder for downloads; None means the folder that `get_data_home` returns.""",
    "progressbar": """\
progressbar : bool, default=False
    If True, show a progress bar of the download.""",
}

# For the functions that download an archive.
FETCHED = {
    "behavior": """\
The license is printed before the download. An interrupted download is resumed, and several
processes that fetch at the same time download the corpus only once.""",
    "raises": """\
Raises
------
DownloadError
    If the connection fails, a checksum differs, the archive is damaged, or the folder cannot be
    written, is full or already holds something else under the name of the corpus.
ValueError
    If `mirror` is not a web address.""",
}
