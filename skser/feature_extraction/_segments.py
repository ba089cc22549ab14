"""Statistics of many segments of a block at once."""

import numpy as np

PERCENTILES = (1, 10, 25, 50, 75, 90, 99)


class Segments:
    """Consecutive segments of the columns of a block (n_rows, n_frames).

    Parameters
    ----------
    lengths : ndarray of shape (n_segments,), int
        Number of frames of each segment, at least 1.
    """

    def __init__(self, lengths):
        self.lengths = np.asarray(lengths)
        self.starts = np.cumsum(self.lengths) - self.lengths

    def within(self, kept):
        """Return the segments of the frames in a mask, which must keep some of each segment."""
        return Segments(np.add.reduceat(kept, self.starts, dtype=np.int64))

    def position(self):
        """Return the position of each frame within its segment."""
        return np.arange(self.lengths.sum()) - np.repeat(self.starts, self.lengths)

    def sum(self, block):
        """Sum each segment in double precision, (n_rows, n_segments)."""
        return np.add.reduceat(block.astype(np.float64, copy=False), self.starts, axis=-1)

    def mean(self, block):
        """Compute the mean of each segment, (n_rows, n_segments)."""
        return self.sum(block) / self.lengths

    def spread(self, values):
        """Repeat each segment's value for all of its frames."""
        return np.repeat(values, self.lengths, axis=-1)

    def percentiles(self, block):
        """Compute percentiles with linear interpolation, (n_percentiles, n_rows, n_segments)."""
        # Padded to rows of equal length: sorting many short rows is far faster than one long row.
        n_rows, n_segments = len(block), len(self.lengths)
        longest = self.lengths.max()
        padded = np.full((n_rows, n_segments, longest), np.inf, block.dtype)
        padded[:, np.arange(longest) < self.lengths[:, None]] = block
        padded.sort(axis=-1)
        places = np.outer(np.asarray(PERCENTILES) / 100, self.lengths - 1)
        below = places.astype(np.int64)
        above = np.minimum(below + 1, self.lengths - 1)
        segment = np.arange(n_segments)
        low, high = padded[:, segment, below], padded[:, segment, above]
        return np.moveaxis(low + (high - low) * (places - below), 0, 1)

    def slopes(self, block, reach):
        """Compute regression slopes over +-`reach` frames, repeating the outermost frames."""
        longer = Segments(self.lengths + 2 * reach)
        place = longer.position() - reach
        inside = np.minimum(np.maximum(place, 0), np.repeat(self.lengths - 1, longer.lengths))
        padded = block.take(inside + np.repeat(self.starts, longer.lengths), axis=1)
        n = padded.shape[1] - 2 * reach
        total = np.zeros((len(block), n), block.dtype)
        for k in range(1, reach + 1):
            total += np.float32(k) * (
                padded[:, reach + k : reach + k + n] - padded[:, reach - k : reach - k + n]
            )
        total /= np.float32(2 * sum(k * k for k in range(1, reach + 1)))
        return total.take(np.flatnonzero(place == inside) - reach, axis=1)
