"""The renderer: one photo and its modes, any number of frames.

A frame is made in four steps: the displacement F at the modal coordinates, −F splatted forwards onto a grid
(which inverts F and settles who covers whom), the photo sampled once at the place that names, and the background
plate where nothing landed. Splatting the flow instead of the colours keeps the photo's sharpness at any size.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

import cv2
import numpy as np
import torch

from ..errors import GidError
from ..motion import Modes
from .guide import guide_motion
from .plate import OUTLINE, background_near, background_plate
from .sample import premultiplied, sample_photo, straight
from .splat import FIXED_POINT, accumulate

# Part of every frame's key: raise it whenever a change here alters a pixel.
RENDERER_VERSION = "1"

SPLAT_SIDE = 1024  # longest side of the splat grid
METRIC = 20.0  # exponent of the softmax weight of the strongest motion (GID §5: Z = time-mean ‖F‖)
BORDER = 16 / 512  # share of the width along which the motion fades to zero at the frame
STILL_PX = 1e-3  # pixels that move less keep the photo's bits
STILL_RMS_PX = 1e-4  # pixels whose whole motion is less are not splatted
IN_FRONT = 0.7  # share of the strongest motion beside it from which a sample belongs to the thing that moves
HOLE, SOLID = 0.15, 0.35  # coverage below which only the plate shows, above which only the photo
# Where motion tears: samples stretched this much begin to leave the splat, and have left it.
TEARING, TORN = 1.4, 1.9
WITHIN = 0.3  # share of a stretch that counts as tearing where no object ends
BAND_PIXELS = 1 << 20  # a frame is sampled in bands of rows of about so many pixels


class Renderer:
    """Renders frames of one photo. Setting up (guide and plate) happens at the first frame.

    photo_pixels: [H, W, 3 or 4] uint8, uint16 or float32 (conventions: docs/ARCHITECTURE.md); not copied, not
    changed. modes: the photo's motion. device: "auto" | "cpu" | "cuda" | "mps"; photo_sha256: hash of the
    photo's file for frame_key, by default the hash of the pixels.

    Raises GidError if the modes do not belong to a photo of these proportions.
    """

    def __init__(self, photo_pixels: np.ndarray, modes: Modes, device: str = "auto", photo_sha256: str = ""):
        _check_photo(photo_pixels, modes)
        self.photo, self.modes = photo_pixels, modes
        self.device = _device(device)
        self._photo_sha256 = photo_sha256
        height, width = photo_pixels.shape[:2]
        scale = min(1.0, SPLAT_SIDE / max(height, width))
        self.grid = max(2, round(height * scale)), max(2, round(width * scale))

    # Asking for frames

    def render(self, q: np.ndarray) -> np.ndarray:
        """The frame at the modal coordinates q (complex [K]): the photo's shape and dtype."""
        height, width = self.photo.shape[:2]
        backward, alpha = self._backward_flow(q)
        frame = self.photo.copy()
        rows_a_band = max(1, BAND_PIXELS // width)
        for top in range(0, height, rows_a_band):
            self._render_band(frame, backward, alpha, top, min(height, top + rows_a_band))
        return frame

    def displacement(self, q: np.ndarray) -> np.ndarray:
        """F as rendered: float32 [h, w, 2] on the splat grid, in photo widths, guided by the photo's edges, zero
        at the frame's border."""
        return self._splat_setup.displacement(_finite(self.modes.displacement(np.asarray(q))))

    def backward_map(self, q: np.ndarray) -> np.ndarray:
        """Where each pixel of the frame takes its colour: float32 [H, W, 2], absolute (x right, y down) in
        pixels of the photo; the centre of the top left pixel is (0, 0). In holes: the place the nearest covered
        pixels continue to."""
        height, width = self.photo.shape[:2]
        backward, _ = self._backward_flow(q)
        return _source(_enlarge(backward, (height, width), 0, height), 0, 0, (height, width))

    def hole_mask(self, q: np.ndarray) -> np.ndarray:
        """How much of the background plate each pixel of the frame shows: float32 [H, W], 0…1."""
        height, width = self.photo.shape[:2]
        return _enlarge(self._backward_flow(q)[1], (height, width), 0, height)

    def frame_key(self, q: np.ndarray) -> str:
        """SHA-256 of everything the frame at q follows from; cheap, renders nothing."""
        return hashlib.sha256(self._still_key + np.asarray(q, np.complex64).tobytes()).hexdigest()

    # What every frame shares

    @cached_property
    def _still_key(self) -> bytes:
        digest = hashlib.sha256(RENDERER_VERSION.encode())
        digest.update(self._photo_sha256.encode() or np.ascontiguousarray(self.photo).data)
        digest.update(repr((self.photo.shape, self.photo.dtype.str, self.modes.modes.shape)).encode())
        digest.update(self.modes.modes.data)
        return digest.digest()

    @cached_property
    def _splat_setup(self) -> _SplatSetup:
        return _SplatSetup(self.photo, self.modes, self.grid, self.device)

    @cached_property
    def _plate(self) -> np.ndarray:
        """float32 [gh, gw, C], alpha premultiplied."""
        rms = self._splat_setup.rms
        return background_plate(_shrink(self.photo, self.grid), rms, _reach(rms, self.grid))

    def _backward_flow(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(backward flow [gh, gw, 2] in photo widths, share of the plate [gh, gw] 0…1) on the splat grid."""
        return self._splat_setup.backward_flow(_finite(self.modes.displacement(np.asarray(q))))

    def _render_band(self, frame, backward, alpha, top, bottom) -> None:
        """Writes rows top…bottom of the frame, the columns that move."""
        size = self.photo.shape[:2]
        flow, share = _enlarge(backward, size, top, bottom), _enlarge(alpha, size, top, bottom)
        moved = (np.abs(flow).max(-1) >= STILL_PX / size[1]) | (share > 0)
        columns = np.flatnonzero(moved.any(0))
        if not len(columns):
            return
        left, right = columns[0], columns[-1] + 1
        flow, share, moved = flow[:, left:right], share[:, left:right], moved[:, left:right]
        sampled = sample_photo(self.photo, _source(flow, top, left, size))
        uncovered = share > 0
        if uncovered.any():
            plate = _enlarge(self._plate, size, top, bottom)[:, left:right][uncovered]
            amount = share[uncovered][:, None]
            covered = premultiplied(sampled[uncovered])
            sampled[uncovered] = straight(covered + (plate - covered) * amount, self.photo.dtype)
        np.copyto(frame[top:bottom, left:right], sampled, where=moved[..., None])


class _SplatSetup:
    """What the splat needs of a photo and its modes: look-up positions, weights, the taper at the border."""

    def __init__(self, photo: np.ndarray, modes: Modes, grid: tuple[int, int], device: torch.device):
        self.grid, self.device = grid, device
        self.aspect = photo.shape[1] / photo.shape[0]
        rms = modes.rms()
        colour = _perceptual(_shrink(photo, grid), photo.dtype)
        guide = guide_motion(colour, cv2.resize(rms, grid[::-1]))
        # From pixels of the splat grid to cells of the modes, pixel centres on both.
        cells = np.float32([rms.shape[1] / grid[1], rms.shape[0] / grid[0]])
        self.positions = (guide.positions + 0.5) * cells - 0.5
        self.taper = _border_taper(grid)
        self.rms = _look_up(rms, self.positions) * self.taper
        strongest = max(float(self.rms.max()), 1e-12)
        alone = background_near(self.rms, _reach(self.rms, grid))
        self.outlines = tuple(
            torch.from_numpy(WITHIN + (1 - WITHIN) * outline * alone[: outline.shape[0], : outline.shape[1]]).to(
                device
            )
            for outline in guide.outlines
        )
        weight = np.exp(METRIC * (self.rms / strongest - 1)).astype(np.float32)
        around = np.ones((2 * OUTLINE + 1,) * 2, np.uint8)
        moving = cv2.dilate(self.rms, around) * photo.shape[1] > STILL_RMS_PX
        in_front = self.rms >= IN_FRONT * cv2.dilate(self.rms, around)
        self.in_front = torch.from_numpy(in_front).to(device)
        self.moving = torch.from_numpy(np.flatnonzero(moving)).to(device)
        self.weight = torch.from_numpy(weight[moving]).to(device)
        columns, rows = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in grid[::-1]))
        self.home = torch.from_numpy(np.stack([columns[moving], rows[moving]], -1)).to(device)
        # Still pixels stay where they are: their part of the sums is the same in every frame.
        still = torch.from_numpy(~moving).reshape(-1).to(device)
        self.still_weight = (still * FIXED_POINT * torch.from_numpy(weight).reshape(-1).to(device)).long()
        self.still_coverage = still.long() * int(FIXED_POINT)

    def displacement(self, coarse: np.ndarray) -> np.ndarray:
        """Modes.displacement [h, w, 2] -> the splat grid's."""
        return _look_up(coarse, self.positions) * self.taper[..., None]

    def backward_flow(self, coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See Renderer._backward_flow."""
        h, w = self.grid
        # Nothing moves farther than across the photo; the range also fits the fixed-point numbers.
        flow = torch.from_numpy(self.displacement(coarse)).to(self.device).clamp(-1, 1)
        pixels = flow * flow.new_tensor([w, h * self.aspect])
        whole = _wholeness(pixels, self.in_front, self.outlines).reshape(-1)[self.moving]
        flow, pixels = (field.reshape(-1, 2)[self.moving] for field in (flow, pixels))
        largest = float(flow.abs().max()) if len(flow) else 0.0
        if largest == 0:
            return np.zeros((h, w, 2), np.float32), np.zeros((h, w), np.float32)
        zeros = torch.zeros_like(self.still_weight)
        totals = [zeros, zeros.clone(), self.still_weight.clone(), self.still_coverage.clone()]
        weight = self.weight * whole
        pull = -flow / largest * weight[:, None]
        accumulate(totals, [pull[:, 0], pull[:, 1], weight, whole], self.home + pixels, (h, w))
        flow_x, flow_y, weight, coverage = (total.double() for total in totals)
        backward = torch.stack([flow_x, flow_y], -1) / weight.clamp_min(1)[:, None] * largest
        backward = backward.clamp(-1, 1).float().reshape(h, w, 2).cpu().numpy()
        coverage = (coverage / FIXED_POINT).float().reshape(h, w).cpu().numpy()
        # Coverage by samples drawn apart is spotty; its mean over 5×5 pixels is not.
        even = cv2.blur(coverage, (5, 5), borderType=cv2.BORDER_REPLICATE)
        share = np.clip((SOLID - even) / (SOLID - HOLE), 0, 1)
        return _continued(backward, coverage), share


def _reach(rms: np.ndarray, grid: tuple[int, int]) -> float:
    """How far motion (RMS in widths) uncovers background, with the surroundings that show what it is: pixels."""
    return min(4 * float(rms.max()) * grid[1], 0.08 * max(grid)) + 2


def _wholeness(pixels: torch.Tensor, in_front: torch.Tensor, outlines: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """1 where the displacement [h, w, 2] (in its own pixels) stretches little, 0 where it tears: [h, w].

    A blurred motion boundary that opens up is a ramp of samples drawn far apart. They belong to neither side,
    and without them a clean hole for the plate is left. At the ramp's end in front (in_front: bool [h, w]) the
    last whole sample stays; behind, OUTLINE samples more go, which the thing's antialiased outline has coloured
    and which would be left standing as its ghost.
    """
    inner, outer = pixels.new_ones(pixels.shape[:2]), pixels.new_ones(pixels.shape[:2])
    for axis in (0, 1):
        unit = pixels.new_tensor([1.0, 0.0] if axis == 1 else [0.0, 1.0])
        step = 1 + ((pixels.diff(dim=axis) + unit).norm(dim=-1) - 1) * outlines[axis]
        ends = torch.ones_like(step.narrow(axis, 0, 1))
        before, after = torch.cat([ends, step], axis), torch.cat([step, ends], axis)
        inner = torch.maximum(inner, torch.minimum(before, after))
        outer = torch.maximum(outer, torch.maximum(before, after))
    outer = torch.nn.functional.max_pool2d(outer[None], 2 * OUTLINE + 1, 1, OUTLINE)[0]
    stretch = torch.where(in_front, inner, outer)
    return ((TORN - stretch) / (TORN - TEARING)).clamp(0, 1)


def _continued(backward: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """Backward flow with its holes filled from the covered pixels around them, a few pixels deep."""
    known = (coverage >= HOLE).astype(np.float32)
    if known.all():
        return backward
    spread = cv2.blur(known, (5, 5))
    filled = cv2.blur(backward * known[..., None], (5, 5)) / np.maximum(spread, 1e-6)[..., None]
    return np.where(known[..., None] > 0, backward, filled)


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


def _finite(displacement: np.ndarray) -> np.ndarray:
    if not np.isfinite(displacement).all():
        raise GidError(
            "motion_not_finite",
            "The motion of this frame is not a number in places.",
            "Lower amplitude, impulses and wind, or predict the motion anew.",
        )
    return displacement


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


def _perceptual(small: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Colours 0…1 in which equal steps look about equal; scene-linear values are rolled off."""
    colour = small[..., :3]
    if dtype == np.float32:
        colour = np.nan_to_num(np.maximum(colour, 0), posinf=1e6)
        return np.sqrt(colour / (1 + colour))
    return colour / np.float32(np.iinfo(dtype).max)


def _border_taper(grid: tuple[int, int]) -> np.ndarray:
    """0 on the outermost pixels, rising smoothly to 1 over BORDER of the width."""
    reach = max(2.0, BORDER * grid[1])
    ramps = [np.clip(np.minimum(np.arange(n), n - 1 - np.arange(n)) / min(reach, n / 4), 0, 1) for n in grid]
    ramps = [(ramp * ramp * (3 - 2 * ramp)).astype(np.float32) for ramp in ramps]
    return np.minimum(ramps[0][:, None], ramps[1][None, :])


def _look_up(maps: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return cv2.remap(maps, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _enlarge(grid: np.ndarray, size: tuple[int, int], top: int, bottom: int) -> np.ndarray:
    """Rows top…bottom of the grid [h, w, ...] enlarged linearly to size (H, W), whatever the band."""
    rows = (np.arange(top, bottom, dtype=np.float32) + 0.5) * (grid.shape[0] / size[0]) - 0.5
    rows = np.clip(rows, 0, grid.shape[0] - 1)
    first = np.minimum(rows.astype(int), grid.shape[0] - 2)
    part = (rows - first).astype(np.float32).reshape(-1, *[1] * (grid.ndim - 1))
    band = grid[first] + (grid[first + 1] - grid[first]) * part
    return cv2.resize(band, (size[1], bottom - top), interpolation=cv2.INTER_LINEAR)


def _source(flow: np.ndarray, top: int, left: int, size: tuple[int, int]) -> np.ndarray:
    """Backward flow [h, w, 2] in photo widths of the window at (top, left) -> absolute pixels of the photo."""
    source = flow * np.float32(size[1])
    source[..., 0] += np.arange(left, left + flow.shape[1], dtype=np.float32)
    source[..., 1] += np.arange(top, top + flow.shape[0], dtype=np.float32)[:, None]
    return np.clip(source, 0, np.float32([size[1] - 1, size[0] - 1]), out=source)
