"""Layers that are independent of padding and of the random numbers of other threads.

All threads share torch's global generator, and may train, seed and draw at the same time. Modules
that draw random numbers therefore have an attribute `generator`, which `drawing_from` sets during
a training.
"""

import contextlib
import threading

import torch
from torch import nn
from torch.nn import functional
from torch.nn.functional import max_pool2d

# Some functions of torch accept no generator. `as_global` holds this lock while it replaces the
# global one.
_GLOBAL_GENERATOR = threading.RLock()


class Dropout(nn.Module):
    """torch's dropout, with random numbers from `generator` if it is set.

    Parameters
    ----------
    p : float
        Dropout rate: share of the elements that become zero in training.

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
        """Drop elements of ``x`` and scale up the others; in evaluation, return it unchanged."""
        if not self.training or self.p == 0:
            return x
        if self.generator is None:
            return functional.dropout(x, self.p)
        kept = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * kept.div_(1 - self.p)

    def extra_repr(self):
        """Return the text that the module's repr shows in parentheses."""
        return f"p={self.p}"


@contextlib.contextmanager
def drawing_from(generator, module):
    """Make a module and its parts draw from a generator within this context.

    Parameters
    ----------
    generator : torch.Generator
        Random generator on the module's device.
    module : nn.Module
        Module whose parts may have an attribute `generator`.
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
    """Replace torch's global generator within this context, for one thread at a time.

    Parameters
    ----------
    generator : torch.Generator or None
        Generator to use instead. None leaves the global one in place.
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
    """Batch normalization over the valid positions of a padded batch, ReLU and max pooling.

    In training, the statistics are those of the valid positions of the batch. The running
    statistics, used in evaluation, are the plain average over the training batches since the last
    call of `reset_running_stats`. `fit` calls it at the start of each epoch, so that a fitted
    network has the statistics of its last epoch, even if that has few batches.

    Parameters
    ----------
    n_features : int
        Number of channels.
    eps : float, default=1e-5
        Constant added to the variance for numerical stability.
    pool_size, pool_stride : tuple of two int, or None, default=None
        Size and stride of max pooling after the ReLU, along (time, bands). None means no pooling.

    References
    ----------
    Ioffe, S. and Szegedy, C. (2015). Batch Normalization: Accelerating Deep Network
    Training by Reducing Internal Covariate Shift. ICML.
    """

    track_running_stats = True  # as of torch's layers

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
        """Restart the running statistics; the next batch replaces them."""
        self.n_batches.zero_()

    def forward(self, x, padding, pooled_padding=None):
        """Normalize, rectify and pool ``x`` (batch, channels, time, bands).

        ``padding`` is the `Padding` of the batch, and ``pooled_padding`` that after pooling, where
        the result is zero. Training overwrites ``x``, so the previous layer must not need its
        own output for its gradient.
        """
        x = x.float()  # statistics need more digits than autocast's bfloat16 has
        pooled_padding = pooled_padding or padding
        if not self.training:
            # One operation, since threads that share a model take turns between operations.
            statistics = self.running_mean, self.running_var
            x = torch.batch_norm(
                x, self.weight, self.bias, *statistics, False, 0.0, self.eps, False
            ).relu_()
            if self.pool:
                x = max_pool2d(padding.fill_with_zero(x), *self.pool)
            return pooled_padding.fill_with_zero(x)
        x, mean, variance = _NormalizeReLU.apply(
            x, self.weight, self.bias, self.eps, padding, self.pool, pooled_padding
        )
        if self.track_running_stats:
            with torch.no_grad():
                self.n_batches += 1
                share = 1.0 / self.n_batches
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(variance, share)
        return x


class _NormalizeReLU(torch.autograd.Function):
    """Fused normalization, ReLU and pooling, because memory traffic limits training on a CPU.

    Scaling, shifting and the ReLU come after the pooling, where fewer values are left. Channels
    with a negative weight are mirrored first, so that pooling still finds their maximum.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, eps, padding, pool, pooled_padding):
        count = padding.n_positions * x.shape[3]
        x = padding.fill_with_zero(x.contiguous(memory_format=torch.channels_last))
        mean = _rows(x).sum(dim=0) / count
        # Centered before squaring: a difference of squares would lose precision in float32 on
        # unscaled features.
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
        grad = torch.ops.aten.threshold_backward(grad, y, 0)  # also zeroes the padding
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
    """View channels-last ``x`` (batch, channels, time, bands) as (positions, channels)."""
    return x.permute(0, 2, 3, 1).view(-1, x.shape[1])


def _per_channel(values):
    return values[:, None, None]


class Padding:
    """Positions of a padded batch (batch, channels, time, bands) beyond the end of utterances.

    Parameters
    ----------
    lengths : int64 tensor of shape (batch,)
        Number of valid positions of each utterance.
    n_times : int
        Number of positions of the padded batch.
    """

    def __init__(self, lengths, n_times):
        self._lengths, self._n_times = lengths, n_times
        # Only positions after the shortest utterance can be padding. On a GPU, reading that
        # length would make the host wait for longer than masking all positions takes; in a
        # compiled graph, it would break the graph.
        look_at_all = lengths.device.type != "cpu" or torch.compiler.is_compiling()
        self._first = 0 if look_at_all else min(int(lengths.min()), n_times)
        if self._first < n_times:
            times = torch.arange(self._first, n_times, device=lengths.device)
            # Multiplying by floats is five times as fast as multiplying by bool.
            self._tail = (times.view(-1, 1) < lengths.view(-1, 1, 1, 1)).float()

    @property
    def mask(self):
        """Bool tensor (batch, n_times), True within each utterance."""
        return time_mask(self._lengths, self._n_times)

    @property
    def n_positions(self):
        """Total number of valid positions, a tensor."""
        return self._lengths.sum()

    def fill_with_zero(self, x):
        """Set the padding of ``x`` to zero, in place, and return ``x``."""
        if self._first < self._n_times:
            x[:, :, self._first :].mul_(self._tail)
        return x

    def fill_with_lowest(self, x):
        """Set the padding of ``x``, which must be zero, to the lowest float; return ``x``."""
        if self._first < self._n_times:
            x[:, :, self._first :].add_((self._tail - 1).to(x.dtype) * torch.finfo(x.dtype).max)
        return x


def time_mask(lengths, n_positions):
    """Return a bool tensor (batch, n_positions), True within each utterance's length."""
    return torch.arange(n_positions, device=lengths.device) < lengths[:, None]
