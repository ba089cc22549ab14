"""Folders, tables and the words of messages."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skser
from skser.audio import Utterance, load_audio
from skser.cli import _console
from skser.cli._files import holds_audio, named_files
from skser.compose import adapt
from skser.datasets import make_emotional_speech
from skser.feature_extraction import FrameFeatures, Functionals

ROOT = Path(__file__).parents[2]


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", "from skser.cli import main; main()", *map(str, arguments)],
        capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )  # fmt: skip


@pytest.fixture
def calls(files, tmp_path):
    """Folder with audio at two depths, a hidden file and a text."""
    samples, rate = load_audio(files[0])
    (tmp_path / "calls/old").mkdir(parents=True)
    for name in ("b.WAV", "old/a.flac", ".hidden.wav"):
        soundfile.write(tmp_path / "calls" / name, samples, rate)
    (tmp_path / "calls/notes.txt").write_text("no audio")
    return tmp_path / "calls"


def test_a_folder_stands_for_its_audio_files(shell, calls, files):
    code, out, _ = shell("predict", calls, files[1], "--json")
    assert code == 0
    rows = json.loads(out)
    assert [row["file"] for row in rows] == [
        str(calls / "b.WAV"), str(calls / "old/a.flac"), files[1],
    ]  # fmt: skip
    expected = skser.load_pretrained("emodb-afcn").predict_proba([row["file"] for row in rows])
    found = [list(row["probabilities"].values()) for row in rows]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_folder_without_audio_is_an_error(shell, tmp_path):
    code, _, err = shell("predict", tmp_path)
    assert code == 1
    assert err == (
        f"skser: error: The folder {tmp_path} holds no audio files. Give the names of files.\n"
    )


def test_a_pattern_stands_for_what_matches_it(shell, calls, files, tmp_path):
    def found(pattern):
        code, out, err = shell("predict", pattern, "--json")
        assert (code, err) == (0, "")
        return [row["file"] for row in json.loads(out)]

    assert found(f"{calls}/*.WAV") == [f"{calls}/b.WAV"]
    assert found(f"{calls}/**/*.[fW]*") == [f"{calls}/b.WAV", f"{calls}/old/a.flac"]
    assert found(f"{calls}/ol?") == [f"{calls}/old/a.flac"]  # a folder that matches
    os.rename(calls / "b.WAV", calls / "[b].WAV")
    assert found(f"{calls}/[b].WAV") == [f"{calls}/[b].WAV"]  # a file, however it is named
    code, _, err = shell("predict", f"{calls}/*.mp3")
    assert code == 1
    assert err.startswith(f"skser: error: No file matches {calls}/*.mp3. ")


@pytest.mark.parametrize("pattern", ["**", "**/*"])
def test_a_pattern_of_any_depth_names_each_file_once(calls, pattern):
    found = [name for name, _ in named_files([f"{calls}/{pattern}"], None)]
    assert found == [f"{calls}/b.WAV", f"{calls}/notes.txt", f"{calls}/old/a.flac"]


def test_windows_of_a_table_name_their_channel(shell, files, tmp_path):
    (tmp_path / "t.csv").write_text(f"audio,channel\n{files[0]},0\n{files[1]},\n")
    code, out, err = shell("predict", tmp_path / "t.csv", "--timeline", "--json")
    assert (code, err) == (0, "")
    channels = {(row["file"], row.get("channel")) for row in json.loads(out)}
    assert channels == {(files[0], 0), (files[1], None)}


def test_recordings_of_phones_name_the_extra(shell, calls, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (calls / "memo.m4a").write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0")
    code, out, err = shell("predict", calls, "--json")
    assert code == 1
    assert len(json.loads(out)) == 2
    assert f"{calls / 'memo.m4a'}: cannot be read: Reading MP4 or M4A needs" in err
    assert "pip install 'skser[containers]'" in err
    described = " ".join(run("predict", "--help", COLUMNS="300").stdout.split())
    assert "m4a, webm and other formats of phones need the extra containers." in described


@pytest.mark.filterwarnings("default:.*columns were read")
def test_rows_of_a_table_are_predicted_as_parts(shell, files, tmp_path):
    (tmp_path / "table.csv").write_text(
        f"file;begin;end;channel\n{files[0]};0.1;0.5;0\n{os.path.relpath(files[1], tmp_path)};;;\n"
    )
    code, out, err = shell("predict", tmp_path / "table.csv", "--csv")
    assert code == 0
    assert err.startswith("skser: warning: ")
    assert "columns were read under other names" in err
    rows = list(csv.DictReader(io.StringIO(out)))
    parts = [Utterance(files[0], 0.1, 0.5, 0), files[1]]
    model = skser.load_pretrained("emodb-afcn")
    assert [row["emotion"] for row in rows] == model.predict(parts).tolist()
    found = [[float(row[f"proba_{label}"]) for label in model.classes_] for row in rows]
    np.testing.assert_allclose(found, model.predict_proba(parts), atol=1e-4)
    assert [rows[0][name] for name in ("start", "end", "channel")] == ["0.1", "0.5", "0"]
    assert [rows[1][name] for name in ("start", "end", "channel")] == ["", "", ""]
    assert os.path.samefile(rows[1]["file"], files[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("emotion\nanger\n", "lacks the columns ['audio']; it has ['emotion']"),
        ("audio\nnowhere.wav\n", "nowhere.wav: no such file"),
        ("audio,start\n{file},soon\n", "line 2: start='soon' is not a time"),
        ("audio\n", "has headings but no rows"),
    ],
)
def test_errors_of_a_table_name_the_line(shell, files, tmp_path, content, message):
    (tmp_path / "table.csv").write_text(content.format(file=files[0]))
    code, out, err = shell("predict", tmp_path / "table.csv")
    assert (code, out) == (1, "")
    assert message in err


def test_a_table_with_a_missing_file_is_predicted_without_it(shell, files, tmp_path):
    (tmp_path / "table.csv").write_text(f"audio\n{files[0]}\nnowhere.wav\n{files[1]}\n")
    code, out, err = shell("predict", tmp_path / "table.csv")
    assert code == 1
    assert [line.partition(": ")[0] for line in out.splitlines()] == files[:2]
    assert "nowhere.wav: no such file" in err


def test_a_part_of_a_part_is_refused(shell, files, tmp_path):
    (tmp_path / "table.csv").write_text(f"audio,start\n{files[0]},0.1\n")
    code, _, err = shell("predict", tmp_path / "table.csv", "--end", "0.5")
    assert code == 1
    assert "Leave out --start, --end and --channel" in err


def test_remedies_are_those_of_the_command_line(shell, files, tmp_path):
    code, _, err = shell("predict", files[0], "--channel", "left")
    assert code == 1
    assert "channel='left' is neither an index nor loudest" in err
    source = "".join(
        path.read_text() for path in (ROOT / "skser").rglob("*.py") if path.parent.name != "cli"
    )
    # Adjacent strings are joined, so that a remedy is found over the end of a line.
    source = " ".join(source.replace('"\n', '"').split()).replace('" "', "").replace('" f"', "")
    for remedy in _console._REMEDIES:
        assert remedy in source


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "has 100 samples, less than one window of 320: leave the utterance out or use a "
            "shorter window=",
            "has 100 samples, less than one window of 320: leave the utterance out",
        ),
        (
            "window=1e-05 s is less than one sample at 16000 Hz, for a.wav.",
            "--window 1e-05 s is less than one sample at 16000 Hz, for a.wav.",
        ),
        (
            "window=0.001 s and hop=0.01 s are 1 and 10 samples",
            "window=0.001 s and hop=0.01 s are 1 and 10 samples",
        ),
        (
            "Relative paths start from .; if that is wrong, give root=.",
            "Relative paths start from .; if that is wrong, correct the paths in the table.",
        ),
        (
            "Leave the class out, or use LeaveOneGroupOut, whose training side may lack a class.",
            "Leave the class out.",
        ),
    ],
)
def test_windows_of_features_are_not_those_of_a_timeline(message, expected):
    assert _console.in_options(message) == expected


def test_the_lists_of_emobox_are_for_python(shell, folder):
    code, _, err = shell("evaluate", folder / "table.csv", "--protocol", "emobox")
    assert code == 1
    assert "only published_folds in Python reads. Choose another --protocol." in err


@pytest.mark.parametrize("option", ["--csv", None])
@pytest.mark.parametrize("encoding", ["cp1252:strict", "utf-8:strict"])
def test_a_name_that_the_output_cannot_show_loses_no_results(option, encoding, calls):
    os.rename(
        calls / "b.WAV", os.fsencode(calls) + "/f\udcfcr 😀.wav".encode(errors="surrogateescape")
    )
    result = subprocess.run(
        [sys.executable, "-m", "skser", "predict", calls, *filter(None, [option])],
        capture_output=True, check=False,
        env={
            **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": encoding,
            "SKSER_MODEL": "emodb-afcn",
        },
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()[1 if option else 0 :]
    assert len(lines) == 2
    shown = b"f\xfcr" if option and "utf" in encoding else b"f\\udcfcr"
    assert shown in lines[0]


def test_a_list_in_any_encoding_names_the_files(shell, calls, monkeypatch):
    os.rename(calls / "b.WAV", os.fsencode(calls) + b"/f\xfcr.wav")
    first, second = os.fsencode(calls) + b"/f\xfcr.wav", os.fsencode(calls / "old/a.flac")
    expected = [os.fsdecode(name) for name in (first, second)]
    for content in (
        first + b"\n" + second + b"\n",
        first + b"\r\n" + second + b"\r\n",
        first + b"\0" + second + b"\0",
        b"\xef\xbb\xbf" + first + b"\n" + second,
    ):
        code, out, err = shell("predict", "-", "--json", pipe=content)
        assert code == 0, err
        assert [row["file"] for row in json.loads(out)] == expected


def test_folders_and_tables_in_a_list_are_expanded(shell, calls, tmp_path):
    (tmp_path / "t.csv").write_text(f"audio\n{calls / 'b.WAV'}\n")
    code, out, err = shell("predict", "-", "--json", pipe=f"{calls}\n{tmp_path / 't.csv'}".encode())
    assert code == 0, err
    found = [row["file"] for row in json.loads(out)]
    assert found == [f"{calls}/b.WAV", f"{calls}/old/a.flac", f"{calls}/b.WAV"]


def test_a_list_does_not_name_the_pipe(shell, files):
    code, _, err = shell("predict", "-", pipe=f"{files[0]}\n-\n".encode())
    assert code == 1
    assert "The list of files names the pipe itself (-). Leave that line out." in err


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "RF64"])
def test_audio_of_each_kind_is_told_from_a_list(kind, tmp_path):
    tone = np.sin(np.arange(16000) / 10)
    soundfile.write(tmp_path / "a", tone, 16000, format=kind)
    assert holds_audio((tmp_path / "a").read_bytes()[:16])
    assert not holds_audio(b"RIFF.wav\nFORM.wav\nID3.mp3\n")


def test_a_model_of_numbers_is_said_to_take_no_audio(shell, files, tmp_path):
    model = LogisticRegression().fit([[0.0], [1.0]], ["anger", "joy"])
    skser.save(model, tmp_path / "m.skser")
    skser.save(make_pipeline(FunctionTransformer(np.atleast_2d), model), tmp_path / "p.skser")
    skser.save(
        make_pipeline(StandardScaler(), model).fit([[0], [1]], ["a", "b"]), tmp_path / "s.skser"
    )
    for name in ("m.skser", "p.skser", "s.skser"):
        code, _, err = shell("predict", files[0], "--trust", "--model", tmp_path / name)
        assert code == 1
        assert "the model takes numbers, not audio. Save it as a pipeline with its features." in err


def test_a_warning_is_printed_on_one_line(files, tmp_path):
    samples, rate = load_audio(files[0])
    opposite = np.stack([samples, -0.98 * samples], axis=1)
    soundfile.write(tmp_path / "opposite.wav", opposite, rate)
    result = run("predict", tmp_path / "opposite.wav")
    assert result.returncode == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"skser: warning: {tmp_path / 'opposite.wav'}: its 2 channels cancel")
    assert line.endswith("Choose one with --channel 0 or --channel loudest.")


def test_the_version_is_printed():
    assert run("--version").stdout == f"skser {skser.__version__}\n"


def test_no_color_is_respected():
    colors = "\x1b[3", "\x1b[1;3", "\x1b[2;3"
    plain = run("--help", NO_COLOR="1", FORCE_COLOR="1")
    assert plain.returncode == 0
    assert not any(code in plain.stdout for code in colors)
    assert any(code in run("--help", FORCE_COLOR="1", NO_COLOR="").stdout for code in colors)


def test_the_package_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "skser", "-h"], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert "Usage: skser [OPTIONS] COMMAND" in result.stdout


def test_completion_names_the_commands():
    result = run(
        _SKSER_COMPLETE="complete_bash", COMP_WORDS="skser pre", COMP_CWORD="1"
    )  # fmt: skip
    assert result.stdout.split() == ["predict"]


def test_a_folder_is_predicted_by_a_model_adapted_to_it(shell, folder, tmp_path):
    speech = folder / "speech"
    paths = sorted(map(str, speech.iterdir()))
    expected = adapt(skser.load(folder / "model.skser"), paths).predict_proba(paths)
    code, out, err = shell(
        "predict", speech, "--adapt", "--model", folder / "model.skser", "--json"
    )
    assert code == 0
    assert "adapted to 24 recordings" in err
    found = [list(row["probabilities"].values()) for row in json.loads(out)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    plain = skser.load(folder / "model.skser").predict_proba(paths)
    assert np.abs(expected - plain).max() > 0.01


def test_adaptation_leaves_out_what_cannot_be_read(shell, folder, files, tmp_path):
    (tmp_path / "broken.wav").write_text("no audio")
    given = [files[0], tmp_path / "broken.wav", files[1]]
    code, out, err = shell(
        "predict", *given, "--adapt", "--model", folder / "model.skser", "--json"
    )
    assert code == 1
    assert "adapted to 2 recordings" in err
    assert f"skser: error: {tmp_path / 'broken.wav'}: cannot be read as audio" in err
    expected = adapt(skser.load(folder / "model.skser"), files[:2]).predict_proba(files[:2])
    found = [list(row["probabilities"].values()) for row in json.loads(out)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_adaptation_to_one_recording_is_said_to_change_nothing(shell, files):
    code, out, err = shell("predict", files[0], "--adapt", "--json")
    assert code == 0
    assert err.startswith("skser: warning: --adapt with one recording changes nothing")
    _, plain, _ = shell("predict", files[0], "--json")
    found, expected = (json.loads(text)[0]["probabilities"] for text in (out, plain))
    assert found == pytest.approx(expected, abs=1e-4)


def test_an_onnx_file_is_not_adapted(shell, files):
    graph = skser.persistence.path_of("emodb-afcn").with_suffix(".onnx")
    code, _, err = shell("predict", *files, "--adapt", "--model", graph)
    assert code == 1
    assert "Give a --model saved as .skser" in err


def test_the_environment_may_choose_the_model(folder, files):
    model = str(folder / "model.skser")
    given = run("predict", files[0], "--json", SKSER_MODEL=model)
    assert given.returncode == 0, given.stderr
    expected = skser.load(model).predict_proba(files[:1])[0]
    found = list(json.loads(given.stdout)[0]["probabilities"].values())
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_windows_without_a_timeline_are_refused(shell, files):
    code, out, err = shell("predict", files[0], "--window", 0.5)
    assert (code, out) == (2, "")
    assert "--window and --hop are for --timeline" in err


def test_a_closed_pipe_is_an_error_in_words(shell, files, monkeypatch):
    monkeypatch.setattr(io, "TextIOWrapper", lambda _: None)
    code, _, err = shell("predict", "-")
    assert (code, err) == (1, "skser: error: - reads from a pipe, but standard input is closed.\n")


@pytest.mark.parametrize("option", ["--predictions", "--report"])
def test_the_table_to_evaluate_is_not_overwritten(shell, folder, option):
    table = folder / "table.csv"
    content = table.read_bytes()
    code, _, err = shell("evaluate", table, option, folder / "speech/../table.csv")
    assert code == 1
    assert f"table and {option} are the same file" in err
    assert table.read_bytes() == content


def test_two_results_in_one_file_are_refused(shell, folder, tmp_path):
    both = "--report", tmp_path / "r.html", "--predictions", tmp_path / "r.html"
    code, _, err = shell("evaluate", folder / "table.csv", *both)
    assert code == 1
    assert "--report and --predictions are the same file" in err


def test_an_at_sign_in_a_folder_is_no_revision(shell, folder, files, tmp_path):
    pytest.importorskip("onnx")
    (tmp_path / "v@2").mkdir()
    skser.export_onnx(skser.load(folder / "model.skser"), tmp_path / "v@2/m.onnx")
    code, out, _ = shell("predict", files[0], "--model", tmp_path / "v@2/m.onnx")
    assert code == 0
    assert out.startswith(f"{files[0]}: ")


def test_labels_and_cards_of_strangers_do_not_reach_the_terminal_raw(shell, files, tmp_path):
    corpus = make_emotional_speech(2, 10, random_state=0)
    labels = np.where(corpus.target == "anger", "\x1b[8ma\nskser: error: b", corpus.target)
    features = Functionals(FrameFeatures(("energy",), input_sampling_rate=16000))
    model = make_pipeline(features, StandardScaler(), LogisticRegression()).fit(corpus.data, labels)
    skser.save(model, tmp_path / "m.skser", card="# Card\n\x1b]0;title\x07\tend")
    _, out, _ = shell("predict", files[0], "--model", tmp_path / "m.skser")
    assert "\x1b" not in out
    assert out.count("\n") == 1
    _, out, _ = shell("info", tmp_path / "m.skser")
    assert re.search(r"# Card\n\\x1b\]0;title\\x07\s+end\n", out)
