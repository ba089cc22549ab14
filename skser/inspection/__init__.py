"""What a fitted model says, looked at more closely."""

from skser.inspection._timeline import emotion_timeline

__all__ = ["emotion_timeline"]
