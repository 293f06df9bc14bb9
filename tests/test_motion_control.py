"""What an artist directs: keyed stiffness and damping, wind that travels, hands, pins, regions, touches that stay
where they belong. Closed forms against a high-accuracy integrator."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from gid_engine.motion import (
    Curve,
    Drag,
    Hand,
    Impulse,
    Modes,
    Performance,
    Pin,
    Region,
    Score,
    Wind,
    border_taper,
)
from gid_engine.motion.clock import Clock
from gid_engine.motion.touch import Ringing

K = 15
FREQUENCY = np.arange(1, K + 1, dtype=np.float32) / 5


def one_plant(h=10, w=16, seed=0, bands=K):
    """Everything moves as one: the same complex numbers everywhere, stronger towards the top."""
    rng = np.random.default_rng(seed)
    q = rng.normal(size=(bands, 2, 1, 1)) + 1j * rng.normal(size=(bands, 2, 1, 1))
    height = np.linspace(1, 0.2, h)[None, None, :, None]
    maps = 0.004 * q * height * np.ones((1, 1, 1, w)) / np.arange(1, bands + 1).reshape(-1, 1, 1, 1)
    return Modes(maps, FREQUENCY[:bands], np.full(bands, 0.08), (640, 400))


def two_plants(h=12, w=24):
    """Left and right half move with unrelated phases; the columns between stand still."""
    left, right = one_plant(h, w, 1).modes.copy(), one_plant(h, w, 2).modes.copy()
    left[..., w // 2 - 1 :] = 0
    right[..., : w // 2 + 1] = 0
    return Modes(left + right, FREQUENCY, np.full(K, 0.08), (640, 320))


STILL = {"amplitude": 0.0}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.05, 4), min_size=1, max_size=5), st.floats(-20, 90), st.sampled_from([0.5, 1]))
@example([1.0, 3.0, 0.001], 20.0, 0.5)
def test_clock_is_the_integral(values, frame, power):
    curve, other = Curve(tuple(range(0, 10 * len(values), 10)), tuple(values)), Curve((3, 40), (1, 2))
    clock = Clock((curve, power), (other, 1), start=5)
    knots = np.unique(
        [*np.linspace(min(5, frame), max(5, frame), 4001), *(k for k in (0, 10, 20, 30, 3) if 5 < k < frame)]
    )
    rate = np.array([curve.at(f) ** power * other.at(f) for f in knots])
    area = np.sum((rate[1:] + rate[:-1]) / 2 * np.diff(knots)) * (1 if frame > 5 else -1)
    assert clock.at(frame) == pytest.approx(area, rel=1e-4, abs=1e-4)
    assert clock.at(5) == 0


def integrated(omega, zeta, seconds, q0=0.0, v0=0.0, stiffness=lambda t: 1.0, force=lambda t: 0.0, breaks=()):
    """q at `seconds` of q̈ + 2ζω√s q̇ + ω²s q = force, by scipy to 1e-11."""

    def slope(t, y):
        s = stiffness(t)
        return [y[1], force(t) - 2 * zeta * omega * np.sqrt(s) * y[1] - omega**2 * s * y[0]]

    state, start = [q0, v0], 0.0
    for stop in [*(b for b in breaks if b < seconds), seconds]:
        state = solve_ivp(slope, (start, stop), state, rtol=1e-11, atol=1e-13, method="DOP853").y[:, -1]
        start = stop
    return state[0]


@settings(max_examples=25, deadline=None)
@given(st.floats(1, 20), st.sampled_from([0.03, 0.3, 1.0, 1.7]), st.floats(0.05, 2.5))
def test_blow_and_release_of_one_band_against_an_integrator(omega, zeta, seconds):
    ringing = Ringing(np.array([omega]), np.array([zeta]), np.array([1.0]))
    # a blow of the impulse ω that the ringing's own peak divides out again
    expected = integrated(omega, zeta, seconds, v0=omega) / ringing._peak
    assert ringing.struck(seconds) == pytest.approx(expected, abs=1e-6)
    assert ringing.released(seconds) == pytest.approx(integrated(omega, zeta, seconds, q0=1.0), abs=1e-6)
    assert ringing.struck(-0.1) == 0 and ringing.released(-0.1) == 1


@pytest.mark.parametrize("stiffness", [0.25, 4.0])
def test_constant_stiffness_is_exact_for_a_blow(stiffness):
    """A plant four times as stiff rings twice as fast, and the push is as far as told either way."""
    modes, poke = one_plant(bands=1), Impulse(10, 0.5, 0.1, (1, 0), 0.02, 0.1)
    soft = Performance(Score(**STILL, impulses=(poke,)), modes)
    hard = Performance(Score(**STILL, impulses=(poke,), stiffness=stiffness), modes)
    for f in (1, 5, 20):
        np.testing.assert_allclose(
            hard.modal_coordinates(10 + f), soft.modal_coordinates(10 + f * np.sqrt(stiffness)), atol=1e-9
        )


def test_slowly_keyed_stiffness_follows_an_integrator():
    """Stiffness from 1 to 2 over four seconds, a 2 Hz band: the adiabatic form is within 2 % of its swing."""
    omega, zeta = 4 * np.pi, 0.03
    modes = Modes(np.full((1, 2, 4, 6), 0.004 + 0j), [2.0], [zeta], (60, 40))
    keys = Curve((0, 120), (1, 2))
    score = Score(**STILL, fps=30, stiffness=keys, impulses=(Impulse(0, 0.5, 0.5, (1, 1), 0.02, 0.3),))
    performance = Performance(score, modes)
    got = np.array([performance.modal_coordinates(f)[-1].real for f in range(5, 121, 5)])
    want = np.array(
        [integrated(omega, zeta, f / 30, v0=1.0, stiffness=lambda t: keys.at(30 * t)) for f in range(5, 121, 5)]
    )
    want *= np.dot(got, want) / np.dot(want, want)
    assert np.abs(got - want).max() < 0.02 * np.abs(want).max()


def test_keyed_damping_calms_what_rings():
    modes = one_plant()
    poke = Impulse(0, 0.5, 0.1)
    free = Performance(Score(**STILL, impulses=(poke,)), modes)
    calmed = Performance(Score(**STILL, impulses=(poke,), damping=Curve((20, 21), (1, 10))), modes)
    assert np.array_equal(free.displacement(15), calmed.displacement(15))
    late = range(90, 120)
    assert max(np.abs(calmed.displacement(f)).max() for f in late) < 0.3 * max(
        np.abs(free.displacement(f)).max() for f in late
    )


def test_a_poke_stays_with_its_plant():
    performance = Performance(Score(**STILL, impulses=(Impulse(0, 0.2, 0.2, (1, 0), 0.02, 0.05),)), two_plants())
    moved = np.stack([np.abs(performance.displacement(f)) for f in range(1, 40)])
    assert moved[:, :, 13:].max() < 0.1 * moved[:, :, :11].max()
    assert moved[:, :, 11:13].max() == 0  # and what stands between stands


def test_strength_is_linear_and_touches_add_up():
    modes = one_plant()
    one, two = Impulse(0, 0.3, 0.2, strength=0.01), Impulse(7, 0.3, 0.2, (0, 1), 0.02)
    both = Performance(Score(**STILL, impulses=(one, two)), modes).displacement(20)
    alone = [Performance(Score(**STILL, impulses=(i,)), modes).displacement(20) for i in (one, two)]
    np.testing.assert_allclose(both, sum(alone), atol=1e-7)
    stronger = Performance(Score(**STILL, impulses=(Impulse(0, 0.3, 0.2, strength=0.03),)), modes).displacement(20)
    np.testing.assert_allclose(stronger, 3 * alone[0], atol=1e-7)


def test_thousands_of_pokes_keep_few_places():
    rng = np.random.default_rng(0)
    pokes = tuple(Impulse(i / 10, *rng.random(2), strength=0.001) for i in range(2000))
    performance = Performance(Score(impulses=pokes), one_plant())
    assert performance.modes.bands <= K + 32
    assert np.isfinite(performance.displacement(150)).all()


def test_a_growing_score_plays_as_if_it_had_been_whole():
    modes, mask = two_plants(), np.tile(np.linspace(0, 1, 24, dtype=np.float32), (12, 1))
    score = Score(regions=(Region("m.png", 0.5, 2.0),), wind=Wind((1.0, 0.2), 1.0, speed=0.3))
    start = Performance(score, modes, [mask])
    start.displacement(3)
    poke = Impulse(2, 0.2, 0.2)
    for grown in (
        replace(score, impulses=(poke,)),
        replace(score, impulses=(poke,), pins=(Pin(0.2, 0.5, 0.2),)),
        replace(score, drags=(Drag(0, 5, 0.2, 0.2),), wind=Wind((0.0, 1.0), 1.0, seed=5)),
    ):
        continued = start.with_score(grown)
        whole = Performance(grown, modes, [mask])
        assert continued.displacement(17).tobytes() == whole.displacement(17).tobytes()
        assert continued.displacement(17).tobytes() != start.displacement(17).tobytes()


def test_what_has_rung_out_is_still():
    performance = Performance(Score(**STILL, impulses=(Impulse(0, 0.3, 0.3),)), one_plant())
    # the slowest band, 0.2 Hz at a damping of 0.08, is under a millionth of the width after 100 s
    assert performance.displacement(60).any() and not performance.displacement(120 * 30).any()


def test_hand_takes_along_and_lets_go():
    hand = Hand(Curve((10, 30), (0.3, 0.7)), 0.3, radius=0.08)
    performance = Performance(Score(**STILL, hands=(hand,)), one_plant())
    assert not performance.displacement(10).any()
    pushed = performance.displacement(20)
    assert pushed[..., 0].max() > 0.005 and pushed[..., 0].max() > 2 * abs(pushed[..., 0].min())
    # the slowest band, 0.2 Hz at a damping of 0.08, loses a factor of seven in 19 s
    assert np.abs(performance.displacement(600)).max() < 0.1 * np.abs(pushed).max()
    order = [Performance(Score(**STILL, hands=(hand,)), one_plant()).displacement(f) for f in (25, 12)]
    assert np.array_equal(order[0], performance.displacement(25))


def test_hand_is_the_integral_of_its_push():
    """One band: the hand's steps are blows; their sum is what an integrator makes of them."""
    omega, zeta, fps = 2 * np.pi * 2.0, 0.1, 30
    modes = Modes(np.full((1, 2, 4, 6), 0.004 + 0j), [2.0], [zeta], (60, 40))
    hand = Hand(Curve((0, 10), (0.4, 0.6)), 0.5, radius=5.0)  # so wide that it touches one place all along
    performance = Performance(Score(**STILL, fps=fps, hands=(hand,)), modes)
    q = np.array([performance.modal_coordinates(f)[-1].real for f in (5, 10, 15, 30)])
    seconds = np.array([5, 10, 15, 30]) / fps
    blows = np.arange(0, 10, 0.5) / fps
    want = [sum(integrated(omega, zeta, t - b, v0=1.0) for b in blows if b < t) for t in seconds]
    np.testing.assert_allclose(q / q[1], np.array(want) / want[1], atol=1e-6)


