"""Media to arrays, the store that keeps them, and their normalisation."""

from affectspace.features.augment import Augmentation, Masks
from affectspace.features.crops import crop_face, fit_square
from affectspace.features.extract import Frontend
from affectspace.features.face import Face, FaceFinder
from affectspace.features.face_finder import CascadeFinder
from affectspace.features.face_sequence import FaceSequence
from affectspace.features.face_track import FaceTrack, FrameFaces, follow_faces, track_face
from affectspace.features.faces import Faces
from affectspace.features.features import Features
from affectspace.features.finders import named_finder
from affectspace.features.fingerprints import AudioFingerprint
from affectspace.features.functionals import Functionals
from affectspace.features.hearing import Hearing
from affectspace.features.image_vectors import ImageVectors, PixelVectors, PretrainedVectors
from affectspace.features.log_mel import LogMel, log_mel
from affectspace.features.normalise import Normaliser, Statistics
from affectspace.features.pretrained_speech import PretrainedSpeech
from affectspace.features.pretrained_text import PretrainedText
from affectspace.features.relative_functionals import RelativeFunctionals
from affectspace.features.steadiness import steadiness
from affectspace.features.store import FeatureStore
from affectspace.features.vectors import VectorTable
from affectspace.features.views import Views
from affectspace.features.waveform import Waveform
from affectspace.features.words import WordVectors
from affectspace.features.yunet import YuNetFinder

__all__ = [
    "AudioFingerprint", "Augmentation", "CascadeFinder", "Face", "FaceFinder", "FaceSequence", "FaceTrack", "Faces",
    "FeatureStore", "Features", "FrameFaces", "Frontend", "Functionals", "Hearing", "ImageVectors", "LogMel", "Masks",
    "Normaliser", "PixelVectors", "PretrainedSpeech", "PretrainedText", "PretrainedVectors", "RelativeFunctionals",
    "Statistics", "VectorTable", "Views", "Waveform", "WordVectors", "YuNetFinder", "crop_face", "fit_square",
    "follow_faces", "log_mel", "named_finder", "steadiness", "track_face",
]  # fmt: skip
