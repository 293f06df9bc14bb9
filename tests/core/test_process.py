"""Child processes: gone with their parent however that ends, and ended with all that they have started."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from blender_gid.core import process

ROOT = Path(__file__).resolve().parents[2]


def gone(pid, seconds=20):
    """Whether a process ends within some seconds. A zombie has ended."""
    status = Path(f"/proc/{pid}/status")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if "State:\tZ" in status.read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_a_child_that_listens_to_nothing_is_gone_with_its_killed_parent():
    script = """
        import subprocess, sys, time
        from blender_gid.core import process
        child = process.start([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"],
            stdout=subprocess.PIPE)
        child.stdout.readline()
        print(child.pid, flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    assert not gone(child, seconds=0.2)
    parent.kill()
    parent.wait()
    assert gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_ending_a_child_ends_what_it_has_started():
    code = "import subprocess, sys, time\n" + (
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    child = process.start([sys.executable, "-c", code], stdout=subprocess.PIPE)
    grandchild = int(child.stdout.readline())
    process.end(child)
    assert child.returncode is not None and gone(grandchild)


def test_the_child_is_the_python_that_was_asked_for_with_its_arguments_and_exit_code():
    code = "import sys; print(sys.argv[1:], sys.flags.no_user_site); raise SystemExit(7)"
    child = process.start([sys.executable, "-s", "-c", code, "a b", "é"], stdout=subprocess.PIPE)
    assert child.communicate()[0].decode().strip() == "['a b', 'é'] 1" and child.returncode == 7


def test_exit_codes_in_words():
    assert "memory" in process.why_it_ended(-9)
    assert process.why_it_ended(1) == "exit code 1"
    assert process.why_it_ended(0xC0000005) == "exit code 0xc0000005"
    if sys.platform != "win32":
        assert process.why_it_ended(-11) == "SIGSEGV"
