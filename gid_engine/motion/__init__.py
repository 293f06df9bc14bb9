"""Motion = modes × score (numpy only): what a photo can do, what it does now, and the file that keeps it."""

from .curve import Curve
from .modes import Modes, border_taper, quietest_time
from .motion_file import load_motion, save_motion
from .oscillator import impulse_response, release_response, step
from .performance import Performance
from .score import Drag, Hand, Impulse, Pin, Region, Score, Wind
from .spectrum import (
    denormalise,
    fix_gauge,
    loopify,
    normalise,
    percentile_scale,
    spectrum_from_trajectories,
    trajectories_from_spectrum,
)

__all__ = [
    "Curve",
    "Drag",
    "Hand",
    "Impulse",
    "Modes",
    "Performance",
    "Pin",
    "Region",
    "Score",
    "Wind",
    "border_taper",
    "denormalise",
    "fix_gauge",
    "impulse_response",
    "load_motion",
    "loopify",
    "normalise",
    "percentile_scale",
    "quietest_time",
    "release_response",
    "save_motion",
    "spectrum_from_trajectories",
    "step",
    "trajectories_from_spectrum",
]
