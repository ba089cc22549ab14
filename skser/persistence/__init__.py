"""Saved models: no pickle, nothing executed, everything checked."""

from skser.persistence._errors import SavedModelError
from skser.persistence._load import load, read_info
from skser.persistence._onnx_export import export_onnx
from skser.persistence._onnx_model import OnnxModel, load_onnx
from skser.persistence._pretrained import list_pretrained, load_pretrained
from skser.persistence._save import save

__all__ = [
    "OnnxModel",
    "SavedModelError",
    "export_onnx",
    "list_pretrained",
    "load",
    "load_onnx",
    "load_pretrained",
    "read_info",
    "save",
]
