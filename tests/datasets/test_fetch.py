import dataclasses
import hashlib
import io
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from skser.datasets import (
    DownloadError,
    fetch_audb,
    fetch_crema_d,
    fetch_emodb,
    fetch_emovo,
    fetch_nemo,
    fetch_ravdess,
    fetch_tess,
    get_data_home,
)
from skser.datasets import _download as download_module
from skser.datasets._archive import UnsafeArchiveError, unpack_zip
from skser.datasets._corpus_info import Archive
from skser.datasets._registry import CORPORA
from tests.support.corpus_trees import SOUND, open_folder, without_privileges
from tests.support.file_server import FileServer

ROOT = Path(__file__).parents[2]
NAME = "Audio_Speech_Actors_01-24.zip"


def make_zip(members):
    """Return a ZIP archive of pairs (name or ZipInfo, content)."""
    content = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(content, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return content.getvalue()


def utterances(*actors):
    return [(f"Actor_{a}/03-01-0{e}-01-01-01-{a}.wav", SOUND) for a in actors for e in (1, 5)]


CONTENT = make_zip(utterances("01", "02"))
MEMBERS = {name: SOUND for name, _ in utterances("01", "02")}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def publish(monkeypatch):
    """Return a function that makes some bytes the published archive of RAVDESS."""
    monkeypatch.setattr(download_module, "_CHUNK", 50)

    def replace(content, max_bytes=10**6, max_members=100):
        checksum = "md5:" + hashlib.md5(content).hexdigest()
        archive = Archive(f"http://127.0.0.1:9/{NAME}", checksum, max_bytes, max_members)
        info = dataclasses.replace(CORPORA["ravdess"], archive=archive)
        monkeypatch.setitem(CORPORA, "ravdess", info)
        return content

    return replace


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def fetch(home, mirror):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "RAVDESS is incomplete")
        return fetch_ravdess(home, mirror=mirror)


def unpacked(home):
    folder = home / "ravdess"
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_the_published_archive_is_that_on_zenodo():
    archive = CORPORA["ravdess"].archive
    assert archive.url == f"https://zenodo.org/records/1188976/files/{NAME}"
    assert archive.checksum == "md5:bc696df654c87fed845eb13823edef8a"
    assert archive.file_name == NAME


class TestDataHome:
    def test_the_argument_overrides_the_environment(self, monkeypatch, tmp_path):
        monkeypatch.setenv("SKSER_HOME", str(tmp_path))
        assert get_data_home() == tmp_path
        assert get_data_home("~/corpora") == Path.home() / "corpora"
        monkeypatch.setenv("SKSER_HOME", "")
        assert get_data_home() == Path.home() / "skser_data"


def open_full_disk(path, mode):
    return open("/dev/full", mode.replace("x", "w"), buffering=0)


