"""Full disks, vanishing folders and damaged files never lose or change a result."""

import contextlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from skser.audio import AudioReadError, identity
from skser.feature_extraction import MelSpectrogram, OpenSmile, _done
from skser.preprocessing import VoiceActivityTrimmer
from tests.support.slow_extraction import SlowMelSpectrogram

N_FILES = 8
not_kept = pytest.mark.filterwarnings("ignore:Features are not cached")


@pytest.fixture
def files(wav):
    random = np.random.RandomState(0)
    return [wav(random.randn(1000 + 500 * i) / 5, name=f"{i}.wav") for i in range(N_FILES)]


@pytest.fixture
def mel(tmp_path):
    return SlowMelSpectrogram(n_mels=16, memory=tmp_path / "cache")


@pytest.fixture
def expected(files):
    return MelSpectrogram(n_mels=16).transform(files)


@contextlib.contextmanager
def no_file_larger_than(n_bytes):
    """Make writing beyond a number of bytes fail, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def disk(tmp_path):
    """A separate disk of 64 kB, and a function that remounts it with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if shutil.which("mount") is None or not mount("size=64k"):
        pytest.skip("mounting a disk is not allowed here")
    yield folder, lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", str(folder)], check=True)


def assert_same(X, expected):
    np.testing.assert_array_equal(X.lengths, expected.lengths)
    np.testing.assert_array_equal(X.frames(), expected.frames())


def entries(folder):
    return sorted(Path(folder).rglob("*.npy"))


def left_over(folder):
    return [path.name for path in Path(folder).rglob("*") if path.suffix == ".part"]


