"""The worker as its client sees it: a real process, real frames, and everything that can go wrong."""

import gc
import json
import os
import queue
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from gid_engine import __version__
from gid_engine.bake import BakeRecord, bake
from gid_engine.media import FrameSequence, load_photo, read_frames, save_image
from gid_engine.motion import Curve, Modes, Score, load_motion, save_motion

ROOT = Path(__file__).parents[1]
SIZE = (96, 64)
WEIGHTS = (ROOT / "gid_engine" / "prior" / "weights" / "sha256.json").is_file()
PATIENCE = 60  # seconds until a test gives up on a reply; importing torch on a busy machine is slow

# A worker whose prior is a stand-in: the tests of the process need neither weights nor a network.
FAKE_PRIOR = """
    import os, sys, time
    import numpy as np
    from gid_engine import jobs
    from gid_engine.motion import Modes
    from gid_engine.worker.server import main

    class Prior:
        def predict(self, photo, seed=0, mask=None, progress=None):
            print("stray print")
            os.write(1, b"stray write of a C library\\n")
            steps = seed if seed > 100 else 20
            for step in range(steps):
                progress(step / steps, f"Step {step + 1} of {steps}")
                time.sleep(0.02)
            if seed == 13:
                raise ZeroDivisionError("a fault of its own")
            if seed == 14:
                raise MemoryError
            if seed == 15:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            maps = np.full((2, 2, 8, 12), 0.01 * (seed + 1), complex)
            if mask is not None:
                assert mask.shape == photo.shape[:2]
                maps *= mask[::8, ::8]
            return Modes(maps, [0.2, 0.4], [0.1, 0.1], (12, 8), seed=seed, source="stand-in")

    jobs._prior = lambda device: Prior()
    main()
"""


class Client:
    """A process and its replies."""

    def __init__(self, *command: str):
        self.process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "gid_engine", "worker"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "2"},
        )
        self.raw, self.log = [], []
        self._replies = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.raw.append(line)
            self._replies.put(json.loads(line))  # a line that is not JSON breaks the test
        self._replies.put(None)

    def send(self, id_, verb, **fields):
        self.write(json.dumps({"id": id_, "verb": verb, **fields}).encode() + b"\n")

    def write(self, data: bytes):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def reply(self) -> dict:
        reply = self._replies.get(timeout=PATIENCE)
        assert reply is not None, b"".join(self.log).decode(errors="replace")
        return reply

    def final(self, id_) -> dict:
        """The result or error of a request; progress of any and finals of others are passed over."""
        while True:
            reply = self.reply()
            if reply["id"] == id_ and reply["type"] != "progress":
                return reply

    def until_progress(self, id_, fraction=0.0) -> dict:
        while True:
            reply = self.reply()
            assert reply["type"] == "progress", reply
            if reply["id"] == id_ and reply["fraction"] >= fraction:
                return reply

    def logs(self, text: bytes) -> bool:
        """Whether the log has the text, or gets it soon: it comes by another pipe than the replies."""
        give_up = time.monotonic() + PATIENCE
        while not (there := any(text in line for line in self.log)) and time.monotonic() < give_up:
            time.sleep(0.02)
        return there

    def close(self) -> int:
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


@pytest.fixture
def start():
    clients = []

    def begin(*command) -> Client:
        clients.append(Client(*command))
        return clients[-1]

    yield begin
    for client in clients:
        client.process.kill()
        client.process.wait()


@pytest.fixture(scope="module")
def shared_worker():
    """One worker with a stand-in prior for all tests that leave it as they found it."""
    client = Client("-c", textwrap.dedent(FAKE_PRIOR))
    yield client
    assert client.close() == 0, b"".join(client.log).decode(errors="replace")


