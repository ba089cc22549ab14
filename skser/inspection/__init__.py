"""What a fitted model says, looked at more closely, and pictures of results."""

from skser.inspection._label_efficiency import LabelEfficiencyDisplay
from skser.inspection._timeline import emotion_timeline

__all__ = ["LabelEfficiencyDisplay", "emotion_timeline"]
