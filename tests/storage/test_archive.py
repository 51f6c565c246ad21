"""Files of plain data: whole or not at all, checked before they are believed."""

import errno
import io
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from hostile.archives import members, zipped
from hostile.common import same

from dbn.storage import archive
from dbn.storage.archive import read_archive, replacing, write_archive
from dbn.storage.packing import ModelFileError

CONTENT = {"W": np.arange(6.0).reshape(2, 3), "k": (1, None), "labels": np.array(["a"])}


@pytest.fixture
def path(tmp_path):
    write_archive(tmp_path / "file", CONTENT, kind="test", version=3)
    return tmp_path / "file"


def read(path, kind="test", version=3):
    return read_archive(path, kind=kind, version=version)


def refusal(path, **options):
    with pytest.raises(ModelFileError) as caught:
        read(path, **options)
    assert str(caught.value).startswith(f"{path} cannot be loaded")
    return str(caught.value)


def test_what_was_written_is_read(path):
    found = read(path)
    assert same(found, CONTENT)
    assert found["W"].flags.writeable


def test_equal_content_makes_equal_files(path, tmp_path):
    write_archive(tmp_path / "again", CONTENT, kind="test", version=3)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_numpy_and_zip_tools_open_the_file(path):
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["W"], CONTENT["W"])
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert {i.compress_type for i in file.infolist()} == {zipfile.ZIP_STORED}
        assert json.loads(file.read("model.json"))["format"] == "test"


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (50, 3, 2), (10**5,)])
def test_npy_headers_are_numpys(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.zeros(shape, "<f4"))
    header = buffer.getvalue()[: -4 * int(np.prod(shape)) or None]
    # NumPy may pad with more spaces.
    assert archive._npy_header("<f4", shape).split() == header.split()
    assert len(archive._npy_header("<f4", shape)) % 64 == 0


def test_other_kinds_and_later_versions_are_refused(path):
    assert "its format is 'test', where 'model' is" in refusal(path, kind="model")
    message = refusal(path, version=2)
    assert "its format version is 3" in message
    assert "reads versions up to 2. Upgrade dbn." in message
    assert same(read(path, version=4), CONTENT)


def test_what_is_no_file_of_ours(tmp_path):
    path = tmp_path / "file"
    for data in (b"", b"text", b"PK\5\6" + bytes(18), zipped({"a": b""})):
        path.write_bytes(data)
        refusal(path)


def test_the_systems_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        write_archive(tmp_path / "no" / "folder", {}, kind="test", version=1)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for place in (pipe, link, tmp_path, "/dev/zero"):
        assert "there is a folder, pipe or device, and no file." in refusal(place)


def changed(path, change):
    files = members(path.read_bytes())
    header = json.loads(files["model.json"])
    change(header, files)
    files["model.json"] = json.dumps(header).encode()
    path.write_bytes(zipped(files))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "|O"}, "dtype '|O'"),
        ({"dtype": "<f4"}, "need 152"),
        ({"dtype": ">f8"}, "dtype '>f8'"),
        ({"shape": [3, 2]}, "the header of W is not that of its array"),
        ({"shape": [2, 4]}, "need 192"),
        ({"shape": [-2, -3]}, "has the shape (-2, -3)"),
        ({"shape": [2**60, 2**60]}, "has the shape"),
        ({"shape": [True, 6]}, "has the shape"),
        ({"shape": [1] * 9}, "has the shape"),
        ({"shape": None}, "TypeError"),
        ({"sha256": "0" * 64}, "the checksum of the array W does not match"),
    ],
    ids=str,
)
def test_claims_about_an_array_are_checked(path, change, message):
    changed(path, lambda header, _: header["arrays"]["W"].update(change))
    assert message in refusal(path)


def test_checksums_and_members_are_checked(path):
    files = members(path.read_bytes())
    path.write_bytes(zipped(files, comment="0" * 64))
    assert "the checksum of model.json does not match" in refusal(path)
    path.write_bytes(zipped(files | {"more.npy": files["W.npy"]}))
    assert "members are not those that model.json lists" in refusal(path)
    path.write_bytes(zipped({k: v for k, v in files.items() if k != "W.npy"}))
    assert "members are not those" in refusal(path)
    path.write_bytes(zipped(files, zipfile.ZIP_DEFLATED))
    assert "compressed or encrypted" in refusal(path)


def test_overlapping_members_cannot_claim_more_than_the_file(path):
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        end = file.start_dir
    size = (end - 1).to_bytes(4, "little")
    entry = data.rindex(b"PK\1\2")
    data[entry + 20 : entry + 28] = size + size
    path.write_bytes(data)
    assert "members claim more than its" in refusal(path)


def test_a_member_has_one_size(path):
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\1\2")
    data[entry + 24] ^= 1  # of the data when unpacked
    path.write_bytes(data)
    assert "claims 133 bytes in a file" in refusal(path)


@pytest.mark.parametrize("version", [0, -1, "1", True, 1.0, None])
def test_versions_are_positive_integers(path, version):
    changed(path, lambda header, _: header.update(version=version))
    assert f"its format version {version!r} does not exist" in refusal(path)


def test_json_has_no_nan(path):
    changed(path, lambda header, _: header["content"].update(k=float("nan")))
    assert "it holds NaN, which is not JSON" in refusal(path)


def test_json_has_no_name_twice(path):
    files = members(path.read_bytes())
    text = files["model.json"].replace(b"{", b'{"version": 1, ', 1)
    path.write_bytes(zipped(files | {"model.json": text}))
    assert "holds a name twice in one object" in refusal(path)


