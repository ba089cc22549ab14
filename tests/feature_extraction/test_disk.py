import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import tracemalloc
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
from filelock import FileLock
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skser
from skser._base import validate_sequences
from skser.audio import AudioReadError
from skser.feature_extraction import MelSpectrogram, _parallel
from skser.feature_extraction._parallel import WorkersLost, parallel_map
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences, _sequences, _storage
from tests.feature_extraction.tasks import leave_a_mark, means, square_or_die_once
from tests.support.slow_extraction import SlowMelSpectrogram

N_FILES = 12


@pytest.fixture
def files(wav):
    """Files of 1000 to 6500 samples, each of another length."""
    random = np.random.RandomState(0)
    return [wav(random.randn(1000 + 500 * i) / 5, name=f"{i}.wav") for i in range(N_FILES)]


@pytest.fixture
def mel():
    return SlowMelSpectrogram(n_mels=16)


@pytest.fixture
def small_runs(monkeypatch):
    """Runs of 8 kB, so that small blocks take many."""
    monkeypatch.setattr(_sequences, "_RUN_VALUES", 2**11)


@pytest.fixture
def mapped(tmp_path):
    """A mapped block of 40 utterances, 16 columns and 2 MB."""
    random = np.random.RandomState(0)
    lengths = random.randint(400, 1200, 40)
    X = Sequences.from_list([random.randn(n, 16) + 3 * (i % 2) for i, n in enumerate(lengths)])
    X.save(tmp_path / "mapped")
    return Sequences.open(tmp_path / "mapped", "r")


