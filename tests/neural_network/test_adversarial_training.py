"""Phases and priors of the adversarial autoencoder, and its supervised twin."""

import copy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skser._device import torch_threads
from skser.neural_network import AdversarialAEClassifier
from skser.neural_network import _adversarial_training as training
from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.neural_network.modules.priors import CategoricalPrior, GaussianPrior, MixturePrior
from skser.sequences import Sequences, as_sequences
from tests.support.made_up import EXACT, TWIN, emotion_and_style

# Most fits here run one or two epochs, after which some parts count as failed.
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


class TestPhases:
    @pytest.fixture
    def spied(self, monkeypatch):
        """Record the phase and the parameters that changed, for each step."""
        steps = []
        step = training.AdversarialNet._step

        def spy(net, phase, optimizer, loss, retain_graph=False):
            before = {n: p.detach().clone() for n, p in net.module_.named_parameters()}
            step(net, phase, optimizer, loss, retain_graph)
            changed = {
                n for n, p in net.module_.named_parameters() if not torch.equal(p, before[n])
            }
            steps.append((phase, {name.split(".")[0] for name in changed}))

        monkeypatch.setattr(training.AdversarialNet, "_step", spy)
        return steps

    @pytest.mark.parametrize("prior", ["categorical", "gaussian", "mixture"])
    def test_phases_run_in_order_and_update_their_own_parts(self, spied, prior):
        X, y, _ = emotion_and_style(n=64)
        AdversarialAEClassifier(
            prior=prior, max_epochs=1, objectives={"n_discriminator_updates": 2}, **EXACT
        ).fit(X, y)
        order = ["reconstruction", "discrimination", "discrimination", "generator", "supervision"]
        assert [phase for phase, _ in spied] == [*order, "supervision"]  # two batches
        allowed = {
            "reconstruction": {"encoder", "emotion", "style", "decoder"},
            "discrimination": {"discriminators"},
            "generator": {"encoder", "emotion", "style"},
            "supervision": {"encoder", "emotion"}
            | (set() if prior == "categorical" else {"output"}),
        }
        for phase, changed in spied:
            assert changed == allowed[phase], phase

    def test_a_phase_of_weight_zero_is_skipped(self, spied):
        X, y, _ = emotion_and_style(n=64)
        AdversarialAEClassifier(max_epochs=1, reconstruction_weight=0.0, **EXACT).fit(X, y)
        assert {phase for phase, _ in spied} == {"discrimination", "generator", "supervision"}
        spied.clear()
        AdversarialAEClassifier(max_epochs=1, adversarial_weight=0.0, **EXACT).fit(X, y)
        assert {phase for phase, _ in spied} == {"reconstruction", "supervision"}
        spied.clear()
        AdversarialAEClassifier(max_epochs=1, supervised_weight=0.0, **EXACT).fit(X, y)
        assert "supervision" not in {phase for phase, _ in spied}

    def test_each_phase_has_its_own_optimizer(self):
        X, y, _ = emotion_and_style(n=64)
        net = AdversarialAEClassifier(max_epochs=1, **EXACT).fit(X, y).net_
        assert len({id(optimizer) for optimizer in net.optimizers()}) == 4

    def test_weights_scale_the_learning_rates(self):
        X, y, _ = emotion_and_style(n=64)
        model = AdversarialAEClassifier(
            max_epochs=1, learning_rate=0.002, reconstruction_weight=0.5, adversarial_weight=0.25,
            supervised_weight=2.0, **EXACT,
        )  # fmt: skip
        rates = [o.param_groups[0]["lr"] for o in model.fit(X, y).net_.optimizers()]
        np.testing.assert_allclose(rates, [0.001, 0.002, 0.0005, 0.004])

    def test_the_one_cycle_schedule_keeps_the_factors(self):
        class Rates(Callback):
            def on_batch_end(self, net, **kwargs):
                seen.append([o.param_groups[0]["lr"] for o in net.optimizers()])

        seen = []
        X, y, _ = emotion_and_style(n=256)
        weights = {"reconstruction_weight": 0.5, "adversarial_weight": 0.25}
        AdversarialAEClassifier(max_epochs=4, callbacks=[Rates()], **weights, **EXACT).fit(X, y)
        rates = np.array(seen)
        assert rates[:, 3].max() > 0.0025 > 10 * rates[-1, 3]
        np.testing.assert_allclose(rates, rates[:, [3]] * [0.5, 1.0, 0.25, 1.0])

    def test_the_generator_learns_from_the_codes_before_the_reconstruction_step(self, monkeypatch):
        before, gradients = {}, []
        encode = training.AdversarialNet._encode

        def spy(net, module, x, lengths):
            if not before:
                generator = torch.Generator()
                generator.set_state(net._generators["reconstruction"].get_state())
                before.update(module=copy.deepcopy(module), inputs=(x, lengths, generator))
            return encode(net, module, x, lengths)

        class Gradients(Callback):
            def on_grad_computed(self, net, named_parameters, **kwargs):
                gradients.append({name: p.grad.clone() for name, p in named_parameters})
                if len(gradients) == 3:
                    before["discriminators"] = copy.deepcopy(net.module_.discriminators)

        monkeypatch.setattr(training.AdversarialNet, "_encode", spy)
        X, y, _ = emotion_and_style(n=64)
        AdversarialAEClassifier(
            hidden_units=(12, 12), prior="gaussian", learning_rate=0.1, max_epochs=1,
            learning_rate_schedule="constant", callbacks=[Gradients()], **EXACT,
        ).fit(X, y)  # fmt: skip
        module = before["module"]
        codes = zip(("emotion", "style"), module.encode(*before["inputs"]), strict=True)
        loss = sum(
            torch.nn.functional.softplus(-before["discriminators"][name](code)).mean()
            for name, code in codes
        )
        loss.backward()
        for name, gradient in gradients[2].items():
            torch.testing.assert_close(gradient, module.get_parameter(name).grad)

    def test_unlabeled_utterances_skip_the_supervision_phase(self, monkeypatch):
        X, y, _ = emotion_and_style(n=64)
        y[10:] = -1
        seen = {"_reconstruct": [], "_regularize": [], "_supervise": []}
        for name, classes in seen.items():
            original = getattr(training.AdversarialNet, name)

            def spy(net, module, *args, _original=original, _classes=classes, **kwargs):
                _classes.append(kwargs["classes"] if "classes" in kwargs else args[1])
                return _original(net, module, *args, **kwargs)

            monkeypatch.setattr(training.AdversarialNet, name, spy)
        AdversarialAEClassifier(max_epochs=1, unlabeled=-1, **EXACT).fit(X, y)
        assert (torch.cat(seen["_reconstruct"]) < 0).sum() == 54
        assert (torch.cat(seen["_regularize"]) < 0).sum() == 54
        assert (torch.cat(seen["_supervise"]) >= 0).all()


