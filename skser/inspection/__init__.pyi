from ._alignment import AlignmentDisplay
from ._attention import AttentionDisplay
from ._calibration import CalibrationDisplay
from ._comparison import ComparisonDisplay
from ._confusion import ConfusionDisplay
from ._label_efficiency import LabelEfficiencyDisplay
from ._latent_space import LatentSpaceDisplay
from ._predicted_values import PredictedValuesDisplay
from ._risk_coverage import RiskCoverageDisplay
from ._robustness import RobustnessDisplay
from ._speaker_recall import SpeakerRecallDisplay
from ._speaker_scores import SpeakerScoresDisplay
from ._stream import emotion_stream
from ._timeline import emotion_timeline
from ._timeline_display import TimelineDisplay
from ._windows import stream_outputs, timeline_outputs

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
    "stream_outputs",
    "timeline_outputs",
]
