"""The frame networks: what the refiner may touch, and that both learn, save and load."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gid_engine.errors import GidError
from gid_engine.motion import Modes
from gid_engine.prior import weights
from gid_engine.render import Renderer, refiner
from gid_engine.render.pyramid import PyramidNet, PyramidRenderer
from gid_engine.render.refiner import RIM, RefinerNet
from gid_engine.training.dataset import Material
from gid_engine.training.perceptual import PerceptualDistance
from gid_engine.training.render_pairs import SIZE, PairPool, coordinates, drawn_scene, write_pairs
from gid_engine.training.render_train import pyramid_loss, refiner_loss

PHOTO_SIZE = 192, 128


def moved_disc() -> tuple[np.ndarray, Modes]:
    """A photo with a bright disc that moves 8 px to the right at q = 1."""
    width, height = PHOTO_SIZE
    rng = np.random.default_rng(3)
    mask = cv2.circle(np.zeros((height, width), np.uint8), (70, 64), 30, 1, -1)
    photo = np.where(mask[..., None] > 0, (200, 170, 60), (60, 90, 120)) + rng.integers(
        -20, 20, (height, width, 3)
    )
    maps = np.zeros((1, 2, height, width), np.complex64)
    maps[0, 0] = mask * 8 / width
    return photo.astype(np.uint8), Modes(maps, np.float32([0.2]), np.float32([0.1]), PHOTO_SIZE)


@pytest.fixture
def eager_refiner(monkeypatch) -> RefinerNet:
    """A refiner that changes whatever it may."""
    torch.manual_seed(0)
    network = RefinerNet().eval()
    torch.nn.init.constant_(network.leave.bias, 0.2)
    monkeypatch.setattr(refiner, "_shipped", lambda: network)
    return network


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_only_holes_and_their_rim_are_mended(eager_refiner, dtype):
    photo, modes = moved_disc()
    photo = {np.uint8: photo, np.uint16: photo * np.uint16(257), np.float32: np.float32(photo / 255)}[dtype]
    plain = Renderer(photo, modes, "cpu", refine=False)
    without, share = plain.render(np.ones(1)), plain.hole_mask(np.ones(1))
    mended = Renderer(photo, modes, "cpu", refine=True).render(np.ones(1))
    changed = (mended != without).any(-1)
    near = cv2.distanceTransform((share == 0).astype(np.uint8), cv2.DIST_L2, 5) < RIM + 1  # a pixel for the kernel
    assert share.any() and changed[share > 0.5].all()
    assert not changed[~near].any()
    assert mended.dtype == photo.dtype and np.isfinite(mended).all()


def test_at_rest_the_refined_frame_is_the_photo(eager_refiner):
    photo, modes = moved_disc()
    assert np.array_equal(Renderer(photo, modes, "cpu", refine=True).render(np.zeros(1)), photo)


def test_refined_frames_have_the_same_bits_in_any_order_and_on_any_number_of_threads(eager_refiner):
    photo, modes = moved_disc()
    renderer = Renderer(photo, modes, "cpu", refine=True)
    first = renderer.render(np.ones(1))
    renderer.render(np.full(1, -0.5))
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert np.array_equal(renderer.render(np.ones(1)), first)
    finally:
        torch.set_num_threads(threads)


def test_tiles_leave_no_seams(eager_refiner):
    """The bias alone, told by every tile, comes out as one even correction on a grid of many tiles."""
    torch.nn.init.zeros_(eager_refiner.leave.weight)
    height, width = 250, 310
    share = np.zeros((height, width), np.float32)
    share[20:230, 30:300] = 1
    flow = np.zeros((2, height, width), np.float32)
    colour = np.full((height, width, 3), 0.5, np.float32)
    mend = refiner.Refiner(eager_refiner, torch.device("cpu"))
    correction = mend(colour, colour, (*flow, share))
    assert np.allclose(correction[20:230, 30:300], 0.2, atol=1e-4)
    assert mend(colour, colour, (*flow, np.zeros_like(share))) is None


def test_refined_and_plain_frames_have_different_keys():
    photo, modes = moved_disc()
    keys = {Renderer(photo, modes, "cpu", refine=r).frame_key(np.ones(1)) for r in (False, True)}
    keys.add(PyramidRenderer(photo, modes, "cpu").frame_key(np.ones(1)))
    assert len(keys) == 3


@pytest.mark.parametrize("name", ["refiner", "pyramid"])
def test_shipped_weights_load_and_a_changed_file_is_refused(name, tmp_path):
    network = {"refiner": RefinerNet, "pyramid": PyramidNet}[name]()
    weights.load_recorded(refiner.FOLDER, {name: network})
    assert sum(p.numel() for p in network.parameters()) <= {"refiner": 1e6, "pyramid": 3e6}[name]
    for file in refiner.FOLDER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / f"{name}.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(GidError, match="damaged"):
        weights.load_recorded(tmp_path, {name: network})


def test_the_pyramid_keeps_the_photo_at_rest_and_moves_it():
    photo, modes = moved_disc()
    renderer = PyramidRenderer(photo, modes, "cpu")
    assert np.array_equal(renderer.render(np.zeros(1)), photo)
    frame = renderer.render(np.ones(1))
    assert frame.shape == photo.shape and frame.dtype == photo.dtype
    moving = (np.abs(renderer.displacement(np.ones(1))) * PHOTO_SIZE[0] > 1e-3).any(-1)
    far = cv2.dilate(moving.astype(np.uint8), np.ones((25, 25))) == 0  # 8 px of motion and the outline
    assert far.any() and np.array_equal(frame[far], photo[far])
    # The disc's right edge was at x = 100 and is at 108.
    assert frame[64, 104].astype(int)[0] > 150 > photo[64, 104][0]


@pytest.mark.parametrize("part", ["refiner", "pyramid"])
def test_a_network_learns_from_pairs_and_survives_its_file(part, tmp_path):
    """A frame that is a fifth too bright is a correction to learn: fifteen steps learn some of it,
    and a half-precision file gives the network back."""
    write_pairs(tmp_path / "pairs", Material(), [], 1, seed=5)
    pool, rng = PairPool(tmp_path / "pairs"), np.random.default_rng(0)
    torch.manual_seed(0)
    if part == "refiner":
        model, loss, names = RefinerNet(), refiner_loss, ("seen", "frame")
    else:
        model, loss, names = PyramidNet(), pyramid_loss, ("photo", "displacement", "motion", "frame")
    crops = pool.crops(rng, 2, 64, names)
    crops[-1] = crops[-1] + 0.2
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for _ in range(15):
        value = loss(model, None, *crops)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(float(value.detach()))
    assert losses[-1] < 0.9 * losses[0]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    weights.save_part(tmp_path / "net.safetensors", model.state_dict(), {}, half=True)
    again = type(model)()
    again.load_state_dict(weights.load_part(tmp_path / "net.safetensors")[0])
    with torch.inference_mode():
        assert float(loss(again, None, *crops)) == pytest.approx(float(loss(model, None, *crops)), rel=0.02)


def test_pairs_are_true(tmp_path):
    """Where the photo shows what the frame shows, reading it along the exact motion gives the frame back."""
    rng = np.random.default_rng(5)
    scene = drawn_scene(rng, SIZE)
    q = coordinates(rng, scene.front, farthest=0.05)
    still = scene.pair(np.zeros_like(q))
    assert np.array_equal(still.photo, still.frame) and not still.hole.any()
    pair = scene.pair(q)
    plain = Renderer(pair.photo, pair.modes, "cpu", refine=False).render(q)
    inner = np.s_[12:-12, 12:-12]  # the renderer pins the border

    def error(picture: np.ndarray) -> float:
        difference = picture.astype(float)[inner] - pair.frame[inner]
        return float(np.square(difference[~pair.hole[inner]]).mean())

    assert pair.hole.any()
    assert error(plain) < 0.35 * error(pair.photo)  # 0.23; a wrong sign or axis makes it 1 and more


def test_perceptual_distance_tells_blur_from_nothing():
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.random((16, 16, 3)).astype(np.float32), (64, 64), interpolation=cv2.INTER_NEAREST)
    pictures = [torch.from_numpy(np.moveaxis(p, 2, 0)[None]) for p in (picture, cv2.blur(picture, (5, 5)))]
    distance = PerceptualDistance.load()
    with torch.inference_mode():
        assert float(distance(pictures[0], pictures[0]).max()) == pytest.approx(0, abs=1e-5)
        assert float(distance(*pictures).mean()) > 0.05


def test_weights_are_small():
    assert sum(file.stat().st_size for file in Path(refiner.FOLDER).iterdir()) < 20e6
