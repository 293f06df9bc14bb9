"""Observe: a clip of something that sways -> modes (steady camera, direct flow, confidence, loop, spectrum)."""

from .job import observe_clip
from .observation import Observation, observe
from .transfer import transferred

__all__ = ["Observation", "observe", "observe_clip", "transferred"]