def plain_network(module, X, y, *, epochs, batch_size, learning_rate, seeds, phase_seed):
    """Train encoder and head alone with a plain training loop."""
    module.to(memory_format=torch.channels_last)
    parts = [module.encoder, module.emotion, module.output]
    parameters = [p for part in parts for p in part.parameters()]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=0.01, fused=True)
    batches = BatchIterator(SequenceDataset(X, y), batch_size, seeds[0])
    generator = torch.Generator().manual_seed(phase_seed + 3)
    for _ in range(epochs):
        for inputs, targets in batches:
            x, lengths = inputs["x"], inputs["lengths"]
            noise = 0.5 * torch.randn(x.shape, generator=generator)
            times = torch.arange(x.shape[2])
            x = x + noise * (times < lengths[:, None])[:, None, :, None]
            outputs = module.output(module.emotion(module.encoder(x, lengths, generator)))
            loss = torch.nn.functional.cross_entropy(
                outputs, targets, label_smoothing=0.1, reduction="none"
            ).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return module


class TestTwin:
    @pytest.mark.parametrize("form", ["vectors", "frames"])
    def test_it_equals_a_plain_network_bit_for_bit(self, form, monkeypatch):
        X, y, _ = emotion_and_style(n=100)
        if form == "frames":
            X = Sequences.from_list([X[i].repeat(4 + i % 9).reshape(30, -1).T for i in range(100)])
        start = {}
        make = AdversarialAEClassifier._make_module
        batches = AdversarialAEClassifier._training_batches

        def spy_module(model, layout, n_outputs):
            start["module"] = make(model, layout, n_outputs)
            return copy.deepcopy(start["module"])

        def spy_batches(model, augment):
            made = batches(model, augment)
            start["seeds"], start["phase_seed"] = made.keywords["seeds"], model.net_.seed
            return made

        monkeypatch.setattr(AdversarialAEClassifier, "_make_module", spy_module)
        monkeypatch.setattr(AdversarialAEClassifier, "_training_batches", spy_batches)
        model = AdversarialAEClassifier(
            **TWIN, max_epochs=3, batch_size=16, learning_rate=0.003,
            learning_rate_schedule="constant", **EXACT,
        ).fit(X, y)  # fmt: skip
        sequences = as_sequences(X[:, None] if form == "vectors" else X)
        with torch_threads(1):
            plain = plain_network(
                start["module"].train(), sequences, y, epochs=3, batch_size=16,
                learning_rate=0.003, seeds=start["seeds"], phase_seed=start["phase_seed"],
            )  # fmt: skip
        for name, weights in model.net_.module_.named_parameters():
            assert torch.equal(weights, plain.get_parameter(name)), name

    @pytest.mark.parametrize(
        "change", [{"n_style": 5}, {"decoder_units": (7, 9)}, {"discriminator_units": 3}]
    )
    def test_sizes_of_unused_parts_do_not_matter(self, change):
        X, y, _ = emotion_and_style(n=100)
        twin = AdversarialAEClassifier(**TWIN, max_epochs=2, **EXACT)
        expected = twin.fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(
            twin.set_params(**change).fit(X, y).predict_proba(X), expected
        )

    def test_unlabeled_utterances_change_only_the_number_of_updates(self):
        X, y, _ = emotion_and_style(n=96)
        hidden = np.concatenate([y, np.full(96, -1)])
        both = np.concatenate([X, X + 1])
        settings = {**TWIN, **EXACT, "learning_rate_schedule": "constant"}
        plain = AdversarialAEClassifier(max_epochs=4, **settings).fit(X, y)
        model = AdversarialAEClassifier(max_epochs=2, unlabeled=-1, **settings).fit(both, hidden)
        np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))

    def test_supervised_noise_equals_that_of_the_full_model(self, monkeypatch):
        X, y, _ = emotion_and_style(n=64)
        drawn = []
        supervise = training.AdversarialNet._supervise

        def spy(net, module, inputs, targets):
            drawn.append((net._generators["supervision"].get_state(), targets.clone()))
            return supervise(net, module, inputs, targets)

        monkeypatch.setattr(training.AdversarialNet, "_supervise", spy)
        AdversarialAEClassifier(max_epochs=2, **EXACT).fit(X, y)
        AdversarialAEClassifier(max_epochs=2, **TWIN, **EXACT).fit(X, y)
        half = len(drawn) // 2
        for (state, targets), (other_state, other_targets) in zip(
            drawn[:half], drawn[half:], strict=True
        ):
            assert torch.equal(state, other_state)
            assert torch.equal(targets, other_targets)


