"""The lock of a results folder: the operating system's, on a file that tells who holds it.

It is gone with the process that held it, however that ended; what the file says is only for people.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
from pathlib import Path
from typing import IO

from vlmbench_plugin.errors import StoreError

_HOLDER = re.compile(r"process (?P<pid>\d+) on (?P<host>.+)")


def acquire(path: Path) -> tuple[IO[str], str | None]:
    """Opens and locks the lock file; closing it releases the lock.

    Args:
        path: The lock file, made if it is not there.

    Returns:
        The locked file, and who held it last if that run ended without closing its folder.

    Raises:
        StoreError: If another process holds it; the message names it.
        OSError: If the file cannot be opened, or its file system cannot lock.
    """
    lock = path.open("a+", encoding="utf-8", errors="replace")
    lock.seek(0)
    said = lock.read().strip()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if not isinstance(error, BlockingIOError):
            raise
        raise _in_use(path, said) from error
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    lock.flush()
    return lock, said or None


def release(lock: IO[str]) -> None:
    """Says that the folder was closed, and unlocks it.

    Raises:
        OSError: If the file cannot be written; it is unlocked all the same.
    """
    with lock:
        lock.truncate(0)


def _in_use(path: Path, said: str) -> StoreError:
    found = _HOLDER.fullmatch(said)
    if found and found["host"] == socket.gethostname() and not _lives(int(found["pid"])):
        return StoreError(
            f"{path.parent} is in use: {said} has ended, and a process that it started still "
            f"holds {path.name}",
            hint=f"end that process (`fuser {path}` names it), or use --fresh",
        )
    return StoreError(
        f"{path.parent} is in use by {said or 'another run'}",
        hint="wait for that run, or use --fresh or another --report-dir",
    )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
