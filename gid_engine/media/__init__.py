"""Media: photos, frame sequences, video, EXR and ST-maps; every file is written whole or not at all."""

from .colour import DisplayTransform, LinearMean, as_srgb8
from .exr import write_displacement_exr, write_stmap
from .photo import Photo, load_mask, load_photo, photo_from_array, resize_photo
from .picture import IMAGE_SUFFIXES, JPEG_QUALITY, save_frame, save_image
from .safe_write import discard_abandoned, discard_unfinished, safe_write
from .sequence import FrameSequence
from .video import VIDEO_SUFFIXES, VideoWriter, read_frames

__all__ = [
    "IMAGE_SUFFIXES",
    "JPEG_QUALITY",
    "VIDEO_SUFFIXES",
    "DisplayTransform",
    "FrameSequence",
    "LinearMean",
    "Photo",
    "VideoWriter",
    "as_srgb8",
    "discard_abandoned",
    "discard_unfinished",
    "load_mask",
    "load_photo",
    "photo_from_array",
    "read_frames",
    "resize_photo",
    "safe_write",
    "save_frame",
    "save_image",
    "write_displacement_exr",
    "write_stmap",
]
