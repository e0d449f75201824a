"""Objects as files below one folder, durable against a loss of power.

A file is written whole under another name, synced, renamed into place, and its folder synced. Unfinished files lie in
`.drafts/<random>/`, which the process that writes them keeps locked: when it dies, the system gives up the lock, and
the next writer removes what it left. A public object may be read by all users of the machine, a private one by nobody
else, whatever the umask is.
"""

import fcntl
import mmap
import os
import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from tocsin.objects.shape import Cache, Object, checked

DRAFTS: Final = ".drafts"
LOCK: Final = ".lock"
SYNCS: Final = 8
"""Files synced at once: a file system with a journal commits them together."""
ATTEMPTS: Final = 3
"""How often a file is put into a folder that somebody else is just removing."""


class FileObjects:
    """A store of objects in the folder `root`, which is made when something is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._drafts = _Drafts(root / DRAFTS)

    def read(self, path: str) -> bytes | None:
        """An object's bytes, or None."""
        try:
            return (self.root / checked(path)).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    async def aread(self, path: str) -> bytes | None:
        """The same: a small file is read sooner than a thread takes over."""
        return self.read(path)

    async def aview(self, path: str) -> memoryview | None:
        """An object's bytes where the system holds them: files here are replaced and removed, but never changed."""
        try:
            with (self.root / checked(path)).open("rb") as file:
                if not os.fstat(file.fileno()).st_size:
                    return memoryview(b"")
                mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        return memoryview(mapped)

    def write(self, item: Object) -> None:
        """Store one object, in place of an earlier one."""
        self.write_many([item])

    def write_many(self, items: Iterable[Object]) -> None:
        """Store many: all are written, then synced, then moved into place, and each folder is synced once."""
        wanted = [(self.root / checked(item.path), item) for item in items]
        if not wanted:
            return
        touched = self._make(self.root, wanted[0][1].cache)
        with self._drafts.folder() as folder:
            drafts = [folder / str(number) for number in self._drafts.numbers(len(wanted))]
            for draft, (_, item) in zip(drafts, wanted, strict=True):
                _write(draft, item)
            if len(drafts) == 1:
                _sync(drafts[0])
            else:
                with ThreadPoolExecutor(min(SYNCS, len(drafts))) as pool:
                    list(pool.map(_sync, drafts))
            for draft, (target, item) in zip(drafts, wanted, strict=True):
                touched |= self._place(draft, target, item.cache)
        for changed in touched:
            with suppress(FileNotFoundError):  # removed meanwhile, with what was put there
                _sync(changed)

    def swap(self, expected: bytes | None, item: Object) -> bool:
        """Store it if what is there now is `expected`, under a lock that every process takes."""
        self._make(self.root, item.cache)
        with (self.root / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.read(item.path) != expected:
                return False
            self.write(item)
            return True

    def delete(self, paths: Iterable[str]) -> None:
        """Remove objects."""
        touched = set()
        for target in [self.root / checked(path) for path in paths]:
            try:
                target.unlink()
            except (FileNotFoundError, NotADirectoryError):
                continue
            touched.add(target.parent)
        for folder in touched:
            _sync(folder)

    def delete_under(self, folder: str) -> None:
        """Remove every object below a folder, and the folder."""
        target = self.root / checked(folder)
        # A writer may put another file in meanwhile: that one stays, and so does its folder.
        shutil.rmtree(target, ignore_errors=True)
        if target.parent.exists():
            _sync(target.parent)

    def list(self, folder: str = "") -> Iterator[str]:
        """The paths of all objects below a folder."""
        top = self.root / checked(folder) if folder else self.root
        for at, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                if not name.startswith("."):
                    yield str((Path(at) / name).relative_to(self.root))

    def _place(self, draft: Path, target: Path, cache: Cache) -> set[Path]:
        """Move a finished file into place; the folders to sync then."""
        for _ in range(ATTEMPTS - 1):
            touched = self._make(target.parent, cache)
            with suppress(FileNotFoundError):
                draft.replace(target)
                return touched | {target.parent}
        touched = self._make(target.parent, cache)
        draft.replace(target)
        return touched | {target.parent}

    def _make(self, folder: Path, cache: Cache) -> set[Path]:
        """Make a folder and those above it; the folders in which one was made."""
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        touched = set()
        for made in reversed(missing):
            try:
                made.mkdir()
            except FileExistsError:
                continue  # somebody else made it meanwhile
            made.chmod(0o700 if cache == "private" else 0o755)
            touched.add(made.parent)
        return touched


class _Drafts:
    """Where this process writes what is not finished yet."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._own: Path | None = None
        self._held = -1
        self._lock = threading.Lock()
        self._next = count()

    def __del__(self) -> None:
        if self._held >= 0:
            os.close(self._held)

    def numbers(self, many: int) -> list[int]:
        """Names that nobody else in this process uses."""
        with self._lock:
            return [next(self._next) for _ in range(many)]

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """This process's folder; what dead ones have left is removed first."""
        with self._lock:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for other in self._root.iterdir():
                if other != self._own:
                    _remove_if_dead(other)
            if self._own is None or not self._own.is_dir():
                self._own, self._held = self._take()
            own = self._own
        yield own

    def _take(self) -> tuple[Path, int]:
        while True:
            own = self._root / secrets.token_hex(8)
            own.mkdir(mode=0o700)
            # Until it is locked, another process may take it for a dead one's.
            with suppress(FileNotFoundError):
                held = os.open(own, os.O_RDONLY | os.O_DIRECTORY)
                fcntl.flock(held, fcntl.LOCK_EX)
                if own.is_dir():
                    return own, held
                os.close(held)


def _remove_if_dead(folder: Path) -> None:
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(held)


def _write(path: Path, item: Object) -> None:
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o600 if item.cache == "private" else 0o644)
        file.write(item.data)


def _sync(path: Path) -> None:
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
