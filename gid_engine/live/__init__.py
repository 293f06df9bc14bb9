"""Live: a photo that is touched while it plays. `Stage` knows no window; `window` shows one."""

from .events import Event, load_events
from .stage import Stage, record

__all__ = ["Event", "Stage", "load_events", "record"]
