"""Descriptions of the parameters that transformers of audio share."""

DESCRIPTIONS = {
    "audio": """\
X : list or 1-D array of paths, list or object array of 1-D arrays, or DataFrame
    Audio; arrays need `input_sampling_rate`. A DataFrame is taken by its column
    ``audio``.""",
    "sampling_rate": """\
sampling_rate : float, default=16000
    Rate that features are computed at, in Hz; other rates are resampled.""",
    "input_sampling_rate": """\
input_sampling_rate : float or None, default=None
    Rate of arrays given to `transform`, in Hz.""",
    "n_jobs": """\
n_jobs : int or None, default=None
    Number of processes, as in joblib.""",
    "verbose": """\
verbose : bool, default=False
    Whether to draw a progress bar over utterances.""",
    "on_error": """\
on_error : {"raise", "empty"}, default="raise"
    What to do about unreadable utterances once all others are done: name them in an
    error, or leave each with 0 frames and name them in a warning.""",
    "memory": """\
memory : path-like or None, default=None
    Folder that stores each utterance's features, so that they are computed once.""",
    "window": """\
window : float, default=0.025
    Length of the analysis window, in seconds.""",
    "hop": """\
hop : float, default=0.010
    Time between successive frames, in seconds.""",
    "window_type": """\
window_type : str or tuple, default="hamming"
    Any window of `scipy.signal.get_window`.""",
    "n_fft": """\
n_fft : int or None, default=None
    Length of the Fourier transform, in samples; None takes the next power of two.""",
    "mel_range": """\
fmin, fmax : float, default=50.0, 8000.0
    Range of the mel bands, in Hz; None as `fmax`, or anything above it, means half the
    sampling rate.""",
    "n_mels": """\
n_mels : int, default=64
    Number of mel bands.""",
    "device": """\
device : str or None, default=None
    Backend of the computation. None is NumPy on the CPU. A torch device ("cuda", "mps" or
    "cpu", the last slower than None), or "auto" for the first of these that is there,
    computes many utterances at a time; `n_jobs` processes then only read them.""",
}
