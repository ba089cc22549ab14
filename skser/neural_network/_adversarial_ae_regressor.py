"""Regressor of the adversarial autoencoder (Parthasarathy et al., 2019; Makhzani et al., 2016)."""

from numbers import Integral

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_random_state, check_scalar
from sklearn.utils._param_validation import StrOptions

from skser._docstrings import insert_descriptions
from skser.neural_network._adversarial_latents import ADVERSARIAL, AdversarialLatents
from skser.neural_network._regression import SequenceRegressor
from skser.neural_network.modules.concordance import ConcordanceLoss, KnownSquaredError
from skser.neural_network.modules.priors import GaussianPrior


@insert_descriptions(ADVERSARIAL)
class AdversarialAERegressor(AdversarialLatents, SequenceRegressor):
    """Adversarial autoencoder whose emotion latent is valence, activation and dominance.

    The network of `AdversarialAEClassifier`; the nodes of the emotion latent are the targets,
    standardised for training, and their prior is standard normal. Missing targets are NaN: an
    utterance without any takes part in reconstruction and regularisation only.

    Parameters
    ----------
    {hidden_units}
    {filters}
    {n_heads}
    {n_style}
    {decoder_units}
    {discriminator_units}
    {reconstruction_weight}
    {adversarial_weight}
    {supervised_weight}
    {n_discriminator_updates}
    {noise}
    {dropout}
    loss : {"ccc", "squared_error"}, default="ccc"
        Supervised loss: 1 minus Lin's concordance correlation coefficient of each target over
        the batch, or the squared error of the standardised targets.
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
    target_names_ : list of str
        Columns of a DataFrame y; else "valence", "activation" and "dominance" for three
        targets, and "target0" and so on for another number.
    {net_}
    {history_}
    {n_iter_}
    {n_features_in_}
    {reconstructed_features_}

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
        """Draw made-up utterances.

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
