"""Meta-estimators: augmentation, adaptation, rejection, windows, transfer, votes, frame unions."""

from skser.compose._adapted import AdaptedClassifier
from skser.compose._adapted_model import adapt
from skser.compose._adapted_regressor import AdaptedRegressor
from skser.compose._augmented import AugmentedClassifier
from skser.compose._augmented_regressor import AugmentedRegressor
from skser.compose._frame_union import FrameUnion
from skser.compose._geometric_voting import GeometricVotingClassifier
from skser.compose._metadata import consumed_metadata, group_keywords, soft_target_keywords
from skser.compose._rejecting import RejectingClassifier
from skser.compose._segmented import SegmentedClassifier
from skser.compose._segmented_regressor import SegmentedRegressor
from skser.compose._transfer import TransferClassifier, TransferRegressor

__all__ = [
    "AdaptedClassifier",
    "AdaptedRegressor",
    "AugmentedClassifier",
    "AugmentedRegressor",
    "FrameUnion",
    "GeometricVotingClassifier",
    "RejectingClassifier",
    "SegmentedClassifier",
    "SegmentedRegressor",
    "TransferClassifier",
    "TransferRegressor",
    "adapt",
    "consumed_metadata",
    "group_keywords",
    "soft_target_keywords",
]
