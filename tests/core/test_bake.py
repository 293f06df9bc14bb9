"""Batches of jobs, keys and versions of bakes, missing frames: without Blender, without an engine."""

import shutil
from pathlib import Path

import pytest

from blender_gid.core import bake
from blender_gid.core.bake import Ingredients
from blender_gid.core.engine import GidError
from blender_gid.core.job import Batch, Step
from blender_gid.core.sequence import Sequence, sequence_from, spans


class Scripted:
    """A job that ends as it is told when it has been polled three times."""

    error = None

    def __init__(self, ends="DONE"):
        self.state, self.fraction, self.message, self.result, self._ends = "RUNNING", 0.0, "Working", {}, ends

    @property
    def finished(self):
        return self.state in ("DONE", "FAILED", "CANCELLED")

    def poll(self):
        self.fraction += 1 / 3
        if self.fraction > 0.99:
            self.state = self._ends
            if self._ends == "FAILED":
                self.error = GidError("odd", "It went wrong.", "Look.")
        return True

    def cancel(self):
        self.state = "CANCELLED"


def batch_of(*kinds):
    told = {}

    def step(name, kind):
        def start():
            if isinstance(kind, GidError):
                raise kind
            return Scripted(kind)

        def tell(sentence, failed):
            told[name] = (sentence, failed)

        return Step(name, start, lambda result: f"{name} is done.", tell)

    return Batch("Baking", [step("abc"[i], kind) for i, kind in enumerate(kinds)]), told


def run(batch):
    fractions = [batch.fraction]
    while not batch.finished:
        batch.poll()
        fractions.append(batch.fraction)
    assert fractions == sorted(fractions) and 0 <= fractions[0] <= fractions[-1] <= 1
    return batch


def test_a_batch_does_one_after_the_other_and_its_bar_only_grows():
    batch, told = batch_of("DONE", "DONE", "DONE")
    assert batch.message == "Starting the engine" and batch.fraction == 0
    batch.poll()
    assert batch.message == "a (1 of 3): Working"
    run(batch)
    assert batch.state == "DONE" and batch.fraction == 1 and batch.summary == "All 3 are done."
    assert told == {name: (f"{name} is done.", False) for name in "abc"}


@pytest.mark.parametrize("middle", ["FAILED", GidError("photo_missing", "It went wrong.", "Look.")])
def test_a_failure_is_told_to_its_own_plane_and_the_rest_goes_on(middle):
    batch, told = batch_of("DONE", middle, "DONE")
    run(batch)
    assert batch.state == "FAILED" and str(batch.error) == "2 of 3 are done; b: It went wrong. Look."
    assert [told[name][1] for name in "abc"] == [False, True, False]


@pytest.mark.parametrize("code", ["engine_missing", "disk_full"])
def test_a_failure_that_all_would_meet_ends_the_batch(code):
    batch, told = batch_of("DONE", GidError(code, "No.", ""), "DONE")
    run(batch)
    assert batch.state == "FAILED" and set(told) == {"a", "b"}


def test_a_batch_of_one_speaks_like_a_job():
    batch, _ = batch_of("FAILED")
    batch.poll()
    assert batch.message == "Working"
    assert str(run(batch).error) == "It went wrong. Look."
    assert run(batch_of("DONE")[0]).summary == "a is done."


def test_a_cancelled_batch_starts_nothing_more():
    batch, told = batch_of("DONE", "DONE", "DONE")
    while "a" not in told:
        batch.poll()
    batch.cancel()
    assert batch.state == "CANCELLED" and set(told) == {"a", "b"} and "cancelled" in told["b"][0]


# --- what a bake is made from -----------------------------------------------------------------------------------


def ingredients(folder, **changes):
    for name in ("p.png", "m.safetensors"):
        if not (folder / name).exists():
            (folder / name).write_bytes(name.encode() * 100_000)
    values = {
        "score": {"amplitude": 1, "regions": [{"mask": str(folder / "p.png")}]},
        "photo": folder / "p.png",
        "motion": folder / "m.safetensors",
        "options": {},
    }
    return Ingredients(**(values | changes)).key


