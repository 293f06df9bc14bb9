"""`gid bench`: how fast this machine is, beside simpler ways to do the same, measured turn by turn in one run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from .errors import GidError
from .media import VideoWriter, load_photo, read_frames, safe_write
from .motion import Modes, spectrum_from_trajectories
from .observe import observe
from .observe.flow import grid_of
from .observe.synthetic import FPS, PERIOD_SECONDS, known_clip, relative_errors
from .render import RENDERER_VERSION, Renderer, softmax_splat

SIZES = (512, 288), (1920, 1080), (3840, 2160)
ROUNDS = 9  # the median of nine turns shrugs off a few that other programs disturbed
STRETCH_SECONDS = 0.25
BANDS = 15
CLIP = (512, 288)
CLIP_ROUNDS = 3
MOTIONS_PX = 0.3, 1.5, 5.0  # rms of the motion in the clips


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", choices=["render", "observe"], help="what to measure")
    parser.add_argument("--photo", metavar="FILE", help="measure on this photo instead of an artificial one")
    parser.add_argument("--device", default="auto", choices=["auto", "cuda", "mps", "cpu"])
    parser.add_argument("--json", metavar="FILE", help="write every figure there")


def run(args: argparse.Namespace) -> None:
    photo = load_photo(args.photo).pixels if args.photo else None
    report = {
        "photo": Path(args.photo).name if args.photo else "artificial",
        "renderer_version": RENDERER_VERSION,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "device": args.device,
        "torch": torch.__version__,
        "opencv": cv2.__version__,
    }
    if args.subject == "render":
        report["render"] = [
            _measure(size, scene, args.device, photo) for size in SIZES for scene in ("crown", "branch")
        ]
    else:
        report["observe"] = [_measure_observe(rms, photo) for rms in MOTIONS_PX]
    if args.json:
        with safe_write(args.json) as part:
            part.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _measure_observe(rms_px: float, photo: np.ndarray | None = None) -> dict:
    """Seconds that `observe` takes for a clip whose motion is known, and how far it is off; beside plain flow."""
    width, height = CLIP
    known = known_clip(_picture((2 * width, 2 * height), photo), rms_px, noise=0.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with VideoWriter(path, CLIP, FPS) as video:
            for frame in known.frames:
                video.write(frame)
        seconds: dict[str, list[float]] = {"observe": [], "plain flow": []}
        for _ in range(CLIP_ROUNDS):
            started = time.perf_counter()
            seen = observe(path, seconds=PERIOD_SECONDS)
            seconds["observe"].append(time.perf_counter() - started)
            started = time.perf_counter()
            plain = _plain_flow(path)
            seconds["plain flow"].append(time.perf_counter() - started)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    # The loop that observe finds begins half a second into the clip, after its cross-fade.
    turn = np.exp(2j * np.pi * seen.modes.frequency_hz * 0.5)[:, None, None, None]
    truth = _on_grid(known.modes, seen.modes.grid)
    errors = {
        "observe": relative_errors(seen.modes.modes * width, truth * turn),
        "plain flow": relative_errors(plain, truth),
    }
    print(f"{width} × {height}, {len(known.frames)} frames, rms {rms_px:g} px: {seen.seconds}")
    for name, value in median.items():
        ratio = value / median["plain flow"]
        print(f"  {name:14} {value:6.2f} s   {ratio:5.2f} × plain flow's time   error {errors[name]['error']:.3f}")
    return {
        "size": list(CLIP),
        "frames": len(known.frames),
        "rms_px": rms_px,
        "seconds": {name: round(value, 3) for name, value in median.items()},
        "stages_s": seen.seconds,
        "time_ratio_to_plain_flow": round(median["observe"] / median["plain flow"], 3),
        "errors": errors,
    }


def _plain_flow(path: Path) -> np.ndarray:
    """What a few lines of OpenCV make of a clip: DIS from the first frame, Fourier's transform of one period."""
    frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in read_frames(path)]
    flow, grid = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM), grid_of(frames[0].shape)
    moved = [
        cv2.resize(flow.calc(frames[0], frame, None), grid[::-1], interpolation=cv2.INTER_AREA) for frame in frames
    ]
    period = round(PERIOD_SECONDS * FPS)
    return spectrum_from_trajectories(np.moveaxis(np.stack(moved[:period]), -1, 1), BANDS)


