"""Displacement and ST-map files: names, units and signs as Blender and Nuke read them."""

import cv2
import numpy as np
import OpenEXR
import pytest

from gid_engine.media import write_displacement_exr, write_stmap


def channels_of(path) -> dict[str, np.ndarray]:
    return {name: c.pixels for name, c in OpenEXR.File(str(path), separate_channels=True).channels().items()}


def test_displacement_layers_point_up(tmp_path):
    still = np.zeros((20, 30, 2), np.float32)
    right_and_down = still + np.float32([3, 2])
    motion = np.zeros((20, 30, 4), np.float32) + np.float32([1, 2, 3, 4])
    hole = np.zeros((20, 30), np.float32)
    hole[2, 3] = 1
    write_displacement_exr(tmp_path / "é.exr", right_and_down, backward=right_and_down, motion=motion, hole=hole)
    channels = channels_of(tmp_path / "é.exr")
    assert sorted(channels) == sorted(
        [f"Photo.{layer}.{c}" for layer in ("Displacement", "Backward") for c in "XYZ"]
        + [f"Photo.Motion.{c}" for c in "XYZW"]
        + ["Photo.Hole.V"]
    )
    assert {c.dtype for c in channels.values()} == {np.dtype(np.float32)}
    assert [channels[f"Photo.Displacement.{c}"][5, 5] for c in "XYZ"] == [3, -2, 0]
    assert [channels[f"Photo.Motion.{c}"][5, 5] for c in "XYZW"] == [1, -2, 3, -4]
    assert channels["Photo.Hole.V"][2, 3] == 1 and channels["Photo.Hole.V"].sum() == 1


def test_stmap_of_stillness_is_the_identity(tmp_path):
    columns, rows = np.meshgrid(np.arange(30, dtype=np.float32), np.arange(20, dtype=np.float32))
    write_stmap(tmp_path / "a.exr", np.stack([columns, rows], -1))
    channels = channels_of(tmp_path / "a.exr")
    assert sorted(channels) == ["B", "G", "R"] and (channels["B"] == 1).all()
    assert channels["R"][0, 0] == np.float32(0.5 / 30) and channels["R"][7, 29] == np.float32(29.5 / 30)
    assert channels["G"][0, 0] == np.float32(1 - 0.5 / 20) and channels["G"][19, 3] == np.float32(0.5 / 20)


def test_an_stmap_reproduces_the_warp(tmp_path):
    """Sampling a picture by the file as a compositor does gives what sampling by the source gives."""
    rng = np.random.default_rng(0)
    photo = cv2.GaussianBlur(rng.random((40, 60, 3)).astype(np.float32), (0, 0), 2)
    columns, rows = np.meshgrid(np.arange(60, dtype=np.float32), np.arange(40, dtype=np.float32))
    source = np.stack([columns - 2.5 * np.sin(rows / 9), rows + 1.5 * np.cos(columns / 7)], -1).clip(1, 38)
    write_stmap(tmp_path / "a.exr", source)
    channels = channels_of(tmp_path / "a.exr")
    x, y = channels["R"] * 60 - 0.5, (1 - channels["G"]) * 40 - 0.5
    direct = cv2.remap(photo, source[..., 0].copy(), source[..., 1].copy(), cv2.INTER_LINEAR)
    by_file = cv2.remap(photo, x, y, cv2.INTER_LINEAR)
    # float32 UV of 60 px: 4e-6 px; cv2.remap counts in 1/32 px, so that a last bit can move one step.
    assert np.abs(by_file - direct).mean() < 1e-4
    assert np.abs(direct - photo).mean() > 1e-2


@pytest.mark.parametrize("dtype", [np.float64, np.int32])
def test_other_number_types_are_written_as_float(tmp_path, dtype):
    write_displacement_exr(tmp_path / "a.exr", np.ones((20, 20, 2), dtype))
    assert channels_of(tmp_path / "a.exr")["Photo.Displacement.X"].dtype == np.float32
