"""Figures as Markdown."""

from __future__ import annotations

MEASURES = ("psnr all", "psnr holes", "psnr rest", "ssim all", "ssim holes", "perceptual all", "perceptual holes")


def render_report(figures: dict) -> str:
    """The figures of render_quality.measure as Markdown tables."""
    lines = [
        "# Rendered frames beside the truth",
        "",
        "Means and 95 % intervals, bootstrapped over scenes or clips. PSNR in dB; perceptual: distance of VGG-16 ",
        "features (conv1_2, conv2_2, conv3_3), × 1000, less is better. Holes: what the photo does not show.",
    ]
    for kind, ways in figures["truth"].items():
        lines += [
            "",
            f"## {kind.capitalize()} ({ways['pairs']} frames)",
            "",
            _row("", *MEASURES),
            _rule(len(MEASURES)),
        ]
        for way in figures["sharp_edge_db"]:
            lines.append(_row(way, *(_cell(ways[way][m], 1000 if "perceptual" in m else 1) for m in MEASURES)))
        lines += [
            "",
            _row("gain in dB", *(columns := list(next(iter(figures["gain"][kind].values()))))),
            _rule(len(columns)),
        ]
        for way, gains in figures["gain"][kind].items():
            lines.append(_row(way, *(_cell(gains[c], 1) for c in columns)))
    lines += ["", "## Sharp edge, 4.6 px of motion", "", _row("", "PSNR, dB"), _rule(1)]
    lines += [_row(way, f"{value:.2f}") for way, value in figures["sharp_edge_db"].items()]
    return "\n".join(lines) + "\n"


def _cell(interval: dict, scale: float) -> str:
    if interval["mean"] is None:
        return "–"
    mean, low, high = (scale * interval[key] for key in ("mean", "low", "high"))
    digits = 3 if high < 1.5 and scale == 1 and low > 0 else 2
    return f"{mean:.{digits}f} ({low:.{digits}f} … {high:.{digits}f})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return _row(*["---"] * (columns + 1))
