"""Models that come with the package."""

from pathlib import Path

from skser.persistence._load import read_model

_FOLDER = Path(__file__).parent / "models"


def list_pretrained():
    """List the models that come with the package.

    Returns
    -------
    list of str
        Names for `load_pretrained`.

    Examples
    --------
    >>> from skser.persistence import list_pretrained
    >>> list_pretrained()
    ['emodb-afcn']
    """
    return sorted(path.stem for path in _FOLDER.glob("*.skser"))


def load_pretrained(name, *, device=None):
    """Load a model that comes with the package.

    ``"emodb-afcn"``: the attention FCN of `skser.pipelines.attention_fcn`, trained from random
    weights on EmoDB (CC0): German, acted, ten sentences, seven emotions. Its model card says what
    it recognizes and what it does not: ``skser info emodb-afcn``.

    Parameters
    ----------
    name : str
        Name from `list_pretrained`.
    device : str or None, default=None
        Torch device; None means "auto".

    Returns
    -------
    Pipeline
        Takes audio files of any format and sampling rate, of at least 25 ms.

    Raises
    ------
    ValueError
        If no model of that name comes with the package.

    Examples
    --------
    >>> import numpy as np
    >>> import skser
    >>> from skser.audio import Waveform
    >>> model = skser.load_pretrained("emodb-afcn")
    >>> noise = Waveform(np.random.RandomState(0).randn(16000), 16000)
    >>> model.predict_proba([noise]).shape
    (1, 7)
    >>> model.classes_.tolist()
    ['anger', 'boredom', 'disgust', 'fear', 'happiness', 'neutral', 'sadness']
    """
    # These files are tested with every version that the package supports: no warning is needed.
    return read_model(path_of(name), device, trusted=True)[0]


def path_of(name):
    """Return the file of a model that comes with the package.

    Parameters
    ----------
    name : str
        Name from `list_pretrained`.
    """
    if name not in list_pretrained():
        raise ValueError(
            f"No model {name!r} comes with the package, which has {list_pretrained()}. Use "
            "skser.load for files."
        )
    return _FOLDER / f"{name}.skser"
