"""The window: tkinter, since it comes with Python; a frame reaches the screen as PPM, in 8 ms at 1280 × 720."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from ..errors import GidError
from ..jobs import Take
from .events import KEYS, Event
from .stage import Stage

FPS = 30  # at most; more costs the computer more than the eye gains
_BUDGET = 1 / 25  # seconds a frame may take to render, so that with showing it there are 20 a second
_LONGEST_STEP = 0.25  # seconds: after a hiccup the motion goes on where it was
_MARGIN = 120  # pixels of the screen for its panels and the window's frame
_HELP = "drag: pull and let go · right click: poke · space: pause · w: wind · + −: amplitude · r: reset · s: save"
_KEYS = {"space": "space", "plus": "+", "equal": "+", "KP_Add": "+", "minus": "-", "KP_Subtract": "-"}


def show(take: Take, title: str, save: Callable[[Stage], str]) -> Stage:
    """Open the window, return the stage once it is closed. save writes what was done and returns a sentence.

    Raises GidError where this Python or this computer has no windows.
    """
    tkinter = _toolkit()
    try:
        root = tkinter.Tk()
    except tkinter.TclError as error:
        raise GidError(
            "no_screen",
            f"There is no screen to open a window on ({error}).",
            "Start it on a desktop, or use --events and --record.",
        ) from error
    with contextlib.suppress(tkinter.TclError):  # closed by the person
        root.title(f"{title} – getting ready …")
        root.update()
    window = _Window(tkinter, root, Stage.fitted(take, _longest_side(root, take.photo.size), _BUDGET), save)
    root.title(title)
    root.mainloop()
    if window.error is not None:
        raise window.error
    return window.stage


class _Window:
    def __init__(self, tkinter, root, stage: Stage, save: Callable[[Stage], str]):
        self.stage, self.error = stage, None
        self._root, self._save, self._closed = root, save, tkinter.TclError
        width, height = stage.size
        self._picture = tkinter.PhotoImage(width=width, height=height)
        self._canvas = tkinter.Canvas(root, width=width, height=height, highlightthickness=0, cursor="hand2")
        self._canvas.create_image(0, 0, anchor="nw", image=self._picture)
        self._string = self._canvas.create_line(0, 0, 0, 0, fill="white", width=2, arrow="last", state="hidden")
        self._canvas.pack()
        self._line = tkinter.Label(root, text=_HELP, anchor="w", padx=6, width=1)
        self._line.pack(fill="x")
        root.resizable(False, False)
        root.report_callback_exception = self._fail
        for button, name in ((1, "left"), (2, "right"), (3, "right")):  # the right button is 2 on macOS
            for sequence, kind in (("Button", "press"), ("ButtonRelease", "release")):
                self._canvas.bind(f"<{sequence}-{button}>", self._pointer(kind, name))
        self._canvas.bind("<Motion>", self._pointer("move", "left"))
        root.bind("<Key>", self._key)
        self._told_until, self._last, self._mean = 0.0, time.perf_counter(), 1 / FPS
        root.after(0, self._tick)

    def _pointer(self, kind: str, button: str):
        def handle(event):
            width, height = self.stage.size
            self.stage.handle(Event(0, kind, event.x / width, event.y / height, button))

        return handle

    def _key(self, event) -> None:
        key = _KEYS.get(event.keysym, event.keysym.lower())
        if key == "escape":
            self._root.destroy()
        elif key == "s":
            try:
                self._tell(self._save(self.stage))
            except GidError as error:
                self._tell(str(error))
        elif key in KEYS:
            self.stage.handle(Event(0, "key", key=key))

    def _tell(self, sentence: str) -> None:
        self._line.configure(text=sentence)
        self._told_until = time.perf_counter() + 6

    def _tick(self) -> None:
        start = time.perf_counter()
        self.stage.advance(min(start - self._last, _LONGEST_STEP))
        self._mean += 0.1 * (start - self._last - self._mean)
        self._last = start
        self._show()
        if start > self._told_until:
            state = "paused" if self.stage.paused else f"{1 / max(self._mean, 1e-3):.0f} frames/s"
            self._line.configure(text=f"{_HELP} · {state}")
        wait = 1 / FPS - (time.perf_counter() - start)
        self._root.after(max(1, int(1000 * wait)), self._tick)

    def _show(self) -> None:
        width, height = self.stage.size
        self._picture.configure(data=b"P6 %d %d 255\n" % (width, height) + self.stage.frame().tobytes())
        grasped = self.stage.pulling
        self._canvas.itemconfigure(self._string, state="normal" if grasped else "hidden")
        if grasped:
            ends = (
                v * side
                for place in (grasped, self.stage.pointer)
                for v, side in zip(place, self.stage.size, strict=True)
            )
            self._canvas.coords(self._string, *ends)

    def _fail(self, kind, error, trace) -> None:
        """An error in an event must end the program as it would elsewhere, not be printed and forgotten."""
        self.error = error
        with contextlib.suppress(self._closed):
            self._root.destroy()


def _toolkit():
    try:
        import tkinter
    except ImportError as error:
        raise GidError(
            "no_toolkit",
            "The window needs tkinter, which this Python lacks.",
            "Install it (Debian, Ubuntu: python3-tk; Fedora: python3-tkinter; Homebrew: python-tk), or use "
            "--events and --record, which need no window.",
        ) from error
    return tkinter


def _longest_side(root, size: tuple[int, int]) -> int:
    """The photo's long side, or what of it the screen can show."""
    room = root.winfo_screenwidth() - _MARGIN, root.winfo_screenheight() - _MARGIN
    scale = min(1.0, *(space / side for space, side in zip(room, size, strict=True)))
    return max(64, int(max(size) * scale))
