"""Models that come with the package."""

from pathlib import Path

from skser.persistence._load import read_model

_FOLDER = Path(__file__).parent / "models"


def list_pretrained():
    """Names that `load_pretrained` takes.

    Returns
    -------
    list of str

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
    weights on EmoDB (CC0): German, acted, ten sentences, seven emotions. Its card, with what it
    recognises and what it does not, is `skser.persistence.read_info`'s ``card``, and what
    ``skser info emodb-afcn`` prints.

    Parameters
    ----------
    name : str
        Of `list_pretrained`.
    device : str or None, default=None
        Torch device; None takes "auto".

    Returns
    -------
    Pipeline
        Takes audio files of any format and rate, from 25 ms on.

    Raises
    ------
    ValueError
        If there is none of that name.

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
    # Tested with every version that the package supports, so nothing is said of versions.
    return read_model(path_of(name), device)[0]


def path_of(name):
    """File of a model that comes with the package."""
    if name not in list_pretrained():
        raise ValueError(
            f"No model {name!r} comes with the package; there are {list_pretrained()}. Files are "
            "loaded by skser.load."
        )
    return _FOLDER / f"{name}.skser"
