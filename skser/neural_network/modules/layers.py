"""Layers that see neither padding nor what other threads draw.

Torch's global generator is shared by all threads, which may train, seed and draw at the same time.
Modules that draw have an attribute `generator`, which `drawing_from` sets for as long as a training
runs.
"""

import contextlib
import threading

import torch
from torch import nn
from torch.nn import functional
from torch.nn.functional import max_pool2d

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


class MaskedBatchNormReLU(nn.Module):
    """Batch normalisation over the valid positions of a padded batch, then a ReLU.

    In training the statistics are those of the valid positions alone. The running
    statistics, used in evaluation, are the plain average over the training batches since
    the last `reset_running_stats`: fit calls that at the start of each epoch, so a fitted
    network carries its last epoch's statistics, however few batches there were.

    Parameters
    ----------
    n_features : int
        Number of channels.
    eps : float, default=1e-5
        Added to the variance.
    pool_size, pool_stride : tuple of two int, or None
        Size and stride of maximum pooling after the ReLU, along (time, bands); None means no
        pooling.

    References
    ----------
    Ioffe, S. and Szegedy, C. (2015). Batch Normalization: Accelerating Deep Network
    Training by Reducing Internal Covariate Shift. ICML.
    """

    def __init__(self, n_features, eps=1e-5, pool_size=None, pool_stride=None):
        super().__init__()
        self.eps = eps
        self.pool = pool_size and (pool_size, pool_stride, tuple(k // 2 for k in pool_size))
        self.weight = nn.Parameter(torch.ones(n_features))
        self.bias = nn.Parameter(torch.zeros(n_features))
        self.register_buffer("running_mean", torch.zeros(n_features))
        self.register_buffer("running_var", torch.ones(n_features))
        self.register_buffer("n_batches", torch.tensor(0.0))

    def reset_running_stats(self):
        """Start the average over batches afresh; the next batch alone sets it."""
        self.n_batches.zero_()

    def forward(self, x, padding, pooled_padding=None):
        """Normalise, rectify and pool ``x`` (batch, channels, time, bands).

        ``padding`` is the batch's `Padding`, ``pooled_padding`` that after the pooling.
        Positions in it come out as zero. In training ``x`` is used as working memory: the
        layer before must not need its own output.
        """
        x = x.float()  # statistics need more digits than autocast's bfloat16 has
        pooled_padding = pooled_padding or padding
        if not self.training:
            scale = self.weight * torch.rsqrt(self.running_var + self.eps)
            shift = self.bias - self.running_mean * scale
            x = torch.addcmul(shift[:, None, None], x, scale[:, None, None]).relu_()
            if self.pool:
                x = max_pool2d(padding.fill_with_zero(x), *self.pool)
            return pooled_padding.fill_with_zero(x)
        x, mean, variance = _NormalizeReLU.apply(
            x, self.weight, self.bias, self.eps, padding, self.pool, pooled_padding
        )
        with torch.no_grad():
            self.n_batches += 1
            share = 1.0 / self.n_batches
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance, share)
        return x


class _NormalizeReLU(torch.autograd.Function):
    """Written out because on a CPU the memory traffic of the parts is what training costs.

    The ReLU and what multiplies and adds come after the pooling, where fewer values are
    left. A maximum stays one there because channels of negative weight are mirrored first.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, eps, padding, pool, pooled_padding):
        count = padding.n_positions * x.shape[3]
        x = padding.fill_with_zero(x.contiguous(memory_format=torch.channels_last))
        mean = _rows(x).sum(dim=0) / count
        # Centred before squaring: a difference of squares would lose float32's digits on
        # features that nobody scaled.
        sign = torch.copysign(torch.ones_like(weight), weight)
        torch.addcmul(_per_channel(-sign * mean), x, _per_channel(sign), out=x)
        padding.fill_with_zero(x)
        y = x.square()
        squares = _rows(y).sum(dim=0)
        inverse_std = torch.rsqrt(squares / count + eps)
        scale, shift = _per_channel(weight.abs() * inverse_std), _per_channel(bias)
        if pool is None:
            peaks, places = x, None
            torch.addcmul(shift, x, scale, out=y)
        else:
            peaks, places = max_pool2d(padding.fill_with_lowest(x), *pool, return_indices=True)
            padding.fill_with_zero(x)
            y = torch.addcmul(shift, peaks, scale)
        pooled_padding.fill_with_zero(y.relu_())
        ctx.save_for_backward(x, peaks, places, y, weight, sign, inverse_std, count)
        ctx.padding, ctx.pool = padding, pool
        variance = squares / (count - 1).clamp(min=1)
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx, grad, _mean, _variance):
        x, peaks, places, y, weight, sign, inverse_std, count = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad = torch.ops.aten.threshold_backward(grad, y, 0)  # zero in the padding, as y is
        grad_bias = _rows(grad).sum(dim=0)
        grad_scale = _rows(grad * peaks).sum(dim=0)
        scale = weight * inverse_std
        grad *= _per_channel(scale)
        if places is not None:
            size, stride, margin = ctx.pool
            grad = torch.ops.aten.max_pool2d_with_indices_backward(
                grad, x, size, stride, margin, (1, 1), False, places
            )
        grad_x = torch.addcmul(
            _per_channel(-scale * grad_bias / count),
            x,
            _per_channel(-scale * grad_scale * inverse_std.square() / count),
        )
        ctx.padding.fill_with_zero(grad_x.add_(grad))
        return grad_x, sign * grad_scale * inverse_std, grad_bias, None, None, None, None


def _rows(x):
    """``x`` (batch, channels, time, bands), in channels-last order, as (positions, channels)."""
    return x.permute(0, 2, 3, 1).view(-1, x.shape[1])


def _per_channel(values):
    return values[:, None, None]


class Padding:
    """Where a padded batch (batch, channels, time, bands) holds no utterance.

    Parameters
    ----------
    lengths : int64 tensor of shape (batch,)
        Valid positions of each utterance.
    n_times : int
        Positions of the batch, valid or not.
    """

    def __init__(self, lengths, n_times):
        self.mask = time_mask(lengths, n_times)
        self.n_positions = lengths.sum().to(torch.float32)
        # Only the tail after the shortest utterance needs a look. On a GPU the copy is
        # cheap and asking for the shortest would make the host wait; a compiled graph would
        # break at the question.
        look_at_all = lengths.device.type != "cpu" or torch.compiler.is_compiling()
        self._first = 0 if look_at_all else int(lengths.min())
        self._tail = self.mask[:, None, self._first :, None]

    def fill_with_zero(self, x):
        """Write zeros into the padding of ``x``, in place, and return it."""
        if self._tail.shape[2]:
            x[:, :, self._first :].mul_(self._tail)
        return x

    def fill_with_lowest(self, x):
        """Write the lowest number into the padding, where there must be zeros now."""
        if self._tail.shape[2]:
            lowest = (~self._tail).to(x.dtype) * torch.finfo(x.dtype).min
            x[:, :, self._first :].add_(lowest)
        return x


def time_mask(lengths, n_positions):
    """Bool tensor (batch, n_positions), True before each utterance's length."""
    return torch.arange(n_positions, device=lengths.device) < lengths[:, None]
