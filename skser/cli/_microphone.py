"""The microphone, as an iterator of blocks."""

import queue

from skser._optional import import_optional

_BLOCK = 0.05  # seconds
_MOST = 1200  # blocks that wait, a minute


def microphone(sampling_rate, device=None, seconds=None):
    """Yield blocks of samples of the microphone.

    Parameters
    ----------
    sampling_rate : int
        In Hz.
    device : int, str or None, default=None
        Number of a device or a part of its name; None takes the system's.
    seconds : float or None, default=None
        Length of the recording; None listens until it is interrupted.

    Yields
    ------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    ImportError
        If sounddevice is not installed.
    OSError
        If PortAudio is missing, or the device cannot be opened or has stopped.
    """
    try:
        sounddevice = import_optional("sounddevice", extra="live", purpose="skser listen")
    except OSError as error:
        raise OSError(
            f"skser listen needs PortAudio, which sounddevice does not find ({error}): install "
            "it with the system's packages, such as apt install libportaudio2."
        ) from error
    waiting = queue.Queue(_MOST)
    lost = []

    def keep(block, n_frames, time, status):
        try:
            waiting.put_nowait(block[:, 0].copy())
        except queue.Full:
            lost.append(n_frames)

    left = None if seconds is None else round(seconds * sampling_rate)
    try:
        with sounddevice.InputStream(
            samplerate=sampling_rate, blocksize=round(_BLOCK * sampling_rate), device=device,
            channels=1, dtype="float32", callback=keep,
        ) as stream:  # fmt: skip
            while left is None or left > 0:
                try:
                    block = waiting.get(timeout=1.0)
                except queue.Empty:
                    if not stream.active:
                        raise OSError(
                            "The microphone has stopped: is it still plugged in?"
                        ) from None
                    continue
                if lost:
                    raise OSError(
                        f"The model is slower than the speech: {sum(lost) / sampling_rate:g} s "
                        "were lost. Give a longer --hop."
                    )
                yield block if left is None else block[:left]
                left = None if left is None else left - len(block)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise OSError(
            f"The microphone cannot be opened ({error}): choose another with --microphone, or "
            "another --rate; python -m sounddevice lists what there is."
        ) from error
