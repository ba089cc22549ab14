"""Training of the adversarial autoencoder: four phases per batch, each with its own optimizer."""

import contextlib

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from torch.nn import functional

from skser._device import autocast
from skser.neural_network._adversarial_objectives import (
    agreement_loss,
    gradient_penalty,
    kept_weights,
    tilt,
    untracked,
)
from skser.neural_network._adversarial_parameters import OBJECTIVES, has_teacher
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
    objectives : dict or None, default=None
        Further objectives, as `check_objectives` returns them. None means `OBJECTIVES`.
    n_warm_up : float, default=0
        Number of batches over which the generator's learning rate and the weight of the
        consistency rise from 0.
    seed : int
        Seed of the noise. Each phase derives its own seed from it.
    """

    def __init__(
        self,
        *args,
        reconstruction_weight=1.0,
        adversarial_weight=1.0,
        supervised_weight=1.0,
        objectives=None,
        n_warm_up=0,
        seed=0,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.reconstruction_weight = reconstruction_weight
        self.adversarial_weight = adversarial_weight
        self.supervised_weight = supervised_weight
        self.objectives = objectives or OBJECTIVES
        self.n_warm_up = n_warm_up
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
        self._signs = torch.tensor([[-1.0], [1.0]], device=self.device)
        self._generators = {}
        for i, phase in enumerate(PHASES):
            self._generators[phase] = torch.Generator(self.device).manual_seed(self.seed + i)
        # Of its own, so that the noise of the phases is that of a training without objectives.
        views = torch.Generator(self.device).manual_seed(self.seed + len(PHASES))
        self._generators["views"] = views

    def on_train_end(self, net, **kwargs):
        super().on_train_end(net, **kwargs)
        del self._generators, self._parameters, self._signs  # not part of a fitted model

    def train_step(self, batch, **fit_params):
        inputs, targets = batch
        inputs = dict(inputs)
        everything = inputs.pop("everything", None)
        rows, speakers = inputs.pop("rows"), inputs.pop("speakers")
        module = self.module_
        if not module.training:
            self._set_training(True)
        self._n_batches += 1
        if everything is not None:
            all_rows = everything.pop("rows")
            if self.reconstruction_weight or self.adversarial_weight:
                codes = self._encode(module, everything["x"], everything["lengths"])
            if self.reconstruction_weight:
                self._reconstruct(module, **everything, codes=codes)
            if self.adversarial_weight:
                self._regularize(module, **everything, codes=codes)
            if has_teacher(self.objectives):
                # Half of these utterances for this supervision, half for the next.
                parts = (everything["x"], everything["lengths"], all_rows)
                self._waiting = list(zip(*(part.tensor_split(2) for part in parts), strict=True))
        if self._waiting:
            inputs["views"] = (speakers, *self._waiting.pop(0))
        x, lengths = inputs["x"], inputs["lengths"]
        if self.objectives["speaker_swap"]:
            x = self._swapped(speakers, x, lengths, rows)
        if share := self.objectives["centered_share"]:
            x = speakers.centered(x, lengths, rows, share, self._generators["views"])
        inputs["x"] = x
        return self._supervise(module, inputs, targets)

    def _warmth(self):
        """Return the share of its final value that a weight with a warm-up has now."""
        return min(1.0, self._n_batches / self.n_warm_up) if self.n_warm_up else 1.0

    def _swapped(self, speakers, x, lengths, rows):
        share = self.objectives["speaker_swap"]
        return speakers.swapped(x, lengths, rows, share, self._generators["views"])

    def _encode(self, module, x, lengths):
        """Compute both latents once, for reconstruction and regularization.

        The generator phase therefore sees the codes from before the reconstruction step. A second
        pass through the encoder would cost a tenth of the training.
        """
        generator = self._generators["reconstruction"]
        shared = self.reconstruction_weight and self.adversarial_weight
        weights = self._parameters["generator"].values()
        keep = kept_weights(weights) if shared else contextlib.nullcontext()
        with keep, autocast(self.device, self.precision):
            return module.encode(x, lengths, generator)

    def _reconstruct(self, module, x, lengths, classes, codes):
        with autocast(self.device, self.precision):
            loss = functional.mse_loss(*module.scaled_pair(*codes, x, lengths))
        retain = bool(self.adversarial_weight)  # the generator phase goes through the same graph
        self._step("reconstruction", self.reconstruction_optimizer_, loss, retain)
        self._note("reconstruction_loss", loss)

    def _regularize(self, module, x, lengths, classes, codes):
        generator = self._generators["generator"]
        emotion, style = (code.float() for code in codes)
        prior_codes = module.prior.conditions(classes)
        codes = {"emotion": torch.cat([emotion, prior_codes], dim=1), "style": style}
        for _ in range(self.objectives["n_discriminator_updates"]):
            self._discriminate(module, codes, prior_codes, classes)
        logits = [module.discriminators[name](code, generator) for name, code in codes.items()]
        losses = functional.softplus(-torch.stack(logits)).mean(dim=1)
        self._step("generator", self.generator_optimizer_, losses.sum())
        with torch.no_grad():
            self._note_each("generator_loss", codes, losses)
            self._note("style_deviation", style.var(dim=0, correction=0).mean().sqrt())

    def _discriminate(self, module, codes, prior_codes, classes):
        generator = self._generators["discrimination"]
        draws = {
            "emotion": torch.cat([module.prior.sample(classes, generator), prior_codes], dim=1),
            "style": normal_like(codes["style"], generator),
        }
        both = {name: torch.cat([draws[name], code.detach()]) for name, code in codes.items()}
        logits = [module.discriminators[name](x, generator) for name, x in both.items()]
        # A tensor (latent, prior or codes, batch), positive where the discriminator is wrong.
        wrong = torch.stack(logits).unflatten(1, (2, -1)) * self._signs
        losses = functional.softplus(wrong).mean(dim=2).sum(dim=1)
        if penalty := self.objectives["gradient_penalty"]:
            gradients = [
                gradient_penalty(module.discriminators[name], x, generator)
                for name, x in both.items()
            ]
            losses = losses + penalty * torch.stack(gradients)
        self._step("discrimination", self.discrimination_optimizer_, losses.sum())
        self._note_each("discriminator_loss", codes, losses)
        self._note_each("discriminator_accuracy", codes, (wrong <= 0).float().mean(dim=(1, 2)))

    def _supervise(self, module, inputs, targets):
        generator = self._generators["supervision"]
        views = inputs.pop("views", None)
        # With weight 0 the loss is still computed, for the history.
        with torch.set_grad_enabled(self.supervised_weight > 0):
            with autocast(self.device, self.precision):
                outputs = module(**inputs, generator=generator).float()
            loss = self.get_loss(outputs, targets, X=inputs, training=True)
            total = loss
            if views is not None:
                agreement = self._disagreement(module, *views)
                self._note("agreement_loss", agreement)
                total = loss + self._warmth() * agreement
        if self.supervised_weight:
            self._step("supervision", self.optimizer_, total)
        return {"loss": loss, "y_pred": outputs}

    def _disagreement(self, module, speakers, x, lengths, rows):
        """Compute the loss between two views of utterances, labeled or not.

        The outputs for the clean view, with the mean of the speaker removed if so chosen, are the
        targets of the outputs for the view with noise, dropout and swapped speakers.
        """
        generator = self._generators["views"]
        wanted = self._taught(module, speakers, x, lengths, rows)
        if self.objectives["speaker_swap"]:
            x = self._swapped(speakers, x, lengths, rows)
        with autocast(self.device, self.precision):
            outputs = module(x, lengths, generator=generator).float()
        is_regressor = self.n_classes is None
        return agreement_loss(outputs, wanted, self._tilt, self.objectives, is_regressor)

    def _taught(self, module, speakers, x, lengths, rows):
        """Compute outputs for the clean view, without a trace in running statistics."""
        if self.objectives["view"] == "centered":
            x = speakers.centered(x, lengths, rows)
        with torch.no_grad(), untracked(module), autocast(self.device, self.precision):
            return module(x, lengths).float()

    def _find_tilt(self, batches):
        """Find the factors that give the pseudo-labels of an epoch the class shares of the labels.

        They are computed anew in each epoch, so that a checkpoint need not hold them.
        """
        module = self.module_
        self._set_training(True)
        outputs = torch.cat(
            [
                self._taught(module, batches.speakers, inputs["x"], inputs["lengths"], rows)
                for inputs, rows in batches.in_order()
            ]
        )
        return tilt(torch.softmax(outputs, dim=1), batches.class_shares(outputs.shape[1]))

    def _step(self, phase, optimizer, loss, retain_graph=False):
        """Update the parameters of a phase without leaving gradients on any others."""
        named = {n: p for n, p in self._parameters[phase].items() if p.requires_grad}
        if not named:  # a callback has frozen them all
            return
        # loss.backward() would also accumulate gradients on the parameters of other phases.
        gradients = torch.autograd.grad(loss, list(named.values()), retain_graph=retain_graph)
        for parameter, gradient in zip(named.values(), gradients, strict=True):
            parameter.grad = gradient
        self.notify("on_grad_computed", named_parameters=named.items(), training=True)
        if phase == "generator" and self.n_warm_up:
            # For this step only, as a schedule may set the rate once per epoch.
            rates = [group["lr"] for group in optimizer.param_groups]
            for group in optimizer.param_groups:
                group["lr"] *= self._warmth()
            optimizer.step()
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
        else:
            optimizer.step()
        for parameter in named.values():
            parameter.grad = None

    def _note(self, name, value):
        self._terms.setdefault(name, []).append(value.detach())

    def _note_each(self, name, latents, values):
        for latent, value in zip(latents, values.detach(), strict=True):
            self._note(f"{latent}_{name}", value)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run an epoch as the base class does, and record the mean of each phase's terms."""
        self._terms = {}
        if training:  # from the history, as a checkpoint may have completed epochs
            self._n_batches = (len(self.history) - 1) * len(iterator)
            self._waiting, self._tilt = [], None
            matches = self.n_classes is not None and self.objectives["match_shares"]
            if matches and has_teacher(self.objectives):
                self._tilt = self._find_tilt(iterator)
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        if training and self._terms:
            # Read all terms in one transfer: each .item() would wait for the device.
            means = torch.stack([torch.stack(values).mean() for values in self._terms.values()])
            for name, mean in zip(self._terms, means.tolist(), strict=True):
                self.history.record(name, mean)
        del self._terms
        if training:
            del self._n_batches, self._waiting, self._tilt


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
