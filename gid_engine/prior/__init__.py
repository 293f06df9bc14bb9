"""The motion prior: one photo and a seed → modes. Needs torch; import it lazily where start-up time matters."""

from .predictor import Prior, notes_on

__all__ = ["Prior", "notes_on"]
