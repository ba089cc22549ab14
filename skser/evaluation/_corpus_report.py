"""Report of a corpus as one HTML file."""

from pathlib import Path

import numpy as np
import pandas as pd

from skser._optional import import_optional
from skser._wording import counted
from skser.audio import audio_inputs, utterance_name
from skser.datasets import SpeechCorpus
from skser.evaluation._agreement import agreement
from skser.evaluation._corpus_statistics import guessed_attributes, recording_statistics
from skser.evaluation._html_page import TEMPLATE, picture, table
from skser.evaluation._leakage import similar_recordings
from skser.feature_extraction import FrameFeatures, Functionals

_MOST_SPEAKERS = 60  # rows of the picture of speakers and emotions
_MOST_PAIRS = 20
_MEASURES = {
    "duration": ("duration, s", "Duration"),
    "level": ("level, dB of full scale", "Level of speech"),
    "snr": ("ratio, dB (estimate)", "Signal-to-noise ratio"),
    "silence": ("share of frames below speech", "Silence"),
}


class CorpusReport:
    """Report of a corpus in one HTML file: counts, recordings, raters, and what is easy to guess.

    The report shows what a model could learn besides emotion: recordings of an emotion or a
    speaker that are louder, longer or noisier, duplicates, and attributes that a linear model
    guesses from the audio. All pictures are inside the file.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus to describe. All of its audio is read.
    features : transformer or None, default=None
        Transformer from audio to vectors, from which attributes are guessed. None means
        functionals of energy, spectrum and cepstra.
    duplicates : bool, default=True
        Whether to search for recordings that occur twice, as `leakage_report` does.
    n_jobs : int or None, default=None
        Number of processes that read audio, as in joblib.
    title : str or None, default=None
        Title of the report; None uses the name of the corpus.

    Attributes
    ----------
    recordings : DataFrame
        One row per utterance: ``duration`` in seconds, sampling ``rate`` in Hz, ``level`` in dB
        of full scale, ``silence`` and ``clipped`` as shares, and ``snr`` in dB. The level is over
        frames at most 30 dB below the loudest one, and the other frames are silence. The ratio is
        an estimate, from that level and the level of the quietest tenth of the frames.
    guessed : DataFrame
        One row per attribute: ``uar`` of a linear model, ``chance``, numbers of ``classes`` and
        ``utterances``, and ``split``. Speakers are guessed for other utterances of the same
        speakers, and everything else for other speakers.
    similar : list of (str, int, int) or None
        Kind and rows of each pair of similar recordings; None if they were not searched for.

    Raises
    ------
    AudioReadError
        If a file cannot be read.
    ImportError
        If jinja2 or matplotlib is not installed (extra ``report``).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.evaluation import CorpusReport
    >>> report = CorpusReport(make_emotional_speech(4, 10, random_state=0))
    >>> path = report.save(pathlib.Path(tempfile.mkdtemp()) / "corpus.html")
    >>> report.recordings["rate"].unique().tolist(), report.similar
    ([16000.0], [])
    """

    def __init__(self, corpus, *, features=None, duplicates=True, n_jobs=None, title=None):
        if not isinstance(corpus, SpeechCorpus):
            raise TypeError(f"corpus must be a SpeechCorpus, not {type(corpus).__name__}.")
        self.corpus = corpus
        self.title = title
        self.recordings = recording_statistics(corpus, n_jobs)
        if features is None:
            frames = FrameFeatures(
                ("energy", "spectral", "mfcc"),
                input_sampling_rate=corpus.sampling_rate,
                n_jobs=n_jobs,
            )
            features = Functionals(frames)
        vectors = np.asarray(features.fit_transform(list(corpus.data)), dtype=float)
        self.guessed = guessed_attributes(corpus, vectors, self.recordings["rate"].to_numpy())
        items = audio_inputs(corpus.data, corpus.sampling_rate)
        self.similar = (
            similar_recordings(items, corpus.sampling_rate, n_jobs) if duplicates else None
        )

    def save(self, path):
        """Write the report to a file.

        Parameters
        ----------
        path : path-like
            Path of the HTML file.

        Returns
        -------
        Path
            `path` as a Path.
        """
        path = Path(path)
        path.write_text(self.to_html(), encoding="utf-8")
        return path

    def to_html(self):
        """Return the report as HTML.

        Returns
        -------
        str
        """
        jinja2 = import_optional("jinja2", extra="report", purpose="CorpusReport")
        plt = import_optional("matplotlib.pyplot", extra="report", purpose="CorpusReport")
        template = jinja2.Environment(autoescape=True).from_string(TEMPLATE)
        corpus = self.corpus
        sections = [
            self._guessed(plt), self._counts(plt), self._recordings(plt), self._raters(plt),
            self._duplicates(), {"title": "Source", "text": self._source()},
        ]  # fmt: skip
        unknown = 0 if corpus.speakers is None else int(pd.isna(corpus.speakers).sum())
        n_speakers = int(pd.Series(corpus.speakers, dtype=object).nunique())
        hours = self.recordings["duration"].sum() / 3600
        speakers = counted(n_speakers, "speaker") if n_speakers else "unknown speakers"
        more = (
            f" ({counted(unknown, 'utterance')} of unknown speakers)"
            if unknown and n_speakers
            else ""
        )
        return template.render(
            title=self.title or f"The corpus {corpus.name}",
            abstract=(
                f"{counted(len(corpus), 'utterance')} of {speakers}{more}, {hours:.2f} hours, "
                f"{counted(len(corpus.target_names), 'emotion')}."
            ),
            sections=[section for section in sections if section],
        )

    def _guessed(self, plt):
        """Make the section on what a linear model guesses."""
        guessed = self.guessed
        if guessed.empty:
            return None
        figure, ax = plt.subplots(layout="constrained", figsize=(8, 0.8 + 0.4 * len(guessed)))
        names = guessed.index[::-1]
        ax.barh(names, 100 * guessed.loc[names, "uar"], color="#4477aa", label="linear model")
        for place, name in enumerate(names):
            chance = 100 * guessed.loc[name, "chance"]
            label = "chance" if place == 0 else None
            ax.plot([chance] * 2, [place - 0.4, place + 0.4], color="#cc3311", label=label)
        ax.set(xlabel="UAR, %", xlim=(0, 100))
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        shown = pd.DataFrame(
            {
                "attribute": guessed.index,
                "UAR in %": 100 * guessed["uar"],
                "chance in %": 100 * guessed["chance"],
                "classes": guessed["classes"],
                "utterances": guessed["utterances"],
                "tested on other": guessed["split"] + "s",
            }
        )
        return {
            "title": "Easy to guess",
            "paragraphs": [
                "A linear model guesses each attribute from the audio. What it guesses far above "
                "chance, a model of emotion may use as well, if it goes along with emotion."
            ],
            "pictures": [picture(figure, "Attributes guessed by a linear model")],
            "tables": [table(shown)],
        }

    def _counts(self, plt):
        """Make the section of emotions and speakers."""
        counts = self.corpus.counts()
        cells = counts.drop(index="all", columns="all")
        pictures, tables = [], [table(counts.reset_index())]
        if len(cells) <= _MOST_SPEAKERS:
            size = (2 + 0.9 * cells.shape[1], 1.2 + 0.3 * len(cells))
            figure, ax = plt.subplots(layout="constrained", figsize=size)
            image = ax.imshow(cells.to_numpy(), aspect="auto", cmap="Blues", vmin=0)
            ax.set_xticks(range(cells.shape[1]), cells.columns, rotation=30, ha="right")
            ax.set_yticks(range(len(cells)), cells.index)
            figure.colorbar(image, label="utterances")
            pictures.append(picture(figure, "Utterances of each speaker and emotion"))
        else:
            figure, ax = plt.subplots(layout="constrained", figsize=(7, 3))
            ax.bar(cells.columns, cells.sum())
            ax.set(ylabel="utterances")
            pictures.append(picture(figure, "Utterances of each emotion"))
            tables = [table(counts.loc[["all"]].reset_index(drop=True))]
        return {"title": "Emotions and speakers", "pictures": pictures, "tables": tables}

    def _recordings(self, plt):
        """Make the section of durations, levels, noise and silence."""
        recordings, target = self.recordings, self.corpus.target.astype(str)
        emotions = [str(name) for name in self.corpus.target_names]
        figure, axes = plt.subplots(2, 2, layout="constrained", figsize=(11, 7))
        for ax, (name, (label, title)) in zip(axes.flat, _MEASURES.items(), strict=True):
            values = [recordings.loc[target == emotion, name].to_numpy() for emotion in emotions]
            ax.boxplot(values, widths=0.6, sym=".")
            ax.set_xticks(range(1, len(emotions) + 1), emotions, rotation=30, ha="right")
            ax.set(ylabel=label, title=title)
        rows = recordings.groupby(target).mean()
        shown = pd.DataFrame(
            {
                "emotion": rows.index,
                "seconds": rows["duration"],
                "level in dB": rows["level"],
                "SNR in dB": rows["snr"],
                "silence in %": 100 * rows["silence"],
            }
        )
        rates = recordings["rate"].value_counts()
        listed = ", ".join(f"{n} at {rate:g} Hz" for rate, n in rates.items())
        clipped = int((recordings["clipped"] > 0).sum())
        return {
            "title": "Recordings",
            "paragraphs": [
                f"Sampling rates: {listed}. {clipped} utterances are clipped. If "
                "emotions differ in duration, level or noise, a model may learn these instead."
            ],
            "pictures": [picture(figure, "Recordings of each emotion")],
            "tables": [table(shown)],
        }

    def _raters(self, plt):
        """Make the section on the agreement of raters and on rated dimensions."""
        corpus, section = self.corpus, {"title": "Raters", "paragraphs": [], "pictures": []}
        rated = [key for key in ("valence", "activation", "dominance") if self._has(key)]
        if len(rated) > 1:
            figure, ax = plt.subplots(layout="constrained", figsize=(6, 5))
            x, y = (getattr(corpus, key) for key in rated[:2])
            for emotion in corpus.target_names:
                use = corpus.target == emotion
                ax.plot(x[use], y[use], ".", label=emotion, alpha=0.6)
            ax.set(xlabel=rated[0], ylabel=rated[1])
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
            section["pictures"].append(picture(figure, "Ratings of each utterance"))
        if corpus.votes is not None:
            section |= self._agreement()
        return section if section["pictures"] or corpus.votes is not None else None

    def _has(self, dimension):
        return getattr(self.corpus, dimension) is not None

    def _agreement(self):
        """Return the paragraph and the table on agreement."""
        try:
            summary = agreement(self.corpus).summary
        except (ImportError, ValueError) as error:
            return {"paragraphs": [str(error)]}
        shown = summary.reset_index(names="target")
        shown[["alpha", "human"]] = shown[["alpha", "human"]].map("{:.3f}".format)
        columns = {"human": "one rater against the others", "n_utterances": "utterances"}
        return {
            "paragraphs": [
                "Krippendorff's alpha is 1 for full agreement and 0 for that of chance. The score "
                "of one rater against the consensus of the others is a ceiling for models."
            ],
            "tables": [table(shown.rename(columns=columns))],
        }

    def _duplicates(self):
        """Make the section of similar recordings."""
        if self.similar is None:
            return None
        if not self.similar:
            return {"title": "Duplicates", "paragraphs": ["No recording occurs twice."]}
        items = audio_inputs(self.corpus.data, self.corpus.sampling_rate)
        pairs = pd.DataFrame(
            [
                (kind, *(Path(utterance_name(items[k], k)).name for k in (i, j)))
                for kind, i, j in self.similar[:_MOST_PAIRS]
            ],
            columns=["kind", "utterance", "and"],
        )
        shown = f"; {_MOST_PAIRS} are listed" if len(self.similar) > _MOST_PAIRS else ""
        return {
            "title": "Duplicates",
            "warn": True,
            "paragraphs": [
                f"{counted(len(self.similar), 'pair')} of recordings "
                f"{'is' if len(self.similar) == 1 else 'are'} alike{shown}."
            ],
            "tables": [table(pairs)],
        }

    def _source(self):
        """Return license, citation and description of the corpus."""
        corpus = self.corpus
        parts = (f"license: {corpus.license}", corpus.citation, corpus.DESCR.strip())
        return "\n\n".join(filter(None, parts))