def test_pin_holds_its_place_and_only_its_place():
    modes = one_plant(20, 32)
    free, held = Performance(Score(), modes), Performance(Score(pins=(Pin(0.25, 0.5, 0.15),)), modes)
    f, h = free.displacement(40), held.displacement(40)
    assert np.abs(h[9:11, 7:9]).max() < 0.1 * np.abs(f[9:11, 7:9]).max()
    np.testing.assert_array_equal(h[:, 20:], f[:, 20:])


def test_regions_have_a_character_of_their_own():
    modes = one_plant(12, 24)
    mask = np.zeros((60, 120), np.float32)
    mask[:, 60:] = 1
    quiet = Performance(Score(regions=(Region("m.png", amplitude=0.0),)), modes, [mask])
    plain = Performance(Score(), modes).displacement(37)
    np.testing.assert_allclose(quiet.displacement(37)[:, :11], plain[:, :11], atol=1e-7)
    assert not quiet.displacement(37)[:, 13:].any()
    same = Performance(Score(regions=(Region("m.png"),)), modes, [mask])
    np.testing.assert_allclose(same.displacement(37), plain, atol=1e-6)
    late = Performance(Score(regions=(Region("m.png", phase=0.3),)), modes, [mask])
    assert not np.allclose(late.displacement(37)[:, 13:], plain[:, 13:], atol=1e-4)
    assert not late.displacement(0).any()
    stiff = Performance(Score(regions=(Region("m.png", stiffness=4.0),)), modes, [mask])
    assert np.array_equal(stiff.modal_coordinates(0), stiff.modal_coordinates(150))  # loops all the same
    quick = np.stack(
        [np.abs(np.diff([p.displacement(f)[2, 20, 0] for f in range(60)])).mean() for p in (stiff, same)]
    )
    assert quick[0] > 1.5 * quick[1]


