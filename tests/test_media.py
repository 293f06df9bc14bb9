"""Photos, pictures, masks, sequences and videos as a person has them, good and bad."""

import errno
import io
import os
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from gid_engine.errors import GidError
from gid_engine.media import (
    FrameSequence,
    VideoWriter,
    as_srgb8,
    discard_abandoned,
    load_mask,
    load_photo,
    photo_from_array,
    read_frames,
    resize_photo,
    safe_write,
    save_frame,
    save_image,
)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(dtype=np.uint8, channels=3, h=24, w=40, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype in (np.float32, np.float16):
        return (rng.random((h, w, channels)) * 4 - 0.5).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, (h, w, channels), dtype)


def code_of(call, *args, **kwargs) -> GidError:
    with pytest.raises(GidError) as caught:
        call(*args, **kwargs)
    assert caught.value.message.endswith(".") and caught.value.action.endswith(".")
    return caught.value


# --- writing and reading back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("icc", [None, SRGB])
def test_pixels_and_profile_come_back_bit_for_bit(tmp_path, suffix, channels, dtype, icc):
    path, pixels = tmp_path / f"Photo é 木 1{suffix}", noise(dtype, channels)
    save_image(path, pixels, icc)
    photo = load_photo(path)
    assert photo.pixels.dtype == dtype and np.array_equal(photo.pixels, pixels)
    assert photo.icc == icc and photo.has_alpha == (channels == 4) and photo.size == (40, 24)


@pytest.mark.parametrize("channels", [3, 4])
def test_exr_comes_back_bit_for_bit(tmp_path, channels):
    pixels = noise(np.float32, channels)
    acescg = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
    save_image(tmp_path / "木 é.exr", pixels, chromaticities=acescg)
    photo = load_photo(tmp_path / "木 é.exr")
    assert photo.pixels.dtype == np.float32 and np.array_equal(photo.pixels, pixels) and not photo.half
    np.testing.assert_allclose(photo.chromaticities, acescg, rtol=1e-6)


def test_a_half_exr_stays_half(tmp_path):
    pixels = noise(np.float16, 4)
    save_image(tmp_path / "a.exr", pixels)
    photo = load_photo(tmp_path / "a.exr")
    assert photo.half and np.array_equal(photo.pixels, pixels.astype(np.float32))
    save_frame(tmp_path / "b.exr", photo.pixels, photo)
    assert (tmp_path / "b.exr").read_bytes() == (tmp_path / "a.exr").read_bytes()


def test_jpeg_is_near_and_keeps_full_colour(tmp_path):
    # Red and blue columns of one pixel: subsampled chroma would mix them to purple.
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, ::2, 0] = pixels[:, 1::2, 2] = 200
    save_image(tmp_path / "a.jpg", pixels, SRGB)
    photo = load_photo(tmp_path / "a.jpg")
    assert photo.icc == SRGB
    assert np.abs(photo.pixels.astype(int) - pixels).max() < 30  # 4:2:0 is off by 100


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.exr"])
def test_the_same_pixels_are_the_same_bytes(tmp_path, name):
    pixels = noise(np.float32 if name.endswith("exr") else np.uint8)
    for folder in ("one", "two"):
        save_image(tmp_path / folder / name, pixels)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_frame_in_another_format_looks_the_same(tmp_path):
    """8 bit to linear EXR to 16 bit and JPEG: the same colours, alpha over black where there is none."""
    photo = photo_from_array(noise(channels=4, seed=2))
    save_frame(tmp_path / "a.exr", photo.pixels, photo)
    linear = load_photo(tmp_path / "a.exr")
    save_frame(tmp_path / "a.png", linear.pixels, linear)
    back = load_photo(tmp_path / "a.png").pixels
    seen = photo.pixels[..., 3] > 0
    # 257 maps 8 bit onto 16; half a step of 8 bit is 128.
    assert np.abs(back.astype(int) - photo.pixels.astype(int) * 257)[seen].max() < 128
    flat = photo_from_array(np.full((32, 32, 4), 128, np.uint8))
    save_frame(tmp_path / "b.jpg", flat.pixels, flat)
    assert np.abs(load_photo(tmp_path / "b.jpg").pixels.astype(int) - 64).max() <= 2  # half of 128 over black


