"""Search for speakers, sentences and recordings that both sides of a split share."""

import functools
import hashlib
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.model_selection import check_cv
from sklearn.utils import column_or_1d

from skser._wording import counted
from skser.audio import (
    Utterance,
    Waveform,
    audio_inputs,
    identity,
    overlapping,
    read_utterance,
    utterance_name,
)
from skser.datasets import SpeechCorpus
from skser.evaluation._speaker_routing import needs_groups
from skser.evaluation._unknown_speakers import is_given
from skser.model_selection import splits

_RATE = 8000  # in Hz: telephone bands and lossy codecs keep this band
_N_BANDS, _N_TIMES = 24, 32
_N_NEIGHBORS = 32
_SIMILAR_FINGERPRINTS = 0.8  # least cosine of two fingerprints whose waveforms are compared
_SIMILAR_WAVEFORMS = 0.8  # least correlation of two waveforms that count as copies
_ROWS_AT_ONCE = 1024
_WAVES_IN_MEMORY = 1000


@dataclass(frozen=True)
class LeakageReport:
    """Utterances, speakers, sentences and recordings that are on both sides of a split.

    Attributes
    ----------
    leaks : DataFrame
        One row per fold and leak. ``fold`` is the number of the fold. ``kind`` is "utterance",
        "speaker", "sentence" or the name of another column, "identical audio", "near-identical
        audio", or "overlapping audio" for parts of one recording that share samples. ``what`` is
        the shared value, or names one or two utterances. ``n_train`` and ``n_test`` count the
        utterances concerned on either side.
    checked : tuple of str
        Kinds of leaks that were looked for.
    n_folds : int
        Number of folds.

    See Also
    --------
    leakage_report : Function that returns it, with an example.
    """

    leaks: pd.DataFrame
    checked: tuple
    n_folds: int

    @property
    def is_clean(self):
        """True if no leak was found."""
        return self.leaks.empty

    def __str__(self):
        lines = [f"{counted(self.n_folds, 'fold')}, checked for shared {', '.join(self.checked)}."]
        if self.is_clean:
            return lines[0] + " Nothing is on both sides."
        for kind, found in self.leaks.groupby("kind", sort=False):
            names = found["what"].unique()
            shown = ", ".join(map(str, names[:5])) + (" ..." if len(names) > 5 else "")
            lines.append(
                f"{kind} on both sides in {counted(found['fold'].nunique(), 'fold')}: {shown}"
            )
        return "\n".join(lines)


