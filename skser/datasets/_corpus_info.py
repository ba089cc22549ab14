"""What is known of a published corpus, in one form for all of them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Archive:
    """A file to download and unpack.

    `max_bytes` and `max_members` bound what it may unpack to.
    """

    url: str
    checksum: str
    max_bytes: int
    max_members: int

    @property
    def file_name(self):
        """The last part of the address."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class AudbTables:
    """Where an audb database keeps what a corpus needs: tables, by a regular expression."""

    name: str
    tables: str


@dataclass(frozen=True)
class CorpusInfo:
    """A published corpus.

    `labels` goes from the corpus's own code to the emotion. `published` counts utterances by the
    column `counted_by` of the utterance table, `emotions` by emotion; both are empty where they
    differ from release to release. `absent` names labeled utterances that were never published
    as sound.
    """

    name: str
    title: str
    loader: str
    example: str
    language: str
    speech: str
    labels: dict
    license: str
    citation: str
    url: str
    description: str
    emotions: dict = field(default_factory=dict)
    counted_by: str = "speaker"
    published: dict = field(default_factory=dict)
    n_speakers: int | None = None
    sexes: dict = field(default_factory=dict)
    dimension_range: tuple | None = None
    absent: frozenset = frozenset()
    notes: tuple = ()
    archive: Archive | None = None
    audb: AudbTables | None = None

    @property
    def n_utterances(self):
        """Utterances as published, or None where releases differ."""
        return sum(self.emotions.values()) or None

    @property
    def fetcher(self):
        """The call that downloads the corpus, or None where its publishers must be asked."""
        if self.archive is not None:
            return f"fetch_{self.loader.removeprefix('load_')}()"
        return f"fetch_audb({self.audb.name!r})" if self.audb is not None else None

    def emotion(self, code, where):
        """Emotion of a label, or ValueError that says where the unknown one stands."""
        if code not in self.labels:
            raise ValueError(
                f"{self.name}: {where} has the label {code!r}; known are {', '.join(self.labels)}."
            )
        return self.labels[code]


def counted(names, number):
    """The same number for each name."""
    return dict.fromkeys(names, number)


def sexes(female=(), male=()):
    """From speaker to sex."""
    return counted(female, "female") | counted(male, "male")