class TestFetchRavdess:
    @pytest.mark.parametrize("folder", ["home", "Datenträger mit Lücken ☂/home"])
    def test_the_second_call_does_not_download_again(self, publish, tmp_path, folder, monkeypatch):
        publish(CONTENT)
        monkeypatch.setenv("SKSER_HOME", str(tmp_path / folder))
        with FileServer({NAME: CONTENT}) as server:
            corpus = fetch(None, server.address + "/")
            again = fetch(None, server.address)
        assert server.requests == [(NAME, None)]
        assert corpus.speakers.tolist() == ["01", "02", "01", "02"]
        assert again.data.tolist() == corpus.data.tolist()
        assert unpacked(tmp_path / folder) == MEMBERS
        assert sorted(os.listdir(tmp_path / folder)) == [".ravdess.lock", "ravdess"]

    def test_an_interrupted_download_is_resumed(self, publish, home):
        publish(CONTENT)
        with FileServer({NAME: CONTENT}, breaks_after=[300, 100]) as server:
            fetch(home, server.address)
        assert server.requests == [(NAME, None), (NAME, "bytes=300-"), (NAME, "bytes=400-")]
        assert server.statuses == [200, 206, 206]
        assert unpacked(home) == MEMBERS

    def test_the_next_call_resumes_where_this_one_gave_up(self, publish, home):
        publish(CONTENT)
        with FileServer({NAME: CONTENT}, breaks_after=[200, 100, 50]) as server:
            with pytest.raises(DownloadError, match=r"cannot be downloaded .*resumes from") as e:
                fetch(home, server.address)
            assert "\n" not in str(e.value)
            assert (home / f"{NAME}.part").read_bytes() == CONTENT[:350]
            assert not (home / "ravdess").exists()
            fetch(home, server.address)
        assert server.requests[-1] == (NAME, "bytes=350-")
        assert unpacked(home) == MEMBERS

    def test_a_server_without_ranges_sends_the_whole_file_again(self, publish, home):
        publish(CONTENT)
        with FileServer({NAME: CONTENT}, breaks_after=[300], ranges=False) as server:
            fetch(home, server.address)
        assert server.statuses == [200, 200]
        assert unpacked(home) == MEMBERS

    @pytest.mark.parametrize(
        ("part", "statuses"), [(CONTENT, [416]), (CONTENT + b"more", [416, 200])]
    )
    def test_a_part_that_is_complete_or_too_long_is_handled(self, publish, home, part, statuses):
        publish(CONTENT)
        home.mkdir()
        (home / f"{NAME}.part").write_bytes(part)
        with FileServer({NAME: CONTENT}) as server:
            fetch(home, server.address)
        assert server.statuses == statuses
        assert unpacked(home) == MEMBERS

    def test_a_part_of_another_file_is_deleted_and_the_next_call_succeeds(self, publish, home):
        publish(CONTENT)
        home.mkdir()
        (home / f"{NAME}.part").write_bytes(b"x" * 50)
        with FileServer({NAME: CONTENT}) as server:
            with pytest.raises(DownloadError, match="does not have the expected checksum"):
                fetch(home, server.address)
            fetch(home, server.address)
        assert unpacked(home) == MEMBERS

    def test_corrupted_bytes_are_not_kept(self, publish, home):
        publish(CONTENT)
        with (
            FileServer({NAME: CONTENT[:-1] + b"x"}) as server,
            pytest.raises(
                DownloadError, match="does not have the expected checksum md5:"
            ) as caught,
        ):
            fetch(home, server.address)
        assert "\n" not in str(caught.value)
        assert os.listdir(home) == [".ravdess.lock"]

    @pytest.mark.parametrize("content", [CONTENT[:-30], b"<html>Down for maintenance</html>"])
    def test_an_invalid_archive_is_refused_and_deleted(self, publish, home, content):
        publish(content)
        with (
            FileServer({NAME: content}) as server,
            pytest.raises(DownloadError, match="was refused and deleted: File is not"),
        ):
            fetch(home, server.address)
        assert os.listdir(home) == [".ravdess.lock"]

    def test_an_archive_that_writes_outside_its_folder_is_refused(self, publish, home):
        content = publish(make_zip([*utterances("01"), ("../../evil.txt", "!")]))
        with (
            FileServer({NAME: content}) as server,
            pytest.raises(
                DownloadError, match="'../../evil.txt' would be written outside the folder"
            ),
        ):
            fetch(home, server.address)
        assert os.listdir(home) == [".ravdess.lock"]
        assert not list(home.parent.rglob("evil*"))

    def test_a_missing_connection_or_file_is_an_error(self, publish, home):
        publish(CONTENT)
        with pytest.raises(DownloadError, match="Check the internet connection") as caught:
            fetch(home, None)  # nothing listens at port 9
        assert "Connection refused" in str(caught.value)
        assert "\n" not in str(caught.value)
        with (
            FileServer({}) as server,
            pytest.raises(DownloadError, match="answered with HTTP status 404"),
        ):
            fetch(home, server.address)

    def test_a_full_disk_while_downloading_is_named(self, publish, home):
        publish(CONTENT)
        home.mkdir()
        (home / f"{NAME}.part").symlink_to("/dev/full")
        with FileServer({NAME: CONTENT}) as server:
            with pytest.raises(DownloadError, match=r"disk of .*home is full: .*data_home="):
                fetch(home, server.address)
            (home / f"{NAME}.part").unlink()
            fetch(home, server.address)
        assert unpacked(home) == MEMBERS

    def test_a_full_disk_while_unpacking_is_named(self, publish, home, monkeypatch):
        publish(CONTENT)
        with FileServer({NAME: CONTENT}) as server:
            with monkeypatch.context() as patch:
                patch.setattr(zipfile, "open", open_full_disk, raising=False)
                with pytest.raises(DownloadError, match=r"disk of .*home is full"):
                    fetch(home, server.address)
            assert sorted(os.listdir(home)) == [".ravdess.lock", NAME]
            fetch(home, server.address)
        assert len(server.requests) == 1  # the second call reuses the archive
        assert unpacked(home) == MEMBERS

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
    def test_a_read_only_home_can_be_read_but_not_written(self, publish):
        publish(CONTENT)
        with open_folder() as folder, FileServer({NAME: CONTENT}) as server:
            full, empty = folder / "full", folder / "empty"
            fetch(full, server.address)
            empty.mkdir()
            for home in (full, empty):
                home.chmod(0o555)
            with without_privileges():
                assert len(fetch(full, server.address).target) == 4
                for closed in (empty, empty / "below"):
                    with pytest.raises(DownloadError, match="cannot be written .*SKSER_HOME"):
                        fetch(closed, server.address)
            for home in (full, empty):
                home.chmod(0o755)
        assert len(server.requests) == 1

    def test_a_home_that_is_a_file_is_an_error(self, publish, tmp_path):
        publish(CONTENT)
        (tmp_path / "home").touch()
        with pytest.raises(DownloadError, match="home cannot be written"):
            fetch(tmp_path / "home", None)

    def test_leftovers_of_a_killed_process_are_removed(self, publish, home):
        publish(CONTENT)
        (home / ".ravdess.unpacking/Actor_09").mkdir(parents=True)
        (home / ".ravdess.unpacking/Actor_09/half.wav").write_bytes(b"half")
        with FileServer({NAME: CONTENT}) as server:
            fetch(home, server.address)
        assert unpacked(home) == MEMBERS
        assert not (home / ".ravdess.unpacking").exists()

    def test_an_empty_folder_of_the_corpus_is_filled(self, publish, home):
        publish(CONTENT)
        (home / "ravdess").mkdir(parents=True)
        with FileServer({NAME: CONTENT}) as server:
            fetch(home, server.address)
        assert unpacked(home) == MEMBERS

    def test_other_files_in_the_folder_of_the_corpus_are_named_and_kept(self, publish, home):
        publish(CONTENT)
        (home / "ravdess").mkdir(parents=True)
        (home / "ravdess/notes.txt").write_text("mine")
        with pytest.raises(
            DownloadError, match=r"home/ravdess already exists but .* Delete or move"
        ):
            fetch(home, None)
        assert unpacked(home) == {"notes.txt": b"mine"}

    @pytest.mark.parametrize("mirror", ["/mnt/corpora", Path("corpora"), r"C:\data", "file:///mnt"])
    def test_a_mirror_that_is_not_a_web_address_is_refused(self, publish, home, mirror):
        publish(CONTENT)
        with pytest.raises(ValueError, match=r"^mirror='.* is not a web address: expected a URL"):
            fetch(home, mirror)
        assert not home.exists()

    def test_a_progress_bar_is_shown_on_request(self, publish, home, capsys):
        publish(CONTENT)
        with FileServer({NAME: CONTENT}) as server, warnings.catch_warnings(action="ignore"):
            fetch_ravdess(home, mirror=server.address, progressbar=True)
        assert f"{NAME}: 100%" in capsys.readouterr().err


