"""The renderer: one photo and its modes, any number of frames.

A frame is made in three steps: the displacement F at the modal coordinates is inverted on a grid (backward.py),
the photo is sampled once at the place that names (sample.py), and the background plate (plate.py) shows where
nothing landed. Splatting the flow instead of the colours keeps the photo's sharpness at any size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property

import cv2
import numpy as np
import torch

from ..errors import GidError
from ..motion import Modes
from .backward import BackwardFlow
from .device import DeviceFrames
from .plate import background_plate
from .refiner import Refiner, add_correction
from .sample import keeps_still_bits, perceptual, premultiplied, sample_photo, straight
from .threads import bands, in_parallel

# Part of every frame's key: raise it whenever a change here alters a pixel.
RENDERER_VERSION = "5"

REFINE = False  # by default

SPLAT_SIDE = 1024  # longest side of the splat grid
STILL_PX = 1e-3  # pixels that move less keep the photo's bits
BAND_PIXELS = 1 << 18  # a frame is sampled in bands of rows of about so many pixels


class Renderer:
    """Renders frames of one photo. Setting up (guide and plate) happens at the first frame.

    photo_pixels: [H, W, 3 or 4] uint8, uint16 or float32 (conventions: docs/ARCHITECTURE.md); not copied, not
    changed. modes: the photo's motion; plain_modes: those among them by which front and back are told, by default
    all. device: "auto" | "cpu" | "cuda" | "mps", or a torch.device, which goes the way of a graphics card;
    photo_sha256: hash of the photo's file for frame_key, by default the hash of the pixels. refine: let the
    network mend disocclusions. remark: what a person should know of the frames so far, "" if nothing.

    Raises GidError if the modes do not belong to a photo of these proportions.
    """

    def __init__(
        self,
        photo_pixels: np.ndarray,
        modes: Modes,
        device: str | torch.device = "auto",
        photo_sha256: str = "",
        refine: bool = REFINE,
        plain_modes: Modes | None = None,
    ):
        _check_photo(photo_pixels, modes)
        self.photo, self.modes, self.plain_modes = photo_pixels, modes, plain_modes or modes
        self.device = _device(device)
        self.remark = ""
        self._on_card = isinstance(device, torch.device) or self.device.type != "cpu"
        self._photo_sha256, self.refine = photo_sha256, refine
        height, width = self.size = photo_pixels.shape[:2]
        scale = min(1.0, SPLAT_SIDE / max(height, width))
        self.grid = max(2, round(height * scale)), max(2, round(width * scale))

    # Asking for frames

    def render(self, q: np.ndarray) -> np.ndarray:
        """The frame at the modal coordinates q (complex [K]): the photo's shape and dtype.

        Raises GidError if the motion is not finite there.
        """
        coarse = self._coarse(q)
        frame = self._try_card(lambda card: self._render_on_card(card, coarse))
        if frame is not None:
            return frame
        flow = self._backward(coarse)
        correction = self._correction(flow)
        frame = self.photo.copy()
        rows_a_band = max(1, BAND_PIXELS // self.size[1])
        in_parallel(
            lambda band: self._render_band(frame, flow, correction, *band), bands(self.size[0], rows_a_band)
        )
        return frame

    def displacement(self, q: np.ndarray) -> np.ndarray:
        """F as rendered: float32 [h, w, 2] on the splat grid, in photo widths, guided by the photo's edges, zero
        at the frame's border."""
        return self._backward.displacement(self._coarse(q))

    def backward_map(self, q: np.ndarray) -> np.ndarray:
        """Where each pixel of the frame takes its colour: float32 [H, W, 2], absolute (x right, y down) in
        pixels of the photo; the centre of the top left pixel is (0, 0). In holes it continues the motion of
        the pixels around."""
        flow_x, flow_y, _ = self._backward_flow(q)
        window = 0, self.size[0], 0, self.size[1]
        return np.dstack(_source(flow_x, flow_y, self.size, window))

    def hole_mask(self, q: np.ndarray) -> np.ndarray:
        """How much of the background plate each pixel of the frame shows: float32 [H, W], 0…1."""
        return _enlarge(self._backward_flow(q)[2], self.size, (0, self.size[0], 0, self.size[1]))

    def limits(self, q: np.ndarray) -> np.ndarray:
        """How much the motion was limited, so that nothing folds or tears: float32 [h, w] on the modes'
        grid, 0…1."""
        return self._backward.limit(self._wished(q))[1]

    def frame_key(self, q: np.ndarray) -> str:
        """SHA-256 of everything the frame at q follows from, modes that move it alone; cheap, renders nothing."""
        digest = hashlib.sha256(self._still_key)
        for key, amount in zip(self._map_keys, np.asarray(q, np.complex64), strict=True):
            if amount:
                digest.update(key + amount.tobytes())
        return digest.hexdigest()

    # What every frame shares

    @cached_property
    def _still_key(self) -> bytes:
        digest = hashlib.sha256(f"{RENDERER_VERSION} {cv2.__version__}".encode())
        digest.update(self._photo_sha256.encode() or np.ascontiguousarray(self.photo).data)
        kind = self.photo.shape, self.photo.dtype.str, type(self).__name__, self.refine
        digest.update(repr(kind).encode())
        digest.update(repr(self.plain_modes.modes.shape).encode())
        digest.update(self.plain_modes.modes.data)
        return digest.digest()

    @cached_property
    def _map_keys(self) -> list[bytes]:
        return [hashlib.sha256(band.data).digest() for band in self.modes.modes]

    @cached_property
    def _small(self) -> np.ndarray:
        """The photo on the splat grid: float32 [gh, gw, C], alpha premultiplied."""
        return _shrink(self.photo, self.grid)

    @cached_property
    def _backward(self) -> BackwardFlow:
        colour = perceptual(self._small, self.photo.dtype)
        return BackwardFlow(colour, self.plain_modes, self.size[::-1])

    @cached_property
    def _plate(self) -> np.ndarray:
        """float32 [gh, gw, C], alpha premultiplied."""
        return background_plate(self._small, self._backward.rms, self._backward.reach)

    def _coarse(self, q: np.ndarray) -> np.ndarray:
        return self._backward.limit(self._wished(q))[0]

    def _wished(self, q: np.ndarray) -> np.ndarray:
        displacement = self.modes.displacement(np.asarray(q))
        if not np.isfinite(displacement).all():
            raise GidError(
                "motion_not_finite",
                "The motion of this frame is not a number in places.",
                "Lower amplitude, impulses and wind, or predict the motion anew.",
            )
        return displacement

    def _backward_flow(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        coarse = self._coarse(q)
        flow = self._try_card(lambda card: tuple(card.flow(coarse).cpu().numpy()))
        return self._backward(coarse) if flow is None else flow

    # On a graphics card

    @cached_property
    def _card(self) -> DeviceFrames:
        return DeviceFrames(self.photo, self._backward, self._plate, self.device)

    def _try_card(self, work: Callable[[DeviceFrames], np.ndarray]):
        """What the graphics card makes of the work; None without a card, and once its memory is full."""
        if not self._on_card:
            return None
        try:
            return work(self._card)
        except torch.OutOfMemoryError:
            self.remark = f"The memory of {self.device} is full: rendering goes on, on the CPU."
            self._on_card, self.device = False, torch.device("cpu")
            vars(self).pop("_card", None)
            return None

    def _render_on_card(self, card: DeviceFrames, coarse: np.ndarray) -> np.ndarray:
        flow = card.flow(coarse)
        frame = card.render(flow, STILL_PX)
        correction = self._correction(tuple(flow.cpu().numpy())) if self.refine else None
        if correction is not None:
            add_correction(frame, _enlarge(correction, self.size, (0, self.size[0], 0, self.size[1])))
        return frame

    @cached_property
    def _refiner(self) -> Refiner:
        return Refiner.load(self.device)

    def _correction(self, flow: tuple[np.ndarray, ...]) -> np.ndarray | None:
        """What the refiner adds to the frame: float32 [gh, gw, 3], perceptual values; None if nothing."""
        if not self.refine or not flow[2].any():
            return None
        colours = (perceptual(image, self.photo.dtype) for image in (self._small, self._plate))
        return self._refiner(*colours, flow)

    def _render_band(
        self, frame: np.ndarray, flow: tuple[np.ndarray, ...], correction: np.ndarray | None, top: int, bottom: int
    ) -> None:
        """Writes rows top…bottom of the frame, where they change."""
        flow_x, flow_y, share = flow
        still = STILL_PX / self.size[1]
        changes = [cv2.absdiff(flow_x, 0), cv2.absdiff(flow_y, 0), share]
        if correction is not None:
            changes.append(np.abs(correction).max(-1))
        window = _window(self.size, top, bottom, changes, still)
        if window is None:
            return
        top, bottom, left, right = window
        source_x, source_y = _source(flow_x, flow_y, self.size, window)
        sampled = sample_photo(self.photo, source_x, source_y)
        uncovered = _enlarge(share, self.size, window)
        self._show_plate(sampled, uncovered, window)
        if correction is not None:
            correction = _enlarge(correction, self.size, window)
            uncovered = np.maximum(uncovered, np.abs(correction).max(-1))
            add_correction(sampled, correction)
        target = frame[top:bottom, left:right]
        if keeps_still_bits(self.photo):
            target[:] = sampled
            return
        moved = uncovered > 0
        for source, home in ((source_x, np.arange(left, right)), (source_y, np.arange(top, bottom)[:, None])):
            moved |= np.abs(source - home) >= STILL_PX
        np.copyto(target, sampled, where=moved[..., None])

    def _show_plate(self, sampled: np.ndarray, share: np.ndarray, window: tuple[int, int, int, int]) -> None:
        """Mixes the plate into the window's samples [h, w, C] by share [h, w]."""
        places = np.flatnonzero(share > 0)
        if not len(places):
            return
        plate = _enlarge(self._plate, self.size, window).reshape(-1, sampled.shape[2])[places]
        samples = sampled.reshape(-1, sampled.shape[2])
        covered = premultiplied(samples[places])
        mixed = covered + (plate - covered) * share.reshape(-1)[places][:, None]
        samples[places] = straight(mixed, self.photo.dtype)


def _check_photo(photo: np.ndarray, modes: Modes) -> None:
    kinds = (np.uint8, np.uint16, np.float32)
    if photo.ndim != 3 or photo.shape[2] not in (3, 4) or photo.dtype not in kinds or 0 in photo.shape:
        raise ValueError(f"a photo is [H, W, 3 or 4] of uint8, uint16 or float32, not {photo.shape} {photo.dtype}")
    height, width = photo.shape[:2]
    # A scaled copy of the photo will do; whole pixels allow its proportions to differ by one pixel.
    if abs(width * modes.photo_size[1] - height * modes.photo_size[0]) > 1.01 * sum(modes.photo_size):
        raise GidError(
            "photo_motion_mismatch",
            f"The photo is {width} × {height} pixels, but the motion was made for "
            f"{modes.photo_size[0]} × {modes.photo_size[1]}.",
            "Use the photo the motion was made from, or predict the motion anew.",
        )


def _device(name: str) -> torch.device:
    """ "auto" takes CUDA if there is any; Apple's "mps" renders on the CPU, which is fast there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device("cpu" if name == "mps" else name)


def _shrink(photo: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The photo at the splat grid's size, float32, alpha premultiplied, made in bands of grid rows."""
    height, width = photo.shape[:2]
    if grid == (height, width):
        return premultiplied(photo)
    result = np.empty((*grid, photo.shape[2]), np.float32)
    edges = np.rint(np.linspace(0, height, grid[0] + 1)).astype(int)
    step = max(1, BAND_PIXELS // width * grid[0] // height)
    for first in range(0, grid[0], step):
        last = min(grid[0], first + step)
        band = premultiplied(photo[edges[first] : edges[last]])
        result[first:last] = cv2.resize(band, (grid[1], last - first), interpolation=cv2.INTER_AREA)
    return result


def _window(size, top: int, bottom: int, planes: tuple[np.ndarray, ...], still: float):
    """(top, bottom, left, right) of the photo's pixels in rows top…bottom that any plane [gh, gw] above still
    touches when enlarged; None if there are none."""
    height, width = size
    grid_height, grid_width = planes[0].shape
    first = max(0, int((top + 0.5) * grid_height / height - 0.5))
    last = min(grid_height, int((bottom - 0.5) * grid_height / height - 0.5) + 2)
    busy = np.flatnonzero(np.max([plane[first:last].max(0) for plane in planes], 0) > still)
    if not len(busy):
        return None
    left = max(0, int((busy[0] - 1) * width / grid_width))
    right = min(width, int(np.ceil((busy[-1] + 2) * width / grid_width)))
    return top, bottom, left, right


def _enlarge(plane: np.ndarray, size: tuple[int, int], window: tuple[int, int, int, int]) -> np.ndarray:
    """A plane [gh, gw(, C)] enlarged linearly to size (H, W), of which the window (top, bottom, left, right)."""
    top, bottom, left, right = window
    rows = (np.arange(top, bottom, dtype=np.float32) + 0.5) * (plane.shape[0] / size[0]) - 0.5
    rows = np.clip(rows, 0, plane.shape[0] - 1)
    first = np.minimum(rows.astype(int), plane.shape[0] - 2)
    part = (rows - first).astype(np.float32).reshape(-1, *[1] * (plane.ndim - 1))
    band = plane[first]
    band += (plane[first + 1] - band) * part
    if plane.shape[1] == size[1]:
        return band[:, left:right]
    return cv2.resize(band, (size[1], bottom - top), interpolation=cv2.INTER_LINEAR)[:, left:right]


def _source(flow_x, flow_y, size: tuple[int, int], window: tuple[int, int, int, int]):
    """Backward flow [gh, gw] in photo widths -> absolute (x, y) in the window, in pixels of the photo."""
    top, bottom, left, right = window
    homes = np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32)[:, None]
    sources = []
    for flow, home, last in zip((flow_x, flow_y), homes, (size[1] - 1, size[0] - 1), strict=True):
        source = _enlarge(flow * np.float32(size[1]), size, window)
        source += home
        sources.append(np.clip(source, 0, last, out=source))
    return sources
