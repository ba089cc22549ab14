"""Losses that ignore missing targets."""

import torch
from torch import nn


class KnownSquaredError(nn.Module):
    """Mean squared error over the targets that are not NaN."""

    def forward(self, outputs, targets):
        """Compute the loss of outputs and targets (batch, n_targets)."""
        known = ~torch.isnan(targets)
        errors = torch.where(known, outputs - targets.nan_to_num(), 0.0)
        return errors.square().sum() / known.sum().clamp(min=1)


class ConcordanceLoss(nn.Module):
    r"""One minus the concordance correlation coefficient, averaged over targets.

    .. math:: \rho_c = 2 s_{xy} / (s_x^2 + s_y^2 + (\bar x - \bar y)^2)

    The moments run over the utterances of the batch whose target is not NaN. A single such
    utterance has no correlation, so the loss is then its squared error.

    References
    ----------
    Lin, L. I.-K. (1989). A Concordance Correlation Coefficient to Evaluate Reproducibility.
    Biometrics 45(1), 255-268. Equation 2.
    """

    def forward(self, outputs, targets):
        """Compute the loss of outputs and targets (batch, n_targets)."""
        known = ~torch.isnan(targets)
        n = known.sum(dim=0)
        x = torch.where(known, outputs, 0.0)
        y = targets.nan_to_num()

        def mean(values):
            return values.sum(dim=0) / n.clamp(min=1)

        mean_x, mean_y = mean(x), mean(y)
        dx = torch.where(known, outputs - mean_x, 0.0)
        dy = torch.where(known, targets.nan_to_num() - mean_y, 0.0)
        gap = (mean_x - mean_y).square()
        total = mean(dx.square()) + mean(dy.square()) + gap
        # _TINY makes the loss of equal constants 0 instead of 0 / 0.
        losses = 1 - (2 * mean(dx * dy) + _TINY) / (total + _TINY)
        losses = torch.where(n > 1, losses, gap)
        return losses.sum() / (n > 0).sum().clamp(min=1)


_TINY = 1e-8
