"""Procedural photos with exactly known motion: plants, grass, hanging things and flames before still surroundings.

A scene is painted back to front at twice its size. Whatever can move is a *piece*, and every piece carries one
affine motion per frequency, so a branch inherits the swing of its parent by adding the two (small angles). All
positions are in photo widths, x to the right and y down.
"""

import argparse
import colorsys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from .simulate import BANDS, Scene, Sway, hinge

SUPERSAMPLING = 2
# Share of scenes in which nothing moves: the network has to learn that a photo of rocks stays still.
STATIC_SHARE = 0.07
# Rms displacement of the liveliest tips in photo widths, as measured on real clips of plants.
AMPLITUDE = (0.003, 0.02)
# Only so many pixels are asked when the amplitude of a scene is measured.
_PROBES = 1500
# Shapes smaller than this (in painted pixels) get one flat colour: shading would not be seen.
_SHADED_FROM = 14


class Canvas:
    """A picture under construction: colours, piece ids and the motion of each piece.

    Attributes: ``photo`` float32 [h, w, 3] RGB in 0..1 (painted size), ``piece`` int16 [h, w], ``height`` of the
    picture in photo widths, ``sway`` the wind that blows in it, ``light`` unit vector towards the sun.
    """

    def __init__(self, rng, width, height, still=None):
        self.rng = rng
        self.w, self.h = width * SUPERSAMPLING, height * SUPERSAMPLING
        self.height = height / width
        self.photo = np.zeros((self.h, self.w, 3), np.float32)
        self.piece = np.zeros((self.h, self.w), np.int16)
        self.affine = [np.zeros((BANDS, 2, 3), np.complex64)]
        self.sway = Sway(rng)
        # Small or wiry plants answer faster than tall ones: added to every stiffness.
        self.pace = rng.uniform(-0.1, 0.28)
        self.still = still
        angle = rng.uniform(-2.6, -0.5)
        self.light = np.array([np.cos(angle), np.sin(angle)])

    def add(self, affine):
        """Register a piece that moves by `affine` [15, 2, 3] and return its id."""
        self.affine.append(np.asarray(affine, np.complex64))
        return len(self.affine) - 1

    def swing(self, pivot, tip, stiffness, amount=1.0, own=0.0):
        """Rotation about `pivot` that moves `tip` by `amount` (before the scene is scaled to its amplitude).

        `own` is the share of the motion that follows no wind but this piece's own restlessness.
        """
        reach = max(float(np.hypot(tip[0] - pivot[0], tip[1] - pivot[1])), 1e-3)
        return hinge(
            pivot, self.sway.oscillation(tip, np.clip(stiffness + self.pace, 0, 1), own) * (amount / reach)
        )

    def nod(self, pivot, tip, stiffness, amount=1.0):
        """Swing towards and away from the camera, seen as a vertical stretch above or below `pivot`."""
        reach = tip[1] - pivot[1]
        stretch = self.sway.oscillation(tip, np.clip(stiffness + self.pace, 0, 1)) * (
            amount / (reach if abs(reach) > 1e-3 else 1e-3)
        )
        affine = np.zeros((BANDS, 2, 3), np.complex64)
        affine[:, 1, 1], affine[:, 1, 2] = stretch, -stretch * pivot[1]
        return affine

    def paint(self, outline, shade, piece=0, origin=(0.0, 0.0), matrix=None):
        """Fill a polygon.

        `outline` [N, 2] in local units maps to the photo by ``origin + matrix @ point``. `shade` is an RGB colour
        or a function of local x and y (arrays [n]) that returns colours [n, 3].
        """
        matrix = np.eye(2) if matrix is None else np.asarray(matrix)
        points = (np.asarray(outline) @ matrix.T + origin) * self.w
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        x0, x1 = max(int(left) - 1, 0), min(int(right) + 2, self.w)
        y0, y1 = max(int(top) - 1, 0), min(int(bottom) + 2, self.h)
        if x1 <= x0 or y1 <= y0:
            return
        fixed = ((points - (x0, y0)) * 16).astype(np.int32)
        photo, ids = self.photo[y0:y1, x0:x1], self.piece[y0:y1, x0:x1]
        if callable(shade) and max(right - left, bottom - top) < _SHADED_FROM:
            shade = shade(np.array([0.55]), np.array([0.0]))[0]
        if callable(shade):
            mask = np.zeros(ids.shape, np.uint8)
            cv2.fillPoly(mask, [fixed], 1, cv2.LINE_8, 4)
            rows, columns = np.nonzero(mask)
            if rows.size == 0:
                return
            position = np.stack([columns + x0 + 0.5, rows + y0 + 0.5], 1) / self.w - origin
            local = position @ np.linalg.inv(matrix).T
            photo[rows, columns] = np.clip(shade(local[:, 0], local[:, 1]), 0, 1)
            ids[rows, columns] = piece
        else:
            colour = tuple(min(max(float(c), 0.0), 1.0) for c in shade)
            cv2.fillPoly(self.photo[y0:y1, x0:x1], [fixed], colour, cv2.LINE_8, 4)
            cv2.fillPoly(self.piece[y0:y1, x0:x1], [fixed], int(piece), cv2.LINE_8, 4)

    def ribbon(self, spine, widths, colour, piece=0):
        """A rounded stalk along `spine` [N, 2] of full widths `widths` (scalar or [N]), lit from the side."""
        spine = np.asarray(spine, float)
        along = np.concatenate([spine[1:2] - spine[:1], spine[2:] - spine[:-2], spine[-1:] - spine[-2:-1]])
        normal = np.stack([-along[:, 1], along[:, 0]], 1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        half = np.broadcast_to(np.asarray(widths, float), len(spine))[:, None] / 2
        side = np.sign(normal @ self.light)[:, None] * normal * half
        layers = (
            ((1.0, 0.0, 0.7), (0.7, 0.25, 1.0), (0.3, 0.4, 1.2)) if half.max() * self.w > 2 else ((1.0, 0.0, 1.0),)
        )
        for size, offset, gain in layers:
            centre, reach = spine + side * offset, normal * half * size
            self.paint(np.concatenate([centre + reach, (centre - reach)[::-1]]), np.asarray(colour) * gain, piece)

    def blur(self, sigma):
        """Put everything painted so far out of focus; `sigma` in photo widths."""
        if sigma * self.w > 0.3:
            self.photo = cv2.GaussianBlur(self.photo, (0, 0), sigma * self.w, borderType=cv2.BORDER_REFLECT)


# ---------------------------------------------------------------------------------------------- colour and noise


def _hsv(rng, hue, saturation, value, spread=0.03):
    """An RGB colour near the given hue (0..1), saturation and value."""
    h = (hue + rng.normal(0, spread * 0.6)) % 1.0
    s, v = np.clip([saturation + rng.normal(0, spread * 2), value + rng.normal(0, spread * 2)], 0.02, 1.0)
    return np.array(colorsys.hsv_to_rgb(h, s, v))


def _green(rng):
    """A foliage colour: mostly green, at times olive, yellow, bluish or autumn red."""
    if rng.random() < 0.12:
        return _hsv(rng, rng.uniform(0.02, 0.13), rng.uniform(0.55, 0.9), rng.uniform(0.35, 0.8))
    return _hsv(rng, rng.uniform(0.19, 0.36), rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.75))


def _petal_colour(rng):
    """A flower colour."""
    hue = rng.choice([0.0, 0.03, 0.08, 0.13, 0.16, 0.6, 0.72, 0.78, 0.85, 0.92, 0.96])
    saturation = rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.3, 0.6), rng.uniform(0.65, 0.98)])
    return _hsv(rng, hue, saturation, rng.uniform(0.65, 1.0))


def _noise(rng, h, w, cells=3, octaves=5, stretch=1.0):
    """Fractal noise float32 [h, w], zero mean and unit deviation; `stretch` > 1 draws it out along x."""
    total = np.zeros((h, w), np.float32)
    for octave in range(octaves):
        rows = max(2, int(cells * 2**octave) + 1)
        columns = max(2, int(cells * 2**octave * w / h / stretch) + 1)
        if rows > h or columns > w:
            break
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        total += cv2.resize(grid, (w, h), interpolation=cv2.INTER_CUBIC) * 0.55**octave
    return (total - total.mean()) / (total.std() + 1e-6)


