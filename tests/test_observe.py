"""gid observe: what it finds in clips whose motion is known, and what it says to clips it cannot use."""

from __future__ import annotations

import hashlib
import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from gid_engine.cli import main
from gid_engine.errors import GidError
from gid_engine.media import load_photo
from gid_engine.motion import load_motion
from gid_engine.observe import observe, observe_clip
from gid_engine.observe.observation import _evenly
from gid_engine.observe.phase import PhaseFlow
from gid_engine.observe.resonance import band_damping, resonances
from gid_engine.observe.smoothing import believable
from gid_engine.observe.synthetic import BANDS, known_clip, relative_errors

WIDTH, HEIGHT = 192, 112


def textured(width: int, height: int, seed: int = 1) -> np.ndarray:
    """uint8 RGB: leaves of all sizes and colours, so that there is texture and there are edges."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 90, np.uint8)
    for size in (0.2, 0.08, 0.03, 0.012):
        for _ in range(int(1.2 / size**2)):
            centre = rng.integers(0, width), rng.integers(0, height)
            axes = (
                max(1, int(size * width * rng.uniform(0.5, 1))),
                max(1, int(size * width * rng.uniform(0.1, 0.4))),
            )
            colour = tuple(int(c) for c in rng.integers(20, 235, 3))
            cv2.ellipse(picture, (int(centre[0]), int(centre[1])), axes, rng.uniform(0, 180), 0, 360, colour, -1)
    return picture


def write_clip(path, frames, times=None, fps=30, codec="libx264", pix_fmt="yuv444p", options=None, **context):
    """Encode frames (uint8 or uint16 RGB) with presentation times in seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {"crf": "6", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], pix_fmt
        stream.codec_context.time_base = Fraction(1, 3000)
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        for i, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24" if rgb.dtype == np.uint8 else "rgb48le")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = round(3000 * (i / fps if times is None else times[i])), Fraction(1, 3000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def known():
    return known_clip(textured(2 * WIDTH, 2 * HEIGHT), rms_px=1.5)


@pytest.fixture(scope="module")
def clip(known, tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "sway.mp4", list(known.frames))


def truth_on(known, modes) -> np.ndarray:
    """The known modes on the clock of found ones, whose loop begins half a second into the clip."""
    turn = np.exp(2j * np.pi * modes.frequency_hz * 0.5)
    return known.modes / WIDTH * turn[:, None, None, None]


def test_finds_the_motion_it_was_made_with(known, clip):
    modes = observe(clip).modes
    assert modes.grid == (HEIGHT, WIDTH) and modes.bands == BANDS
    np.testing.assert_allclose(modes.frequency_hz, np.arange(1, 16) / 5, rtol=1e-6)
    errors = relative_errors(modes.modes, truth_on(known, modes))
    # Stillness has the error 1. The raw flow of this small picture has 0.24, most of it at its many outlines; what
    # follows may cost little of that.
    assert errors["error"] < 0.3
    assert errors["bands"][0] < 0.25
    assert errors["correlation"] > 0.95


def test_frames_come_back_to_the_start_frame(clip):
    # Each dB is 20 % less error; below 1 dB a clip is of no use (the filter of the training data).
    assert observe(clip).gain_db > 3


def test_uneven_frame_times_change_nothing(known, tmp_path):
    rng = np.random.default_rng(3)
    keep = np.sort(rng.choice(np.arange(1, len(known.frames) - 1), 120, replace=False))
    keep = np.concatenate([[0], keep, [len(known.frames) - 1]])
    path = write_clip(tmp_path / "uneven.mp4", list(known.frames[keep]), times=keep / 30)
    modes = observe(path).modes
    truth = truth_on(known, modes)
    # Played at an even rate the slow bands would be off by up to a quarter of a second, an error near 1.
    assert relative_errors(modes.modes[:5], truth[:5])["error"] < 0.3