def _on_grid(modes: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """complex [K, 2, h, w] averaged to another grid."""
    planes = modes.reshape(-1, *modes.shape[2:])
    sized = [
        cv2.resize(p.real.copy(), grid[::-1], interpolation=cv2.INTER_AREA)
        + 1j * cv2.resize(p.imag.copy(), grid[::-1], interpolation=cv2.INTER_AREA)
        for p in planes
    ]
    return np.stack(sized).reshape(*modes.shape[:2], *grid)


def _measure(size: tuple[int, int], scene: str, device: str, photo: np.ndarray | None = None) -> dict:
    """Frames per second of the renderer and of each baseline, and how many times the renderer's frame time
    each baseline takes."""
    photo, modes = _picture(size, photo), _modes(size, scene)
    renderer = Renderer(photo, modes, device)
    started = time.perf_counter()
    renderer.render(_coordinates(0))
    setup = time.perf_counter() - started
    ways = {
        "render": renderer.render,
        # The least there is to do: read the photo and write the frame.
        "static copy": lambda q: photo.copy(),
        "remap by -F": lambda q: _remap_by_minus_f(photo, modes, q),
        "average splat": lambda q: _average_splat(photo, modes, q),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS):
        for name, way in ways.items():
            if name == "average splat" and turn >= 3 and size[0] > 2000:
                continue  # seconds a frame: three turns tell enough
            seconds[name].append(_time(way, turn))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    processor = _cpu_seconds(renderer.render)
    figures = {
        "cpu_s": round(processor, 4),
        "remark": renderer.remark,
        "size": list(size),
        "scene": scene,
        "setup_s": round(setup, 3),
        "fps": {name: round(1 / value, 2) for name, value in median.items()},
        "fps_best": {name: round(1 / min(values), 2) for name, values in seconds.items()},
        "time_ratio_to_render": {name: round(value / median["render"], 4) for name, value in median.items()},
    }
    print(f"{size[0]} × {size[1]}, {scene}: set-up {setup:.2f} s, {processor * 1e3:.0f} ms of processor a frame")
    for name, value in median.items():
        print(f"  {name:14} {1 / value:9.2f} frames/s   {value / median['render']:8.3f} × render's time")
    return figures


def _time(way: Callable[[np.ndarray], np.ndarray], turn: int) -> float:
    """Seconds a frame of a short sequence. Its first is not counted: it finds the caches full of what the way
    before it left, and threads that still wait for that one's work."""
    way(_coordinates(turn))
    frames, started = 0, time.perf_counter()
    while not frames or time.perf_counter() - started < STRETCH_SECONDS:
        frames += 1
        way(_coordinates(turn + frames))
    return (time.perf_counter() - started) / frames


def _cpu_seconds(way: Callable[[np.ndarray], np.ndarray]) -> float:
    """A frame's, of all threads together: what a busy machine disturbs least. Some systems count it in steps of
    10 ms: the mean of as many frames as take a second."""
    frames, started, ends = 0, time.process_time(), time.perf_counter() + 1
    while not frames or time.perf_counter() < ends:
        way(_coordinates(frames))
        frames += 1
    return (time.process_time() - started) / frames


def _coordinates(turn: int) -> np.ndarray:
    return np.exp(2j * np.pi * np.arange(1, BANDS + 1) * turn / 30) - 1


def _picture(size: tuple[int, int], photo: np.ndarray | None) -> np.ndarray:
    """uint8 [H, W, 3]: the middle of a photo of 8 bit at that size, or an artificial picture."""
    if photo is None:
        return _photo(size)
    if photo.dtype != np.uint8:
        raise GidError("wrong_photo", "A benchmark needs a photo of 8 bit.", "Choose a JPEG or a PNG of 8 bit.")
    width, height = size
    rows, columns = photo.shape[:2]
    scale = min(rows / height, columns / width)
    down, right = int(height * scale), int(width * scale)
    top, left = (rows - down) // 2, (columns - right) // 2
    part = np.ascontiguousarray(photo[top : top + down, left : left + right, :3])
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC)


def _photo(size: tuple[int, int]) -> np.ndarray:
    """A textured picture with a darker, bare ellipse, uint8 [H, W, 3]."""
    width, height = size
    noise = np.random.default_rng(0).normal(size=(height, width, 3)).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 1.5)
    picture = 130 + 25 * grain / grain.std()
    cv2.ellipse(picture, (width // 2, height // 2), (width // 4, height // 3), 0, 0, 360, (60, 90, 50), -1)
    return np.rint((picture + 8 * noise).clip(0, 255)).astype(np.uint8)


def _modes(size: tuple[int, int], scene: str) -> Modes:
    """ "crown": all of the picture moves, by 1 % of its width at most; "branch": a tenth of it."""
    h, w = round(256 * size[1] / size[0]), 256
    rng = np.random.default_rng(1)
    maps = np.empty((BANDS, 2, h, w), np.complex64)
    for plane in maps.reshape(-1, h, w):
        plane[:] = sum(
            unit * cv2.GaussianBlur(rng.normal(size=(h, w)).astype(np.float32), (0, 0), 24) for unit in (1, 1j)
        )
    maps /= np.abs(maps).max() * BANDS**0.5
    maps *= 0.01
    if scene == "branch":
        mask = np.zeros((h, w), np.float32)
        cv2.ellipse(mask, (w // 2, h // 2), (w // 10, h // 3), 0, 0, 360, 1, -1)
        maps *= cv2.GaussianBlur(mask, (0, 0), 2)
        maps[..., mask == 0] = 0
    frequency = 0.2 * np.arange(1, BANDS + 1)
    return Modes(maps, frequency, np.full(BANDS, 0.1), size)


def _remap_by_minus_f(photo: np.ndarray, modes: Modes, q: np.ndarray) -> np.ndarray:
    """The common short cut: the photo read at p − F(p)."""
    height, width = photo.shape[:2]
    flow = cv2.resize(modes.displacement(q), (width, height)) * np.float32(-width)
    flow[..., 0] += np.arange(width, dtype=np.float32)
    flow[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(photo, flow, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _average_splat(photo: np.ndarray, modes: Modes, q: np.ndarray) -> np.ndarray:
    """Every pixel's colour splatted at full size, all weighted alike (GID's "baseline splat", Table 2)."""
    height, width = photo.shape[:2]
    flow = cv2.resize(modes.displacement(q), (width, height)) * np.float32(width)
    image = torch.from_numpy(photo).permute(2, 0, 1).float()
    with torch.no_grad():
        warped, _ = softmax_splat(image, torch.from_numpy(flow).permute(2, 0, 1), torch.zeros(height, width))
    return warped.round().to(torch.uint8).permute(1, 2, 0).numpy()
