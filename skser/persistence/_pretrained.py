"""Models that come with the package."""

from pathlib import Path

from skser._optional import import_optional
from skser.persistence._description import estimators_of
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
    ['emodb-afcn', 'emodb-functionals', 'emodb-whisper']
    """
    return sorted(path.stem for path in _FOLDER.glob("*.skser"))


def load_pretrained(name="emodb-whisper", *, device=None):
    """Load a model that comes with the package.

    All are trained on EmoDB (CC0): German, acted, ten sentences, seven emotions. Their cards say
    what they recognize and what they do not: ``skser info emodb-whisper``.

    - ``"emodb-whisper"``, the most accurate one: `skser.pipelines.whisper_linear`, trained in
      noise, rooms and other conditions. It gives no label to recordings without speech and to
      those that are unlike its training. It needs the extra ``embeddings``;
      ``skser.load_onnx("emodb-whisper")`` predicts the same without it, and without torch.
    - ``"emodb-functionals"``: `skser.pipelines.functionals`, trained in conditions as well. It
      refuses such recordings, too, and needs no pretrained weights.
    - ``"emodb-afcn"``, an example of a network: `skser.pipelines.attention_fcn`, trained in
      conditions as well. It always answers.

    Parameters
    ----------
    name : str, default="emodb-whisper"
        Name from `list_pretrained`.
    device : str or None, default=None
        Torch device; None means "auto".

    Returns
    -------
    RejectingClassifier or Pipeline
        Takes audio files of any format and sampling rate, of at least 25 ms.

    Raises
    ------
    ValueError
        If no model of that name comes with the package.
    ImportError
        If the model needs a library that is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import skser
    >>> from skser.audio import Waveform
    >>> model = skser.load_pretrained("emodb-functionals")
    >>> noise = Waveform(np.random.RandomState(0).randn(16000), 16000)
    >>> model.predict([noise]).tolist()
    ['unknown']
    >>> model.classes_.tolist()
    ['anger', 'boredom', 'disgust', 'fear', 'happiness', 'neutral', 'sadness']
    """
    # These files are tested with every version that the package supports: no warning is needed.
    model, _ = read_model(path_of(name), device, trusted=True)
    if any("checkpoint" in part.get_params(deep=False) for _, part in estimators_of(model)):
        _require_transformers(name)
    return model


def _require_transformers(name):
    try:
        import_optional("transformers", extra="embeddings", purpose=name)
    except ImportError as error:
        raise ImportError(
            f"{error} The ONNX file of this model needs neither it nor torch: "
            f"skser.load_onnx({name!r})."
        ) from error


def path_of(name):
    """Return the file of a model that comes with the package.

    Parameters
    ----------
    name : str
        Name from `list_pretrained`.

    Examples
    --------
    >>> from skser.persistence import path_of
    >>> path_of("emodb-functionals").name
    'emodb-functionals.skser'
    """
    if name not in list_pretrained():
        raise ValueError(
            f"No model {name!r} comes with the package, which has {list_pretrained()}. Use "
            "skser.load for files."
        )
    return _FOLDER / f"{name}.skser"
