"""The engine's setup with real environments and pip: small stand-ins for the packages, all else as it is."""

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

from blender_gid.core import backends, installer, setup
from blender_gid.core.backends import BACKENDS
from blender_gid.core.check_engine import MODULES
from blender_gid.core.engine import GidError

ROOT = Path(__file__).resolve().parents[2]
CPU = BACKENDS["cpu"]
TORCH = """
__version__ = "1.0"
class cuda:
    is_available = staticmethod(lambda: False)
class backends:
    class mps:
        is_available = staticmethod(lambda: False)
"""


def make_wheel(folder, name, version, module, code=""):
    """A package of one module, as pip installs it."""
    stem = f"{name.replace('-', '_')}-{version}"
    files = {
        f"{module}/__init__.py": code,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{stem}.dist-info/RECORD"] = "\n".join([*record, f"{stem}.dist-info/RECORD,,"])
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def _digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Bench:
    """A folder to install into, a lock, and the wheels that it asks for."""

    def __init__(self, tmp_path):
        self.folder = tmp_path / "d é" / "engine"
        self.log = tmp_path / "install.log"
        self.wheels = tmp_path / "wheels"
        self.wheels.mkdir()
        self.locks = tmp_path / "requirements"
        self.locks.mkdir()
        for module, package in MODULES.items():
            make_wheel(self.wheels, package, "1.0", module, TORCH if module == "torch" else "")
        self.lock()

    def lock(self, *more):
        # pip is named in its own version, so that nothing is to be done for it.
        pip = subprocess.run(
            [sys.executable, "-c", "import ensurepip; print(ensurepip.version())"], capture_output=True, text=True
        )
        lines = [f"pip=={pip.stdout.strip()}", *(f"{package}==1.0" for package in MODULES.values()), *more]
        (self.locks / "engine-cpu.txt").write_text("\n".join(lines))

    def install(self, version="0.1.0", wheels=None):
        wheels = wheels or self.wheels
        return installer.Installation(self.folder, version, sys.executable, self.log, CPU, wheels=wheels)

    def repair(self):
        return installer.Repair(self.folder, self.log, wheels=self.wheels)

    def package(self, name):
        (found,) = (self.folder / "env").glob(f"[Ll]ib/**/{name}")
        return found

    def works(self):
        python = installer.installed_python(self.folder)
        return subprocess.run([python, "-c", "import torch, cv2"]).returncode == 0


@pytest.fixture
def bench(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    weights = tmp_path / "root" / "gid_engine" / "prior" / "weights"
    weights.mkdir(parents=True)
    (weights.parents[1] / "__init__.py").touch()
    (weights / "net.safetensors").write_bytes(b"weights")
    (weights / "sha256.json").write_text(json.dumps({"net.safetensors": hashlib.sha256(b"weights").hexdigest()}))
    monkeypatch.setattr(setup, "ENGINE_ROOT", tmp_path / "root")
    monkeypatch.setattr(backends, "LOCKS", bench.locks)
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return bench


def until(work, condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end and not work.finished, (work.state, work.message)
        work.poll()
        time.sleep(0.01)


def ended(work, seconds=300):
    end = time.monotonic() + seconds
    fractions = [0.0]
    while not work.finished:
        assert time.monotonic() < end, work.message
        work.poll()
        fractions.append(work.fraction)
        time.sleep(0.01)
    assert fractions == sorted(fractions) and fractions[-1] <= 1  # a bar that goes back is no progress
    return work.state


def done(work):
    assert ended(work) == "DONE", str(work.error)
    return work.result


# --- install, go on, roll back ----------------------------------------------------------------------------------


def test_a_whole_installation_from_an_offline_folder(bench):
    work = bench.install()
    with pytest.raises(GidError, match="not installed to the end"):
        installer.installed_python(bench.folder)  # so from the first moment on
    assert done(work)["device"] == "cpu" and work.fraction == 1
    assert bench.works()
    assert sorted(path.name for path in bench.folder.iterdir()) == ["env", "gid_engine.json"]


def test_cancelled_in_the_middle_it_goes_on_where_it_stopped(bench):
    work = bench.install()
    until(work, lambda: work.message not in ("Looking at Python", "Making the environment"))
    work.cancel()
    assert work.state == "CANCELLED"
    with pytest.raises(GidError, match="goes on where it stopped"):
        installer.installed_python(bench.folder)
    (bench.folder / "env" / "was here").touch()
    done(bench.install())
    assert bench.works() and (bench.folder / "env" / "was here").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_killed_with_blender_it_takes_pip_along_and_goes_on_later(bench, tmp_path):
    script = f"""
        import sys, time
        from pathlib import Path
        from blender_gid.core import backends, installer, setup
        backends.LOCKS, setup.ENGINE_ROOT = Path({str(bench.locks)!r}), Path({str(tmp_path / "root")!r})
        work = installer.Installation(Path({str(bench.folder)!r}), "0.1.0", sys.executable,
            Path({str(bench.log)!r}), backends.BACKENDS["cpu"], wheels=Path({str(bench.wheels)!r}))
        while work.message != "Making the environment": work.poll()
        print(work._process.pid, flush=True)
        time.sleep(60)
    """
    blender = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    child = int(blender.stdout.readline())
    blender.send_signal(signal.SIGKILL)
    blender.wait()
    if sys.platform == "linux":
        end = time.monotonic() + 20
        while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
            assert time.monotonic() < end, "the child has outlived its parent"
            time.sleep(0.05)
    with pytest.raises(GidError, match="not installed to the end"):
        installer.installed_python(bench.folder)
    done(bench.install())
    assert bench.works()


def test_an_upgrade_that_fails_leaves_the_old_engine_at_work(bench):
    done(bench.install())
    before = (bench.folder / installer.MARKER).read_bytes()
    bench.lock("no-such-package==1.0")
    with pytest.raises(GidError, match="another version of the add-on"):
        installer.installed_python(bench.folder)
    work = bench.install("0.2.0")
    assert ended(work) == "FAILED"
    assert "holds no no-such-package==1.0" in str(work.error) and "install.log" in str(work.error)
    assert (bench.folder / installer.MARKER).read_bytes() == before
    bench.lock()
    assert bench.works()
    done(bench.install("0.2.0"))
    assert sorted(path.name for path in bench.folder.iterdir()) == ["env", "gid_engine.json"]


def test_an_upgrade_whose_blender_is_gone_is_rolled_back_when_the_engine_is_wanted(bench):
    done(bench.install())
    (bench.folder / "env" / "was here").touch()
    work = bench.install("0.2.0")
    until(work, lambda: (bench.folder / "env.old").is_dir())
    setup.process.end(work._process)
    work._lock.release()  # as the system does for a process that is gone
    assert bench.works() and (bench.folder / "env" / "was here").exists()


def test_an_upgrade_replaces_the_environment(bench):
    done(bench.install())
    (bench.folder / "env" / "was here").touch()
    make_wheel(bench.wheels, "extra", "1.0", "extra")
    bench.lock("extra==1.0")
    done(bench.install("0.2.0"))
    assert bench.package("extra").is_dir() and not (bench.folder / "env" / "was here").exists()
    assert installer.installed(bench.folder)["version"] == "0.2.0"


# --- check and repair -------------------------------------------------------------------------------------------


def test_repair_brings_back_what_is_missing_cut_short_or_of_another_version(bench):
    done(bench.install())
    assert done(bench.repair())["damaged"] == []
    shutil.rmtree(bench.package("safetensors"))
    bench.package("torch/__init__.py").write_text("")
    make_wheel(bench.wheels, "tqdm", "0.5", "tqdm")
    python = installer.installed_python(bench.folder)
    subprocess.run(
        [python, "-m", "pip", "install", "--no-index", "--find-links", bench.wheels, "tqdm==0.5"], check=True
    )
    assert sorted(done(bench.repair())["damaged"]) == ["safetensors", "torch", "tqdm"]
    assert done(bench.repair())["damaged"] == [] and bench.works()


def test_repair_says_what_it_can_not_mend(bench, tmp_path):
    done(bench.install())
    (tmp_path / "root/gid_engine/prior/weights/net.safetensors").write_bytes(b"weightz")
    work = bench.repair()
    assert ended(work) == "FAILED"
    assert "net.safetensors of the motion prior is missing or damaged" in str(work.error)


def test_a_package_that_does_not_start_is_named(bench):
    make_wheel(bench.wheels, "av", "1.0", "av", "raise ImportError('libavcodec.so.62 is missing')")
    work = bench.install()
    assert ended(work) == "FAILED" and "av does not start: libavcodec.so.62 is missing" in str(work.error)


# --- remove -----------------------------------------------------------------------------------------------------


def test_removal_takes_what_is_ours_and_nothing_else(bench):
    done(bench.install())
    (bench.folder / "holiday.jpg").touch()
    done(installer.Removal(bench.folder, bench.log))
    assert [path.name for path in bench.folder.iterdir()] == ["holiday.jpg"]
    (bench.folder / "holiday.jpg").unlink()
    done(bench.install())
    done(installer.Removal(bench.folder, bench.log))
    assert not bench.folder.exists()


def test_a_folder_with_other_things_in_it_is_left_alone(bench):
    bench.folder.mkdir(parents=True)
    (bench.folder / "env").mkdir()
    (bench.folder / "env" / "holiday.jpg").touch()
    for begin in (bench.install, bench.repair, lambda: installer.Removal(bench.folder, bench.log)):
        with pytest.raises(GidError, match="holds other files"):
            begin()
    assert [path.name for path in bench.folder.rglob("*")] == ["env", "holiday.jpg"]


# --- what can be wrong before -----------------------------------------------------------------------------------


def test_a_folder_that_can_not_be_written_to(bench):
    bench.folder.parent.mkdir()
    bench.folder.write_text("a file of this name")
    with pytest.raises(GidError, match=r"can't be written to: .*Choose another engine folder"):
        bench.install()


def test_too_little_space(bench, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(GidError, match=r"0\.0 GiB of free space; the engine needs 3 GiB"):
        bench.install()
    assert not installer.installed(bench.folder)


def test_two_blenders_at_once(bench):
    work = bench.install()
    with pytest.raises(GidError, match="Another Blender"):
        bench.install()
    done(work)


def test_a_python_that_can_not_make_environments(bench, monkeypatch):
    monkeypatch.setattr(installer, "_PROBE", "import sys; sys.modules['ensurepip'] = None\n" + installer._PROBE)
    work = bench.install()
    assert ended(work) == "FAILED" and "lacks the module ensurepip" in str(work.error)


def test_an_offline_folder_that_lacks_a_package_or_is_gone(bench):
    next(bench.wheels.glob("safetensors*")).unlink()
    work = bench.install()
    assert ended(work) == "FAILED" and "folder holds no safetensors==1.0" in str(work.error)
    with pytest.raises(GidError, match="does not exist"):
        bench.install(wheels=bench.wheels / "gone")


def test_a_server_that_does_not_answer(bench, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    monkeypatch.setenv("PIP_RETRIES", "0")
    index = "http://127.0.0.1:9/pytorch"
    work = installer.Installation(bench.folder, "0.1.0", sys.executable, bench.log, CPU, index=index)
    assert ended(work) == "FAILED" and "the network, or the server, did not answer" in str(work.error)


# --- the real thing ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_real_engine_on_the_processor(tmp_path):
    """From the network, through everything that a user meets: about three minutes."""
    from blender_gid.core.client import EngineClient, worker_command
    from blender_gid.core.engine import ENGINE_ROOT
    from blender_gid.core.job import Job

    folder, log = tmp_path / "d é" / "engine", tmp_path / "install.log"

    def install():
        return installer.Installation(folder, "0.1.0", sys.executable, log, CPU)

    start = time.monotonic()
    work = install()
    until(work, lambda: work.message == "Unpacking the packages", 600)
    work.cancel()
    with pytest.raises(GidError, match="goes on where it stopped"):
        installer.installed_python(folder)
    assert done(install())["device"] == "cpu"
    print(f"installed, with an interruption, in {time.monotonic() - start:.0f} s")

    def hello():
        client = EngineClient(worker_command(str(installer.installed_python(folder))), ENGINE_ROOT, log)
        job = Job(client, "Testing", "hello")
        assert ended(job) == "DONE", job.message
        client.stop()
        assert "problem" not in job.result and job.result["torch"].startswith("2.")

    hello()
    (package,) = (folder / "env").glob("[Ll]ib/**/site-packages/safetensors")
    shutil.rmtree(package)
    assert done(installer.Repair(folder, log))["damaged"] == ["safetensors"]
    hello()
    done(installer.Removal(folder, log))
    assert not folder.exists()
