"""The command line as a person or a script uses it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

from gid_engine import __version__, jobs
from gid_engine.cli import main
from gid_engine.media import load_photo, read_frames, save_image
from gid_engine.motion import Modes, Score, load_motion, save_motion

ROOT = Path(__file__).parents[1]
WEIGHTS = (ROOT / "gid_engine" / "prior" / "weights" / "sha256.json").is_file()
SIZE = (96, 64)


def swaying(**kwargs) -> Modes:
    rows, columns = np.mgrid[0:16, 0:24]
    bump = np.exp(-((rows - 8) ** 2 + (columns - 12) ** 2) / 20)
    maps = 0.01 * bump * np.array([1, 1j, -1, 1j]).reshape(2, 2, 1, 1)
    return Modes(maps, [0.2, 0.4], [0.1, 0.1], SIZE, **kwargs)


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "Bäume 木 1.png"
    rng = np.random.default_rng(0)
    save_image(path, rng.integers(0, 256, (8, 12, 3), np.uint8).repeat(8, 0).repeat(8, 1))
    return path


@pytest.fixture
def motion(tmp_path) -> Path:
    save_motion(tmp_path / "m é.safetensors", swaying())
    return tmp_path / "m é.safetensors"


@pytest.fixture
def prior(monkeypatch):
    """A stand-in for the network; what it was asked for is in `asked`."""

    class Prior:
        def predict(self, rgb, progress=None, **options):
            Prior.asked = {"rgb": rgb, **options}
            progress(0.5, "Step 1 of 2")
            return swaying(seed=options["seed"])

    monkeypatch.setattr(jobs, "_prior", lambda device: Prior())
    return Prior


def run(*words) -> int:
    return main([str(word) for word in words])


def refused(capsys, *words) -> str:
    """Runs what must be refused; what it says."""
    try:
        status = run(*words)
    except SystemExit as leave:  # argparse
        status = leave.code
    error = capsys.readouterr().err
    assert status == 2 and error.strip() and "Traceback" not in error
    return error


# --- rendering --------------------------------------------------------------------------------------------------


def test_render_a_sequence_and_again(photo, motion, tmp_path, capsys):
    out = tmp_path / "out é"
    assert run("render", photo, motion, "--out", out, "--frames", 12) == 0
    assert "12 frames rendered, 0 kept" in capsys.readouterr().out
    names = sorted(p.name for p in out.iterdir())
    assert names == [*(f"Bäume 木 1_{n:04d}.png" for n in range(12)), "bake.json"]
    assert np.array_equal(load_photo(out / names[0]).pixels, load_photo(photo).pixels)
    assert run("render", photo, motion, "--out", out, "--frames", 12) == 0
    assert "0 frames rendered, 12 kept" in capsys.readouterr().out


def test_render_a_video(photo, motion, tmp_path):
    assert run("render", photo, motion, "--out", tmp_path / "X é.mp4", "--frames", "100-109", "--size", 48) == 0
    frames = list(read_frames(tmp_path / "X é.mp4"))
    assert len(frames) == 10 and frames[0].shape == (32, 48, 3)


def test_the_options_reach_the_score(photo, motion, tmp_path, capsys):
    def frame(*options) -> bytes:
        out = tmp_path / "out"
        assert run("render", photo, motion, "--out", out, "--frames", "20-20", *options) == 0
        return (out / "Bäume 木 1_0020.png").read_bytes()

    plain = frame()
    for option in (["--amplitude", 2], ["--speed", 0.5], ["--fps", 24], ["--rest-frame", 7]):
        assert frame(*option) != plain, option
    still = load_photo(photo).pixels
    frame("--rest-frame", 20)
    assert np.array_equal(load_photo(tmp_path / "out" / "Bäume 木 1_0020.png").pixels, still)
    frame("--amplitude", 0)
    assert np.array_equal(load_photo(tmp_path / "out" / "Bäume 木 1_0020.png").pixels, still)
    Score(rest_frame=20).save(tmp_path / "score.json")
    assert frame("--score", tmp_path / "score.json") == frame("--rest-frame", 20)
    assert frame("--score", tmp_path / "score.json", "--rest-frame", 0) == plain


def test_frames_without_a_score_are_one_loop(photo, motion, tmp_path):
    """120 frames: what would be frame 120 is frame 0 again."""
    out = tmp_path / "out"
    Score(loop_frames=120).save(tmp_path / "score.json")
    assert run("render", photo, motion, "--out", out, "--frames", 120) == 0
    again = ["--frames", "120-121", "--score", tmp_path / "score.json"]
    assert run("render", photo, motion, "--out", out, *again) == 0
    for number in (0, 1):
        one, other = (out / f"Bäume 木 1_{number + shift:04d}.png" for shift in (0, 120))
        assert one.read_bytes() == other.read_bytes()


def test_predict(photo, tmp_path, prior, capsys):
    save_image(tmp_path / "mask.png", np.full((64, 96, 3), 255, np.uint8))
    out = tmp_path / "M é.motion.safetensors"
    options = ["--seed", 5, "--mask", tmp_path / "mask.png"]
    assert run("predict", photo, "--out", out, *options) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert (prior.asked["seed"], prior.asked["mask"].min()) == (5, 1)
    assert load_motion(out).photo_sha256 == load_photo(photo).sha256


def test_animate(photo, tmp_path, prior, capsys):
    assert run("animate", photo, "--out", tmp_path / "X.mp4", "--frames", 8, "--seed", 2) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "X.mp4")
    assert len(list(read_frames(tmp_path / "X.mp4"))) == 8 and prior.asked["seed"] == 2
    assert run("animate", photo, "--out", tmp_path / "frames", "--frames", 3, "--size", 48, "--format", "jpg") == 0
    assert load_photo(tmp_path / "frames" / "Bäume 木 1_0002.jpg").size == (48, 32)


def test_export(photo, motion, tmp_path):
    both = ["--displacement", tmp_path / "d", "--stmap", tmp_path / "s"]
    assert run("export", motion, "--photo", photo, *both, "--frames", "3-4") == 0
    for folder, channel in (("d", "Photo.Motion.W"), ("s", "G")):
        for number in (3, 4):
            path = tmp_path / folder / f"Bäume 木 1_{number:04d}.exr"
            assert channel in OpenEXR.File(str(path), separate_channels=True).channels()


def test_motion_vectors_lead_from_frame_to_frame(photo, motion, tmp_path):
    """A pixel shows the same place of the photo as the pixels its vectors name in the frames beside it."""
    # Without edges: those guide the motion, and then it is steeper than interpolation follows.
    ramp = np.broadcast_to(np.linspace(40, 200, 96)[None, :, None], (64, 96, 3)).astype(np.uint8)
    save_image(photo, ramp)
    out = ["--displacement", tmp_path / "d", "--frames", "10-12", "--amplitude", 4]
    assert run("export", motion, "--photo", photo, *out) == 0
    sources, layers = [], []
    rows, columns = np.mgrid[0:64, 0:96].astype(np.float32)
    for path in sorted((tmp_path / "d").glob("*.exr")):
        channels = OpenEXR.File(str(path), separate_channels=True).channels()
        # In the file y points up.
        layers.append({name: c.pixels * (-1 if name[-1] in "YW" else 1) for name, c in channels.items()})
        sources.append([home - layers[-1][f"Photo.Backward.{c}"] for home, c in ((columns, "X"), (rows, "Y"))])
    inside = np.s_[8:-8, 8:-8]
    for other, sign, (x, y) in ((0, 1, "XY"), (2, -1, "ZW")):
        at = [home + sign * layers[1][f"Photo.Motion.{c}"] for home, c in ((columns, x), (rows, y))]
        assert max(np.abs(place - home).max() for place, home in zip(at, (columns, rows), strict=True)) > 0.15
        for here, there in zip(sources[1], sources[other], strict=True):
            apart = np.abs(cv2.remap(there, *at, cv2.INTER_LINEAR) - here)[inside]
            assert apart.max() < 0.05  # hundredths of a pixel by interpolation


# --- what a person gets wrong -----------------------------------------------------------------------------------


def test_user_errors_are_sentences_with_status_2(photo, motion, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "bad.json").write_text('{"fps": "fast"}')
    (tmp_path / "wall").write_text("x")
    out = ["--out", tmp_path / "out", "--frames", 2]
    for words, hint in [
        (["render", tmp_path / "none.png", motion, *out], "none.png"),
        (["render", tmp_path / "text.png", motion, *out], "text.png"),
        (["render", tmp_path, motion, *out], "folder"),
        (["render", photo, tmp_path / "none.m", *out], "none.m"),
        (["render", photo, photo, *out], photo.name),
        (["render", photo, motion, *out, "--score", tmp_path / "bad.json"], "fps"),
        (["render", photo, motion, "--out", tmp_path / "X.avi"], ".mp4"),
        (["render", photo, motion, "--out", tmp_path / "X.png"], ".mp4"),
        (["render", photo, motion, "--out", tmp_path / "wall" / "X.mp4", "--frames", 2], "wall"),
        (["render", photo, motion, "--out", tmp_path / "wall", "--frames", 2], "wall"),
        (["render", photo, motion, *out, "--frames", "5-3"], "5-3"),
        (["render", photo, motion, *out, "--frames", "0"], "'0'"),
        (["render", photo, motion, *out, "--size", "4"], "'4'"),
        (["render", photo, motion, *out, "--amplitude", "nan"], "nan"),
        (["render", photo, motion, *out, "--device", "abacus"], "abacus"),
        (["render", photo, motion], "--out"),
        (["render"], "photo"),
        (["export", motion, "--photo", photo], "--stmap"),
        (["fly"], "fly"),
        ([], "VERB"),
    ]:
        assert hint in refused(capsys, *words), words
    assert not (tmp_path / "out").exists()


def test_a_photo_too_small_after_reduction_is_still_rendered_or_refused(photo, motion, tmp_path, capsys):
    """--size is a wish, not a trap: the smallest one allowed works."""
    assert run("render", photo, motion, "--out", tmp_path / "out", "--frames", 2, "--size", 16) == 0


def test_memory_that_is_not_enough_is_a_sentence(photo, motion, tmp_path, capsys, monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr(jobs, "save_frame", exhausted)
    assert "memory" in refused(capsys, "render", photo, motion, "--out", tmp_path / "out", "--frames", 2)


def test_torch_that_is_missing_is_a_sentence(photo, motion, tmp_path):
    """In a Python where importing torch fails, as in a half-finished installation."""
    script = f"""
        import sys
        sys.modules["torch"] = None
        from gid_engine.cli import main
        sys.exit(main(["render", {str(photo)!r}, {str(motion)!r}, "--out", {str(tmp_path / "out")!r}]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2 and "PyTorch" in done.stderr and "Traceback" not in done.stderr


def test_help_and_version(capsys):
    for words, hint in [
        (["--help"], "animate"),
        (["render", "--help"], "--rest-frame"),
        (["--version"], __version__),
    ]:
        with pytest.raises(SystemExit) as leave:
            run(*words)
        assert leave.value.code == 0 and hint in capsys.readouterr().out


def test_asking_for_help_imports_no_torch():
    script = "import sys, gid_engine.cli as c\ntry: c.main(['render', '--help'])\nexcept SystemExit: pass\n"
    script += "print('torch' in sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.strip() == "False"


# --- a process that is stopped ----------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 1)])
@pytest.mark.parametrize("out", ["frames", "X.mp4"])
def test_a_signal_stops_it_cleanly(photo, motion, tmp_path, number, status, out):
    # A shell's background job is to ignore Ctrl-C, and hands that on; what is handled here is the default there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gid_engine",
            "render",
            photo,
            motion,
            "--out",
            tmp_path / out,
            "--frames",
            "50000",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    signal.signal(signal.SIGINT, before)
    first = process.stderr.readline().decode()
    assert "Frame 1 of 50000" in first
    time.sleep(0.3)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status and b"Traceback" not in error
    parts = [p for p in tmp_path.rglob("*") if ".part" in p.name]
    assert parts == [] and not (tmp_path / "X.mp4").exists()
    if out == "frames":
        record = json.loads((tmp_path / out / "bake.json").read_text(encoding="utf-8"))
        assert sorted(record["frames"]) == sorted(p.name for p in (tmp_path / out).glob("*.png"))


def test_module_and_unicode_console(photo, motion, tmp_path):
    """A console that knows only ASCII still gets its line."""
    done = subprocess.run(
        [sys.executable, "-m", "gid_engine", "render", photo, motion, "--out", tmp_path / "木", "--frames", "2"],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )
    assert done.returncode == 0, done.stderr
    assert b"2 frames rendered" in done.stdout and len(list((tmp_path / "木").glob("*.png"))) == 2


@pytest.mark.skipif(not WEIGHTS, reason="the weights are not here")
def test_animate_with_the_real_prior(photo, tmp_path):
    assert run("animate", photo, "--out", tmp_path / "X.mp4", "--frames", 3, "--device", "cpu") == 0
    assert len(list(read_frames(tmp_path / "X.mp4"))) == 3


# --- how frames are exposed and measured ------------------------------------------------------------------------


def frames_in(folder, suffix: str = "png") -> list[np.ndarray]:
    return [load_photo(path).pixels for path in sorted(folder.glob(f"*.{suffix}"))]


def test_slow_motion_comes_by_every_frame_of_the_motion(photo, motion, tmp_path):
    Score(fps=4, loop_frames=12).save(tmp_path / "score.json")
    score = ["--score", tmp_path / "score.json"]
    assert run("render", photo, motion, "--out", tmp_path / "a", *score, "--amplitude", 4) == 0
    assert run("render", photo, motion, "--out", tmp_path / "b", *score, "--step", 0.5, "--amplitude", 4) == 0
    normal, slow = frames_in(tmp_path / "a"), frames_in(tmp_path / "b")
    assert len(slow) == 2 * len(normal) == 24
    assert all(np.array_equal(one, other) for one, other in zip(normal, slow[::2], strict=True))
    assert not any(np.array_equal(slow[9], slow[n]) for n in (8, 10))


def test_motion_blur_is_the_mean_in_linear_light(photo, motion, tmp_path):
    """Three samples over a whole frame lie a third of a frame apart, as frames of a third of the step do."""
    assert run("render", photo, motion, "--out", tmp_path / "a", "--frames", "17-19", "--step", 1 / 3) == 0
    blur = ["--shutter", 360, "--samples", 3, "--frames", "6-6"]
    assert run("render", photo, motion, "--out", tmp_path / "b", *blur) == 0
    linear = np.mean([np.power((f / 255 + 0.055) / 1.055, 2.4) for f in frames_in(tmp_path / "a")], axis=0)
    expected = (1.055 * np.power(linear, 1 / 2.4) - 0.055) * 255
    (blurred,) = frames_in(tmp_path / "b")
    # Where the sRGB curve is straight, under 10 of 255, the power above is not it.
    bright = np.minimum.reduce(frames_in(tmp_path / "a")) > 20
    assert np.abs(blurred - expected)[bright].max() < 1


def test_a_proxy_is_smaller_and_the_whole_frame_is_made_anew(photo, motion, tmp_path, capsys):
    out = ["--out", tmp_path / "out", "--frames", 3]
    assert run("render", photo, motion, *out, "--proxy", 4) == 0
    assert frames_in(tmp_path / "out")[1].shape == (16, 24, 3)
    assert run("render", photo, motion, *out) == 0
    assert frames_in(tmp_path / "out")[1].shape == (64, 96, 3)
    assert "3 frames rendered" in capsys.readouterr().out


def test_jpeg_quality_counts(photo, motion, tmp_path, capsys):
    out = ["--out", tmp_path / "out", "--frames", "3-3", "--format", "jpg"]
    sizes = []
    for quality in (95, 30, 30):
        assert run("render", photo, motion, *out, "--quality", quality) == 0
        sizes.append(sum(path.stat().st_size for path in (tmp_path / "out").glob("*.jpg")))
    assert sizes[0] > 1.5 * sizes[1] and sizes[1] == sizes[2]
    assert "0 frames rendered, 1 kept" in capsys.readouterr().out


def test_limits_are_shown(photo, motion, tmp_path, capsys):
    def limits(amplitude: float) -> np.ndarray:
        options = ["--frames", 150, "--amplitude", amplitude, "--limits", tmp_path / "limits.png", "--proxy", 4]
        assert run("render", photo, motion, "--out", tmp_path / f"{amplitude}", *options, "--step", 10) == 0
        return load_photo(tmp_path / "limits.png").pixels

    grey = limits(1)
    assert (grey[..., 0] == grey[..., 1]).all() and "0.0% was limited" in capsys.readouterr().out
    magenta = limits(60)
    assert (magenta[..., 0].astype(int) > magenta[..., 1] + 100).any()


@pytest.mark.parametrize(
    "option", [["--shutter", 400], ["--shutter", "nan"], ["--samples", 0], ["--step", 0], ["--proxy", 3]]
)
def test_exposures_that_cannot_be_are_refused(photo, motion, tmp_path, option):
    with pytest.raises(SystemExit) as stopped:
        run("render", photo, motion, "--out", tmp_path / "out", *option)
    assert stopped.value.code == 2 and not (tmp_path / "out").exists()


def test_the_papers_renderer_can_be_asked_for(photo, motion, tmp_path, capsys):
    frames = {}
    for renderer in ("fast", "pyramid"):
        arguments = "--out", tmp_path / "frames", "--frames", "1-9", "--amplitude", 3, "--renderer", renderer
        assert run("render", photo, motion, *arguments) == 0
        frames[renderer] = [load_photo(path).pixels for path in sorted((tmp_path / "frames").glob("*.png"))]
    assert "9 frames rendered, 0 kept" in capsys.readouterr().out.splitlines()[-1]
    apart = np.abs(frames["pyramid"][8].astype(int) - frames["fast"][8])
    assert 0 < apart.mean() < 12  # another hand, the same picture
