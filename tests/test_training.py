"""Training: targets, shards, and loops that learn, resume and ship."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from gid_engine.errors import GidError
from gid_engine.prior.denoiser import CONDITION, Denoiser, UNet
from gid_engine.prior.encoder import ImageEncoder
from gid_engine.prior.shape import CHANNELS, channels_to_volume
from gid_engine.prior.weights import load_part
from gid_engine.training import dataset, train
from gid_engine.training.annotated import FOLDER, annotated_scene, cutout_scene, prepare, read_annotation
from gid_engine.training.simulate import FREQUENCY_HZ, Scene, Sway, hinge, shift


def flower_photo() -> np.ndarray:
    photo = np.full((150, 240, 3), (90, 120, 200), np.uint8)
    cv2.line(photo, (120, 149), (120, 60), (40, 120, 40), 4)
    cv2.circle(photo, (120, 50), 28, (220, 60, 80), -1)
    return photo


FLOWER = {
    "photo": "flower.png",
    "size": [240, 150],
    "objects": [
        {"name": "head", "class": "flower", "polygon": [[0.5 + 0.12 * np.cos(a), 1 / 3 + 0.19 * np.sin(a)]
         for a in np.linspace(0, 6, 20)], "root": [[0.5, 1.0]], "coherence": "piece", "amplitude": 0.8,
         "stiffness": 0.4, "blur": 0, "layer": 2},
        {"name": "stem", "class": "flower", "polygon": [[0.48, 0.4], [0.52, 0.4], [0.52, 1], [0.48, 1]],
         "root": [[0.5, 1.0]], "coherence": "piece", "amplitude": 0.6, "stiffness": 0.4, "blur": 0, "layer": 1},
        {"name": "grass", "class": "grass", "polygon": [[0, 0.8], [0.4, 0.8], [0.4, 1], [0, 1]],
         "root": [[0, 1], [0.4, 1]], "coherence": "mass", "amplitude": 0.5, "stiffness": 0.7, "blur": 0,
         "layer": 0},
    ],
}  # fmt: skip


@pytest.fixture
def flower(tmp_path):
    (tmp_path / "flower.json").write_text(json.dumps(FLOWER))
    _, objects = read_annotation(tmp_path / "flower.json")
    return prepare(flower_photo(), objects, "flower")


def test_hinge_and_shift_move_as_their_names_say():
    angle = np.full(15, 0.1 + 0j)
    at = hinge(np.array([0.5, 0.4]), angle)[0].real @ [
        0.5,
        0.2,
        1,
    ]  # above the pivot, turned clockwise: to the right
    np.testing.assert_allclose(at, [0.02, 0], atol=1e-7)
    np.testing.assert_allclose(shift(np.ones((15, 2)))[3] @ [0.3, 0.1, 1], [1, 1])


def test_wind_is_of_unit_rms_and_coherent_in_space():
    sway = Sway(np.random.default_rng(0))
    near = [sway.oscillation(np.array([0.3, 0.3]) + d, 0.5) for d in (0, 0.005, 0.5)]
    assert np.sum(np.abs(near[0]) ** 2) / 2 == pytest.approx(1)

    def alike(a, b):
        return abs(np.vdot(a, b)) / np.linalg.norm(a) / np.linalg.norm(b)

    assert alike(near[0], near[1]) > 0.95 > alike(near[0], near[2])


def test_stiff_things_tremble_faster():
    sway = Sway(np.random.default_rng(0))

    def mean_frequency(stiffness):
        power = sum(np.abs(sway.oscillation(p, stiffness)) ** 2 for p in np.random.default_rng(1).random((40, 2)))
        return (power * FREQUENCY_HZ).sum() / power.sum()

    assert mean_frequency(0.9) > 1.5 * mean_frequency(0.1)


def test_scene_modes_are_the_pieces_motion():
    piece_id = np.zeros((16, 16), np.int16)
    piece_id[4:12, 4:12] = 1
    affine = np.stack([shift(np.zeros((15, 2))), hinge(np.array([0.5, 1.0]), np.full(15, 0.1 + 0.05j))])
    scene = Scene(np.zeros((16, 16, 3), np.uint8), piece_id, affine)
    modes, rms = scene.modes(16, 16), scene.rms(16, 16)
    x, y = (6 + 0.5) / 16, (5 + 0.5) / 16
    np.testing.assert_allclose(modes[:, :, 5, 6], affine[1] @ [x, y, 1], rtol=1e-5)
    assert not modes[..., :4].any() and not rms[:, :4].any()
    np.testing.assert_allclose(rms, np.sqrt((np.abs(modes) ** 2).sum((0, 1)) / 2), atol=1e-6)


def test_annotated_photo_moves_where_it_was_drawn(flower):
    scene = annotated_scene(np.random.default_rng(0), flower, 240, 150, augment=False)
    rms = scene.rms(150, 240)
    assert rms[40:60, 110:130].min() > 1e-3  # the head
    assert rms[20:100, :60].max() == 0 and rms[10:100, 200:].max() == 0  # the sky
    assert rms[125:, 10:80].mean() > 2e-4  # the grass
    # head and stem are one lever about one root: the head's middle goes about twice as far as the stem's
    assert rms[50, 120] / rms[100, 120] == pytest.approx(2, rel=0.35)


def test_scenes_are_reproducible_and_augmented(flower):
    first, again, other = (annotated_scene(np.random.default_rng(s), flower, 96, 64) for s in (1, 1, 2))
    assert np.array_equal(first.photo, again.photo) and np.array_equal(first.affine, again.affine)
    assert not np.array_equal(first.photo, other.photo)


def test_cutout_keeps_both_motions(flower):
    rng = np.random.default_rng(5)
    front, back = (annotated_scene(rng, flower, 96, 64) for _ in range(2))
    scene = cutout_scene(rng, front, back)
    moving = front.piece_id > 0
    np.testing.assert_allclose(scene.modes(64, 96)[:, :, moving], front.modes(64, 96)[:, :, moving], atol=1e-7)


@pytest.mark.parametrize("change", [{"amplitude": 3}, {"root": []}, {"polygon": [[0, 0]]}, {"coherence": "gas"}])
def test_bad_annotation_is_a_sentence(tmp_path, change):
    table = {**FLOWER, "objects": [{**FLOWER["objects"][0], **change}]}
    (tmp_path / "bad.json").write_text(json.dumps(table))
    with pytest.raises(GidError, match=r"bad\.json"):
        read_annotation(tmp_path / "bad.json")


def test_every_annotation_can_be_read():
    paths = sorted(FOLDER.glob("*.json"))
    assert len(paths) >= 40
    for path in paths:
        read_annotation(path)
    assert dataset.held_out() & {p.stem for p in paths}


def test_axis_and_hold_of_a_pendulum():
    """A disc hung from (0.5, 0.1) swings: it moves level, it is held there, and nothing else moves."""
    piece_id = np.zeros((64, 96), np.int16)
    cv2.circle(piece_id.view(np.uint16), (48, 40), 8, 1, -1)
    pivot = np.array([0.5, 0.1])
    affine = np.stack([np.zeros((15, 2, 3)), hinge(pivot, np.full(15, 0.02 + 0.01j))]).astype(np.complex64)
    scene = Scene(np.zeros((64, 96, 3), np.uint8), piece_id, affine)
    cos, sin = scene.axis(16, 24)[:, 10, 12]
    assert cos > 0.9 and abs(sin) < 0.2
    # The least motion is at the pivot; the pull towards the piece draws it a little from there.
    assert np.abs(scene.places()[1] - pivot).max() < 0.12
    given = replace(scene, place=np.float32([[0, 0], pivot]))
    np.testing.assert_allclose(given.held(16, 24)[:, 10, 12], pivot - [12.5 / 24, 10.5 / 24], atol=1e-3)
    assert not given.held(16, 24)[:, 0].any() and not given.axis(16, 24)[:, 0].any()


def test_axis_of_level_upright_and_circular_motion():
    piece_id = np.repeat(np.arange(4, dtype=np.int16), 16)[None].repeat(64, 0)
    offsets = [[0, 0], [1, 0], [0, 1], [1, 1j]]
    affine = np.stack([shift(np.tile(o, (15, 1))) for o in offsets]).astype(np.complex64)
    axis = Scene(np.zeros((64, 64, 3), np.uint8), piece_id, affine).axis(4, 4)[:, 2]
    np.testing.assert_allclose(axis, [[0, 1, -1, 0], [0, 0, 0, 0]], atol=0.05)


def test_nothing_moves_in_an_empty_annotation(flower):
    scene = annotated_scene(np.random.default_rng(0), replace(flower, objects=(), masks=flower.masks[:0]), 96, 64)
    assert not scene.rms(16, 24).any()


@pytest.fixture
def shards(tmp_path, flower, monkeypatch):
    monkeypatch.setattr(dataset, "SIZES", ((64, 64), (64, 64)))
    monkeypatch.setattr(dataset, "SHARD", 12)
    torch.manual_seed(0)
    dataset.write_shards(tmp_path / "shards", ImageEncoder(), dataset.Material([flower]), 2, seed=0)
    return tmp_path / "shards"


def test_shards_hold_what_the_networks_need_and_are_kept(shards, flower):
    pool = dataset.ShardPool(shards)
    maps, target = pool.batch(np.random.default_rng(0), 5)
    amplitude, shape = target["amplitude"], target["shape"]
    assert [tuple(m.shape[1:]) for m in maps] == [(24, 16, 16), (48, 16, 16), (64, 8, 8), (48, 4, 4)]
    assert amplitude.shape == (5, 1, 16, 16) and shape.shape == (5, 60, 8, 8)
    assert target["manner"].shape == (5, 4, 16, 16)
    assert 0 <= amplitude.min() and amplitude.max() <= 1
    volume = channels_to_volume(shape[0].numpy())
    assert np.sqrt((np.abs(volume) ** 2).sum((0, 1)) / 2).max() <= 1.01  # a shape is a motion over its own rms
    before = {p: p.stat().st_mtime_ns for p in shards.iterdir()}
    dataset.write_shards(shards, ImageEncoder(), dataset.Material([flower]), 2, seed=0)
    assert before == {p: p.stat().st_mtime_ns for p in shards.iterdir()}


def test_head_training_learns_and_resumes(shards, tmp_path):
    run = train.train_head(shards, tmp_path / "run", minutes=0.15, batch=8)
    quarter = len(run.losses) // 4
    assert np.mean(run.losses[-quarter:]) < 0.9 * np.mean(run.losses[:quarter])  # it overfits 24 pictures
    again = train.train_head(shards, tmp_path / "run", minutes=0.002, batch=8)
    assert again.step > run.step
    tensors, facts = load_part(tmp_path / "run" / "head.safetensors")
    assert int(facts["step"]) == again.step and tensors


def test_denoiser_training_runs_and_resumes(shards, tmp_path):
    run = train.train_denoiser(shards, tmp_path / "run", minutes=0.01, batch=4)
    again = train.train_denoiser(shards, tmp_path / "run", minutes=0.01, batch=4)
    assert again.step > run.step > 0 and np.isfinite(again.losses).all()
    assert torch.equal(again.model.scale, run.model.scale)


def test_denoiser_learns_what_the_photo_tells():
    """A small one, shown fields that the condition gives away: their loss falls below that of knowing nothing."""
    torch.manual_seed(0)
    denoiser = Denoiser(UNet(CHANNELS, width=16, widths=(1, 1, 1), blocks=1), sigma_data=1.0)
    condition = torch.randn(8, CONDITION, 8, 8)
    clean = condition[:, :1].expand(-1, CHANNELS, -1, -1).contiguous()
    optimiser = torch.optim.Adam(denoiser.parameters(), lr=3e-3)
    losses = []
    for _ in range(150):
        loss = train.edm_loss(denoiser, clean, condition, torch.ones(1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-20:]) < 0.7 * np.mean(losses[:5])