class TestFetchEmodb:
    CONTENT = make_zip([(f"wav/{name}.wav", SOUND) for name in ("03a01Fa", "14b10Wc")])

    def fetch(self, home, mirror):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "EmoDB is incomplete")
            return fetch_emodb(home, mirror=mirror)

    def test_the_license_is_printed_before_the_download(self, home, capsys):
        with FileServer({"download.zip": self.CONTENT}) as server:
            corpus = self.fetch(home, server.address)
            message = capsys.readouterr().err
            assert self.fetch(home, server.address).data.tolist() == corpus.data.tolist()
        assert server.requests == [("download.zip", None)]
        assert corpus.target.tolist() == ["happiness", "anger"]
        assert message.startswith("EmoDB has the license CC0-1.0; see http")
        assert capsys.readouterr().err == ""

    def test_a_damaged_archive_is_refused_without_a_checksum(self, home):
        with (
            FileServer({"download.zip": self.CONTENT[:-30]}) as server,
            pytest.raises(DownloadError, match="was refused and deleted: File is not"),
        ):
            self.fetch(home, server.address)

    def test_other_files_in_the_folder_of_the_corpus_are_named(self, home):
        (home / "emodb").mkdir(parents=True)
        (home / "emodb/notes.txt").write_text("mine")
        with pytest.raises(DownloadError, match="emodb already exists but has no EmoDB file"):
            self.fetch(home, None)