def _blend(a, b, amount):
    """Linear blend of two colours or images by `amount` [...], 0 giving `a`."""
    amount = np.asarray(amount, np.float32)[..., None]
    return (np.asarray(a, np.float32) * (1 - amount) + np.asarray(b, np.float32) * amount).astype(np.float32)


# ---------------------------------------------------------------------------------------------- still surroundings


def _sky(canvas, horizon=None):
    """Sky with clouds and, below `horizon` (in widths), hills and a ground."""
    rng, h, w = canvas.rng, canvas.h, canvas.w
    top = _hsv(rng, rng.uniform(0.54, 0.63), rng.uniform(0.1, 0.7), rng.uniform(0.5, 0.95))
    low = _hsv(rng, rng.choice([0.58, 0.1, 0.05]), rng.uniform(0.03, 0.3), rng.uniform(0.75, 1.0))
    canvas.photo[:] = _blend(top, low, np.broadcast_to(np.linspace(0, 1, h)[:, None], (h, w)))
    if rng.random() < 0.65:
        cover = np.clip(_noise(rng, h, w, 2, 6, 2.0) * 0.6 + rng.uniform(-0.4, 0.3), 0, 1) * rng.uniform(0.4, 1)
        canvas.photo[:] = _blend(canvas.photo, np.full(3, rng.uniform(0.8, 1.0)), cover)
    if horizon is None:
        return
    for step in range(rng.integers(1, 4)):
        level = horizon + 0.03 * step - 0.04
        x = np.linspace(-0.05, 1.05, 120)
        wave = np.arange(1, 40)
        sines = np.sin(
            2 * np.pi * wave * x[:, None] * 0.7 + rng.uniform(0, 6.28, wave.size)
        ) / wave ** rng.uniform(1.2, 2)
        ridge = level - rng.uniform(0.005, 0.05) * sines.sum(1)
        foot = canvas.height + 0.1
        outline = np.concatenate([np.stack([x, ridge], 1), [[1.05, foot], [-0.05, foot]]])
        colour = _blend(_green(rng), low, 0.55 - 0.22 * step)
        canvas.paint(outline, colour)
    _ground(canvas, horizon + 0.05)


def _ground(canvas, level, colour=None):
    """Grassy, sandy or paved ground from `level` down, its texture drawn out sideways by the perspective."""
    rng = canvas.rng
    top = int(np.clip(level * canvas.w, 0, canvas.h))
    rows = canvas.h - top
    if rows < 4:
        return
    if colour is None:
        earth = _hsv(rng, 0.09, rng.uniform(0.1, 0.4), rng.uniform(0.3, 0.6))
        colour = _green(rng) * 0.9 if rng.random() < 0.6 else earth
    texture = _noise(rng, rows, canvas.w, 6, 5, 3.0) * 0.10 + rng.standard_normal((rows, canvas.w)) * 0.03
    shade = np.linspace(1.1, 0.75, rows)[:, None] * (1 + texture)
    canvas.photo[top:] = np.clip(colour * shade[..., None], 0, 1)
    canvas.piece[top:] = 0


def _wall(canvas):
    """A plastered, bricked, boarded or tiled wall."""
    rng, h, w = canvas.rng, canvas.h, canvas.w
    colour = _hsv(rng, rng.uniform(0.0, 0.16), rng.uniform(0.05, 0.5), rng.uniform(0.35, 0.85))
    relief = 1 + 0.07 * _noise(rng, h, w, 4, 6) + 0.02 * rng.standard_normal((h, w))
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) / w
    style = rng.choice(["plaster", "brick", "boards", "tiles"])
    if style != "plaster":
        row = {"brick": rng.uniform(0.02, 0.06), "boards": 1.0, "tiles": rng.uniform(0.06, 0.15)}[style]
        column = {"brick": row * 2.6, "boards": rng.uniform(0.04, 0.12), "tiles": row}[style]
        j = np.floor(y / row).astype(int)
        across = x / column + (0.5 * (j % 2) if style == "brick" else 0)
        i = np.floor(across).astype(int)
        tone = rng.normal(1, 0.11, (64, 64))[j % 64, i % 64]
        gap = np.minimum((across % 1) * column, (y % row) if style != "boards" else 1) < 0.0035
        relief = np.where(gap, rng.uniform(0.5, 1.2), relief * tone)
    slope = 1 + rng.uniform(-0.3, 0.3) * (x - 0.5) + rng.uniform(-0.3, 0.3) * (y - 0.3)
    canvas.photo[:] = np.clip(colour * (relief * slope)[..., None], 0, 1)


def _glow(rng, image, radius, colour, opacity):
    """A round light out of focus, somewhere in `image`; `radius` in image widths."""
    h, w = image.shape[:2]
    x, y, r = int(rng.integers(w)), int(rng.integers(h)), max(2, int(radius * w))
    area = image[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1]
    disc = np.zeros(area.shape[:2], np.float32)
    cv2.circle(disc, (min(x, r), min(y, r)), r, float(opacity), -1)
    area[:] = _blend(area, colour, disc)


def _bokeh(canvas):
    """Strongly blurred foliage, ground and lights: a background far out of focus."""
    rng, h, w = canvas.rng, canvas.h, canvas.w
    small = (h // 4, w // 4)
    base = _green(rng) * rng.uniform(0.5, 1.5)
    image = np.ones((*small, 3), np.float32) * base
    for _ in range(3):
        spot = np.clip(_noise(rng, *small, rng.integers(2, 5), 3) * 0.5, 0, 1)
        image = _blend(image, _green(rng) * rng.uniform(0.3, 1.5), spot * 0.8)
    if rng.random() < 0.4:
        image = _blend(image, _petal_colour(rng), np.clip(_noise(rng, *small, 4, 2) - 1.2, 0, 0.8))
    for _ in range(rng.integers(0, 40)):
        glow = np.clip(image.mean((0, 1)) * rng.uniform(1.1, 2.2) + rng.uniform(0, 0.2), 0, 1)
        _glow(rng, image, rng.uniform(0.015, 0.07), glow, rng.uniform(0.15, 0.7))
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.008, 0.035) * small[1])
    canvas.photo[:] = np.clip(cv2.resize(image, (w, h), interpolation=cv2.INTER_CUBIC), 0, 1)


def _night(canvas):
    """Dusk or night with round lights out of focus."""
    rng = canvas.rng
    _sky(canvas)
    canvas.photo *= rng.uniform(0.05, 0.35)
    canvas.photo += _hsv(rng, rng.choice([0.08, 0.65, 0.0]), 0.5, 0.08).astype(np.float32)
    for _ in range(rng.integers(4, 40)):
        _glow(rng, canvas.photo, rng.uniform(0.006, 0.04), _petal_colour(rng), rng.uniform(0.2, 0.8))
    canvas.blur(rng.uniform(0.002, 0.008))


def _room(canvas):
    """A wall with a table or sill at the bottom."""
    rng = canvas.rng
    _wall(canvas)
    if rng.random() < 0.6:
        canvas.photo += (canvas.photo.mean((0, 1)) - canvas.photo) * np.float32(rng.uniform(0.3, 1))
    canvas.blur(rng.uniform(0, 0.01))
    wood = _hsv(rng, 0.07, rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.7))
    _ground(canvas, canvas.height * rng.uniform(0.75, 0.95), wood)


def _town(canvas):
    """Buildings with windows under a sky."""
    rng = canvas.rng
    _sky(canvas, canvas.height * rng.uniform(0.6, 0.9))
    for _ in range(rng.integers(1, 6)):
        left, wide = rng.uniform(-0.1, 0.9), rng.uniform(0.12, 0.5)
        top, foot = canvas.height * rng.uniform(0.1, 0.6), canvas.height * rng.uniform(0.8, 1.05)
        colour = _hsv(rng, rng.uniform(0, 0.15), rng.uniform(0.02, 0.4), rng.uniform(0.3, 0.9))
        canvas.paint([[left, top], [left + wide, top], [left + wide, foot], [left, foot]], colour)
        step, pane = rng.uniform(0.03, 0.08), _hsv(rng, 0.6, 0.2, rng.uniform(0.1, 0.6))
        for x in np.arange(left + 0.3 * step, left + wide - 0.8 * step, step):
            for y in np.arange(top + 0.4 * step, foot - step, 1.4 * step):
                box = np.array([[0, 0], [0.5, 0], [0.5, 0.8], [0, 0.8]]) * step + (x, y)
                canvas.paint(box, pane * rng.uniform(0.7, 1.3))
    canvas.blur(rng.uniform(0, 0.006))