@pytest.mark.parametrize(
    "pixels, name", [(noise(np.float32), "a.png"), (noise(), "a.exr"), (noise(np.uint16), "a.jpg")]
)
def test_save_image_refuses_what_it_would_have_to_convert(tmp_path, pixels, name):
    with pytest.raises(ValueError):
        save_image(tmp_path / name, pixels)
    assert list(tmp_path.iterdir()) == []


def test_unknown_suffix_is_an_error(tmp_path):
    assert code_of(save_image, tmp_path / "a.heic", noise()).code == "image_format"


# --- the kinds of photos people have ----------------------------------------------------------------------------


def test_exif_rotation_is_applied(tmp_path):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24] = 255  # white in the upper left
    # How a camera stores an upright picture under each orientation (EXIF 2.3, tag 274).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    for orientation, pixels in stored.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        for suffix in ("png", "jpg", "webp", "tif"):
            path = tmp_path / f"{orientation}.{suffix}"
            options = {"lossless": True} if suffix == "webp" else {}
            Image.fromarray(np.ascontiguousarray(pixels)).save(path, exif=exif, **options)
            loaded = load_photo(path)
            assert loaded.size == (48, 32), path
            assert np.abs(loaded.pixels.astype(int) - upright).max() < 40, path  # JPEG rings at the edges


def test_a_16_bit_tiff_is_upright_too(tmp_path):
    upright = noise(np.uint16)
    for orientation, stored in {1: upright, 3: upright[::-1, ::-1], 6: np.rot90(upright, 1)}.items():
        save_image(tmp_path / "a.tif", np.ascontiguousarray(stored))
        data = bytearray((tmp_path / "a.tif").read_bytes())
        at = data.index(b"\x1c\x01\x03\x00")  # tag 284, planar configuration = 1: the default, so it can go
        data[at : at + 2] = b"\x12\x01"
        data[at + 8] = orientation
        # Tags must rise: 274 belongs before 277.
        tags_at = int.from_bytes(data[4:8], "little") + 2
        count = int.from_bytes(data[tags_at - 2 : tags_at], "little")
        entries = sorted(
            (bytes(data[tags_at + 12 * i : tags_at + 12 * i + 12]) for i in range(count)),
            key=lambda e: int.from_bytes(e[:2], "little"),
        )
        data[tags_at : tags_at + 12 * count] = b"".join(entries)
        (tmp_path / "a.tif").write_bytes(data)
        assert np.array_equal(load_photo(tmp_path / "a.tif").pixels, upright), orientation


