"""Files: whole or absent, durable, readable by whom they are for, and nothing left of those who died."""

import errno
import multiprocessing
import os
import stat
import threading
from pathlib import Path

import pytest

from tocsin.objects import Object
from tocsin.objects.files import DRAFTS, FileObjects
from tocsin.objects.shape import Cache


def item(path: str, data: bytes = b"x", cache: Cache = "immutable") -> Object:
    return Object(path, data, "text/plain", cache)


def modes(root: Path) -> dict[str, int]:
    """The mode of everything below a folder, drafts left out."""
    below = [path for path in root.rglob("*") if not path.relative_to(root).parts[0].startswith(".")]
    return {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in [root, *below]}


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_public_is_for_everybody_and_the_private_for_this_user_alone(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        FileObjects(tmp_path / "log").write(item("tile/0"))
        FileObjects(tmp_path / "log").swap(None, item("checkpoint", cache="brief"))
        FileObjects(tmp_path / "feed").write(item("segments/0", cache="private"))
    finally:
        os.umask(before)
    assert modes(tmp_path / "log") == {".": 0o755, "tile": 0o755, "tile/0": 0o644, "checkpoint": 0o644}
    assert modes(tmp_path / "feed") == {".": 0o700, "segments": 0o700, "segments/0": 0o600}
    assert stat.S_IMODE((tmp_path / "log" / DRAFTS).stat().st_mode) == 0o700


def test_everything_is_synced_before_it_can_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file before its renaming, each folder after it, the folder of a new folder as well."""
    steps: list[tuple[str, str]] = []
    sync, replace = os.fsync, Path.replace

    def synced(held: int) -> None:
        steps.append(("sync", str(Path(f"/proc/self/fd/{held}").readlink())))
        sync(held)

    def replaced(draft: Path, target: Path) -> Path:
        assert ("sync", str(draft)) in steps
        steps.append(("replace", str(target)))
        return replace(draft, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    root = tmp_path / "log"
    FileObjects(root).write_many([item("a/b/c"), item("a/b/d"), item("e")])
    after = steps[max(at for at, step in enumerate(steps) if step[0] == "replace") + 1 :]
    assert {path for _, path in after} == {
        str(tmp_path / part) for part in ("log/a/b", "log/a", "log", "")
    } | {str(tmp_path)}


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = FileObjects(tmp_path)
    objects.write(item("a", b"before"))

    def full(_held: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        objects.write_many([item("a", b"after"), item("b", b"after")])
    assert {path: objects.read(path) for path in objects.list()} == {"a": b"before"}


def die_with_a_draft(root: Path) -> None:
    with FileObjects(root)._drafts.folder() as own:
        (own / "0").write_bytes(b"half")
        os._exit(9)


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    dying = multiprocessing.get_context("spawn").Process(target=die_with_a_draft, args=(tmp_path,))
    dying.start()
    dying.join(120)
    assert len(list((tmp_path / DRAFTS).glob("*/0"))) == 1
    living, other = FileObjects(tmp_path), FileObjects(tmp_path)
    with living._drafts.folder() as own:
        (own / "draft").write_bytes(b"half")
        other.write(item("a"))
        assert sorted(path.name for path in (tmp_path / DRAFTS).glob("*/*")) == ["draft"]
    assert list(other.list()) == ["a"]


def test_two_that_sweep_at_once_do_not_take_each_others_folder(tmp_path: Path) -> None:
    """Many begin and write at once; nobody's draft is taken for a dead one's."""
    failures: list[BaseException] = []

    def begin(number: int) -> None:
        try:
            for turn in range(10):
                FileObjects(tmp_path).write(item(f"{number}/{turn}"))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(FileObjects(tmp_path).list())) == 60


def test_a_folder_that_is_removed_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process deletes the folder right before the file is put in, and again right behind it."""
    objects, replace, removals = FileObjects(tmp_path), Path.replace, [1, 2]

    def interrupted(draft: Path, target: Path) -> Path:
        if removals:
            removals.pop()
            FileObjects(tmp_path).delete_under("tile/0/000.p")
        return replace(draft, target)

    objects.write(item("tile/0/000.p/1"))
    monkeypatch.setattr(Path, "replace", interrupted)
    objects.write(item("tile/0/000.p/2"))
    assert list(objects.list()) == ["tile/0/000.p/2"]
    removals += [1, 2, 3]
    with pytest.raises(FileNotFoundError):
        objects.write(item("tile/0/000.p/3"))
    monkeypatch.undo()

    def removed(draft: Path, target: Path) -> Path:
        replace(draft, target)
        FileObjects(tmp_path).delete_under("tile")
        return target

    monkeypatch.setattr(Path, "replace", removed)
    objects.write(item("tile/0/000.p/4"))
    assert list(objects.list()) == []


def test_nothing_to_write_makes_nothing(tmp_path: Path) -> None:
    FileObjects(tmp_path / "log").write_many([])
    assert not (tmp_path / "log").exists()