def _garden(canvas):
    """Ground before a soft hedge or wood."""
    _bokeh(canvas)
    _ground(canvas, canvas.height * canvas.rng.uniform(0.45, 0.8))
    canvas.blur(canvas.rng.uniform(0.001, 0.012))


def _photo(canvas):
    """A crop of one of the given still photo regions, at times out of focus."""
    rng = canvas.rng
    source = canvas.still[rng.integers(len(canvas.still))]
    scale = rng.uniform(0.5, 1.0) * min(source.shape[1] / canvas.w, source.shape[0] / canvas.h)
    ch, cw = max(2, int(canvas.h * scale)), max(2, int(canvas.w * scale))
    y, x = rng.integers(source.shape[0] - ch + 1), rng.integers(source.shape[1] - cw + 1)
    crop = cv2.resize(source[y : y + ch, x : x + cw], (canvas.w, canvas.h), interpolation=cv2.INTER_AREA)
    canvas.photo[:] = crop[:, ::-1] / 255.0 if rng.random() < 0.5 else crop / 255.0
    if rng.random() < 0.5:
        canvas.blur(rng.uniform(0.001, 0.015))


def _surroundings(canvas, *choices):
    """Paint one of the given backgrounds, or a piece of a real still photo when there are any."""
    if canvas.still and canvas.rng.random() < 0.4:
        _photo(canvas)
    else:
        choices[canvas.rng.integers(len(choices))](canvas)


def _open_air(canvas):
    _sky(canvas, canvas.height * canvas.rng.uniform(0.55, 0.95))


def _rock(canvas, centre, size):
    """A boulder with a lit and a shadowed side."""
    rng = canvas.rng
    angle = np.sort(rng.uniform(0, 2 * np.pi, 11))
    radius = rng.uniform(0.7, 1.1, 11)
    colour = _hsv(rng, 0.09, rng.uniform(0.02, 0.25), rng.uniform(0.3, 0.7))
    grain = rng.uniform(20, 60, 4)

    def shade(x, y):
        lit = 0.8 + 0.35 * (x * canvas.light[0] + y * canvas.light[1])
        return colour * (lit + 0.06 * np.sin(x * grain[0] / 4 + y * 9) * np.sin(y * grain[1] / 4 - x * 7))[:, None]

    outline = np.stack([np.cos(angle), 0.7 * np.sin(angle)], 1) * radius[:, None]
    canvas.paint(outline, shade, 0, centre, np.eye(2) * size)


def _person(canvas, foot, tall):
    """A standing figure: shoes to head in five flat shapes."""
    rng = canvas.rng
    skin, shirt = _hsv(rng, 0.06, 0.4, rng.uniform(0.3, 0.85)), _petal_colour(rng) * 0.8
    trousers = _hsv(rng, 0.6, 0.4, 0.3)
    frame = np.eye(2) * tall
    for x in (-0.06, 0.05):
        leg = [[x - 0.05, -0.5], [x + 0.05, -0.5], [x + 0.035, 0], [x - 0.035, 0]]
        canvas.paint(leg, trousers, 0, foot, frame)
    for x in (-0.14, 0.14):
        arm = [[0.6 * x, -0.8], [x, -0.74], [x * 1.1, -0.42], [x * 0.8, -0.42]]
        canvas.paint(arm, shirt * 0.8, 0, foot, frame)
    canvas.paint([[-0.12, -0.8], [0.12, -0.8], [0.1, -0.44], [-0.1, -0.44]], shirt, 0, foot, frame)
    canvas.paint(_circle() * (0.06, 0.075) - (0, 0.89), skin, 0, foot, frame)
    canvas.paint(_circle()[12:] * (0.065, 0.075) - (0, 0.9), skin * 0.25, 0, foot, frame)


def _post(canvas, x, top, foot, wide):
    """A post, pole or trunk that stands still."""
    rng = canvas.rng
    colour = _hsv(rng, rng.uniform(0.05, 0.12), rng.uniform(0.05, 0.5), rng.uniform(0.2, 0.75))
    waves = rng.uniform(3, 12, 3)

    def shade(u, v):
        grain = 0.06 * np.sin(waves[0] * u * 8 + waves[1] * v * 5 + np.sin(waves[2] * u))
        return colour * (0.8 + 0.3 * np.cos((v - 0.3) * 2) + grain)[:, None]

    lean = rng.normal(0, 0.01)
    canvas.paint([[0, -1], [1, -1], [1, 1], [0, 1]], shade, 0, (x, foot), [[lean, wide / 2], [top - foot, 0]])


def _clutter(canvas, many=2):
    """A few things that stand still in the foreground."""
    rng = canvas.rng
    for _ in range(rng.integers(0, many + 1)):
        x, foot = rng.uniform(0, 1), canvas.height * rng.uniform(0.75, 1.05)
        what = rng.choice(["rock", "person", "post"])
        if what == "rock":
            _rock(canvas, (x, foot), rng.uniform(0.03, 0.15))
        elif what == "person":
            _person(canvas, (x, foot), rng.uniform(0.12, 0.45))
        else:
            _post(canvas, x, foot - rng.uniform(0.1, 0.6), foot, rng.uniform(0.01, 0.06))


def _pot(canvas, centre, wide, tall):
    """A vase or flower pot whose rim is at `centre`."""
    rng = canvas.rng
    colour = _hsv(rng, rng.choice([0.04, 0.08, 0.55, 0.6]), rng.uniform(0.05, 0.7), rng.uniform(0.3, 0.9))
    y = np.linspace(0, 1, 9)
    half = 0.5 - rng.uniform(0.05, 0.2) * y + rng.uniform(-0.12, 0.2) * np.sin(np.pi * y)
    outline = np.concatenate([np.stack([half, y], 1), np.stack([-half, y], 1)[::-1]])

    def shade(x, y):
        body = 0.45 + 0.6 * np.sqrt(np.clip(1 - (2 * x - 0.3 * np.sign(canvas.light[0])) ** 2, 0, 1))
        gloss = 0.35 * np.exp(-(((x - 0.2 * np.sign(canvas.light[0])) / 0.06) ** 2))
        return colour * body[:, None] + (gloss * (y < 0.8))[:, None]

    size = np.diag([wide, tall])
    canvas.paint(outline, shade, 0, centre, size)
    canvas.paint([[-0.54, 0], [0.54, 0], [0.53, 0.09], [-0.53, 0.09]], colour * 0.9, 0, centre, size)


# ---------------------------------------------------------------------------------------------- leaves and petals


def _turn(angle, length, squash=1.0):
    """Matrix [2, 2] that lays a unit shape along `angle` at `length`, its breadth scaled by `squash`."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s * squash], [s, c * squash]]) * length


def _outline(breadth, fullness=1.0, point=1.0, bend=0.0, n=9):
    """Leaf outline [2n, 2] from (0, 0) to (1, 0): `fullness` rounds the foot, `point` sharpens the tip."""
    t = (1 - np.cos(np.linspace(0, np.pi, n))) / 2
    half = t ** (0.6 / fullness) * (1 - t) ** (0.6 * point)
    half = half / half.max() * breadth / 2
    spine = bend * t * t
    return np.concatenate([np.stack([t, spine + half], 1), np.stack([t, spine - half], 1)[::-1]])


def _circle(n=24):
    """Outline [n, 2] of the unit circle."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([np.cos(t), np.sin(t)], 1)


def _leaf_shade(rng, foot, tip, breadth, bend=0.0, veins=0.0, lit=0.25, gloss=0.0):
    """Shading of a leaf or petal from foot to tip colour, with a lit half, veins, gloss and a dark edge."""
    count, phase, side = rng.uniform(5, 11), rng.uniform(0, 6), rng.choice([-1, 1])
    ridge = rng.uniform(-0.5, 0.5)

    def shade(x, y):
        across = (y - bend * x * x) / (breadth / 2)
        tone = 1 + lit * side * np.tanh(2 * across) * 0.6 - 0.22 * np.abs(across) ** 3
        tone = tone + veins * np.cos((x * count - np.abs(across) * 1.6) * 6.28 + phase)
        tone = tone - 2 * veins * np.exp(-((across * 12) ** 2))
        colour = _blend(foot, tip, np.clip(x, 0, 1) ** 1.3) * tone[:, None]
        return colour + (gloss * np.exp(-(((across - ridge) / 0.25) ** 2) - ((x - 0.55) / 0.3) ** 2))[:, None]

    return shade