def leakage_report(corpus_or_groups, cv, *, y=None, n_jobs=None):
    """Search for speakers, sentences and recordings that are on both sides of a split.

    Near-identical recordings are copies in another format, at another rate or level, with an
    offset, or with silence cut off or added. Two recordings count as near-identical if they have
    similar spectral fingerprints and their waveforms at 8 kHz correlate by 0.8 or more at the best
    shift. Copies at another speed or pitch, with added noise, through a narrow filter, or cut
    within the speech are not found.

    Parameters
    ----------
    corpus_or_groups : SpeechCorpus, DataFrame, or array-like of shape (n_utterances,)
        Corpus, whose audio is read, or the speaker of each utterance, or a table with several such
        attributes as columns.
    cv : cross-validation generator, int or iterable of (train, test)
        Splitter, or splits. A splitter gets the speakers of a corpus, or the first column of a
        table, as groups. For splits by speaker and sentence, pass ``list(cv.split(...))``. A
        number means that many of scikit-learn's folds, which ignore speakers.
    y : array-like of shape (n_utterances,) or None, default=None
        Class of each utterance, which a stratified `cv` needs. None means the classes of the
        corpus, if one is given.
    n_jobs : int or None, default=None
        Number of processes that read audio, as in joblib.

    Returns
    -------
    LeakageReport

    Raises
    ------
    AudioReadError
        If a file cannot be read; the error names the first one.
    ValueError
        If `cv` splits by speakers and some are missing; the error names the first row.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> from skser.evaluation import leakage_report
    >>> print(leakage_report(["a", "a", "b", "b"], KFold(2)))
    2 folds, checked for shared utterance, speaker. Nothing is on both sides.
    >>> print(leakage_report(["a", "b", "a", "b"], KFold(2)))
    2 folds, checked for shared utterance, speaker.
    speaker on both sides in 2 folds: a, b
    """
    first = corpus_or_groups[0] if isinstance(corpus_or_groups, list | np.ndarray) else None
    if isinstance(first, Utterance | Waveform | bytes):
        raise TypeError(
            f"corpus_or_groups holds audio ({type(first).__name__}) rather than speakers. Give a "
            "SpeechCorpus or an utterance table."
        )
    attributes, items, rate = _parts(corpus_or_groups)
    n = len(next(iter(attributes.values()))) if attributes else len(items)
    if isinstance(corpus_or_groups, SpeechCorpus) and y is None:
        y = corpus_or_groups.target.astype(str)
    kind, groups = next(iter(attributes.items()), (None, None))
    cv = check_cv(cv, y, classifier=y is not None)
    if groups is not None and needs_groups(cv) and not is_given(cv):
        unknown = np.flatnonzero(pd.isna(groups))
        if len(unknown):
            raise ValueError(
                f"{counted(len(unknown), 'utterance')} of {n} have no {kind}, first row "
                f"{unknown[0]}, but the splitter needs it. Leave them out, or pass the splits as a "
                "list."
            )
    folds = splits(cv, np.zeros(n), y, groups)
    names = [f"row {i}" for i in range(n)]
    if items is not None:
        names = [utterance_name(item, i) for i, item in enumerate(items)]
    rows = []
    for fold, (train, test) in enumerate(folds):
        rows += [(fold, "utterance", names[i], 1, 1) for i in np.intersect1d(train, test)]
        for kind, values in attributes.items():
            train_values, test_values = values[train], values[test]
            for value in np.intersect1d(
                train_values[pd.notna(train_values)], test_values[pd.notna(test_values)]
            ):
                n_train, n_test = np.sum(train_values == value), np.sum(test_values == value)
                rows.append((fold, kind, value, n_train, n_test))
    checked = ["utterance", *attributes]
    if items is not None:
        checked += ["identical audio", "near-identical audio"]
        pairs = similar_recordings(items, rate, n_jobs)
        if any(isinstance(item, Utterance) and not item.is_whole for item in items):
            checked.append("overlapping audio")
            pairs += [("overlapping audio", i, j) for i, j in overlapping(items, rate)]
        for fold, (train, test) in enumerate(folds):
            in_train, in_test = (np.isin(np.arange(n), side) for side in (train, test))
            for kind, i, j in pairs:
                if (in_train[i] and in_test[j]) or (in_train[j] and in_test[i]):
                    rows.append((fold, kind, f"{names[i]} and {names[j]}", 1, 1))
    columns = ["fold", "kind", "what", "n_train", "n_test"]
    return LeakageReport(pd.DataFrame(rows, columns=columns), tuple(checked), len(folds))


def _parts(source):
    """Return attributes by name, audio and its rate. The latter two are None without a corpus."""
    if isinstance(source, SpeechCorpus):
        if source.speakers is None:
            raise ValueError(f"{source.name} has no speakers; load it with a speaker column.")
        names = [name for name in ("speaker", "sentence") if name in source.frame]
        attributes = {name: _as_text(source.frame[name].to_numpy(dtype=object)) for name in names}
        items = audio_inputs(source.data, source.sampling_rate)
        return attributes, items, source.sampling_rate
    if isinstance(source, pd.DataFrame):
        return {str(c): _as_text(source[c].to_numpy(dtype=object)) for c in source}, None, None
    return {"speaker": _as_text(column_or_1d(np.asarray(source, dtype=object)))}, None, None


def _as_text(values):
    """Return values as strings, which can be sorted; keep missing ones as they are."""
    return np.array([v if pd.isna(v) else str(v) for v in values], dtype=object)