def test_grey_palette_and_transparency(tmp_path):
    rgba = noise(channels=4)
    rgba[..., 3] = np.where(rgba[..., 3] > 127, 255, 0)
    grey = rgba[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert np.array_equal(load_photo(tmp_path / "grey.png").pixels, np.repeat(grey[..., None], 3, 2))

    Image.fromarray(grey).convert("1").save(tmp_path / "bits.tif")
    assert set(np.unique(load_photo(tmp_path / "bits.tif").pixels)) == {0, 255}

    palette = Image.fromarray(grey % 8)
    palette.putpalette([v for i in range(8) for v in (i * 30, 255 - i * 30, i)])
    palette.save(tmp_path / "palette.png", transparency=3)
    photo = load_photo(tmp_path / "palette.png")
    assert photo.has_alpha
    assert np.array_equal(photo.pixels[..., 3] == 0, grey % 8 == 3)
    assert np.array_equal(photo.pixels[..., 0], grey % 8 * 30)

    Image.fromarray(np.dstack([grey, rgba[..., 3]]), "LA").save(tmp_path / "la.png")
    assert np.array_equal(load_photo(tmp_path / "la.png").pixels[..., 3], rgba[..., 3])


def test_16_bit_grey(tmp_path):
    grey = noise(np.uint16)[..., 0]
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    assert np.array_equal(load_photo(tmp_path / "grey.png").pixels, np.repeat(grey[..., None], 3, 2))


def test_cmyk_jpeg(tmp_path):
    solid = Image.new("CMYK", (32, 32), (0, 255, 255, 0))  # magenta + yellow = red
    solid.save(tmp_path / "cmyk.jpg", quality=95)
    red = load_photo(tmp_path / "cmyk.jpg").pixels.reshape(-1, 3).mean(0)
    assert red[0] > 200 and red[1] < 60 and red[2] < 60


@pytest.mark.parametrize("suffix", ["bmp", "webp", "png", "jpg", "tif"])
def test_every_format_reads(tmp_path, suffix):
    smooth = np.broadcast_to(np.linspace(0, 255, 40)[:, None], (24, 40, 3)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / f"a.{suffix}", quality=95)
    assert np.abs(load_photo(tmp_path / f"a.{suffix}").pixels.astype(int) - smooth).max() < 12


def test_the_suffix_does_not_matter(tmp_path):
    save_image(tmp_path / "a.png", noise())
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert np.array_equal(load_photo(tmp_path / "a.jpg").pixels, noise())


def test_a_layered_exr_with_a_cropped_data_window(tmp_path):
    OpenEXR = pytest.importorskip("OpenEXR")
    small = noise(np.float32, h=20, w=30)
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "displayWindow": (np.int32([0, 0]), np.int32([39, 39])),
        "dataWindow": (np.int32([5, -4]), np.int32([34, 15])),
    }
    channels = {f"View.Combined.{c}": np.ascontiguousarray(small[..., i]) for i, c in enumerate("RGB")}
    channels["View.Depth.Z"] = np.ascontiguousarray(small[..., 0])
    OpenEXR.File(header, channels).write(str(tmp_path / "a.exr"))
    photo = load_photo(tmp_path / "a.exr")
    assert photo.size == (40, 40)
    assert np.array_equal(photo.pixels[:16, 5:35], small[4:])
    assert not photo.pixels[16:].any() and not photo.pixels[:, :5].any()


def test_values_that_are_not_numbers(tmp_path):
    pixels = noise(np.float32)
    pixels[3, 4], pixels[5, 6, 0] = np.nan, np.inf
    save_image(tmp_path / "a.exr", pixels)
    loaded = load_photo(tmp_path / "a.exr").pixels
    assert np.array_equal(loaded, np.where(np.isfinite(pixels), pixels, 0))
    save_image(tmp_path / "b.exr", np.full_like(pixels, np.nan))
    assert code_of(load_photo, tmp_path / "b.exr").code == "photo_not_finite"


def test_a_phone_jpeg_with_a_second_picture_inside(tmp_path):
    first, second = Image.fromarray(noise()), Image.fromarray(noise(seed=1))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    assert load_photo(tmp_path / "a.jpg").size == (40, 24)


# --- bad photos -------------------------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = [body, data, b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (len(c) - 4).to_bytes(4, "big") + c + zlib.crc32(c).to_bytes(4, "big") for c in chunks
    )


