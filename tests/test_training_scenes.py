"""Procedural scenes: what training may rely on."""

import cv2
import numpy as np
import pytest

from gid_engine.training import scenes
from gid_engine.training.scenes import KINDS, contact_sheet, main, random_kind, random_scene
from gid_engine.training.simulate import BANDS


def draw(kind, seed=0, **size):
    return random_scene(np.random.default_rng([7, seed]), kind=kind, **size)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_draws_a_picture_that_moves(kind):
    scene = draw(kind)
    assert scene.photo.shape == (160, 256, 3) and scene.photo.dtype == np.uint8
    assert scene.piece_id.shape == (160, 256) and scene.piece_id.dtype == np.int16
    assert scene.affine.shape[1:] == (BANDS, 2, 3) and scene.affine.dtype == np.complex64
    assert 0 <= scene.piece_id.min() and scene.piece_id.max() < len(scene.affine)
    assert np.isfinite(scene.affine).all()
    # A picture and not a flat field: even a candle in the dark spreads over more than a few grey levels.
    assert scene.photo.std() > 4
    assert (scene.piece_id > 0).any() and (scene.piece_id == 0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_liveliest_tips_reach_the_amplitude_of_real_clips(kind):
    scene = draw(kind, seed=3)
    rms = scene.rms(160, 256)[scene.piece_id > 0]
    low, high = scenes.AMPLITUDE
    # The scale is set on a sample of the moving pixels, so their 99th percentile may miss it by a little.
    assert 0.9 * low < np.percentile(rms, 99) < 1.1 * high


@pytest.mark.parametrize("kind", [*KINDS, "static"])
def test_what_is_still_has_no_motion(kind):
    scene = draw(kind, seed=1)
    assert not scene.affine[0].any()
    assert not scene.rms(160, 256)[scene.piece_id == 0].any()
    assert kind != "static" or not scene.modes(40, 64).any()


def test_a_seed_decides_the_scene():
    first, again, other = draw(None, 5), draw(None, 5), draw(None, 6)
    assert np.array_equal(first.photo, again.photo)
    assert np.array_equal(first.piece_id, again.piece_id)
    assert np.array_equal(first.affine, again.affine)
    assert not np.array_equal(first.photo, other.photo)


def test_kinds_come_as_often_as_the_constants_say():
    rng = np.random.default_rng(0)
    drawn = [random_kind(rng) for _ in range(3000)]
    assert set(drawn) == {*KINDS, "static"}
    # One standard deviation of the share is 0.5 % at 3,000 draws.
    assert abs(drawn.count("static") / 3000 - scenes.STATIC_SHARE) < 0.02


def test_energy_falls_with_frequency():
    energy = sum((np.abs(draw("close_up", seed).modes(10, 16)) ** 2).sum((1, 2, 3)) for seed in range(4))
    energy += sum((np.abs(draw("tree", seed).modes(10, 16)) ** 2).sum((1, 2, 3)) for seed in range(4))
    # Real plants lose a factor of 36 in energy from 0.2 to 3 Hz; thirds of the bands even out single resonances.
    slow, middle, fast = energy.reshape(3, 5).sum(1)
    assert slow > middle > fast


def test_other_sizes_and_upright_photos_draw():
    for width, height in ((512, 288), (160, 256)):
        scene = draw("close_up", width=width, height=height)
        assert scene.photo.shape == (height, width, 3)
        assert scene.piece_id.shape == (height, width)


def test_a_flower_head_moves_as_one():
    scene = draw("close_up", seed=2)
    modes, moving = scene.modes(160, 256), scene.piece_id > 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats(moving.astype(np.uint8))
    biggest = labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])
    upper = biggest & (np.arange(160)[:, None] < np.median(np.nonzero(biggest)[0]))
    flow = modes[0][:, upper]
    # Petals add a tremble of their own, but most of the motion is the head's.
    assert np.abs(flow.mean(1)).max() > 0.7 * np.abs(flow).mean(1).max()


def test_still_photo_regions_serve_as_backgrounds():
    marked = np.zeros((200, 300, 3), np.uint8)
    marked[..., 0] = 255
    drawn = [
        random_scene(np.random.default_rng(seed), 128, 80, still=[marked], kind="hanging") for seed in range(12)
    ]
    red = [s.photo[s.piece_id == 0].mean(0) @ [1, -1, -1] > 100 for s in drawn]
    assert 0 < sum(red) < len(red)


def test_contact_sheet_is_written(tmp_path):
    main([str(tmp_path / "sheet.png"), "--count", "3"])
    # Four columns of photo and motion map, the last left black.
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (160, 4 * 2 * 256, 3)
    assert not contact_sheet(3)[:, 3 * 512 :].any()
