"""dev.py on fresh machines: environments that are whole, cut off or out of date, and how test runs are counted."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import dev  # noqa: E402


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A tree of its own whose one list of requirements is empty; counts the programs that dev.py runs."""
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "NEEDED_GB", 0)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "none.txt").write_text("")
    runs, run = [], dev.run
    monkeypatch.setattr(dev, "run", lambda command, *rest: runs.append(command) or run(command, *rest))
    return tmp_path, runs


def test_an_environment_is_made_once_and_follows_its_list(tree):
    folder, runs = tree
    python = dev.environment("e", sys.executable, "none")
    assert dev.starts(python) and len(runs) == 2  # venv and pip
    assert dev.environment("e", sys.executable, "none") == python and len(runs) == 2
    (folder / "requirements" / "none.txt").write_text("# changed")
    dev.environment("e", sys.executable, "none")
    assert len(runs) == 3  # pip alone


def test_an_environment_that_was_cut_off_is_made_anew(tree):
    folder, runs = tree
    python = dev.environment("e", sys.executable, "none")
    (folder / ".venvs" / "e" / ".ready").unlink()
    (folder / ".venvs" / "e" / "half").write_text("left over")
    assert dev.starts(dev.environment("e", sys.executable, "none")) and len(runs) == 4
    assert not (folder / ".venvs" / "e" / "half").exists()
    python.unlink()  # the Python that it was made from is gone
    assert dev.starts(dev.environment("e", sys.executable, "none")) and len(runs) == 6


def test_packages_that_cannot_be_had_leave_it_unfinished(tree, monkeypatch):
    folder, _ = tree
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    (folder / "requirements" / "none.txt").write_text("no-such-package-here==1.0")
    with pytest.raises(dev.Stop, match="could not install"):
        dev.environment("e", sys.executable, "none")
    assert not (folder / ".venvs" / "e" / ".ready").exists()
    monkeypatch.setattr(dev, "NEEDED_GB", 10**9)
    with pytest.raises(dev.Stop, match="GB free"):
        dev.environment("e", sys.executable, "none")


TESTS = """
import os, pytest
def test_passes(): pass
def test_fails(): assert {ok}
@pytest.mark.skip
def test_skipped(): pass
@pytest.fixture
def broken(): assert {ok}
def test_error(broken): pass
{more}
"""


@pytest.mark.parametrize(
    ("ok", "more", "arguments", "counts"),
    [
        (True, "", [], (3, 0, 1)),
        (False, "", [], (1, 2, 1)),
        (True, "", ["-k", "passes"], (1, 0, 0)),
        (True, "", ["-k", "nothing"], (0, 0, 0)),  # as asked for
        (True, "", ["--no-such-option"], (0, 1, 0)),
        (True, "import no_such_module", [], (0, 1, 0)),
        (True, "def test_crash(): os._exit(3)", [], (0, 1, 0)),  # no report was written
        (True, "def test_stop(): raise KeyboardInterrupt", [], (3, 1, 1)),
    ],
)
def test_a_leg_counts_what_pytest_reports(tmp_path, ok, more, arguments, counts):
    path = tmp_path / "test_them.py"
    path.write_text(TESTS.format(ok=ok, more=more))
    leg = dev.Leg("them", Path(sys.executable), [[path, "-p", "no:cacheprovider"]])
    leg.run(arguments, {})
    assert (leg.passed, leg.failed, leg.skipped) == counts


def test_a_leg_without_any_test_has_failed(tmp_path):
    leg = dev.Leg("none", Path(sys.executable), [[tmp_path]])
    leg.run([], {})
    assert (leg.passed, leg.failed) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "gone.jpg"], "does not exist"),
        (["lint", "x"], "not understood"),
        (["demo", "x.doc"], ".jpg"),
        (["test", "x.doc"], ".jpg"),
    ],
)
def test_wrong_arguments_get_a_sentence(monkeypatch, capsys, arguments, words):
    monkeypatch.setattr(sys, "argv", ["dev.py", *arguments])
    try:
        code = dev.main()
    except SystemExit as stop:
        code = stop.code
    assert code == 2 and words in capsys.readouterr().err


def test_another_python_gets_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dev.py", "lint"])
    monkeypatch.setattr(dev, "PYTHON", (3, 99))
    assert dev.main() == 2 and "run it with Python 3.99" in capsys.readouterr().err