@pytest.mark.parametrize("size", [(30_000, 20), (16_000, 16_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_by_the_header(tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(png_header(*size))
    error = code_of(load_photo, tmp_path / "bomb.png")
    assert error.code == "photo_too_large" and "bomb.png" in error.message and "Scale it down" in error.action


@pytest.mark.parametrize("size", [(1, 1), (15, 200), (200, 15)])
def test_too_small(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert code_of(load_photo, tmp_path / "a.png").code == "photo_too_small"


def test_the_smallest_photo(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    assert load_photo(tmp_path / "a.png").size == (16, 16)


@pytest.mark.parametrize(
    "name, pixels",
    [
        ("a.png", noise(h=200)),
        ("b.png", noise(np.uint16, h=200)),
        ("a.jpg", noise(h=200)),
        ("a.tif", noise(h=200)),
        ("b.tif", noise(np.uint16, h=200)),
        ("a.exr", noise(np.float32, h=200)),
    ],
)
@pytest.mark.parametrize("part", [0.002, 0.1, 0.5, 0.95])
def test_a_file_cut_short(tmp_path, name, pixels, part):
    save_image(tmp_path / name, pixels)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: max(5, int(len(data) * part))])
    error = code_of(load_photo, tmp_path / name)
    assert error.code in ("photo_damaged", "photo_not_image") and name in error.message


def test_webp_and_bmp_cut_short(tmp_path):
    for name in ("a.webp", "a.bmp"):
        Image.fromarray(noise()).save(tmp_path / name)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        assert code_of(load_photo, tmp_path / name).code in ("photo_damaged", "photo_not_image")


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "exr"])
def test_flipped_bytes_never_crash(tmp_path, suffix, seed):
    """Whatever a broken disk does to a file: a photo or a sentence."""
    path = tmp_path / f"a.{suffix}"
    if suffix == "exr":
        save_image(path, noise(np.float16))
    else:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(noise()).save(path, exif=exif, icc_profile=SRGB)
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, min(len(data), 400) if seed % 2 else len(data), 4):
        data[at] = rng.integers(256)
    path.write_bytes(data)
    try:
        photo = load_photo(path)
    except GidError as error:
        assert str(path) in error.message
    else:
        assert photo.pixels.dtype in (np.uint8, np.float32) and min(photo.size) >= 16


def test_not_photos(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "heic.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 100)
    for path, code in [
        (tmp_path / "empty.png", "photo_empty"),
        (tmp_path / "text.jpg", "photo_not_image"),
        (tmp_path / "heic.heic", "photo_not_image"),
        (tmp_path, "photo_not_file"),
        (tmp_path / "missing é.png", "photo_missing"),
        (tmp_path / "text.jpg" / "a.png", "photo_unreadable"),
        (Path("nul\0l.png"), "photo_unreadable"),
        (tmp_path / ("x" * 5000), "photo_unreadable"),
    ]:
        error = code_of(load_photo, path)
        assert error.code == code and str(path) in error.message


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no device files")
def test_a_device_is_not_read():
    assert code_of(load_photo, "/dev/zero").code == "photo_not_file"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user whom rights bind")
def test_a_photo_that_may_not_be_read(tmp_path):
    save_image(tmp_path / "a.png", noise())
    (tmp_path / "a.png").chmod(0)
    assert code_of(load_photo, tmp_path / "a.png").code == "photo_unreadable"


def test_float_tiff_says_what_to_do(tmp_path):
    cv2.imwrite(str(tmp_path / "a.tif"), noise(np.float32))
    assert "EXR" in code_of(load_photo, tmp_path / "a.tif").action


# --- what the network and the screen see ------------------------------------------------------------------------


def test_alpha_goes_over_mid_grey():
    rgba = noise(channels=4)
    rgba[0, 0, 3], rgba[0, 1, 3] = 0, 255
    shown = as_srgb8(photo_from_array(rgba))
    assert (shown[0, 0] == 128).all() and np.array_equal(shown[0, 1], rgba[0, 1, :3])


def test_16_bit_and_linear_show_the_same_as_8_bit():
    eight = noise()
    unit = eight / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4).astype(np.float32)
    assert np.array_equal(as_srgb8(photo_from_array(eight.astype(np.uint16) * 257)), eight)
    assert np.array_equal(as_srgb8(photo_from_array(linear)), eight)


def test_bright_linear_photos_are_not_all_white():
    bright = np.full((32, 32, 3), 20, np.float32)
    bright[:16] = 5
    assert as_srgb8(photo_from_array(bright))[0, 0].max() < 200


def test_a_wide_profile_is_converted_for_the_screen(tmp_path):
    """A profile whose red and blue are swapped turns red into blue, and only where it should."""
    swapped = bytearray(SRGB)
    r, b = swapped.index(b"rXYZ"), swapped.index(b"bXYZ")
    swapped[r : r + 4], swapped[b : b + 4] = b"bXYZ", b"rXYZ"
    at = swapped.index("sRGB".encode("utf-16-be"))
    swapped[at : at + 8] = "swap".encode("utf-16-be")
    red = np.zeros((20, 20, 3), np.uint8)
    red[..., 0] = 255
    save_image(tmp_path / "a.png", red, bytes(swapped))
    photo = load_photo(tmp_path / "a.png")
    assert np.array_equal(photo.pixels, red)  # kept as it is in the file
    assert as_srgb8(photo)[0, 0, 2] > 250 and as_srgb8(photo)[0, 0, 0] < 5


def test_resizing_does_not_bleed_hidden_colours():
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[:, 1::2] = (255, 0, 0, 255)  # opaque red between transparent black
    small = resize_photo(photo_from_array(rgba), 32)
    assert small.size == (32, 32) and (small.pixels[..., 0] == 255).all()
    assert resize_photo(small, 100) is small


def test_mask(tmp_path):
    grey = np.zeros((60, 80), np.uint8)
    grey[:, 40:] = 255
    Image.fromarray(grey).save(tmp_path / "m.png")
    mask = load_mask(tmp_path / "m.png", (8, 6))
    assert mask.shape == (6, 8) and mask.dtype == np.float32
    assert np.array_equal(mask, np.repeat([[0] * 4 + [1] * 4], 6, 0).astype(np.float32))
    assert code_of(load_mask, tmp_path / "none.png", (8, 6)).code == "mask_missing"
    (tmp_path / "text.png").write_text("x")
    assert code_of(load_mask, tmp_path / "text.png", (8, 6)).code == "mask_not_image"


# --- safe writing -----------------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), safe_write(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.parametrize(
    "number, code",
    [(errno.ENOSPC, "disk_full"), (errno.EACCES, "not_writable"), (errno.EROFS, "not_writable")],
)
def test_what_the_disk_says(tmp_path, monkeypatch, number, code):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    error = code_of(save_image, tmp_path / "a.png", noise())
    assert error.code == code and "a.png" in error.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
