"""Descriptions of the parameters that alterations share."""

DESCRIPTIONS = {
    # Of alterations that draw nothing.
    "given": """samples : ndarray of shape (n_samples,), float32
    Mono samples.
sampling_rate : float
    Sampling rate in Hz.
random_state : numpy.random.RandomState
    Not used.""",
}
