"""Corrupted and hostile files are read or rejected by name; see `tests.support.fuzzing`."""

import json
import os
import socket
import subprocess
import sys
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import soundfile
from sklearn.dummy import DummyClassifier

from skser.audio import AudioReadError, Waveform, load_audio, stream_audio
from skser.feature_extraction import MelSpectrogram
from skser.inspection import emotion_timeline
from tests.support import fuzzing, hostile_audio
from tests.support.fuzzing import Finding, file_of, judge, watched

RATE = 16000
posix = pytest.mark.skipif(os.name != "posix", reason="file names and types of POSIX")


@pytest.fixture
def speech():
    return (np.random.RandomState(0).randn(4000) / 5).astype(np.float32)


@pytest.mark.skipif(sys.platform != "linux", reason="uses the memory limits of Linux")
def test_corrupted_files_are_read_or_rejected_by_name(monkeypatch):
    monkeypatch.setattr(fuzzing, "_CHILDREN", 120)  # a single process, which takes long to start
    reports = list(watched(seed=1, first=0, last=120))
    assert [report["number"] for report in reports] == list(range(120))
    assert [report for report in reports if report["outcome"] not in ("read", "refused")] == []
    assert min(Counter(report["outcome"] for report in reports).values()) > 25
    assert len({report["use"] for report in reports if report["outcome"] == "read"}) == 11


def test_a_file_is_determined_by_its_seed_and_number():
    assert file_of(0, 17) == file_of(0, 17)
    assert len({file_of(seed, n)[1] for seed in (0, 1) for n in range(20)}) > 35


def test_checksums_of_ogg_pages_match_those_of_libsndfile():
    whole = hostile_audio.whole_files()["OGG OPUS"][1]
    spoiled = bytearray(whole)
    for place in (i for i in range(len(whole)) if whole.startswith(b"OggS", i)):
        spoiled[place + 22 : place + 26] = b"\0\0\0\0"
    assert hostile_audio.with_page_checksums(bytes(spoiled)) == whole


class TestWatchedChild:
    @pytest.fixture
    def reports(self, tmp_path, monkeypatch):
        monkeypatch.setattr(fuzzing, "MOST_SECONDS", 0.4)

        def run(code):
            lines = f"print({json.dumps({'number': 7, 'kind': 'a', 'name': 'b'})!r}, flush=True)\n"
            with (tmp_path / "stderr").open("wb") as stderr:
                child = subprocess.Popen(
                    [sys.executable, "-c", lines + code], stdout=subprocess.PIPE, stderr=stderr
                )
            with child:
                try:
                    return list(fuzzing._reports(child, tmp_path / "stderr"))
                finally:
                    child.kill()

        return run

    @pytest.mark.parametrize(
        ("code", "outcome"),
        [
            ("import os; os.abort()", "crash"),
            ("raise SystemExit(3)", "crash"),
            ("import time; time.sleep(30)", "hang"),
            ('print(\'{"outcome": "read", "s": 11, "rss": 1}\')', "hang"),
            ('print(\'{"outcome": "read", "s": 0, "rss": 3e9}\')', "memory"),
            ('print(\'{"outcome": "finding", "s": 0, "rss": 1}\')', "finding"),
            ('print(\'{"outcome": "read", "s": 0, "rss": 1}\')', "read"),
        ],
    )
    def test_the_outcome_of_a_file_is_reported(self, reports, code, outcome):
        (report,) = reports(code)
        assert (report["number"], report["outcome"]) == (7, outcome)

    @pytest.mark.parametrize(
        ("result", "finding"),
        [
            (np.array([[np.inf]]), "not finite"),
            (AudioReadError([("b.wav", "is bad")]), "under the name"),
            (KeyError("x"), "x"),
        ],
    )
    def test_wrong_results_are_findings(self, wav, speech, result, finding):
        def use(path, samples, rate):
            if isinstance(result, Exception):
                raise result
            return result

        with pytest.raises((Finding, KeyError), match=finding):
            judge(wav(speech), use)

    def test_features_of_an_unreadable_file_are_a_finding(self, tmp_path):
        (tmp_path / "text.wav").write_text("no audio here")
        with pytest.raises(Finding, match="features of an unreadable file"):
            judge(str(tmp_path / "text.wav"), lambda *_: np.zeros((1, 1)))


