"""Linear layers with 8-bit weights, for faster inference on a CPU."""

from functools import partial

from skser._device import warn_if_emulated

_LARGEST = 127


def quantize_linear_layers(module, skip=None):
    """Make the linear layers of a module multiply 8-bit integers, in place.

    Each column of weights has its own scale, and so has each row of the input ("dynamic"
    quantization), so that an output does not depend on the other rows of a batch. Products are
    summed as 32-bit integers.

    Parameters
    ----------
    module : torch.nn.Module
        Module whose layers are replaced, ready for inference.
    skip : str or None, default=None
        Part of the names of layers that keep their weights.

    References
    ----------
    Jacob, B. et al. (2018). Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference. CVPR.
    """
    import torch

    warn_if_emulated("int8")
    for name, layer in module.named_modules():
        if isinstance(layer, torch.nn.Linear) and not (skip and skip in name):
            weight, scale = _quantized(layer.weight)
            layer.forward = partial(_forward, weight.T.contiguous(), scale.T, layer.bias)
            layer.weight = None  # the integers take its place, a quarter of its size


def _quantized(rows):
    """Return rows as 8-bit integers, and their scales (n_rows, 1)."""
    import torch

    # Rows of zeros have no scale.
    scale = rows.abs().amax(dim=1, keepdim=True).clamp_(min=torch.finfo(rows.dtype).tiny)
    scale /= _LARGEST
    return (rows / scale).round_().clamp_(-_LARGEST, _LARGEST).to(torch.int8), scale


def _forward(weight, weight_scale, bias, x):
    """Compute a linear layer from `weight` (n_inputs, n_outputs), int8, and its scales."""
    import torch

    rows, scale = _quantized(x.flatten(0, -2))
    y = torch._int_mm(rows, weight) * scale
    y *= weight_scale
    if bias is not None:
        y += bias
    return y.unflatten(0, x.shape[:-1])
