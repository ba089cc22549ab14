"""Torch modules compared with closed forms and with torch's own layers."""

import numpy as np
import pytest
import torch

from skser.neural_network import SpecAugment
from skser.neural_network.modules.attention import AttentionPooling
from skser.neural_network.modules.fcn import AttentionFCN, output_length
from skser.neural_network.modules.layers import (
    MaskedBatchNormReLU,
    Padding,
    _NormalizeReLU,
    time_mask,
)


def batch(n=3, channels=4, time=9, bands=5, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, channels, time, bands, generator=generator, dtype=dtype)


class TestNormalization:
    def test_without_padding_it_equals_torchs_batch_norm_and_relu(self):
        x = batch()
        ours, theirs = MaskedBatchNormReLU(4), torch.nn.BatchNorm2d(4)
        for module in (ours, theirs):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5, torch.Generator().manual_seed(1))
            torch.nn.init.uniform_(module.bias, -0.5, 0.5, torch.Generator().manual_seed(2))
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        padding = Padding(torch.full((3,), 9), 9)
        y, expected = ours(a.clone(), padding), torch.relu(theirs(b))
        torch.testing.assert_close(y, expected, atol=1e-5, rtol=1e-5)
        weight = batch() + 1
        (y * weight).sum().backward()
        (expected * weight).sum().backward()
        torch.testing.assert_close(a.grad, b.grad, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours.running_var, x.var(dim=(0, 2, 3)), rtol=1e-5, atol=1e-6)

    def test_padding_is_ignored(self):
        x, lengths = batch(), torch.tensor([9, 4, 6])
        mask = time_mask(lengths, 9)[:, None, :, None]
        garbage = torch.where(mask, x, torch.tensor(1e3))
        module = MaskedBatchNormReLU(4)
        y = module(garbage.clone(), Padding(lengths, 9))
        valid = torch.cat([x[i, :, :n].flatten(1) for i, n in enumerate(lengths)], dim=1)
        torch.testing.assert_close(module.running_mean, valid.mean(dim=1), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(module.running_var, valid.var(dim=1), atol=1e-6, rtol=1e-5)
        assert (y[~mask.expand_as(y)] == 0).all()
        module.eval()
        assert (module(garbage, Padding(lengths, 9))[~mask.expand_as(y)] == 0).all()

    @pytest.mark.parametrize("pool", [None, ((2, 2), (2, 2), (1, 1)), ((3, 2), (2, 1), (1, 1))])
    def test_gradients_agree_with_finite_differences(self, pool):
        x = batch(2, 3, 5, 2, dtype=torch.float64).requires_grad_()
        lengths = torch.tensor([5, 3])
        padding = pooled = Padding(lengths, 5)
        if pool is not None:
            size, stride = pool[0][0], pool[1][0]
            pooled = Padding(output_length(lengths, size, stride), output_length(5, size, stride))
        weight = torch.tensor([0.7, -0.4, 0.2], dtype=torch.float64, requires_grad=True)
        bias = torch.rand(3, dtype=torch.float64, requires_grad=True)

        def normalized(x, weight, bias):
            y, _, _ = _NormalizeReLU.apply(x.clone(), weight, bias, 1e-5, padding, pool, pooled)
            return y

        assert torch.autograd.gradcheck(normalized, (x, weight, bias), atol=1e-6)

    @pytest.mark.parametrize("training", [True, False])
    def test_fused_pooling_equals_separate_layers(self, training):
        x, lengths = batch(time=9), torch.tensor([9, 4, 6])
        alone = MaskedBatchNormReLU(4)
        pooling = MaskedBatchNormReLU(4, pool_size=(3, 2), pool_stride=(2, 2))
        for module in (alone, pooling):
            module.train(training)
            torch.nn.init.uniform_(module.weight, -1, 1, torch.Generator().manual_seed(1))
            torch.nn.init.uniform_(module.bias, -1, 1, torch.Generator().manual_seed(2))
        padding = Padding(lengths, 9)
        pooled = Padding(output_length(lengths, 3, 2), output_length(9, 3, 2))
        y = alone(x.clone(), padding)
        expected = torch.nn.functional.max_pool2d(y, (3, 2), (2, 2), padding=1)
        expected = expected * pooled.mask[:, None, :, None]
        torch.testing.assert_close(pooling(x.clone(), padding, pooled), expected)
        torch.testing.assert_close(pooling.running_var, alone.running_var)

    def test_running_statistics_are_the_plain_mean_since_the_last_reset(self):
        module = MaskedBatchNormReLU(4)
        padding = Padding(torch.full((3,), 9), 9)
        module(batch() + 100, padding)
        module.reset_running_stats()
        for offset in (1.0, 2.0, 6.0):
            module(batch() + offset, padding)
        expected = batch().mean(dim=(0, 2, 3)) + 3
        torch.testing.assert_close(module.running_mean, expected, atol=1e-5, rtol=1e-5)

    def test_unscaled_input_keeps_its_precision(self):
        x = batch() + 10_000
        y = MaskedBatchNormReLU(4)(x.clone(), Padding(torch.full((3,), 9), 9))
        x = x.double()
        z = (x - x.mean(dim=(0, 2, 3), keepdim=True)) / x.std(dim=(0, 2, 3), keepdim=True)
        torch.testing.assert_close(y.double(), torch.relu(z), atol=0.02, rtol=0)


class TestAttention:
    def test_weights_follow_equations_1_to_3(self):
        pooling = AttentionPooling(4, n_heads=2, attention_scale=0.3, n_hidden=3)
        a = batch(1, 6, 1, 4)[0, :, 0]
        weights = pooling.weights(a[None], torch.ones(1, 6, dtype=bool))[0]
        for head in range(2):
            rows = slice(3 * head, 3 * head + 3)
            W, b = pooling.projection.weight[rows], pooling.projection.bias[rows]
            e = torch.tanh(a @ W.T + b) @ pooling.context[head]
            expected = torch.exp(0.3 * e) / torch.exp(0.3 * e).sum()
            torch.testing.assert_close(weights[:, head], expected)

    def test_heads_sum_to_one_and_padding_gets_no_weight(self):
        pooling = AttentionPooling(4, n_heads=3)
        a, mask = batch(2, 6, 1, 4)[:, :, 0], time_mask(torch.tensor([6, 2]), 6)
        weights = pooling.weights(a, mask)
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 3))
        assert (weights[1, 2:] == 0).all()
        a[1, 2:] = 1e6
        torch.testing.assert_close(pooling.weights(a, mask), weights)

    def test_attention_scale_zero_is_mean_pooling(self):
        pooling = AttentionPooling(4, attention_scale=0.0)
        a, mask = batch(2, 6, 1, 4)[:, :, 0], time_mask(torch.tensor([6, 2]), 6)
        expected = torch.stack([a[0].mean(dim=0), a[1, :2].mean(dim=0)])
        torch.testing.assert_close(pooling(a, mask), expected)