class TestNames:
    @pytest.mark.parametrize("suffix", [".raw", ".ul", ".gsm", ".npy", ""])
    def test_the_suffix_of_a_file_is_ignored(self, wav, speech, tmp_path, suffix):
        path = tmp_path / f"a{suffix}"
        os.rename(wav(speech), path)
        assert len(load_audio(path)[0]) == 4000
        path.write_bytes(b"no audio here" * 100)
        with pytest.raises(AudioReadError, match="cannot be read as audio"):
            load_audio(path)

    @posix
    @pytest.mark.parametrize(
        "name",
        ["two words.wav", "Gr\u00fc\u00dfe.wav", "Gru\u0308\u00dfe.wav", "😀.wav", "a\nb.wav",
         "a\\b.wav", "C:\\a.wav", "%s.wav", "-.wav", "\udcff.wav", "n" * 251 + ".wav"],
    )  # fmt: skip
    def test_files_of_any_name_are_read(self, wav, speech, tmp_path, name):
        os.rename(wav(speech), tmp_path / name)
        path = str(tmp_path / name)
        X = MelSpectrogram(memory=tmp_path / "cache").transform([path])
        written = MelSpectrogram().transform_to([path], tmp_path / "to")
        np.testing.assert_array_equal(X[0], written[0])
        (tmp_path / name).write_bytes(b"no audio here")
        with pytest.raises(AudioReadError) as caught:
            load_audio(path)
        assert caught.value.failures[0][0] == path
        assert str(caught.value).encode().count(b"\n") == 0

    @posix
    def test_pipes_devices_and_directories_are_rejected_at_once(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.wav")
        os.symlink("loop.wav", tmp_path / "loop.wav")
        os.symlink("nowhere", tmp_path / "dangling.wav")
        with socket.socket(socket.AF_UNIX) as server:
            here = os.getcwd()
            os.chdir(tmp_path)  # because names of sockets have at most about 100 bytes
            server.bind("socket.wav")
            os.chdir(here)
        reasons = {
            "pipe.wav": "is a pipe or a device",
            "socket.wav": "is a pipe or a device",
            "/dev/zero": "is a pipe or a device",
            "loop.wav": "cannot be opened",
            "dangling.wav": "no such file",
            "n" * 300: "cannot be opened",
            "pipe.wav/a.wav": "no such file",
            "C:\\speech\\a.wav": "no such file",
            "a.wav\0.txt": "is not a valid file name",
            ".": "is a directory",
        }
        paths = [str(tmp_path / name) for name in reasons]
        for make in (
            lambda: MelSpectrogram(),
            lambda: MelSpectrogram(memory=tmp_path / "cache"),
            lambda: MelSpectrogram(n_jobs=2),
        ):
            with pytest.raises(AudioReadError) as caught:
                make().transform(paths)
            assert [name for name, _ in caught.value.failures] == paths
            for (_, reason), expected in zip(caught.value.failures, reasons.values(), strict=True):
                assert reason.startswith(expected)
        with pytest.raises(AudioReadError, match="10 of 10"):
            MelSpectrogram().transform_to(paths, tmp_path / "to")


class TestHeaders:
    def test_a_header_that_claims_gigabytes_allocates_none(self, tmp_path):
        path = tmp_path / "a.wav"
        content = hostile_audio.wav(n_bytes=2**32 - 8, riff=2**32 - 1, channels=2, body=b"ab" * 999)
        path.write_bytes(content)
        load_audio(path)
        tracemalloc.start()
        try:
            assert len(load_audio(path)[0]) == 499
            assert tracemalloc.get_traced_memory()[1] < 2**24
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("rate", [1, 100, 2**31 - 1])
    def test_a_rate_that_would_create_gigabytes_is_rejected(self, tmp_path, rate):
        path = tmp_path / "a.wav"
        path.write_bytes(hostile_audio.wav(rate=rate))
        assert load_audio(path)[1] == rate
        for read in (load_audio, lambda *args: list(stream_audio(*args))):
            with pytest.raises(
                AudioReadError, match=rf"a\.wav: states a sampling rate of .*{RATE} Hz"
            ):
                read(path, RATE)
        with pytest.raises(AudioReadError, match="here: states a sampling rate of"):
            MelSpectrogram().transform([Waveform(np.ones(4000), rate, "here")])

    def test_audio_shorter_than_one_resampled_sample_is_rejected(self, wav, speech):
        path = wav(speech[:3], rate=768000)
        for read in (load_audio, lambda *args: list(stream_audio(*args))):
            with pytest.raises(AudioReadError, match=r"a\.wav: is shorter than one sample"):
                read(path, RATE)

    def test_infinite_samples_are_rejected_without_a_warning(self, wav):
        opposite = np.array([[np.inf, -np.inf], [3e38, 3e38]] * 50, np.float32)
        path = wav(opposite, subtype="FLOAT")
        # Warnings are errors.
        with pytest.raises(AudioReadError, match="NaN or infinite"):
            load_audio(path)

    def test_a_hop_below_one_sample_is_rejected_with_the_file(self, tmp_path):
        path = tmp_path / "slow.wav"
        path.write_bytes(hostile_audio.wav(rate=1))
        with pytest.raises(ValueError, match=r"hop=0\.5 s is less than .*slow\.wav"):
            emotion_timeline(DummyClassifier().fit([0, 1], ["a", "b"]), path)


def test_every_format_returns_the_samples_that_were_written(tmp_path):
    rates = Counter()
    for name, (suffix, content) in hostile_audio.whole_files().items():
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content)
        samples, rate = load_audio(path)
        with soundfile.SoundFile(path) as file:
            expected = file.read(file.frames, "float32", always_2d=True).mean(axis=1)
        np.testing.assert_allclose(samples, expected, atol=2**-15, err_msg=name)
        rates[rate] += 1
    assert rates[RATE] > 35