def _leaf(canvas, foot, angle, length, breadth, colour, piece, squash=1.0, bend=0.0):
    """One leaf from its `foot` along `angle`; `breadth` relative to `length`."""
    rng = canvas.rng
    veins, gloss = rng.uniform(0, 0.1), rng.uniform(0, 0.25)
    shade = _leaf_shade(rng, colour * 0.8, colour * 1.1, breadth, bend, veins, 0.25, gloss)
    outline = _outline(breadth, 1.0, rng.uniform(0.9, 1.6), bend)
    canvas.paint(outline, shade, piece, foot, _turn(angle, length, squash))


def _clump(canvas, centre, radius, colour, piece, leaf, count, breadth=0.5):
    """A cluster of small leaves around `centre`, darker below and inside, lighter towards the sun."""
    rng = canvas.rng
    angle, r = rng.uniform(0, 2 * np.pi, count), radius * np.sqrt(rng.random(count))
    offset = np.stack([np.cos(angle) * r, np.sin(angle) * r * 0.8], 1)
    towards = offset @ canvas.light / radius
    order = np.argsort(towards + rng.normal(0, 0.35, count))
    outline = _outline(breadth, n=4)
    for i in order:
        tone = np.clip(0.78 + 0.35 * towards[i] + rng.normal(0, 0.1), 0.3, 1.45)
        size = leaf * rng.uniform(0.6, 1.3)
        matrix = _turn(rng.uniform(0, 2 * np.pi), size, rng.uniform(0.4, 1))
        canvas.paint(outline, np.clip(colour * tone, 0, 1), piece, np.asarray(centre) + offset[i], matrix)


# ---------------------------------------------------------------------------------------------- moving things


def _grow(canvas, foot, angle, length, wide, depth, motion, style):
    """A branch, its twigs and their leaves; every branch adds its own swing to that of its parent."""
    rng = canvas.rng
    tip = foot + length * np.array([np.cos(angle), np.sin(angle)])
    stiffness = np.clip(0.15 + 0.2 * depth, 0, 1)
    motion = motion + canvas.swing(tuple(foot), tuple(tip), stiffness, style["give"] / (1 + depth) ** 1.2)
    bow = foot + 0.5 * (tip - foot) + length * 0.08 * rng.normal(size=2)
    spine = [foot, bow, tip]
    bark = style["bark"] * rng.uniform(0.8, 1.1)
    canvas.ribbon(spine, [wide, wide * 0.85, wide * 0.7], bark, canvas.add(motion))
    if depth > 0:
        for side in np.linspace(-1, 1, rng.integers(2, 4)) * rng.uniform(0.7, 1.2):
            turn = side * style["spread"] + rng.normal(0, 0.15)
            start = foot + (tip - foot) * (rng.uniform(0.7, 1.0))
            shorter = length * rng.uniform(0.62, 0.85)
            _grow(canvas, start, angle + turn, shorter, wide * 0.65, depth - 1, motion, style)
    if depth <= 1 and style["leaves"]:
        flutter = canvas.swing(tuple(foot), tuple(tip), 0.6, style["flutter"], 0.7)
        radius = style["clump"] * rng.uniform(0.7, 1.3)
        where = tip + rng.normal(0, 0.25 * radius, 2)
        colour = style["colour"] * rng.uniform(0.8, 1.15)
        piece = canvas.add(motion + flutter)
        _clump(canvas, where, radius, colour, piece, style["leaf"], style["leaves"], style["breadth"])


def _tree(canvas):
    """One to three trees before sky, hills or town; or a bough that reaches in from the side."""
    rng = canvas.rng
    _surroundings(canvas, _open_air, _open_air, _town, _garden, _sky)
    bough = rng.random() < 0.3
    for _ in range(1 if bough else rng.choice([1, 1, 2, 3])):
        size = rng.uniform(0.6, 1.35) * canvas.height
        style = {
            "give": rng.uniform(0.4, 1.0),
            "flutter": rng.uniform(0.05, 0.3),
            "spread": rng.uniform(0.35, 0.75),
            "bark": _hsv(rng, 0.07, rng.uniform(0.1, 0.5), rng.uniform(0.12, 0.45)),
            "colour": _green(rng),
            "leaves": 0 if rng.random() < 0.08 else int(rng.integers(18, 45)),
            "leaf": rng.uniform(0.010, 0.035) * (1.6 if bough else 1.0),
            "breadth": rng.uniform(0.25, 0.7),
            "clump": size * rng.uniform(0.08, 0.18),
        }
        if bough:
            left = rng.random() < 0.5
            foot = np.array([-0.05 if left else 1.05, canvas.height * rng.uniform(0, 0.7)])
            angle = rng.normal(0.1, 0.3) if left else np.pi + rng.normal(0.1, 0.3)
        else:
            foot = np.array([rng.uniform(0.1, 0.9), canvas.height * rng.uniform(0.8, 1.1)])
            angle = -np.pi / 2 + rng.normal(0, 0.08)
        still = np.zeros((BANDS, 2, 3), np.complex64)
        _grow(canvas, foot, angle, size * rng.uniform(0.28, 0.42), size * rng.uniform(0.03, 0.07), 3, still, style)
    _clutter(canvas, 1)


def _bush(canvas):
    """A bush or hedge of leaf clumps, sometimes in blossom, sometimes in a pot."""
    rng = canvas.rng
    _surroundings(canvas, _open_air, _wall, _garden, _town, _room)
    centre = np.array([rng.uniform(0.2, 0.8), canvas.height * rng.uniform(0.8, 1.05)])
    wide, tall = rng.uniform(0.2, 0.9), canvas.height * rng.uniform(0.35, 1.0)
    potted, everywhere = rng.random() < 0.25, rng.random() < 0.25
    if everywhere:
        # Foliage up to the edges of the picture.
        centre, wide, tall = np.array([0.5, canvas.height * 1.15]), 1.5, canvas.height * 1.3
    elif potted:
        wide, tall = rng.uniform(0.12, 0.25), canvas.height * rng.uniform(0.3, 0.6)
        centre[1] = canvas.height * rng.uniform(0.6, 0.75)
        _pot(canvas, centre, wide * 0.9, canvas.height * rng.uniform(0.15, 0.25))
    colour, blossom = _green(rng), _petal_colour(rng) if rng.random() < 0.35 else None
    leaf, breadth = max(rng.uniform(0.012, 0.05), 0.03 * wide), rng.uniform(0.25, 0.7)
    radius = max(leaf * 1.3, 0.11 * wide)
    # As many leaves a clump as cover it about twice.
    leaves = int(np.clip(6 * (radius / leaf) ** 2, 14, 45))
    stems = [centre + np.array([dx, 0.0]) for dx in np.linspace(-0.5, 0.5, 6) * wide]
    swings = [canvas.swing(tuple(s), (s[0], s[1] - tall), rng.uniform(0.3, 0.7), 0.6) for s in stems]
    # A dark inside, so that no wall shows through the leaves.
    inside = np.stack([np.cos(np.linspace(0, np.pi, 20)), -np.sin(np.linspace(0, np.pi, 20))], 1)
    middle = canvas.add(swings[2])
    canvas.paint(
        inside * rng.uniform(0.85, 1.05, (20, 1)), colour * 0.35, middle, centre, np.diag([0.7 * wide, 0.9 * tall])
    )
    spots = []
    for _ in range(int(np.clip(wide * tall / radius**2 * 1.5, 30, 130))):
        angle, r = rng.uniform(0, np.pi), np.sqrt(rng.random())
        spots.append(centre + np.array([np.cos(angle) * r * wide * 0.75, -np.sin(angle) * r * tall]))
    for spot in sorted(spots, key=lambda s: s[1] + rng.normal(0, 0.15 * tall)):
        nearest = int(np.argmin([abs(s[0] - spot[0]) for s in stems]))
        own = canvas.swing((spot[0], spot[1] + 2 * radius), tuple(spot), rng.uniform(0.2, 0.7), 0.35, 0.4)
        motion = swings[nearest] + own
        depth = 0.65 + 0.4 * (centre[1] - spot[1]) / tall
        _clump(canvas, spot, radius, colour * depth, canvas.add(motion), leaf, leaves, breadth)
        if blossom is not None and rng.random() < 0.5:
            piece = canvas.add(motion + canvas.swing((spot[0], spot[1] + leaf), tuple(spot), 0.2, 0.1))
            _head(canvas, spot, leaf * rng.uniform(0.5, 0.9), blossom, piece)
    if everywhere or not potted:
        _clutter(canvas, 1)


