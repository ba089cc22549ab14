"""Complete systems from audio to emotion: published ones, and the best of this package."""

from skser.pipelines._networks import attention_fcn, gans2020, zhang2018
from skser.pipelines._recommended import fcn_and_functionals, functionals, whisper_linear

__all__ = [
    "attention_fcn",
    "fcn_and_functionals",
    "functionals",
    "gans2020",
    "whisper_linear",
    "zhang2018",
]
