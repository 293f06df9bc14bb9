"""The renderer: what a person sees in a frame."""

import subprocess
import sys
import textwrap
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from gid_engine.errors import GidError
from gid_engine.motion import Modes
from gid_engine.render import Renderer
from gid_engine.render import device as device_module

ONE = np.ones(1)


def one_mode(motion: np.ndarray, photo_size: tuple[int, int]) -> Modes:
    """The mode that displaces by motion [h, w, 2] (photo widths) at q = 1."""
    maps = np.moveaxis(motion, -1, 0)[None].astype(np.complex64)
    return Modes(maps, np.float32([0.2]), np.float32([0.1]), photo_size)


def swaying(photo_size: tuple[int, int], amplitude: float = 0.01, bands: int = 3, cells: int = 64) -> Modes:
    """Smooth motion everywhere, each band with a pattern and phases of its own."""
    width, height = photo_size
    h, w = max(2, cells * height // max(photo_size)), max(2, cells * width // max(photo_size))
    rng = np.random.default_rng(5)
    maps = rng.normal(size=(bands, 2, h, w)) + 1j * rng.normal(size=(bands, 2, h, w))
    for band in maps:
        for axis in range(2):
            band[axis] = cv2.GaussianBlur(band[axis].real, (0, 0), 6) + 1j * cv2.GaussianBlur(
                band[axis].imag, (0, 0), 6
            )
    maps *= amplitude / np.abs(maps).max()
    frequency = 0.2 * np.arange(1, bands + 1)
    return Modes(maps, frequency, np.full(bands, 0.1), photo_size)


def texture(rng, height: int, width: int, colour, scale: float) -> np.ndarray:
    """A coloured surface with detail at two scales, float32 [height, width, 3] around colour."""
    noise = rng.normal(size=(2, height, width, 3)).astype(np.float32)
    grain = cv2.GaussianBlur(noise[0], (0, 0), scale) + 2 * cv2.GaussianBlur(noise[1], (0, 0), 4 * scale)
    return np.float32(colour) + 20 * grain / grain.std()


def disc(height: int, width: int, x: float, y: float, radius: float) -> np.ndarray:
    """Antialiased disc, float32 [height, width]; x, y, radius in pixels."""
    mask = np.zeros((height * 4, width * 4), np.uint8)
    cv2.circle(mask, (round(x * 4), round(y * 4)), round(radius * 4), 1, -1)
    return cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)


def photo_of_kind(kind: str, height: int = 72, width: int = 96) -> np.ndarray:
    rng = np.random.default_rng(7)
    colour = texture(rng, height, width, (120, 140, 90), 1).clip(0, 255) / 255
    alpha = disc(height, width, width / 2, height / 2, height / 3)[..., None]
    match kind:
        case "uint8":
            return np.rint(colour * 255).astype(np.uint8)
        case "uint16":
            return np.rint(colour * 65535).astype(np.uint16)
        case "float32":
            return (colour**2.2 * 4).astype(np.float32)
        case "uint8 alpha":
            return np.rint(np.concatenate([colour, alpha], -1) * 255).astype(np.uint8)
        case "uint16 alpha":
            return np.rint(np.concatenate([colour, alpha], -1) * 65535).astype(np.uint16)
        case "float32 alpha":
            return np.concatenate([colour * alpha, alpha], -1).astype(np.float32)
    raise ValueError(kind)


KINDS = ["uint8", "uint16", "float32", "uint8 alpha", "uint16 alpha", "float32 alpha"]


@pytest.mark.parametrize("kind", KINDS)
def test_at_rest_the_frame_is_the_photo_and_moving_it_keeps_its_kind(kind):
    photo = photo_of_kind(kind)
    original = photo.copy()
    renderer = Renderer(photo, swaying((96, 72), 0.03))
    assert np.array_equal(renderer.render(np.zeros(3)), photo)
    frame = renderer.render(np.full(3, 1 + 1j))
    assert frame.dtype == photo.dtype and frame.shape == photo.shape
    assert not np.array_equal(frame, photo)
    assert np.array_equal(photo, original)  # the caller's array is not written to
    # The border is pinned.
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.array_equal(frame[edge], photo[edge])