def test_resampling_in_time_is_exact_for_a_slow_swing():
    times = np.sort(np.concatenate([np.arange(0, 3, 1 / 24), [0.013, 1.117]]))
    swing = np.sin(2 * np.pi * times)[:, None, None, None].astype(np.float32)
    even, zero = _evenly(swing, times)
    # Catmull-Rom at 24 samples a turn: (2π/24)³/10 is about 0.002.
    np.testing.assert_allclose(even[zero:, 0, 0, 0], np.sin(2 * np.pi * np.arange(len(even)) / 30), atol=4e-3)


def test_a_blurred_background_stays_still(tmp_path):
    """Beside a thing that sways, flow invents motion where the picture tells none."""
    picture = textured(2 * WIDTH, 2 * HEIGHT)
    soft = np.full_like(picture, 120)
    frames = []
    for t in np.arange(165) / 30:
        layer = soft.copy()
        shift = round(8 * np.sin(2 * np.pi * 0.6 * t))
        layer[:, 150 + shift : 230 + shift] = picture[:, 150:230]
        frames.append(cv2.resize(layer, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))
    rms = observe(write_clip(tmp_path / "stem.mp4", frames)).modes.rms()
    inside, away = rms[20:-20, 85:105].mean(), np.concatenate([rms[:, :50], rms[:, 140:]], 1).mean()
    assert away < 0.05 * inside
    # The stem itself moves by 4 px / √2 rms.
    assert abs(inside * WIDTH - 4 / np.sqrt(2)) < 0.4


def test_smoothing_keeps_edges_and_leaves_the_unknown_still():
    measured = np.zeros((1, 2, 20, 40), np.float32)
    measured[:, 0, :, :20] = 1
    trust = np.zeros((3, 20, 40), np.float32)
    trust[[0, 2], :, 5:] = 1
    colour = np.zeros((20, 40, 3), np.float32)
    colour[:, 20:] = 1
    found = believable(measured, trust, colour)[0, 0]
    assert found[:, 10:20].min() > 0.95 and abs(found[:, 20:]).max() < 1e-3  # the edge at 20 is in the colours
    assert found[:, 0].min() > 0.3  # five cells from what is known, of the same colour: drawn along
    nothing = believable(measured, trust * 0, colour)
    assert abs(nothing).max() == 0