def content(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


class TestTransformTo:
    def test_the_written_block_equals_the_result_of_transform(self, mel, files, tmp_path):
        expected = mel.transform(files)
        written = mel.transform_to(files, tmp_path / "to" / "features")
        assert isinstance(written.values, np.memmap)
        np.testing.assert_array_equal(written.values, expected.values)
        np.testing.assert_array_equal(written.lengths, expected.lengths)
        assert written.layout == expected.layout
        expected.save(tmp_path / "saved")
        saved = content(tmp_path / "saved")
        assert saved.items() <= content(tmp_path / "to" / "features").items()
        np.save(tmp_path / "values.npy", expected.values)
        assert saved["values.npy"] == (tmp_path / "values.npy").read_bytes()
        assert not (tmp_path / "to" / "features.partial").exists()

    def test_jobs_and_the_progress_bar_do_not_change_the_files(self, mel, files, tmp_path):
        mel.transform_to(files, tmp_path / "a")
        mel.set_params(n_jobs=2, verbose=True).transform_to(files, tmp_path / "b")
        assert content(tmp_path / "a") == content(tmp_path / "b")

    def test_arrays_are_accepted_and_recognized_by_content(self, mel, tmp_path):
        X = [np.random.RandomState(0).randn(2000) for _ in range(3)]
        mel.set_params(input_sampling_rate=16000)
        written = mel.transform_to(X, tmp_path / "features")
        np.testing.assert_array_equal(written.values, mel.transform(X).values)
        X[1][5] = 0
        with pytest.raises(ValueError, match=r"Input 1 \(utterance 1\) differs from"):
            mel.transform_to(X, tmp_path / "features")

    def test_a_finished_directory_is_opened_without_computing(self, mel, files, tmp_path, computed):
        first = mel.transform_to(files, tmp_path / "features")
        again = mel.set_params(n_jobs=2).transform_to(files, tmp_path / "features")
        np.testing.assert_array_equal(first.values, again.values)
        assert len(computed()) == N_FILES

    def test_a_directory_written_by_something_else_is_refused(self, mel, files, tmp_path):
        (tmp_path / "mine").mkdir()
        with pytest.raises(FileExistsError, match="was not written by transform_to"):
            mel.transform_to(files, tmp_path / "mine")
        mel.transform(files).save(tmp_path / "saved")
        with pytest.raises(FileExistsError, match="was not written by transform_to"):
            mel.transform_to(files, tmp_path / "saved")
        with pytest.raises(FileExistsError, match="was not written by transform_to"):
            mel.transform_to(files, files[0])

    def test_transformers_that_return_vectors_are_refused(self, files, tmp_path):
        class MeanMel(MelSpectrogram):
            def _collect(self, results, prepared):
                return np.stack([np.zeros(64) for _ in results])

        with pytest.raises(TypeError, match="MeanMel returns ndarray with these parameters"):
            MeanMel().transform_to(files, tmp_path / "features")

    def test_features_are_taken_from_the_cache(self, mel, files, tmp_path, computed):
        mel.set_params(memory=tmp_path / "cache").transform(files)
        mel.transform_to(files, tmp_path / "features")
        assert len(computed()) == N_FILES


class TestResuming:
    @pytest.fixture
    def whole(self, mel, files, tmp_path):
        """Content of the directory after an extraction without interruption."""
        mel.transform_to(files, tmp_path / "whole")
        return content(tmp_path / "whole")

    @pytest.fixture
    def interrupted(self, mel, files, tmp_path, monkeypatch):
        """A directory whose disk was full after seven utterances."""
        write_all = _storage.write_all
        left = [7]

        def full(file, data):
            if isinstance(data, np.ndarray):
                left[0] -= 1
                if left[0] < 0:
                    file.write(memoryview(data).cast("B")[:100])
                    raise OSError(28, "No space left on device")
            write_all(file, data)

        with monkeypatch.context() as patch:
            patch.setattr(_storage, "write_all", full)
            with pytest.raises(OSError, match="No space left"):
                mel.transform_to(files, tmp_path / "features")
        return tmp_path / "features"

    def test_a_killed_extraction_resumes_where_it_stopped(
        self, mel, files, whole, tmp_path, monkeypatch, computed
    ):
        target, log = tmp_path / "features", Path(os.environ["SKSER_TEST_LOG"])
        journal = tmp_path / "features.partial" / "block" / "journal.jsonl"
        environment = {**os.environ, "SKSER_TEST_PAUSE": "0.1", "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = str(Path(skser.__file__).parents[1])
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.slow_extraction", str(target), *files],
            env=environment,
            cwd=environment["PYTHONPATH"],
        )
        deadline = time.monotonic() + 30
        while not journal.exists() or journal.read_text().count("\n") < 5:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        n_done = journal.read_text().count("\n") - 1
        assert 4 <= n_done < N_FILES
        assert not target.exists()
        with pytest.raises(FileNotFoundError, match="not a saved Sequences"):
            Sequences.open(journal.parent)
        assert len(np.load(journal.parent / "values.npy")) == 0

        log.unlink()
        mel.transform_to(files, target)
        assert computed() == [1000 + 500 * i for i in range(n_done, N_FILES)]
        assert content(target) == whole
        assert not (tmp_path / "features.partial").exists()

    def test_a_full_disk_loses_no_finished_utterance(
        self, mel, files, whole, interrupted, computed
    ):
        before = len(computed())
        mel.transform_to(files, interrupted)
        assert len(computed()) - before == N_FILES - 7
        assert content(interrupted) == whole

    def test_journal_lines_without_their_frames_are_ignored(self, mel, files, whole, interrupted):
        # As after a power failure, when one file reached the disk and the other did not.
        folder = interrupted.with_name("features.partial") / "block"
        with (folder / "values.npy").open("r+b") as file:
            file.truncate(1000)
        with (folder / "journal.jsonl").open("ab") as file:
            file.write(b"[3, 4")
        mel.transform_to(files, interrupted)
        assert content(interrupted) == whole

    def test_a_changed_setting_is_named(self, mel, files, interrupted):
        with pytest.raises(
            ValueError, match=r"n_mels=16\.0, but now it is 8\.0.*delete .*\.partial"
        ):
            mel.set_params(n_mels=8).transform_to(files, interrupted)
        with pytest.raises(ValueError, match="number of utterances=12, but now it is 11"):
            mel.set_params(n_mels=16).transform_to(files[1:], interrupted)

    def test_a_changed_input_is_named(self, mel, files, interrupted):
        os.utime(files[1], (1, 1))  # another time does not make it another input
        soundfile.write(files[2], np.zeros(2000), 16000)
        with pytest.raises(ValueError, match=r"Input 2 \(.*2\.wav\) differs from"):
            mel.transform_to(files, interrupted)

    def test_another_order_is_refused(self, mel, files, interrupted):
        with pytest.raises(ValueError, match=r"Input 0 \(.*11\.wav\) differs from"):
            mel.transform_to(files[::-1], interrupted)

    def test_a_second_process_on_the_same_directory_is_refused(self, mel, files, tmp_path):
        (tmp_path / "features.partial").mkdir()
        lock = tmp_path / "features.partial" / "lock"
        with FileLock(lock), pytest.raises(RuntimeError, match="Another process is writing"):
            mel.transform_to(files, tmp_path / "features")
        assert len(mel.transform_to(files, tmp_path / "features")) == N_FILES


class TestBadFiles:
    @pytest.fixture
    def repair(self, files):
        """Break two files, and return a function that repairs them."""
        good = {path: Path(path).read_bytes() for path in (files[3], files[8])}
        Path(files[3]).write_text("not audio")
        Path(files[8]).unlink()
        return lambda: [Path(path).write_bytes(data) for path, data in good.items()]

    def test_good_files_are_kept_and_repaired_ones_come_last(
        self, mel, files, repair, tmp_path, computed
    ):
        with pytest.raises(AudioReadError, match=r"2 of 12.*3\.wav.*8\.wav") as caught:
            mel.transform_to(files, tmp_path / "features")
        assert "features.partial" in caught.value.__notes__[0]
        assert not (tmp_path / "features").exists()
        repair()
        written = mel.transform_to(files, tmp_path / "features")
        assert computed()[-2:] == [2500, 5000]
        assert len(computed()) == N_FILES
        assert np.argsort(written.starts)[-2:].tolist() == [3, 8]
        for frames, expected in zip(written, mel.transform(files), strict=True):
            np.testing.assert_array_equal(frames, expected)
        scaler = SequenceScaler().fit(mel.transform(files))
        np.testing.assert_array_equal(SequenceScaler().fit(written).mean_, scaler.mean_)
        np.testing.assert_array_equal(
            scaler.transform(written)[3], scaler.transform(written[[3]])[0]
        )

    def test_bad_files_may_stay_empty(self, mel, files, repair, tmp_path, computed):
        mel.set_params(on_error="empty")
        with pytest.warns(UserWarning, match=r"2 of 12.*3\.wav.*8\.wav.*left with 0 frames"):
            written = mel.transform_to(files, tmp_path / "features")
        assert np.flatnonzero(written.lengths == 0).tolist() == [3, 8]
        assert not (tmp_path / "features" / "starts.npy").exists()
        with pytest.warns(UserWarning, match="left with 0 frames"):
            mel.transform_to(files, tmp_path / "features")
        assert len(computed()) == N_FILES - 2
        with pytest.raises(AudioReadError, match="2 of 12") as caught:
            mel.set_params(on_error="raise").transform_to(files, tmp_path / "features")
        assert "delete it" in caught.value.__notes__[0]

    def test_empty_utterances_are_tried_again_after_a_repair(
        self, mel, files, repair, tmp_path, monkeypatch
    ):
        mel.set_params(on_error="empty")
        with monkeypatch.context() as patch:
            patch.setattr(_storage.BlockWriter, "finish", lambda *args: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                mel.transform_to(files, tmp_path / "features")
        repair()
        written = mel.transform_to(files, tmp_path / "features")
        for frames, expected in zip(written, mel.transform(files), strict=True):
            np.testing.assert_array_equal(frames, expected)


class TestMappedBlocks:
    FOLD = np.random.RandomState(1).permutation(40)[:30]

    def test_the_scaler_learns_the_same_from_every_container(self, mapped, small_runs):
        X = Sequences(np.array(mapped.values), mapped.lengths)
        for key in (slice(None), self.FOLD):
            expected = SequenceScaler().fit(X[key])
            assert expected.n_frames_seen_ == X.lengths[key].sum()
            for form in (X[key].to_list(), X[key].compact(), mapped[key]):
                scaler = SequenceScaler().fit(form)
                np.testing.assert_array_equal(scaler.mean_, expected.mean_)
                np.testing.assert_array_equal(scaler.scale_, expected.scale_)

    def test_a_scaled_block_is_mapped_and_equal(self, mapped, small_runs):
        X = Sequences(np.array(mapped.values), mapped.lengths)
        scaler = SequenceScaler().fit(X)
        for key in (slice(None), self.FOLD):
            scaled, expected = scaler.transform(mapped[key]), scaler.transform(X[key])
            assert isinstance(scaled.values, np.memmap)
            np.testing.assert_array_equal(scaled.values, expected.frames())
            assert scaled.layout == X.layout
        pooled = mapped.map_values(lambda frames: frames[:, :2] ** 2)
        assert pooled.layout.feature_names == ("x0", "x1")

    def test_a_temporary_block_is_deleted_with_its_last_view(self, mapped, tmp_path):
        scaled = mapped.map_values(np.negative)
        (folder,) = set(tmp_path.iterdir()) - {tmp_path / "mapped"}
        view = pickle.loads(pickle.dumps(scaled[3:5]))
        assert len(pickle.dumps(scaled)) < 3000
        np.testing.assert_array_equal(view[0], -mapped[3])
        view = scaled[7:9]
        del scaled
        gc.collect()
        assert folder.exists()
        np.testing.assert_array_equal(view[0], -mapped[7])
        del view
        gc.collect()
        assert not folder.exists()

    def test_a_temporary_block_avoids_a_folder_that_cannot_be_written(
        self, mapped, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.setattr(_storage.tempfile, "tempdir", str(tmp_path / "elsewhere"))
        scaled = mapped.map_values(np.negative)
        assert len(list((tmp_path / "elsewhere").iterdir())) == 1
        assert len(scaled) == 40

    @pytest.mark.parametrize("fold", [slice(None), FOLD, slice(3, 30)], ids=["all", "fold", "run"])
    @pytest.mark.parametrize(
        "work",
        [
            lambda X, folder: SequenceScaler().fit(X),
            lambda X, folder: SequenceScaler().fit_transform(X),
            lambda X, folder: validate_sequences(SequenceScaler(), X, reset=True),
            lambda X, folder: X.reduce(np.maximum),
            lambda X, folder: X.save(folder / "saved"),
            lambda X, folder: pickle.dumps(X),
            lambda X, folder: tiny_network().fit(X, np.arange(len(X)) % 2).predict(X),
        ],
        ids=["fit", "transform", "check", "reduce", "save", "pickle", "network"],
    )
    @pytest.mark.filterwarnings("ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning")
    def test_no_work_copies_the_block(self, mapped, small_runs, tmp_path, work, fold):
        X = mapped[fold]
        work(mapped[:4], tmp_path / "first")  # imports, and memory that is kept from then on
        tracemalloc.start()
        work(X, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert X.values.nbytes > 2e6
        assert peak < 0.25 * X.values.nbytes

    def test_cross_validation_in_two_processes_gives_the_same_scores(self, mapped):
        y = np.arange(40) % 3
        model = make_pipeline(SequenceScaler(), FunctionTransformer(means), LogisticRegression())
        X = Sequences(np.array(mapped.values), mapped.lengths)
        kwargs = {"cv": 2, "scoring": "neg_log_loss"}
        expected = cross_val_score(model, X, y, **kwargs)
        np.testing.assert_array_equal(
            cross_val_score(model, mapped, y, n_jobs=2, **kwargs), expected
        )

    @pytest.mark.parametrize("mmap_mode", [None, "r"])
    @pytest.mark.parametrize(
        ("name", "damage", "said"),
        [
            ("values.npy", lambda b: b[:-100], "could only read|greater than file|cannot reshape"),
            ("values.npy", lambda b: b[:20], "."),
            ("values.npy", lambda b: b"", "."),
            ("lengths.npy", lambda b: b[:-8] + bytes(8), "lengths.npy counts"),
            ("layout.json", lambda b: b[:40], "."),
            (
                "layout.json",
                lambda b: b.replace(b'"x0", ', b""),
                "names 15 columns, but the block has 16",
            ),
            ("layout.json", lambda b: b"{}", "feature_names"),
        ],
    )
    def test_damaged_files_are_refused(self, mapped, tmp_path, name, damage, said, mmap_mode):
        path = tmp_path / "mapped" / name
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(ValueError, match=rf"mapped is not a complete Sequences: .*({said})"):
            Sequences.open(tmp_path / "mapped", mmap_mode)

    def test_a_missing_file_is_named(self, mapped, tmp_path):
        (tmp_path / "mapped" / "lengths.npy").unlink()
        with pytest.raises(ValueError, match=r"not a complete Sequences: .*lengths\.npy"):
            Sequences.open(tmp_path / "mapped", "r")

    def test_utterances_without_frames_are_written_and_opened(self, tmp_path):
        X = Sequences.from_list([np.empty((0, 3)), np.empty((0, 3))])
        X.save(tmp_path / "empty")
        for mmap_mode in (None, "r"):
            opened = Sequences.open(tmp_path / "empty", mmap_mode)
            assert opened.lengths.tolist() == [0, 0]
            assert opened.map_values(np.negative).lengths.tolist() == [0, 0]

    def test_frames_of_another_width_are_refused(self, tmp_path):
        writer = _storage.BlockWriter(tmp_path, 3)
        with pytest.raises(ValueError, match="do not fit a block of 3 columns"):
            writer.append(np.zeros((2, 4)))
        writer.close()


def tiny_network():
    return AttentionFCNClassifier(
        filters=(4,), strides=4, pool_sizes=4, max_epochs=1, device="cpu", n_threads=1,
        batch_size=2, random_state=0, augment=None,
    )  # fmt: skip


class TestLostWorkers:
    def test_tasks_of_a_killed_process_are_done_by_another(self, tmp_path):
        tasks = [(i, str(tmp_path / "died")) for i in range(20)]
        assert list(parallel_map(square_or_die_once, tasks, n_jobs=2)) == [i**2 for i in range(20)]
        assert (tmp_path / "died").exists()

    def test_an_error_follows_after_three_lost_attempts(self, monkeypatch):
        attempts = []

        def losing(function, tasks):
            attempts.append(len(tasks))
            yield from (function(*task) for task in tasks[:2] if len(attempts) == 1)
            raise ConnectionError

        monkeypatch.setattr(_parallel, "_engine", lambda n_jobs, prefer: (losing, ConnectionError))
        results = parallel_map(lambda i: i**2, [(i,) for i in range(5)])
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(WorkersLost) as caught:
            next(results)
        assert caught.value.task == 2
        assert attempts == [5, 3, 3]

    def test_the_error_names_the_utterance(self, mel, files, monkeypatch):
        def losing(function, tasks):
            yield function(*tasks[0])
            raise WorkersLost(1)

        monkeypatch.setattr(_parallel, "_engine", lambda n_jobs, prefer: (losing, ()))
        with pytest.raises(RuntimeError, match=r"died repeatedly at .*1\.wav"):
            mel.set_params(n_jobs=2).transform(files)

    def test_a_slow_reader_bounds_the_number_of_waiting_results(self, tmp_path):
        tasks = [(str(tmp_path / str(i)),) for i in range(100)]
        results = parallel_map(leave_a_mark, tasks, n_jobs=2)
        next(results)
        time.sleep(0.5)
        assert 1 <= len(list(tmp_path.iterdir())) <= 2 * _parallel._TASKS_AHEAD
        assert len(list(results)) == 99

    def test_joblib_backends_without_generators_work(self):
        from joblib import parallel_config

        with parallel_config(backend="multiprocessing", n_jobs=2):
            assert list(parallel_map(pow, [(i, 2) for i in range(5)])) == [0, 1, 4, 9, 16]


def test_the_journal_is_lines_of_json(mel, files, tmp_path):
    mel.transform_to(files, tmp_path / "features")
    lines = (tmp_path / "features" / "journal.jsonl").read_text().splitlines()
    heading, *entries = map(json.loads, lines)
    assert heading["transformer"] == "SlowMelSpectrogram"
    assert [entry[:2] for entry in entries][:2] == [[0, 7], [1, 10]]


USERS_CLASS = """
from skser.feature_extraction import MelSpectrogram

class Mine(MelSpectrogram):
    def _extract(self, samples, prepared):
        return {factor} * super()._extract(samples, prepared)
"""


def test_features_are_computed_again_once_the_code_of_a_users_class_changes(tmp_path, monkeypatch):
    X = [np.random.RandomState(0).randn(1000).astype(np.float32)]
    found = []
    for factor in (1, 1, 2):
        module = types.ModuleType("features_of_mine")
        monkeypatch.setitem(sys.modules, "features_of_mine", module)
        exec(USERS_CLASS.format(factor=factor), vars(module))
        model = module.Mine(memory=tmp_path / "memory", input_sampling_rate=16000)
        found.append(model.transform(X)[0])
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], 2 * found[0])