@pytest.mark.parametrize("kind", KINDS)
def test_still_places_keep_their_bits(kind):
    photo = photo_of_kind(kind)
    motion = np.zeros((72, 96, 2), np.float32)
    motion[20:50, 20:45] = 0.02
    frame = Renderer(photo, one_mode(motion, (96, 72))).render(ONE)
    # Motion plus what it covers or uncovers: 2 px, and 3 px for the outline and the kernel.
    touched = np.zeros((72, 96), bool)
    touched[14:56, 14:51] = True
    assert np.array_equal(frame[~touched], photo[~touched])
    assert not np.array_equal(frame[touched], photo[touched])


@pytest.mark.parametrize("size", [(64, 64), (64, 200), (333, 64), (257, 131), (64, 1500)])
def test_any_proportions(size):
    width, height = size
    photo = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    renderer = Renderer(photo, swaying(size))
    assert renderer.render(np.full(3, 1.0)).shape == photo.shape
    assert renderer.backward_map(np.full(3, 1.0)).shape == (height, width, 2)
    assert renderer.hole_mask(np.full(3, 1.0)).shape == (height, width)


def layered_scene(shift: tuple[float, float]):
    """A disc and a thin bar before a background, from 4 × 4 subsamples: (photo, disc mask, moved photo, holes)."""
    height, width, fine = 288, 512, 4
    rng = np.random.default_rng(11)
    back = texture(rng, height * fine, width * fine, (90, 120, 170), 6)
    front = texture(rng, height * fine, width * fine, (170, 120, 40), 6)
    mask = np.zeros(back.shape[:2], np.uint8)
    cv2.circle(mask, (180 * fine, 140 * fine), 70 * fine, 1, -1)
    cv2.rectangle(mask, (340 * fine, 60 * fine), (356 * fine, 230 * fine), 1, -1)

    def shown(dx: float, dy: float):
        move = np.float32([[1, 0, dx * fine], [0, 1, dy * fine]])
        size = width * fine, height * fine
        moved = cv2.warpAffine(mask, move, size, flags=cv2.INTER_NEAREST)
        surface = cv2.warpAffine(front, move, size, flags=cv2.INTER_NEAREST)
        picture = np.where(moved[..., None] > 0, surface, back).clip(0, 255)
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), moved

    photo, _ = shown(0, 0)
    expected, moved = shown(*shift)
    bare = ((mask > 0) & (moved == 0)).astype(np.float32)
    holes = cv2.resize(bare, (width, height), interpolation=cv2.INTER_AREA) > 0
    coverage = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.rint(photo).astype(np.uint8), coverage, expected, holes


def psnr(frame, expected, where) -> float:
    return 10 * np.log10(255**2 / np.mean(np.square(frame.astype(np.float64) - expected)[where]))


