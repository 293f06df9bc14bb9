"""Names, folders and sequences, as file systems and Blender take them."""

import os

import pytest

from blender_gid.core import backends, installer, paths
from blender_gid.core.engine import GidError
from blender_gid.core.sequence import Sequence, find_sequence

PNG = b"\x89PNG\r\n\x1a\n....\x00\x00\x00\x00IEND\xaeB`\x82"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo", "photo"),
        ("d é 花", "d é 花"),
        ("a/b\\c:d", "a_b_c_d"),
        ("..", "photo"),
        (".hidden", "hidden"),
        ("trailing. ", "trailing"),
        ("CON", "_CON"),
        ("com1.png", "_com1.png"),
        ("", "photo"),
        ("x" * 200, "x" * 48),
    ],
)
def test_file_names_suit_every_system(name, expected):
    assert paths.file_name(name) == expected


def test_folders_differ_from_others_also_where_case_does_not_count():
    assert paths.folder_name("Photo", ["photo", "photo_2"], unique=False) == "Photo_3"
    assert paths.folder_name("Photo", [], unique=False) == "Photo"
    assert paths.folder_name("Photo", [], unique=True) != paths.folder_name("Photo", [], unique=True)


def test_folder_in_the_way_of_a_file(tmp_path):
    (tmp_path / "gid").write_text("a file")
    with pytest.raises(GidError, match="can't be written to"):
        paths.writable_folder(tmp_path / "gid" / "photo")
    assert os.listdir(paths.writable_folder(tmp_path / "new" / "photo")) == []


def test_sequence_is_whole_or_names_what_is_not(tmp_path):
    sequence = Sequence(tmp_path, "p", ".png", 9, 11)
    for frame in (9, 10, 11):
        sequence.path(frame).write_bytes(PNG)
    sequence.check()
    sequence.path(10).write_bytes(PNG[:-3])
    with pytest.raises(GidError, match="p_0010"):
        sequence.check()
    sequence.path(10).write_bytes(b"")
    with pytest.raises(GidError, match="p_0010"):
        sequence.check()


def test_image_user_counts_as_blender_does():
    """File number = offset + wrap(frame − start + 1), see DNA ImageUser: frame 9 must show file 9."""
    user = Sequence(None, "p", ".png", 9, 11, cyclic=True).image_user

    def file_at(frame):
        n = (frame - user["frame_start"] + 1) % user["frame_duration"] or user["frame_duration"]
        return n + user["frame_offset"]

    assert [file_at(f) for f in (8, 9, 10, 11, 12)] == [11, 9, 10, 11, 9]


def test_a_sequence_is_found_around_any_of_its_frames(tmp_path):
    for frame in (3, 4, 5, 7, 12345):
        (tmp_path / f"my_shot_{frame:04d}.exr").write_bytes(b"x")
    found = find_sequence(tmp_path / "my_shot_0004.exr", cyclic=False)
    assert (found.stem, found.first, found.last) == ("my_shot", 3, 5)
    assert find_sequence(tmp_path / "my_shot_12345.exr", cyclic=False).first == 12345
    with pytest.raises(GidError):
        find_sequence(tmp_path / "my_shot.exr", cyclic=False)


def test_installation_is_missing_unfinished_or_there(tmp_path):
    with pytest.raises(GidError, match="not installed"):
        installer.installed_python(tmp_path)
    installer._write_marker(tmp_path, {"state": "incomplete"})
    with pytest.raises(GidError, match="Install it again"):
        installer.installed_python(tmp_path)
    python = installer.environment_python(tmp_path)
    python.parent.mkdir(parents=True)
    python.touch()
    lock = backends.fingerprint(backends.BACKENDS["cpu"].lock)
    installer._write_marker(tmp_path, {"state": "ready", "backend": "cpu", "lock": lock})
    assert installer.installed_python(tmp_path) == python
    installer._write_marker(tmp_path, {"state": "ready", "backend": "cpu", "lock": "older"})
    with pytest.raises(GidError, match="another version"):
        installer.installed_python(tmp_path)
