"""The paper's own model: latent diffusion of frequency slices, tied together by attention across the bands.

Generative Image Dynamics, §4 and supplement. No weights of it were released and none ship here; `gid train codec`
and `gid train slices` train it at any of the PRESETS. Layout: codec (VAE of a slice) → slices (denoiser) →
diffusion (noise schedule, DDIM, guidance).
"""

from .codec import SliceCodec
from .diffusion import Diffusion, ddim, loop_energy
from .presets import PRESETS, Preset
from .slices import SliceUNet

__all__ = ["PRESETS", "Diffusion", "Preset", "SliceCodec", "SliceUNet", "ddim", "loop_energy"]
