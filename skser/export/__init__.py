"""Models for other programs: ONNX."""

from skser.export._export import export_onnx
from skser.export._model import OnnxModel, load_onnx

__all__ = ["OnnxModel", "export_onnx", "load_onnx"]