def _head(canvas, centre, radius, colour, piece):
    """A small flower of a few flat petals, all one piece."""
    rng = canvas.rng
    count, first, squash = int(rng.integers(5, 9)), rng.uniform(0, 6), rng.uniform(0.45, 1)
    outline = _outline(0.7, 0.8, 0.5, n=4)
    lean = np.diag([1.0, squash])
    for k in range(count):
        tone = rng.uniform(0.8, 1.1)
        matrix = lean @ _turn(first + k * 2 * np.pi / count, radius)
        canvas.paint(outline, np.clip(colour * tone, 0, 1), piece, centre, matrix)
    canvas.paint(_circle(9), _hsv(rng, 0.13, 0.8, 0.7), piece, centre, lean * radius * 0.28)


def _meadow(canvas):
    """Many flowers at some distance, small in front of large depth."""
    rng = canvas.rng
    _surroundings(canvas, _open_air, _garden, _garden, _bokeh)
    colours = [_petal_colour(rng) for _ in range(rng.integers(1, 4))]
    green, size = _green(rng), rng.uniform(0.02, 0.065)
    horizon = rng.uniform(0.4, 0.75)
    if rng.random() < 0.6:
        _turf(canvas, canvas.height * horizon, green * rng.uniform(0.5, 0.9))
        canvas.blur(rng.uniform(0, 0.004))
    for row in np.sort(rng.uniform(horizon + 0.05, 1.2, int(rng.integers(25, 110)))):
        near = (0.25 + 0.65 * (row - horizon) / (1.2 - horizon)) * rng.uniform(0.85, 1.15)
        foot = np.array([rng.uniform(-0.05, 1.05), canvas.height * row])
        tall = canvas.height * rng.uniform(0.2, 0.4) * near + size
        top = foot + tall * np.array([rng.normal(0, 0.12), -1.0])
        motion = canvas.swing(tuple(foot), tuple(top), rng.uniform(0.15, 0.5), near)
        piece = canvas.add(motion)
        bow = (foot + top) / 2 + rng.normal(0, 0.04, 2) * tall
        canvas.ribbon([foot, bow, top], 0.006 * near + 0.001, green * rng.uniform(0.7, 1.1), piece)
        for _ in range(rng.integers(1, 4)):
            start = foot + (top - foot) * rng.uniform(0.05, 0.6)
            angle = -np.pi / 2 + rng.choice([-1, 1]) * rng.uniform(0.3, 1.1)
            _leaf(canvas, start, angle, tall * rng.uniform(0.25, 0.5), 0.22, green * rng.uniform(0.7, 1.2), piece)
        colour = colours[rng.integers(len(colours))]
        _head(canvas, top, size * near * rng.uniform(0.8, 1.3), colour, canvas.add(motion))
    _clutter(canvas, 1)


def _petals(canvas, centre, lean, rings, colour, inner, motion, radius):
    """Rings of shaded petals from outside in; each petal is a piece that trembles on its foot."""
    rng = canvas.rng
    tremble, gloss, veins = rng.uniform(0.03, 0.2), rng.uniform(0, 0.2), rng.uniform(0, 0.07)
    for reach, start, count, breadth, fullness, point in rings:
        first = rng.uniform(0, 2 * np.pi)
        for k in rng.permutation(count):
            angle = first + 2 * np.pi * (k + rng.normal(0, 0.12)) / count
            foot = centre + lean @ (start * radius * np.array([np.cos(angle), np.sin(angle)]))
            length = (reach - start) * radius * rng.uniform(0.88, 1.08)
            tip = foot + lean @ (length * np.array([np.cos(angle), np.sin(angle)]))
            lit = 0.86 + 0.2 * float((tip - foot) @ canvas.light) / max(length, 1e-6) + rng.normal(0, 0.05)
            bend = rng.normal(0, 0.1)
            side = rng.uniform(0.05, 0.3)
            shade = _leaf_shade(rng, inner * lit, colour * lit, breadth, bend, veins, side, gloss)
            own = canvas.swing(tuple(foot), tuple(tip), rng.uniform(0.3, 0.9), tremble * reach, 0.6)
            outline = _outline(breadth, fullness, point, bend, 9)
            canvas.paint(outline, shade, canvas.add(motion + own), foot, lean @ _turn(angle, length))


def _disc(canvas, centre, lean, radius, colour, piece):
    """The seedy middle of a daisy or sunflower."""
    rng = canvas.rng

    def shade(x, y):
        r = np.hypot(x, y)
        return colour * (0.65 + 0.5 * r + 0.3 * (x * canvas.light[0] + y * canvas.light[1]))[:, None]

    canvas.paint(_circle(), shade, piece, centre, lean * radius)
    dot = _circle(6)
    for k in range(int(np.clip(radius * canvas.w * 2.2, 10, 110))):
        r, a = np.sqrt((k + 0.5) / 110) if radius * canvas.w > 50 else np.sqrt(rng.random()), k * 2.39996
        spot = centre + lean @ (0.95 * radius * min(r, 1) * np.array([np.cos(a), np.sin(a)]))
        canvas.paint(dot, np.clip(colour * rng.uniform(0.5, 1.7), 0, 1), piece, spot, lean * radius * 0.06)


def _bloom(canvas, centre, radius, motion):
    """A large flower head of one of several makes; its motion [15, 2, 3] is shared by all petals."""
    rng = canvas.rng
    colour = _petal_colour(rng)
    inner = np.clip(colour * rng.uniform(0.5, 1.0) + rng.choice([0, 0.25]) * _petal_colour(rng), 0, 1)
    tilt = rng.uniform(0, 2 * np.pi)
    lean = _turn(tilt, 1) @ np.diag([1.0, rng.uniform(0.5, 1.0)]) @ _turn(-tilt, 1)
    make = rng.choice(["daisy", "daisy", "sunflower", "open", "open", "rose", "rose", "dahlia", "tulip"])
    piece = canvas.add(motion)
    if make == "tulip":
        up = _turn(rng.normal(0, 0.25), 1)
        for k, side in enumerate((-0.5, 0.5, -0.25, 0.25, 0.0)):
            foot = centre + up @ (side * 0.3 * radius, 0.9 * radius)
            tip = centre + up @ (side * radius * 1.1, -radius)
            tone, breadth = 0.7 + 0.08 * k, rng.uniform(0.5, 0.65)
            shade = _leaf_shade(rng, inner * tone, colour * tone, breadth, 0, 0.03, 0.2, 0.12)
            own = canvas.swing(tuple(foot), tuple(tip), rng.uniform(0.1, 0.5), 0.08)
            d = tip - foot
            matrix = _turn(np.arctan2(d[1], d[0]), np.hypot(*d))
            canvas.paint(_outline(breadth, 1.4, 0.7), shade, canvas.add(motion + own), foot, matrix)
        return
    count = int(rng.integers(9, 24))
    broad = 2.6 / count + 0.12
    rings = {
        "daisy": [(1, 0.15, count, broad, 0.9, 0.5)],
        "sunflower": [(1, 0.3, count, broad * 1.1, 1.2, 1.3), (0.9, 0.3, count, broad * 1.1, 1.2, 1.3)],
        "open": [(1, 0.03, int(rng.integers(4, 7)), rng.uniform(0.8, 1.15), 0.9, rng.uniform(0.35, 0.8))],
        "rose": [(r, 0.1 * r, int(4 + 3 * r), 1.15, 1.6, 0.35) for r in np.linspace(1, 0.22, 7)],
        "dahlia": [(r, 0.2 * r, count, 2.6 / count + 0.1, 1.1, 1.0) for r in np.linspace(1, 0.3, 6)],
    }[make]
    if make == "rose":
        lean = lean * 0.9
    _petals(canvas, centre, lean, rings, colour, inner, motion, radius)
    if make in ("daisy", "sunflower", "open"):
        middle = _hsv(rng, rng.choice([0.08, 0.13, 0.16, 0.25]), rng.uniform(0.5, 0.95), rng.uniform(0.2, 0.9))
        size = {"daisy": 0.27, "sunflower": 0.42, "open": 0.15}[make] * rng.uniform(0.75, 1.25)
        _disc(canvas, centre, lean, radius * size, middle, piece)


