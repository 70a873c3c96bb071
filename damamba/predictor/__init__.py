"""From videos of a conversation to engagement over time, with a trained model: the pipeline's own passes, in a row."""

from damamba.predictor.inputs import ModelInputs
from damamba.predictor.result import ParticipantPrediction, Prediction
from damamba.predictor.run import predict, predict_videos
from damamba.predictor.videos import Conversation

__all__ = ["Conversation", "ModelInputs", "ParticipantPrediction", "Prediction", "predict", "predict_videos"]
