"""Adversarial autoencoder (Parthasarathy et al., 2019; Makhzani et al., 2016)."""

from numbers import Integral

import numpy as np
import torch
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_random_state, check_scalar, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions

from skser._base import unlabelled
from skser.neural_network._adversarial_latents import AdversarialLatents
from skser.neural_network._adversarial_training import is_labelled
from skser.neural_network._base import MAX_SEED
from skser.neural_network._classification import SequenceClassifier
from skser.neural_network._regression import SequenceRegressor
from skser.neural_network.modules.concordance import ConcordanceLoss, KnownSquaredError
from skser.neural_network.modules.priors import CategoricalPrior, GaussianPrior, MixturePrior


class AdversarialAEClassifier(AdversarialLatents, SequenceClassifier):
    """Adversarial autoencoder with an emotion latent that is tuned on the classes.

    An encoder gives an emotion latent and a style latent; a decoder gives the input back from
    both; a discriminator for each tells codes from draws of a prior, and the encoder learns
    to fool it; a linear head, or the emotion latent itself, gives the classes. Each batch goes
    through four phases with an optimiser each: reconstruction, discriminators, encoder as
    generator, supervision. X is a 2-D array of sentence-level vectors or `Sequences` of frames.

    Parameters
    ----------
    hidden_units : tuple of int, default=(256,)
        Layers of the encoder of vectors.
    filters : tuple of int, default=(64, 64, 64)
        Channels of the convolutions over time that encode frames, the first with a stride of
        two frames, each with maximum pooling of two; attention pools what they give.
    kernel_size : int, default=5
        Of the convolutions, in frames.
    n_heads : int, default=4
        Of the attention.
    n_emotion : int, default=8
        Nodes of the emotion latent, if `prior` is not "categorical".
    n_style : int, default=32
        Nodes of the style latent.
    decoder_units : tuple of int, default=(64,)
        Hidden layers of the decoder.
    discriminator_units : int, default=64
        Of each of the two hidden layers of the discriminators.
    prior : {"categorical", "gaussian", "mixture"}, default="categorical"
        Of the emotion latent. "categorical": a node per class, all weight on one of them, by
        the classes' shares among labelled utterances; the nodes are the probabilities.
        "gaussian": standard normal. "mixture": a Gaussian per class, the discriminator being
        told the class where it is known. That of the style latent is standard normal.
    reconstruction_weight : float, default=0.1
        Learning rate of the reconstruction phase, as a multiple of `learning_rate`.
    adversarial_weight : float, default=0.1
        The same of the phase in which the encoder fools the discriminators. With both 0 this
        is the conventional network, bit for bit.
    supervised_weight : float, default=1.0
        The same of the phase that learns the targets.
    n_discriminator_updates : int, default=1
        Per batch; their rate is `learning_rate`.
    noise : float, default=0.5
        Standard deviation of what is added to the input in training, in its own units:
        scale the input first.
    dropout : float, default=0.5
        Share of the encoder's hidden values dropped in training.
    label_smoothing : float, default=0.1
        Share of each target spread over all classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the supervised loss.
    unlabeled : int, str or None, default=None
        Value in y of utterances without a label: they take part in reconstruction and
        regularisation only, and are no class. None means that all are labelled.
    latent : {"emotion", "style"}, default="emotion"
        Which one `transform` gives.
    max_epochs : int, default=40
        Epochs of `fit`. One is as many batches as all utterances make, labelled or not.
    batch_size : int, default=32
        Labelled utterances per update at most, and utterances per batch in prediction. The
        other phases go with every other batch, and take twice as many utterances.
    learning_rate : float, default=0.003
        Highest rate of AdamW.
    learning_rate_schedule : {"one-cycle", "constant"}, default="one-cycle"
        Course of the rate over the updates of `fit`.
    weight_decay : float, default=0.01
        Decoupled decay of AdamW; biases and normalisation are exempt.
    early_stopping : bool, default=False
        Whether to hold out labelled utterances in `fit`, stop when their supervised loss no
        longer falls, and keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Share held out, stratified by class; where `groups` are given whole groups, whose
        unlabelled utterances are left out as well.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    augment : callable or None, default=None
        Applied to training batches, afresh each epoch.
    initialize_from : fitted estimator or None, default=None
        Estimator of the same architecture whose weights to start from, but for the layers of
        other classes. A clone keeps it as it is, fitted.
    transfer : {"single-stage", "two-stage"}, default="single-stage"
        With `initialize_from`: whether all weights are trained at once, or first the layers
        that belong to the classes alone, then all. In the first stage the others are frozen;
        statistics of normalisation follow the new data all the same.
    head_epochs : int, default=10
        Epochs of the first of two stages; `max_epochs` are those of the other.
    transfer_rate : float, default=1.0
        Factor of the learning rate for weights that were taken over.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit.
    callbacks : sequence of skorch callbacks, default=()
        Copied for each fit. A scheduler of rates sees the supervised phase's alone.
    checkpoint_dir : path-like or None, default=None
        Folder where the state of the training is kept after each epoch, under a name for all
        that it depends on: the same `fit` after a kill goes on from there, to the same weights.
        Needs an int as `random_state`. Nothing in it is deleted.
    device : str, default="auto"
        Torch device; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while it works here; None leaves its setting.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the forward pass.
    compile : bool, default=False
        Whether to run predictions through ``torch.compile``, which needs a C compiler; a
        model that was pickled and loaded runs uncompiled.
    verbose : int, default=0
        Above 0, print each epoch.
    random_state : int, RandomState instance or None, default=None
        From it come separate seeds of encoder and head, decoder, discriminators, order of
        batches and each phase's noise, so that a phase left out changes no other number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    net_ : skorch.NeuralNet
    history_ : skorch.history.History
        Per epoch: ``train_loss``, the supervised one; ``reconstruction_loss``, the squared
        error over that of giving back the mean of the training data; for both latents
        ``emotion_discriminator_loss``, ``emotion_discriminator_accuracy`` and
        ``emotion_fooling_loss``; ``style_deviation``, over utterances.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Columns of a frame; of a 2-D array, its columns.
    reconstructed_features_ : ndarray of str
        Names of the columns that `reconstruct` and `sample` give.

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
        kernel_size=5,
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
        initialize_from=None,
        transfer="single-stage",
        head_epochs=10,
        transfer_rate=1.0,
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
        self.kernel_size = kernel_size
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
        self.initialize_from = initialize_from
        self.transfer = transfer
        self.head_epochs = head_epochs
        self.transfer_rate = transfer_rate
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
        labelled = ~unlabelled(y, self.unlabeled)
        if not labelled.any():
            raise ValueError(f"y holds no label: all {len(y)} utterances are {self.unlabeled!r}.")
        known = y[labelled]
        if self.unlabeled is not None:
            if classes is not None and unlabelled(np.asarray(classes), self.unlabeled).any():
                raise ValueError(f"classes holds {self.unlabeled!r}, which stands for no label.")
            if len({type(label) for label in known.tolist()}) == 1:
                known = np.array(known.tolist())  # of objects, which the marker made necessary
        targets = np.full(len(y), -1)
        targets[labelled] = super()._encode_targets(known, reset=reset, classes=classes)
        return targets

    def _train(self, train, valid, epochs, checkpoint=None, in_part=False):
        prior = self.net_.module_.prior
        if not isinstance(prior, GaussianPrior) and not in_part:
            prior.shares.copy_(self._class_shares(train.targets))
        super()._train(train, valid, epochs, checkpoint, in_part)

    def _class_shares(self, targets):
        """Shares of the classes among labelled utterances, each counted once more."""
        known = targets[is_labelled(targets)]
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
        """Make up utterances.

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


