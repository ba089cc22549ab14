import numpy as np
import pytest
import torch

from tests.support.optional import installed

installed("captum")


@pytest.mark.filterwarnings("ignore::UserWarning:captum")
def test_attributions_of_frames_and_bands_sum_to_the_output(spoken, network):
    from captum.attr import IntegratedGradients

    network.fit(spoken.files, spoken.y)
    frames = network[:-1].transform(spoken.files[:1])[0]
    module = network[-1].net_.module_.eval()
    lengths = torch.tensor([len(frames)])

    def output(x):
        return module(x, lengths.expand(len(x)))

    x = torch.from_numpy(np.ascontiguousarray(frames))[None, None]
    shares = IntegratedGradients(output).attribute(x, target=0, n_steps=64)
    assert shares.shape == x.shape
    with torch.inference_mode():
        difference = output(x)[0, 0] - output(torch.zeros_like(x))[0, 0]
    assert shares.sum().item() == pytest.approx(difference.item(), abs=0.05)
