"""Tests of the report of an evaluation, as text and in a browser."""

import base64
import dataclasses
import datetime
import io
import json
import os
import platform
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.stats import entropy
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skser.audio import Waveform
from skser.datasets import (
    SpeechCorpus,
    concatenate_corpora,
    load_emodb,
    make_emotional_speech,
)
from skser.evaluation import (
    EvaluationReport,
    cross_validate_speakers,
    read_predictions,
    robustness_report,
)
from skser.evaluation._html_page import sound
from skser.feature_extraction import FrameFeatures, Functionals
from skser.inspection import ConfusionDisplay, SpeakerRecallDisplay
from skser.model_selection import GivenSplits, published_folds

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib").use("Agg")
RATE = 16000


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(4, 12, ("anger", "sadness", "neutral"), random_state=0)


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    frames = FrameFeatures(
        ("energy", "pitch"), input_sampling_rate=RATE, memory=tmp_path_factory.mktemp("memory")
    )
    return Functionals(frames)


@pytest.fixture(scope="module")
def model(features):
    return make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=1000))


@pytest.fixture(scope="module")
def evaluation(model, corpus):
    return cross_validate_speakers(model, corpus, cv=2)


class Everything(HTMLParser):
    """Tags, link targets and text of a page."""

    def __init__(self, html):
        super().__init__()
        self.sources, self.words, self.tags = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [v for k, v in attributes if k in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)


def test_the_file_contains_every_section_picture_and_sound(model, evaluation, corpus, tmp_path):
    fitted = model.fit(corpus.data, corpus.target)
    distortions = {"softer": lambda samples, rate, random: samples / 3}
    report = EvaluationReport(
        evaluation,
        corpus,
        robustness=robustness_report(fitted, corpus, distortions=distortions),
        displays={"Once more": ConfusionDisplay.from_predictions(["a", "b"], ["a", "b"])},
        n_errors=4,
    )
    path = report.save(tmp_path / "report.html")
    html = path.read_text("utf-8")
    found = Everything(html)
    assert all(source.startswith("data:") for source in found.sources)
    assert not re.search(r"https?://(?!www\.w3\.org|purl\.org|matplotlib\.org)", html)
    text = " ".join(found.words)
    summary = evaluation.summary()
    assert f"{100 * summary.loc['uar', 'pooled']:.1f}" in text
    assert "LogisticRegression(max_iter=1000)" in text
    assert "StratifiedSpeakerKFold" in text
    for heading in ("Scores", "Classes", "Speakers", "Probabilities", "Robustness", "Leakage"):
        assert heading in text
    assert "scikit-learn" in text
    assert "On both sides of a split: sentence" in text
    n_wrong = np.sum(evaluation.y_true != evaluation.y_pred)
    assert found.tags.count("audio") == min(4, n_wrong)
    assert found.tags.count("img") == 6
    assert "Once more" in text


def test_reported_scores_agree_with_their_formulas(evaluation, corpus):
    report = EvaluationReport(evaluation, corpus, leakage=False)
    true, predicted = evaluation.y_true, evaluation.y_pred
    f1 = [
        2 * np.sum((true == c) & (predicted == c)) / (np.sum(true == c) + np.sum(predicted == c))
        for c in evaluation.labels
    ]
    shares = np.array([[np.mean(y == c) for c in evaluation.labels] for y in (true, predicted)])
    divergence = np.mean([entropy(side, shares.mean(axis=0), base=2) for side in shares])
    scores = report._scores()
    text = " ".join(scores["paragraphs"])
    name, pooled = (cell["text"] for cell in scores["tables"][0]["rows"][2][:2])
    assert (name, pooled) == ("macro F1", f"{100 * np.mean(f1):.1f}")
    assert f"is {np.sqrt(divergence):.3f} (0: equal shares" in text
    one_hot = (true[:, None] == evaluation.labels).astype(float)
    brier = np.mean(np.sum((evaluation.y_proba - one_hot) ** 2, axis=1))
    assert f"Brier score {brier:.3f} (0 to 2)" in report._probabilities()["paragraphs"][0]


