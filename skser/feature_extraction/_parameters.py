"""Descriptions of the parameters that several transformers share."""

DESCRIPTIONS = {
    "sources": """\
X : list or 1-D array of sources, or DataFrame
    Audio. A source is a path, a `skser.audio.Utterance`, a `skser.audio.Waveform`, the
    content of a file, or a 1-D array, which needs `input_sampling_rate`. A DataFrame holds
    the sources in its column ``audio``; its columns ``start`` and ``end``, in seconds, and
    ``channel`` are optional.""",
    "sampling_rate": """\
sampling_rate : float, default=16000
    Sampling rate at which features are computed, in Hz. Audio at other rates is resampled.""",
    "input_sampling_rate": """\
input_sampling_rate : float or None, default=None
    Sampling rate of the arrays given to `transform`, in Hz. Files state their own.""",
    "n_jobs": """\
n_jobs : int or None, default=None
    Number of threads (for spectra) or processes (for everything else), as in joblib. None is
    one, unless `joblib.parallel_config` sets another number.""",
    "verbose": """\
verbose : bool, default=False
    Whether to draw a progress bar over the utterances.""",
    "on_error": """\
on_error : {"raise", "empty"}, default="raise"
    Treatment of unreadable utterances, after all others are done: "raise" names them in an
    error; "empty" gives each of them 0 frames and names them in a warning.""",
    "memory": """\
memory : path-like or None, default=None
    Folder that caches each utterance's features, so that they are computed only once. None
    caches nothing.""",
    "window": """\
window : float, default=0.025
    Length of the analysis window, in seconds.""",
    "hop": """\
hop : float, default=0.010
    Time between successive frames, in seconds.""",
    "window_type": """\
window_type : str or tuple, default="hamming"
    Shape of the window: any that `scipy.signal.get_window` accepts.""",
    "n_fft": """\
n_fft : int or None, default=None
    Length of the Fourier transform, in samples. None uses the smallest power of two that holds
    the window.""",
    "mel_range": """\
fmin, fmax : float, default=50.0, 8000.0
    Lower and upper limit of the mel bands, in Hz. An `fmax` of None, or one above half the
    sampling rate, means half the sampling rate.""",
    "n_mels": """\
n_mels : int, default=64
    Number of mel bands.""",
    "deltas": """\
deltas : {0, 1, 2}, default=0
    Number of derivatives to append as channels. Each is the slope, per frame, of a regression
    line over nine frames of the channel before it.""",
    "device": """\
device : str or None, default=None
    Backend of the computation. None is NumPy on the CPU. A torch device ("cuda", "mps" or
    "cpu") computes many utterances at a time, while `n_jobs` threads only read them; "auto"
    is the first of these devices that is available. The torch device "cpu" is slower than
    None.""",
    "precision": """\
precision : {"float32", "bfloat16"}, default="float32"
    Floating-point type of the layers' arithmetic. CPUs without instructions for bfloat16 (AMX, or
    AVX-512 on x86) are many times slower with it, with a warning.""",
    "revision": """\
revision : str or None, default=None
    Branch, tag or commit on the hub. None is the main branch.""",
    "allow_pickle": """\
allow_pickle : bool, default=False
    Whether to accept weights that are not stored as safetensors. Such a file can run code
    while it is loaded.""",
}
