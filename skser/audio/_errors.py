"""What cannot be read, and why."""


class AudioReadError(ValueError):
    """Audio inputs that could not be read, each with its reason.

    Parameters
    ----------
    failures : list of (str, str)
        Name of the input (a path, or ``"utterance 3"`` for an array) and the reason.
    n_inputs : int, default=1
        How many inputs were tried.

    Attributes
    ----------
    failures : list of (str, str)
    n_inputs : int
    """

    __module__ = "skser.audio"  # where it is public

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
    """A name on one line, whatever it holds: line breaks, control codes, undecodable bytes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(name)) or "''"
