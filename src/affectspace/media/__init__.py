"""Media files to samples, safely: limits, clear errors, the same on every machine."""

from affectspace.media.audio import AudioInfo, audio_info, read_audio, samples_sha256, write_audio

__all__ = ["AudioInfo", "audio_info", "read_audio", "samples_sha256", "write_audio"]
