"""Random numbers of a training, drawn from a generator of its own and not from torch's global one.

Other threads may train, seed and draw at the same time. Modules that draw have an attribute
`generator`, which `drawing_from` sets for as long as a training runs.
"""

import contextlib
import threading

import torch
from torch import nn
from torch.nn import functional

# Some of torch takes no generator; whoever needs the global one holds this for a short while.
_GLOBAL_GENERATOR = threading.RLock()


class Dropout(nn.Module):
    """Dropout as torch's, with numbers from `generator` if there is one.

    Parameters
    ----------
    p : float
        Share of the elements that become zero in training.

    References
    ----------
    Srivastava, N. et al. (2014). Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting. JMLR 15.
    """

    generator = None

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        """Return ``x`` with elements dropped and the others scaled; in evaluation as it is."""
        if not self.training or self.p == 0:
            return x
        if self.generator is None:
            return functional.dropout(x, self.p)
        kept = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * kept.div_(1 - self.p)

    def extra_repr(self):
        """Return the share, for the module's text."""
        return f"p={self.p}"


@contextlib.contextmanager
def drawing_from(generator, module):
    """Context in which a module and its parts draw from a generator.

    Parameters
    ----------
    generator : torch.Generator
        On the module's device.
    module : nn.Module
    """
    parts = [part for part in module.modules() if hasattr(part, "generator")]
    try:
        for part in parts:
            part.generator = generator
        yield
    finally:
        for part in parts:
            part.__dict__.pop("generator", None)


@contextlib.contextmanager
def as_global(generator):
    """Context in which torch's global generator is `generator`, for one thread at a time.

    Parameters
    ----------
    generator : torch.Generator or None
        None leaves the global one as it is.
    """
    if generator is None:
        yield
        return
    default = _default_generator(generator.device)
    with _GLOBAL_GENERATOR:
        before = default.get_state()
        default.set_state(generator.get_state())
        try:
            yield
        finally:
            generator.set_state(default.get_state())
            default.set_state(before)


def _default_generator(device):
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()
    return torch.default_generator
