"""Regressor of the adversarial autoencoder (Parthasarathy et al., 2019; Makhzani et al., 2016)."""

from numbers import Integral

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_random_state, check_scalar
from sklearn.utils._param_validation import StrOptions

from skser._docstrings import insert_descriptions
from skser.neural_network._adversarial_latents import AdversarialLatents
from skser.neural_network._adversarial_parameters import ADVERSARIAL
from skser.neural_network._parameters import extend_signature
from skser.neural_network._regression import SequenceRegressor
from skser.neural_network.modules.concordance import ConcordanceLoss, KnownSquaredError
from skser.neural_network.modules.priors import GaussianPrior


@insert_descriptions(ADVERSARIAL)
class AdversarialAERegressor(AdversarialLatents, SequenceRegressor):
    """Adversarial autoencoder whose emotion latent holds valence, activation and dominance.

    The architecture is that of `AdversarialAEClassifier`. Each node of the emotion latent is a
    target, standardized for training; the prior of the latent is standard normal. Mark missing
    targets with NaN. An utterance without any target takes part in the reconstruction,
    discrimination and generator phases only.

    Parameters
    ----------
    {hidden_units}
    {filters}
    {n_heads}
    {n_style}
    {decoder_units}
    {discriminator_units}
    loss : {"ccc", "squared_error"}, default="ccc"
        Supervised loss. "ccc": 1 minus Lin's concordance correlation coefficient of each target
        over the batch. "squared_error": squared error of the standardized targets.
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
    target_names_ : list of str
        Name of each target: the columns of y if it is a DataFrame; otherwise "valence",
        "activation" and "dominance" for three targets, or "target0", "target1" and so on.
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
    >>> y[20:] = np.nan  # the second half has no targets
    >>> model = AdversarialAERegressor(max_epochs=20, device="cpu", random_state=0).fit(X, y)
    >>> model.predict(X).shape, model.get_feature_names_out().tolist()
    ((40, 3), ['valence', 'activation', 'dominance'])
    """

    _parameter_constraints = {
        **SequenceRegressor._parameter_constraints,
        **AdversarialLatents._parameter_constraints,
        "loss": [StrOptions({"ccc", "squared_error"})],
    }

    @extend_signature(AdversarialLatents.__init__)
    def __init__(self, *args, loss="ccc", **kwargs):
        super().__init__(*args, **kwargs)
        self.loss = loss

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
            raise ValueError(f"y holds no targets: all values in its {len(y)} rows are NaN.")
        if reset:
            names = _target_names(y.shape[1]) if columns is None else [str(c) for c in columns]
            for name, mask in zip(names, known.T, strict=True):
                if not mask.any():
                    raise ValueError(
                        f"y holds no targets for {name!r}: all values of the column are NaN. "
                        "Remove the column, or give the target of at least 1 utterance."
                    )
            self.target_names_ = names
            self._target_is_1d = is_1d
            self._target_mean = np.nanmean(y, axis=0)
            self._target_scale = np.nanstd(y, axis=0)
            self._target_scale[self._target_scale == 0] = 1  # a constant target
        else:
            self._check_names(y.shape[1], columns)
        return ((y - self._target_mean) / self._target_scale).astype(np.float32)

    def _check_names(self, n_targets, columns):
        """Raise ValueError if targets are not those of `fit`."""
        if n_targets != self._n_outputs:
            raise ValueError(
                f"y has {n_targets} targets, but the {type(self).__name__} was fitted on "
                f"{self._n_outputs}."
            )
        names = self.target_names_ if columns is None else [str(column) for column in columns]
        if names != self.target_names_:
            raise ValueError(
                f"y has the columns {names}; they must be {self.target_names_}, in this order."
            )

    def _make_criterion(self, targets):
        return ConcordanceLoss() if self.loss == "ccc" else KnownSquaredError()

    def _emotion_names(self):
        return self.target_names_

    def _from_nodes(self, codes):
        return codes * self._target_scale + self._target_mean

    def sample(self, n_samples=1, y=None):
        """Generate utterances with given targets, and with styles sampled from their prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of utterances to generate.
        y : array-like of shape (n_targets,) or (n_samples, n_targets), or None, default=None
            Targets of the utterances. None samples them from the prior.

        Returns
        -------
        ndarray of shape (n_samples, n_reconstructed), float64
            Generated utterances, with the columns of `reconstruct`. `random_state` seeds them.

        Raises
        ------
        ValueError
            If the shape of `y` does not match, or `reconstruction_weight` was 0 in `fit`.
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
            raise ValueError(f"y has the shape {y.shape}; it must be {shape[1:]} or {shape}.")
        emotion = (y - self._target_mean) / self._target_scale
        return self._decode(np.broadcast_to(emotion, shape).copy(), random)

    def score(self, X, y, sample_weight=None):
        """Return the coefficient of determination, ignoring missing targets.

        Parameters
        ----------
        X : 2-D array, Sequences, list of 2-D arrays (n_frames, n_columns), or 3-D array
            Utterances: vectors or frames, as in `fit`.
        y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
            True targets. Missing ones are NaN.
        sample_weight : array-like of shape (n_utterances,) or None, default=None
            Weight of each utterance. None weights all equally.

        Returns
        -------
        float
            Mean of R² over the targets.

        Raises
        ------
        ValueError
            If y has other targets than in `fit`, or in another order.
        """
        columns = getattr(y, "columns", None)
        y = check_array(
            y, dtype=np.float64, ensure_2d=False, ensure_all_finite="allow-nan", input_name="y"
        ).reshape(len(y), -1)
        self._check_names(y.shape[1], columns)
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
