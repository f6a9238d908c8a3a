"""A net and its loss as an estimator of scikit-learn."""

from affectspace.estimator.emotion_space import EmotionSpace

__all__ = ["EmotionSpace"]