@pytest.mark.parametrize(
    ("fetch_corpus", "archive", "members", "emotions"),
    [
        (fetch_emovo, "emovo.zip", ["EMOVO/f1/gio-f1-b1.wav", "EMOVO/documents/a.pdf"],
         ["happiness"]),
        (fetch_nemo, "nemo.zip", [f"nEMO-06f1f83/samples/{n}.wav" for n in
                                  ("EB0_anger_1", "SM0_surprised_90")], ["anger", "surprise"]),
    ],
)  # fmt: skip
def test_emovo_and_nemo_are_downloaded_once(fetch_corpus, archive, members, emotions, home, capsys):
    content = make_zip([(name, SOUND) for name in members])
    with FileServer({archive: content}) as server, warnings.catch_warnings(action="ignore"):
        corpus = fetch_corpus(home, mirror=server.address)
        assert f"{corpus.name} has the license {corpus.license}; see " in capsys.readouterr().err
        again = fetch_corpus(home, mirror=server.address)
    assert server.requests == [(archive, None)]
    assert corpus.target.tolist() == emotions
    assert again.data.tolist() == corpus.data.tolist()
    assert capsys.readouterr().err == ""


class TestFetchTess:
    NAMES = ("OAF_back_angry.wav", "YAF_back_ps.wav")
    LIST = "api/datasets/:persistentId?persistentId=doi:10.5683/SP2/E8H2MF"

    @pytest.fixture
    def served(self, monkeypatch):
        """Return a function that makes a server the repository of TESS, with some files."""
        import pooch

        def files(contents, checksum):
            entries = [
                {"dataFile": {"id": number, "filename": name, "md5": checksum}}
                for number, name in enumerate(self.NAMES)
            ]
            answer = json.dumps({"data": {"latestVersion": {"files": entries}}}).encode()
            return {self.LIST: answer} | {
                f"api/access/datafile/{number}": content for number, content in contents.items()
            }

        def serve(contents, checksum=None):
            server = FileServer(files(contents, checksum or hashlib.md5(SOUND).hexdigest()))
            monkeypatch.setattr(
                pooch.downloaders, "doi_to_url", lambda doi, **_: f"{server.address}/dataset"
            )
            return server

        return serve

    def fetch(self, home):
        with warnings.catch_warnings(action="ignore"):
            return fetch_tess(home)

    def test_each_file_is_verified_and_downloaded_once(self, served, home, capsys):
        with served({0: SOUND, 1: SOUND}) as server:
            corpus = self.fetch(home)
            assert "TESS has the license CC-BY-NC-ND-4.0" in capsys.readouterr().err
            assert self.fetch(home).data.tolist() == corpus.data.tolist()
        assert corpus.target.tolist() == ["anger", "surprise"]
        assert [name for name, _ in server.requests] == [
            self.LIST, "api/access/datafile/0", "api/access/datafile/1",
        ]  # fmt: skip
        assert sorted(os.listdir(home)) == [".tess.lock", "tess"]

    def test_the_next_call_resumes_with_the_missing_files(self, served, home, monkeypatch):
        monkeypatch.setattr(download_module, "_ATTEMPTS", 1)
        with (
            served({0: SOUND}),
            pytest.raises(DownloadError, match="TESS cannot be downloaded from doi:10.5683") as e,
        ):
            self.fetch(home)
        assert "\n" not in str(e.value)
        assert not (home / "tess").exists()
        with served({0: b"not asked for", 1: SOUND}) as server:
            assert len(self.fetch(home).target) == 2
        assert [name for name, _ in server.requests] == [self.LIST, "api/access/datafile/1"]

    def test_a_wrong_checksum_is_an_error(self, served, home, monkeypatch):
        monkeypatch.setattr(download_module, "_ATTEMPTS", 1)
        with (
            served({0: SOUND, 1: SOUND}, checksum="0" * 32),
            pytest.raises(DownloadError, match="does not match the known hash"),
        ):
            self.fetch(home)
        assert not (home / "tess").exists()

    def test_a_name_outside_the_folder_is_refused(self, served, home, monkeypatch):
        monkeypatch.setattr(TestFetchTess, "NAMES", ("../evil.wav",))
        with (
            served({0: SOUND}),
            pytest.raises(DownloadError, match="'../evil.wav' is not the name of a file"),
        ):
            self.fetch(home)
        assert not list(home.rglob("evil.wav"))

    def test_without_a_connection_the_remedy_is_named(self, monkeypatch, home):
        import pooch
        import requests

        def refuse(doi, **_):
            raise requests.exceptions.ConnectionError("Connection refused")

        monkeypatch.setattr(pooch.downloaders, "doi_to_url", refuse)
        with pytest.raises(DownloadError, match=r"Connection refused.* Check the internet"):
            fetch_tess(home)


