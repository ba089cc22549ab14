"""Tasks for worker processes, in a module that they import without torch."""

import os
import signal
from pathlib import Path

import numpy as np


def square_or_die_once(i, mark):
    if i == 7 and not os.path.exists(mark):
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return i**2


def leave_a_mark(path):
    Path(path).touch()


def means(X):
    return np.stack([frames.mean(axis=0) for frames in X])