def test_phase_measures_a_tenth_of_a_pixel():
    picture = textured(4 * WIDTH, 4 * HEIGHT)
    small = [
        cv2.cvtColor(
            cv2.resize(np.roll(picture, shift, (0, 1)), (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_AREA),
            cv2.COLOR_RGB2GRAY,
        )
        for shift in ((0, 0), (1, 0))
    ]
    flow = PhaseFlow(small[0])(small[1])[20:-20, 20:-20]
    # Half a pixel down, told within 10 % by the median over the picture.
    assert abs(np.median(flow[..., 1]) - 0.5) < 0.05 and abs(np.median(flow[..., 0])) < 0.05


def test_resonance_of_a_ringing_oscillator():
    rng = np.random.default_rng(0)
    fps, f, zeta, step = 30, 1.2, 0.12, 1 / 600
    x = v = 0.0
    out = []
    for i in range(60 * 600):
        v += step * (-2 * zeta * 2 * np.pi * f * v - (2 * np.pi * f) ** 2 * x) + rng.normal() * np.sqrt(step)
        x += step * v
        if i % 20 == 0:
            out.append(x)
    # 12 stretches of 5 s of one oscillator in the wind, seen as 12 places.
    motion = np.array(out).reshape(12, 150).T
    (found_f, found_zeta), *_ = resonances(motion, fps, 3.0)
    assert abs(found_f - f) < 0.2  # the resolution of 5 s
    assert 0.06 < found_zeta < 0.24  # within a factor of 2, the most that 5 s tell
    assert band_damping([(found_f, found_zeta)], np.array([0.2, 1.2]))[0] == np.float32(0.1)


def test_command_line_writes_motion_that_renders(clip, tmp_path):
    motion, photo = tmp_path / "a.motion.safetensors", tmp_path / "a.png"
    assert main(["observe", str(clip), "--out", str(motion), "--photo-out", str(photo)]) == 0
    modes = load_motion(motion)
    assert modes.photo_sha256 == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert modes.photo_size == load_photo(photo).size and modes.confidence is not None
    assert main(["render", str(photo), str(motion), "--out", str(tmp_path / "f"), "--frames", "0-1"]) == 0
    first = cv2.imread(str(tmp_path / "f" / "a_0000.png"))
    assert (first == cv2.imread(str(photo))).all()


def test_another_photo_takes_the_motion_through_its_mask(clip, tmp_path):
    other, mask, motion = tmp_path / "tall.png", tmp_path / "mask.png", tmp_path / "m.motion.safetensors"
    cv2.imwrite(str(other), textured(150, 200, seed=5))
    white = np.zeros((200, 150), np.uint8)
    white[:100] = 255
    cv2.imwrite(str(mask), white)
    observe_clip(clip, motion, onto=other, mask=mask)
    modes = load_motion(motion)
    rows = modes.grid[0]
    assert modes.photo_size == (150, 200)
    assert modes.rms()[rows // 2 + 1 :].max() == 0 and modes.rms()[: rows // 2].max() > 0
    assert main(["render", str(other), str(motion), "--out", str(tmp_path / "f"), "--frames", "1"]) == 0


def refused(path, code: str, **options) -> str:
    with pytest.raises(GidError) as error:
        observe(path, **options)
    assert error.value.code == code and path.name in error.value.message
    return error.value.message


def test_cut_is_named_by_its_second(known, tmp_path):
    other = known_clip(textured(2 * WIDTH, 2 * HEIGHT, seed=9), 1.0, seconds=2.0).frames
    path = write_clip(tmp_path / "cut.mp4", [*known.frames[:60], *other])
    assert "second 2.0" in refused(path, "clip_cut")


def panned(known, pixels_a_frame: float) -> list[np.ndarray]:
    """The clip filmed by a camera that turns slowly and shakes; the borders repeat."""
    rng, frames = np.random.default_rng(0), []
    for i, frame in enumerate(known.frames):
        matrix = np.float32([[1, 0, -pixels_a_frame * i + rng.normal() * 0.3], [0, 1, rng.normal() * 0.3]])
        frames.append(
            cv2.warpAffine(frame, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        )
    return frames


def test_moving_camera_is_refused_or_taken_out(known, tmp_path):
    path = write_clip(tmp_path / "pan.mp4", panned(known, 0.06))
    assert "camera" in refused(path, "clip_camera_moves")
    found = observe(path, stabilise=True)
    truth = truth_on(known, found.modes)
    # Without it the pan of 10 px alone is an error of several times the motion.
    inside = np.s_[:5, :, 12:-12, 16:-16]
    assert relative_errors(found.modes.modes[inside], truth[inside])["error"] < 0.4


@pytest.mark.parametrize("frames", [1, 3])
def test_a_few_frames_are_no_clip(known, tmp_path, frames):
    assert f"{frames} frames" in refused(
        write_clip(tmp_path / "few.mp4", list(known.frames[:frames])), "clip_too_short"
    )


def test_black_clip(tmp_path):
    refused(write_clip(tmp_path / "black.mp4", [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 60), "clip_blank")


def test_still_clip(known, tmp_path):
    refused(write_clip(tmp_path / "still.mp4", [known.frames[0]] * 100), "clip_still")


def test_start_behind_the_end(clip):
    assert "165 frames" in refused(clip, "clip_too_short", start=1000)


def test_sound_without_pictures(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    refused(path, "clip_no_picture")


@pytest.mark.parametrize("data", [b"", b"no video at all " * 100])
def test_a_file_that_is_no_video(tmp_path, data):
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    refused(path, "clip_unreadable")


def test_missing_file(tmp_path):
    refused(tmp_path / "none.mp4", "clip_missing")


def test_damaged_end_is_left_out_and_told(clip, known, tmp_path):
    whole = write_clip(tmp_path / "whole.mkv", list(known.frames))
    data = bytearray(whole.read_bytes())
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 6 // 10] + bytes(np.random.default_rng(0).integers(0, 256, 4000, np.uint8)))
    found = observe(cut)
    assert any("loop of" in note for note in found.notes)  # it is shorter, and says so
    assert found.modes.bands < BANDS


def test_short_clip_says_how_slow_it_can_go(known, tmp_path):
    found = observe(write_clip(tmp_path / "short.mp4", list(known.frames[:60])))
    assert found.modes.bands == pytest.approx(3 / found.modes.frequency_hz[0], abs=1)
    assert any(f"{found.modes.frequency_hz[0]:.2f} Hz" in note for note in found.notes)


def test_a_loop_stays_whole(known, tmp_path):
    found = observe(write_clip(tmp_path / "loop.mp4", list(known.frames[:150])))
    assert found.modes.frequency_hz[0] == pytest.approx(0.2)
    # It begins at the start frame: no half second of fading.
    assert relative_errors(found.modes.modes, known.modes / WIDTH)["error"] < 0.25
    assert min(found.modes.rest_time, 5 - found.modes.rest_time) < 0.15


def rotated(path) -> None:
    """Write a turn by 90° into an MP4's track header, as phones do (ISO 14496-12, tkhd)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    matrix = at + (52 if data[at] == 1 else 40)
    one = 1 << 16
    data[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, HEIGHT << 16, 0, 1 << 30)
    path.write_bytes(bytes(data))


def test_clip_of_a_phone_held_upright(known, tmp_path):
    path = write_clip(tmp_path / "phone.mp4", list(known.frames[:90]))
    rotated(path)
    found = observe(path)
    assert found.photo.shape == (WIDTH, HEIGHT, 3) and found.modes.photo_size == (HEIGHT, WIDTH)
    upright = np.rot90(known.frames[0], -1).astype(int)  # the header above means a quarter turn clockwise
    assert np.abs(found.photo.astype(int) - upright).mean() < 6  # of 255: the encoder's loss


def test_hdr_looks_like_its_sdr_sibling(known, tmp_path):
    """PQ, BT.2020, 10 bit: diffuse white lands near white and not in a grey third of the range."""
    linear = np.power(known.frames[:40].astype(np.float64) / 255, 2.2) * 203 / 10000
    power = np.power(linear, 0.1593017578125)
    pq = np.power((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power), 78.84375)
    frames = list(np.rint(pq * 65535).astype(np.uint16))
    path = write_clip(
        tmp_path / "hdr.mp4", frames, codec="libx265", pix_fmt="yuv444p10le", color_trc=16, color_primaries=1,
        options={"x265-params": "log-level=none:crf=8", "preset": "ultrafast"},
    )  # fmt: skip
    photo = observe(path).photo.astype(int)
    sibling = known.frames[0].astype(int)
    dark = sibling.max(-1) < 180  # below the shoulder both are the same light
    assert np.abs(photo[dark] - sibling[dark]).mean() < 10
    assert photo[sibling.min(-1) > 200].mean() > 190


def test_worker_knows_the_verb(clip, tmp_path):
    from gid_engine.worker import verbs
    from gid_engine.worker.protocol import encode_reply, parse_request

    line = {"id": 1, "verb": "observe", "clip": str(clip), "out": str(tmp_path / "w.motion.safetensors")}
    request = parse_request(encode_reply(line))
    told = []
    result = verbs.observe(lambda fraction, message: told.append(fraction), **request.fields)
    assert load_motion(result["path"]).bands == result["bands"] == BANDS
    assert told == sorted(told) and told[-1] == 1.0
    encode_reply({"id": 1, "type": "result", **result})  # all of it is JSON
