"""gid evaluate render: figures that can be trusted."""

import json

import numpy as np
import pytest

from gid_engine.cli import main
from gid_engine.evaluation import render_quality
from gid_engine.evaluation.interval import bootstrap
from gid_engine.evaluation.render_quality import psnr, sharp_edge, ssim_map


def test_sharp_edge_reaches_its_target_and_the_short_cut_does_not():
    """46 dB at 4 px is what softmax-splatted flow reaches; reading at p − F(p) stays ten below."""
    pair = sharp_edge()
    rest = ~pair.hole
    ours = psnr(render_quality.plain(pair), pair.frame, rest)
    assert ours >= 46
    assert psnr(render_quality.remap(pair), pair.frame, rest) < ours - 10
    assert psnr(render_quality.softmax_splatting(pair), pair.frame, rest) < ours


def test_measures_on_known_pictures():
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    where = np.ones((40, 60), bool)
    assert psnr(picture, picture, where) > 80
    off = np.where(picture < 128, picture + 10, picture - 10).astype(np.uint8)
    assert psnr(off, picture, where) == pytest.approx(20 * np.log10(25.5), abs=1e-6)
    assert ssim_map(picture, picture).mean() == pytest.approx(1, abs=1e-4)
    assert ssim_map(picture, picture[::-1]).mean() < 0.2


def test_intervals_count_a_clip_once():
    values = bootstrap(["a"] * 9 + ["b"], [1.0] * 9 + [3.0])
    assert values["mean"] == 2 and values["low"] == 1 and values["high"] == 3
    assert bootstrap(["a"], [float("nan")])["mean"] is None


def test_the_report_has_every_way_and_the_json_its_figures(tmp_path, monkeypatch):
    """On small scenes, which need no files."""
    monkeypatch.setattr(render_quality, "SIZE", (128, 80))
    figures, out = tmp_path / "figures.json", tmp_path / "report"
    assert main(["evaluate", "render", "--count", "2", "--json", str(figures), "--out", str(out)]) == 0
    told = json.loads(figures.read_text())
    assert list(told["truth"]) == ["drawn scenes"] and told["truth"]["drawn scenes"]["pairs"] == 2
    report = (out / "render.md").read_text()
    for way in render_quality.WAYS:
        assert way in report
        assert told["truth"]["drawn scenes"][way]["psnr all"]["mean"] > 10
    ours, copied = (
        told["truth"]["drawn scenes"][way]["psnr all"]["mean"] for way in ("ours, no refiner", "static")
    )
    assert ours > copied