def test_a_key_changes_with_what_changes_pixels_and_not_with_the_place(tmp_path):
    here, there = tmp_path / "a", tmp_path / "b"
    here.mkdir()
    key = ingredients(here)
    shutil.copytree(here, there)
    assert ingredients(there) == key
    changed = [
        ingredients(here, score={"amplitude": 2}),
        ingredients(here, options={"format": "exr"}),
    ]
    (here / "p.png").write_bytes((here / "p.png").read_bytes()[:-1] + b"x")
    changed.append(ingredients(here))
    assert len({key, *changed}) == 4


def test_versions_are_numbered_after_the_last_and_an_unfinished_one_goes_on(tmp_path):
    assert bake.next_version(tmp_path / "none", []) == "v001"
    for name in ("v001", "v007", "notes", "v7x"):
        (tmp_path / name).mkdir()
    assert bake.next_version(tmp_path, ["v001", "v007"]) == "v008"
    assert bake.next_version(tmp_path, ["v001"]) == "v007"


def test_bytes_are_estimated_from_the_photo_and_then_from_the_frames(tmp_path):
    size = (1920, 1080)
    png, exr, jpg = (bake.frame_bytes(None, s, size, 3, False) for s in (".png", ".exr", ".jpg"))
    assert jpg < png < exr and png < 1920 * 1080 * 3
    assert bake.frame_bytes(None, ".png", size, 4, True) == pytest.approx(png * 8 / 3, rel=1e-6)  # 16 bit, alpha
    (tmp_path / "p_0001.png").write_bytes(bytes(1000))
    (tmp_path / "p_0002.png").write_bytes(bytes(3000))
    assert bake.frame_bytes(tmp_path, ".png", size, 3, False) == 2000
    with pytest.raises(GidError, match=r"need about .* GB"):
        bake.require_space(tmp_path, 1 << 60)


@pytest.mark.parametrize(
    ("text", "frames"), [("7", (7, 7)), ("1-150", (1, 150)), (" 3 - 4 ", (3, 4)), ("1..9", (1, 9))]
)
def test_frames_of_the_command_line(text, frames):
    assert bake.parse_frames(text) == frames


@pytest.mark.parametrize("text", ["", "a", "5-1", "-3", "1-2-3"])
def test_frames_that_are_none(text):
    with pytest.raises(GidError, match="not a range"):
        bake.parse_frames(text)


# --- missing frames ---------------------------------------------------------------------------------------------


def test_missing_frames_are_held_by_the_nearest_the_earlier_of_two():
    sequence = Sequence(Path(), "p", ".png", 1, 6)
    assert sequence.held([3, 4, 6], range(1, 9)) == [(1, 0), (3, -1), (4, 1), (5, 0), (6, -1)]
    assert sequence.held([], range(1, 9)) == [] and sequence.held([1, 2, 3, 4, 5, 6], range(1, 9)) == []
    loop = Sequence(Path(), "p", ".png", 1, 4, cyclic=True)
    shown = {frame: loop.shown_at(frame) for frame in range(-3, 10)}
    assert [shown[f] for f in (-3, 0, 1, 4, 5, 9)] == [1, 4, 1, 4, 1, 1]
    assert loop.held([1], range(1, 6)) == [(1, 1), (2, 0), (5, 1)]


def test_numbers_as_a_person_writes_them():
    assert spans([3, 4, 5, 9]) == "3–5, 9"
    assert spans([1, 3, 5, 7, 9]) == "1, 3, 5 …"


def test_a_sequence_is_told_by_its_first_file():
    found = sequence_from(Path("d/my_shot_0012.exr"), 5, True)
    assert (found.stem, found.suffix, found.first, found.last, found.cyclic) == ("my_shot", ".exr", 12, 16, True)
    assert sequence_from(Path("d/photo.png"), 5, True) is None
