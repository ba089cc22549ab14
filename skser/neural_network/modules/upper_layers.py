"""Layers of a pretrained encoder, to be trained on."""

from torch import nn

from skser.neural_network.modules.layers import as_global, time_mask


class UpperLayers(nn.Module):
    """Layers that go on where frozen ones ended.

    Parameters
    ----------
    layers : nn.ModuleList
        Each takes (batch, time, width) and a mask to be added to its attention's scores.
    norm : nn.Module or None
        Behind the last one.
    arguments : dict
        Others that each layer takes.
    """

    generator = None

    def __init__(self, layers, norm, arguments):
        super().__init__()
        self.layers = layers
        self.arguments = arguments
        self.norm = nn.Identity() if norm is None else norm

    def forward(self, x, lengths):
        """Hidden states, like ``x`` (batch, 1, time, width)."""
        hidden = x[:, 0]
        inside = time_mask(lengths, hidden.shape[1])[:, None, None]
        mask = hidden.new_zeros(inside.shape).masked_fill(~inside, float("-inf"))
        with as_global(self.generator if self.training else None):  # of the layers' dropout
            for layer in self.layers:
                output = layer(hidden, mask, **self.arguments)
                hidden = output[0] if isinstance(output, tuple) else output
        return self.norm(hidden)[:, None].float()
