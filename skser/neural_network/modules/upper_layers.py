"""Layers of a pretrained encoder, for fine-tuning."""

from torch import nn

from skser.neural_network.modules.layers import as_global, time_mask


class UpperLayers(nn.Module):
    """Upper layers of an encoder, applied to the output of its frozen lower layers.

    Parameters
    ----------
    layers : nn.ModuleList
        Layers that take a tensor (batch, time, width), and a mask to add to attention scores.
    norm : nn.Module or None
        Normalization after the last layer. None means none.
    arguments : dict
        Additional keyword arguments of each layer.
    """

    generator = None

    def __init__(self, layers, norm, arguments):
        super().__init__()
        self.layers = layers
        self.arguments = arguments
        self.norm = nn.Identity() if norm is None else norm

    def forward(self, x, lengths):
        """Compute hidden states of the same shape as ``x`` (batch, 1, time, width)."""
        hidden = x[:, 0]
        inside = time_mask(lengths, hidden.shape[1])[:, None, None]
        mask = hidden.new_zeros(inside.shape).masked_fill(~inside, float("-inf"))
        with as_global(self.generator if self.training else None):  # for the layers' dropout
            for layer in self.layers:
                output = layer(hidden, mask, **self.arguments)
                hidden = output[0] if isinstance(output, tuple) else output
        return self.norm(hidden)[:, None].float()
