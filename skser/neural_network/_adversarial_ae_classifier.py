"""Classifier of the adversarial autoencoder (Parthasarathy et al., 2019; Makhzani et al., 2016)."""

from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state, check_scalar, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions

from skser._base import unlabeled
from skser._docstrings import insert_descriptions
from skser.neural_network._adversarial_batches import is_labeled
from skser.neural_network._adversarial_latents import AdversarialLatents
from skser.neural_network._adversarial_parameters import ADVERSARIAL
from skser.neural_network._base import MAX_SEED
from skser.neural_network._callbacks import warn_caller
from skser.neural_network._classification import SequenceClassifier
from skser.neural_network._parameters import extend_signature
from skser.neural_network.modules.priors import CategoricalPrior, GaussianPrior, MixturePrior


@insert_descriptions(ADVERSARIAL)
class AdversarialAEClassifier(AdversarialLatents, SequenceClassifier):
    """Adversarial autoencoder whose emotion latent is trained on the classes.

    An encoder computes an emotion latent and a style latent. A decoder reconstructs the input
    from both. For each latent, a discriminator learns to distinguish codes of the encoder from
    samples of a prior, and the encoder learns to fool it. The classes come from a linear head, or
    from the emotion latent itself. Each batch goes through four phases, each with its own
    optimizer: reconstruction, discrimination, generator (the encoder fools the discriminators)
    and supervision. X is a 2-D array of one vector per utterance, or `Sequences` of frames.

    Parameters
    ----------
    {hidden_units}
    {filters}
    {n_heads}
    n_emotion : int, default=8
        Number of nodes of the emotion latent. Not used if `prior` is "categorical", which has one
        node per class.
    {n_style}
    {decoder_units}
    {discriminator_units}
    prior : {"categorical", "gaussian", "mixture"}, default="categorical"
        Prior of the emotion latent. "categorical": one-hot vectors with one node per class, drawn
        with the class frequencies of the labeled utterances; the nodes of the latent are the
        predicted probabilities. "gaussian": standard normal. "mixture": one Gaussian per class;
        the discriminator also receives the class where it is known. The prior of the style latent
        is always standard normal.
    {label_smoothing}
    {class_weight}
    unlabeled : int, str or None, default=None
        Value in y that marks utterances without a label. It does not count as a class. Unlabeled
        utterances take part in the reconstruction, discrimination and generator phases only. None
        means that all utterances are labeled.
    {reconstruction_weight}
    {adversarial_weight}
    {supervised_weight}
    {objectives}
    {noise}
    {dropout}
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
        If a part of the network failed in the last epoch: it predicted a single class, the decoder
        did no better than the mean, the encoder never fooled a discriminator, or the style latent
        collapsed to one point. The message names the part.
    UserWarning
        If `unlabeled` is given and no utterance has this value, as inside an ensemble that
        replaces labels by numbers.

    Notes
    -----
    The paper describes the two latents, their discriminators and the two kinds of input. It does
    not give layers, weights and optimizers; the defaults here were chosen on inner,
    speaker-disjoint folds. For frames, the decoder reconstructs the mean and the standard
    deviation of each column over time. Reconstruction and regularization of a batch use the same
    codes, so that the encoder runs once for both.

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

    @extend_signature(AdversarialLatents.__init__)
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
        label_smoothing=0.1,
        class_weight=None,
        unlabeled=None,
        **kwargs,
    ):
        super().__init__(
            hidden_units, filters, n_heads, n_style, decoder_units, discriminator_units, **kwargs
        )
        self.n_emotion = n_emotion
        self.prior = prior
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.unlabeled = unlabeled

    @property
    def _emotion_is_output(self):
        return self.prior == "categorical"

    def _make_prior(self, n_outputs):
        shares = torch.ones(n_outputs)  # replaced in _train
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
            raise ValueError(
                f"y holds no labels: all {len(y)} utterances are {self.unlabeled!r}, the value of "
                "unlabeled. Label utterances of at least 2 classes."
            )
        known = y[labeled]
        if self.unlabeled is not None:
            if classes is not None and unlabeled(np.asarray(classes), self.unlabeled).any():
                raise ValueError(
                    f"classes holds {self.unlabeled!r}, which marks unlabeled utterances; remove "
                    "it from classes."
                )
            # A marker of another type than the labels makes y an array of objects.
            if len({type(label) for label in known.tolist()}) == 1:
                known = np.array(known.tolist())
        targets = np.full(len(y), -1)
        targets[labeled] = super()._encode_targets(known, reset=reset, classes=classes)
        if self.unlabeled is not None and labeled.all() and reset and classes is None:
            warn_caller(
                f"No utterance in y is unlabeled, that is {self.unlabeled!r}. If some were, an "
                "ensemble around the network, such as VotingClassifier, has replaced labels by "
                "numbers and made this value a class: leave these utterances out."
            )
        return targets

    def _train(self, train, valid, epochs, checkpoint=None, in_part=False):
        prior = self.net_.module_.prior
        # partial_fit keeps the shares, as its y is only a part of the labels.
        if not isinstance(prior, GaussianPrior) and not in_part:
            prior.shares.copy_(self._class_shares(train.targets))
        super()._train(train, valid, epochs, checkpoint, in_part)

    def _class_shares(self, targets):
        """Return the share of each class among the labeled utterances, with add-one smoothing."""
        known = targets[is_labeled(targets)]
        counts = np.bincount(known, minlength=self._n_outputs) if known.ndim == 1 else known.sum(0)
        return torch.from_numpy((counts + 1.0) / (counts + 1.0).sum())

    def _check_soft_targets(self, soft_targets, targets):
        shares = super()._check_soft_targets(soft_targets, targets)
        shares[targets < 0] = np.nan  # see is_labeled
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
        """Generate utterances from samples of both priors.

        Parameters
        ----------
        n_samples : int, default=1
            Number of utterances to generate.
        y : a class, array-like of shape (n_samples,) of classes, or None, default=None
            Class of each utterance. None draws classes with their frequencies in training.

        Returns
        -------
        ndarray of shape (n_samples, n_reconstructed), float64
            Generated utterances, with the columns of `reconstruct`. `random_state` seeds them.

        Raises
        ------
        ValueError
            If `y` holds an unknown class, if no sample of the prior is predicted as a class in
            `y`, or if `reconstruction_weight` was 0 in `fit`.
        """
        self._check_decoder()
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        random = check_random_state(self.random_state)
        classes = np.full(n_samples, -1)
        if y is not None:
            wanted = np.asarray(y)
            if wanted.shape not in ((), (n_samples,)):
                raise ValueError(
                    f"y has the shape {wanted.shape}; it must be one class, or an array of "
                    f"n_samples={n_samples} classes."
                )
            wanted = np.broadcast_to(wanted, n_samples)
            unknown = [label for label in np.unique(wanted) if label not in self.classes_]
            if unknown:
                raise ValueError(
                    f"y holds unknown classes: {np.array(unknown).tolist()}. The classifier knows "
                    f"{self.classes_.tolist()}."
                )
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
        """Replace, in place, codes that the head assigns to another class than requested.

        A Gaussian prior does not depend on the class, and the encoder's codes of a class may not
        match its component of a mixture.
        """
        module = self.net_.module_
        for _ in range(n_trials):
            wrong = (classes >= 0) & (module.output(emotion).argmax(dim=1) != classes)
            if not wrong.any():
                return
            emotion[wrong] = module.prior.sample(torch.full_like(classes[wrong], -1), generator)
        missing = self.classes_[np.unique(classes[wrong].cpu().numpy())].tolist()
        raise ValueError(
            f"None of {n_trials} samples of the emotion latent's prior was predicted as {missing}. "
            "Train for more epochs, or use prior='categorical'."
        )
