"""Base of the adversarial autoencoders: their module, their phases and their latents."""

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
from skser.neural_network._adversarial_training import (
    AdversarialNet,
    PhaseBatches,
    WarnOfFailedParts,
    is_labeled,
)
from skser.neural_network._base import MAX_SEED, NeuralEstimator
from skser.neural_network._batching import BatchIterator, SequenceDataset
from skser.neural_network._parameters import SHARED
from skser.neural_network.modules.adversarial_ae import (
    AdversarialAE,
    Discriminator,
    FrameEncoder,
    VectorEncoder,
)
from skser.neural_network.modules.layers import as_global
from skser.neural_network.modules.priors import CategoricalPrior

# Added to codes and draws alike before the discriminator of a categorical latent sees them.
_CORNER_NOISE = 0.2
_KERNEL_SIZE = 5  # frames
ADVERSARIAL = SHARED | {
    "hidden_units": """\
hidden_units : tuple of int, default=(256,)
    Number of units of each layer that encodes vectors.""",
    "filters": """\
filters : tuple of int, default=(64, 64, 64)
    Number of channels of each convolution over time that encodes frames. Kernels span five
    frames, the first has a stride of two, each is followed by maximum pooling of two, and
    attention pools the result.""",
    "n_heads": """\
n_heads : int, default=4
    Number of heads of that attention.""",
    "n_style": """\
n_style : int, default=32
    Number of nodes of the style latent.""",
    "decoder_units": """\
decoder_units : tuple of int, default=(64,)
    Number of units of each hidden layer of the decoder.""",
    "discriminator_units": """\
discriminator_units : int, default=64
    Number of units of each of the two hidden layers of the discriminators.""",
    "reconstruction_weight": """\
reconstruction_weight : float, default=0.1
    Learning rate of the reconstruction phase, as a multiple of `learning_rate`.""",
    "adversarial_weight": """\
adversarial_weight : float, default=0.1
    Learning rate of the generator phase, in which the encoder learns to fool the
    discriminators, as a multiple of `learning_rate`. With this and `reconstruction_weight` 0,
    the network is the conventional one, bit for bit.""",
    "supervised_weight": """\
supervised_weight : float, default=1.0
    Learning rate of the phase that learns the targets, as a multiple of `learning_rate`.""",
    "n_discriminator_updates": """\
n_discriminator_updates : int, default=1
    Number of updates of the discriminators per batch, at `learning_rate`.""",
    "noise": """\
noise : float, default=0.5
    Standard deviation of the noise that is added to the input in training, in the input's
    units: scale the input first.""",
    "dropout": """\
dropout : float, default=0.5
    Share of the encoder's hidden values that is dropped in training.""",
    "latent": """\
latent : {"emotion", "style"}, default="emotion"
    Latent that `transform` gives.""",
    "max_epochs": """\
max_epochs : int, default=40
    Number of epochs that `fit` trains for. An epoch has as many batches as all utterances make,
    labeled or not.""",
    "batch_size": """\
batch_size : int, default=32
    Largest number of labeled utterances per update, and of utterances per batch in prediction.
    The other phases run on every other batch, with twice as many utterances.""",
    "learning_rate": """\
learning_rate : float, default=0.003
    Peak learning rate of AdamW.""",
    "early_stopping": """\
early_stopping : bool, default=False
    Whether to hold out labeled utterances in `fit`, stop when their supervised loss no longer
    falls, and keep the weights of the best epoch.""",
    "validation_fraction": """\
validation_fraction : float, default=0.1
    Share of the labeled utterances that `early_stopping` holds out, stratified by class for a
    classifier. Where `groups` are given, whole groups are held out, and their unlabeled
    utterances are left out as well.""",
    "augment": """\
augment : callable or None, default=None
    Augmentation of the training batches, drawn afresh each epoch.""",
    "callbacks": """\
callbacks : sequence of skorch callbacks, default=()
    Further callbacks of the training; each fit works on copies of them. A scheduler of learning
    rates sees that of the supervised phase only.""",
    "compile": """\
compile : bool, default=False
    Whether to run predictions through ``torch.compile``, which needs a C compiler. A model that
    was pickled and loaded runs uncompiled.""",
    "random_state": """\
random_state : int, RandomState instance or None, default=None
    Source of separate seeds for encoder and head, decoder, discriminators, order of batches and
    each phase's noise, so that a phase left out changes no other number.""",
    "history_": """\
history_ : skorch.history.History
    Per epoch: ``train_loss``, the supervised loss; ``reconstruction_loss``, the squared
    error divided by that of the training data's mean; for both latents
    ``emotion_discriminator_loss``, ``emotion_discriminator_accuracy`` and
    ``emotion_generator_loss``; ``style_deviation``, over utterances.""",
    "reconstructed_features_": """\
reconstructed_features_ : ndarray of str
    Names of the columns that `reconstruct` and `sample` give.""",
}