class TestPriors:
    def test_samples_belong_to_the_requested_classes(self):
        generator = torch.Generator().manual_seed(0)
        shares = torch.tensor([0.5, 0.3, 0.2])
        wanted = torch.tensor([0, 1, 2]).repeat(400)
        corners = CategoricalPrior(shares).sample(wanted, generator)
        assert torch.equal(corners.argmax(dim=1), wanted)
        for n_emotion in (1, 2, 5):
            mixture = MixturePrior(shares, n_emotion)
            draws = mixture.sample(wanted, generator)
            assert draws.shape == (1200, n_emotion)
            for c in range(3):
                mean = draws[wanted == c].mean(dim=0)
                torch.testing.assert_close(mean, mixture.centers[c], atol=0.2, rtol=0)
                torch.testing.assert_close(
                    draws[wanted == c].std(dim=0), torch.ones(n_emotion), atol=0.15, rtol=0
                )
            gaps = torch.cdist(mixture.centers, mixture.centers) + 9 * torch.eye(3)
            assert gaps.min() > 2.9

    def test_unknown_classes_are_drawn_with_the_given_shares(self):
        generator = torch.Generator().manual_seed(0)
        any_class = torch.full((20_000,), -1)
        draws = CategoricalPrior(torch.tensor([0.5, 0.3, 0.2])).sample(any_class, generator)
        torch.testing.assert_close(
            draws.mean(dim=0), torch.tensor([0.5, 0.3, 0.2]), atol=0.02, rtol=0
        )

    def test_a_mixture_gives_the_discriminator_the_class(self):
        prior = MixturePrior(torch.ones(3) / 3, 2)
        prior_codes = prior.conditions(torch.tensor([2, -1, 0]))
        assert prior_codes.argmax(dim=1).tolist() == [2, 3, 0]
        assert GaussianPrior(2).conditions(torch.tensor([2, -1])).shape == (2, 0)
