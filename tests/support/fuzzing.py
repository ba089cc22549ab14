"""Audio files that no honest program writes, and a child process that reads them under watch.

    python -m tests.support.fuzzing FOLDER SEED FIRST LAST

Every file follows from a seed and a number, so that a finding can be repeated by its number. A
child process writes one file after the other, reads it, gives it to a transformer, and prints a
line about it; `watched` is the parent, which knows a crash from a hang and starts the next child
behind it.
"""

import json
import os
import resource
import selectors
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

from skser.audio import AudioReadError, Waveform, load_audio, stream_audio
from tests.support.hostile_audio import HOSTILE, MUTATORS, whole_files

MOST_SECONDS = 10.0  # of the processor: others may be at work on the same machine
MOST_BYTES = 2 * 2**30
# What a child may map beyond what it has mapped when everything is loaded.
_HEADROOM = 2**30
_MOST_SAMPLES = 2**27
_MOST_SECONDS_TO_START = 600
_RATE = 16000
_NAMES = (
    "{}{}", "with space {}{}", "Grüße {}{}", "Gru\u0308ße {}{}", "😀 {}{}", "new\nline {}{}",
    "back\\slash {}{}", "C:\\dir\\{}{}", "-{}{}", "%s%n {}{}", "{}'\"$(touch executed){}",
    "\udcff {}{}",
)  # fmt: skip
_WRONG_SUFFIXES = (
    "", ".wav", ".WAV", ".mp3", ".flac", ".raw", ".ul", ".al", ".gsm", ".vox", ".sd2", ".txt",
    ".npy", ".pkl", ".wav.exe",
)  # fmt: skip


def file_of(seed, number):
    """The file of a number.

    Returns
    -------
    name : str
        Of the file, without a folder.
    content : bytes
    kind : str
        How it was made.
    """
    random = np.random.default_rng([seed, number])
    if number % 5 == 4:
        kind = str(random.choice(list(HOSTILE)))
        suffix, content = HOSTILE[kind](random)
    else:
        names = list(whole_files())
        source = names[(number - number // 5) % len(names)]
        suffix, content = whole_files()[source]
        kinds = random.choice(list(MUTATORS), size=1 + (random.random() < 0.2), replace=False)
        for chosen in kinds:
            content = MUTATORS[chosen](random, content)
        kind = " and ".join([source, *kinds])
    if random.random() < 0.3:
        suffix = str(random.choice(_WRONG_SUFFIXES))
    return str(random.choice(_NAMES)).format(number, suffix), content, kind


# The child ------------------------------------------------------------------------------


def transformers(folder):
    """What every file that can be read is given to, in turn: functions of path and samples."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skser.datasets import make_emotional_speech
    from skser.feature_extraction import (
        MFCC,
        FrameFeatures,
        Functionals,
        LevelContour,
        MelSpectrogram,
        OpenSmile,
        Spectrogram,
        SpeechEmbedding,
    )
    from skser.inspection import emotion_timeline
    from skser.preprocessing import VoiceActivityTrimmer
    from tests.support.checkpoints import save_speech_checkpoint

    checkpoint = Path(folder) / "checkpoint"
    if not checkpoint.exists():
        save_speech_checkpoint("wav2vec2", checkpoint)
    corpus = make_emotional_speech(2, 10, random_state=0)
    features = Functionals(FrameFeatures(("energy",), input_sampling_rate=corpus.sampling_rate))
    model = make_pipeline(features, StandardScaler(), LogisticRegression())
    model.fit(corpus.data, corpus.target)
    steps = [
        MelSpectrogram(deltas=2, memory=Path(folder) / "cache"),
        MFCC(),
        Spectrogram(),
        LevelContour(),
        FrameFeatures(),
        Functionals(FrameFeatures()).fit(None),
        OpenSmile(),
        SpeechEmbedding(checkpoint, device="cpu"),
        VoiceActivityTrimmer(),
    ]
    table = {}
    for step in steps:
        table[type(step).__name__] = lambda path, *_, step=step: step.transform([path])
    table["emotion_timeline"] = lambda path, *_: emotion_timeline(model, path).to_numpy(float)

    def wave(path, samples, rate):
        X = [path] if samples is None else [Waveform(samples, rate, path)]
        return MelSpectrogram().transform(X)

    table["Waveform"] = wave
    return table


def judge(path, use):
    """Read a file in every way, and say what came of it.

    Parameters
    ----------
    path : str
    use : callable
        One of `transformers`.

    Returns
    -------
    outcome : str
        "refused" or "read".
    told : str
        The reason, or what was read.

    Raises
    ------
    Exception
        Whatever should not happen.
    """
    samples, rate = None, None
    try:
        samples, rate = load_audio(path)
        told = f"{len(samples)} samples at {rate} Hz"
        _check_samples(samples)
    except AudioReadError as error:
        told = _named(error, path)
    try:
        pieces = [piece for piece, _ in stream_audio(path)]
        is_long = samples is None and "hours long" in told  # streams have no limit
        _require(samples is not None or is_long, f"streamed, but not loaded: {told}")
        _require(is_long or np.array_equal(np.concatenate(pieces), samples), "streamed others")
    except AudioReadError as error:
        _require(samples is None, f"loaded, but not streamed: {_named(error, path)}")
    try:
        result = use(path, samples, rate)
        values = np.concatenate([np.ravel(part) for part in result])
        _require(samples is not None, f"features of what cannot be read: {told}")
        _require(np.isfinite(values).all(), "features that are not finite")
    except AudioReadError as error:
        told = f"{told}; {_named(error, path)}"
    return ("refused" if samples is None else "read"), told


def _check_samples(samples):
    _require(isinstance(samples, np.ndarray) and samples.ndim == 1, "samples of a wrong shape")
    _require(samples.dtype == np.float32, f"samples are {samples.dtype}")
    _require(0 < len(samples) <= _MOST_SAMPLES, f"{len(samples)} samples")
    _require(np.isfinite(samples).all(), "samples that are not finite")


def _named(error, path):
    failures = [name for name, _ in error.failures]
    _require(
        len(failures) == 1 and failures[0].startswith(path), f"refused under the name {failures}"
    )
    _require("\n" not in str(error), "a reason of several lines")
    str(error).encode()
    return error.failures[0][1]


class Finding(AssertionError):
    """What should not happen."""


def _require(holds, otherwise):
    if not holds:
        raise Finding(otherwise)


def _most_resident():
    """Most bytes in memory so far; getrusage would count those of the parent before the fork."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _child(folder, seed, first, last):
    folder = Path(folder)
    # The libraries behind the reader write to the standard output what they like.
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    table = transformers(folder)
    os.chdir(folder)  # where what runs a file's code leaves a trace
    warm = folder / "warm.wav"
    warm.write_bytes(whole_files()["WAV PCM_16"][1])
    for use in table.values():
        judge(str(warm), use)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + _HEADROOM,) * 2)
    warnings.simplefilter("ignore", UserWarning)  # no speech found, say
    warnings.simplefilter("error", RuntimeWarning)  # overflow in a feature
    for number in range(first, last):
        name, content, kind = file_of(seed, number)
        path = folder / name
        path.write_bytes(content)
        print(json.dumps({"number": number, "kind": kind, "name": name}), file=reports, flush=True)
        name = list(table)[number % len(table)]
        started = time.process_time()
        try:
            outcome, told = judge(str(path), table[name])
            _require(not Path("executed").exists(), "code of a file was executed")
        except Exception as error:
            outcome = "finding"
            told = "".join(traceback.format_exception(error, limit=-4))
        used = _most_resident()
        seconds = round(time.process_time() - started, 4)
        report = {"outcome": outcome, "told": told, "s": seconds, "rss": used, "use": name}
        print(json.dumps(report), file=reports, flush=True)
        path.unlink()


