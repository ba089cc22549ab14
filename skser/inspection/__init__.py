"""Inspection of fitted models: plots of their results, and predictions over time."""

from skser.inspection._alignment import AlignmentDisplay
from skser.inspection._attention import AttentionDisplay
from skser.inspection._calibration import CalibrationDisplay
from skser.inspection._comparison import ComparisonDisplay
from skser.inspection._confusion import ConfusionDisplay
from skser.inspection._label_efficiency import LabelEfficiencyDisplay
from skser.inspection._latent_space import LatentSpaceDisplay
from skser.inspection._predicted_values import PredictedValuesDisplay
from skser.inspection._risk_coverage import RiskCoverageDisplay
from skser.inspection._robustness import RobustnessDisplay
from skser.inspection._speaker_recall import SpeakerRecallDisplay
from skser.inspection._speaker_scores import SpeakerScoresDisplay
from skser.inspection._stream import emotion_stream
from skser.inspection._timeline import emotion_timeline
from skser.inspection._timeline_display import TimelineDisplay

__all__ = [
    "AlignmentDisplay",
    "AttentionDisplay",
    "CalibrationDisplay",
    "ComparisonDisplay",
    "ConfusionDisplay",
    "LabelEfficiencyDisplay",
    "LatentSpaceDisplay",
    "PredictedValuesDisplay",
    "RiskCoverageDisplay",
    "RobustnessDisplay",
    "SpeakerRecallDisplay",
    "SpeakerScoresDisplay",
    "TimelineDisplay",
    "emotion_stream",
    "emotion_timeline",
]