def test_brier_score_of_two_classes_is_0_to_2_and_tolerates_float32_sums(evaluation, corpus):
    two = corpus.frame["emotion"].isin(["anger", "sadness"]).to_numpy()
    half = SpeechCorpus(corpus.frame[two], "half", {}, sampling_rate=corpus.sampling_rate)
    predictions = evaluation.predictions[two].reset_index(drop=True)
    sure = (predictions["true"] == "anger").to_numpy(float)
    wrong = predictions.drop(columns="proba_neutral").assign(
        utterance=np.arange(len(predictions)),
        proba_anger=(1 - sure) * (1 + 1e-6),
        proba_sadness=sure * (1 + 1e-6),
    )
    wrong["predicted"] = np.where(sure, "sadness", "anger")
    changed = dataclasses.replace(evaluation, predictions=wrong)
    with pytest.warns(UserWarning, match="recordings or the table of half are not those of the"):
        report = EvaluationReport(changed, half)
    assert "Brier score 2.000 (0 to 2)" in report._probabilities()["paragraphs"][0]


def test_markup_in_a_title_is_escaped(evaluation, corpus):
    html = EvaluationReport(evaluation, corpus, title="<script>alert(1)</script>").to_html()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_model_without_probabilities_has_no_section_on_them(features, corpus):
    evaluation = cross_validate_speakers(
        make_pipeline(features, StandardScaler(), SVC()), corpus, cv=2
    )
    found = Everything(EvaluationReport(evaluation, corpus, leakage=False).to_html())
    text = " ".join(found.words)
    assert "Probabilities" not in text
    assert "Sentences and recordings were not checked" in text


def test_another_corpus_is_refused(evaluation, corpus):
    with pytest.raises(ValueError, match="not the corpus of this evaluation"):
        EvaluationReport(evaluation, corpus.select(speakers=["01", "02"]))


