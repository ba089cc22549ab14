"""Base of the adversarial autoencoders: constructor, module, training phases and latents."""

from functools import partial
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted
from torch import nn

from skser._base import in_container
from skser._device import torch_threads
from skser._docstrings import insert_descriptions
from skser.neural_network._adversarial_batches import (
    PhaseBatches,
    groups_of,
    is_labeled,
    matching_statistics,
)
from skser.neural_network._adversarial_parameters import (
    ADVERSARIAL,
    check_objectives,
    has_teacher,
    needs_groups,
)
from skser.neural_network._adversarial_training import AdversarialNet, WarnOfFailedParts
from skser.neural_network._base import MAX_SEED, NeuralEstimator
from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.neural_network._parameters import extend_signature
from skser.neural_network.modules.adversarial_ae import (
    AdversarialAE,
    Discriminator,
    FrameEncoder,
    VectorEncoder,
)
from skser.neural_network.modules.layers import as_global
from skser.neural_network.modules.priors import CategoricalPrior

# Without noise, the discriminator would recognize the one-hot samples of a categorical prior by
# their exact zeros and ones.
_CORNER_NOISE = 0.2
_KERNEL_SIZE = 5  # frames

_WEIGHTS = ("reconstruction_weight", "adversarial_weight", "supervised_weight")


