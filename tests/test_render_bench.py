"""`gid bench` writes figures a person can compare."""

import json
from pathlib import Path

from gid_engine import bench, cli


def test_bench_writes_every_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "SIZES", ((96, 64),))
    monkeypatch.setattr(bench, "ROUNDS", 1)
    target = tmp_path / "figures.json"
    assert cli.main(["bench", "render", "--json", str(target)]) == 0
    report = json.loads(target.read_text(encoding="utf-8"))
    assert [row["scene"] for row in report["render"]] == ["crown", "branch"]
    for row in report["render"]:
        assert set(row["fps"]) == {"render", "static copy", "remap by -F", "average splat"}
        assert min(row["fps"].values()) > 0 and row["time_ratio_to_render"]["render"] == 1
    assert "96 × 64, crown" in capsys.readouterr().out


def test_bench_tells_how_observe_fares_beside_plain_flow(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "CLIP", (160, 96))
    monkeypatch.setattr(bench, "CLIP_ROUNDS", 1)
    monkeypatch.setattr(bench, "MOTIONS_PX", (1.5,))
    target, photo = tmp_path / "figures.json", Path(__file__).parents[1] / "examples" / "aster.jpg"
    assert cli.main(["bench", "observe", "--photo", str(photo), "--json", str(target)]) == 0
    (row,) = json.loads(target.read_text(encoding="utf-8"))["observe"]
    assert row["time_ratio_to_plain_flow"] > 0 and set(row["seconds"]) == {"observe", "plain flow"}
    for errors in row["errors"].values():
        assert errors["error"] < 1 and len(errors["bands"]) == bench.BANDS  # 1: no better than stillness
    assert "plain flow" in capsys.readouterr().out