@pytest.mark.real_data
def test_a_browser_shows_the_report_without_requests(features, emodb_path, tmp_path):
    """Open the report of a real model on EmoDB in headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    emodb = load_emodb(emodb_path)
    model = make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=1000))
    evaluation = cross_validate_speakers(model, emodb, cv=published_folds(emodb, "emodb-loso"))
    report = EvaluationReport(evaluation, emodb)
    path = report.save(tmp_path / "report.html")
    assert path.stat().st_size < 5e6
    messages, requests = [], []
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri(), wait_until="load")
        images = page.eval_on_selector_all(
            "img", "all => all.map(i => [i.complete, i.naturalWidth, i.offsetHeight])"
        )
        page.wait_for_function(
            "Array.from(document.querySelectorAll('audio')).every(a => a.readyState >= 1)",
            timeout=20000,
        )
        durations = page.eval_on_selector_all("audio", "all => all.map(a => a.duration)")
        page.screenshot(path=tmp_path / "report.png", full_page=True)
        browser.close()
    assert messages == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data"}
    assert [url for url in requests if url.startswith("file")] == [path.as_uri()]
    assert len(images) == 4
    assert all(complete and width > 0 and height > 50 for complete, width, height in images)
    assert len(durations) == 10
    assert all(0.5 < seconds < 15 for seconds in durations)


def test_sexes_are_compared_only_where_both_are_known(model, corpus):
    speakers = corpus.speakers
    one_fold = [(np.flatnonzero(speakers != "01"), np.flatnonzero(speakers == "01"))]
    evaluation = cross_validate_speakers(model, corpus, cv=one_fold)
    assert "Between the sexes" not in EvaluationReport(evaluation, corpus, leakage=False).to_html()
    sexes = np.where(np.isin(speakers, ["01", "02"]), None, corpus.sexes)
    some = SpeechCorpus(
        corpus.frame.assign(sex=sexes), "some", {}, sampling_rate=corpus.sampling_rate
    )
    html = EvaluationReport(
        cross_validate_speakers(model, some, cv=2), some, leakage=False
    ).to_html()
    assert "nan worse" not in html
    assert "Between the sexes" in html


@pytest.mark.filterwarnings("ignore:All .* predictions")
@pytest.mark.parametrize(
    ("sexes", "reason"),
    [
        (["x", "y", "x", "x", "x", "x"], "Speaker 'a' is in more than one group"),
        (["x", "x", "x", "y", "y", "y"], "cannot be compared"),
    ],
)
def test_sexes_that_cannot_be_compared_leave_a_reason(sexes, reason):
    emotions = ["joy", "joy", "joy", "fear", "fear", "fear"]
    frame = pd.DataFrame(
        {"audio": [np.full(RATE, 0.1)] * 6, "emotion": emotions, "sex": sexes,
         "speaker": list("aabccd")}
    )  # fmt: skip
    own = SpeechCorpus(frame, "own", {}, sampling_rate=RATE)
    cv = [(np.array([0, 1, 3, 4]), np.array([2, 5])), (np.array([2, 5]), np.array([0, 1, 3, 4]))]
    evaluation = cross_validate_speakers(DummyClassifier(), own, cv=cv)
    html = EvaluationReport(evaluation, own, leakage=False).to_html()
    assert "The sexes are not compared. " in html
    assert reason in html.replace("&#39;", "'")


@pytest.mark.filterwarnings("ignore:All .* predictions", "ignore:A single label was found")
def test_a_class_of_the_test_side_alone_and_a_single_class_are_reported():
    frame = pd.DataFrame(
        {"audio": [np.full(RATE, 0.1)] * 4, "emotion": ["joy", "anger", "joy", "fear"],
         "speaker": ["a", "a", "b", "b"]}
    )  # fmt: skip
    own = SpeechCorpus(frame, "own", {}, sampling_rate=RATE)
    cv = [(np.array([0, 1]), np.array([2, 3]))]
    evaluation = cross_validate_speakers(DummyClassifier(), own, cv=cv)
    assert evaluation.labels.tolist() == ["anger", "fear", "joy"]
    np.testing.assert_array_equal(evaluation.y_proba, [[0.5, 0, 0.5]] * 2)
    assert "Brier score" in EvaluationReport(evaluation, own, leakage=False).to_html()
    joyful = own[own.target == "joy"]
    evaluation = cross_validate_speakers(DummyClassifier(), joyful, cv=2)
    assert "Brier score" not in EvaluationReport(evaluation, joyful, leakage=False).to_html()


def test_refused_utterances_have_no_probability(corpus):
    class Refusing(DummyClassifier):
        """Refuses every second utterance."""

        def predict(self, X):
            label = np.full(len(X), "unknown", dtype=object)
            label[::2] = super().predict(X)[::2]
            return label

    evaluation = cross_validate_speakers(Refusing(strategy="uniform", random_state=0), corpus, cv=2)
    rows = EvaluationReport(evaluation, corpus, n_errors=40)._errors()["tables"][0]["rows"]
    shown = [(row[3]["text"] == "unknown", row[4]["text"]) for row in rows]
    assert shown == sorted(shown)  # errors come first
    assert {text for refused, text in shown if refused} == {""}
    assert {text for refused, text in shown if not refused} == {"33 %"}


def test_errors_show_the_probability_of_the_predicted_class(corpus):
    class Contrary(DummyClassifier):
        """Predicts the class that it finds least probable."""

        def predict(self, X):
            return self.classes_[super().predict_proba(X).argmin(axis=1)]

    evaluation = cross_validate_speakers(Contrary(strategy="stratified"), corpus, cv=2)
    table = EvaluationReport(evaluation, corpus)._errors()["tables"][0]
    assert {row[4]["text"] for row in table["rows"]} == {"0 %"}


def test_the_most_confident_errors_come_first(corpus):
    lengths = FunctionTransformer(lambda X: np.array([[x.std() * len(x)] for x in X]))
    model = make_pipeline(lengths, StandardScaler(), LogisticRegression())
    evaluation = cross_validate_speakers(model, corpus, cv=2)
    wrong = evaluation.y_true != evaluation.y_pred
    sure = np.sort(evaluation.y_proba.max(axis=1)[wrong])[::-1]
    assert len(sure) > 5
    table = EvaluationReport(evaluation, corpus, n_errors=5)._errors()["tables"][0]
    assert [row[4]["text"] for row in table["rows"]] == [f"{100 * p:.0f} %" for p in sure[:5]]


def test_sounds_beyond_full_scale_are_not_clipped(corpus):
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE).astype(np.float32)
    for scale, expected in ((0.5, 0.5), (3.0, 1.0)):
        item = Waveform(scale * tone, RATE, max_amplitude=None)
        uri = sound(corpus, item, 0)
        assert uri.startswith("data:audio/mpeg;base64,")
        heard, rate = soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        middle = heard[rate // 4 : rate // 2]
        assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(expected, rel=0.03)


def test_tables_of_scores_are_in_percent(evaluation, corpus):
    report = EvaluationReport(evaluation, corpus)
    ((scores,), (folds,)) = (report._scores()["tables"], report._protocol()["tables"])
    assert folds["columns"] == ["fold", "speakers held out", "UAR in %"]
    for row, (_, found) in zip(folds["rows"], evaluation.fold_results.iterrows(), strict=True):
        assert [cell["text"] for cell in row[1:]] == [
            ", ".join(found["held_out"]), f"{100 * found['uar']:.1f}",
        ]  # fmt: skip
    summary = evaluation.summary()
    low, high = evaluation.interval()
    assert [cell["text"] for cell in scores["rows"][0]][:3] == [
        "UAR (balanced accuracy)", f"{100 * summary.loc['uar', 'pooled']:.1f}",
        f"{100 * low:.1f} to {100 * high:.1f}",
    ]  # fmt: skip


def test_chance_is_the_most_frequent_emotion(evaluation, corpus):
    (scores,) = EvaluationReport(evaluation, corpus)._scores()["tables"]
    assert scores["columns"][-1] == "chance"
    n = pd.Series(evaluation.y_true).value_counts()
    p = n.iloc[0] / n.sum()
    found = [float(row[-1]["text"]) for row in scores["rows"]]
    expected = [100 / len(n), 100 * p, 100 * 2 * p / (1 + p) / len(n)]
    assert found == pytest.approx(expected, abs=0.051)


def test_chance_in_an_unbalanced_corpus_is_the_share_of_the_most_frequent_emotion():
    rows = "1,x,joy,joy\n2,x,fear,joy\n3,y,joy,fear\n4,y,joy,joy\n"
    table = io.StringIO("utterance,speaker,true,predicted\n" + rows)
    scores = sorted(read_predictions(table).chance())
    assert scores == pytest.approx([3 / 7, 0.5, 0.75])  # macro F1, UAR, accuracy


def test_recalls_have_intervals_over_speakers(evaluation, corpus):
    (classes,) = EvaluationReport(evaluation, corpus)._classes()["tables"]
    assert classes["columns"][:3] == ["emotion", "recall in %", "95 % interval over speakers"]
    name = classes["rows"][0][0]["text"]

    def recall(true, predicted):
        return np.mean(predicted[true == name] == name)

    low, high = evaluation.interval(recall)
    shown = f"{max(0, 100 * low):.1f} to {min(100, 100 * high):.1f}"
    assert classes["rows"][0][2]["text"] == shown


def test_the_protocol_is_complete_and_has_a_paragraph_to_copy(evaluation, corpus):
    section = EvaluationReport(evaluation, corpus)._protocol()
    protocol = evaluation.protocol
    lines = dict(line.split(": ", 1) for line in section["text"].splitlines() if ": " in line)
    assert lines["python"] == platform.python_version()
    assert lines["operating system"] == platform.platform()
    assert lines["processor"].endswith(f"{os.cpu_count()} cores")
    assert lines["date"] == protocol["environment"]["date"]
    assert datetime.date.fromisoformat(lines["date"]) <= datetime.date.today()
    assert lines["seeds"] == ", ".join(map(str, evaluation.fold_results["seed"].unique()))
    assert lines["scikit-learn"] == protocol["versions"]["scikit-learn"]
    for name in ("model", "utterances", "folds"):
        assert lines[f"hash of {name}"] == protocol[f"{name}_hash"][:12]
    (paragraph,) = section["paragraphs"]
    low, high = evaluation.interval()
    for text in (
        "LogisticRegression", f"{len(corpus.target_names)} emotions", protocol["cv"],
        f"UAR {100 * evaluation.pooled().mean():.1f} % (95 % interval over speakers "
        f"{100 * low:.1f} % to {100 * high:.1f} %, by the jackknife)",
        f"chance {100 / len(corpus.target_names):.1f} %", f"skser {protocol['versions']['skser']}",
    ):  # fmt: skip
        assert text in paragraph
    assert "torch" not in paragraph  # a linear model does not use it


def test_the_corpora_of_training_and_test_are_named(model, corpus):
    other = make_emotional_speech(2, 6, corpus.target_names, random_state=5)
    other.name = "other"
    both = concatenate_corpora([corpus, other])
    is_other = both.frame["corpus"] == "other"
    sides = np.flatnonzero(~is_other), np.flatnonzero(is_other)
    found = cross_validate_speakers(model, both, cv=[sides, sides[::-1]])
    report = EvaluationReport(found, both, leakage=False)
    html = report.to_html()
    assert (
        f"Corpora: trained on {corpus.name}, tested on other; trained on other, tested on "
        f"{corpus.name}, so every test is on a corpus that the model was not trained on." in html
    )
    (folds,) = report._protocol()["tables"]
    shown = [[cell["text"] for cell in row] for row in folds["rows"]]
    assert folds["columns"][2:4] == ["trained on", "tested on"]
    assert [row[2:4] for row in shown] == [[corpus.name, "other"], ["other", corpus.name]]
    mixed = cross_validate_speakers(model, both, cv=2)
    (sentence,) = re.findall("Corpora: .*?\\.", EvaluationReport(mixed, both).to_html())[:1]
    assert "every test" not in sentence


def test_the_legend_hides_no_bar(evaluation):
    display = SpeakerRecallDisplay.from_predictions(
        evaluation.y_true, evaluation.y_pred, speakers=evaluation.predictions["speaker"]
    )
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend().get_window_extent()
    assert not any(legend.overlaps(bar.get_window_extent()) for bar in display.bars_)
    import matplotlib.pyplot as plt

    plt.close(display.figure_)


def test_finished_folds_are_reused_on_another_day_and_machine(corpus, tmp_path):
    model = DummyClassifier(strategy="prior")
    first = cross_validate_speakers(model, corpus, cv=2, results_dir=tmp_path)
    stored = json.loads((tmp_path / "protocol.json").read_text())
    assert stored["environment"] == first.protocol["environment"]
    stored["environment"] = {"python": "3.14.0", "date": "2031-01-01"}
    (tmp_path / "protocol.json").write_text(json.dumps(stored))
    again = cross_validate_speakers(model, corpus, cv=2, results_dir=tmp_path)
    # The times are those of the first call.
    pd.testing.assert_frame_equal(again.fold_results, first.fold_results)


@pytest.mark.filterwarnings("ignore:All .* predictions are")
def test_counts_are_of_tested_utterances(corpus):
    rows = np.arange(len(corpus.target))
    test = np.flatnonzero(corpus.speakers == np.unique(corpus.speakers)[0])
    found = cross_validate_speakers(
        DummyClassifier(strategy="prior"),
        corpus,
        cv=GivenSplits([(np.setdiff1d(rows, test), test)]),
    )
    report = EvaluationReport(found, corpus)
    assert "Tested on 12 of 48 utterances by 1 speaker, 1 fold" in report.to_html()
    assert [row[-1]["text"] for row in report._classes()["tables"][0]["rows"]] == ["4"] * 3


def test_a_refusal_is_no_class_of_the_f1_score(tmp_path):
    rows = {
        "utterance": range(6),
        "speaker": list("aabbcc"),
        "true": ["joy", "fear"] * 3,
        "predicted": ["joy", "fear", "unknown", "joy", "joy", "fear"],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "predictions.csv", index=False)
    found = read_predictions(tmp_path / "predictions.csv")
    # Precision and recall are 2/3 for joy, and 1 and 2/3 for fear.
    assert found.summary().loc["macro_f1", "pooled"] == pytest.approx((2 / 3 + 0.8) / 2)


def test_the_deviation_over_folds_does_not_depend_on_the_number_of_seeds(corpus):
    model = DummyClassifier(strategy="uniform", random_state=0)
    fixed = FrozenEstimator(model.fit(corpus.data, corpus.target))
    one, two = (
        cross_validate_speakers(fixed, corpus, cv=3, n_seeds=n_seeds).summary()
        for n_seeds in (1, 2)
    )
    assert one.loc["accuracy", "sd_folds"] > 0
    assert two["sd_folds"].tolist() == pytest.approx(one["sd_folds"].tolist())


def test_speakers_are_those_of_the_evaluation_and_counted_once(evaluation, corpus, monkeypatch):
    twice = pd.concat([evaluation.predictions.assign(seed=seed) for seed in (0, 1)])
    several = dataclasses.replace(evaluation, predictions=twice.reset_index(drop=True))
    drawn, plot = [], SpeakerRecallDisplay.plot
    monkeypatch.setattr(
        SpeakerRecallDisplay, "plot", lambda display: drawn.append(display.recalls) or plot(display)
    )
    for found in (evaluation, several):
        EvaluationReport(found, corpus, leakage=False)._speakers()
    seeds = evaluation.predictions["seed"].nunique()
    counts = evaluation.predictions.groupby("speaker").size() // seeds
    assert drawn[0]["n"].to_dict() == counts.to_dict()
    others = corpus.frame.assign(speaker=np.roll(corpus.speakers, 1))
    others = SpeechCorpus(others, "others", {}, sampling_rate=corpus.sampling_rate)
    with pytest.raises(ValueError, match="has other utterances, labels or speakers"):
        EvaluationReport(evaluation, others)


def test_predictions_without_folds_are_not_said_to_be_checked(evaluation, corpus):
    read = dataclasses.replace(evaluation, folds=[])
    (paragraph,) = EvaluationReport(read, corpus)._leakage()["paragraphs"]
    assert "unknown and not checked" in paragraph
