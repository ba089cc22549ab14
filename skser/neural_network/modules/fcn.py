"""Fully convolutional network with attention pooling over all positions."""

import torch
from torch import nn
from torch.nn import functional

from skser.neural_network.modules.attention import AttentionPooling
from skser.neural_network.modules.layers import Dropout, MaskedBatchNormReLU, Padding, time_mask


def output_length(length, kernel_size, stride):
    """Return the number of output positions of a convolution or pooling.

    Each layer pads by half its kernel, so that a length of at least 1 stays at least 1.
    """
    return (length - kernel_size % 2) // stride + 1


class ConvolutionBlock(nn.Module):
    """Convolution, normalization, ReLU and max pooling, unaffected by padding.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Number of input channels, and of output channels.
    kernel_size, stride, pool_size, pool_stride : tuple of two int
        Sizes and strides along (time, bands). A pool size of (1, 1) means no pooling.
    normalization : {"batch", "local_response", "none"}
        Normalization between convolution and ReLU. Local response normalization
        (Krizhevsky et al. 2012) comes after the ReLU, as published.
    """

    def __init__(
        self, n_inputs, n_outputs, kernel_size, stride, pool_size, pool_stride, normalization
    ):
        super().__init__()
        self.convolution = nn.Conv2d(
            n_inputs,
            n_outputs,
            kernel_size,
            stride,
            padding=tuple(k // 2 for k in kernel_size),
            bias=normalization != "batch",
        )
        if not self.convolution.weight.is_meta:  # normal_ would import torch's compiler there
            nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        pools = max(pool_size) > 1
        self.batch_norm = None
        if normalization == "batch":
            self.batch_norm = MaskedBatchNormReLU(
                n_outputs,
                pool_size=pool_size if pools else None,
                pool_stride=pool_stride,
            )
        self.local_response = nn.LocalResponseNorm(5) if normalization == "local_response" else None
        self.pool_size = pool_size
        self.pool_stride = pool_stride
        self.steps = [(kernel_size, stride)]
        if pools:
            self.steps.append((pool_size, pool_stride))

    def forward(self, x, lengths):
        """Return new x (batch, channels, time, bands) and lengths (batch,).

        ``x`` must be zero beyond the length of each utterance, and so is the result.
        """
        x = self.convolution(x)
        lengths = output_length(lengths, self.steps[0][0][0], self.steps[0][1][0])
        padding = Padding(lengths, x.shape[2])
        pools = len(self.steps) > 1
        if pools:
            size, stride = self.pool_size[0], self.pool_stride[0]
            lengths = output_length(lengths, size, stride)
            pooled_padding = Padding(lengths, output_length(x.shape[2], size, stride))
        if self.batch_norm is not None:
            return self.batch_norm(x, padding, pooled_padding if pools else None), lengths
        x = torch.relu(x) * padding.mask[:, None, :, None]
        if self.local_response is not None:
            x = self.local_response(x)
        if pools:
            # Zeros in the padding never exceed the output of a ReLU, but a window whose center is
            # in the padding may reach back into the utterance, so the result is masked again.
            x = functional.max_pool2d(
                x, self.pool_size, self.pool_stride, padding=tuple(k // 2 for k in self.pool_size)
            )
            x = x * pooled_padding.mask[:, None, :, None]
        return x, lengths


class AttentionFCN(nn.Module):
    """Convolution blocks, attention pooling over all (time, band) cells, and a linear output.

    Parameters
    ----------
    n_channels : int
        Number of input channels (static features and their differences).
    n_outputs : int
        Number of classes or targets.
    filters : sequence of int
        Number of output channels of each block.
    kernel_sizes, strides, pool_sizes, pool_strides : sequence of (int, int)
        Sizes and strides of each block, as pairs (time, bands).
    normalizations : sequence of {"batch", "local_response", "none"}
        Normalization of each block.
    n_heads : int
        Number of heads of the `AttentionPooling`.
    attention_scale : float
        Scale of its scores.
    dropout : float
        Dropout rate on the pooled vectors.

    References
    ----------
    Zhang, Y., Du, J., Wang, Z., Zhang, J. and Tu, Y. (2018). Attention Based Fully
    Convolutional Network for Speech Emotion Recognition. APSIPA.
    """

    def __init__(
        self,
        n_channels,
        n_outputs,
        *,
        filters,
        kernel_sizes,
        strides,
        pool_sizes,
        pool_strides,
        normalizations,
        n_heads,
        attention_scale,
        dropout,
    ):
        super().__init__()
        widths = [n_channels, *filters]
        self.blocks = nn.ModuleList(
            ConvolutionBlock(*arguments)
            for arguments in zip(
                widths[:-1],
                widths[1:],
                kernel_sizes,
                strides,
                pool_sizes,
                pool_strides,
                normalizations,
                strict=True,
            )
        )
        self.pooling = AttentionPooling(filters[-1], n_heads, attention_scale)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(filters[-1] * n_heads, n_outputs)
        # With zero weights all classes are equally likely at first, and the data alone decide.
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def steps(self):
        """Return (kernel size, stride) of each layer, as a list along time and one along bands."""
        steps = [step for block in self.blocks for step in block.steps]
        return tuple([(kernel[axis], stride[axis]) for kernel, stride in steps] for axis in (0, 1))

    def _annotations(self, x, lengths):
        """Compute cells (batch, time, bands, features) of the last layer, mask and lengths."""
        for block in self.blocks:
            x, lengths = block(x, lengths)
        cells = x.permute(0, 2, 3, 1)
        mask = time_mask(lengths, cells.shape[1])[:, :, None].expand(cells.shape[:3])
        return cells, mask.flatten(1), lengths

    def forward(self, x, lengths):
        """Compute outputs (batch, n_outputs) of a padded batch (batch, channels, time, bands)."""
        cells, mask, _ = self._annotations(x, lengths)
        pooled = self.pooling(cells.flatten(1, 2), mask)
        return self.output(self.dropout(pooled) if self.training else pooled)

    def attention(self, x, lengths):
        """Compute weights (batch, heads, time, bands), and lengths (batch,) on that grid."""
        cells, mask, lengths = self._annotations(x, lengths)
        weights = self.pooling.weights(cells.flatten(1, 2), mask)
        return weights.transpose(1, 2).unflatten(2, cells.shape[1:3]), lengths
