"""Pictures of the reference pages."""

import sys
from pathlib import Path

import pytest

from skser import augmentation, feature_extraction, preprocessing
from skser.feature_extraction import AudioTransformer, Functionals

pytest.importorskip("matplotlib").use("Agg")
sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from draw_features import NEED_A_CHECKPOINT, PICTURES, draw_features  # noqa: E402

NOT_AN_ALTERATION = {"altered", "default_distortions", "simulate_rooms"}
NEED_RECORDINGS = {"add_babble", "add_recording", "apply_room"}


def test_every_feature_and_alteration_has_a_picture():
    features = {
        name
        for name in feature_extraction.__all__
        if isinstance(part := getattr(feature_extraction, name), type)
        and issubclass(part, AudioTransformer | Functionals)
    }
    alterations = {name for name in augmentation.__all__ if name[0].islower()}
    wanted = features - NEED_A_CHECKPOINT - {"AudioTransformer"}
    wanted |= alterations - NOT_AN_ALTERATION - NEED_RECORDINGS
    wanted |= set(preprocessing.__all__)
    assert set(PICTURES) >= wanted


def test_pictures_are_drawn_with_a_text_for_each(tmp_path, monkeypatch):
    import draw_features as drawing

    few = {name: PICTURES[name] for name in ("MelSpectrogram", "SpeakerScaler", "telephone")}
    monkeypatch.setattr(drawing, "PICTURES", few)
    found = draw_features(tmp_path)
    assert set(found) == set(few)
    for name, picture in found.items():
        assert picture["text"].split()
        assert (tmp_path / picture["file"].lstrip("/")).read_text().count("<svg") == 1, name