class TestAttentionFCN:
    ZHANG = {
        "filters": (96, 256, 384, 384, 256),
        "kernel_sizes": [(11, 11), (5, 5), (3, 3), (3, 3), (3, 3)],
        "strides": [(4, 4), (1, 1), (1, 1), (1, 1), (1, 1)],
        "pool_sizes": [(3, 3), (3, 3), (1, 1), (1, 1), (3, 3)],
        "pool_strides": [(2, 2), (2, 2), (1, 1), (1, 1), (2, 2)],
        "normalizations": ["local_response", "local_response", "none", "none", "none"],
    }
    SMALL = {
        "filters": (4, 6),
        "kernel_sizes": [(3, 3), (5, 3)],
        "strides": [(2, 2), (1, 1)],
        "pool_sizes": [(1, 1), (2, 2)],
        "pool_strides": [(1, 1), (2, 2)],
        "normalizations": ["batch", "batch"],
    }

    @pytest.mark.parametrize("layers", [SMALL, ZHANG], ids=["small", "zhang"])
    @pytest.mark.parametrize("training", [True, False])
    def test_padding_does_not_change_outputs(self, layers, training):
        torch.manual_seed(0)
        module = AttentionFCN(2, 3, n_heads=2, attention_scale=0.3, dropout=0.0, **layers)
        torch.nn.init.normal_(module.output.weight)
        module.train(training)
        x = batch(2, 2, 60, 40)
        lengths = torch.tensor([60, 60])
        expected = module(x, lengths)
        for n_padding in range(1, 9):
            padded = torch.cat([x, torch.zeros(2, 2, n_padding, 40)], dim=2)
            torch.testing.assert_close(module(padded, lengths), expected, atol=1e-5, rtol=1e-5)

    @pytest.mark.parametrize("layers", [SMALL, ZHANG], ids=["small", "zhang"])
    def test_one_frame_is_enough(self, layers):
        module = AttentionFCN(1, 3, n_heads=1, attention_scale=1.0, dropout=0.0, **layers).eval()
        assert torch.isfinite(module(batch(1, 1, 1, 40), torch.tensor([1]))).all()

    def test_zhangs_encoder_ends_in_256_channels_at_a_32nd_of_the_grid(self):
        module = AttentionFCN(1, 4, n_heads=1, attention_scale=0.3, dropout=0.0, **self.ZHANG)
        weights, lengths = module.attention(batch(1, 1, 320, 200), torch.tensor([320]))
        assert weights.shape == (1, 1, 10, 7)
        assert lengths.tolist() == [10]
        assert module.output.in_features == 256


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 11])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_output_length_equals_that_of_torchs_convolution(kernel, stride):
    for length in range(1, 40):
        x = torch.zeros(1, 1, length)
        convolved = torch.nn.functional.conv1d(
            x, torch.zeros(1, 1, kernel), stride=stride, padding=kernel // 2
        )
        assert output_length(length, kernel, stride) == convolved.shape[2] >= 1


