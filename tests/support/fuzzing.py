"""Corrupted and hostile audio files, and a watched child process that reads them.

    python -m tests.support.fuzzing FOLDER SEED FIRST LAST

Every file is determined by a seed and a number, so that a finding can be reproduced by its number.
A process writes one file after the other. For each it forks a child, which reads the file, passes
it to a transformer and prints a line about it. `watched` detects crashes and hangs, and starts
another process after them and after a hundred files.
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

MOST_SECONDS = 10.0  # processor time, which does not depend on other processes
MOST_BYTES = 2 * 2**30
# Bytes that a child may map in addition to what it maps once everything is loaded.
_HEADROOM = 2**30
_MOST_SAMPLES = 2**27
_CHILDREN = 100  # of one process
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
    """Create the file of a seed and a number.

    Returns
    -------
    name : str
        Name of the file, without a folder.
    content : bytes
        Content of the file.
    kind : str
        Description of how the file was made.
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


def transformers(folder):
    """Return functions of path, samples and rate by name, of which each file is passed to one."""
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
    """Read a file in every way and check that all of them agree.

    Parameters
    ----------
    path : str
        File to read.
    use : callable
        One of the functions of `transformers`.

    Returns
    -------
    outcome : str
        "refused" or "read".
    reason : str
        Reason of the refusal, or number of samples and rate that were read.

    Raises
    ------
    Exception
        `Finding`, or any other exception but AudioReadError, if something is wrong.
    """
    samples, rate = None, None
    try:
        samples, rate = load_audio(path)
        reason = f"{len(samples)} samples at {rate} Hz"
        _check_samples(samples)
    except AudioReadError as error:
        reason = _named(error, path)
    try:
        pieces = [piece for piece, _ in stream_audio(path)]
        is_long = samples is None and "hours long" in reason  # streams have no limit
        _require(samples is not None or is_long, f"streamed, but not loaded: {reason}")
        _require(is_long or np.array_equal(np.concatenate(pieces), samples), "streamed others")
    except AudioReadError as error:
        _require(samples is None, f"loaded, but not streamed: {_named(error, path)}")
    try:
        result = use(path, samples, rate)
        values = np.concatenate([np.ravel(part) for part in result])
        _require(samples is not None, f"features of an unreadable file: {reason}")
        _require(np.isfinite(values).all(), "features that are not finite")
    except AudioReadError as error:
        reason = f"{reason}; {_named(error, path)}"
    return ("refused" if samples is None else "read"), reason


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
    """Result that should not occur."""


def _require(holds, otherwise):
    if not holds:
        raise Finding(otherwise)


def _most_resident():
    """Return the peak memory in bytes; getrusage would include the parent before the fork."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _child(folder, seed, first, last):
    folder = Path(folder)
    # Audio libraries write to standard output, so reports need a descriptor of their own.
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    table = transformers(folder)
    os.chdir(folder)  # where code executed from a file would leave a trace
    warm = folder / "warm.wav"
    warm.write_bytes(whole_files()["WAV PCM_16"][1])
    for use in table.values():
        judge(str(warm), use)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + _HEADROOM,) * 2)
    warnings.simplefilter("ignore", UserWarning)  # such as "no speech was found"
    warnings.simplefilter("error", RuntimeWarning)  # overflow in a feature
    for number in range(first, last):
        name, content, kind = file_of(seed, number)
        path = folder / name
        path.write_bytes(content)
        print(json.dumps({"number": number, "kind": kind, "name": name}), file=reports, flush=True)
        child = os.fork()
        if child == 0:
            name = list(table)[number % len(table)]
            print(json.dumps(_report(path, name, table[name])), file=reports, flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        path.unlink()
        if status:
            os._exit(os.waitstatus_to_exitcode(status) % 256)


def _report(path, name, use):
    """Judge a file with a transformer, and return the report."""
    started = time.process_time()
    try:
        outcome, reason = judge(str(path), use)
        _require(not Path("executed").exists(), "code of a file was executed")
    except Exception as error:
        outcome = "finding"
        reason = "".join(traceback.format_exception(error, limit=-4))
    seconds = round(time.process_time() - started, 4)
    used = _most_resident()
    return {"outcome": outcome, "reason": reason, "s": seconds, "rss": used, "use": name}


def watched(seed, first, last):
    """Judge the files of some numbers in child processes.

    Parameters
    ----------
    seed, first, last : int
        Seed and range of the files, whose numbers are `first` to ``last - 1``.

    Yields
    ------
    dict
        Report with "number", "kind", "name", "outcome" and "reason". The outcomes "refused" and
        "read" are expected; "finding", "crash", "hang" and "memory" are not. Unless the child
        ended, "use" is the name of the transformer, "s" the processor time in seconds, and "rss"
        the peak memory of the child so far in bytes.
    """
    root = Path(__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    with tempfile.TemporaryDirectory(prefix="skser-fuzz-") as folder:
        while first < last:
            errors = Path(folder) / "stderr.txt"
            with errors.open("wb") as stderr:
                end = min(first + _CHILDREN, last)
                arguments = [folder, *map(str, (seed, first, end))]
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
    """Yield the reports of one child, including one of its crash or hang."""
    begun = None
    for line in _lines(child.stdout):
        if line is None:
            if begun is None:
                raise RuntimeError("The child did not start.")
            yield {**begun, "outcome": "hang", "reason": "does not return"}
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
        reason = errors.read_text("utf-8", "replace")[-2000:]
        if begun is None:
            raise RuntimeError(f"The child ended with {child.returncode}: {reason}")
        yield {**begun, "outcome": "crash", "reason": f"ended with {child.returncode}: {reason}"}


def _lines(stream):
    """Yield the lines of a pipe, and None if the next one does not arrive in time."""
    # Read without Python's buffer, which could hold a line that the selector does not see.
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
