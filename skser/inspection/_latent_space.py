"""Plot of the two latents of an adversarial autoencoder."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skser.inspection._drawing import new_axes


class LatentSpaceDisplay:
    """Plot of the emotion and style latents of an adversarial autoencoder, side by side.

    A latent with more than two nodes is projected onto its first two principal axes.

    Parameters
    ----------
    emotion, style : ndarray of shape (n_utterances, n_nodes)
        Codes of the utterances in each latent.
    labels : array-like of shape (n_utterances,)
        Labels shown as colors, such as emotions or speakers.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, (2,)
        Axes of the emotion latent and of the style latent.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.inspection import LatentSpaceDisplay
    >>> codes = np.random.RandomState(0).randn(6, 2)
    >>> display = LatentSpaceDisplay.from_predictions(codes, codes[::-1], ["anger", "fear"] * 3)
    >>> [ax.get_title() for ax in display.axes_]
    ['emotion latent', 'style latent']
    """

    def __init__(self, emotion, style, labels):
        self.emotion = emotion
        self.style = style
        self.labels = labels

    @classmethod
    def from_estimator(cls, estimator, X, y, *, axes=None):
        """Plot the codes of utterances in the latents of a fitted autoencoder.

        Parameters
        ----------
        estimator : fitted AdversarialAEClassifier or AdversarialAERegressor
            Autoencoder, or a Pipeline that ends in one.
        X : any input that the estimator takes
            Utterances to encode.
        y : array-like of shape (n_utterances,)
            Labels shown as colors, such as emotions or speakers.
        axes : array of matplotlib Axes or None, default=None
            Two axes to draw on. With None, a new figure is created.

        Returns
        -------
        LatentSpaceDisplay
            Display with the plot.

        Raises
        ------
        TypeError
            If the estimator has no emotion and style latents.
        """
        check_is_fitted(estimator)
        if isinstance(estimator, Pipeline):
            X, estimator = estimator[:-1].transform(X), estimator[-1]
        if "latent" not in estimator.get_params():
            raise TypeError(
                f"{type(estimator).__name__} has no emotion and style latents. Give a fitted "
                "AdversarialAEClassifier or AdversarialAERegressor, or a Pipeline that ends in one."
            )
        # `latent` chooses what `transform` returns; it is set back for the estimator's owner.
        kept, codes = estimator.latent, []
        try:
            for latent in ("emotion", "style"):
                codes.append(np.asarray(estimator.set_params(latent=latent).transform(X)))
        finally:
            estimator.set_params(latent=kept)
        return cls.from_predictions(*codes, y, axes=axes)

    @classmethod
    def from_predictions(cls, emotion, style, labels, *, axes=None):
        """Plot given codes.

        Parameters
        ----------
        emotion, style : array-like of shape (n_utterances, n_nodes)
            Codes of the utterances in each latent.
        labels : array-like of shape (n_utterances,)
            Labels shown as colors.
        axes : array of matplotlib Axes or None, default=None
            Two axes to draw on. With None, a new figure is created.

        Returns
        -------
        LatentSpaceDisplay
            Display with the plot.
        """
        labels = column_or_1d(labels)
        check_consistent_length(emotion, style, labels)
        return cls(np.asarray(emotion), np.asarray(style), labels).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw one point per utterance, in the color of its label.

        Parameters
        ----------
        axes : array of matplotlib Axes or None, default=None
            Two axes to draw on. With None, a new figure is created.

        Returns
        -------
        self : object
            This display.
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
