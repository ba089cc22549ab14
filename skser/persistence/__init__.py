"""Saved models: no pickle, nothing executed, everything checked."""

from skser.persistence._archive import MANIFEST, require_folder
from skser.persistence._errors import SavedModelError, naming
from skser.persistence._load import load, read_info
from skser.persistence._pretrained import list_pretrained, load_pretrained, path_of
from skser.persistence._registry import check_sizes
from skser.persistence._save import save
from skser.persistence._test_signal import digest, require_same

__all__ = [
    "MANIFEST",
    "SavedModelError",
    "check_sizes",
    "digest",
    "list_pretrained",
    "load",
    "load_pretrained",
    "naming",
    "path_of",
    "read_info",
    "require_folder",
    "require_same",
    "save",
]