class AdversarialAERegressor(AdversarialLatents, SequenceRegressor):
    """Adversarial autoencoder whose emotion latent is valence, activation and dominance.

    The network of `AdversarialAEClassifier`; the nodes of the emotion latent are the targets,
    standardised for training, and their prior is standard normal. Missing targets are NaN: an
    utterance without any takes part in reconstruction and regularisation only.

    Parameters
    ----------
    hidden_units : tuple of int, default=(256,)
        Layers of the encoder of vectors.
    filters : tuple of int, default=(64, 64, 64)
        Channels of the convolutions over time that encode frames, the first with a stride of
        two frames, each with maximum pooling of two; attention pools what they give.
    kernel_size : int, default=5
        Of the convolutions, in frames.
    n_heads : int, default=4
        Of the attention.
    n_style : int, default=32
        Nodes of the style latent.
    decoder_units : tuple of int, default=(64,)
        Hidden layers of the decoder.
    discriminator_units : int, default=64
        Of each of the two hidden layers of the discriminators.
    reconstruction_weight : float, default=0.1
        Learning rate of the reconstruction phase, as a multiple of `learning_rate`.
    adversarial_weight : float, default=0.1
        The same of the phase in which the encoder fools the discriminators. With both 0 this
        is the conventional network, bit for bit.
    supervised_weight : float, default=1.0
        The same of the phase that learns the targets.
    n_discriminator_updates : int, default=1
        Per batch; their rate is `learning_rate`.
    noise : float, default=0.5
        Standard deviation of what is added to the input in training, in its own units:
        scale the input first.
    dropout : float, default=0.5
        Share of the encoder's hidden values dropped in training.
    loss : {"ccc", "squared_error"}, default="ccc"
        Supervised loss: 1 minus Lin's concordance correlation coefficient of each target over
        the batch, or the squared error of the standardised targets.
    latent : {"emotion", "style"}, default="emotion"
        Which one `transform` gives.
    max_epochs : int, default=40
        Epochs of `fit`. One is as many batches as all utterances make, labelled or not.
    batch_size : int, default=32
        Labelled utterances per update at most, and utterances per batch in prediction. The
        other phases go with every other batch, and take twice as many utterances.
    learning_rate : float, default=0.003
        Highest rate of AdamW.
    learning_rate_schedule : {"one-cycle", "constant"}, default="one-cycle"
        Course of the rate over the updates of `fit`.
    weight_decay : float, default=0.01
        Decoupled decay of AdamW; biases and normalisation are exempt.
    early_stopping : bool, default=False
        Whether to hold out labelled utterances in `fit`, stop when their supervised loss no
        longer falls, and keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Share held out, whole groups where `groups` are given, whose unlabelled utterances
        are left out as well.
    n_iter_no_change : int, default=10
        Epochs without improvement before stopping.
    augment : callable or None, default=None
        Applied to training batches, afresh each epoch.
    initialize_from : fitted estimator or None, default=None
        Estimator of the same architecture whose weights to start from, but for the layers of
        other classes. A clone keeps it as it is, fitted.
    transfer : {"single-stage", "two-stage"}, default="single-stage"
        With `initialize_from`: whether all weights are trained at once, or first the layers
        that belong to the classes alone, then all. In the first stage the others are frozen;
        statistics of normalisation follow the new data all the same.
    head_epochs : int, default=10
        Epochs of the first of two stages; `max_epochs` are those of the other.
    transfer_rate : float, default=1.0
        Factor of the learning rate for weights that were taken over.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit.
    callbacks : sequence of skorch callbacks, default=()
        Copied for each fit. A scheduler of rates sees the supervised phase's alone.
    checkpoint_dir : path-like or None, default=None
        Folder where the state of the training is kept after each epoch, under a name for all
        that it depends on: the same `fit` after a kill goes on from there, to the same weights.
        Needs an int as `random_state`. Nothing in it is deleted.
    device : str, default="auto"
        Torch device; "auto" takes cuda, mps or cpu.
    n_threads : int or None, default=None
        Threads of torch while it works here; None leaves its setting.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the forward pass.
    compile : bool, default=False
        Whether to run predictions through ``torch.compile``, which needs a C compiler; a
        model that was pickled and loaded runs uncompiled.
    verbose : int, default=0
        Above 0, print each epoch.
    random_state : int, RandomState instance or None, default=None
        From it come separate seeds of encoder and head, decoder, discriminators, order of
        batches and each phase's noise, so that a phase left out changes no other number.

    Attributes
    ----------
    target_names_ : list of str
        Columns of a DataFrame y; else "valence", "activation" and "dominance" for three
        targets, and "target0" and so on for another number.
    net_ : skorch.NeuralNet
    history_ : skorch.history.History
        Per epoch: ``train_loss``, the supervised one; ``reconstruction_loss``, the squared
        error over that of giving back the mean of the training data; for both latents
        ``emotion_discriminator_loss``, ``emotion_discriminator_accuracy`` and
        ``emotion_fooling_loss``; ``style_deviation``, over utterances.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Columns of a frame; of a 2-D array, its columns.
    reconstructed_features_ : ndarray of str
        Names of the columns that `reconstruct` and `sample` give.

    References
    ----------
    Parthasarathy, S., Rozgic, V., Sun, M. and Wang, C. (2019). Improving Emotion
    Classification through Variational Inference of Latent Variables. ICASSP.

    Makhzani, A., Shlens, J., Jaitly, N., Goodfellow, I. and Frey, B. (2016). Adversarial
    Autoencoders. arXiv:1511.05644.

    Lin, L. I.-K. (1989). A Concordance Correlation Coefficient to Evaluate Reproducibility.
    Biometrics 45(1), 255-268.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.neural_network import AdversarialAERegressor
    >>> X = np.random.RandomState(0).randn(40, 6)
    >>> y = X[:, :3] + X[:, 3:]
    >>> y[20:] = np.nan  # targets of the others are not known
    >>> model = AdversarialAERegressor(max_epochs=20, device="cpu", random_state=0).fit(X, y)
    >>> model.predict(X).shape, model.get_feature_names_out().tolist()
    ((40, 3), ['valence', 'activation', 'dominance'])
    """

    _parameter_constraints = {
        **SequenceRegressor._parameter_constraints,
        **AdversarialLatents._parameter_constraints,
        "loss": [StrOptions({"ccc", "squared_error"})],
    }

    def __init__(
        self,
        hidden_units=(256,),
        filters=(64, 64, 64),
        kernel_size=5,
        n_heads=4,
        n_style=32,
        decoder_units=(64,),
        discriminator_units=64,
        *,
        reconstruction_weight=0.1,
        adversarial_weight=0.1,
        supervised_weight=1.0,
        n_discriminator_updates=1,
        noise=0.5,
        dropout=0.5,
        loss="ccc",
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
        initialize_from=None,
        transfer="single-stage",
        head_epochs=10,
        transfer_rate=1.0,
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
        self.kernel_size = kernel_size
        self.n_heads = n_heads
        self.n_style = n_style
        self.decoder_units = decoder_units
        self.discriminator_units = discriminator_units
        self.reconstruction_weight = reconstruction_weight
        self.adversarial_weight = adversarial_weight
        self.supervised_weight = supervised_weight
        self.n_discriminator_updates = n_discriminator_updates
        self.noise = noise
        self.dropout = dropout
        self.loss = loss
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
        self.initialize_from = initialize_from
        self.transfer = transfer
        self.head_epochs = head_epochs
        self.transfer_rate = transfer_rate
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.n_threads = n_threads
        self.precision = precision
        self.compile = compile
        self.verbose = verbose
        self.random_state = random_state

    _emotion_is_output = True

    def _make_prior(self, n_outputs):
        return GaussianPrior(n_outputs)

    def _encode_targets(self, y, *, reset, classes=None):
        columns = getattr(y, "columns", None)
        y = check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            ensure_all_finite="allow-nan",
            input_name="y",
            estimator=self,
        )
        is_1d = y.ndim == 1
        y = y.reshape(len(y), -1)
        known = ~np.isnan(y)
        if not known.any():
            raise ValueError("y holds no target: every row is NaN alone.")
        names = _target_names(y.shape[1]) if columns is None else [str(c) for c in columns]
        if reset:
            for name, mask in zip(names, known.T, strict=True):
                if not mask.any():
                    raise ValueError(f"y holds no target for {name!r}: the column is NaN alone.")
            self.target_names_ = names
            self._target_is_1d = is_1d
            self._target_mean = np.nanmean(y, axis=0)
            self._target_scale = np.nanstd(y, axis=0)
            self._target_scale[self._target_scale == 0] = 1
        elif y.shape[1] != self._n_outputs:
            raise ValueError(f"y has {y.shape[1]} outputs, the regressor has {self._n_outputs}.")
        elif columns is not None and names != self.target_names_:
            raise ValueError(f"y has the columns {names}; they must be {self.target_names_}.")
        return ((y - self._target_mean) / self._target_scale).astype(np.float32)

    def _make_criterion(self, targets):
        return ConcordanceLoss() if self.loss == "ccc" else KnownSquaredError()

    def _emotion_names(self):
        return self.target_names_

    def _from_nodes(self, codes):
        return codes * self._target_scale + self._target_mean

    def sample(self, n_samples=1, y=None):
        """Make up utterances.

        Parameters
        ----------
        n_samples : int, default=1
        y : array-like of shape (n_targets,) or (n_samples, n_targets), or None, default=None
            Targets of the samples; None draws them from the prior.

        Returns
        -------
        ndarray of shape (n_samples, n_reconstructed), float64
            As from `reconstruct`, with styles from their prior. Drawn by `random_state`.
        """
        self._check_decoder()
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        random = check_random_state(self.random_state)
        shape = (n_samples, self._n_outputs)
        if y is None:
            return self._decode(random.standard_normal(shape), random)
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        if self._target_is_1d and y.shape == (n_samples,):
            y = y[:, None]
        if y.shape not in (shape, shape[1:]):
            raise ValueError(f"y has the shape {y.shape}; it must have {shape[1:]} or {shape}.")
        emotion = (y - self._target_mean) / self._target_scale
        return self._decode(np.broadcast_to(emotion, shape).copy(), random)

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination, of the targets that are known.

        Parameters
        ----------
        X : 2-D array, Sequences, list of 2-D arrays (n_frames, n_columns), or 3-D array
        y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
            Missing targets are NaN and left out.
        sample_weight : array-like of shape (n_utterances,) or None, default=None

        Returns
        -------
        float
            R², the mean over targets.
        """
        y = check_array(
            y, dtype=np.float64, ensure_2d=False, ensure_all_finite="allow-nan", input_name="y"
        ).reshape(len(y), -1)
        predicted = self.predict(X).reshape(len(y), -1)
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        known = ~np.isnan(y)
        return float(
            np.mean(
                [
                    r2_score(y[k, i], predicted[k, i], sample_weight=weights[k])
                    for i, k in enumerate(known.T)
                ]
            )
        )


def _target_names(n_targets):
    if n_targets == 3:
        return ["valence", "activation", "dominance"]
    return [f"target{i}" for i in range(n_targets)]