class AdversarialLatents(TransformerMixin, NeuralEstimator):
    """Constructor, architecture, training phases and latents of the classifier and regressor."""

    _takes_vectors = True
    _channels_matter = False

    _parameter_constraints = {
        "hidden_units": [tuple, list],
        "filters": [tuple, list],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "n_style": [Interval(Integral, 1, None, closed="left")],
        "decoder_units": [tuple, list],
        "discriminator_units": [Interval(Integral, 1, None, closed="left")],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "adversarial_weight": [Interval(Real, 0, None, closed="left")],
        "supervised_weight": [Interval(Real, 0, None, closed="left")],
        "objectives": [dict, None],
        "noise": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "latent": [StrOptions({"emotion", "style"})],
        "augment": [callable, None],
    }

    @extend_signature(NeuralEstimator.__init__)
    def __init__(
        self,
        hidden_units=(256,),
        filters=(64, 64, 64),
        n_heads=4,
        n_style=32,
        decoder_units=(64,),
        discriminator_units=64,
        *,
        reconstruction_weight=0.1,
        adversarial_weight=0.1,
        supervised_weight=1.0,
        objectives=None,
        noise=0.5,
        dropout=0.5,
        latent="emotion",
        max_epochs=40,
        batch_size=32,
        augment=None,
        **kwargs,
    ):
        super().__init__(max_epochs=max_epochs, batch_size=batch_size, augment=augment, **kwargs)
        self.hidden_units = hidden_units
        self.filters = filters
        self.n_heads = n_heads
        self.n_style = n_style
        self.decoder_units = decoder_units
        self.discriminator_units = discriminator_units
        self.reconstruction_weight = reconstruction_weight
        self.adversarial_weight = adversarial_weight
        self.supervised_weight = supervised_weight
        self.objectives = objectives
        self.noise = noise
        self.dropout = dropout
        self.latent = latent

    def _make_module(self, layout, n_outputs):
        for name in ("hidden_units", "filters", "decoder_units"):
            units = getattr(self, name)
            if not len(units) or not all(isinstance(n, Integral) and n > 0 for n in units):
                raise ValueError(
                    f"{name}={units!r} must hold at least 1 integer, and each must be at least 1."
                )
        # Separate seeds: the size of one part must not change the initial weights of another.
        seeds = torch.randint(MAX_SEED, (3,), device="cpu").tolist()
        with as_global(_seeded(seeds[0])):
            if self._fitted_on_flat:
                encoder = VectorEncoder(self._n_columns, self.hidden_units, self.dropout)
            else:
                encoder = FrameEncoder(
                    self._n_columns, self.filters, _KERNEL_SIZE, self.n_heads, self.dropout
                )
            prior = self._make_prior(n_outputs)
            emotion = nn.Linear(encoder.n_outputs, prior.n_emotion)
            direct = self._emotion_is_output
            head = nn.Identity() if direct else nn.Linear(prior.n_emotion, n_outputs)
            style = nn.Linear(encoder.n_outputs, self.n_style)
        categorical = isinstance(prior, CategoricalPrior)
        n_codes = prior.n_emotion + self.n_style
        with as_global(_seeded(seeds[1])):
            decoder = _layers([n_codes, *self.decoder_units, encoder.n_reconstructed])
        with as_global(_seeded(seeds[2])):
            discriminators = {
                "emotion": Discriminator(
                    prior.n_emotion + prior.n_conditions,
                    self.discriminator_units,
                    noise=_CORNER_NOISE if categorical else 0.0,
                ),
                "style": Discriminator(self.n_style, self.discriminator_units),
            }
        return AdversarialAE(
            encoder, emotion, head, style, decoder, discriminators, prior, self.noise
        )

    def _make_net(self, module, **settings):
        return AdversarialNet(module, **settings)

    def _training_batches(self, augment):
        seeds = self._random.randint(MAX_SEED, size=3).tolist()
        net = self.net_
        net.seed = seeds[2]
        return partial(
            PhaseBatches,
            seeds=seeds[:2],
            augment=augment,
            device=net.device,
            supervised_only=not self._uses_unlabeled,
            groups=self._training_groups,
            scaling=check_objectives(self.objectives)["speaker_scaling"],
        )

    def _own_callbacks(self):
        return [*super()._own_callbacks(), WarnOfFailedParts()]

    def _set_training(self):
        # Set here instead of in _make_net: a warm start may change the weights of a fitted net.
        for name in _WEIGHTS:
            setattr(self.net_, name, getattr(self, name))
        self.net_.objectives = check_objectives(self.objectives)
        super()._set_training()

    def _change_rates(self):
        before = [getattr(self.net_, name) for name in _WEIGHTS]
        if before == [getattr(self, name) for name in _WEIGHTS]:
            super()._change_rates()
        else:  # they scale the rates of the phases
            self._new_optimizer()

    def _initialize(self, sequences, targets):
        transferred = super()._initialize(sequences, targets)
        self._column_names = sequences.layout.feature_names
        module = self.net_.module_
        batches = BatchIterator(SequenceDataset(sequences, targets), 256, device=self.net_.device)
        with torch.inference_mode():
            module.set_scale(
                torch.cat([module.encoder.reconstructed(**inputs) for inputs, _ in batches])
            )
        return transferred

    _training_groups = None

    @property
    def _uses_unlabeled(self):
        return bool(
            self.reconstruction_weight
            or self.adversarial_weight
            or has_teacher(check_objectives(self.objectives))
        )

    def _split(self, dataset, strata, groups):
        objectives = check_objectives(self.objectives)
        needing = needs_groups(objectives)
        if needing is not None and groups is None:
            raise ValueError(
                f"objectives[{needing!r}]={objectives[needing]!r} needs the speakers; pass them to "
                "fit as groups."
            )
        train, valid = self._split_labeled(dataset, strata, groups)
        self._training_groups = None
        if needing is not None:
            self._training_groups = groups_of(train.sequences, dataset.sequences, groups)
        if not self._uses_unlabeled:
            return train, valid
        known, choice = is_labeled(train.targets), objectives["match_statistics"]
        matched = matching_statistics(train.sequences, known, choice)
        return SequenceDataset(matched, train.targets), valid

    def _fit(self, X, y, groups, soft_targets=None):
        try:
            return super()._fit(X, y, groups, soft_targets)
        finally:
            vars(self).pop("_training_groups", None)  # not part of a fitted model

    def _train(self, train, valid, epochs, checkpoint=None, in_part=False):
        net = self.net_
        needing = needs_groups(net.objectives)
        if in_part and needing is not None:
            raise ValueError(
                f"objectives[{needing!r}] needs the speakers, which partial_fit does not take. Use "
                "fit with groups."
            )
        n_batches = epochs * -(-len(train) // self.batch_size)
        net.n_warm_up = 0 if in_part else net.objectives["warm_up"] * n_batches
        super()._train(train, valid, epochs, checkpoint, in_part)

    def _split_labeled(self, dataset, strata, groups):
        """Hold out labeled utterances only, and keep each group on one side."""
        labeled = np.flatnonzero(is_labeled(strata))
        if not self.early_stopping or len(labeled) == len(strata):
            return super()._split(dataset, strata, groups)
        known = SequenceDataset(dataset.sequences[labeled], dataset.targets[labeled])
        _, valid = super()._split(
            known, strata[labeled], None if groups is None else groups[labeled]
        )
        # The start in the block identifies an utterance, whose index the split has changed.
        held_out = np.isin(dataset.sequences.starts, valid.sequences.starts)
        if groups is not None:
            held_out = np.isin(groups, groups[held_out])
        rows = np.flatnonzero(~held_out)
        return SequenceDataset(dataset.sequences[rows], dataset.targets[rows]), valid

    @insert_descriptions(ADVERSARIAL)
    def transform(self, X):
        """Compute the emotion or style latent, as chosen by the parameter `latent`.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_utterances, n_nodes), float64
            Latent of each utterance. `get_feature_names_out` returns the names of the columns. The
            emotion latent of a regressor is in the units of its targets.

        Raises
        ------
        ValueError
            If `latent` is "style", and `reconstruction_weight` and `adversarial_weight` were both
            0 in `fit`.
        """
        check_is_fitted(self)
        net = self.net_
        if self.latent == "style" and not (net.reconstruction_weight or net.adversarial_weight):
            raise ValueError(
                f"latent='style' needs a trained style latent, but this {type(self).__name__} was "
                "fitted with reconstruction_weight=0 and adversarial_weight=0. Fit it with one of "
                "them above 0."
            )
        which = ("emotion", "style").index(self.latent)
        codes = self._outputs(X, lambda x, lengths: self.net_.module_.encode(x, lengths)[which])
        codes = self._from_nodes(codes) if self.latent == "emotion" else codes
        return in_container(self, codes, X)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input columns. Only checked against those seen in `fit`.

        Returns
        -------
        ndarray of shape (n_nodes,), object
            Names of the nodes of the latent.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        style = [f"style{i}" for i in range(self.net_.module_.style.out_features)]
        names = self._emotion_names() if self.latent == "emotion" else style
        return np.asarray(names, dtype=object)

    @property
    def reconstructed_features_(self):
        """Names of the columns that `reconstruct` and `sample` return."""
        check_is_fitted(self)
        if self._fitted_on_flat:
            names = getattr(self, "feature_names_in_", None)
            names = [f"x{i}" for i in range(self.n_features_in_)] if names is None else names
        else:
            names = [f"{s} {c}" for s in ("mean", "sd") for c in self._column_names]
        return np.asarray(names, dtype=object)

    @insert_descriptions(ADVERSARIAL)
    def reconstruct(self, X):
        """Reconstruct the input from both latents.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_utterances, n_reconstructed), float64
            Reconstructed columns of a 2-D array, or for sequences the mean and the standard
            deviation of each column over time. `reconstructed_features_` holds their names.

        Raises
        ------
        ValueError
            If `reconstruction_weight` was 0 in `fit`.
        """
        self._check_decoder()
        module = self.net_.module_
        return self._outputs(X, lambda x, lengths: module.decode(*module.encode(x, lengths)))

    @insert_descriptions(ADVERSARIAL)
    def score_samples(self, X):
        """Score the similarity of each utterance to the training data.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_utterances,), float64
            Negative mean squared error of `reconstruct`, in units of the mean variance of the
            reconstructed columns over the data of the first fit. Higher means more similar.

        Raises
        ------
        ValueError
            If `reconstruction_weight` was 0 in `fit`.
        """
        self._check_decoder()
        module = self.net_.module_
        return -self._outputs(
            X, lambda x, lengths: module.reconstruction_errors(x, lengths)[:, None]
        )[:, 0]

    def _check_decoder(self):
        check_is_fitted(self)
        if not self.net_.reconstruction_weight:
            raise ValueError(
                f"This {type(self).__name__} was fitted with reconstruction_weight=0, which does "
                "not train the decoder. Fit it with reconstruction_weight above 0."
            )

    def _decode(self, emotion, random):
        """Decode emotion codes (n, n_emotion), each with its own random style."""
        module = self.net_.module_.eval()
        style = random.standard_normal((len(emotion), module.style.out_features))
        codes = [
            torch.as_tensor(c, dtype=torch.float32, device=self.net_.device)
            for c in (emotion, style)
        ]
        with torch_threads(self.n_threads), torch.inference_mode():
            return module.decode(*codes).cpu().numpy().astype(np.float64)


def _seeded(seed):
    return torch.Generator("cpu").manual_seed(seed)


def _layers(widths):
    """Build fully connected layers with a ReLU between them."""
    layers = [nn.Linear(*pair) for pair in pairwise(widths)]
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))[:-1]
