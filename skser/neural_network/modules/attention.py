"""Attention pooling of a set of annotation vectors into one vector."""

import math

import torch
from torch import nn
from torch.nn.functional import linear


class AttentionPooling(nn.Module):
    r"""Weighted mean of annotation vectors, with weights from a scaled softmax.

    For annotations :math:`a_i` of an utterance and each head,

    .. math::
        e_i = u^T \tanh(W a_i + b), \quad
        \alpha_i = \exp(\lambda e_i) / \sum_k \exp(\lambda e_k), \quad
        c = \sum_i \alpha_i a_i.

    The sum runs over the valid positions of one utterance. :math:`\lambda = 1` is the
    ordinary softmax; :math:`\lambda = 0` is mean pooling.

    Parameters
    ----------
    n_features : int
        Number of features of an annotation vector.
    n_heads : int, default=1
        Number of heads, each with its own :math:`W, b, u`. Their outputs are concatenated.
    attention_scale : float, default=1.0
        Scale :math:`\lambda` of the scores.
    n_hidden : int or None, default=None
        Number of rows of :math:`W`. None uses `n_features`.

    References
    ----------
    Zhang, Y., Du, J., Wang, Z., Zhang, J. and Tu, Y. (2018). Attention Based Fully
    Convolutional Network for Speech Emotion Recognition. APSIPA. Equations 1 to 3.
    """

    def __init__(self, n_features, n_heads=1, attention_scale=1.0, n_hidden=None):
        super().__init__()
        n_hidden = n_hidden or n_features
        self.n_heads = n_heads
        self.attention_scale = attention_scale
        self.projection = nn.Linear(n_features, n_heads * n_hidden)
        self.context = nn.Parameter(torch.empty(n_heads, n_hidden))
        nn.init.uniform_(self.context, -1 / math.sqrt(n_hidden), 1 / math.sqrt(n_hidden))

    def weights(self, annotations, mask):
        """Compute the attention weights.

        Parameters
        ----------
        annotations : tensor of shape (batch, positions, features)
            Annotation vectors.
        mask : bool tensor of shape (batch, positions)
            Mask that is True at valid positions, of which each utterance has at least one.

        Returns
        -------
        tensor of shape (batch, positions, heads)
            Weights, zero outside the mask. Those of each head sum to 1 over positions.
        """
        # tanh z = 2 sigmoid(2z) - 1. The softmax cancels the constant, and torch's sigmoid is
        # ten times as fast as its tanh.
        projection = self.projection
        hidden = torch.sigmoid(linear(annotations, 2 * projection.weight, 2 * projection.bias))
        # A block-diagonal matrix computes the scores of all heads in one product.
        context = torch.block_diag(*self.context[:, None])
        scores = linear(hidden, 2 * self.attention_scale * context)
        scores = scores.masked_fill(~mask[:, :, None], float("-inf"))
        return torch.softmax(scores, dim=1, dtype=torch.float32)

    def forward(self, annotations, mask):
        """Compute pooled vectors (batch, heads * features) from the arguments of `weights`."""
        weights = self.weights(annotations, mask)
        return torch.einsum("nph,npc->nhc", weights, annotations).flatten(1)
