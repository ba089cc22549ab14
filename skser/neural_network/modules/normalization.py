"""Batch normalisation that does not see padding."""

import torch
from torch import nn


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

    References
    ----------
    Ioffe, S. and Szegedy, C. (2015). Batch Normalization: Accelerating Deep Network
    Training by Reducing Internal Covariate Shift. ICML.
    """

    def __init__(self, n_features, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_features))
        self.bias = nn.Parameter(torch.zeros(n_features))
        self.register_buffer("running_mean", torch.zeros(n_features))
        self.register_buffer("running_var", torch.ones(n_features))
        self.register_buffer("n_batches", torch.tensor(0.0))

    def reset_running_stats(self):
        """Start the average over batches afresh; the next batch alone sets it."""
        self.n_batches.zero_()

    def forward(self, x, padding):
        """Normalise and rectify ``x`` (batch, channels, time, bands).

        ``padding`` is the batch's `Padding`. Positions in it come out as zero. In training
        ``x`` is used as working memory: the layer before must not need its own output.
        """
        x = x.float()  # statistics need more digits than autocast's bfloat16 has
        if not self.training:
            scale = self.weight * torch.rsqrt(self.running_var + self.eps)
            shift = self.bias - self.running_mean * scale
            x = torch.addcmul(shift[:, None, None], x, scale[:, None, None])
            return padding.fill_with_zero(torch.relu_(x))
        x, mean, variance = _NormalizeReLU.apply(x, self.weight, self.bias, self.eps, padding)
        with torch.no_grad():
            count = padding.n_positions * x.shape[3]
            self.n_batches += 1
            share = 1.0 / self.n_batches
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * (count / (count - 1).clamp(min=1)), share)
        return x


class _NormalizeReLU(torch.autograd.Function):
    """Written out because on a CPU the memory traffic of the parts is what training costs."""

    @staticmethod
    def forward(ctx, x, weight, bias, eps, padding):
        n_channels = x.shape[1]
        count = padding.n_positions * x.shape[3]
        x = padding.fill_with_zero(x.contiguous(memory_format=torch.channels_last))
        rows = x.permute(0, 2, 3, 1).view(-1, n_channels)
        mean = rows.sum(dim=0) / count
        # Centred before squaring: a difference of squares would lose float32's digits on
        # features that nobody scaled.
        rows.sub_(mean)
        padding.fill_with_zero(x)
        variance = torch.linalg.vector_norm(rows, dim=0).square() / count
        inverse_std = torch.rsqrt(variance + eps)
        y = torch.addcmul(bias[:, None, None], x, (weight * inverse_std)[:, None, None])
        padding.fill_with_zero(y.relu_())
        ctx.save_for_backward(x, y, weight, inverse_std, count)
        ctx.padding = padding
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx, grad, _mean, _variance):
        x, y, weight, inverse_std, count = ctx.saved_tensors
        n_channels = x.shape[1]
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad = torch.ops.aten.threshold_backward(grad, y, 0)  # zero in the padding, as y is
        grad_rows = grad.permute(0, 2, 3, 1).reshape(-1, n_channels)
        grad_bias = grad_rows.sum(dim=0)
        product = grad * x
        grad_weight = product.permute(0, 2, 3, 1).reshape(-1, n_channels).sum(dim=0) * inverse_std
        scale = weight * inverse_std
        grad_x = torch.addcmul(
            (-scale * grad_bias / count)[:, None, None],
            x,
            (-scale * grad_weight * inverse_std / count)[:, None, None],
            out=product,
        )
        grad_x.addcmul_(grad, scale[:, None, None])
        return ctx.padding.fill_with_zero(grad_x), grad_weight, grad_bias, None, None


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
        # Only the tail behind the shortest utterance needs a look. On a GPU the copy is
        # cheap and asking for the shortest would make the host wait; a compiled graph would
        # break at the question.
        look_at_all = lengths.is_cuda or torch.compiler.is_compiling()
        self._first = 0 if look_at_all else int(lengths.min())
        self._n_times = n_times

    def fill_with_zero(self, x):
        """Write zeros into the padding of ``x``, in place, and return it."""
        if self._first < self._n_times:
            tail = self.mask[:, None, self._first :, None]
            x[:, :, self._first :].mul_(tail)
        return x


def time_mask(lengths, n_positions):
    """Bool tensor (batch, n_positions), True before each utterance's length."""
    return torch.arange(n_positions, device=lengths.device) < lengths[:, None]