# The parent -----------------------------------------------------------------------------


def watched(seed, first, last):
    """Judge the files of some numbers in child processes.

    Parameters
    ----------
    seed, first, last : int
        The numbers are `first` to ``last - 1``.

    Yields
    ------
    dict
        "number", "kind", "name", and "outcome" with what was "told": "refused" and "read" are as
        they should be; "finding", "crash", "hang" and "memory" are not. Unless the child came to
        its end over it, "use" is the transformer that had its turn, "s" the seconds of the
        processor that all took, and "rss" the most bytes that the child has had in memory so far.
    """
    root = Path(__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    with tempfile.TemporaryDirectory(prefix="skser-fuzz-") as folder:
        while first < last:
            errors = Path(folder) / "stderr.txt"
            with errors.open("wb") as stderr:
                arguments = [folder, *map(str, (seed, first, last))]
                child = subprocess.Popen(
                    [sys.executable, "-m", "tests.support.fuzzing", *arguments],
                    stdout=subprocess.PIPE, stderr=stderr, cwd=root, env=environment,
                )  # fmt: skip
            try:
                for report in _reports(child, errors):
                    yield report
                    first = report["number"] + 1
            finally:
                child.kill()
                child.wait()
                child.stdout.close()


def _reports(child, errors):
    """Reports of one child, the last one perhaps of its end."""
    begun = None
    for line in _lines(child.stdout):
        if line is None:
            if begun is None:
                raise RuntimeError("The child did not start.")
            yield {**begun, "outcome": "hang", "told": "does not come back"}
            return
        content = json.loads(line)
        if "number" in content:
            begun = content
            continue
        report = {**begun, **content}
        if report["s"] > MOST_SECONDS:
            report["outcome"] = "hang"
        elif report["rss"] > MOST_BYTES:
            report["outcome"] = "memory"
        yield report
        begun = None
        if report["outcome"] == "memory":
            return
    if child.wait() or begun is not None:
        told = errors.read_text("utf-8", "replace")[-2000:]
        if begun is None:
            raise RuntimeError(f"The child ended with {child.returncode}: {told}")
        yield {**begun, "outcome": "crash", "told": f"ended with {child.returncode}: {told}"}


def _lines(stream):
    """Lines of a pipe; None where one does not come in time."""
    # Without a buffer of Python's own, in which a line would wait that the selector cannot see.
    descriptor, left, started = stream.fileno(), b"", False
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if not selector.select(6 * MOST_SECONDS if started else _MOST_SECONDS_TO_START):
                yield None
                return
            content = os.read(descriptor, 2**16)
            if not content:
                return
            started = True
            *lines, left = (left + content).split(b"\n")
            yield from lines


if __name__ == "__main__":
    _child(sys.argv[1], *map(int, sys.argv[2:]))
