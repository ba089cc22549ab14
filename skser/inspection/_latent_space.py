"""Picture of what two latents tell apart."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skser.inspection._drawing import new_axes


class LatentSpaceDisplay:
    """Emotion and style latents of an adversarial autoencoder, side by side.

    Each latent is drawn on its two principal axes, if it has more.

    Parameters
    ----------
    emotion, style : ndarray of shape (n_utterances, n_nodes)
        Codes.
    labels : array-like of shape (n_utterances,)
        What the colours tell, such as emotions, or speakers.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, (2,)
    figure_ : matplotlib Figure
    """

    def __init__(self, emotion, style, labels):
        self.emotion = emotion
        self.style = style
        self.labels = labels

    @classmethod
    def from_estimator(cls, estimator, X, y, *, axes=None):
        """Draw the codes that a fitted autoencoder gives utterances.

        Parameters
        ----------
        estimator : fitted AdversarialAEClassifier or AdversarialAERegressor
            Or a Pipeline that ends with one.
        X : whatever the estimator takes
        y : array-like of shape (n_utterances,)
            What the colours tell, such as emotions, or speakers.
        axes : array of matplotlib Axes or None, default=None
            Two; None makes a new figure.

        Returns
        -------
        LatentSpaceDisplay
        """
        check_is_fitted(estimator)
        if isinstance(estimator, Pipeline):
            X, estimator = estimator[:-1].transform(X), estimator[-1]
        if "latent" not in estimator.get_params():
            raise TypeError(f"{type(estimator).__name__} has no emotion and style latents.")
        kept, codes = estimator.latent, []
        try:
            for latent in ("emotion", "style"):
                codes.append(np.asarray(estimator.set_params(latent=latent).transform(X)))
        finally:
            estimator.set_params(latent=kept)
        return cls.from_predictions(*codes, y, axes=axes)

    @classmethod
    def from_predictions(cls, emotion, style, labels, *, axes=None):
        """Draw codes.

        Parameters
        ----------
        emotion, style : array-like of shape (n_utterances, n_nodes)
        labels : array-like of shape (n_utterances,)
            What the colours tell.
        axes : array of matplotlib Axes or None, default=None
            Two; None makes a new figure.

        Returns
        -------
        LatentSpaceDisplay
        """
        labels = column_or_1d(labels)
        check_consistent_length(emotion, style, labels)
        return cls(np.asarray(emotion), np.asarray(style), labels).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw a point per utterance, in the colour of its label.

        Parameters
        ----------
        axes : array of matplotlib Axes or None, default=None
            Two; None makes a new figure.

        Returns
        -------
        self : object
        """
        if axes is None:
            axes = new_axes(self, ncols=2, figsize=(10, 4.5))
        labels = np.asarray(self.labels)
        for ax, name, codes in zip(
            axes, ("emotion", "style"), (self.emotion, self.style), strict=True
        ):
            points = PCA(2).fit_transform(codes) if codes.shape[1] > 2 else codes
            if points.shape[1] == 1:
                points = np.column_stack([points, np.zeros(len(points))])
            for label in np.unique(labels):
                ax.scatter(*points[labels == label].T, s=12, alpha=0.7, label=str(label))
            axis = "principal axis" if codes.shape[1] > 2 else "node"
            ax.set(title=f"{name} latent", xlabel=f"{axis} 1", ylabel=f"{axis} 2")
        axes[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
        self.axes_, self.figure_ = np.asarray(axes), axes[0].figure
        return self
