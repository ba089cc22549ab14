"""Tests of the report of a corpus."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

from skser.datasets import SpeechCorpus, make_emotional_speech
from skser.evaluation import CorpusReport
from tests.support.optional import installed

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib").use("Agg")
RATE = 16000
NONE = FunctionTransformer(lambda X: np.zeros((len(X), 1)))


def corpus_of(samples, **columns):
    n = len(samples)
    frame = {"audio": samples, "emotion": ["anger", "fear"] * (n // 2)}
    return SpeechCorpus(pd.DataFrame(frame | columns), "mine", {}, sampling_rate=RATE)


def described(samples):
    """Measures of one utterance."""
    corpus = corpus_of([np.asarray(samples, np.float32)] * 2)
    return CorpusReport(corpus, features=NONE, duplicates=False).recordings.iloc[0]


def test_measures_of_known_signals():
    random, n = np.random.RandomState(0), RATE
    tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(n) / RATE)
    found = described(np.r_[tone, np.zeros(n)] + 0.001 * random.randn(2 * n))
    assert found["duration"] == 2
    assert found["rate"] == RATE
    assert found["level"] == pytest.approx(20 * np.log10(0.1 / np.sqrt(2)), abs=0.05)
    assert found["silence"] == pytest.approx(0.5, abs=0.01)
    # The power of the quietest tenth is a little below that of the noise.
    assert found["snr"] == pytest.approx(20 * np.log10(100 / np.sqrt(2)), abs=1)
    assert found["clipped"] == 0


def test_clipping_needs_two_samples_in_a_row():
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE) * 0.5
    tone[100] = 1.0
    assert described(tone)["clipped"] == 0
    tone[100:104] = 1.0
    assert described(tone)["clipped"] == pytest.approx(3 / RATE)


def test_an_attribute_that_the_vectors_hold_is_guessed():
    sexes = ["female"] * 12 + ["male"] * 12
    speakers = np.repeat(list("abcdef"), 4)
    corpus = corpus_of(
        [np.full(800, 0.1, np.float32)] * 24, speaker=speakers, sex=sexes, sentence=["s", "t"] * 12
    )
    vectors = np.array([[sex == "male", 0] for sex in sexes], float)
    features = FunctionTransformer(lambda X: vectors)
    guessed = CorpusReport(corpus, features=features, duplicates=False).guessed
    assert guessed.index.tolist() == ["emotion", "speaker", "sex", "sentence"]
    assert guessed.loc["sex", "uar"] == 1
    assert guessed.loc["sex", ["chance", "classes", "utterances"]].tolist() == [0.5, 2, 24]
    assert guessed.loc["sentence", "uar"] == pytest.approx(0.5)
    assert guessed["split"].to_dict() == {
        "emotion": "speaker", "speaker": "utterance", "sex": "speaker", "sentence": "speaker",
    }  # fmt: skip


def test_attributes_of_single_speakers_are_not_guessed():
    corpus = corpus_of(
        [np.full(800, 0.1, np.float32)] * 4, speaker=["a", "a", "b", "b"], sex=["f", "f", "m", "m"]
    )
    guessed = CorpusReport(corpus, features=NONE, duplicates=False).guessed
    assert "sex" not in guessed.index  # one speaker of each sex: no split can test another
    assert "speaker" in guessed.index


@pytest.fixture(scope="module")
def report():
    """Made-up speech with ratings, votes, an unknown speaker and a duplicate."""
    made = make_emotional_speech(4, 6, ("anger", "neutral"), random_state=0)
    frame = made.frame.assign(
        valence=np.arange(24.0), activation=np.arange(24.0)[::-1],
        speaker=[None, *made.speakers[1:]],
    )  # fmt: skip
    frame.at[3, "audio"] = frame.at[2, "audio"]
    votes = pd.DataFrame(
        {
            "utterance": np.repeat(np.arange(24), 3),
            "rater": ["r", "s", "<b>t</b>"] * 24,
            "emotion": np.repeat(made.target, 3),
        }
    )
    corpus = SpeechCorpus(frame, "<mine>", {}, citation="A & B", sampling_rate=RATE, votes=votes)
    return CorpusReport(corpus)


def test_the_report_holds_all_sections(report, tmp_path):
    installed("krippendorff")
    path = report.save(tmp_path / "corpus.html")
    html = path.read_text("utf-8")
    titles = re.findall(r"<h2>(.*?)</h2>", html)
    assert titles == [
        "Easy to guess", "Emotions and speakers", "Recordings", "Raters", "Duplicates", "Source",
    ]  # fmt: skip
    assert "24 utterances of 4 speakers (1 utterance of unknown speakers)" in html
    assert html.count("data:image/svg+xml") == 4
    assert "24 at 16000 Hz" in html
    assert "1 pair of recordings is alike." in html
    assert report.similar == [("identical audio", 2, 3)]
    assert "1.000" in html  # the raters of each utterance agree
    assert "A &amp; B" in html
    assert "<mine>" not in html
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []


def test_pictures_come_before_tables(report):
    html = report.to_html()
    for section in html.split("<h2>")[1:4]:
        assert section.index("<figure>") < section.index("<table>")


def test_a_corpus_with_little_information_has_a_short_report():
    corpus = corpus_of([np.full(800, 0.1, np.float32)] * 2)
    html = CorpusReport(corpus, features=NONE, duplicates=False).to_html()
    assert re.findall(r"<h2>(.*?)</h2>", html) == ["Emotions and speakers", "Recordings", "Source"]
    assert "2 utterances of unknown speakers" in html
    with pytest.raises(TypeError, match="corpus must be a SpeechCorpus, not list"):
        CorpusReport([])


def test_a_browser_shows_the_report_without_requests(report, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    path = report.save(tmp_path / "corpus.html")
    messages, requests = [], []
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.on("console", lambda message: messages.append(message.text))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri(), wait_until="load")
        images = page.eval_on_selector_all("img", "all => all.map(i => i.naturalWidth)")
        browser.close()
    assert messages == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data"}
    assert len(images) == 4
    assert min(images) > 0


def test_emotions_that_are_numbers_have_recordings(monkeypatch):
    import matplotlib.axes

    drawn = []
    boxplot = matplotlib.axes.Axes.boxplot
    monkeypatch.setattr(
        matplotlib.axes.Axes, "boxplot",
        lambda ax, values, **options: drawn.append(values) or boxplot(ax, values, **options),
    )  # fmt: skip
    noise = list(np.random.RandomState(0).randn(4, 8000).astype(np.float32) / 10)
    frame = pd.DataFrame({"audio": noise, "emotion": [0, 1, 0, 1]})
    corpus = SpeechCorpus(frame, "mine", {}, sampling_rate=RATE)
    CorpusReport(corpus, features=NONE, duplicates=False).to_html()
    assert [[len(values) for values in of_measure] for of_measure in drawn] == [[2, 2]] * 4