class TestEntriesOfTheCache:
    def test_any_flipped_bit_is_found(self, mel, files, expected):
        mel.transform(files[:1])
        (entry,) = entries(mel.memory)
        whole = entry.read_bytes()
        random = np.random.RandomState(0)
        for place in (*range(12), *random.randint(len(whole), size=40), len(whole) - 1):
            spoiled = bytearray(whole)
            spoiled[place] ^= 1 << random.randint(8)
            entry.write_bytes(spoiled)
            with pytest.warns(UserWarning, match=f"{entry.name} are damaged"):
                X = mel.transform(files[:1])
            assert_same(X, expected[:1])
            assert entry.read_bytes() == whole

    def test_truncated_or_exchanged_entries_are_found(self, mel, files, expected, tmp_path):
        mel.transform(files[:2])
        first, second = entries(mel.memory)
        whole = first.read_bytes()
        executed = tmp_path / "executed"
        payload = pickle.dumps(np.array([Payload(executed)], dtype=object))
        contents = (b"", whole[:3], whole[:-1], whole[:200], whole + b"\0", payload)
        for content in (*contents, second.read_bytes()):
            first.write_bytes(content)
            with pytest.warns(UserWarning, match=f"{first.name} are damaged"):
                assert_same(mel.transform(files[:2]), expected[:2])
            assert first.read_bytes() == whole
        assert not executed.exists()

    def test_a_folder_in_place_of_an_entry_only_causes_warnings(self, mel, files, expected):
        mel.transform(files[:1])
        (entry,) = entries(mel.memory)
        entry.unlink()
        entry.mkdir()
        with (
            pytest.warns(UserWarning, match="are damaged"),
            pytest.warns(UserWarning, match="are not cached"),
        ):
            assert_same(mel.transform(files[:1]), expected[:1])
        assert left_over(mel.memory) == []

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_links_pipes_and_devices_are_not_read(self, mel, files, expected, tmp_path):
        mel.transform(files[:1])
        (entry,) = entries(mel.memory)
        whole = entry.read_bytes()
        elsewhere = tmp_path / "elsewhere.npy"
        elsewhere.write_bytes(whole)
        for place in (
            lambda: entry.symlink_to(elsewhere),
            lambda: entry.symlink_to("/dev/zero"),
            lambda: os.mkfifo(entry),
        ):
            entry.unlink()
            place()
            begin = time.monotonic()
            with pytest.warns(UserWarning, match=f"{entry.name} are damaged"):
                assert_same(mel.transform(files[:1]), expected[:1])
            assert time.monotonic() - begin < 1
            assert entry.read_bytes() == whole
            assert not entry.is_symlink()

    def test_entries_of_another_shape_are_computed_again(self, mel, files, expected):
        mel.transform(files[:1])
        (entry,) = entries(mel.memory)
        whole, cache = entry.read_bytes(), _done.FeatureCache(mel.memory, "")
        cache.folder = entry.parent
        for array in (np.zeros((50, 3), np.float32), np.zeros(50, np.float32), np.zeros((50, 24))):
            cache.keep(entry.stem, array)
            with pytest.warns(UserWarning, match=r"are damaged \(their shape is \(50"):
                assert_same(mel.transform(files[:1]), expected[:1])
            assert entry.read_bytes() == whole

    def test_identities_of_arrays_depend_on_shape_and_rate(self, tmp_path):
        samples = np.random.RandomState(0).randn(8000).astype(np.float32)
        mel = MelSpectrogram(memory=tmp_path, input_sampling_rate=192000.0)
        mel.transform([samples])
        with pytest.raises(AudioReadError, match="must be a 1-D array"):
            mel.transform([samples.reshape(2, -1)])
        keys = {identity(samples, rate) for rate in (192000, 192000.0, 192000.4)}
        assert len(keys) == 2

    @pytest.mark.parametrize("cls", [OpenSmile, VoiceActivityTrimmer])
    def test_other_transformers_find_damage_too(self, cls, files, tmp_path):
        transformer = cls(memory=tmp_path / "cache")
        X = transformer.transform(files[-1:])
        (entry,) = entries(tmp_path / "cache")
        entry.write_bytes(entry.read_bytes()[:-9] + bytes(9))
        with pytest.warns(UserWarning, match="are damaged"):
            np.testing.assert_array_equal(transformer.transform(files[-1:])[0], X[0])


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class TestFoldersOfTheCache:
    def test_a_full_disk_loses_no_result(self, mel, files, expected, computed):
        entry_of_last = entries_size(expected[-1])
        with (
            no_file_larger_than(entry_of_last - 1),
            pytest.warns(
                UserWarning, match=r"memory='.*cache' cannot be written \(File too large\)"
            ),
        ):
            assert_same(mel.transform(files), expected)
        assert len(entries(mel.memory)) == N_FILES - 1
        assert left_over(mel.memory) == []
        before = len(computed())
        assert_same(mel.transform(files), expected)
        assert len(computed()) == before + 1

    @not_kept
    def test_two_processes_lose_no_result_on_a_full_disk(self, disk, files, expected):
        folder, remount = disk
        mel = MelSpectrogram(n_mels=16, memory=folder / "cache")
        remount("size=16k")
        for n_jobs in (2, 1):
            assert_same(mel.set_params(n_jobs=n_jobs).transform(files), expected)
        assert 0 < len(entries(folder)) < N_FILES

    def test_a_read_only_cache_is_read(self, disk, files, expected, computed):
        folder, remount = disk
        mel = SlowMelSpectrogram(n_mels=16, memory=folder / "cache")
        mel.transform(files[:2])
        remount("ro")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_same(mel.transform(files[:2]), expected[:2])
        assert len(computed()) == 2
        with pytest.warns(UserWarning, match="not cached.*Read-only"):
            assert_same(mel.transform(files[:4]), expected[:4])
        assert len(computed()) == 4
        with pytest.raises(OSError, match="Read-only") as caught:
            mel.set_params(n_mels=8).transform(files)
        assert "memory=" in caught.value.__notes__[0]

    def test_a_file_in_place_of_the_folder_is_named(self, mel, files):
        mel.memory.write_text("")
        with pytest.raises(OSError, match="cache") as caught:
            mel.transform(files)
        assert "must be a folder" in caught.value.__notes__[0]

    @pytest.mark.parametrize("in_its_place", ["nothing", "a file"])
    def test_a_vanishing_folder_loses_no_result(
        self, mel, files, expected, monkeypatch, in_its_place
    ):
        whole_file = _done.whole_file

        def vanish_first(path, **settings):
            if len(entries(mel.memory)) == 3:
                shutil.rmtree(mel.memory)
                if in_its_place == "a file":
                    mel.memory.write_text("")
            return whole_file(path, **settings)

        monkeypatch.setattr(_done, "whole_file", vanish_first)
        with pytest.warns(UserWarning, match="Features are not cached"):
            assert_same(mel.transform(files), expected)

    def test_two_processes_share_one_folder(self, mel, files, expected, computed):
        code = (
            "import sys; from tests.support.slow_extraction import SlowMelSpectrogram; "
            "SlowMelSpectrogram(n_mels=16, memory=sys.argv[1]).transform(sys.argv[2:])"
        )
        environment = {**os.environ, "SKSER_TEST_PAUSE": "0.05"}
        command = [sys.executable, "-W", "error", "-c", code, str(mel.memory)]
        root = Path(__file__).parents[2]
        both = [
            subprocess.Popen([*command, *order], env=environment, cwd=root)
            for order in (files, files[::-1])
        ]
        assert [process.wait(60) for process in both] == [0, 0]
        assert sorted(computed()) == [1000 + 500 * i for i in range(N_FILES)]
        assert_same(mel.transform(files), expected)
        assert len(computed()) == N_FILES