def test_batches_cover_every_utterance_once_and_pad_little():
    from skser.neural_network._batching import bucketed_indices

    lengths = np.random.RandomState(0).randint(50, 500, 203)
    for random_state in (None, np.random.RandomState(1)):
        batches = bucketed_indices(lengths, 16, random_state)
        assert sorted(np.concatenate(batches)) == list(range(203))
        assert len(batches) == 13
        assert max(map(len, batches)) <= 16
        padded = sum(len(b) * lengths[b].max() for b in batches)
        assert padded < 1.25 * lengths.sum()


def test_augmentation_differs_by_utterance_and_follows_its_generator():
    x, lengths = batch(6, 3, 100, 16), torch.tensor([100, 90, 80, 70, 60, 50])
    x *= time_mask(lengths, 100)[:, None, :, None]
    first, first_lengths = SpecAugment(gain_db=1.0)(x, lengths, torch.Generator().manual_seed(0))
    again, _ = SpecAugment(gain_db=1.0)(x, lengths, torch.Generator().manual_seed(0))
    other, _ = SpecAugment(gain_db=1.0)(x, lengths, torch.Generator().manual_seed(1))
    torch.testing.assert_close(first, again)
    assert first.shape != other.shape or not torch.allclose(first, other)
    speed = lengths / first_lengths
    assert 0.84 < speed.min() < speed.max() < 1.16
    assert len(speed.unique()) == 6
    assert (
        first[~time_mask(first_lengths, first.shape[2])[:, None, :, None].expand_as(first)] == 0
    ).all()


def test_augmentation_with_all_parts_off_changes_nothing():
    x, lengths = batch(3, 2, 20, 8), torch.tensor([20, 20, 20])
    still = SpecAugment(time_stretch=0.0, frequency_warp=0.0, n_time_masks=0, n_frequency_masks=0)
    y, same = still(x, lengths, torch.Generator())
    torch.testing.assert_close(y, x, atol=1e-5, rtol=1e-5)
    assert same.tolist() == [20, 20, 20]


def test_masks_hide_the_documented_share():
    only_masks = SpecAugment(
        time_stretch=0.0, frequency_warp=0.0, n_frequency_masks=0, n_time_masks=1, time_mask=0.2
    )
    x, lengths = torch.ones(500, 1, 100, 4), torch.full((500,), 100)
    y, _ = only_masks(x, lengths, torch.Generator().manual_seed(0))
    hidden = (y == 0).float().mean(dim=(1, 2, 3))
    assert hidden.max() <= 0.21
    assert hidden.mean() == pytest.approx(0.1, abs=0.01)
