"""Frame sequences of any length, the meaning of their columns, and their files on disk."""

from skser.sequences._forms import as_sequences
from skser.sequences._index import describe_index, row_index
from skser.sequences._layout import Layout
from skser.sequences._sequences import Sequences
from skser.sequences._storage import BlockWriter, write_all

__all__ = [
    "BlockWriter",
    "Layout",
    "Sequences",
    "as_sequences",
    "describe_index",
    "row_index",
    "write_all",
]
