"""Facts about a published corpus, in one form for all corpora."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Archive:
    """ZIP file to download and unpack.

    `checksum` begins with the name of the algorithm, such as ``md5:``; None if the publisher
    gives none. An archive that would unpack to more than `max_bytes` bytes or `max_members` files
    is refused. `name` is the name of the file, if it is not the last part of the address.
    """

    url: str
    checksum: str | None
    max_bytes: int
    max_members: int
    name: str | None = None

    @property
    def file_name(self):
        """Name of the file."""
        return self.name or self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class AudbTables:
    """Database in audb that holds a corpus.

    `tables` is a regular expression for the names of the tables with its labels.
    """

    name: str
    tables: str


@dataclass(frozen=True)
class CorpusInfo:
    """Facts about a published corpus.

    `labels` maps the corpus's own codes to emotions. `published` holds the number of utterances
    for each value of the column `counted_by` of the utterance table, and `emotions` the number
    for each emotion; both are empty if the numbers differ from release to release. `absent`
    names labeled utterances whose audio was never published or cannot be decoded. `doi` is that
    of a data repository that holds the files one by one.
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
    doi: str | None = None
    audb: AudbTables | None = None

    @property
    def n_utterances(self):
        """Number of published utterances, or None if it differs from release to release."""
        return sum(self.emotions.values()) or None

    @property
    def fetcher(self):
        """Call that downloads the corpus, or None if only its publishers distribute it."""
        if self.archive is None and self.doi is None and self.audb is None:
            return None
        return f"fetch_{self.loader.removeprefix('load_')}()"

    def emotion(self, code, where):
        """Return the emotion of a code, or raise ValueError if the corpus has no such code.

        `where` is the file or the line of the code, for the message.
        """
        if code not in self.labels:
            raise ValueError(
                f"{self.name}: {where} has the unknown label {code!r}; the labels are "
                f"{', '.join(self.labels)}."
            )
        return self.labels[code]


def counted(names, number):
    """Return a dict with the same number for each name."""
    return dict.fromkeys(names, number)


def sexes(female=(), male=()):
    """Return a dict with the sex of each speaker."""
    return counted(female, "female") | counted(male, "male")
