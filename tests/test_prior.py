"""The motion prior with the weights that ship: what moves, what stays, and what is wrong is said."""

import itertools
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gid_engine.errors import Cancelled, GidError
from gid_engine.media import as_srgb8, load_photo
from gid_engine.motion import Performance, Score, fix_gauge
from gid_engine.prior import Prior, notes_on
from gid_engine.prior.pieces import gathered_positions, shared_among_alike
from gid_engine.prior.predictor import WRITING, _closed, _evened, working_size
from gid_engine.prior.sampling import karras_sigmas, sample_dpmpp_2m
from gid_engine.prior.shape import channels_to_volume, volume_to_channels
from gid_engine.prior.sway import Sway
from gid_engine.prior.weights import FOLDER, MANIFEST

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def prior() -> Prior:
    return Prior.load("cpu")


@pytest.fixture(scope="module")
def aster() -> np.ndarray:
    return as_srgb8(load_photo(ROOT / "examples" / "aster.jpg"))


@pytest.fixture(scope="module")
def aster_modes(prior, aster):
    return prior.predict(aster, seed=1)


def test_flowers_move_and_the_wall_stays(aster_modes):
    rms = aster_modes.rms()
    h, w = rms.shape
    head = rms[round(0.35 * h) : round(0.7 * h), round(0.5 * w) : round(0.68 * w)]
    wall = rms[round(0.05 * h) : round(0.5 * h), round(0.03 * w) : round(0.16 * w)]
    assert head.mean() > 1 / 512  # a pixel of the paper's 512-wide clips, whose mean motion is 0.3 to 1.9
    assert wall.mean() < 0.05 * head.mean()  # the leak that is called still


def test_motion_is_of_a_piece(aster_modes):
    """Neighbours move alike: the difference of neighbouring cells is small beside the motion itself."""
    modes = aster_modes.modes
    step = np.abs(np.diff(modes, axis=-1)).mean() + np.abs(np.diff(modes, axis=-2)).mean()
    assert step < 0.25 * np.abs(modes).mean()


def test_things_of_a_row_all_move():
    """Of two like gloves one was seen to move: the other one moves too, the wall between them does not."""
    colour, amplitude = torch.zeros(3, 40, 64), torch.zeros(40, 64)
    for left, told in ((8, 0.8), (30, 0.1)):
        colour[:, 10:30, left : left + 12] = 1.0
        amplitude[10:30, left : left + 12] = told
    shared = shared_among_alike(colour, amplitude)
    assert shared[10:30, 30:42].min() > 0.17 and shared[:, 22:28].max() < 0.02


def test_the_liveliest_stay_and_the_slight_stop():
    amplitude = np.zeros((40, 64), np.float32)
    for column, told in ((4, 0.5), (14, 0.4), (24, 0.25), (34, 0.1)):
        amplitude[5:35, column : column + 8] = told
    amplitude[20, 60] = 0.9  # a single flame
    most, much, some, slight = _evened(amplitude)[20, [8, 18, 28, 38]]
    assert most == pytest.approx(0.5) and 0.4 < much < most and 0.2 < some < much and slight == 0
    assert _evened(amplitude).max() == pytest.approx(0.5)


def test_writing_goes_along_with_the_paper():
    plane = np.ones((40, 60), np.float32)
    plane[10:30, 20:23] = 0.3  # a stroke
    plane[10:30, 40:48] = 0.3  # a gap that the background shows through
    closed = _closed(plane, WRITING)
    assert closed[10:30, 20:23].min() == 1 and closed[14:26, 42:46].max() < 0.31


def test_what_grows_together_is_not_cut(aster_modes):
    """Strain of the motion's shape where it is lively, a photo width: the worst tenth of the paper's clips has 39,
    and at 60 a flower's heart was seen to be sheared off its petals."""
    modes = aster_modes.modes
    rms, width = aster_modes.rms(), modes.shape[-1]

    def squared(parts: np.ndarray) -> np.ndarray:
        steps = [np.gradient(parts.real, axis=axis) for axis in (-1, -2)]
        steps += [np.gradient(parts.imag, axis=axis) for axis in (-1, -2)]
        return sum(step**2 for step in steps).reshape(-1, *rms.shape).sum(0)

    shape = np.sqrt(np.maximum(squared(modes) / 2 - squared(rms), 0)) * width
    lively = rms > 0.4 * np.percentile(rms, 98)
    assert np.percentile(shape[lively] / rms[lively], 90) < 39


