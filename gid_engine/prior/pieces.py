"""What belongs together in a photo: neighbours that look alike and move alike are drawn to one place.

A flower's head sways as one because it is held at one place; its pixels should ask the wind there, not each at its
own. Blurring mean shift (Cheng, PAMI 1995) over position, colour and amplitude finds such places; a few rounds
of it, so that what is of one kind all over, like ivy, falls into no hard pieces.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_REACH = 0.055  # of the kernel, photo widths: about half a flower of a close-up
_NEAR = 0.12  # cells farther apart than this hardly belong together, wherever they are held
_LIKENESS = 0.9  # distance of appearance that counts e^-½
_ROUNDS = 4
_RIM = 6  # cells beyond the border
_STILL = 0.01  # amplitude
# Distances in photo widths and in colour (units of 80) that count e^-½: petals of a flower, and things of a row.
_BESIDE, _IN_A_ROW = (0.08, 0.3), (0.3, 0.1)


def shared_among_alike(colour: Tensor, amplitude: Tensor) -> Tensor:
    """An amplitude [h, w] averaged over neighbours of like colour [3, h, w].

    Of two petals side by side both move, even where the network saw the one alone, and so do gloves on a line,
    whose colour must be more alike, as they are farther apart (bilateral filter, Tomasi and Manduchi 1998, guided
    by the photo).
    """
    beside = _like_mean(colour, amplitude, *_BESIDE)
    return (beside + _like_mean(colour, beside, *_IN_A_ROW)) / 2


def _like_mean(colour: Tensor, amplitude: Tensor, near: float, alike: float) -> Tensor:
    h, w = amplitude.shape
    look, place = colour.reshape(3, -1).T / alike, _positions(h, w, w) / near
    affinity = torch.cdist(look, look).square_() + torch.cdist(place, place).square_()
    return (affinity.mul_(-0.5).softmax(1) @ amplitude.reshape(-1)).view(h, w)


def _positions(h: int, w: int, width: int, rim: int = 0) -> Tensor:
    """Centres of an h×w grid's cells: [h·w, 2] (x, y) in photo widths; width: cells of the photo's own, which
    begin after `rim` cells."""
    ys, xs = torch.meshgrid(*((torch.arange(n) + 0.5 - rim) / width for n in (h, w)), indexing="ij")
    return torch.stack([xs, ys], -1).reshape(-1, 2)


def gathered_positions(appearance: Tensor, amplitude: Tensor, held: Tensor) -> Tensor:
    """Positions [h, w, 2] (x, y in photo widths) at which each cell is held.

    appearance: [C, h, w], distances of unit size mean unlike things; amplitude: [h, w] in 0…1: what is still holds
    nothing together; held: [2, h, w], the way from each cell to where the network thinks it is held, which the
    cells of a thing agree on here.
    """
    h, w = amplitude.shape
    # Without a mirror the picture's border would draw all that is near it into one line.
    rim = min(_RIM, h - 1, w - 1)
    here = _positions(h + 2 * rim, w + 2 * rim, w, rim)
    look = _mirrored(appearance, rim).flatten(1).T
    places = here + _mirrored_ways(held, rim).flatten(1).T
    weight = _mirrored(amplitude[None], rim).flatten()
    some = weight > _STILL  # what is still needs no place, and holds nothing
    affinity = _closeness(torch.cat([look / _LIKENESS, here / _NEAR], 1)[some], weight[some].log())
    place = places[some]
    for _ in range(_ROUNDS):
        near = _closeness(place / _REACH, affinity).exp_()
        sums = near @ F.pad(place, (0, 1), value=1.0)
        place = sums[:, :2] / sums[:, 2:].clamp_min(1e-12)
    places[some] = place
    return places.view(h + 2 * rim, w + 2 * rim, 2)[rim : rim + h, rim : rim + w]


def _closeness(points: Tensor, start: Tensor) -> Tensor:
    """start − ½|p_i − p_j|² for all pairs of points [n, k], in one pass over the [n, n] there are."""
    half = points.square().sum(1, keepdim=True) / 2
    one = torch.ones_like(half)
    return torch.addmm(start, torch.cat([points, -half, one], 1), torch.cat([points, one, -half], 1).T)


def _mirrored(maps: Tensor, rim: int) -> Tensor:
    return F.pad(maps[None], (rim,) * 4, mode="reflect")[0]


def _mirrored_ways(held: Tensor, rim: int) -> Tensor:
    """Vectors [2, h, w] as a mirror beyond the border shows them."""
    ways = _mirrored(held, rim)
    ways[0, :, :rim].neg_()
    ways[0, :, ways.shape[2] - rim :].neg_()
    ways[1, :rim].neg_()
    ways[1, ways.shape[1] - rim :].neg_()
    return ways
