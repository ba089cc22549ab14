"""Adaptation of a model to the recordings that it is about to predict."""

from skser.audio import AudioReadError, utterance_name
from skser.cli._console import complain, messages


def adapted(model, recordings):
    """Return a copy of a model, adapted to recordings without labels.

    Recordings that cannot be read are left out; predicting them reports why.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
    recordings : list of str or Utterance

    Returns
    -------
    estimator

    Raises
    ------
    ValueError
        If the model is an ONNX file, or has no statistics to adapt.
    """
    from skser.compose import adapt

    if not hasattr(model, "fit"):
        raise ValueError(
            "--adapt changes a model, which an ONNX file does not allow. Give a --model saved as "
            ".skser."
        )
    try:
        copy = adapt(model, recordings)
    except AudioReadError as error:
        failed = {name for name, _ in error.failures}
        recordings = [
            one for i, one in enumerate(recordings) if utterance_name(one, i) not in failed
        ]
        if not recordings:
            return model
        copy = adapt(model, recordings)
    if len(recordings) == 1:
        complain(
            "--adapt with one recording changes nothing, since its emotion and its setting cannot "
            "be separated. Give several that vary in emotion.",
            "warning",
        )
    else:
        messages.print(f"adapted to {len(recordings)} recordings")
    return copy
