"""Photos out of packages, cut-outs and still photos: what scenes are made of."""

import hashlib
import io
import json
import tarfile

import cv2
import numpy as np
import pytest

from gid_engine.errors import GidError
from gid_engine.training import dataset, gather
from gid_engine.training.cutouts import Cutout, paste, still_scene


def _webp(value):
    return cv2.imencode(".webp", np.full((40, 40, 3), value, np.uint8))[1].tobytes()


def _deb(path, files):
    """A Debian package: an ar archive with a data.tar.xz."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    body = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\n"), ("data.tar.xz", data.getvalue())):
        body += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}".encode() + b"`\n"
        body += content + b"\n" * (len(content) % 2)
    path.write_bytes(body)


@pytest.fixture
def package(tmp_path, monkeypatch):
    picture, within = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes(), _webp(90)
    digests = {"tree.jpg": hashlib.sha256(picture).hexdigest(), "toad.webp": hashlib.sha256(within).hexdigest()}
    sources = {"packages": {"nature": {"version": "1.0", "licence": "CC0", "pictures": digests}}}
    (tmp_path / "sources.json").write_text(json.dumps(sources))
    monkeypatch.setattr(gather, "SOURCES", tmp_path / "sources.json")
    files = {"usr/tree.jpg": picture, "usr/x.rcc": b"qres" + within + b"tail", "../../evil.jpg": b"evil"}
    _deb(tmp_path / "nature_1.0_all.deb", files)
    return tmp_path


def test_named_pictures_come_out_of_packages_and_nothing_else(package):
    written = gather.gather(package, package / "data")
    assert sorted(p.name for p in written) == ["toad.webp", "tree.jpg"]
    assert sorted(p.name for p in (package / "data").rglob("*") if p.is_file()) == ["toad.webp", "tree.jpg"]


def test_another_version_and_a_damaged_package_are_sentences(package):
    whole = (package / "nature_1.0_all.deb").read_bytes()
    (package / "nature_1.0_all.deb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GidError, match=r"nature_1\.0"):
        gather.gather(package, package / "data")
    _deb(package / "nature_1.0_all.deb", {"usr/other.jpg": b"other"})
    with pytest.raises(GidError, match="lacks 2"):
        gather.gather(package, package / "data")


@pytest.fixture
def back():
    return still_scene(np.random.default_rng(0), np.full((120, 160, 3), 200, np.uint8), 96, 64)


def _disc():
    pixels = np.zeros((50, 50, 4), np.uint8)
    cv2.circle(pixels, (25, 25), 22, (200, 30, 30, 255), -1)
    return pixels


@pytest.mark.parametrize("kind", ["head", "plant", "tree"])
def test_pasted_plants_move_where_they_are_seen(back, kind):
    seen = [paste(np.random.default_rng(i), Cutout(_disc(), kind, 0.7), back) for i in range(8)]
    assert any(s.rms(16, 24).max() > 1e-4 for s in seen)
    for scene in seen:
        red = (scene.photo[..., 0] > scene.photo[..., 1].astype(int) + 40) & (scene.photo[..., 2] < 100)
        moving = np.abs(scene.affine[scene.piece_id]).sum((2, 3, 4)) > 0
        assert moving[cv2.erode(red.astype(np.uint8), np.ones((5, 5))) > 0].all()
        assert not moving[(scene.photo == back.photo).all(-1)].any()


def test_pasted_things_hide_the_motion_behind_them(back):
    rng = np.random.default_rng(3)
    moving = paste(rng, Cutout(np.full((50, 50, 4), 255, np.uint8), "plant", 0.7), back)
    hidden = moving
    for _ in range(30):
        hidden = paste(rng, Cutout(np.full((50, 50, 4), 255, np.uint8), "thing"), hidden)
    assert hidden.rms(16, 24).sum() < 0.5 * moving.rms(16, 24).sum()


def test_the_repository_s_own_list_of_sources_is_whole():
    sources = json.loads(gather.SOURCES.read_text(encoding="utf-8"))
    listed = {f"packages/{p}/{n}" for p, table in sources["packages"].items() for n in table["pictures"]}
    used = set(sources["stills"]) | {c["photo"] for c in sources["cutouts"]}
    annotated = {json.loads(p.read_text())["photo"] for p in dataset.FOLDER.glob("pkg_*.json")}
    assert used | annotated <= listed