def test_regions_that_overlap_share():
    modes = one_plant(12, 24)
    ones = np.ones((12, 24), np.float32)
    both = Performance(
        Score(regions=(Region("a", amplitude=1.0), Region("b", amplitude=0.0))), modes, [ones, ones]
    )
    np.testing.assert_allclose(both.displacement(37), Performance(Score(), modes).displacement(37) / 2, atol=1e-6)


def test_masks_of_any_size_and_wrong_count():
    modes, score = one_plant(), Score(regions=(Region("a", amplitude=0.0),))
    for shape in ((1, 1), (3, 1000), (1000, 3), (7, 5)):
        assert not Performance(score, modes, [np.ones(shape)]).displacement(30).any()
    bad = np.full((5, 5), np.nan)
    assert np.isfinite(Performance(score, modes, [bad]).displacement(30)).all()
    with pytest.raises(ValueError, match="1 regions"):
        Performance(score, modes)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(8, 300), st.floats(0, 40), st.lists(st.floats(0.2, 5), min_size=1, max_size=4), st.floats(0, 2),
    st.floats(-3, 3),
)  # fmt: skip
def test_loops_close_whatever_is_keyed(frames, offset, stiffness, travel, turn):
    """A keyed wind or stiffness has a history of its own and is constant here."""
    keys = Curve(tuple(range(0, 9 * len(stiffness), 9)), tuple(stiffness))
    wind = Wind((np.cos(turn), np.sin(turn)), 0.8, 0.7, speed=travel)
    score = Score(
        loop_frames=frames, loop_offset=offset, stiffness=Curve.constant(stiffness[0]), speed=keys, wind=wind
    )
    performance = Performance(score, two_plants(4, 6))
    assert np.array_equal(performance.modal_coordinates(0), np.zeros(K))
    for f in (0, 3):
        np.testing.assert_array_equal(performance.modal_coordinates(f), performance.modal_coordinates(f + frames))
    np.testing.assert_allclose(performance.modal_coordinates(frames - 1e-7), 0, atol=1e-3)