def test_a_doubtful_thing_moves_gently_and_is_told(prior, aster, monkeypatch):
    """The head says of every other candle that it hardly moves; a still picture's one faint spot stays still."""
    small = aster[::4, ::4]
    size = working_size(small.shape[1], small.shape[0])
    cells = size[1] // 4, size[0] // 4

    def seen(level: float):
        amplitude = np.zeros(cells, np.float32)
        amplitude[10:30, 20:40] = level
        nothing = np.zeros((2, *cells), np.float32)
        monkeypatch.setattr(prior, "_look", lambda *_: (amplitude, nothing, nothing))
        modes = prior.predict(small)
        return 960 * np.percentile(modes.rms(), 99), notes_on(modes)

    motion, notes = seen(0.09)
    assert 1 < motion < 3 and "mask" in notes[0]
    motion, notes = seen(0.6)
    assert motion > 3 and notes == []
    motion, notes = seen(0.02)
    assert motion == 0 and "still" in notes[0]


def test_loop_and_rest_of_a_prediction(aster_modes):
    performance = Performance(Score(), aster_modes)
    assert not performance.displacement(0).any()
    steps = [performance.displacement(f) for f in range(151)]
    speed = [np.linalg.norm(b - a, axis=-1).mean() for a, b in itertools.pairwise(steps)]
    assert speed[-1] <= 2 * np.median(speed)  # the seam is no faster than the motion; random phases swing twofold


def test_a_seed_is_a_motion(prior, aster, aster_modes):
    small = aster[::8, ::8]
    first = prior.predict(small, seed=3)
    assert np.array_equal(first.modes, prior.predict(small, seed=3).modes)
    assert not np.allclose(first.modes, prior.predict(small, seed=4).modes, atol=1e-4)
    assert first.source == aster_modes.source and first.seed == 3


