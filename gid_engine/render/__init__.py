"""Photo + displacement -> frame."""

from .renderer import RENDERER_VERSION, Renderer
from .splat import softmax_splat

__all__ = ["RENDERER_VERSION", "Renderer", "softmax_splat"]
