"""Mixup: training on mixtures of two utterances and their targets."""

import torch
from torch.nn import functional


class Mixup:
    """Mixup of each utterance of a batch with another one, drawn at random.

    Utterance i becomes ``share * x[i] + (1 - share) * x[j]``, and its target becomes the same
    mixture of both targets. Each pair draws its share from Beta(alpha, alpha). Both utterances
    start at the same frame, and the mixture is as long as the longer one.

    Parameters
    ----------
    alpha : float
        Parameter of the Beta distribution, above 0. Small values keep most mixtures close to one
        of the two utterances; 1 draws shares uniformly.
    n_classes : int
        Number of classes.

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
            Padded batch, zero beyond each utterance, on any device.
        lengths : tensor of shape (batch,), int64
            Number of frames of each utterance, on the CPU.
        targets : tensor of shape (batch,), int64, or (batch, n_classes), float32
            Class of each utterance, or the share of each class, on any device.
        random_state : numpy.random.RandomState
            Random generator of pairs and shares.

        Returns
        -------
        x : tensor of shape (batch, channels, time, bands), float32
            Mixtures, zero beyond each of them.
        lengths : tensor of shape (batch,), int64
            Number of frames of each mixture.
        targets : tensor of shape (batch, n_classes), float32
            Share of each class in each mixture.
        """
        if targets.ndim == 1:
            targets = functional.one_hot(targets, self.n_classes).float()
        shares = torch.from_numpy(random_state.beta(self.alpha, self.alpha, size=len(x))).float()
        other = torch.from_numpy(random_state.permutation(len(x)))

        def mixed(tensor):
            here, share = other.to(tensor.device), shares.to(tensor.device)
            return torch.lerp(tensor[here], tensor, share.view(-1, *[1] * (tensor.ndim - 1)))

        return mixed(x), torch.maximum(lengths, lengths[other]), mixed(targets)
