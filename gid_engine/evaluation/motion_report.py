"""The figures of motion_quality.py as a page, beside those that papers print."""

from __future__ import annotations

from . import plots
from .loops import DISTANCES
from .motion_quality import REAL, Result
from .page import Page, interval, number

# Generative Image Dynamics (arXiv 2309.07906), tables 1 and 2: FID, KID×100, FVD16, FVD32, DT-FVD16, DT-FVD32.
PRINTED = {
    "TATS": (65.8, 1.67, 265.6, 419.6, 22.6, 40.7),
    "Stochastic-I2V": (68.3, 3.12, 253.5, 320.9, 16.7, 41.7),
    "MCVD": (63.4, 2.97, 208.6, 270.4, 19.5, 53.9),
    "LFDM": (47.6, 1.70, 187.5, 254.3, 13.0, 45.6),
    "DMVFN": (37.9, 1.09, 206.5, 316.3, 11.2, 54.5),
    "Endo et al.": (10.4, 0.19, 166.0, 231.6, 5.35, 65.1),
    "Holynski et al.": (11.2, 0.20, 179.0, 253.7, 7.23, 46.8),
    "Generative Image Dynamics": (4.03, 0.08, 47.1, 62.9, 2.53, 6.75),
    "static (repeat I₀)": (None, None, 237.5, 316.7, 5.30, 45.6),
}
PRINTED_COLUMNS = ("FID", "KID×100", "FVD16", "FVD32", "DT-FVD16", "DT-FVD32")
MOTION = (
    "amplitude correlation",
    "static leak",
    "spectral distance",
    "coherence distance",
    "seam speed",
    "seam acceleration",
)
# One look a way in all plots: baselines broken, ours bold.
STYLES = {
    REAL: {"color": "black"},
    "static": {"color": "grey", "linestyle": ":"},
    "ground-truth motion": {"color": "tab:green"},
    "OpenCV-warped": {"color": "tab:red", "linestyle": "--"},
    "shuffled photo's motion": {"color": "tab:purple", "linestyle": "-."},
    "ours": {"color": "tab:blue", "linewidth": 2.5},
}
NO_PLOTS = 'Plots and x–t slices need matplotlib, which is not installed: pip install "blender-gid[evaluate]".'


def report(result: Result) -> Page:
    figures = result.figures
    page = Page("Motion from a photo, measured")
    page.text(
        f"Every way starts from the first frame of a clip. Prior {figures['prior']}. Intervals are 95 %, "
        "bootstrapped over the sources of the clips. Features: the shipped image encoder (FID, KID) and the "
        "shipped critic (FVD), or the networks that were named; figures of different networks cannot be compared."
    )
    page.text(
        "Ways: the first frame again and again (static); the clip's own motion by optical flow, played by our "
        "renderer (ground-truth motion) or by reading the photo at p − F (OpenCV-warped); what the prior says of "
        "another photo (shuffled) and of this one (ours)."
    )
    if not plots.available():
        page.text(NO_PLOTS)
    for name in figures["motion"]:
        _set(page, name, figures)
    _truth(page, figures["best of 8"])
    if figures["seams"]:
        _seams(page, figures["seams"])
    _printed(page)
    if plots.available():
        for name, films in result.films.items():
            if films:
                page.heading(f"x–t slices, {name}")
                page.picture(
                    f"slices_{_file(name)}.jpg", "Lines of pixels over time, time downwards", _slices(films)
                )
    return page


def _set(page: Page, name: str, figures: dict) -> None:
    page.heading(f"{name.capitalize()} ({len(figures['clips'][name])})")
    if name in figures["distances"]:
        table = figures["distances"][name]
        columns = [c for c in next(iter(table.values())) if "±" not in c]
        page.text(
            "Distances to the clips themselves; less is better. The last row, for scale: half of the clips "
            "from the other half."
        )
        page.table(["", *columns], [[way, *(_cell(row, c) for c in columns)] for way, row in table.items()])
    page.text(
        "The motion itself, beside the clip's own by optical flow: correlation of rms maps; rms where the clip "
        "moves by less than 0.1 px (of 512) over rms where it moves; |log E − log E| a band, with what flow can't "
        "tell added to both (0.005 px over the picture); difference of cross-spectral coherences; speed and "
        "acceleration across the loop's seam over their medians; first frame "
        "and photo."
    )
    rows = [
        [way, *(interval(m[c]) for c in MOTION), _rest(m["rest frame psnr"])]
        for way, m in figures["motion"][name].items()
    ]
    page.table(["", *MOTION, "first frame"], rows)
    if plots.available():
        _curves(page, name, figures)
    if name in figures["sliding"]:
        _sliding(page, name, figures["sliding"][name])


