"""The two streams that the commands print to, and the words for messages."""

import contextlib
import io
import re

from rich.console import Console

from skser.audio import printable

# Neither markup, colors nor wrapped lines.
_PLAIN = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
messages = Console(stderr=True, **_PLAIN)
output = Console(**_PLAIN)

# Remedies in Python, and in options of the command line.
_REMEDIES = {
    "cut it with start and end, process it with emotion_timeline, or lift the limit with "
    "Utterance(..., max_duration=None)": "cut it with --start and --end, or use --timeline",
    ", or allow these samples with Utterance(..., max_amplitude=None)": "",
    "with channel=0 or channel='loudest'": "with --channel 0 or --channel loudest",
    "is not an index, 'loudest' or None": "is neither an index nor loudest",
    "load(path, trusted=True), trusted=[types], or --trust on the command line": "--trust",
    "load it with a speaker column": "give a table with a column speaker",
    "if that is wrong, give root=": "if that is wrong, correct the paths in the table",
    "leave out unrated utterances with corpus[rows]": "remove the rows without ratings",
    ", or use LeaveOneGroupOut, whose training side may lack a class": "",
    "leave the utterance out or use a shorter window=": "leave the utterance out",
    "folds_dir= is the folder of EmoBox's lists: give it with protocol='emobox', and only then": (
        "--protocol emobox needs the lists of EmoBox, which only published_folds in Python reads. "
        "Choose another --protocol"
    ),
    " parts need at least ": " folds (--folds) need at least ",
    "Use another folder": "Give another --results-dir",
    "use device='auto'": "use --device auto",
    "use a smaller n_jobs=": "use a smaller --jobs",
    "with data_home=": "with --data-home",
    "Add speakers to their tables (load_table)": "Add a column speaker to their tables",
    "target=": "--target ",
}
# Windows of a timeline; those of features have no option.
_TIMES = re.compile(r"\b(window|hop)=(?=\S+ s is less than one sample)")
_COLORS = re.compile(r"\x1b\[[0-9;]*m")


def in_options(text):
    """Return a message on one line, with remedies as options of the command line."""
    text = " ".join(str(text).split())
    for remedy, option in _REMEDIES.items():
        text = text.replace(remedy, option)
    text = _TIMES.sub(r"--\1 ", text)
    return printable(text)


def complain(text, kind="error"):
    """Print a message to the error stream."""
    messages.print(f"skser: {kind}: {in_options(text)}")


@contextlib.contextmanager
def epochs_as_messages():
    """Print what is written to standard output, such as skorch's epochs, as messages.

    Colors remain where the error stream is a terminal and ``NO_COLOR`` is not set.
    """
    with contextlib.redirect_stdout(_Messages()):
        yield


class _Messages(io.TextIOBase):
    """Text stream of messages, which libraries take for standard output."""

    def write(self, text):
        is_plain = messages.no_color or not messages.is_terminal
        messages.file.write(_COLORS.sub("", text) if is_plain else text)
        return len(text)

    def flush(self):
        messages.file.flush()
