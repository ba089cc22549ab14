"""The two streams that the commands print to, and the words for messages."""

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
}


def in_options(text):
    """Return a message on one line, with remedies as options of the command line."""
    text = " ".join(str(text).split())
    for remedy, option in _REMEDIES.items():
        text = text.replace(remedy, option)
    return printable(text)


def complain(text, kind="error"):
    """Print a message to the error stream."""
    messages.print(f"skser: {kind}: {in_options(text)}")
