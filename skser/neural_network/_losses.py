"""Loss of the classifiers."""

import torch
from torch import nn


class SoftCrossEntropy(nn.Module):
    """Cross-entropy with class weights and label smoothing, for classes or soft targets.

    The weights should have mean 1 over the training utterances. The loss is divided by the number
    of utterances instead of their weights, so that a batch of rare classes counts for more than a
    batch of frequent ones. The loss of a soft target is the mean of the losses of all classes,
    weighted by its shares.

    Parameters
    ----------
    class_weight : tensor of shape (n_classes,) or None
        Weight of each class. None weights all classes equally.
    label_smoothing : float
        Share of each target that is spread evenly over all classes.
    """

    def __init__(self, class_weight=None, label_smoothing=0.0):
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weight", class_weight)

    def forward(self, logits, targets):
        """Compute the mean loss of logits (batch, n_classes).

        Targets are class indices (batch,) or shares (batch, n_classes).
        """
        if targets.ndim == 2:
            return self._loss_of_shares(logits, targets)
        losses = nn.functional.cross_entropy(
            logits, targets, reduction="none", label_smoothing=self.label_smoothing
        )
        if self.class_weight is not None:
            losses = losses * self.class_weight[targets]
        return losses.mean()

    def _loss_of_shares(self, logits, shares):
        if self.class_weight is not None:
            shares = shares * self.class_weight
        # Smooth after weighting, so that one-hot shares give the same loss as class indices.
        shares = torch.lerp(shares, shares.mean(dim=1, keepdim=True), self.label_smoothing)
        return -(shares * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