def _close_up(canvas):
    """One to five large flowers before a background far out of focus."""
    rng = canvas.rng
    choices = (_bokeh, _bokeh, _bokeh, _bokeh, _sky, _room)
    _surroundings(canvas, *choices)
    vase = rng.random() < 0.15
    mouth = np.array([rng.uniform(0.35, 0.65), canvas.height * rng.uniform(0.75, 0.9)])
    many = int(rng.choice([1, 1, 1, 2, 3, 4, 5]))
    green = _green(rng)
    heads = []
    for k in range(many):
        radius = canvas.height * rng.uniform(0.24, 0.65) / many**0.45 * (0.6 if vase else 1)
        spread = (k + 0.5) / many + rng.normal(0, 0.12 / many**0.5)
        heads.append((np.array([np.clip(spread, 0.1, 0.9), canvas.height * rng.uniform(0.22, 0.62)]), radius))
    if many > 1 and vase:
        heads = [(h * (0.6, 0.75) + (0.2, 0.02), r) for h, r in heads]
    for head, radius in sorted(heads, key=lambda item: item[1]):
        below = canvas.height * rng.uniform(1.05, 2.2)
        foot = mouth if vase else np.array([head[0] + rng.normal(0, 0.12), below])
        motion = canvas.swing(tuple(foot), tuple(head), rng.uniform(0.15, 0.6))
        motion = motion + canvas.nod(tuple(foot), tuple(head), rng.uniform(0.2, 0.6), rng.uniform(0, 0.35))
        t = np.linspace(0, 1, 8)[:, None]
        bow = rng.normal(0, 0.06)
        spine = foot + (head - foot) * t + np.array([[1.0, 0.0]]) * bow * 4 * t * (1 - t)
        canvas.ribbon(spine, radius * rng.uniform(0.08, 0.16), green * rng.uniform(0.7, 1.0), canvas.add(motion))
        for _ in range(rng.integers(0, 5)):
            start = spine[int(rng.integers(1, 6))]
            angle = -np.pi / 2 + rng.choice([-1, 1]) * rng.uniform(0.4, 1.3)
            length = radius * rng.uniform(0.6, 1.5)
            tip = start + length * np.array([np.cos(angle), np.sin(angle)])
            own = canvas.swing(tuple(start), tuple(tip), rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.4), 0.4)
            colour, bend = green * rng.uniform(0.6, 1.2), rng.normal(0, 0.2)
            _leaf(
                canvas, start, angle, length, rng.uniform(0.25, 0.6), colour, canvas.add(motion + own), bend=bend
            )
        own = canvas.swing((head[0], head[1] + radius), tuple(head), rng.uniform(0.2, 0.7), rng.uniform(0, 0.25))
        _bloom(canvas, head, radius, motion + own)
    if vase:
        _pot(canvas, mouth, rng.uniform(0.1, 0.22), canvas.height * rng.uniform(0.15, 0.3))


def _twig(canvas):
    """Twigs or fern fronds close up: a stem in jointed parts, each carrying shaded leaves that flutter."""
    rng = canvas.rng
    _surroundings(canvas, _bokeh, _bokeh, _bokeh, _sky, _wall, _room)
    fern, green = rng.random() < 0.4, _green(rng)
    bark = green * 0.6 if fern else _hsv(rng, 0.07, 0.4, rng.uniform(0.2, 0.45))
    breadth = rng.uniform(0.15, 0.3) if fern else rng.uniform(0.3, 0.7)
    size = rng.uniform(0.08, 0.2)
    for _ in range(rng.integers(1, 5)):
        side = rng.choice(["left", "right", "below", "above"])
        along = rng.uniform(0.15, 0.85)
        foot, angle = {
            "left": (np.array([-0.03, along * canvas.height]), 0.0),
            "right": (np.array([1.03, along * canvas.height]), np.pi),
            "below": (np.array([along, canvas.height + 0.03]), -np.pi / 2),
            "above": (np.array([along, -0.03]), np.pi / 2),
        }[side]
        angle, curl, reach = angle + rng.normal(0, 0.35), rng.normal(0, 0.2), rng.uniform(0.3, 0.65)
        parts, motion = 5, canvas.affine[0]
        for part in range(parts):
            step = reach / parts
            tip = foot + step * np.array([np.cos(angle), np.sin(angle)])
            motion = motion + canvas.swing(foot, tip, rng.uniform(0.2, 0.6), 0.25)
            canvas.ribbon([foot, tip], 0.012 * (1 - 0.8 * part / parts), bark, canvas.add(motion))
            for at in np.linspace(0, 1, 5 if fern else 2, endpoint=False) + rng.uniform(0, 0.1):
                taper = 1 - 0.75 * (part + at) / parts if fern else rng.uniform(0.7, 1.15)
                for turn in (-1, 1):
                    start, toward = (
                        foot + (tip - foot) * at,
                        angle + turn * rng.normal(1.0, 0.12 if fern else 0.35),
                    )
                    end = start + size * taper * np.array([np.cos(toward), np.sin(toward)])
                    own = canvas.swing(start, end, rng.uniform(0.3, 0.8), rng.uniform(0.05, 0.3), 0.4)
                    piece, colour = canvas.add(motion + own), green * rng.uniform(0.7, 1.2)
                    squash = rng.uniform(0.5, 1.0) * (1.4 if fern else 1.0)
                    _leaf(canvas, start, toward, size * taper, breadth, colour, piece, squash, rng.normal(0, 0.12))
            foot, angle = tip, angle + curl
    if rng.random() < 0.25:
        _clutter(canvas, 1)


def _turf(canvas, level, colour):
    """Grass too dense to see its blades: textured ground from `level` down, in cells that sway a little."""
    _ground(canvas, level, colour)
    top, side = int(level * canvas.w), canvas.w // 20
    for y in range(top, canvas.h, side):
        near = 0.1 + 0.25 * (y - top) / max(canvas.h - top, 1)
        for x in range(0, canvas.w, side):
            crown = ((x + side / 2) / canvas.w, y / canvas.w)
            # Hinged well below the cell, or rows of cells would show as bands.
            motion = canvas.swing((crown[0], crown[1] + 0.2), crown, 0.4, near)
            canvas.piece[y : y + side, x : x + side] = canvas.add(motion)


def _grass(canvas):
    """Grass, wheat or reeds through which gusts travel; each blade bends in two pieces."""
    rng = canvas.rng
    _surroundings(canvas, _open_air, _open_air, _sky, _garden, _bokeh)
    kind = rng.choice(["grass", "wheat", "reeds"])
    tall, green = canvas.height * rng.uniform(0.25, 0.75), _green(rng)
    if kind == "wheat":
        green = _hsv(rng, rng.uniform(0.1, 0.15), rng.uniform(0.4, 0.7), rng.uniform(0.5, 0.85))
    if kind == "reeds":
        green = _blend(green, [0.6, 0.5, 0.25], rng.uniform(0, 0.7))
    wide, grain = rng.uniform(0.004, 0.016), _outline(0.4, n=4)
    horizon = rng.uniform(0.35, 0.85)
    rows = np.sort(rng.uniform(horizon, 1.4, int(rng.integers(120, 320))))
    lean = rng.normal(0, 0.25)
    _turf(canvas, canvas.height * (horizon + 0.03), green * 0.6)
    for row in rows:
        near = 0.35 + 0.65 * (row - horizon) / (1.4 - horizon)
        foot = np.array([rng.uniform(-0.05, 1.05), canvas.height * row])
        length = tall * near * rng.uniform(0.7, 1.2)
        top = foot + length * np.array([np.sin(lean + rng.normal(0, 0.2)), -1.0])
        middle = foot + (top - foot) * (0.43, 0.55)
        stiffness = rng.uniform(0.1, 0.5)
        lower = canvas.swing(tuple(foot), tuple(middle), stiffness, 0.35 * near)
        upper = lower + canvas.swing(tuple(middle), tuple(top), stiffness, 0.5 * near)
        colour = np.clip(green * (0.55 + 0.5 * near) * rng.uniform(0.75, 1.25), 0, 1)
        thick = wide * near * (0.5 if kind == "wheat" else 1)
        low_id, top_id = canvas.add(lower), canvas.add(upper)
        canvas.ribbon([foot, middle], [thick, thick * 0.9], colour * 0.85, low_id)
        canvas.ribbon([middle, top], [thick * 0.9, thick * (0.1 if kind == "grass" else 0.5)], colour, top_id)
        angle = np.arctan2(*(top - middle)[::-1])
        if kind == "wheat":
            for k, side in enumerate((-0.25, 0.25) * 5):
                matrix = _turn(angle + side, 0.032 * near)
                start = top + (top - middle) * 0.02 * k
                canvas.paint(grain, colour * rng.uniform(0.85, 1.2), top_id, start, matrix)
        if kind == "reeds" and rng.random() < 0.4:
            plume = _hsv(rng, 0.08, 0.45, rng.uniform(0.3, 0.7))
            _leaf(canvas, middle + 0.7 * (top - middle), angle, length * 0.3, 0.16, plume, top_id)
    _clutter(canvas, 1)


