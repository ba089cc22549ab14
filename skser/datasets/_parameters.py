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
