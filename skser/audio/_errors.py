"""Error for audio that cannot be read."""

_LONGEST_NAME = 1000


class AudioReadError(ValueError):
    """Audio inputs that could not be read, each with its reason.

    Parameters
    ----------
    failures : list of (str, str)
        Name (a path, or ``"utterance 3"`` for an array) and reason of each input that failed.
    n_inputs : int, default=1
        Number of inputs that were read or tried.

    Attributes
    ----------
    failures : list of (str, str)
        Name and reason of each input that failed.
    n_inputs : int
        Number of inputs that were read or tried.

    Examples
    --------
    >>> from skser.audio import AudioReadError
    >>> from skser.feature_extraction import MelSpectrogram
    >>> try:
    ...     MelSpectrogram().transform(["missing.wav"])
    ... except AudioReadError as error:
    ...     print([name for name, _ in error.failures])
    ['missing.wav']
    """

    __module__ = "skser.audio"  # tracebacks and pickles show the public location

    def __init__(self, failures, n_inputs=1):
        super().__init__(failures, n_inputs)
        self.failures = failures
        self.n_inputs = n_inputs

    def __str__(self):
        listed = "; ".join(f"{printable(name)}: {reason}" for name, reason in self.failures)
        if self.n_inputs == 1:
            return listed
        return f"{len(self.failures)} of {self.n_inputs} inputs could not be used: {listed}"


def printable(name):
    """Return a name on one line, with line breaks, control codes and broken bytes escaped.

    The middle of a name that is far longer than paths are is left out.
    """
    name = str(name)
    if len(name) > _LONGEST_NAME:
        name = f"{name[:100]}…{name[-100:]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name) or "''"
