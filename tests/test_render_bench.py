"""`gid bench render` writes figures a person can compare."""

import json

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
