"""Media files to samples, safely: limits, clear errors, the same on every machine."""

from affectspace.media.audio import AudioInfo, audio_info, read_audio, write_audio

__all__ = ["AudioInfo", "audio_info", "read_audio", "write_audio"]