def entries_size(frames):
    return frames.nbytes + 128 + 4


class TestTransformTo:
    @pytest.fixture
    def target(self, tmp_path):
        return tmp_path / "features"

    def test_a_full_disk_is_named_and_loses_no_utterance(
        self, mel, files, expected, computed, target
    ):
        mel.set_params(memory=None)
        n_bytes = 128 + expected[:-1].frames().nbytes
        with (
            no_file_larger_than(n_bytes),
            pytest.raises(OSError, match=r"File too large: '.*features\.partial'") as caught,
        ):
            mel.transform_to(files, target)
        assert "Finished utterances are kept in" in caught.value.__notes__[0]
        before = len(computed())
        assert_same(mel.transform_to(files, target), expected)
        assert len(computed()) == before + 1

    def test_extraction_resumes_once_the_disk_has_more_room(self, disk, mel, files, expected):
        folder, remount = disk
        remount("size=12k")
        mel.set_params(memory=None, n_jobs=2)
        with pytest.raises(OSError, match=r"No space left.*partial"):
            mel.transform_to(files, folder / "features")
        remount("size=4m")
        assert_same(mel.transform_to(files, folder / "features"), expected)

    def test_a_damaged_journal_gives_the_same_result_or_is_refused(
        self, mel, files, expected, target, tmp_path
    ):
        mel.set_params(memory=None)
        with (
            no_file_larger_than(128 + expected[:-1].frames().nbytes),
            pytest.raises(OSError, match="large"),
        ):
            mel.transform_to(files, target)
        partial = tmp_path / "features.partial"
        kept = shutil.copytree(partial, tmp_path / "kept")
        whole = (kept / "block" / "journal.jsonl").read_bytes()
        heading = whole.index(b"\n")
        random = np.random.RandomState(0)
        outcomes = []
        for place in (*random.randint(heading, size=12), *random.randint(heading, len(whole), 28)):
            spoiled = bytearray(whole)
            spoiled[place] ^= 1 << random.randint(8)
            (partial / "block" / "journal.jsonl").write_bytes(spoiled)
            try:
                assert_same(mel.transform_to(files, target), expected)
                outcomes.append("same")
            except ValueError as error:
                outcomes.append(str(error))
            shutil.rmtree(target, ignore_errors=True)
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(kept, partial)
        assert set(outcomes[12:]) == {"same"}
        refused = [outcome for outcome in outcomes[:12] if outcome != "same"]
        assert refused
        for message in refused:
            assert re.search(r"features\.partial was started with .*delete .*partial", message)


class TestRuns:
    @pytest.fixture
    def mixed(self, files, tmp_path):
        (tmp_path / "text.wav").write_text("no audio here")
        (tmp_path / "cut.flac").write_bytes(b"fLaC\0\0\0")
        (tmp_path / "empty.mp3").touch()
        bad = [str(tmp_path / name) for name in ("text.wav", "cut.flac", "empty.mp3", "no\n.wav")]
        return [files[0], bad[0], files[1], *bad[1:], *files[2:]], bad

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_all_bad_files_are_named_and_no_good_one_is_lost(self, mel, expected, mixed, n_jobs):
        X, bad = mixed
        mel.set_params(n_jobs=n_jobs)
        with pytest.raises(AudioReadError) as caught:
            mel.transform(X)
        assert [name for name, _ in caught.value.failures] == bad
        assert str(caught.value).startswith("4 of 12 inputs could not be used")
        assert len(entries(mel.memory)) == N_FILES
        with pytest.warns(UserWarning, match="4 of 12 inputs"):
            kept = mel.set_params(on_error="empty").transform(X)
        assert_same(kept[kept.lengths > 0], expected)

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_an_unforeseen_error_names_the_utterance(self, files, n_jobs):
        with pytest.raises(ZeroDivisionError) as caught:
            Unforeseen(n_jobs=n_jobs).transform(files)
        assert caught.value.__notes__ == [f"Raised while processing {files[3]}."]


class Unforeseen(MelSpectrogram):
    def _extract(self, samples, prepared):
        if len(samples) == 2500:
            1 / 0  # noqa: B018
        return super()._extract(samples, prepared)


def test_lines_of_the_journal_carry_a_checksum(mel, files, tmp_path):
    mel.transform_to(files[:2], tmp_path / "features")
    lines = (tmp_path / "features" / "journal.jsonl").read_text().splitlines()
    assert [len(json.loads(line)) for line in lines[1:]] == [5, 5]