# Code of the processes below: wait for a line, fetch the archive, print the number of utterances.
CHILD = """
import dataclasses, sys, warnings
warnings.simplefilter("ignore")
from skser.datasets import fetch_ravdess
from skser.datasets._corpus_info import Archive
from skser.datasets._registry import CORPORA
home, mirror, name, checksum = sys.argv[1:]
archive = Archive("http://127.0.0.1:9/" + name, checksum, 10**6, 100)
CORPORA["ravdess"] = dataclasses.replace(CORPORA["ravdess"], archive=archive)
print("ready", flush=True)
sys.stdin.readline()
print(len(fetch_ravdess(home, mirror=mirror).target))
"""


def start_fetching(home, server):
    checksum = "md5:" + hashlib.md5(CONTENT).hexdigest()
    command = [sys.executable, "-c", CHILD, home, server.address, NAME, checksum]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, cwd=ROOT, text=True, **pipes)


def test_two_processes_download_once_even_if_a_third_is_killed(home):
    with FileServer({NAME: CONTENT}, delay=0.5) as server:
        killed, *others = processes = [start_fetching(home, server) for _ in range(3)]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 3
        killed.stdin.write("\n")
        killed.stdin.flush()
        while not server.requests and killed.poll() is None:
            time.sleep(0.02)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        n_before = len(server.requests)
        # Both start before either is waited for, so that they fetch at the same time.
        for process in others:
            process.stdin.write("\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=60) for process in others]
    assert n_before == 1
    assert [out for out, _ in outputs] == ["4\n", "4\n"], outputs
    assert len(server.requests) == 2
    assert unpacked(home) == MEMBERS


def link(name, target):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target


class TestUnpacking:
    def unpack(self, tmp_path, content, max_bytes=10**6, max_members=100):
        (tmp_path / "a.zip").write_bytes(content)
        target = tmp_path / "deep/target"
        target.mkdir(parents=True)
        try:
            unpack_zip(tmp_path / "a.zip", target, max_bytes, max_members)
        finally:
            outside = [p for p in tmp_path.rglob("*") if target not in (p, *p.parents)]
            assert sorted(p.name for p in outside) == ["a.zip", "deep"]
        return {str(p.relative_to(target)): p for p in target.rglob("*")}

    def test_folders_and_files_are_unpacked(self, tmp_path):
        content = make_zip([("a/", ""), ("a/b/c.wav", b"sound"), ("d.wav", b"")])
        found = self.unpack(tmp_path, content)
        assert set(found) == {"a", "a/b", "a/b/c.wav", "d.wav"}
        assert found["a/b/c.wav"].read_bytes() == b"sound"

    @pytest.mark.parametrize(
        "name",
        ["../evil", "a/../../evil", "/evil", "//evil", "C:/evil", "C:evil", "..\\evil",
         "a\\..\\..\\b", "\\evil", "\\\\server\\share\\evil", "..", "."],
    )  # fmt: skip
    def test_paths_outside_the_folder_are_refused_before_writing(self, tmp_path, name):
        with pytest.raises(UnsafeArchiveError, match="would be written outside the folder"):
            self.unpack(tmp_path, make_zip([("good.wav", b"x"), (name, b"x")]))
        assert not list((tmp_path / "deep/target").iterdir())

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ([link("a", "/etc"), ("a/passwd", "x")], "'a' is a link"),
            ([link("a.wav", "b.wav")], "'a.wav' is a link"),
            ([("a.wav", b"1"), ("a.wav", b"2")], "contains the member 'a.wav' twice"),
            ([("a.wav", b"1"), ("A.WAV", b"2")], "contains the member 'a.wav' twice"),
            ([("./a.wav", b"1"), ("a.wav", b"2")], "contains the member 'a.wav' twice"),
            ([(f"{i}", b"") for i in range(101)], "101 members, more than the 100 allowed"),
            ([("a", bytes(600_000)), ("b", bytes(600_000))], "1,200,000 bytes, more than"),
        ],
    )  # fmt: skip
    def test_links_duplicates_and_bombs_are_refused(self, tmp_path, members, message):
        with pytest.raises(UnsafeArchiveError, match=message):
            self.unpack(tmp_path, make_zip(members))
        assert not list((tmp_path / "deep/target").iterdir())

    def test_devices_and_encrypted_members_are_refused(self, tmp_path):
        info, _ = link("pipe", "")
        info.external_attr = (stat.S_IFIFO | 0o666) << 16
        with pytest.raises(UnsafeArchiveError, match="special file"):
            self.unpack(tmp_path / "one", self.folder(tmp_path / "one", make_zip([(info, "")])))
        content = bytearray(make_zip([("a.wav", b"x")]))
        for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(signature) + offset] |= 1
        with pytest.raises(UnsafeArchiveError, match="encrypted"):
            self.unpack(tmp_path / "two", self.folder(tmp_path / "two", bytes(content)))

    def folder(self, path, content):
        path.mkdir()
        return content

    @pytest.mark.parametrize("stated_size", [10, 10_000])
    def test_a_member_with_a_wrong_size_is_refused(self, tmp_path, stated_size):
        info = zipfile.ZipInfo("a.wav")
        info.compress_type = zipfile.ZIP_DEFLATED
        content = bytearray(make_zip([(info, bytes(1000))]))
        entry = content.index(b"PK\x01\x02")
        content[entry + 24 : entry + 28] = struct.pack("<I", stated_size)
        with pytest.raises((UnsafeArchiveError, zipfile.BadZipFile)):
            self.unpack(tmp_path, bytes(content))

    @pytest.mark.parametrize("seed", range(40))
    def test_damaged_archives_are_refused_or_unpacked_correctly(self, tmp_path, seed):
        random = np.random.RandomState(seed)
        members = [("a/b.wav", random.bytes(300)), ("c.wav", b"abc" * 100)]
        content = bytearray(make_zip(members))
        for place in random.randint(len(content), size=random.randint(1, 4)):
            content[place] ^= 1 << random.randint(8)
        try:
            found = self.unpack(tmp_path, bytes(content))
        except (UnsafeArchiveError, zipfile.BadZipFile, NotImplementedError, EOFError):
            return
        for path in found.values():
            if path.is_file():
                assert path.read_bytes() in [data for _, data in members]


