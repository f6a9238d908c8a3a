"""Media files to samples and pixels, safely: limits, clear errors, the same on every machine."""

from affectspace.media.audio import AudioInfo, audio_info, read_audio, samples_sha256, write_audio
from affectspace.media.boxes import crop_box, read_box
from affectspace.media.images import ImageInfo, as_colour, image_info, pixels_sha256, read_image
from affectspace.media.video import VideoFrame, VideoInfo, read_frames, video_info
from affectspace.media.video_file import write_video

__all__ = [
    "AudioInfo",
    "ImageInfo",
    "VideoFrame",
    "VideoInfo",
    "as_colour",
    "audio_info",
    "crop_box",
    "image_info",
    "pixels_sha256",
    "read_audio",
    "read_box",
    "read_frames",
    "read_image",
    "samples_sha256",
    "video_info",
    "write_audio",
    "write_video",
]