def test_sharp_boundary():
    """4 px of motion: 45 dB beside the true picture is what softmax-splatted flow reaches on such scenes, and
    the common short cut, reading the photo at p − F(p), stays some 10 dB below."""
    shift = np.float32([4.25, -1.75])
    photo, coverage, expected, holes = layered_scene(tuple(shift))
    motion = (coverage > 0)[..., None] * shift / 512
    frame = Renderer(photo, one_mode(motion, (512, 288))).render(ONE)
    columns, rows = np.meshgrid(np.arange(512, dtype=np.float32), np.arange(288, dtype=np.float32))
    short_cut = cv2.remap(
        photo,
        columns - motion[..., 0].astype(np.float32) * 512,
        rows - motion[..., 1].astype(np.float32) * 512,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    assert psnr(frame, expected, ~holes) > 45
    assert psnr(frame, expected, ~holes) > psnr(short_cut, expected, ~holes) + 5


def test_blurred_modes_are_sharpened_by_the_photo():
    """The prior's modes are blurred at the edges; the photo says where the edge is."""
    shift = np.float32([4.25, -1.75])
    photo, coverage, expected, holes = layered_scene(tuple(shift))
    coarse = cv2.GaussianBlur(cv2.resize(coverage, (256, 144), interpolation=cv2.INTER_AREA), (0, 0), 1)
    modes = one_mode(coarse[..., None] * shift / 512, (512, 288))
    renderer = Renderer(photo, modes)
    assert psnr(renderer.render(ONE), expected, ~holes) > 40
    # Two pixels inside the disc's left edge nearly all of the motion, two outside nearly none.
    share = renderer.displacement(ONE)[140, :, 0] * 512 / shift[0]
    assert share[180 - 70 + 2] > 0.85 and share[180 - 70 - 3] < 0.15


def test_behind_a_moving_thing_is_its_background():
    sky, red = (110, 160, 220), (200, 40, 30)
    photo = np.full((120, 160, 3), sky, np.uint8)
    thing = disc(120, 160, 80, 60, 20)
    photo = np.rint(photo + (np.float32(red) - sky) * thing[..., None]).astype(np.uint8)
    motion = (thing > 0)[..., None] * np.float32([12 / 160, 0])
    renderer = Renderer(photo, one_mode(motion, (160, 120)))
    frame = renderer.render(ONE)
    # 80 − 20 … + 12: uncovered; at its middle there is no trace of the thing, but for rounding.
    assert renderer.hole_mask(ONE)[60, 66] == 1
    assert np.abs(frame[60, 60:71].astype(int) - sky).max() <= 3
    assert np.array_equal(frame[60, 95:108], np.tile(np.uint8(red), (13, 1)))


def test_what_is_laid_bare_has_the_texture_of_what_is_around():
    """A flat patch where a disc has left grass would show: a third of the grass's contrast is there at least."""
    rng = np.random.default_rng(3)
    grass = np.clip(texture(rng, 160, 240, (60, 110, 50), 1), 0, 255)
    inside = disc(160, 240, 120, 80, 30)
    photo = np.rint(np.where(inside[..., None] > 0.5, np.float32([230, 210, 40]), grass)).astype(np.uint8)
    motion = inside[..., None] * np.float32([14, 0]) / 240
    renderer = Renderer(photo, one_mode(motion, (240, 160)))
    bare = cv2.erode((renderer.hole_mask(ONE) > 0.99).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    frame = renderer.render(ONE).astype(np.float32)
    assert bare.sum() > 200
    assert frame[bare].std(0).mean() > grass[inside < 0.01].std(0).mean() / 3


def test_what_is_drawn_out_is_drawn_out_evenly():
    """Samples of the photo that land 2.5 px apart: between them the frame reads between them, in order."""
    along = np.interp(np.arange(240), [60, 100, 140, 180], [0, 60, 60, 0]).astype(np.float32)
    motion = np.zeros((120, 240, 2), np.float32)
    motion[..., 0] = along / 240
    photo = np.full((120, 240, 3), 128, np.uint8)
    read = Renderer(photo, one_mode(motion, (240, 120))).backward_map(ONE)[60, :, 0]
    steps = np.diff(read[70:150])
    assert abs(steps.mean() - 0.4) < 0.02
    assert steps.min() > 0.3 and steps.max() < 0.5


def test_where_everything_moves_nothing_tears():
    photo = photo_of_kind("uint8", 144, 192)
    # 1 % of the width: twice the usual motion of a tree's crown.
    renderer = Renderer(photo, swaying((192, 144), 0.01))
    for phase in (1, 1j, -1):
        assert renderer.hole_mask(np.full(3, phase)).max() == 0


def test_light_sources_do_not_ring():
    photo = np.full((96, 96, 3), 0.01, np.float32)
    photo += 1e4 * disc(96, 96, 48, 48, 10)[..., None]
    motion = np.full((96, 96, 2), 3.3 / 96, np.float32)
    frame = Renderer(photo, one_mode(motion, (96, 96))).render(ONE)
    assert frame.min() >= 0.01 * 0.999 and frame.max() <= photo.max()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_alpha_has_no_fringes(kind):
    """A red thing cut out of a green background: the green under zero alpha must not show at its edge."""
    full = np.iinfo(kind).max
    alpha = disc(96, 96, 48, 48, 20)
    photo = np.zeros((96, 96, 4), kind)
    photo[..., 1] = full
    photo[alpha > 0] = [full, 0, 0, 0]
    photo[..., 3] = np.rint(alpha * full)
    motion = np.full((96, 96, 2), 2.6 / 96, np.float32)
    frame = Renderer(photo, one_mode(motion, (96, 96))).render(ONE)
    seen = frame[..., 3] > full // 50
    assert frame[seen][:, 1].max() <= full // 50
    assert frame[seen][:, 0].min() >= full - full // 50


def test_sixteen_bit_stays_sixteen_bit():
    ramp = np.linspace(1000, 60000, 200).astype(np.uint16)
    photo = np.repeat(np.tile(ramp, (64, 1))[..., None], 3, -1)
    frame = Renderer(photo, one_mode(np.full((32, 100, 2), 0.013, np.float32), (200, 64))).render(ONE)
    # 2.6 px into a ramp of 296 levels a pixel; OpenCV's cubic places a ramp to about 0.02 px.
    moved = photo[32, 100, 0].astype(int) - frame[32, 100, 0]
    assert moved == pytest.approx(2.6 * 296.5, abs=0.03 * 296.5)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_one_colour_stays_one_colour(kind):
    photo = np.full((80, 100, 3), 77, kind)
    frame = Renderer(photo, swaying((100, 80), 0.05)).render(np.full(3, 1j))
    assert np.abs(frame.astype(np.float64) - photo).max() <= (1e-4 if kind is np.float32 else 0)


def test_same_frame_same_bits_alone_in_any_order_and_on_any_number_of_threads():
    photo, modes = photo_of_kind("uint8 alpha", 90, 140), swaying((140, 90), 0.03)
    coordinates = [np.exp(1j * t) * np.ones(3) for t in (0.3, 1.1, 2.5)]
    renderer = Renderer(photo, modes)
    frames = [renderer.render(q) for q in coordinates]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        backwards = [Renderer(photo, modes).render(q) for q in coordinates[::-1]][::-1]
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(-1)
    for frame, again in zip(frames, backwards, strict=True):
        assert np.array_equal(frame, again)


def test_backward_map_leads_to_the_frame():
    photo = photo_of_kind("uint8", 90, 140)
    renderer = Renderer(photo, swaying((140, 90)))
    columns, rows = np.meshgrid(np.arange(140), np.arange(90))
    assert np.array_equal(renderer.backward_map(np.zeros(3)), np.dstack([columns, rows]).astype(np.float32))
    q = np.full(3, 1 + 0.5j)
    source = renderer.backward_map(q)
    sampled = cv2.remap(photo, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    shown = renderer.hole_mask(q) == 0
    assert np.array_equal(sampled[shown], renderer.render(q)[shown])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_motion_that_is_not_a_number_is_refused(bad):
    renderer = Renderer(photo_of_kind("uint8"), swaying((96, 72)))
    with pytest.raises(GidError) as error:
        renderer.render(np.array([1, bad, 0]))
    assert error.value.code == "motion_not_finite"


def test_motion_larger_than_the_photo_is_limited():
    photo = photo_of_kind("uint8")
    renderer = Renderer(photo, swaying((96, 72), 0.02))
    q = np.full(3, 1e6 + 0j)
    assert np.abs(renderer.displacement(q)).max() <= 1
    frame = renderer.render(q)
    assert frame.shape == photo.shape
    source = renderer.backward_map(q)
    assert source.min() >= 0 and (source <= [95, 71]).all()


def test_another_photo_is_refused_and_a_proxy_is_not():
    with pytest.raises(GidError) as error:
        Renderer(photo_of_kind("uint8"), swaying((72, 96)))
    assert error.value.code == "photo_motion_mismatch" and "96 × 72" in str(error.value)
    proxy = photo_of_kind("uint8", 72, 96)
    assert Renderer(proxy, swaying((1921, 1441))).render(np.zeros(3)).shape == proxy.shape


def test_frame_key_follows_what_the_frame_follows_from():
    photo, modes = photo_of_kind("uint8"), swaying((96, 72))
    q = np.array([1, 1j, 0.5])
    key = Renderer(photo, modes).frame_key(q)
    assert key == Renderer(photo.copy(), modes).frame_key(q.copy()) and len(key) == 64
    brighter = photo.copy()
    brighter[5, 5] += 1
    others = [
        Renderer(photo, modes).frame_key(q * 1.001),
        Renderer(brighter, modes).frame_key(q),
        Renderer(photo, swaying((96, 72), 0.02)).frame_key(q),
        Renderer(photo, modes, photo_sha256="ab").frame_key(q),
    ]
    assert len({key, *others}) == 5
    # A mode that rests changes nothing, so that a bake is resumed after a touch was added to its end.
    more = replace(modes, modes=modes.modes[[0, 1, 2, 0]], frequency_hz=np.ones(4), damping=np.ones(4))
    touched = Renderer(photo, more, plain_modes=modes)
    assert touched.frame_key(np.append(q, 0)) == key != touched.frame_key(np.append(q, 0.1))
    assert np.array_equal(touched.render(np.append(q, 0)), Renderer(photo, modes).render(q))


def on_card_and_cpu(photo: np.ndarray, modes: Modes, q: np.ndarray, card: str = "cpu") -> np.ndarray:
    """How far the graphics card's way is from the CPU's, in 1/255 of the brightest, for each pixel."""
    frames = [Renderer(photo, modes, device).render(q) for device in (torch.device(card), "cpu")]
    assert frames[0].dtype == photo.dtype and frames[0].shape == photo.shape
    seen = [frame.astype(np.float64) for frame in frames]
    if photo.shape[2] == 4 and photo.dtype != np.float32:  # colours of what is hardly there count little
        for frame in seen:
            frame[..., :3] *= frame[..., 3:] / np.iinfo(photo.dtype).max
    brightest = photo.max() if photo.dtype == np.float32 else np.iinfo(photo.dtype).max
    return np.abs(seen[0] - seen[1]).max(-1) / brightest * 255


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_of_the_graphics_card_gives_the_same_frame(kind):
    difference = on_card_and_cpu(photo_of_kind(kind, 144, 192), swaying((192, 144), 0.02), np.full(3, 1 + 0.5j))
    assert (difference <= 1.01).mean() > 0.999
    photo, coverage, _, _ = layered_scene((4.25, -1.75))
    motion = (coverage > 0)[..., None] * np.float32([4.25, -1.75]) / 512
    assert (on_card_and_cpu(photo, one_mode(motion, (512, 288)), ONE) <= 1.01).mean() > 0.999


def test_the_graphics_card_keeps_still_bits_and_needs_no_certain_tile(monkeypatch):
    photo, modes = photo_of_kind("uint16 alpha"), swaying((96, 72))
    card = torch.device("cpu")
    assert np.array_equal(Renderer(photo, modes, card).render(np.zeros(3)), photo)
    frame = Renderer(photo, modes, card).render(np.full(3, 1j))
    monkeypatch.setattr(device_module, "TILE_PIXELS", 500)
    assert np.array_equal(Renderer(photo, modes, card).render(np.full(3, 1j)), frame)


@pytest.mark.parametrize(("room", "remark"), [(1 << 18, ""), (0, "CPU")])
def test_a_full_graphics_memory_means_smaller_tiles_and_then_the_cpu(monkeypatch, room, remark):
    photo, modes = photo_of_kind("uint8", 720, 960), swaying((960, 720))
    q = np.full(3, 1j)
    tile = device_module.DeviceFrames._tile

    def small(self, flow, top, bottom, still_px):
        if (bottom - top) * 960 > room:
            raise torch.OutOfMemoryError("out of memory")
        return tile(self, flow, top, bottom, still_px)

    monkeypatch.setattr(device_module.DeviceFrames, "_tile", small)
    renderer = Renderer(photo, modes, torch.device("cpu"))
    frame = renderer.render(q)
    assert remark in renderer.remark and bool(remark) == bool(renderer.remark)
    if remark:
        assert np.array_equal(frame, Renderer(photo, modes).render(q))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_cuda_renders_the_same_frame_every_time():
    photo, modes = photo_of_kind("uint8", 300, 400), swaying((400, 300), 0.02)
    q = np.full(3, 1 + 1j)
    frames = [Renderer(photo, modes, device="cuda").render(q) for _ in range(3)]
    assert all(np.array_equal(frame, frames[0]) for frame in frames)
    assert (on_card_and_cpu(photo, modes, q, "cuda") <= 1.01).mean() > 0.999


@pytest.mark.skipif(sys.platform == "win32", reason="measures with resource")
def test_an_8k_photo_fits_in_bounded_memory():
    """Photo and frame take 0.1 GB each, PyTorch itself about 0.3 GB."""
    code = """
        import resource, sys
        import numpy as np
        from gid_engine.motion import Modes
        from gid_engine.render import Renderer
        photo = np.zeros((4320, 7680, 3), np.uint8)
        photo[::7, ::5] = 200
        maps = np.full((2, 2, 36, 64), 0.004, np.complex64)
        modes = Modes(maps, np.float32([0.2, 0.4]), np.float32([0.1, 0.1]), (7680, 4320))
        Renderer(photo, modes).render(np.ones(2))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(peak / 2**30 if sys.platform == "darwin" else peak / 2**20)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300, check=True
    )
    assert float(result.stdout) < 1.5  # GiB