def test_offset_starts_elsewhere_in_the_same_loop():
    modes = one_plant()
    plain, late = Performance(Score(), modes), Performance(Score(loop_offset=40), modes)
    difference = plain.modal_coordinates(70) - plain.modal_coordinates(40)
    np.testing.assert_allclose(late.modal_coordinates(30), difference, atol=1e-9)
    round_trip = Performance(Score(loop_offset=150), modes)
    np.testing.assert_allclose(round_trip.modal_coordinates(30), plain.modal_coordinates(30), atol=1e-9)


def test_travelling_gust_comes_later_downwind():
    modes = two_plants(8, 40)
    wind = Wind((1.0, 0.0), 1.0, 1.0, speed=0.1)  # five seconds from the left plant's middle to the right one's
    left, right = (
        Performance(Score(loop_frames=900, wind=wind, band_gain=(0.0, 0.0, 0.0), amplitude=1.0), half)
        for half in (
            Modes(modes.modes * (np.arange(40) < 19), FREQUENCY, modes.damping, modes.photo_size),
            Modes(modes.modes * (np.arange(40) > 20), FREQUENCY, modes.damping, modes.photo_size),
        )
    )
    a, b = (np.array([p.displacement(f)[..., 0].mean() for f in range(0, 900, 3)]) for p in (left, right))
    a, b = a - a.mean(), b - b.mean()
    lag = [np.dot(a, np.roll(b, -shift)) for shift in range(150)]
    assert np.argmax(lag) == pytest.approx(50, abs=12)  # 5 s are 50 samples of 3 frames


