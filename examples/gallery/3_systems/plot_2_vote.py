"""
Let two systems vote
====================

Systems that err on different utterances can be better together. A ``VotingClassifier`` averages
their probabilities, each with its own features.
"""

# %%
# One system hears the spectrum, the other the melody and loudness.

from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import MFCC, FrameFeatures, Functionals

corpus = make_emotional_speech(
    n_speakers=8, n_utterances_per_speaker=20, expressiveness=0.7, random_state=0
)
rate = corpus.sampling_rate


def system(frames):
    """Return a linear model on statistics of the frames of each utterance."""
    return make_pipeline(
        Functionals(frames), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)
    )


spectrum = system(MFCC(n_mfcc=13, input_sampling_rate=rate))
melody = system(FrameFeatures(("energy", "pitch"), input_sampling_rate=rate))
vote = VotingClassifier([("spectrum", spectrum), ("melody", melody)], voting="soft")
vote

# %%
# The vote is evaluated like any other model.

from skser.evaluation import compare, cross_validate_speakers

systems = {"spectrum": spectrum, "melody": melody, "vote": vote}
found = {name: cross_validate_speakers(model, corpus, cv=4) for name, model in systems.items()}
comparison = compare(found)
print(comparison)

# %%
# The dots are speakers, the bars 95 % intervals over speakers.

from skser.inspection import ComparisonDisplay

ComparisonDisplay.from_comparison(comparison)

# %%
# :func:`skser.pipelines.fcn_and_functionals` is a vote of a network and a linear model by
# :class:`~skser.compose.GeometricVotingClassifier`. It takes the geometric mean of the
# probabilities instead, in which a member that is sure that an emotion is not there counts more.