@pytest.fixture
def scene(tmp_path) -> dict:
    """A photo and its motion, as the fields of a request, under a name with a space, an accent and CJK."""
    folder = tmp_path / "Ordner é 木"
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 12, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    save_image(folder / "photo.png", pixels)
    rows, columns = np.mgrid[0:16, 0:24]
    bump = np.exp(-((rows - 8) ** 2 + (columns - 12) ** 2) / 20)
    maps = 0.01 * bump * np.exp(2j * np.pi * rng.random((3, 2, 1, 1)))
    save_motion(folder / "m.safetensors", Modes(maps, [0.2, 0.4, 0.6], [0.1] * 3, SIZE))
    return {
        "photo": str(folder / "photo.png"),
        "motion": str(folder / "m.safetensors"),
        "out_dir": str(folder / "frames"),
        "name": "sway",
    }


def files(scene) -> dict[str, bytes]:
    folder = Path(scene["out_dir"])
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())} if folder.exists() else {}


# --- the language -----------------------------------------------------------------------------------------------


def test_hello(shared_worker):
    shared_worker.send("first", "hello")
    reply = shared_worker.final("first")
    assert reply["type"] == "result" and reply["version"] == __version__ and reply["protocol"] == 1
    assert reply["torch"] and reply["device"] in ("cpu", "cuda", "mps") and reply["renderer"]
    assert reply["weights"] == WEIGHTS


@pytest.mark.parametrize(
    "line, id_, code",
    [
        (b"not json", None, "bad_request"),
        (b"\xff\xfe\x00", None, "bad_request"),
        (b"[1, 2]", None, "bad_request"),
        (b"{}", None, "bad_request"),
        (b'{"id": null, "verb": "hello"}', None, "bad_request"),
        (b'{"id": true, "verb": "hello"}', None, "bad_request"),
        (b'{"id": 1.5, "verb": "hello"}', None, "bad_request"),
        (b'{"id": [1], "verb": "hello"}', None, "bad_request"),
        (b"[" * 100_000, None, "bad_request"),
        (b'{"id": ' + b"9" * 10_000 + b"}", None, "bad_request"),
        (b'{"id": 7}', 7, "unknown_verb"),
        (b'{"id": 7, "verb": "format_disk"}', 7, "unknown_verb"),
        (b'{"id": 7, "verb": ["hello"]}', 7, "unknown_verb"),
        (b'{"id": 7, "verb": "hello", "x": 1}', 7, "bad_request"),
        (b'{"id": 7, "verb": "cancel"}', 7, "bad_request"),
        (b'{"id": 7, "verb": "predict", "photo": "a"}', 7, "bad_request"),
        (b'{"id": 7, "verb": "predict", "photo": 3, "out": "b"}', 7, "bad_request"),
        (b'{"id": 7, "verb": "predict", "photo": "a\\u0000", "out": "b"}', 7, "bad_request"),
        (b'{"id": 7, "verb": "predict", "photo": "a", "out": "b", "seed": "x"}', 7, "bad_request"),
        (b'{"id": 7, "verb": "predict", "photo": "a", "out": "b", "seed": NaN}', 7, "bad_request"),
        (b'{"id": 7, "verb": "predict", "photo": "a", "out": "b", "seed": -1}', 7, "bad_request"),
        (b'{"id": 7, "verb": "predict", "photo": "a", "out": "b", "device": "abacus"}', 7, "bad_request"),
    ],
)
def test_bad_lines_are_answered(shared_worker, line, id_, code):
    shared_worker.write(line + b"\n")
    reply = shared_worker.reply()
    assert (reply["id"], reply["type"], reply["code"]) == (id_, "error", code)
    assert reply["message"].endswith(".") and reply["action"].endswith(".")


@pytest.mark.parametrize(
    "field, value",
    [
        ("frames", []),
        ("frames", 5),
        ("frames", ["1"]),
        ("frames", [True]),
        ("frames", {"first": 1}),
        ("frames", {"first": 5, "last": 1}),
        ("frames", {"first": 0, "last": 9_999_999}),
        ("score", 5),
        ("score", []),
        ("score", {"fps": 0}),
        ("score", {"impulses": [{"frame": 1}]}),
        ("format", "gif"),
        ("format", 5),
        ("size", 4),
        ("size", "big"),
        ("name", 5),
        ("kind", "stmap"),
    ],
)
def test_wrong_fields_of_render_are_named(shared_worker, scene, field, value):
    shared_worker.send(1, "render", **{**scene, "frames": [0], field: value})
    reply = shared_worker.reply()
    assert reply["type"] == "error" and field in reply["message"] and files(scene) == {}