def similar_recordings(items, sampling_rate, n_jobs):
    """Find pairs of recordings that are identical or copies of one another.

    A copy of a copy counts as a copy, so each pair within such a family is listed.

    Parameters
    ----------
    items : list
        Recordings, as `audio_inputs` returns them.
    sampling_rate : float or None
        Sampling rate of arrays, in Hz.
    n_jobs : int or None
        Number of processes that read audio, as in joblib.

    Returns
    -------
    list of (str, int, int)
        Kind, "identical audio" or "near-identical audio", and the indices of both recordings.
    """
    described = Parallel(n_jobs)(
        delayed(_described)(item, i, sampling_rate) for i, item in enumerate(items)
    )
    family = np.arange(len(items))

    def join(i, j):
        family[family == family[j]] = family[i]

    first_of = {}
    for i, (contents, _) in enumerate(described):
        for content in contents:
            join(first_of.setdefault(content, i), i)

    # Candidates are sorted, so a bounded cache reads most recordings once.
    @functools.lru_cache(maxsize=_WAVES_IN_MEMORY)
    def waveform(i):
        return _centered(read_utterance(items[i], i, sampling_rate, _RATE))

    # One recording represents its identical copies, which would fill all places for neighbors.
    one_of_each = np.unique(family)
    candidates = _similar(np.stack([described[i][1] for i in one_of_each]))
    for i, j in ((one_of_each[a], one_of_each[b]) for a, b in sorted(candidates)):
        if family[i] != family[j] and _correlation(waveform(i), waveform(j)) >= _SIMILAR_WAVEFORMS:
            join(i, j)
    pairs = []
    for name in np.unique(family):
        for i, j in combinations(np.flatnonzero(family == name).tolist(), 2):
            same = set(described[i][0]) & set(described[j][0])
            pairs.append(("identical audio" if same else "near-identical audio", i, j))
    return pairs


def _described(item, i, sampling_rate):
    """Return the identity, a hash of the samples at 8 kHz, and a fingerprint of a recording."""
    contents = [identity(item, sampling_rate)]
    samples = read_utterance(item, i, sampling_rate, _RATE)
    contents.append(hashlib.sha256(samples.tobytes()).digest())
    return contents, _fingerprint(_centered(samples))


def _centered(samples):
    """Return the samples without their offset."""
    return samples - samples.mean()


def _fingerprint(samples):
    """Compute a float32 vector of norm 1 that gain and leading or trailing silence do not change.

    It holds the levels in 24 bands at 32 times between the first and the last loud frame.
    """
    n_fft = 512
    padded = np.pad(samples, (0, max(0, n_fft - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::128]
    power = np.abs(np.fft.rfft(frames * np.hanning(n_fft), axis=1)) ** 2
    edges = np.unique(np.geomspace(3, n_fft // 2, _N_BANDS + 1).astype(int))
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    level = bands.sum(axis=1)
    loud = np.flatnonzero(level > 1e-3 * level.max())
    if len(loud):
        bands = bands[loud[0] : loud[-1] + 1]
    # The floor at -60 dB keeps noise in silent bands from dominating the fingerprint.
    decibels = np.log(bands + 1e-6 * bands.max() + np.finfo(float).tiny)
    # A fixed number of times makes recordings of any length comparable.
    places = np.linspace(0, len(decibels) - 1, _N_TIMES)
    before = places.astype(int)
    after = np.minimum(before + 1, len(decibels) - 1)
    share = (places - before)[:, None]
    grid = (1 - share) * decibels[before] + share * decibels[after]
    grid = (grid - grid.mean()).ravel().astype(np.float32)
    return grid / max(np.linalg.norm(grid), 1e-12)


def _similar(fingerprints):
    """Find pairs (i, j), i < j, of recordings with similar fingerprints."""
    n = len(fingerprints)
    pairs = set()
    for start in range(0, n, _ROWS_AT_ONCE):
        cosine = fingerprints[start : start + _ROWS_AT_ONCE] @ fingerprints.T
        cosine[np.arange(len(cosine)), start + np.arange(len(cosine))] = -1  # not its own neighbor
        k = min(_N_NEIGHBORS, n - 1)
        nearest = np.argpartition(-cosine, k - 1, axis=1)[:, :k] if k else np.empty((n, 0), int)
        for i, of_row in enumerate(nearest):
            for j in of_row[cosine[i, of_row] >= _SIMILAR_FINGERPRINTS]:
                pairs.add((min(start + i, int(j)), max(start + i, int(j))))
    return pairs


def _correlation(a, b):
    """Compute the largest absolute correlation of two waveforms over all shifts, 0 to 1."""
    # Zero padding to the sum of both lengths keeps shifted waveforms from wrapping around.
    n = 1 << int(len(a) + len(b) - 1).bit_length()
    norm = np.sqrt(np.dot(a, a) * np.dot(b, b))
    if norm == 0:
        return 0.0
    course = np.fft.irfft(np.fft.rfft(a, n) * np.conj(np.fft.rfft(b, n)), n)
    return float(np.abs(course).max() / norm)