def test_wind_that_turns_leans_the_other_way_without_a_jump():
    modes = one_plant()
    wind = Wind((Curve((0, 100), (1, -1)), 0.0), 1.0, 0.0)
    performance = Performance(Score(loop_frames=0, band_gain=(0.0,) * 3, wind=wind, rest_frame=50), modes)
    lean = np.array([performance.displacement(f)[0, 3, 0] for f in range(101)])
    assert lean[0] > 0 > lean[100]
    assert np.abs(np.diff(lean)).max() < 0.05 * np.ptp(lean)


def test_band_gains_take_keys():
    modes = one_plant()
    performance = Performance(Score(band_gain=(Curve((0, 50), (0, 1)), 0.0, 0.0)), modes)
    assert not performance.displacement(0).any() and performance.displacement(40).any()


def test_score_takes_numbers_and_reads_its_first_version():
    assert Score(stiffness=2).stiffness == Curve.constant(2.0)
    old = {"format": "gid-score", "version": 1, "band_gain": [1, 0.5, 0], "stiffness": 2, "damping": 0.5,
           "wind": {"direction": [0, 1], "strength": [[0, 0], [9, 1]], "gust": 0.3, "seed": 4}}  # fmt: skip
    score = Score.from_dict(old)
    assert score.wind.gust == Curve.constant(0.3) and score.wind.direction[1].at(3) == 1
    assert Score.from_dict(score.to_dict()) == score


def test_everything_goes_through_a_file(tmp_path):
    score = Score(
        loop_offset=3.5, stiffness=Curve((0, 9), (1, 2)), hands=(Hand(Curve((0, 5), (0, 1)), 0.5),),
        pins=(Pin(0.1, 0.2),),
        regions=(Region("masks/é.png", 0.5, 2.0, name="Krone"),), drags=(Drag(1, 9, 0.4, 0.4),),
        wind=Wind((Curve((0, 9), (1, 0)), 0.0), 1.0, Curve((0, 9), (0, 1)), speed=0.4),
    )  # fmt: skip
    score.save(tmp_path / "s.json")
    again = Score.load(tmp_path / "s.json")
    assert Path(again.regions[0].mask) == tmp_path / "masks" / "é.png"
    assert replace(again, regions=score.regions) == score


def test_border_stays():
    taper = border_taper(90, 160)
    assert not taper[[0, -1]].any() and not taper[:, [0, -1]].any() and taper[45, 80] == 1
    assert all(np.diff(taper[45, :20]) >= 0) and border_taper(1, 1).shape == (1, 1)


def test_frames_in_any_order_have_the_same_bits():
    score = Score(
        impulses=(Impulse(3, 0.3, 0.3),), drags=(Drag(5, 20, 0.7, 0.3),), stiffness=Curve((0, 40), (1, 3)),
        hands=(Hand(Curve((0, 30), (0, 1)), 0.4),), wind=Wind((1.0, 0.2), 1.0, 0.5, speed=0.5), loop_frames=0,
    )  # fmt: skip
    performance = Performance(score, two_plants())
    forwards = [performance.displacement(f).tobytes() for f in range(0, 60, 7)]
    again = Performance(score, two_plants())
    assert forwards == [again.displacement(f).tobytes() for f in reversed(range(0, 60, 7))][::-1]
    assert len(set(forwards)) == len(forwards)
    assert all(a != b for a, b in itertools.pairwise(forwards))
