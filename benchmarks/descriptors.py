"""Agreement of FrameFeatures with openSMILE and Praat on real speech.

    python benchmarks/descriptors.py

Frames of every tenth utterance of EmoDB are compared. Each pair of descriptors gets Pearson's r and
the median absolute difference after conversion to the unit of FrameFeatures. Descriptors of voice
are compared where both programs find the frame voiced. openSMILE smooths its columns over three
frames, so ours are smoothed likewise before that comparison.
"""

import argparse
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
import parselmouth
from provenance import RESULTS, write_result

from skser.audio import load_audio
from skser.datasets import load_emodb
from skser.feature_extraction import FrameFeatures, OpenSmile

RATE, HOP = 16000, 0.010
SILENT = -50  # dB; Praat's HNR is -200 in silence, and interpolated around it
PERIODS = 3  # of the lowest pitch, the window of FrameFeatures; Praat's default is 4.5
LONG = 0.020  # seconds by which the centers of openSMILE's frames of 60 ms lie later


def from_decibels(ratio):
    """Convert the ratio of neighboring amplitudes in dB to a relative difference."""
    return 10 ** (ratio / 20) - 1


# Column of FrameFeatures: column of eGeMAPSv02, its delay, whether it is about voice, and the
# conversion to our unit.
OPENSMILE = {
    "F0": ("F0semitoneFrom27.5Hz_sma3nz", LONG, True, None),
    "loudness": ("Loudness_sma3", 0, False, None),
    "alpha_ratio": ("alphaRatio_sma3", 0, False, None),
    "hammarberg": ("hammarbergIndex_sma3", 0, False, None),
    "slope0-500": ("slope0-500_sma3", 0, False, None),
    "slope500-1500": ("slope500-1500_sma3", 0, False, None),
    "flux": ("spectralFlux_sma3", 0, False, None),
    "mfcc1": ("mfcc1_sma3", 0, False, None),
    "mfcc2": ("mfcc2_sma3", 0, False, None),
    "mfcc3": ("mfcc3_sma3", 0, False, None),
    "mfcc4": ("mfcc4_sma3", 0, False, None),
    "jitter": ("jitterLocal_sma3nz", 0, True, None),
    "shimmer": ("shimmerLocaldB_sma3nz", 0, True, from_decibels),
    "HNR": ("HNRdBACF_sma3nz", LONG, True, None),
    "F1": ("F1frequency_sma3nz", 0, True, None),
    "F1_bandwidth": ("F1bandwidth_sma3nz", 0, True, None),
    "F2": ("F2frequency_sma3nz", 0, True, None),
    "F3": ("F3frequency_sma3nz", 0, True, None),
}
# Columns whose numbers have the same unit and reference, so that a difference means something.
SAME_UNIT = {"F0", "alpha_ratio", "hammarberg", "slope0-500", "slope500-1500", "jitter", "shimmer",
             "HNR", "F1", "F1_bandwidth", "F2", "F3", "energy"}  # fmt: skip


def at(times, offset, values):
    """Interpolate frames at other times; the first frame is at the offset."""
    return np.interp(times, offset + HOP * np.arange(len(values)), values)


def smoothed(values, voiced_only):
    """Smooth over three frames, as openSMILE does; the latter over voiced ones only."""
    weights = (values != 0) if voiced_only else np.ones(len(values))
    kernel = np.ones(3)
    total = np.convolve(weights * values, kernel, "same")
    result = total / np.maximum(np.convolve(weights, kernel, "same"), 1)
    return np.where(weights > 0, result, 0) if voiced_only else result


def praat(samples, times):
    """Return descriptors of Praat at the given times, 0 where they are undefined."""
    sound = parselmouth.Sound(samples.astype(float), RATE)
    pitch = sound.to_pitch_ac(time_step=HOP, pitch_floor=60, pitch_ceiling=600)
    hertz = np.array([pitch.get_value_at_time(t) for t in times])
    harmonicity = sound.to_harmonicity_ac(
        time_step=HOP, minimum_pitch=60, periods_per_window=PERIODS
    )
    formants = sound.to_formant_burg(time_step=HOP, maximum_formant=5500)
    voiced = np.isfinite(hertz)
    of_formants = {}
    for i in (1, 2, 3):
        of_formants[f"F{i}"] = [formants.get_value_at_time(i, t) for t in times]
    of_formants["F1_bandwidth"] = [formants.get_bandwidth_at_time(1, t) for t in times]
    found = {
        "F0": 12 * np.log2(np.where(voiced, hertz, 27.5) / 27.5),
        "HNR": np.array([harmonicity.get_value(t) for t in times]),
        **{name: np.array(values) for name, values in of_formants.items()},
    }
    return {
        name: np.where(voiced & np.isfinite(values) & (values > SILENT), values, 0)
        for name, values in found.items()
    }


def row(ours, theirs, unit, column):
    """Summarize the frames of one descriptor."""
    ours, theirs = np.concatenate(ours), np.concatenate(theirs)
    return {
        "column": column,
        "n_frames": len(ours),
        "r": float(np.corrcoef(ours, theirs)[0, 1]),
        "median_ours": float(np.median(ours)),
        "median_theirs": float(np.median(theirs)),
        "median_error": float(np.median(np.abs(ours - theirs))) if unit else None,
    }


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    corpus = load_emodb(Path(os.environ["SKSER_DATA"]) / "emodb")[::10]
    ours = FrameFeatures().fit_transform(list(corpus.data))
    names = list(ours.layout.feature_names)
    smile = OpenSmile(level="lld").fit_transform(list(corpus.data))
    smile_names = list(smile.layout.feature_names)
    compared = {"openSMILE": {}, "Praat": {}}

    def add(program, name, mine, theirs, use):
        pair = compared[program].setdefault(name, ([], []))
        pair[0].append(mine[use])
        pair[1].append(theirs[use])

    for i, path in enumerate(corpus.data):
        samples, _ = load_audio(path, RATE)
        frames = ours[i].astype(float)
        times = HOP * np.arange(2, len(frames) - 4)
        voiced = frames[2:-4, names.index("F0")] > 0
        for name, (column, delay, of_voice, convert) in OPENSMILE.items():
            values = smile[i][:, smile_names.index(column)].astype(float)
            theirs = at(times, smile.layout.offset + delay, values)
            use = np.ones(len(times), bool)
            if of_voice:
                # A frame between a voiced and an unvoiced one would be interpolated with 0.
                there = at(times, smile.layout.offset + delay, (values != 0).astype(float)) == 1
                use = voiced & there
            if convert is not None:
                theirs = convert(theirs)
            mine = smoothed(frames[:, names.index(name)], of_voice)[2:-4]
            add("openSMILE", name, mine, theirs, use)
        for name, theirs in praat(samples, times).items():
            mine = frames[2:-4, names.index(name)]
            add("Praat", name, mine, theirs, voiced & (theirs != 0) & (mine != 0))
    result = {
        "corpus": f"{corpus.name}, {len(corpus)} utterances",
        "versions": {name: version(name) for name in ("opensmile", "praat-parselmouth")},
        **{
            program: {
                name: row(
                    *pair, name in SAME_UNIT, OPENSMILE[name][0] if program == "openSMILE" else None
                )
                for name, pair in found.items()
            }
            for program, found in compared.items()
        },
    }
    for program, found in compared.items():
        for name in found:
            print(program, name, result[program][name], flush=True)
    write_result(RESULTS / "descriptors.json", result)


if __name__ == "__main__":
    main()