def _curves(page: Page, name: str, figures: dict) -> None:
    motion = figures["motion"][name]
    bands = {way: m["spectral distance a band"] for way, m in motion.items() if way != "ground-truth motion"}
    hertz = [k / 5 for k in range(1, 16)]
    page.picture(f"spectrum_{_file(name)}.png", "Distance of log energy, band by band",
                 plots.lines(bands, hertz, ("Hz", "|log E − log E|"), STYLES))  # fmt: skip
    # Nothing of a still picture swings in step, and what is shuffled is ours on the whole.
    coherent = {way: motion[way]["coherence"] for way in ("ground-truth motion", "ours")}
    page.picture(f"coherence_{_file(name)}.png", "How far places swing in step, over their distance",
                 plots.lines(coherent, DISTANCES, ("distance, photo widths", "coherence"), STYLES))  # fmt: skip


def _sliding(page: Page, name: str, slide: dict) -> None:
    page.text(
        "Sliding windows, to the clips as a whole: FID of 30 frames (features of every 15th), FVD of 16. What "
        "decays with time rises."
    )
    columns = ("FID", "FVD16")
    rows = [[way, *(number(s[c][i], 3) for c in columns for i in (0, -1))] for way, s in slide.items()]
    page.table(["", *(f"{c}, {when} window" for c in columns for when in ("first", "last"))], rows)
    if plots.available():
        starts = [8 * i for i in range(max(len(s["FVD16"]) for s in slide.values()))]
        curves = {way: s["FVD16"] for way, s in slide.items()}
        page.picture(f"sliding_{_file(name)}.png", "Sliding FVD of 16 frames",
                     plots.lines(curves, starts, ("frame", "FVD16"), STYLES, log=True))  # fmt: skip


def _truth(page: Page, kinds: dict) -> None:
    page.heading("Scenes whose motion is known")
    page.text("Root-mean-square end-point error over that of a still picture, after the best phase a band.")
    rows = list(dict.fromkeys(row for kind in kinds.values() for row in kind))
    page.table(["", *kinds], [[row, *(interval(kinds[k].get(row)) for k in kinds)] for row in rows])


def _seams(page: Page, seams: dict) -> None:
    page.heading("Loop seams as seen in the video")
    page.text("Over the median of the loop, by optical flow from frame to frame; 1 is a seam that nobody sees.")
    rows = [
        [way, *(number(m[x]) for m in measures.values() for x in ("median", "worst"))]
        for way, measures in seams.items()
    ]
    page.table(["", *(f"{m}, {x}" for m in next(iter(seams.values())) for x in ("median", "worst"))], rows)


def _printed(page: Page) -> None:
    page.heading("As printed in the paper")
    page.text(
        "Generative Image Dynamics, tables 1 and 2: other clips (never released), other feature networks "
        "(Inception, I3D). For the order of the ways only; not comparable with the figures above."
    )
    page.table(["printed, other data", *PRINTED_COLUMNS],
               [[way, *(number(v) for v in values)] for way, values in PRINTED.items()])  # fmt: skip


def _slices(films: list) -> bytes:
    shown = (REAL, "ground-truth motion", "OpenCV-warped", "shuffled photo's motion", "ours")
    return plots.slices([(name, {way: f[way] for way in shown if way in f}) for name, f in films])


def _cell(row: dict, column: str) -> str:
    spread = row.get(f"{column} ±")
    return number(row[column]) + (f" ± {spread:.2f}" if spread is not None else "")


def _rest(value) -> str:
    return value if isinstance(value, str) else f"{value:.1f} dB"


def _file(name: str) -> str:
    return name.replace(" ", "_")
