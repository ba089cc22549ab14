"""Training of the adversarial autoencoder: four phases per batch, each with its own optimizer."""

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from torch.nn import functional

from skser._device import autocast
from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.neural_network._callbacks import warn_caller
from skser.neural_network._net import SequenceNet
from skser.neural_network.modules.priors import normal_like

# Attributes of the module that each phase updates. Phases run in this order.
PHASES = {
    "reconstruction": ("encoder", "emotion", "style", "decoder"),
    "discrimination": ("discriminators",),
    "generator": ("encoder", "emotion", "style"),
    "supervision": ("encoder", "emotion", "output"),
}
# Adam's default momentum averages over too many past gradients while the opponent changes
# (Radford et al. 2016, section 4).
_MOVING_TARGET = {"betas": (0.5, 0.9)}
# Accuracy from which a discriminator counts as never fooled.
_WON = 0.99
# Standard deviation below which a latent counts as collapsed.
_POINT = 0.05


class AdversarialNet(SequenceNet):
    """skorch's training loop with the phases of an adversarial autoencoder.

    Parameters
    ----------
    reconstruction_weight, adversarial_weight, supervised_weight : float
        Factors of the learning rates of the phases. (Weighting the losses instead would have no
        effect, as Adam's steps do not depend on the scale of a loss.) A phase of weight 0 is
        skipped.
    n_discriminator_updates : int
        Number of discriminator updates per batch.
    seed : int
        Seed of the noise. Each phase derives its own seed from it.
    """

    def __init__(
        self,
        *args,
        reconstruction_weight=1.0,
        adversarial_weight=1.0,
        supervised_weight=1.0,
        n_discriminator_updates=1,
        seed=0,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.reconstruction_weight = reconstruction_weight
        self.adversarial_weight = adversarial_weight
        self.supervised_weight = supervised_weight
        self.n_discriminator_updates = n_discriminator_updates
        self.seed = seed

    def initialize_optimizer(self, *args, **kwargs):
        """Create an optimizer for each phase, over the parameters that the phase updates."""
        scale = {
            "reconstruction": self.reconstruction_weight,
            "discrimination": 1.0,
            "generator": self.adversarial_weight,
            "supervision": self.supervised_weight,
        }
        _, settings = self.get_params_for_optimizer("optimizer", [])
        optimizers = {}
        for phase in PHASES:
            groups = self.weight_groups(self.phase_parameters(phase), settings["lr"], scale[phase])
            moving = _MOVING_TARGET if phase in ("discrimination", "generator") else {}
            optimizers[phase] = self.optimizer(groups, **{**settings, **moving})
        # Attributes, not a dict: skorch moves optimizers to another device by attribute name.
        self.optimizer_ = optimizers["supervision"]
        self.reconstruction_optimizer_ = optimizers["reconstruction"]
        self.discrimination_optimizer_ = optimizers["discrimination"]
        self.generator_optimizer_ = optimizers["generator"]
        return self

    def optimizers(self):
        """Return the optimizers of all phases, in the order of `PHASES`."""
        return [
            self.reconstruction_optimizer_,
            self.discrimination_optimizer_,
            self.generator_optimizer_,
            self.optimizer_,
        ]

    def phase_parameters(self, phase):
        """Return the parameters that a phase updates, by name."""
        return {
            f"{part}.{name}": parameter
            for part in PHASES[phase]
            for name, parameter in getattr(self.module_, part).named_parameters()
        }

    def generators(self):
        """Return the random generators of the base class and of each phase's noise."""
        return [*super().generators(), *self._generators.values()]

    def on_train_begin(self, net, **kwargs):
        super().on_train_begin(net, **kwargs)
        self._parameters = {phase: self.phase_parameters(phase) for phase in PHASES}
        self._generators = {}
        for i, phase in enumerate(PHASES):
            self._generators[phase] = torch.Generator(self.device).manual_seed(self.seed + i)

    def on_train_end(self, net, **kwargs):
        super().on_train_end(net, **kwargs)
        del self._generators, self._parameters  # not part of a fitted model

    def train_step(self, batch, **fit_params):
        inputs, targets = batch
        inputs = dict(inputs)
        everything = inputs.pop("everything", None)
        module = self.module_
        if not module.training:
            self._set_training(True)
        if everything is not None:
            if self.reconstruction_weight:
                self._reconstruct(module, **everything)
            if self.adversarial_weight:
                self._regularize(module, **everything)
        return self._supervise(module, inputs, targets)

    def _reconstruct(self, module, x, lengths, classes):
        with autocast(self.device, self.precision):
            errors = module.reconstruction_errors(x, lengths, self._generators["reconstruction"])
        loss = errors.mean()
        self._step("reconstruction", self.reconstruction_optimizer_, loss)
        self._note("reconstruction_loss", loss)

    def _regularize(self, module, x, lengths, classes):
        generator = self._generators["generator"]
        with autocast(self.device, self.precision):
            emotion, style = module.encode(x, lengths, generator)
            prior_codes = module.prior.conditions(classes)
        emotion, style = emotion.float(), style.float()
        codes = {"emotion": torch.cat([emotion, prior_codes], dim=1), "style": style}
        for _ in range(self.n_discriminator_updates):
            self._discriminate(module, codes, prior_codes, classes)
        losses = [
            functional.softplus(-module.discriminators[name](code, generator)).mean()
            for name, code in codes.items()
        ]
        self._step("generator", self.generator_optimizer_, sum(losses))
        with torch.no_grad():
            for name, loss in zip(codes, losses, strict=True):
                self._note(f"{name}_generator_loss", loss)
            spread = style.var(dim=0, correction=0).mean().sqrt()
            self._note("style_deviation", spread)

    def _discriminate(self, module, codes, prior_codes, classes):
        generator = self._generators["discrimination"]
        draws = {
            "emotion": torch.cat([module.prior.sample(classes, generator), prior_codes], dim=1),
            "style": normal_like(codes["style"], generator),
        }
        losses = []
        for name, code in codes.items():
            both = torch.cat([draws[name], code.detach()])
            of_prior, of_codes = module.discriminators[name](both, generator).chunk(2)
            loss = functional.softplus(-of_prior).mean() + functional.softplus(of_codes).mean()
            right = torch.cat([of_prior > 0, of_codes <= 0]).float().mean()
            self._note(f"{name}_discriminator_loss", loss)
            self._note(f"{name}_discriminator_accuracy", right)
            losses.append(loss)
        self._step("discrimination", self.discrimination_optimizer_, sum(losses))

    def _supervise(self, module, inputs, targets):
        generator = self._generators["supervision"]
        # With weight 0 the loss is still computed, for the history.
        with torch.set_grad_enabled(self.supervised_weight > 0):
            with autocast(self.device, self.precision):
                outputs = module(**inputs, generator=generator).float()
            loss = self.get_loss(outputs, targets, X=inputs, training=True)
        if self.supervised_weight:
            self._step("supervision", self.optimizer_, loss)
        return {"loss": loss, "y_pred": outputs}

    def _step(self, phase, optimizer, loss):
        """Update the parameters of a phase without leaving gradients on any others."""
        named = {n: p for n, p in self._parameters[phase].items() if p.requires_grad}
        if not named:  # a callback has frozen them all
            return
        # loss.backward() would also accumulate gradients on the parameters of other phases.
        gradients = torch.autograd.grad(loss, list(named.values()))
        for parameter, gradient in zip(named.values(), gradients, strict=True):
            parameter.grad = gradient
        self.notify("on_grad_computed", named_parameters=named.items(), training=True)
        optimizer.step()
        optimizer.zero_grad()

    def _note(self, name, value):
        self._terms.setdefault(name, []).append(value.detach())

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run an epoch as the base class does, and record the mean of each phase's terms."""
        self._terms = {}
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        if training and self._terms:
            # Read all terms in one transfer: each .item() would wait for the device.
            means = torch.stack([torch.stack(values).mean() for values in self._terms.values()])
            for name, mean in zip(self._terms, means.tolist(), strict=True):
                self.history.record(name, mean)
        del self._terms


class PhaseBatches:
    """Batches of labeled utterances; every second one comes with a batch of all utterances.

    An epoch goes once over all utterances, labeled or not. It draws the same number of labeled
    utterances, repeating them if there are fewer. Batches of all utterances are twice as large,
    because discriminators compare distributions.

    Parameters
    ----------
    dataset : SequenceDataset
        Utterances and their targets. See `is_labeled`.
    batch_size : int
        Maximum number of labeled utterances per batch.
    seeds : (int, int)
        Seed of the labeled batches, and seed of the batches of all utterances.
    augment : callable or None
        Augmentation, as for `BatchIterator`.
    device : str or torch.device
        Device of the batches.
    supervised_only : bool
        If True, batches of all utterances are left out.
    """

    def __init__(self, dataset, batch_size, *, seeds, augment, device, supervised_only):
        self.n_batches = -(-len(dataset) // batch_size)
        rows = np.flatnonzero(is_labeled(dataset.targets))
        known = SequenceDataset(dataset.sequences[rows], dataset.targets[rows])
        self.labeled = BatchIterator(known, batch_size, seeds[0], augment, device=device)
        self.everything = None
        if not supervised_only:
            self.everything = BatchIterator(
                dataset, 2 * batch_size, seeds[1], augment, device=device, block=self.labeled.block
            )
        self._supply = self._labeled_batches()

    def __len__(self):
        return self.n_batches

    def _labeled_batches(self):
        """Iterate over the labeled utterances endlessly; an epoch may end within a pass."""
        while True:
            self._pass, self._n_taken = self.labeled.state(), 0
            for batch in self.labeled:
                self._n_taken += 1
                yield batch

    def state(self):
        """Return the state of shuffling and augmentation, between two epochs."""
        others = None if self.everything is None else self.everything.state()
        return {"pass": self._pass, "n_taken": self._n_taken, "everything": others}

    def set_state(self, state):
        """Continue from a `state`."""
        self.labeled.set_state(state["pass"])
        self._supply = self._labeled_batches()
        for _ in range(state["n_taken"]):
            next(self._supply)
        if self.everything is not None:
            self.everything.set_state(state["everything"])

    def __iter__(self):
        others = None if self.everything is None else iter(self.everything)
        for i in range(self.n_batches):
            inputs, targets = next(self._supply)
            if others is not None and i % 2 == 0:
                everything, any_targets = next(others)
                everything["classes"] = _classes(any_targets)
                inputs["everything"] = everything
            yield inputs, targets


def is_labeled(targets):
    """Return a mask of the rows with a target: a class other than -1, or a row not all NaN."""
    if targets.ndim == 1:
        return targets >= 0
    return ~np.isnan(targets).all(axis=1)


def _classes(targets):
    """Return the class of each utterance, the largest one for shares; -1 means unlabeled."""
    if targets.ndim == 1:
        return targets
    return torch.where(targets.isnan().any(dim=1), -1, targets.nan_to_num().argmax(dim=1))


class WarnOfFailedParts(Callback):
    """Callback that warns after a fit about each part that failed in the last epoch."""

    def on_train_end(self, net, **kwargs):
        if not net.fresh_statistics:
            return  # partial_fit trains one epoch, too few to judge
        record = net.history[-1]
        if not np.isfinite(record.get("train_loss", 0)):
            self.warn(
                "the supervised loss was not finite", "Scale the input or lower learning_rate."
            )
        if not record.get("reconstruction_loss", 0) < 1:  # also NaN
            self.warn(
                f"the decoder's squared error was {record['reconstruction_loss']:.3g} times that "
                "of predicting the mean of the training data",
                "Try more epochs or a larger reconstruction_weight.",
            )
        for name in ("emotion", "style"):
            if record.get(f"{name}_discriminator_accuracy", 0) >= _WON:
                self.warn(
                    f"the discriminator of the {name} latent distinguished codes from the prior in "
                    f"{100 * record[f'{name}_discriminator_accuracy']:.1f} % of cases, so the "
                    "encoder learned nothing from it",
                    "Try another adversarial_weight, more noise or a smaller latent.",
                )
        if record.get("style_deviation", 1) < _POINT:
            self.warn(
                "the style latent was the same for all utterances, with a standard deviation of "
                f"{record['style_deviation']:.3g}",
                "Try a smaller adversarial_weight or a larger reconstruction_weight.",
            )

    @staticmethod
    def warn(what, remedy):
        warn_caller(f"In its last epoch {what}. {remedy}", ConvergenceWarning)
