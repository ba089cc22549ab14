"""Saved models: skops archives without pickle, checked before anything is built."""

from skser.persistence._archive import require_folder
from skser.persistence._errors import SavedModelError, naming
from skser.persistence._hub import local_path
from skser.persistence._load import load, loads, read_info
from skser.persistence._pretrained import list_pretrained, load_pretrained, path_of
from skser.persistence._save import dumps, save, trusted_types

__all__ = [
    "SavedModelError",
    "dumps",
    "list_pretrained",
    "load",
    "load_pretrained",
    "loads",
    "local_path",
    "naming",
    "path_of",
    "read_info",
    "require_folder",
    "save",
    "trusted_types",
]