@pytest.mark.parametrize("name", ["a.png", "a.exr", "a.mp4"])
def test_a_disk_that_fills_up(tmp_path, name):
    """A real failing write: the process may not write more than 4 kB to a file."""
    script = f"""
        import resource, numpy as np
        from gid_engine.errors import GidError
        from gid_engine.media import VideoWriter, save_image
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
        path = {str(tmp_path / name)!r}
        try:
            if path.endswith("mp4"):
                with VideoWriter(path, (128, 128), 30) as video:
                    for _ in range(20):
                        video.write(noise)
            else:
                save_image(path, noise.astype("f4") if path.endswith("exr") else noise)
        except GidError as error:
            print(error.code)
    """
    run = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[1])
    assert done.stdout.split() == ["disk_full"], done.stderr
    assert list(tmp_path.iterdir()) == []


def test_bad_targets(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.png").mkdir()
    assert code_of(save_image, tmp_path / "file" / "a.png", noise()).code == "bad_folder"
    assert code_of(save_image, tmp_path / "folder.png", noise()).code == "target_is_folder"
    assert code_of(save_image, tmp_path / ("x" * 300 + ".png"), noise()).code == "name_too_long"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user whom rights bind")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    assert code_of(save_image, tmp_path / "a.png", noise()).code == "not_writable"
    assert code_of(VideoWriter(tmp_path / "a.mp4", (64, 48), 30).__enter__).code == "not_writable"


def test_missing_folders_are_made_and_leftovers_removed(tmp_path):
    save_image(tmp_path / "new é" / "deeper" / "a.png", noise())
    folder = tmp_path / "new é" / "deeper"
    old, young = folder / ".a.0000.part.png", folder / ".a.0001.part.png"
    for part in (old, young):
        part.write_text("x")
    os.utime(old, (0, 0))
    discard_abandoned(folder)
    assert not old.exists() and young.exists() and (folder / "a.png").exists()


# --- sequences --------------------------------------------------------------------------------------------------


def test_sequence_names_and_gaps(tmp_path):
    sequence = FrameSequence(tmp_path, "Sway é [1]", ".png")
    for frame in (1, 2, 5, 12345):
        sequence.path(frame).write_text("x")
    (tmp_path / "Sway é [1]_0003.jpg").write_text("x")
    (tmp_path / ".Sway é [1]_0003.part.png").write_text("x")
    assert sequence.path(7).name == "Sway é [1]_0007.png"
    assert sequence.frames() == [1, 2, 5, 12345]
    assert sequence.missing(range(1, 7)) == [3, 4, 6]
    assert sequence.missing()[:3] == [3, 4, 6]
    assert FrameSequence(tmp_path / "none", "a", ".png").frames() == []


@pytest.mark.parametrize("name", ["", "a/b", "..", "a\\b", "C:x", "a\n", ".a"])
def test_names_that_are_paths_are_refused(tmp_path, name):
    assert code_of(FrameSequence, tmp_path, name, ".png").code == "bad_name"


def test_frames_below_zero_have_no_file(tmp_path):
    assert code_of(FrameSequence(tmp_path, "a", ".png").path, -1).code == "bad_frame"


# --- video ------------------------------------------------------------------------------------------------------


def swatches(count=6, w=63, h=47):
    """Flat quarters, whose colours survive 4:2:0, one corner changing with time."""
    frame = np.zeros((h, w, 3), np.uint8)
    frame[:24, :32], frame[:24, 32:], frame[24:, :32] = (200, 40, 30), (20, 120, 220), (60, 180, 40)
    for i in range(count):
        frame[24:, 32:] = 40 * i
        yield frame.copy()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_video_keeps_count_colours_and_odd_sizes(tmp_path, suffix):
    path = tmp_path / f"Vidéo 木{suffix}"
    with VideoWriter(path, (63, 47), 30) as video:
        for frame in swatches():
            video.write(frame)
    frames = list(read_frames(path))
    assert len(frames) == 6 and frames[0].shape == (48, 64, 3)
    for seen, meant in zip(frames, swatches(), strict=True):
        for y, x in ((10, 10), (10, 50), (40, 10), (40, 50)):
            assert np.abs(seen[y, x].astype(int) - meant[y, x]).max() <= 8  # rounding of 8-bit YCbCr, and CRF
    assert (
        np.array_equal(frames[0][47], frames[0][46]) or np.abs(frames[0][47].astype(int) - frames[0][46]).max() < 9
    )


def test_the_same_frames_are_the_same_video(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        with VideoWriter(tmp_path / name, (64, 48), 29.97) as video:
            for seed in range(8):
                video.write(noise(h=48, w=64, seed=seed))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_video_is_tagged_and_starts_fast(tmp_path):
    av = pytest.importorskip("av")
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 24) as video:
        video.write(noise(h=48, w=64))
    with av.open(str(tmp_path / "a.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range) == (1, 1, 1, 1)
        assert container.streams.video[0].average_rate == 24
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_an_interrupted_video_does_not_appear(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", (64, 48), 30) as video:
        video.write(noise(h=48, w=64))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_bad_videos(tmp_path):
    (tmp_path / "text.mp4").write_text("x")
    assert code_of(lambda: list(read_frames(tmp_path / "text.mp4"))).code == "video_unreadable"
    assert code_of(lambda: list(read_frames(tmp_path / "none.mp4"))).code == "video_unreadable"
    assert code_of(VideoWriter, tmp_path / "a.avi", (64, 48), 30).code == "video_format"


def test_jpeg_bytes_load_without_a_known_suffix(tmp_path):
    file = io.BytesIO()
    Image.fromarray(noise()).save(file, "JPEG")
    (tmp_path / "download").write_bytes(file.getvalue())
    assert load_photo(tmp_path / "download").size == (40, 24)
