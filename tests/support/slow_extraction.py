"""Slow feature extraction that logs what it computes, for tests to kill.

    python -m tests.support.slow_extraction DIRECTORY FILE...

Each utterance takes SKSER_TEST_PAUSE seconds and adds a line to the file SKSER_TEST_LOG.
"""

import os
import sys
import time

from skser.feature_extraction import MelSpectrogram


class SlowMelSpectrogram(MelSpectrogram):
    def _extract(self, samples, prepared):
        if "SKSER_TEST_LOG" in os.environ:
            with open(os.environ["SKSER_TEST_LOG"], "a") as file:
                file.write(f"{len(samples)}\n")
        time.sleep(float(os.environ.get("SKSER_TEST_PAUSE", 0)))
        return super()._extract(samples, prepared)


if __name__ == "__main__":
    SlowMelSpectrogram(n_mels=16).transform_to(sys.argv[2:], sys.argv[1])