def test_mask_limits_the_motion(prior, aster):
    small = aster[::4, ::4]
    mask = np.zeros(small.shape[:2], np.float32)
    mask[:, mask.shape[1] // 2 :] = 1
    rms = prior.predict(small, mask=mask).rms()
    middle = rms.shape[1] // 2
    assert rms[:, : middle - 1].max() == 0 and rms[:, middle + 1 :].max() > 1 / 512


def _bricks() -> np.ndarray:
    """A weathered brick wall with nothing before it: uint8 [240, 320, 3]."""
    rng = np.random.default_rng(0)
    wall = np.full((240, 320, 3), (150, 80, 60), np.float32)
    for row, left in zip(range(0, 240, 20), [0, 20] * 6, strict=True):
        wall[row : row + 3] = (190, 185, 180)
        for column in range(left, 320, 40):
            wall[row : row + 20, column : column + 3] = (190, 185, 180)
    stains = cv2.GaussianBlur(rng.normal(0, 180, wall.shape[:2]).astype(np.float32), (0, 0), 3)
    return np.clip(wall + stains[..., None] + rng.normal(0, 8, wall.shape), 0, 255).astype(np.uint8)


def _print() -> np.ndarray:
    """Black letters on white paper."""
    page = np.full((240, 320, 3), 255, np.uint8)
    for line in range(9):
        cv2.putText(page, "Nothing here can move", (10, 30 + 24 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0,) * 3)
    return page


@pytest.mark.parametrize("photo", [_bricks(), _print()], ids=["wall", "print"])
def test_what_cannot_move_stays_still_and_is_told(prior, photo):
    modes = prior.predict(photo)
    assert np.percentile(modes.rms(), 99.5) < 0.25 / 512  # px of the paper's clips: nobody sees it
    assert modes.confidence.max() < 0.2
    assert "still" in notes_on(modes)[0]


def test_what_moves_needs_no_note(aster_modes):
    assert notes_on(aster_modes) == [] and aster_modes.confidence.max() > 0.4


def test_a_mask_over_what_cannot_move_is_told(prior, aster):
    small = aster[::4, ::4]
    assert "mask" in notes_on(prior.predict(small, mask=np.zeros(small.shape[:2])))[0]


def test_a_painted_thing_moves_more_surely(prior, aster):
    """A mask around a flower says that the flower moves; one of the whole photo says nothing."""
    small = aster[::4, ::4]
    h, w = small.shape[:2]
    mask = np.zeros((h, w), np.float32)
    mask[round(0.3 * h) : round(0.75 * h), round(0.45 * w) : round(0.7 * w)] = 1
    free, all_of_it, painted = (prior.predict(small, mask=m) for m in (None, np.ones((h, w)), mask))
    assert np.allclose(free.rms(), all_of_it.rms(), atol=1e-6)
    inside = painted.mask > 0.99
    assert painted.confidence[inside].mean() > 1.1 * free.confidence[inside].mean()


def _likeness(one, other) -> float:
    return float(np.corrcoef(one.rms().ravel(), other.rms().ravel())[0, 1])


def test_a_grey_photo_moves_like_the_coloured_one(prior, aster, aster_modes):
    grey = np.repeat(cv2.cvtColor(aster, cv2.COLOR_RGB2GRAY)[..., None], 3, -1)
    assert _likeness(prior.predict(grey, seed=1), aster_modes) > 0.5  # colour tells flower from leaf


def test_a_night_shot_moves_like_the_day(prior, aster, aster_modes):
    """An eighth of the light: without lighting it up nothing would move at all."""
    assert _likeness(prior.predict(aster // 8, seed=1), aster_modes) > 0.8


def test_a_line_drawing_is_no_error(prior):
    paper = np.full((200, 300, 3), 250, np.uint8)
    for x in range(40, 300, 60):
        cv2.line(paper, (x, 200), (x, 100), (0, 0, 0), 2)
        cv2.circle(paper, (x, 85), 18, (0, 0, 0), 2)
    modes = prior.predict(paper)
    assert np.isfinite(modes.modes).all() and modes.rms().max() < 0.012 * 1.1  # LIVELIEST, and rounding


@pytest.mark.parametrize("value", [np.nan, np.inf, -1, 7])
def test_a_mask_of_any_size_and_value(prior, aster, value):
    mask = np.full((37, 11), value, np.float32)
    mask[:, 6:] = 1
    small = aster[::8, ::8]
    modes = prior.predict(small, mask=mask)
    assert np.isfinite(modes.modes).all() and 0 <= modes.mask.min() and modes.mask.max() <= 1
    assert modes.rms()[:, -20:].max() > 0.25 / 512


@pytest.mark.parametrize("shape", [(16, 16), (40, 600), (700, 50), (64, 64)])
@pytest.mark.parametrize("value", [0, 255])
def test_any_size_and_a_blank_photo(prior, shape, value):
    modes = prior.predict(np.full((*shape, 3), value, np.uint8))
    assert np.isfinite(modes.modes).all() and modes.photo_size == (shape[1], shape[0])
    assert max(modes.grid) == 256 and modes.grid == working_size(shape[1], shape[0])[::-1]


def test_progress_and_cancel(prior, aster):
    told = []

    def stop(fraction, text):
        told.append(fraction)
        if fraction > 0.2:
            raise Cancelled

    with pytest.raises(Cancelled):
        prior.predict(aster[::8, ::8], progress=stop)
    assert told == sorted(told) and len(told) >= 2


def test_weights_missing_or_damaged(tmp_path):
    with pytest.raises(GidError, match="missing"):
        Prior.load("cpu", tmp_path)
    for path in FOLDER.iterdir():
        if path.suffix in (".safetensors", ".json"):
            shutil.copyfile(path, tmp_path / path.name)
    victim = tmp_path / "head.safetensors"
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    with pytest.raises(GidError, match=r"head\.safetensors.*damaged"):
        Prior.load("cpu", tmp_path)
    victim.unlink()
    with pytest.raises(GidError, match=r"head\.safetensors.*missing"):
        Prior.load("cpu", tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(GidError, match="damaged"):
        Prior.load("cpu", tmp_path)


def test_weights_fit_the_package():
    sizes = {path.name: path.stat().st_size for path in FOLDER.glob("*.safetensors")}
    assert sum(sizes.values()) < 40 << 20
    assert set(sizes) == set(json.loads((FOLDER / MANIFEST).read_text()))


def test_unknown_device():
    with pytest.raises(GidError, match="abacus"):
        Prior.load("abacus")


def test_channels_round_trip():
    rng = np.random.default_rng(0)
    volume = (rng.normal(size=(15, 2, 3, 4)) + 1j * rng.normal(size=(15, 2, 3, 4))).astype(np.complex64)
    np.testing.assert_array_equal(channels_to_volume(volume_to_channels(volume)), volume)
    fixed, _ = fix_gauge(volume)
    assert volume_to_channels(fixed).shape == (60, 3, 4)


def test_sampler_finds_a_known_distribution():
    """For Gaussian data of mean 3 and deviation 0.5 the ideal denoiser is known; samples must have both."""

    def denoise(x, sigma):
        s2 = sigma.view(-1, 1) ** 2
        return (0.25 * x + s2 * 3) / (0.25 + s2)

    sigmas = karras_sigmas(24)
    assert len(sigmas) == 25 and sigmas[-1] == 0 and (sigmas[:-1] > sigmas[1:]).all()
    noise = torch.randn(1, 20_000, generator=torch.Generator().manual_seed(0))
    samples = sample_dpmpp_2m(denoise, 3 + noise * sigmas[0], sigmas)  # the noised distribution has the mean too
    assert samples.mean() == pytest.approx(3, abs=0.02)
    assert samples.std() == pytest.approx(0.5, rel=0.05)  # 24 steps are not quite the exact flow


def test_places_move_as_alike_as_in_the_papers_clips():
    """Measured on its fifteen result clips: 0.83 at 0.05 photo widths, 0.4 at 0.2, 0.2 far away."""
    for distance, likeness in ((0.05, 0.83), (0.2, 0.4), (0.6, 0.2)):
        seen = []
        for seed in range(300):
            one, other = Sway(np.random.default_rng(seed)).wind([[0.2, 0.2], [0.2, 0.2 + distance]])
            seen.append(np.vdot(one, other).real / len(one))
        assert np.mean(seen) == pytest.approx(likeness, abs=0.1), distance


def test_things_of_any_tempo_have_quick_motion_too():
    """A third of the energy is above 1 Hz, in the paper's clips and in those of real plants, soft or stiff."""
    rows, columns = np.mgrid[0.05:1:0.15, 0.05:1:0.15]
    places = np.stack([columns, rows], -1)
    for tempo in (0.3, 0.5, 0.7):
        shares = []
        for seed in range(40):
            sway = Sway(np.random.default_rng(seed))
            q = sway.oscillation(places, np.clip(tempo + 0.2 * sway.field(places), 0, 1))
            shares.append((np.abs(q) ** 2 / 2).mean((0, 1)))
        share = np.mean(shares, 0)
        assert share.sum() == pytest.approx(1)
        assert 0.24 < share[5:].sum() < 0.42, tempo


def test_a_flower_moves_as_one_and_its_neighbour_on_its_own():
    rows, columns = np.mgrid[0:40, 0:64]
    left = (rows - 20) ** 2 + (columns - 18) ** 2 < 60
    right = (rows - 20) ** 2 + (columns - 44) ** 2 < 60
    amplitude = torch.from_numpy((left | right).astype(np.float32))
    place = gathered_positions(3 * amplitude[None], amplitude, torch.zeros(2, 40, 64)).numpy()
    across = 2 * np.sqrt(60) / 64  # of a flower
    assert max(np.ptp(place[flower], axis=0).max() for flower in (left, right)) < 0.4 * across
    assert np.linalg.norm(place[left].mean(0) - place[right].mean(0)) == pytest.approx(26 / 64, abs=0.05)


def test_petals_of_one_colour_move_alike():
    """One of two like petals was seen to move: the other one moves too, and what is of another colour hardly."""
    colour, amplitude = torch.zeros(3, 40, 64), torch.zeros(40, 64)
    colour[:, 10:30, 10:20] = 2
    amplitude[10:20, 10:20] = 1
    shared = shared_among_alike(colour, amplitude)
    assert shared[21:29, 11:19].mean() > 0.2 and shared[21:29, 22:30].mean() < 0.02