def publish_database(tmp_path, name, tables, media, **about):
    """Publish a database in a local repository."""
    import audb
    import audformat

    build = tmp_path / "build" / name
    db = audformat.Database(name, source="https://example.org", **about)
    for file in media:
        (build / file).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(build / file, np.zeros(160, np.float32), 16000)
    for add in tables:
        add(db)
    db.save(build)
    (tmp_path / "host/repository").mkdir(parents=True, exist_ok=True)
    (repository,) = audb.config.REPOSITORIES
    audb.publish(build, "1.0.0", repository, verbose=False)


def labels(key, values, column="emotion", scheme=None, split=None):
    """Return a function that adds a table of labels by file."""
    import audformat

    def add(db):
        if split is not None:
            db.splits[split] = audformat.Split("train" if split == "train" else "test")
        index = audformat.filewise_index(list(values))
        db[key] = audformat.Table(index, split_id=split)
        db[key][column] = audformat.Column(scheme_id=scheme)
        db[key][column].set(list(values.values()))

    return add


def scheme(name, kinds):
    import audformat

    def add(db):
        db.schemes[name] = audformat.Scheme(labels=kinds)

    return add


FILES = ["wav/03a01Fa.wav", "wav/03a01Wa.wav", "wav/08a01Na.wav"]
EMOTIONS = dict(zip(FILES, ("happiness", "anger", "neutral"), strict=True))


