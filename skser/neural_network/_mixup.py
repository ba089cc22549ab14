"""Mixup: training on mixtures of two utterances and of their targets."""

import torch
from torch.nn import functional


class Mixup:
    """Mix each utterance of a batch with another one, drawn at random.

    Utterance i becomes ``share * x[i] + (1 - share) * x[j]``, and its target the same mixture
    of the two targets; each pair draws its share from Beta(alpha, alpha). Utterances begin
    together, and a mixture is as long as the longer of its two.

    Parameters
    ----------
    alpha : float
        Above 0. Small values leave most mixtures near one of the two utterances; 1 draws
        shares uniformly.
    n_classes : int

    References
    ----------
    Zhang, H., Cisse, M., Dauphin, Y. N. and Lopez-Paz, D. (2018). mixup: Beyond Empirical
    Risk Minimization. ICLR. arXiv:1710.09412. Section 2.
    """

    def __init__(self, alpha, n_classes):
        self.alpha = alpha
        self.n_classes = n_classes

    def __call__(self, x, lengths, targets, random_state):
        """Mix a padded batch.

        Parameters
        ----------
        x : tensor of shape (batch, channels, time, bands), float32
            Zero beyond each utterance, and so are the mixtures.
        lengths : tensor of shape (batch,), int64
            On the CPU; `x` and `targets` may be anywhere.
        targets : tensor of shape (batch,), int64, or (batch, n_classes), float32
            Classes, or their shares.
        random_state : numpy.random.RandomState

        Returns
        -------
        x : tensor of shape (batch, channels, time, bands), float32
        lengths : tensor of shape (batch,), int64
        targets : tensor of shape (batch, n_classes), float32
        """
        if targets.ndim == 1:
            targets = functional.one_hot(targets, self.n_classes).float()
        shares = torch.from_numpy(random_state.beta(self.alpha, self.alpha, size=len(x))).float()
        other = torch.from_numpy(random_state.permutation(len(x)))

        def mixed(tensor):
            here, share = other.to(tensor.device), shares.to(tensor.device)
            return torch.lerp(tensor[here], tensor, share.view(-1, *[1] * (tensor.ndim - 1)))

        return mixed(x), torch.maximum(lengths, lengths[other]), mixed(targets)
