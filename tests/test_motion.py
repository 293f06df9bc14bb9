"""Motion: spectra, loops, oscillators, scores and the motion file."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from gid_engine import motion
from gid_engine.errors import GidError
from gid_engine.motion import Curve, Drag, Impulse, Modes, Performance, Score, Wind

K = 15
FREQUENCY = np.arange(1, K + 1) / 5


def make_modes(seed=0, h=10, w=16, bands=K, **kwargs) -> Modes:
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(bands, 2, h, w)) + 1j * rng.normal(size=(bands, 2, h, w))
    maps *= 0.003 / np.sqrt(np.arange(1, bands + 1))[:, None, None, None]
    return Modes(maps, FREQUENCY[:bands], np.full(bands, 0.08), (640, 400), **kwargs)


def two_branches() -> Modes:
    """A picture whose left and right halves sway with phases of their own, the middle column still."""
    rng = np.random.default_rng(3)
    maps = np.zeros((K, 2, 10, 16), complex)
    for columns in (slice(0, 7), slice(9, 16)):
        phase = np.exp(2j * np.pi * rng.random(K))[:, None, None]
        maps[:, 0, :, columns] = 0.004 * phase * np.linspace(1, 0, 10)[:, None]
    return Modes(maps, FREQUENCY, np.full(K, 0.08), (640, 400))


# --- spectrum ---------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(32, 180), st.integers(1, 15))
def test_fft_round_trip(seed, count, bands):
    rng = np.random.default_rng(seed)
    spectrum = rng.normal(size=(bands, 2, 3)) + 1j * rng.normal(size=(bands, 2, 3))
    trajectories = motion.trajectories_from_spectrum(spectrum, count)
    assert np.array_equal(trajectories[0], np.zeros((2, 3)))  # frame 0 is the photo
    np.testing.assert_allclose(motion.spectrum_from_trajectories(trajectories, bands), spectrum, atol=1e-10)


def test_spectrum_is_what_the_score_plays():
    modes = make_modes()
    trajectories = motion.trajectories_from_spectrum(modes.modes, 150)
    performance = Performance(Score(), modes)
    played = np.stack([performance.displacement(t) for t in range(150)])
    # float32 sums of 15 terms of about 3e-3
    np.testing.assert_allclose(played, np.moveaxis(trajectories, 1, -1), atol=2e-8)


def test_loopify_removes_the_jump():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(180, 50)), axis=0)
    walk = np.apply_along_axis(lambda x: np.convolve(x, np.ones(9) / 9, "same"), 0, walk)
    loop = motion.loopify(walk, 30)
    assert loop.shape == (150, 50)
    np.testing.assert_array_equal(loop[:120], walk[30:150])
    inside = np.sqrt(np.square(np.diff(loop[:120], axis=0)).mean())
    seam = np.sqrt(np.square(loop[0] - loop[-1]).mean())
    jump = np.sqrt(np.square(walk[30] - walk[-1]).mean())
    assert seam < 1.5 * inside < jump  # no faster than the motion itself, where the raw clip jumps


def test_normalisation_round_trip_and_scale():
    modes = make_modes().modes
    scale = motion.percentile_scale(modes[None])
    parts = motion.normalise(modes, scale)
    np.testing.assert_allclose(motion.denormalise(parts, scale), modes, rtol=1e-5, atol=1e-9)
    # 5 % of the coefficients of every band lie above the 95th percentile, where the normalised value is 1
    np.testing.assert_allclose((np.abs(parts) > 1).mean(axis=(0, 2, 3, 4)), 0.05, atol=0.004)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=K, max_size=K))
def test_gauge_takes_out_any_phase(phases):
    modes = make_modes().modes
    fixed, angle = motion.fix_gauge(modes)
    turned, _ = motion.fix_gauge((modes.T * np.exp(1j * np.array(phases))).T)
    sums = np.sum(fixed.reshape(K, -1) ** 2, axis=1)
    assert (sums.real > 0).all() and (np.abs(sums.imag) < 1e-4 * sums.real).all()
    # the sign is ambiguous only if the real parts sum to nothing, which random maps don't
    np.testing.assert_allclose(turned, fixed, atol=1e-6)
    np.testing.assert_allclose((fixed.T * np.exp(1j * angle)).T, modes, atol=1e-7)


# --- oscillator -------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 20), st.one_of(st.floats(0, 3), st.just(1.0)), st.floats(0.01, 3))
def test_oscillator_against_an_integrator(omega, zeta, seconds):
    def move(_, y):
        return [y[1], -2 * zeta * omega * y[1] - omega**2 * y[0]]

    def reference(start):
        return solve_ivp(move, (0, seconds), start, rtol=1e-10, atol=1e-12).y[:, -1]

    assert abs(motion.impulse_response(omega, zeta, seconds) - reference([0, 1])[0]) < 1e-6
    assert abs(motion.release_response(omega, zeta, seconds) - reference([1, 0])[0]) < 1e-6
    np.testing.assert_allclose(
        motion.step(0.3, -0.7, omega, zeta, seconds), reference([0.3, -0.7]), atol=1e-6 * max(1, omega)
    )


def test_steps_of_any_size_agree():
    q = v = 1.0
    for _ in range(100):
        q, v = motion.step(q, v, 9.0, 0.05, 0.03, u=2.0)
    np.testing.assert_allclose((q, v), motion.step(1.0, 1.0, 9.0, 0.05, 3.0, u=2.0), atol=1e-12)


# --- curves -----------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 50), st.floats(-5, 5)), min_size=1, max_size=8), st.floats(-80, 80))
def test_curve_integral_is_the_area(keys, frame):
    keys = sorted(dict(keys).items())
    curve = Curve(tuple(f for f, _ in keys), tuple(v for _, v in keys))
    knots = [x for x in curve.frames if min(frame, keys[0][0]) <= x <= max(frame, keys[0][0])]
    x = np.unique(np.array([*knots, frame, keys[0][0]], float))
    area = np.trapezoid([curve.at(v) for v in x], x) * (1 if frame >= keys[0][0] else -1)
    assert curve.integral(frame) == pytest.approx(area, abs=1e-9)


# --- score ------------------------------------------------------------------------------------------------------

FULL = Score(
    loop_frames=0,
    amplitude=Curve((0, 50), (0.2, 1.4)),
    speed=Curve((0, 30, 90), (1, 0.2, 2)),
    impulses=(Impulse(12, 0.2, 0.3),),
    drags=(Drag(20, 40, 0.8, 0.2, (0.01, -0.02)),),
    wind=Wind((1, 0.2), Curve((0, 60), (0, 1)), 0.7, 5),
)


@pytest.mark.parametrize("score", [Score(), FULL], ids=["loop", "everything"])
def test_any_frame_alone_has_the_same_bits(score):
    modes = make_modes()
    performance = Performance(score, modes)
    frames = [77, 3, 0, 149, 50]
    backwards = {f: performance.displacement(f).tobytes() for f in sorted(frames, reverse=True)}
    for f in frames:
        assert Performance(score, modes).displacement(f).tobytes() == backwards[f]
        assert np.array_equal(score.modal_coordinates(modes, f), performance.modal_coordinates(f))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(8, 400),
    st.sampled_from([12.0, 24.0, 29.97, 60.0]),
    st.integers(-30, 30),
    st.lists(st.floats(-1, 3), min_size=1, max_size=4),
)
def test_every_loop_closes_exactly(frames, fps, rest, speeds):
    speed = Curve(tuple(range(rest, rest + 7 * len(speeds), 7)), tuple(speeds))
    wind = Wind(strength=Curve.constant(0.8))
    score = Score(fps=fps, loop_frames=frames, rest_frame=rest, speed=speed, wind=wind)
    performance = Performance(score, make_modes(h=2, w=2))
    assert np.array_equal(performance.modal_coordinates(rest), np.zeros(K))
    for f in (rest, rest + 5):
        assert np.array_equal(performance.modal_coordinates(f), performance.modal_coordinates(f + frames))
    # and it closes as a motion: the step over the seam is the continuous motion's own
    before = performance.modal_coordinates(rest + frames - 1e-6)
    np.testing.assert_allclose(before, 0, atol=1e-3)


def test_loops_of_any_length_keep_their_pace():
    modes = make_modes(h=2, w=2)
    for frames in (90, 150, 301):
        performance = Performance(Score(loop_frames=frames), modes)
        q = np.stack([performance.modal_coordinates(f) for f in range(frames)])
        cycles = np.abs(np.fft.fft(q[:, 9])).argsort()[-1]
        # band 10 is 2 Hz; the nearest harmonic of the loop is at most half a bin away
        assert abs(cycles / (frames / 30) - 2.0) <= 0.5 / (frames / 30) + 1e-9


def test_endless_take_does_not_repeat():
    performance = Performance(Score(loop_frames=0), make_modes(h=2, w=2))
    first = performance.modal_coordinates(40)
    assert min(np.abs(first - performance.modal_coordinates(40 + 150 * n)).max() for n in range(1, 8)) > 0.05


def test_speed_zero_stands_still_and_amplitude_zero_is_the_photo():
    modes = make_modes()
    frozen = Performance(Score(speed=Curve((0, 30, 31), (1, 1, 0)), loop_frames=0), modes)
    assert np.array_equal(frozen.displacement(40), frozen.displacement(100))
    assert not Performance(Score(amplitude=Curve.constant(0)), modes).displacement(33).any()


def test_band_gain_silences_a_band():
    performance = Performance(Score(band_gain=(1, 1, 0)), make_modes())
    q = performance.modal_coordinates(17)
    assert np.abs(q[0]) > 0 and np.array_equal(q[FREQUENCY >= 2.2], np.zeros((FREQUENCY >= 2.2).sum()))


def test_impulse_moves_its_place_first_in_its_direction_and_as_far_as_told():
    modes = two_branches()
    poke = Impulse(10, 0.2, 0.1, (1, 0), 0.02, 0.1)
    performance = Performance(Score(amplitude=Curve.constant(0), impulses=(poke,)), modes)
    assert not performance.displacement(10).any()
    moved = np.stack([performance.displacement(10 + f)[1, 3, 0] for f in np.arange(0, 40, 0.25)])
    assert moved[1] > 0
    # the place itself stands for a Gaussian neighbourhood of mixed amplitude: within a quarter of what was asked
    assert moved.max() == pytest.approx(0.02, rel=0.25)
    assert np.abs(performance.displacement(10 + 300)).max() < 0.05 * moved.max()  # it rings out


def test_poke_on_one_branch_moves_it_more_than_the_other():
    modes = two_branches()
    performance = Performance(Score(amplitude=Curve.constant(0), impulses=(Impulse(0, 0.2, 0.1),)), modes)
    early = np.stack([performance.displacement(f) for f in range(1, 20)])
    left, right = np.abs(early[:, :3, :7]).max(), np.abs(early[:, :3, 9:]).max()
    assert left > 1.5 * right  # one band could not tell them apart; fifteen with phases of their own can


def test_poke_at_stillness_moves_nothing():
    performance = Performance(
        Score(amplitude=Curve.constant(0), impulses=(Impulse(0, 0.5, 0.5, radius=0.02),)), two_branches()
    )
    # the brush's rim reaches the branches a little: a tenth of the poke's 0.02 at most
    assert max(np.abs(performance.displacement(f)).max() for f in range(30)) < 0.002


def test_drag_holds_its_offset_then_lets_go():
    drag = Drag(10, 30, 0.2, 0.1, (0.03, 0), 0.05)
    performance = Performance(Score(amplitude=Curve.constant(0), drags=(drag,)), two_branches())
    path = np.stack([performance.displacement(f)[1, 3, 0] for f in range(0, 200)])
    assert path[10] == 0 and path[30] == pytest.approx(0.03, rel=0.15)
    assert path[30:60].min() < -0.1 * path[30] and abs(path[-1]) < 0.1 * path[30]


def test_wind_leans_the_way_it_blows():
    modes = two_branches()
    calm_to_storm = Wind((1, 0), Curve((0, 60), (0, 2)), gust=0.0)
    performance = Performance(Score(loop_frames=0, amplitude=Curve((0, 1), (1, 1)), wind=calm_to_storm), modes)
    still = Performance(Score(loop_frames=0), modes)
    lean = performance.displacement(60) - still.displacement(60)
    assert lean[:3, :, 0].mean() > 0


def test_score_file_round_trip(tmp_path):
    FULL.save(tmp_path / "wind é 風.json")
    assert Score.load(tmp_path / "wind é 風.json") == FULL


@pytest.mark.parametrize(
    "field, value",
    [
        ("fps", 0),
        ("fps", "fast"),
        ("loop_frames", 1.5),
        ("amplitude", [[0, 1], [0, 2]]),
        ("amplitude", [[0, float("nan")]]),
        ("amplitude", []),
        ("band_gain", [1, 1]),
        ("impulses", [{"x": 0.5, "y": 0.5}]),
        ("impulses", {"frame": 1}),
        ("wind", {"direction": [1]}),
        ("gravity", 9.81),
        ("version", 9),
    ],
)
def test_bad_score_names_the_field(field, value):
    with pytest.raises(GidError) as caught:
        Score.from_dict({field: value})
    assert field in caught.value.message or field == "version"


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "3"])
def test_broken_score_file_is_a_sentence(tmp_path, text):
    path = tmp_path / "score.json"
    path.write_text(text)
    with pytest.raises(GidError, match=r"score\.json"):
        Score.load(path)


# --- motion file ------------------------------------------------------------------------------------------------


def test_motion_file_round_trip(tmp_path):
    modes = make_modes(photo_sha256="ab", seed=7, source="prior x", rest_time=1.25, confidence=np.ones((10, 16)))
    path = tmp_path / "new folder" / "木 é.motion.safetensors"
    motion.save_motion(path, modes)
    again = motion.load_motion(path)
    # float16 keeps 11 bits
    np.testing.assert_allclose(again.modes, modes.modes, atol=np.abs(modes.modes).max() * 2**-11)
    for name in ("photo_size", "photo_sha256", "seed", "source", "rest_time"):
        assert getattr(again, name) == getattr(modes, name)
    assert again.mask is None and again.confidence.min() == 1
    assert list(path.parent.iterdir()) == [path]
    motion.save_motion(path, again)  # what was read is written the same
    np.testing.assert_array_equal(motion.load_motion(path).modes, again.modes)


def test_motion_file_is_plain_safetensors(tmp_path):
    path = tmp_path / "m.safetensors"
    motion.save_motion(path, make_modes())
    tensors = safetensors.numpy.load_file(path)
    assert tensors["modes"].shape == (K, 2, 10, 16, 2) and tensors["modes"].dtype == np.float16
    safetensors.numpy.save_file(tensors, tmp_path / "other.safetensors", metadata={"format": "pt"})
    with pytest.raises(GidError, match="not of a motion"):
        motion.load_motion(tmp_path / "other.safetensors")


def _file(header, data=b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_hostile_motion_files_are_sentences(tmp_path):
    good = tmp_path / "good.safetensors"
    motion.save_motion(good, make_modes())
    whole = good.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    header, data = json.loads(whole[8 : 8 + length]), whole[8 + length :]

    def changed(name, **entry):
        return _file({**header, name: {**header[name], **entry}}, data)

    nan = bytearray(data)
    nan[:2] = b"\x00\x7e"
    meta = header["__metadata__"]
    bad = {
        "empty": b"",
        "short": whole[:5],
        "cut": whole[:-10],
        "huge header": struct.pack("<Q", 2**62) + whole[8:],
        "not json": _file(b"\x80\x04pickle"),
        "list": _file([]),
        "deep": _file(b"[" * 90_000),
        "shape": changed("modes", shape=[K, 2, 10, 16, 3]),
        "overflow": changed("modes", shape=[2**40, 2**40, 2, 2, 2]),
        "negative": changed("modes", data_offsets=[-4, 10]),
        "missing": _file({k: v for k, v in header.items() if k != "damping"}, data),
        "dtype": changed("modes", dtype="I64"),
        "words": changed("modes", shape="abc"),
        "nan": whole[: 8 + length] + bytes(nan),
        "version": _file({**header, "__metadata__": {**meta, "version": "9"}}, data),
        "size": _file({**header, "__metadata__": {**meta, "photo_width": "-3"}}, data),
        "rest": _file({**header, "__metadata__": {**meta, "rest_time": "nan"}}, data),
    }
    for name, content in bad.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        with pytest.raises(GidError) as caught:
            motion.load_motion(path)
        assert str(path) in caught.value.message, name
    for path in (tmp_path, tmp_path / "none.safetensors"):
        with pytest.raises(GidError, match="could not be read"):
            motion.load_motion(path)


def test_nothing_half_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gid_engine.motion.motion_file.os.fsync", full)
    with pytest.raises(GidError, match="No space left"):
        motion.save_motion(tmp_path / "m.safetensors", make_modes())
    assert not list(tmp_path.iterdir())
    broken = make_modes().modes.copy()
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(GidError, match="not numbers"):
        motion.save_motion(tmp_path / "m.safetensors", Modes(broken, FREQUENCY, FREQUENCY, (4, 4)))


def test_quietest_time_starts_near_the_equilibrium():
    modes = make_modes()
    clock = motion.modes.quietest_time(modes.modes, modes.frequency_hz)
    rest = Modes(modes.modes, FREQUENCY, modes.damping, modes.photo_size, rest_time=clock)

    def offset(m):
        return np.linalg.norm(np.mean([Performance(Score(), m).displacement(t) for t in range(150)], axis=0))

    assert offset(rest) < offset(modes)


def test_motion_needs_neither_torch_nor_cv2():
    import subprocess
    import sys

    code = "import gid_engine.motion, sys; assert not {'torch', 'cv2', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
