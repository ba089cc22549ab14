"""Frame sequences of any length, what their columns mean, and how they lie on disk."""

from skser.sequences._layout import Layout
from skser.sequences._sequences import Sequences, as_sequences
from skser.sequences._storage import BlockWriter, write_all

__all__ = ["BlockWriter", "Layout", "Sequences", "as_sequences", "write_all"]