def _lantern(canvas, top, size, piece):
    """A paper lantern with ribs and a glow."""
    rng = canvas.rng
    colour = _hsv(rng, rng.choice([0.0, 0.04, 0.1, 0.13, 0.9]), rng.uniform(0.4, 0.95), rng.uniform(0.7, 1.0))
    tall, ribs = rng.uniform(0.8, 1.4), rng.uniform(6, 14)

    def shade(x, y):
        glow = 0.6 + 0.5 * np.exp(-(x**2 + y**2) * 1.5) + 0.08 * np.cos(ribs * np.arcsin(np.clip(y, -1, 1)) * 3)
        return colour * glow[:, None] + 0.15 * np.exp(-(x**2 + y**2) * 4)[:, None]

    centre = np.array([top[0], top[1] + size * tall])
    canvas.paint(_circle(), shade, piece, centre, np.diag([size, size * tall]))
    for y in (-1, 0.9):
        box = np.array([[-0.35, 0], [0.35, 0], [0.35, 0.14], [-0.35, 0.14]]) * size
        canvas.paint(box + centre + (0, y * size * tall), colour * 0.3, piece)


def _cloth(canvas, left, right, tall, motion, pivot):
    """Washing or paper on a line: strips one below the other, each adding a swing about its upper edge."""
    rng = canvas.rng
    colour = _petal_colour(rng)
    folds, phase, strips = rng.uniform(0, 4), rng.uniform(0, 6), int(rng.integers(2, 5))
    pattern = rng.choice(["plain", "stripes", "print"])
    wide = right[0] - left[0]

    def shade(x, y):
        tone = 0.88 + 0.12 * np.cos(folds * x / wide * 6.28 + phase + 2 * y) - 0.1 * y / tall
        if pattern == "stripes":
            tone = tone * np.where(np.sin(y / tall * 40) > 0, 1, 0.7)
        if pattern == "print":
            ink = (np.sin(y / tall * 75) > 0.2) & (np.abs(x / wide - 0.5) < 0.38) & (np.abs(y / tall - 0.5) < 0.4)
            tone = tone * np.where(ink, 0.72, 1)
        return colour * tone[:, None]

    for k in range(strips):
        y0, y1 = tall * k / strips, tall * (k + 1) / strips
        edge, tip = (pivot[0], pivot[1] + y0), (pivot[0], pivot[1] + y1)
        motion = motion + canvas.swing(edge, tip, 0.3, 0.5) + canvas.nod(edge, tip, 0.3, 0.35)
        slope = np.array([[1.0, 0.0], [(right[1] - left[1]) / wide, 1.0]])
        box = [[0, y0], [wide, y0], [wide * 0.99, y1], [wide * 0.01, y1]]
        canvas.paint(box, shade, canvas.add(motion), left, slope)


def _hanging(canvas):
    """Lanterns, leaves, ornaments or washing that hang from a line or branch."""
    rng = canvas.rng
    what = rng.choice(["lanterns", "leaves", "washing", "ornaments", "papers"])
    if what in ("lanterns", "ornaments"):
        _surroundings(canvas, _night, _town, _wall, _bokeh)
    else:
        _surroundings(canvas, _sky, _wall, _bokeh, _garden, _town)
    ends = canvas.height * rng.uniform(-0.05, 0.35, 2)
    sag = rng.uniform(0, 0.06)
    many = int(rng.integers(1, 4) if what == "lanterns" else rng.integers(3, 9))
    x = np.linspace(-0.05, 1.05, 24)

    def line(x):
        return ends[0] + (ends[1] - ends[0]) * x + sag * 4 * x * (1 - x)

    thick = 0.015 if what == "leaves" else rng.uniform(0.002, 0.006)
    canvas.ribbon(np.stack([x, line(x)], 1), thick, _hsv(rng, 0.08, 0.3, 0.25))
    for k in range(many):
        at = (k + 0.5 + rng.normal(0, 0.12)) / many
        pivot = (at, float(line(at)))
        cord = canvas.height * rng.uniform(0.02, 0.3)
        size = rng.uniform(0.35, 0.75) * min(0.32 / many, 0.1) * (1.4 if what == "lanterns" else 1.0)
        stiffness = rng.uniform(0.1, 0.7)
        if what in ("washing", "papers"):
            wide = rng.uniform(0.5, 0.9) / many
            tall = canvas.height * rng.uniform(0.25, 0.6) if what == "washing" else wide * rng.uniform(1, 1.5)
            tall = min(tall, canvas.height * 0.75)
            left, right = (np.array([side, line(side)]) for side in (at - wide / 2, at + wide / 2))
            _cloth(canvas, left, right, tall, canvas.affine[0], pivot)
            continue
        end = (at, pivot[1] + cord)
        motion = canvas.swing(pivot, (at, end[1] + size), stiffness)
        piece = canvas.add(motion)
        canvas.ribbon([pivot, end], 0.0025, _hsv(rng, 0.1, 0.2, 0.3), piece)
        if what == "lanterns":
            own = canvas.swing(end, (at, end[1] + 2 * size), stiffness, 0.3)
            _lantern(canvas, end, size, canvas.add(motion + own))
        elif what == "ornaments":
            colour = _petal_colour(rng)
            hot = canvas.light * 0.45

            def shade(x, y, colour=colour, hot=hot):
                gloss = np.exp(-((x - hot[0]) ** 2 + (y - hot[1]) ** 2) * 14)
                return colour * (1.0 - 0.55 * (x * x + y * y))[:, None] + 0.8 * gloss[:, None]

            canvas.paint(_circle(), shade, piece, (at, end[1] + size), np.eye(2) * size)
        else:
            green = _green(rng)
            for j in range(int(rng.integers(2, 7))):
                start = np.array([at, pivot[1] + cord * (0.3 + 0.7 * rng.random())])
                angle = np.pi / 2 + (-1) ** j * rng.uniform(0.1, 1.0)
                length = rng.uniform(0.08, 0.22)
                tip = start + length * np.array([np.cos(angle), np.sin(angle)])
                own = canvas.swing(tuple(start), tuple(tip), rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.8), 0.3)
                colour, breadth = green * rng.uniform(0.7, 1.3), rng.uniform(0.3, 0.6)
                _leaf(canvas, start, angle, length, breadth, colour, canvas.add(motion + own))


def _flame(canvas, wick, tall):
    """A flame in four slices, each adding a shear; brightest above the wick."""
    rng = canvas.rng
    slices, half = 4, tall * rng.uniform(0.13, 0.2)
    t = np.linspace(0, 1, 25)
    profile = half * np.sin(np.pi * np.clip(t, 0, 1) ** 0.62) ** 0.9 * (1.05 - 0.3 * t)
    motion = np.zeros((BANDS, 2, 3), np.complex64)
    amount = canvas.sway.oscillation(wick, rng.uniform(0.0, 0.4))

    def shade(x, y):
        u = np.clip(-y / tall, 0, 1)
        core = np.exp(-((x / half) ** 2) * 2.2)
        warm = _blend([1.0, 0.5, 0.08], [1.0, 0.93, 0.68], np.clip(core * 1.25 - 0.3 * u, 0, 1))
        blue = np.clip(1 - u / 0.16, 0, 1)[:, None] * 0.6
        return warm * (1 - blue) + np.array([0.2, 0.3, 0.8]) * blue

    for k in range(slices):
        base = wick[1] - tall * k / slices
        own = canvas.sway.oscillation((wick[0], base), rng.uniform(0.0, 0.3)) * 0.5 + amount
        shear = np.zeros((BANDS, 2, 3), np.complex64)
        shear[:, 0, 1], shear[:, 0, 2] = -own * (k + 0.5), own * (k + 0.5) * base
        shear[:, 1, 1], shear[:, 1, 2] = 0.6 * own, -0.6 * own * base
        motion = motion + shear
        part = (t >= k / slices - 0.04) & (t <= (k + 1) / slices)
        outline = np.concatenate(
            [np.stack([profile[part], -t[part] * tall], 1), np.stack([-profile[part], -t[part] * tall], 1)[::-1]]
        )
        canvas.paint(outline, shade, canvas.add(motion), wick)


