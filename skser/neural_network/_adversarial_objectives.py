"""Objectives of the adversarial autoencoder that go beyond the four phases of the paper."""

import contextlib

import torch
from torch.nn import functional


def agreement_loss(outputs, wanted, factors, objectives, is_regressor=False):
    """Compute the loss of outputs against those for another view of the same utterances.

    Parameters
    ----------
    outputs, wanted : tensor of shape (batch, n_outputs)
        Logits of a classifier, or values of a regressor. `wanted` has no gradient.
    factors : tensor of shape (n_classes,) or None
        Factors of the wanted probabilities, see `tilt`. None leaves them as they are.
    objectives : dict
        Weights of the two terms, "consistency" (the cross-entropy of all classes) and
        "pseudo_labels" (that of the most probable class, if its probability is at least
        "threshold"). For a regressor, both are the squared error.
    is_regressor : bool, default=False
        Whether outputs are values.
    """
    weight, hard_weight = objectives["consistency"], objectives["pseudo_labels"]
    if is_regressor:
        return (weight + hard_weight) * functional.mse_loss(outputs, wanted)
    wanted = torch.softmax(wanted, dim=1)
    if factors is not None:
        wanted = wanted * factors
        wanted = wanted / wanted.sum(dim=1, keepdim=True)
    sure, classes = wanted.max(dim=1)
    hard = functional.cross_entropy(outputs, classes, reduction="none")
    hard = (hard * (sure >= objectives["threshold"])).mean()
    return weight * functional.cross_entropy(outputs, wanted) + hard_weight * hard


def tilt(probabilities, shares, n_iter=10):
    """Find factors of the classes that give the mean of probabilities the wanted shares.

    Parameters
    ----------
    probabilities : tensor of shape (n_utterances, n_classes)
        Probabilities of the classes.
    shares : tensor of shape (n_classes,)
        Wanted share of each class.

    Returns
    -------
    tensor of shape (n_classes,)
        Factors. Rows multiplied by them and normalized to sum 1 have about the mean `shares`.
    """
    factors = torch.ones_like(shares)
    for _ in range(n_iter):
        tilted = probabilities * factors
        tilted = tilted / tilted.sum(dim=1, keepdim=True)
        factors = factors * shares / tilted.mean(dim=0).clamp(min=1e-6)
    return factors


@contextlib.contextmanager
def untracked(module):
    """Keep batch normalization from updating its running statistics."""
    layers = [m for m in module.modules() if getattr(m, "track_running_stats", False)]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


def kept_weights(parameters):
    """Let autograd go through a graph after an optimizer has changed the parameters.

    The graph then holds copies of the weights that its backward pass needs.
    """
    owned = {parameter.untyped_storage().data_ptr() for parameter in parameters}

    def pack(tensor):
        return tensor.clone() if tensor.untyped_storage().data_ptr() in owned else tensor

    return torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)


def gradient_penalty(discriminator, codes, generator):
    """Compute half the mean squared norm of the discriminator's gradient at `codes`.

    Roth et al. (2017) and Mescheder et al. (2018) show that it makes adversarial training converge
    where the two distributions hardly overlap.
    """
    codes = codes.detach().requires_grad_()
    gradient = torch.autograd.grad(discriminator(codes, generator).sum(), codes, create_graph=True)[
        0
    ]
    return gradient.square().sum(dim=1).mean() / 2
