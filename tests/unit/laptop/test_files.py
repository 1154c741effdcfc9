"""Files that are whole, locked or secret."""

import stat
import subprocess
import sys
from pathlib import Path

from laptop import files

LOCKS = """
import sys
from pathlib import Path
from laptop import files
sys.exit(files.lock(Path(sys.argv[1])) is None)
"""


def test_a_file_is_replaced_and_leaves_no_draft(tmp_path: Path) -> None:
    file = tmp_path / "new" / "stack.json"
    for text in ("one", "two"):
        files.write_whole(file, text)
    assert file.read_text() == "two"
    assert list(file.parent.iterdir()) == [file]


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "password"
    secret = files.kept_secret(file)
    assert files.kept_secret(file) == secret
    assert len(secret) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_lock_keeps_other_processes_out_until_it_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "stack.lock"
    held = files.lock(file)
    assert held is not None
    command = [sys.executable, "-c", LOCKS, file]
    assert subprocess.run(command, check=False).returncode == 1
    held.close()
    assert subprocess.run(command, check=False).returncode == 0