def test_a_directory_as_large_as_the_file_is_not_read(tmp_path):
    path, size = tmp_path / "file", 2**26
    with path.open("wb") as file:
        file.truncate(size)  # holes: it takes no room on the disk
        file.seek(size)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0))
    tracemalloc.start()
    try:
        refusal(path)
        assert tracemalloc.get_traced_memory()[1] < size / 8
    finally:
        tracemalloc.stop()


def test_memory_is_not_read_as_values_that_do_not_exist(tmp_path):
    path = tmp_path / "file"
    content = {"flags": np.array([True]), "names": np.array(["a"])}
    write_archive(path, content, kind="test", version=1)
    for name, raw in (("flags", b"\2"), ("names", b"\xff\xff\xff\x7f")):
        write_archive(path, content, kind="test", version=1)

        def change(header, files, name=name, raw=raw):
            files[f"{name}.npy"] = files[f"{name}.npy"][: -len(raw)] + raw
            header["arrays"][name]["sha256"] = archive._digest(raw)

        changed(path, change)
        assert f"the array {name} holds what is no" in refusal(path)


def test_content_over_the_limits_is_refused_on_both_sides(tmp_path, path, monkeypatch):
    many = {"values": [0] * 1000}
    for name, limit in (("_MAX_JSON_VALUES", 500), ("_MAX_JSON_BYTES", 500)):
        write_archive(tmp_path / "long", many, kind="test", version=1)
        with monkeypatch.context() as patch:
            patch.setattr(archive, name, limit)
            with pytest.raises(ModelFileError, match="Shorten long lists"):
                write_archive(tmp_path / "other", many, kind="test", version=1)
            refusal(tmp_path / "long")
    monkeypatch.setattr(archive, "_MAX_ARRAYS", 1)
    with pytest.raises(ModelFileError, match="has 2 arrays"):
        write_archive(tmp_path / "other", CONTENT, kind="test", version=1)
    assert "3 members" in refusal(path)
    assert not (tmp_path / "other").exists()


def test_a_million_values_are_refused_before_they_are_parsed(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(zipped({"model.json": b"[" + b"[]," * 10**6 + b"[]]"}))
    monkeypatch.setattr(json, "loads", None)
    assert "more than 1000000 values" in refusal(path)


# Writing: the old file or the new one.


@pytest.mark.parametrize(
    ("module", "fails"), [(os, "fsync"), (os, "replace"), (archive, "open")]
)
def test_a_failed_write_leaves_the_old_file(path, monkeypatch, module, fails):
    old = path.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, fails, full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        write_archive(path, {"new": 1}, kind="test", version=1)
    assert path.read_bytes() == old
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_write_that_ends_half_way_leaves_the_old_file(path):
    """The kernel takes the first 100 bytes, and no more."""
    resource = pytest.importorskip("resource")
    old, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            write_archive(path, CONTENT, kind="test", version=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == old
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_writes_that_take_a_few_bytes_at_a_time(path, monkeypatch):
    class Slow(io.FileIO):
        def write(self, data):
            return super().write(bytes(data[:7]))

    def slow(name, mode):
        return io.BufferedRandom(Slow(name, mode + "+"), 64)

    monkeypatch.setattr(archive, "open", slow, raising=False)
    write_archive(path, CONTENT, kind="test", version=1)
    assert same(read(path), CONTENT)


def test_a_folder_that_cannot_be_synced_has_the_new_file(path, monkeypatch):
    sync, calls = os.fsync, []

    def fsync(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_archive(path, {"new": 1}, kind="test", version=1)
    assert len(calls) == 2 and read(path) == {"new": 1}


KILLED = """
import os, signal, sys
from dbn.storage.archive import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_leaves_is_removed_by_the_next(path):
    old = path.read_bytes()
    command = [sys.executable, "-c", KILLED, str(path)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    assert path.read_bytes() == old
    (left,) = path.parent.glob(".dbn-*.tmp")
    os.utime(left, (0, 0))
    write_archive(path, {"new": 1}, kind="test", version=1)
    assert read(path) == {"new": 1} and not left.exists()


def test_files_of_others_and_of_living_writers_stay(path):
    folder = path.parent
    for name in (".dbn-1.tmp", "dbn-0123456789abcdef.tmp", ".dbn-zz.tmp"):
        (folder / name).write_text("")
    (folder / ".dbn-0000000000000000.tmp").mkdir()
    (folder / ".dbn-1111111111111111.tmp").symlink_to(path)
    os.mkfifo(folder / ".dbn-2222222222222222.tmp")
    others = {*folder.iterdir()}
    with replacing(path) as file:
        for entry in folder.iterdir():
            os.utime(entry, (0, 0), follow_symlinks=False)
        write_archive(folder / "more", {}, kind="test", version=1)
        file.write(b"whole")
    assert {*folder.iterdir()} == others | {folder / "more"}
    assert path.read_bytes() == b"whole"


def test_an_interrupted_write_leaves_the_old_file(path):
    old = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half")
        assert path.read_bytes() == old
        raise KeyboardInterrupt
    assert path.read_bytes() == old
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_the_new_file_is_on_the_disk_before_it_replaces_the_old(path, monkeypatch):
    calls = []

    def spy(name):
        real = getattr(os, name)
        return lambda *args: (calls.append(name), real(*args))

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, spy(name))
    write_archive(path, CONTENT, kind="test", version=1)
    assert calls == ["fsync", "replace", "fsync"]  # file, name, folder


def test_a_link_and_the_umask_are_respected(path):
    link = path.parent / "link"
    link.symlink_to(path)
    old = os.umask(0o027)
    try:
        write_archive(link, {"new": 1}, kind="test", version=1)
    finally:
        os.umask(old)
    assert link.is_symlink() and read(path) == {"new": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(IsADirectoryError, match="a folder of this name; give the name"):
        write_archive(tmp_path, {}, kind="test", version=1)
    assert not [*tmp_path.iterdir()]
