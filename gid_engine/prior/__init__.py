"""The motion prior: one photo and a seed → modes. Needs torch; import it lazily where start-up time matters."""

from .predictor import Prior

__all__ = ["Prior"]