@pytest.fixture
def repository(monkeypatch, tmp_path):
    """Make a local folder the only repository of audb."""
    audb = pytest.importorskip("audb")
    place = audb.Repository("repository", str(tmp_path / "host"), "file-system")
    monkeypatch.setattr(audb.config, "REPOSITORIES", [place])
    return place


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # audformat with pandas 3.1
class TestFetchAudb:
    def test_a_known_database_does_not_need_a_table(self, tmp_path, repository):
        speakers = {"03": {"gender": "male", "age": 31}, "08": {"gender": "female", "age": 34}}
        texts = {"a01": "Der Lappen liegt auf dem Eisschrank."}
        publish_database(
            tmp_path,
            "emodb",
            [
                scheme("speaker", speakers),
                scheme("text", texts),
                labels("emotion", EMOTIONS),
                labels("files", {f: f[4:6] for f in FILES}, "speaker", "speaker"),
                labels("spoken", dict.fromkeys(FILES, "a01"), "transcription", "text"),
                labels("emotion.other", dict.fromkeys(FILES, "boredom")),
            ],
            FILES,
            license="CC0-1.0",
            license_url="https://creativecommons.org/publicdomain/zero/1.0/",
            author="Felix Burkhardt",
        )
        corpus = fetch_audb("emodb", data_home=tmp_path / "home")
        assert corpus.name == "EmoDB"
        assert corpus.target.tolist() == ["happiness", "anger", "neutral"]
        assert corpus.speakers.tolist() == ["03", "03", "08"]
        assert corpus.sexes.tolist() == ["male", "male", "female"]
        assert set(corpus.transcripts) == set(texts.values())
        assert set(corpus.sentences) == {"a01"}
        assert corpus.license == "CC0-1.0 https://creativecommons.org/publicdomain/zero/1.0/"
        assert corpus.citation == CORPORA["emodb"].citation
        assert "emodb 1.0.0" in corpus.DESCR
        assert corpus.harmonize(None).target_names == ["anger", "happiness", "neutral"]
        assert all(Path(audio).is_file() for audio in corpus.data)
        assert all(str(tmp_path / "home/audb") in audio for audio in corpus.data)
        (tmp_path / "host").rename(tmp_path / "gone")
        again = fetch_audb("emodb", "1.0.0", data_home=tmp_path / "home")
        assert again.data.tolist() == corpus.data.tolist()

    def test_crema_d_comes_from_audb_after_its_license(self, tmp_path, repository, capsys):
        files = ["AudioWAV/1001_IEO_ANG_LO.wav", "AudioWAV/1002_IEO_HAP_LO.wav"]
        emotions = dict(zip(files, ("anger", "happiness"), strict=True))
        tables = [labels("emotion.categories.desired.train", emotions)]
        publish_database(tmp_path, "crema-d", tables, files, license="ODbL-1.0")
        corpus = fetch_crema_d(tmp_path / "home")
        assert corpus.target.tolist() == ["anger", "happiness"]
        assert "crema-d has the license ODbL-1.0; see https://" in capsys.readouterr().err
        fetch_crema_d(tmp_path / "home", version="1.0.0")
        assert "license" not in capsys.readouterr().err

    def test_the_table_of_another_database_must_be_chosen(self, tmp_path, repository):
        publish_database(
            tmp_path,
            "mine",
            [
                labels("wanted.train", {FILES[0]: "joy"}, split="train"),
                labels("wanted.test", {FILES[1]: "anger"}, split="test"),
                labels("perceived", dict.fromkeys(FILES, "joy"), "mood"),
                labels("people", dict.fromkeys(FILES, "male"), "gender"),
            ],
            FILES,
        )
        home = tmp_path / "home"
        there = "people: gender; perceived: mood; wanted.test: emotion; wanted.train: emotion"
        with pytest.raises(ValueError, match=f"table= .*emotion=; .*{there}"):
            fetch_audb("mine", data_home=home)
        with pytest.raises(ValueError, match=rf"no table \['felt'\]; its .*{there}"):
            fetch_audb("mine", table="felt", data_home=home)
        with pytest.raises(ValueError, match="perceived has no column 'emotion'; it has mood"):
            fetch_audb("mine", table="perceived", data_home=home)
        corpus = fetch_audb("mine", table=["wanted.train", "wanted.test"], data_home=home)
        assert corpus.frame["split"].tolist() == ["train", "test"]
        assert corpus.sexes.tolist() == ["male", "male"]
        assert corpus.speakers is None
        assert (corpus.name, corpus.license) == ("mine", "unknown")
        assert not list((home / "audb").rglob(Path(FILES[2]).name))  # not in the chosen tables
        X, y = fetch_audb(
            "mine", table="perceived", emotion="mood", data_home=home, return_X_y=True
        )
        assert (len(X), set(y)) == (3, {"joy"})

    def test_missing_or_contradictory_labels_are_reported(self, tmp_path, repository):
        import audformat

        def segments(db):
            index = audformat.segmented_index([FILES[0]], ["0s"], ["0.005s"])
            db["turns"] = audformat.Table(index)
            db["turns"]["emotion"] = audformat.Column()
            db["turns"]["emotion"].set(["joy"])

        publish_database(
            tmp_path,
            "odd",
            [
                segments,
                labels("a", {FILES[0]: "joy", FILES[1]: None}),
                labels("b", {FILES[0]: "anger"}),
                labels("c", {FILES[2]: None}),
            ],
            FILES,
        )
        home = tmp_path / "home"
        (turn,) = fetch_audb("odd", table="turns", data_home=home).data
        assert (turn.start, turn.end) == (0.0, 0.005)
        with pytest.raises(ValueError, match="column 'emotion' of table c has no labels"):
            fetch_audb("odd", table="c", data_home=home)
        with pytest.warns(UserWarning, match="1 of 2 files have no label"):
            assert fetch_audb("odd", table="a", data_home=home).target.tolist() == ["joy"]
        with (
            pytest.warns(UserWarning, match="have no label"),
            pytest.raises(ValueError, match="03a01Fa.wav has different labels in a, b"),
        ):
            fetch_audb("odd", table=["a", "b"], data_home=home)

    def test_an_unknown_database_or_missing_connection_is_an_error(self, tmp_path, repository):
        for exists in (False, True):
            if exists:
                (tmp_path / "host/repository").mkdir(parents=True)
            for version in (None, "1.0.0"):
                with pytest.raises(
                    DownloadError, match="cannot find 'emodb'.*internet connection"
                ) as caught:
                    fetch_audb("emodb", version, data_home=tmp_path / "home")
                assert "\n" not in str(caught.value)

    def test_the_error_without_audb_names_the_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "audb", None)
        with pytest.raises(ImportError, match=r"fetch_audb needs .*skser\[audb\]"):
            fetch_audb("emodb")

    def test_an_unknown_transcript_or_speaker_is_missing(self, tmp_path, repository):
        publish_database(
            tmp_path,
            "part",
            [
                labels("emotion", {FILES[0]: "joy", FILES[1]: "anger"}),
                labels("files", {FILES[0]: "x"}, "speaker"),
                labels("said", {FILES[1]: "Hello."}, "transcription"),
            ],
            FILES[:2],
        )
        corpus = fetch_audb("part", data_home=tmp_path / "home")
        assert pd.isna(corpus.speakers).tolist() == [False, True]
        assert pd.isna(corpus.transcripts).tolist() == [True, False]
