import pytest

from skser._optional import import_optional


def test_a_missing_library_is_named_with_its_extra():
    with pytest.raises(ImportError, match=r"Reverb needs.*'no_such_library'.*skser\[room\]"):
        import_optional("no_such_library", extra="room", purpose="Reverb")


def test_a_library_that_is_there_is_imported():
    assert import_optional("json", extra="x", purpose="x").loads("1") == 1


def test_a_library_that_lacks_something_itself_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        import_optional("half_installed", extra="x", purpose="x")