def test_a_line_without_end_is_refused_and_the_next_is_read(shared_worker):
    shared_worker.write(b'{"id": 1, "verb": "' + b"x" * (40 << 20) + b'"}\n')
    assert shared_worker.reply()["code"] == "line_too_long"
    shared_worker.write(b'\n  \n{"id": "after", "verb": "cancel", "target": 99}\n')
    assert shared_worker.reply() == {"id": "after", "type": "result", "found": False}


# --- predict ----------------------------------------------------------------------------------------------------


def test_predict_writes_the_motion_and_nothing_stray_reaches_stdout(shared_worker, scene, tmp_path):
    out = tmp_path / "neu é" / "木.motion.safetensors"
    shared_worker.send(1, "predict", photo=scene["photo"], out=str(out), seed=3)
    first = shared_worker.until_progress(1)
    assert first["message"].startswith("Step")
    reply = shared_worker.final(1)
    assert reply["path"] == str(out) and set(reply["seconds"]) == {"photo", "model", "predict", "write"}
    modes, photo = load_motion(out), load_photo(scene["photo"])
    assert (modes.photo_size, modes.photo_sha256, modes.seed) == (SIZE, photo.sha256, 3)
    assert shared_worker.logs(b"stray print") and shared_worker.logs(b"stray write")


def test_predict_passes_the_mask(shared_worker, scene, tmp_path):
    mask = np.zeros((32, 48, 3), np.uint8)
    mask[:, 24:] = 255
    save_image(tmp_path / "mask.png", mask)
    out = tmp_path / "m.safetensors"
    shared_worker.send(1, "predict", photo=scene["photo"], out=str(out), mask=str(tmp_path / "mask.png"))
    assert shared_worker.final(1)["type"] == "result"
    moving = load_motion(out).rms() > 0
    assert not moving[:, :6].any() and moving[:, 6:].all()


@pytest.mark.parametrize(
    "fields, code",
    [
        ({"photo": "/no/photo é.png"}, "photo_missing"),
        ({"mask": "/no/mask.png"}, "mask_missing"),
        ({"seed": 13}, "internal"),
        ({"seed": 14}, "out_of_memory"),
        ({"seed": 15}, "out_of_memory"),
    ],
)
def test_what_goes_wrong_in_a_job_is_a_sentence(shared_worker, scene, tmp_path, fields, code):
    out = tmp_path / "m.safetensors"
    shared_worker.send(1, "predict", **{"photo": scene["photo"], "out": str(out), **fields})
    reply = shared_worker.final(1)
    assert reply["type"] == "error" and reply["code"] == code and not out.exists()
    assert reply["message"].endswith(".") and reply["action"].endswith(".") and "Traceback" not in reply["message"]
    assert not any(b"Traceback" in line for line in shared_worker.raw)
    if code == "internal":  # the person who mends it needs the traceback, in the log
        assert shared_worker.logs(b"ZeroDivisionError")


# --- render -----------------------------------------------------------------------------------------------------


def test_render_and_render_again(shared_worker, scene):
    """Frame 0 is the photo; the second time nothing is done; a changed score changes what it must."""
    request = {**scene, "frames": {"first": 0, "last": 9}, "score": {"loop_frames": 150}}
    shared_worker.send(1, "render", **request)
    reply = shared_worker.final(1)
    assert (reply["rendered"], reply["skipped"]) == (10, 0)
    assert (reply["first"], reply["last"], reply["name"], reply["suffix"]) == (0, 9, "sway", ".png")
    before = files(scene)
    assert sorted(before) == ["bake.json", *(f"sway_{n:04d}.png" for n in range(10))]
    photo = load_photo(scene["photo"]).pixels
    frames = [load_photo(Path(scene["out_dir"]) / f"sway_{n:04d}.png").pixels for n in range(10)]
    assert np.array_equal(frames[0], photo) and not np.array_equal(frames[3], photo)

    shared_worker.send(2, "render", **request)
    reply = shared_worker.final(2)
    assert (reply["rendered"], reply["skipped"]) == (0, 10) and files(scene) == before

    # An impulse at frame 6 changes the frames after it alone.
    impulse = {"frame": 6, "x": 0.5, "y": 0.5, "direction": [1, 0], "strength": 0.02, "radius": 0.1}
    shared_worker.send(3, "render", **{**request, "score": {"loop_frames": 150, "impulses": [impulse]}})
    reply = shared_worker.final(3)
    assert (reply["rendered"], reply["skipped"]) == (3, 7)
    after = files(scene)
    same = [name for name in before if before[name] == after[name] and name != "bake.json"]
    assert same == [f"sway_{n:04d}.png" for n in range(7)]


