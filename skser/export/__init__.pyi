from ._export import export_onnx
from ._model import OnnxModel, load_onnx

__all__ = ["OnnxModel", "export_onnx", "load_onnx"]
