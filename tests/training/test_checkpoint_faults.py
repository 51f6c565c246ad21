"""Checkpoints on disks that are full, read-only, failing or gone, and forged files."""

import errno
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dbn import DBNAutoencoder, DBNClassifier, DBNTransformer, ModelFileError
from dbn.storage import archive
from dbn.storage.archive import read_archive, write_archive
from dbn.training import SGD, Checkpoint, DenoisingStack
from tests.estimators.toy import X, Y, rbm

from .test_checkpoint import Break, Killer, Stopped, numbers

KIND = {"kind": "dbn checkpoint", "version": 1}


def machine(*callbacks, **params):
    params = {"max_iter": 5, "random_state": 0, "optimizer": SGD(0.1)} | params
    return rbm(**params).set_callbacks(*callbacks)


def names(folder):
    files = [path for path in sorted(folder.iterdir()) if path.suffix != ".run"]
    return [path.name[-11:] for path in files]


def failing(error):
    def function(*args, **options):
        raise OSError(error, os.strerror(error))

    return function


FAULTS = {
    "read-only disk": (archive, "open", errno.EROFS),
    "no permission": (archive, "open", errno.EACCES),
    "failing sync": (os, "fsync", errno.EIO),
    "full at sync": (os, "fsync", errno.ENOSPC),
    "failing rename": (os, "replace", errno.EACCES),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_training_goes_on_without_checkpoints(fault, tmp_path, monkeypatch):
    module, name, error = FAULTS[fault]

    def fail():
        monkeypatch.setattr(module, name, failing(error), raising=False)

    callbacks = Break(3, fail), Checkpoint(tmp_path)
    with pytest.warns(RuntimeWarning, match=os.strerror(error)) as caught:
        trained = machine(*callbacks).fit(X)
    texts = [str(w.message) for w in caught if w.category is RuntimeWarning]
    assert len(texts) == 3  # one for every epoch
    assert "Training goes on" in texts[0]
    assert_array_equal(numbers(trained), numbers(machine().fit(X)))
    monkeypatch.undo()
    assert names(tmp_path) == ["000001.ckpt", "000002.ckpt"]  # and no other file
    resumed = machine(Checkpoint(tmp_path, resume=True)).fit(X)
    assert_array_equal(numbers(resumed), numbers(trained))


def test_a_write_that_ends_half_way(tmp_path):
    """The kernel takes the first 500 bytes, and no more."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))

    try:
        with pytest.warns(RuntimeWarning, match=os.strerror(errno.EFBIG)):
            trained = machine(Break(3, fill), Checkpoint(tmp_path)).fit(X)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_array_equal(numbers(trained), numbers(machine().fit(X)))
    assert names(tmp_path) == ["000001.ckpt", "000002.ckpt"]


def test_old_files_that_cannot_be_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "unlink", failing(errno.EPERM))
    with pytest.warns(RuntimeWarning, match=r"Operation not permitted. Training goes"):
        trained = machine(Checkpoint(tmp_path, keep=1)).fit(X)
    assert len(names(tmp_path)) == trained.n_iter_ == 5


def test_a_folder_is_made_and_made_again(tmp_path):
    folder = tmp_path / "a" / "b"
    callbacks = Break(3, lambda: shutil.rmtree(tmp_path / "a")), Checkpoint(folder)
    trained = machine(*callbacks).fit(X)
    assert names(folder) == ["000004.ckpt", "000005.ckpt"]
    resumed = machine(Checkpoint(folder, resume=True)).fit(X)
    assert_array_equal(numbers(resumed), numbers(trained))


def test_a_folder_in_whose_place_a_file_is(tmp_path):
    folder = tmp_path / "folder"

    def replace():
        shutil.rmtree(folder)
        folder.write_text("")

    with pytest.warns(RuntimeWarning, match="File exists"):
        trained = machine(Break(3, replace), Checkpoint(folder)).fit(X)
    assert trained.n_iter_ == 5
    with pytest.raises(FileExistsError):
        machine(Checkpoint(folder)).fit(X)  # before any work


@pytest.mark.skipif(
    getattr(os, "geteuid", int)() == 0, reason="root may write anywhere"
)
def test_a_folder_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.warns(RuntimeWarning, match="Permission denied"):
            machine(Checkpoint(tmp_path)).fit(X)
    finally:
        tmp_path.chmod(0o700)


def test_half_a_file_of_a_run_that_was_killed(tmp_path):
    with pytest.raises(Stopped):
        machine(Checkpoint(tmp_path), Killer(2)).fit(X)
    half = tmp_path / f".dbn-{'0' * 16}.tmp"
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    resumed = machine(Checkpoint(tmp_path, resume=True)).fit(X)
    assert_array_equal(numbers(resumed), numbers(machine().fit(X)))
    assert not half.exists()


def test_when_all_files_are_damaged_training_starts_anew(tmp_path):
    trained = machine(Checkpoint(tmp_path)).fit(X)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.warns(RuntimeWarning, match="is passed over") as caught:
        again = machine(Checkpoint(tmp_path, resume=True)).fit(X)
    assert [w.category for w in caught].count(RuntimeWarning) == 2
    assert_array_equal(numbers(again), numbers(trained))


# Forged files: whole, and not what the estimator saved.


def forge(model, folder, change, *data):
    """What comes of going on from one checkpoint whose content was changed."""
    with pytest.raises(Stopped):
        model(Checkpoint(folder, keep=1), Killer(5)).fit(*data)
    (path,) = folder.glob("*.ckpt")
    content = read_archive(path, **KIND)
    change(content)
    write_archive(path, content, **KIND)
    return model(Checkpoint(folder, resume=True)).fit(*data)


def stack(*callbacks):
    layers = DBNTransformer((4, 3), rbm=rbm(max_iter=4), random_state=0)
    return layers.set_callbacks(*callbacks)


def net(*callbacks):
    options = {"max_iter": 9, "early_stopping": True, "random_state": 0}
    return DBNClassifier((4,), rbm=rbm(), **options).set_callbacks(*callbacks)


def denoising(*callbacks):
    init = DenoisingStack(max_iter=4, batch_size=20)
    model = DBNAutoencoder((4, 3), init=init, max_iter=3, random_state=0)
    return model.set_callbacks(*callbacks)


def put(*keys, value=None):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (lambda *c: machine(*c, max_iter=9), put("state", "epoch", value=-(10**9))),
        (stack, put("stack", "layer", "epoch", value=-(10**9))),
        (denoising, put("stack", "layer", "epoch", value=-(10**9))),
        (stack, put("history", 0, value=1)),
        (stack, put("history", value={})),
        (net, put("rng", value=1)),
        (net, put("more", value=1)),
        (net, put("network")),
        (net, put("stack", "layer", value=[])),
    ],
)
def test_content_of_another_kind_is_passed_over(model, change, tmp_path):
    with pytest.warns(RuntimeWarning, match="is passed over"):
        again = forge(model, tmp_path, change, X, Y)
    assert_array_equal(numbers(again), numbers(model().fit(X, Y)))


# Its parameters are missed when training is over.
UNBEATABLE = {"least": -1.0, "bar": -1.0, "waited": 0, "over": False}


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (stack, put("stack", "params", value=[np.zeros(7)])),
        (stack, put("stack", "layer", "chains", value=None)),
        (denoising, put("stack", "params", value=[np.zeros(7)])),
        (denoising, put("stack", "layer", "optimizer", value=None)),
        (net, put("network", value=[np.zeros(3)])),
        (net, put("state", "best", value={"waited": 0})),
        (net, put("state", "best", value=UNBEATABLE)),
        (net, put("streams", value=[])),
    ],
)
def test_content_that_does_not_fit_is_a_model_file_error(model, change, tmp_path):
    with pytest.raises(ModelFileError, match=r"\.ckpt cannot be loaded"):
        forge(model, tmp_path, change, X, Y)


def test_a_stack_that_is_said_to_be_unfinished_is_trained_again(tmp_path):
    """Found by fuzz.py: the next checkpoint looked for a net in pretraining."""
    again = forge(net, tmp_path, put("stack", "layer", "epoch", value=0), X, Y)
    phases = [entry["phase"] for entry in again.history_]
    assert phases[:7] == ["pretrain"] * 2 + ["finetune"] * 3 + ["pretrain"] * 2


def test_an_error_of_a_callback_is_not_blamed_on_the_file(tmp_path):
    def fail():
        raise KeyError("mine")

    machine(Checkpoint(tmp_path)).fit(X)
    resumed = machine(Checkpoint(tmp_path, resume=True), Break(1, fail), max_iter=7)
    with pytest.raises(KeyError, match="mine"):
        resumed.fit(X)


def test_a_divergence_is_not_blamed_on_the_file(tmp_path):
    def explode(content):
        content["params"][:] = np.inf

    with pytest.raises(FloatingPointError, match="diverged"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forge(lambda *c: machine(*c, max_iter=9), tmp_path, explode, X)


def test_a_link_that_leads_nowhere_is_passed_over(tmp_path):
    def machine(**options):
        keeping = Checkpoint(tmp_path, **options)
        return rbm(random_state=0, max_iter=3).set_callbacks(keeping)

    expected = machine().fit(X).transform(X)
    newest = max(tmp_path.glob("*.ckpt"))
    newest.unlink()
    newest.symlink_to(tmp_path / "nothing")
    with pytest.warns(RuntimeWarning, match="is passed over"):
        resumed = machine(resume=True).fit(X)
    assert_array_equal(resumed.transform(X), expected)
