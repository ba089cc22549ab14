"""Classifier of the adversarial autoencoder (Parthasarathy et al., 2019; Makhzani et al., 2016)."""

from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state, check_scalar, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions

from skser._base import unlabeled
from skser._docstrings import insert_descriptions
from skser.neural_network._adversarial_latents import ADVERSARIAL, AdversarialLatents
from skser.neural_network._adversarial_training import is_labeled
from skser.neural_network._base import MAX_SEED
from skser.neural_network._classification import SequenceClassifier
from skser.neural_network.modules.priors import CategoricalPrior, GaussianPrior, MixturePrior


@insert_descriptions(ADVERSARIAL)
class AdversarialAEClassifier(AdversarialLatents, SequenceClassifier):
    """Adversarial autoencoder with an emotion latent that is tuned on the classes.

    An encoder gives an emotion latent and a style latent; a decoder gives the input back from
    both; a discriminator for each tells codes from draws of a prior, and the encoder learns
    to fool it; a linear head, or the emotion latent itself, gives the classes. Each batch goes
    through four phases with an optimiser each: reconstruction, discriminators, encoder as
    generator, supervision. X is a 2-D array of sentence-level vectors or `Sequences` of frames.

    Parameters
    ----------
    {hidden_units}
    {filters}
    {n_heads}
    n_emotion : int, default=8
        Number of nodes of the emotion latent, if `prior` is not "categorical".
    {n_style}
    {decoder_units}
    {discriminator_units}
    prior : {"categorical", "gaussian", "mixture"}, default="categorical"
        Prior of the emotion latent. "categorical": a node per class, all weight on one of them, by
        the classes' shares among labeled utterances; the nodes are the probabilities.
        "gaussian": standard normal. "mixture": a Gaussian per class, where the discriminator gets
        the class if it is known. The prior of the style latent is standard normal.
    {reconstruction_weight}
    {adversarial_weight}
    {supervised_weight}
    {n_discriminator_updates}
    {noise}
    {dropout}
    {label_smoothing}
    {class_weight}
    unlabeled : int, str or None, default=None
        Value in y that marks utterances without a label. They take part in reconstruction and
        regularisation only, and the value is no class. None means that all are labeled.
    {latent}
    {max_epochs}
    {batch_size}
    {learning_rate}
    {learning_rate_schedule}
    {weight_decay}
    {early_stopping}
    {validation_fraction}
    {n_iter_no_change}
    {augment}
    {warm_start}
    {callbacks}
    {checkpoint_dir}
    {device}
    {n_threads}
    {precision}
    {compile}
    {verbose}
    {random_state}

    Attributes
    ----------
    {classes_}
    {net_}
    {history_}
    {n_iter_}
    {n_features_in_}
    {reconstructed_features_}

    Warns
    -----
    ConvergenceWarning
        Naming each part that failed in the last epoch: a single class predicted, a decoder no
        better than the mean, a discriminator that was never fooled, a style latent that is
        one point.

    Notes
    -----
    Published are the two latents, their discriminators and the two kinds of input. Layers,
    weights and optimisers are not, and were chosen here on inner, speaker-disjoint folds.
    The decoder of frames gives back the mean and standard deviation of each column over time.

    References
    ----------
    Parthasarathy, S., Rozgic, V., Sun, M. and Wang, C. (2019). Improving Emotion
    Classification through Variational Inference of Latent Variables. ICASSP.

    Makhzani, A., Shlens, J., Jaitly, N., Goodfellow, I. and Frey, B. (2016). Adversarial
    Autoencoders. arXiv:1511.05644. Sections 2.3 and 5.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> from skser.neural_network import AdversarialAEClassifier
    >>> corpus = make_emotional_speech(n_speakers=2, n_utterances_per_speaker=10, random_state=0)
    >>> features = Functionals(FrameFeatures(input_sampling_rate=corpus.sampling_rate))
    >>> network = AdversarialAEClassifier(
    ...     batch_size=4, unlabeled="unlabeled", device="cpu", random_state=0
    ... )
    >>> model = make_pipeline(features, StandardScaler(), network)
    >>> y = corpus.target.copy()
    >>> y[12:] = "unlabeled"
    >>> model.fit(corpus.data, y).predict_proba(corpus.data).shape
    (20, 5)
    >>> model.transform(corpus.data).shape
    (20, 5)
    """

    _parameter_constraints = {
        **SequenceClassifier._parameter_constraints,
        **AdversarialLatents._parameter_constraints,
        "n_emotion": [Interval(Integral, 1, None, closed="left")],
        "prior": [StrOptions({"categorical", "gaussian", "mixture"})],
        "unlabeled": [Integral, str, None],
    }
    del _parameter_constraints["mixup"]

    def __init__(
        self,
        hidden_units=(256,),
        filters=(64, 64, 64),
        n_heads=4,
        n_emotion=8,
        n_style=32,
        decoder_units=(64,),
        discriminator_units=64,
        prior="categorical",
        *,
        reconstruction_weight=0.1,
        adversarial_weight=0.1,
        supervised_weight=1.0,
        n_discriminator_updates=1,
        noise=0.5,
        dropout=0.5,
        label_smoothing=0.1,
        class_weight=None,
        unlabeled=None,
        latent="emotion",
        max_epochs=40,
        batch_size=32,
        learning_rate=0.003,
        learning_rate_schedule="one-cycle",
        weight_decay=0.01,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        augment=None,
        warm_start=False,
        callbacks=(),
        checkpoint_dir=None,
        device="auto",
        n_threads=None,
        precision="float32",
        compile=False,
        verbose=0,
        random_state=None,
    ):
        self.hidden_units = hidden_units
        self.filters = filters
        self.n_heads = n_heads
        self.n_emotion = n_emotion
        self.n_style = n_style
        self.decoder_units = decoder_units
        self.discriminator_units = discriminator_units
        self.prior = prior
        self.reconstruction_weight = reconstruction_weight
        self.adversarial_weight = adversarial_weight
        self.supervised_weight = supervised_weight
        self.n_discriminator_updates = n_discriminator_updates
        self.noise = noise
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.unlabeled = unlabeled
        self.latent = latent
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.augment = augment
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.n_threads = n_threads
        self.precision = precision
        self.compile = compile
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _emotion_is_output(self):
        return self.prior == "categorical"

    def _make_prior(self, n_outputs):
        shares = torch.ones(n_outputs)
        if self.prior == "categorical":
            return CategoricalPrior(shares)
        if self.prior == "gaussian":
            return GaussianPrior(self.n_emotion)
        return MixturePrior(shares, self.n_emotion)

    def _make_mixup(self):
        return None

    def _encode_targets(self, y, *, reset, classes=None):
        y = column_or_1d(y, warn=True)
        labeled = ~unlabeled(y, self.unlabeled)
        if not labeled.any():
            raise ValueError(f"y holds no label: all {len(y)} utterances are {self.unlabeled!r}.")
        known = y[labeled]
        if self.unlabeled is not None:
            if classes is not None and unlabeled(np.asarray(classes), self.unlabeled).any():
                raise ValueError(f"classes holds {self.unlabeled!r}, which stands for no label.")
            if len({type(label) for label in known.tolist()}) == 1:
                known = np.array(known.tolist())  # of objects, which the marker made necessary
        targets = np.full(len(y), -1)
        targets[labeled] = super()._encode_targets(known, reset=reset, classes=classes)
        return targets

    def _train(self, train, valid, epochs, checkpoint=None, in_part=False):
        prior = self.net_.module_.prior
        if not isinstance(prior, GaussianPrior) and not in_part:
            prior.shares.copy_(self._class_shares(train.targets))
        super()._train(train, valid, epochs, checkpoint, in_part)

    def _class_shares(self, targets):
        """Shares of the classes among labeled utterances, each counted once more."""
        known = targets[is_labeled(targets)]
        counts = np.bincount(known, minlength=self._n_outputs) if known.ndim == 1 else known.sum(0)
        return torch.from_numpy((counts + 1.0) / (counts + 1.0).sum())

    def _check_soft_targets(self, soft_targets, targets):
        shares = super()._check_soft_targets(soft_targets, targets)
        shares[targets < 0] = np.nan
        return shares

    def _make_criterion(self, targets):
        return super()._make_criterion(targets[targets >= 0])

    def _emotion_names(self):
        prior = self.net_.module_.prior
        if isinstance(prior, CategoricalPrior):
            return [f"emotion_{c}" for c in self.classes_]
        return [f"emotion{i}" for i in range(prior.n_emotion)]

    def _from_nodes(self, codes):
        return codes

    def sample(self, n_samples=1, y=None):
        """Draw made-up utterances.

        Parameters
        ----------
        n_samples : int, default=1
        y : a class, array-like of shape (n_samples,) of classes, or None, default=None
            Emotion of the samples; None draws it by the classes' shares in training.

        Returns
        -------
        ndarray of shape (n_samples, n_reconstructed), float64
            As from `reconstruct`, of draws from both priors. Drawn by `random_state`.

        Raises
        ------
        ValueError
            If `y` holds an unknown class, or a Gaussian latent never gave it.
        """
        self._check_decoder()
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        random = check_random_state(self.random_state)
        classes = np.full(n_samples, -1)
        if y is not None:
            wanted = np.asarray(y)
            if wanted.shape not in ((), (n_samples,)):
                raise ValueError(
                    f"y has the shape {wanted.shape}; it must be one class, or {n_samples} of them."
                )
            wanted = np.broadcast_to(wanted, n_samples)
            unknown = [label for label in np.unique(wanted) if label not in self.classes_]
            if unknown:
                raise ValueError(f"y holds unknown classes: {np.array(unknown).tolist()}.")
            classes = np.searchsorted(self.classes_, wanted)
        module = self.net_.module_
        device = self.net_.device
        generator = torch.Generator(device).manual_seed(int(random.randint(MAX_SEED)))
        classes = torch.as_tensor(classes, device=device)
        with torch.inference_mode():
            emotion = module.prior.sample(classes, generator)
            if not isinstance(module.prior, CategoricalPrior):
                self._draw_again_until(emotion, classes, generator)
        return self._decode(emotion, random)

    def _draw_again_until(self, emotion, classes, generator, n_trials=1000):
        """Replace, in place, codes that the head takes for another class than asked for.

        A Gaussian knows no classes, and one of a mixture's may have drifted from its centre.
        """
        module = self.net_.module_
        for _ in range(n_trials):
            wrong = (classes >= 0) & (module.output(emotion).argmax(dim=1) != classes)
            if not wrong.any():
                return
            emotion[wrong] = module.prior.sample(torch.full_like(classes[wrong], -1), generator)
        missing = self.classes_[np.unique(classes[wrong].cpu().numpy())].tolist()
        raise ValueError(f"No draw from the prior of the emotion latent was of {missing}.")
