"""Audio from the microphone, in blocks."""

import queue

from skser._optional import import_optional

_BLOCK = 0.05  # length of a block, in seconds
_MOST = 1200  # blocks that may wait in the queue, which is one minute


def microphone(sampling_rate, device=None, seconds=None):
    """Yield blocks of samples from the microphone.

    Parameters
    ----------
    sampling_rate : int
        Sampling rate in Hz.
    device : int, str or None, default=None
        Number of a device, or a part of its name; None takes the system's default.
    seconds : float or None, default=None
        Length of the recording in seconds; None records until interrupted.

    Yields
    ------
    ndarray of shape (n_samples,), float32
        Samples of one block, mono.

    Raises
    ------
    ImportError
        If sounddevice is not installed.
    OSError
        If PortAudio is missing, the device cannot be opened or stops, or blocks were lost
        because the consumer is too slow.
    """
    try:
        sounddevice = import_optional("sounddevice", extra="live", purpose="skser listen")
    except OSError as error:
        raise OSError(
            f"skser listen needs PortAudio, which sounddevice cannot find ({error}). Install it "
            "with the system's package manager, for example: apt install libportaudio2."
        ) from error
    waiting = queue.Queue(_MOST)
    lost = []

    # Called in PortAudio's thread, which must not wait: a full queue loses the block.
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
                            "The microphone has stopped. Check that it is plugged in."
                        ) from None
                    continue
                if lost:
                    raise OSError(
                        f"The model is slower than real time: {sum(lost) / sampling_rate:g} s "
                        "of audio were lost. Give a longer --hop."
                    )
                yield block if left is None else block[:left]
                left = None if left is None else left - len(block)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise OSError(
            f"The microphone cannot be opened ({error}). Choose another one with --microphone, "
            "or another --rate; python -m sounddevice lists the devices."
        ) from error