def _candles(canvas):
    """Candles whose flames waver in a dim room; wax, table and glow stay still."""
    rng = canvas.rng
    _surroundings(canvas, _night, _room, _wall)
    canvas.photo *= rng.uniform(0.12, 0.6)
    if rng.random() < 0.6:
        _ground(canvas, canvas.height * rng.uniform(0.75, 0.9), _hsv(rng, 0.07, 0.5, rng.uniform(0.1, 0.35)))
    many = int(rng.choice([1, 1, 2, 3, 4, 6]))
    flames = []
    for k in range(many):
        wide = rng.uniform(0.05, 0.22) / many**0.5
        top = np.array([(k + 0.5) / many + rng.normal(0, 0.05), canvas.height * rng.uniform(0.4, 0.7)])
        wax = _hsv(rng, rng.choice([0.0, 0.1, 0.12, 0.13]), rng.uniform(0.05, 0.7), rng.uniform(0.5, 0.95))
        foot = canvas.height * rng.uniform(0.85, 1.1)

        def shade(x, y, wax=wax):
            lit = 0.25 + 0.9 * np.exp(-2.2 * y) * np.sqrt(np.clip(1.05 - 4 * x * x, 0, 1))
            return wax * lit[:, None]

        canvas.paint([[-0.5, 0], [0.5, 0], [0.5, 1], [-0.5, 1]], shade, 0, top, np.diag([wide, foot - top[1]]))
        rim = np.diag([0.5, 0.11]) * wide
        canvas.paint(_circle(), np.clip(wax * 1.15 + 0.05, 0, 1), 0, top, rim)
        wick = top - np.array([0, 0.012])
        canvas.ribbon([top, wick - np.array([0, 0.005])], 0.004, np.full(3, 0.08))
        flames.append((tuple(wick), canvas.height * rng.uniform(0.13, 0.32) / many**0.25))
    y, x = np.mgrid[0 : canvas.h, 0 : canvas.w].astype(np.float32) / canvas.w
    for (fx, fy), tall in flames:
        near = np.exp(-np.hypot(x - fx, y - fy + tall / 2) / (tall * 1.2)) * rng.uniform(0.15, 0.45)
        canvas.photo += near[..., None] * np.array([1.0, 0.62, 0.25], np.float32)
    for wick, tall in flames:
        _flame(canvas, wick, tall)


def _static(canvas):
    """A photo in which nothing moves."""
    _surroundings(canvas, _wall, _town, _open_air, _room, _bokeh, _night, _garden)
    _clutter(canvas, 6)


# What a scene shows and how often; plants and large flowers are what people animate most.
KINDS = {
    "close_up": (0.24, _close_up),
    "tree": (0.14, _tree),
    "grass": (0.13, _grass),
    "twig": (0.11, _twig),
    "meadow": (0.10, _meadow),
    "bush": (0.10, _bush),
    "hanging": (0.12, _hanging),
    "candles": (0.08, _candles),
}


# ---------------------------------------------------------------------------------------------- the finished photo


def _develop(canvas):
    """The photo uint8 [H, W, 3] a camera would have taken: light, focus, lens, colour, noise, JPEG."""
    rng = canvas.rng
    if rng.random() < 0.4:
        canvas.blur(rng.uniform(0.0005, 0.003))
    h, w = canvas.h // SUPERSAMPLING, canvas.w // SUPERSAMPLING
    photo = cv2.resize(canvas.photo, (w, h), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.6:
        dapple = 1 + rng.uniform(0.02, 0.12) * np.clip(_noise(rng, h, w, rng.integers(2, 7), 4), -2, 2)
        photo = photo * dapple[..., None]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    photo = photo * (1 - rng.uniform(0, 0.35) * ((x / w - 0.5) ** 2 + (y / h - 0.5) ** 2) * 2)[..., None]
    grey = photo.mean(2, keepdims=True)
    photo = grey + (photo - grey) * rng.uniform(0.55, 1.15)
    photo = photo * rng.normal(1, 0.05, 3) * rng.uniform(0.85, 1.4)
    photo = np.clip(photo, 0, 1) ** rng.uniform(0.7, 1.2)
    photo = photo + rng.standard_normal(photo.shape) * rng.choice([0.003, 0.01, 0.025])
    photo = np.clip(photo * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 97))]
        photo = cv2.imdecode(cv2.imencode(".jpg", photo, quality)[1], cv2.IMREAD_COLOR)
    return photo


def _scaled(scene, rng, amplitude):
    """The scene with all motion scaled so that its liveliest percent of moving pixels has rms `amplitude`."""
    y, x = np.nonzero(scene.piece_id)
    if y.size == 0:
        return scene
    pick = rng.integers(0, y.size, _PROBES)
    y, x = y[pick], x[pick]
    w = scene.photo.shape[1]
    point = np.stack([(x + 0.5) / w, (y + 0.5) / w, np.ones(_PROBES)], 1).astype(np.float32)
    modes = np.einsum("nkij,nj->nki", scene.affine[scene.piece_id[y, x]], point)
    rms = np.sqrt(0.5 * (np.abs(modes) ** 2).sum((1, 2)))
    return replace(scene, affine=scene.affine * np.float32(amplitude / max(np.percentile(rms, 99), 1e-9)))


def random_kind(rng):
    """The name of a kind of scene, ``"static"`` among them, as often as the constants say."""
    if rng.random() < STATIC_SHARE:
        return "static"
    weights = np.array([weight for weight, _ in KINDS.values()])
    return str(rng.choice(list(KINDS), p=weights / weights.sum()))


def random_scene(rng, width=256, height=160, still=None, kind=None):
    """Draw a scene.

    `rng` is a `numpy.random.Generator`, which alone decides what is drawn; `width` and `height` are in pixels.
    `still` may list real still photo regions (uint8 [h, w, 3] RGB), some of which then serve as backgrounds.
    `kind` asks for one of `KINDS` or for ``"static"``; by default it is drawn at random. Returns a `Scene`.
    """
    kind = random_kind(rng) if kind is None else kind
    canvas = Canvas(rng, width, height, still)
    if kind == "static":
        _static(canvas)
    else:
        KINDS[kind][1](canvas)
    centre = slice(SUPERSAMPLING // 2, None, SUPERSAMPLING)
    piece_id = np.ascontiguousarray(canvas.piece[centre, centre])
    scene = Scene(photo=_develop(canvas), piece_id=piece_id, affine=np.stack(canvas.affine))
    low, high = np.log(AMPLITUDE)
    return _scaled(scene, rng, np.exp(rng.uniform(low, high)))


def contact_sheet(count, seed=0, columns=4, kind=None, still=None):
    """`count` scenes as one image uint8 [H, W, 3] RGB, each a photo beside its colour-coded rms motion."""
    tiles = []
    for k in range(count):
        scene = random_scene(np.random.default_rng([seed, k]), still=still, kind=kind)
        h, w = scene.photo.shape[:2]
        level = np.clip(scene.rms(h, w) / AMPLITUDE[1], 0, 1) ** 0.5
        colours = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
        tiles.append(np.concatenate([scene.photo, colours], 1))
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-count % columns)
    return np.concatenate([np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)], 0)


def main(arguments=None):
    """Write a contact sheet of procedural scenes."""
    parser = argparse.ArgumentParser(prog="python -m gid_engine.training.scenes", description=main.__doc__)
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=[*KINDS, "static"])
    options = parser.parse_args(arguments)
    sheet = contact_sheet(options.count, options.seed, kind=options.kind)
    options.out.write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())


if __name__ == "__main__":
    main()