def test_a_spoilt_or_missing_frame_is_made_again(shared_worker, scene):
    shared_worker.send(1, "render", **scene, frames=[1, 2, 3])
    shared_worker.final(1)
    before, folder = files(scene), Path(scene["out_dir"])
    (folder / "sway_0002.png").write_bytes(before["sway_0002.png"][:50])
    (folder / "sway_0003.png").unlink()
    shared_worker.send(2, "render", **scene, frames=[1, 2, 3])
    assert shared_worker.final(2)["rendered"] == 2
    assert {k: v for k, v in files(scene).items() if k != "bake.json"} == {
        k: v for k, v in before.items() if k != "bake.json"
    }


@pytest.mark.parametrize("record", ["", "{", "[]", '{"format": "gid-bake", "version": 1, "frames": 3}'])
def test_a_damaged_record_costs_only_time(shared_worker, scene, record):
    shared_worker.send(1, "render", **scene, frames=[1, 2])
    shared_worker.final(1)
    (Path(scene["out_dir"]) / "bake.json").write_text(record)
    shared_worker.send(2, "render", **scene, frames=[1, 2])
    assert shared_worker.final(2)["rendered"] == 2


def test_a_key_is_withdrawn_before_its_file_is_replaced(shared_worker, scene, start):
    """Else a kill in between would leave a frame of the new score under the key of the old one."""
    shared_worker.send(1, "render", **scene, frames=[5])
    shared_worker.final(1)
    folder = Path(scene["out_dir"])
    old = (folder / "sway_0005.png").read_bytes()
    script = f"""
        import os
        from gid_engine import jobs
        from gid_engine.motion import Curve, Score
        save = jobs.save_frame
        def save_and_die(*args):
            save(*args)
            os._exit(9)
        jobs.save_frame = save_and_die
        score = Score(amplitude=Curve.constant(2.0))
        take = jobs.Take.open({scene["photo"]!r}, {scene["motion"]!r}, score)
        jobs.render_sequence(take, [5], jobs.Path({scene["out_dir"]!r}), "sway")
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, capture_output=True)
    assert killed.returncode == 9, killed.stderr
    assert (folder / "sway_0005.png").read_bytes() != old
    shared_worker.send(2, "render", **scene, frames=[5])
    assert shared_worker.final(2)["rendered"] == 1
    assert (folder / "sway_0005.png").read_bytes() == old


@pytest.mark.parametrize("suffix", ["png", "exr", "jpg", "tif"])
def test_formats_share_a_folder(shared_worker, scene, suffix):
    shared_worker.send(1, "render", **scene, frames=[0, 4], format=suffix)
    assert shared_worker.final(1)["rendered"] == 2
    assert load_photo(Path(scene["out_dir"]) / f"sway_0004.{suffix}").size == SIZE
    shared_worker.send(2, "render", **{**scene, "name": "other"}, frames=[0], format=suffix)
    assert shared_worker.final(2)["rendered"] == 1
    shared_worker.send(3, "render", **scene, frames=[0, 4], format=suffix)
    assert shared_worker.final(3)["skipped"] == 2


def test_size_score_file_and_video(shared_worker, scene, tmp_path):
    Score(loop_frames=6, fps=12).save(tmp_path / "score.json")
    video = tmp_path / "é.mp4"
    shared_worker.send(
        1,
        "render",
        **scene,
        frames=[0, 1, 2, 3, 4, 5],
        size=48,
        score=str(tmp_path / "score.json"),
        video=str(video),
    )
    reply = shared_worker.final(1)
    assert reply["video"] == str(video)
    assert load_photo(Path(scene["out_dir"]) / "sway_0002.png").size == (48, 32)
    frames = list(read_frames(video))
    assert len(frames) == 6 and frames[0].shape == (32, 48, 3)


@pytest.mark.parametrize(
    "change, code",
    [
        ({"motion": "/none.safetensors"}, None),
        ({"photo": "/none.png"}, "photo_missing"),
        ({"score": "/none.json"}, "score_unreadable"),
        ({"name": "../escape"}, "bad_name"),
        ({"frames": [-1]}, "bad_frame"),
        ({"video": "a.avi"}, "video_format"),
        ({"score": {"amplitude": 100, "impulses": []}, "size": 16}, None),
    ],
)
def test_bad_inputs_of_render(shared_worker, scene, change, code):
    shared_worker.send(1, "render", **{**scene, "frames": [1], **change})
    reply = shared_worker.final(1)
    if code is None and reply["type"] == "result":
        return  # a violent amplitude is allowed, and must not end the worker
    assert reply["type"] == "error" and reply["code"] != "internal"
    assert code is None or reply["code"] == code


def test_the_motion_of_another_photo_is_refused(shared_worker, scene, tmp_path):
    save_image(tmp_path / "tall.png", np.zeros((96, 64, 3), np.uint8))
    shared_worker.send(1, "render", **{**scene, "photo": str(tmp_path / "tall.png")}, frames=[1])
    assert shared_worker.final(1)["code"] == "photo_motion_mismatch"


def test_a_16_bit_photo_with_alpha_keeps_both(shared_worker, scene):
    rng = np.random.default_rng(1)
    save_image(scene["photo"], rng.integers(0, 65536, (64, 96, 4), np.uint16))
    shared_worker.send(1, "render", **scene, frames=[0, 3])
    assert shared_worker.final(1)["type"] == "result"
    frames = [load_photo(Path(scene["out_dir"]) / f"sway_{n:04d}.png").pixels for n in (0, 3)]
    assert np.array_equal(frames[0], load_photo(scene["photo"]).pixels)
    assert frames[1].dtype == np.uint16 and frames[1].shape == (64, 96, 4)


# --- export -----------------------------------------------------------------------------------------------------


def exr(path) -> dict[str, np.ndarray]:
    return {name: c.pixels for name, c in OpenEXR.File(str(path), separate_channels=True).channels().items()}


def test_export_displacement_and_stmap(shared_worker, scene):
    shared_worker.send(1, "export", **scene, frames=[0, 7], kind="displacement")
    assert shared_worker.final(1)["rendered"] == 2
    shared_worker.send(2, "export", **{**scene, "name": "st"}, frames=[0, 7], kind="stmap")
    assert shared_worker.final(2)["rendered"] == 2
    folder = Path(scene["out_dir"])
    rest, moved = exr(folder / "sway_0000.exr"), exr(folder / "sway_0007.exr")
    assert not rest["Photo.Displacement.X"].any() and not rest["Photo.Backward.Y"].any()
    st = exr(folder / "st_0007.exr")
    # The two files tell of the same warp: u · W − ½ = x − backward (float32 of up to 96 px: 1e-5).
    x = np.arange(96) - moved["Photo.Backward.X"]
    y = np.arange(64)[:, None] + moved["Photo.Backward.Y"]
    np.testing.assert_allclose(st["R"] * 96 - 0.5, x, atol=2e-5)
    np.testing.assert_allclose((1 - st["G"]) * 64 - 0.5, y, atol=2e-5)
    # Motion vectors are differences of displacement between frames, where the displacement is smooth: at the
    # frame after rest, where it came from is where it rests.
    assert np.abs(moved["Photo.Displacement.X"]).max() > 0.2
    shared_worker.send(3, "export", **scene, frames=[1], kind="displacement")
    shared_worker.final(3)
    first = exr(folder / "sway_0001.exr")
    speed = np.abs(first["Photo.Backward.X"]).max()
    assert speed > 0.02
    np.testing.assert_allclose(first["Photo.Motion.X"], -first["Photo.Backward.X"], atol=0.1 * speed)
    np.testing.assert_allclose(first["Photo.Motion.Y"], -first["Photo.Backward.Y"], atol=0.1 * speed)


# --- cancel, queue, end -----------------------------------------------------------------------------------------


def test_cancel_keeps_what_is_done_and_the_next_job_runs(shared_worker, scene, tmp_path):
    slow = {"photo": scene["photo"], "out": str(tmp_path / "m"), "seed": 1000}
    shared_worker.send("slow", "predict", **slow)
    shared_worker.until_progress("slow")
    shared_worker.send("waiting", "predict", **slow)
    shared_worker.send("render", "render", **scene, frames=[1])
    shared_worker.send("slow", "predict", **slow)
    assert shared_worker.final("slow")["code"] == "duplicate_id"
    shared_worker.send("c1", "cancel", target="waiting")
    assert shared_worker.final("waiting")["code"] == "cancelled"
    assert shared_worker.final("c1")["found"] is True
    shared_worker.send("c2", "cancel", target="slow")
    assert shared_worker.final("c2")["found"] is True
    assert shared_worker.final("slow")["code"] == "cancelled"
    assert shared_worker.final("render")["rendered"] == 1
    assert not (tmp_path / "m").exists()


def test_the_queue_is_bounded(shared_worker, scene, tmp_path):
    slow = {"photo": scene["photo"], "out": str(tmp_path / "m"), "seed": 1000}
    shared_worker.send(0, "predict", **slow)
    shared_worker.until_progress(0)
    for n in range(1, 18):
        shared_worker.send(n, "predict", **slow)
    assert shared_worker.final(17)["code"] == "busy"
    for n in range(17):
        shared_worker.send(f"c{n}", "cancel", target=n)
        assert shared_worker.final(f"c{n}")["found"] is True
    shared_worker.send("still there", "cancel", target=0)
    shared_worker.final("still there")


LONG = {"first": 1, "last": 4000}  # longer than any test waits


def test_end_of_stdin_ends_the_process_in_the_middle_of_a_bake(start, scene):
    worker = start()
    worker.send(1, "render", **scene, frames=LONG)
    worker.until_progress(1, 4 / 4000)
    assert worker.close() == 0
    there = files(scene)
    assert "bake.json" in there and 1 < len(there) < 4000
    assert not any(name.startswith(".") for name in there)
    assert not any(b"Traceback" in line for line in worker.log)


def test_shutdown(start, scene):
    worker = start()
    worker.send(1, "render", **scene, frames=LONG)
    worker.until_progress(1)
    worker.send(2, "shutdown")
    assert worker.final(2)["type"] == "result"
    assert worker.process.wait(PATIENCE) == 0


def test_kill_in_the_middle_of_a_bake_and_resume(start, scene, shared_worker, tmp_path):
    """Killed without warning, twice: every file there is whole, and the finished bake has no gap and is the
    same, byte for byte, as one that was never disturbed."""
    frames = {"first": 1, "last": 1500}  # some seconds: a kill may cost the last one's work
    rendered = 0
    for part in (0.2, 0.6):
        worker = start()
        worker.send(1, "render", **scene, frames=frames)
        worker.until_progress(1, part)
        worker.process.kill()
        worker.process.wait()
        for path in Path(scene["out_dir"]).glob("sway_*.png"):
            assert load_photo(path).size == SIZE
            rendered += 1
    assert rendered
    shared_worker.send(1, "render", **scene, frames=frames)
    reply = shared_worker.final(1)
    assert reply["skipped"] > 0 and reply["rendered"] + reply["skipped"] == 1500
    undisturbed = {**scene, "out_dir": str(tmp_path / "undisturbed")}
    shared_worker.send(2, "render", **undisturbed, frames=frames)
    assert shared_worker.final(2)["rendered"] == 1500
    resumed = {name: data for name, data in files(scene).items() if not name.startswith(".")}
    expected = files(undisturbed)
    assert sorted(resumed) == sorted(expected)
    assert [name for name in resumed if resumed[name] != expected[name]] == []
    assert len(BakeRecord(Path(scene["out_dir"])).entries()) == 1500


@pytest.mark.skipif(sys.platform == "win32", reason="timers")
def test_an_interrupt_at_any_moment_leaves_no_frame_unrecorded(tmp_path, monkeypatch):
    """Ctrl-C strikes wherever the main thread is; what lies on the disk is known all the same."""

    def interrupt(*_):
        raise KeyboardInterrupt

    def write(frame, path):
        path.write_bytes(b"pixels")
        if frame == 50:  # both threads are running
            signal.setitimer(signal.ITIMER_REAL, 0.001 + 0.0003 * turn)

    monkeypatch.setattr("gid_engine.bake.RECORD_SECONDS", 0.001)
    struck = 0
    gc.disable()  # an exception within the collector's callbacks is swallowed
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for turn in range(60):
            sequence = FrameSequence(tmp_path / str(turn), "f", ".png")
            sequence.folder.mkdir()
            try:
                bake(sequence, range(600), str, write, None)
            except KeyboardInterrupt:
                struck += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            on_disk = {path.name for path in sequence.folder.glob("*.png")}
            assert set(BakeRecord(sequence.folder).entries()) == on_disk
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert struck > 45  # one within a finaliser is swallowed too, and a fast machine may be done before


def test_a_speed_ramp_is_one_key_a_frame(shared_worker, scene):
    """What an add-on sends for keyframed controls: sampled curves."""
    score = Score(speed=Curve.sampled(0, np.linspace(0, 2, 150)), amplitude=Curve.sampled(0, np.ones(150)))
    shared_worker.send(1, "render", **scene, frames=[10], score=score.to_dict())
    assert shared_worker.final(1)["rendered"] == 1


@pytest.mark.skipif(not WEIGHTS, reason="the weights are not here")
def test_end_to_end_with_the_real_prior(start, scene, tmp_path):
    worker, out = start(), tmp_path / "m.safetensors"
    worker.send(1, "predict", photo=scene["photo"], out=str(out), device="cpu")
    assert worker.final(1)["path"] == str(out)
    worker.send(2, "render", **{**scene, "motion": str(out)}, frames=[0, 5], device="cpu")
    assert worker.final(2)["rendered"] == 2
    assert worker.close() == 0


def test_select_cuts_the_thing_out(shared_worker, tmp_path):
    """A disc before another colour, by a box around it and by a click on it."""
    rows, columns = np.mgrid[0:120, 0:160]
    disc = (rows - 60) ** 2 + (columns - 50) ** 2 < 30**2
    noise = np.random.default_rng(0).integers(-12, 12, (120, 160, 3))
    photo = np.where(disc[..., None], [200, 60, 40], [60, 90, 150]) + noise
    save_image(tmp_path / "photo.png", photo.clip(0, 255).astype(np.uint8))
    for number, box in enumerate(([0.1, 0.2, 0.55, 0.8], [0.31, 0.5, 0.31, 0.5])):
        out = tmp_path / f"mask {number}.png"
        shared_worker.send(number, "select", photo=str(tmp_path / "photo.png"), out=str(out), box=box)
        assert shared_worker.final(number)["type"] == "result"
        mask = load_photo(out).pixels[..., 0] > 127
        assert (mask == disc).mean() > 0.98, box


def test_select_where_nothing_stands_out(shared_worker, tmp_path):
    save_image(tmp_path / "grey.png", np.full((40, 60, 3), 128, np.uint8))
    fields = {"photo": str(tmp_path / "grey.png"), "out": str(tmp_path / "m.png"), "box": [0.2, 0.2, 0.6, 0.6]}
    shared_worker.send("s", "select", **fields)
    reply = shared_worker.final("s")
    assert reply["type"] == "result" or reply["code"] == "nothing_selected"
    shared_worker.send("t", "select", **(fields | {"box": [0, 0, 1]}))
    assert shared_worker.final("t")["code"] == "bad_request"