class AdversarialLatents(TransformerMixin, NeuralEstimator):
    """Architecture, phases and the uses of the latents, for classifier and regressor."""

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
        "n_discriminator_updates": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "latent": [StrOptions({"emotion", "style"})],
        "augment": [callable, None],
    }

    def _make_module(self, layout, n_outputs):
        for name in ("hidden_units", "filters", "decoder_units"):
            units = getattr(self, name)
            if not len(units) or not all(isinstance(n, Integral) and n > 0 for n in units):
                raise ValueError(f"{name}={units!r} must hold numbers of at least 1.")
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
            supervised_only=not (net.reconstruction_weight or net.adversarial_weight),
        )

    def _own_callbacks(self):
        return [*super()._own_callbacks(), WarnOfFailedParts()]

    def _new_optimizer(self):
        # Here and not where the net is made: a warm start may come with others.
        for name in ("reconstruction", "adversarial", "supervised"):
            setattr(self.net_, f"{name}_weight", getattr(self, f"{name}_weight"))
        self.net_.n_discriminator_updates = self.n_discriminator_updates
        super()._new_optimizer()

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

    def _split(self, dataset, strata, groups):
        """Hold out labeled utterances only, and no group on both sides."""
        labeled = np.flatnonzero(is_labeled(strata))
        if not self.early_stopping or len(labeled) == len(strata):
            return super()._split(dataset, strata, groups)
        known = SequenceDataset(dataset.sequences[labeled], dataset.targets[labeled])
        _, valid = super()._split(
            known, strata[labeled], None if groups is None else groups[labeled]
        )
        held_out = np.isin(dataset.sequences.starts, valid.sequences.starts)
        if groups is not None:
            held_out = np.isin(groups, groups[held_out])
        rows = np.flatnonzero(~held_out)
        return SequenceDataset(dataset.sequences[rows], dataset.targets[rows]), valid

    def transform(self, X):
        """Return the latent that `latent` names.

        Parameters
        ----------
        X : 2-D array, Sequences, list of 2-D arrays (n_frames, n_columns), or 3-D array

        Returns
        -------
        ndarray of shape (n_utterances, n_nodes), float64
            Named by `get_feature_names_out`.

        Raises
        ------
        ValueError
            If the style latent is asked for and both auxiliary weights were 0 in `fit`.
        """
        check_is_fitted(self)
        net = self.net_
        if self.latent == "style" and not (net.reconstruction_weight or net.adversarial_weight):
            raise ValueError(
                f"This {type(self).__name__} was fitted with both auxiliary weights 0: its style "
                "latent has learned nothing."
            )
        which = ("emotion", "style").index(self.latent)
        codes = self._outputs(X, lambda x, lengths: self.net_.module_.encode(x, lengths)[which])
        codes = self._from_nodes(codes) if self.latent == "emotion" else codes
        return in_container(self, codes, X)

    def get_feature_names_out(self, input_features=None):
        """Names of the nodes that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Not used; checked against the names seen in `fit`.

        Returns
        -------
        ndarray of shape (n_nodes,), object
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        style = [f"style{i}" for i in range(self.net_.module_.style.out_features)]
        names = self._emotion_names() if self.latent == "emotion" else style
        return np.asarray(names, dtype=object)

    @property
    def reconstructed_features_(self):
        """Names of the columns that `reconstruct` and `sample` give."""
        check_is_fitted(self)
        if self._fitted_on_flat:
            names = getattr(self, "feature_names_in_", None)
            names = [f"x{i}" for i in range(self.n_features_in_)] if names is None else names
        else:
            names = [f"{s} {c}" for s in ("mean", "sd") for c in self._column_names]
        return np.asarray(names, dtype=object)

    def reconstruct(self, X):
        """Reconstruct the input from both latents.

        Parameters
        ----------
        X : 2-D array, Sequences, list of 2-D arrays (n_frames, n_columns), or 3-D array

        Returns
        -------
        ndarray of shape (n_utterances, n_reconstructed), float64
            For a 2-D X its columns; for sequences the mean and the standard deviation over
            time of each column, named by `reconstructed_features_`.

        Raises
        ------
        ValueError
            If `reconstruction_weight` was 0 in `fit`; so `score_samples` and `sample`.
        """
        self._check_decoder()
        module = self.net_.module_
        return self._outputs(X, lambda x, lengths: module.decode(*module.encode(x, lengths)))

    def score_samples(self, X):
        """Score how much an utterance is like the training speech.

        Parameters
        ----------
        X : 2-D array, Sequences, list of 2-D arrays (n_frames, n_columns), or 3-D array

        Returns
        -------
        ndarray of shape (n_utterances,), float64
            Minus the mean squared error of `reconstruct`, in units of the mean variance of
            what is reconstructed over the data of the first fit; higher is more alike.
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
                f"This {type(self).__name__} was fitted with reconstruction_weight=0: its decoder "
                "has learned nothing."
            )

    def _decode(self, emotion, random):
        """Reconstructions of emotion codes (n, n_emotion), each with a style of its own."""
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
    """Fully connected layers with a ReLU between them."""
    layers = [nn.Linear(*pair) for pair in pairwise(widths)]
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))[:-1]
