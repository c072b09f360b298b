"""The result: labelled, whole at any moment, resumable with the same bits, and nobody else's."""

import errno
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_dynamics import Fake

from rnndyn import sweep
from rnndyn.errors import InputError
from rnndyn.sweep import files, grid
from rnndyn.sweep.store import MANIFEST, RESULT, Store, open_result, study_of

STUDY = """
[cell]
kind = "Elman"
units = 1
[axes]
w = { start = -4.0, stop = 4.0, num = 10 }
b = { start = -1.0, stop = 1.0, num = 6 }
[weights]
weight_hh = "w"
bias_hh = "b"
[run]
steps = 20
[measure.lyapunov]
[measure.gradient]
horizon = 5
[measure.attractors]
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return the path of STUDY, cut into ten chunks."""
    monkeypatch.setattr(grid, "MOST", 6)
    path = tmp_path / "try.toml"
    path.write_text(STUDY, encoding="utf-8")
    return path


def content(directory):
    """Return the bytes of every chunk of a result."""
    root = directory / RESULT
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != "zarr.json"}


def test_dimensions_are_the_axes(study, monkeypatch):
    Fake().install(monkeypatch)
    dataset = sweep(study, progress=False)
    assert dataset["exponents"].dims == ("w", "b", "exponent")
    assert dataset["log_norms"].dims == ("w", "b", "lag")
    assert dataset["lag"].values.tolist() == [5]
    assert dataset["status"].dims == dataset["attractors"].dims == dataset["period"].dims == ("w", "b")
    np.testing.assert_array_equal(dataset["w"], np.linspace(-4, 4, 10))
    assert {dataset[name].dtype for name in ("exponents", "exponents_stderr", "log_norms")} == {np.dtype("float64")}
    for name in dataset.data_vars:
        assert dataset[name].attrs["long_name"]
        assert "status" in name or dataset[name].attrs["units"]
    assert dataset["exponents"].attrs["units"] == "nat/step"


def test_memory_and_disk_agree_and_chunks_do_not_matter(study, monkeypatch, tmp_path):
    Fake().install(monkeypatch)
    on_disk = sweep(study, directory=tmp_path / "a", progress=False)
    monkeypatch.setattr(grid, "MOST", 1000)
    whole = sweep(study, progress=False)
    xr.testing.assert_equal(on_disk.load(), whole)


def test_xarray_opens_the_result_without_a_warning(study, monkeypatch, tmp_path):
    Fake().install(monkeypatch)
    sweep(study, directory=tmp_path / "a", progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = xr.open_zarr(tmp_path / "a" / RESULT)
    assert json.loads(dataset.attrs["manifest"])["finished"]
    assert dataset["exponents"].sel(w=2, b=0.5, method="nearest").shape == (1,)


def test_manifest_tells_how_it_was_made(study, monkeypatch, tmp_path):
    Fake().install(monkeypatch)
    sweep(study, directory=tmp_path / "a", progress=False, threads=2)
    text = (tmp_path / "a" / MANIFEST).read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert manifest["study"] == STUDY
    assert manifest["finished"]
    assert manifest["threads"] == [2]
    assert manifest["chunks"]["done"] == list(range(10))
    identity = manifest["identity"]
    assert identity["fingerprint"] == "fake"
    assert identity["machine"]["architecture"] == os.uname().machine
    assert identity["machine"]["cpu_features"]
    assert identity["study"]["run"].items() >= {"steps": 20, "transient": 0, "seed": 0, "dtype": "float64"}.items()
    assert os.uname().nodename not in text or os.uname().nodename in STUDY
    assert str(tmp_path) not in text


def test_a_new_title_is_taken_over_without_computing(study, monkeypatch, tmp_path):
    Fake().install(monkeypatch)
    sweep(study, directory=tmp_path / "a", progress=False)
    again = Fake().install(monkeypatch)
    study.write_text('title = "another"\n' + STUDY + '[[figure]]\nvariable = "period"\n', encoding="utf-8")
    for dataset in (sweep(study, directory=tmp_path / "a", progress=False), open_result(tmp_path / "a")):
        assert dataset.attrs["title"] == "another"
        assert study_of(dataset).figure[0].variable == "period"
        assert "another" in json.loads(dataset.attrs["manifest"])["study"]
    assert not again.calls
    assert study_of(sweep(study, directory=tmp_path / "a", progress=False)).folder == tmp_path
    assert str(tmp_path) not in "".join(path.read_text() for path in (tmp_path / "a").rglob("*.json"))


@pytest.mark.parametrize("fuse", [0, 1, 13, 29])
def test_a_killed_sweep_resumes_with_the_same_bits(study, monkeypatch, tmp_path, fuse):
    Fake().install(monkeypatch)
    sweep(study, directory=tmp_path / "whole", progress=False)
    Fake(fuse=fuse).install(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        sweep(study, directory=tmp_path / "torn", progress=False)
    rest = Fake().install(monkeypatch)
    sweep(study, directory=tmp_path / "torn", progress=False)
    assert len(rest.calls) == 3 * (10 - fuse // 3)
    assert content(tmp_path / "torn") == content(tmp_path / "whole")


def test_a_finished_sweep_is_opened_not_computed(study, monkeypatch, tmp_path):
    Fake().install(monkeypatch)
    first = sweep(study, directory=tmp_path / "a", progress=False).load()
    again = Fake().install(monkeypatch)
    xr.testing.assert_identical(sweep(study, directory=tmp_path / "a", progress=False).load(), first)
    assert not again.calls
    sweep(study, directory=tmp_path / "a", progress=False, fresh=True)
    assert len(again.calls) == 30


def test_a_chunk_counts_only_when_its_data_are_there(study, monkeypatch, tmp_path):
    Fake().install(monkeypatch)
    save, died = Store.save, []

    def dies_at_the_third_chunk(store):
        if len(store.done) == 3 and not died:
            died.append(True)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), MANIFEST)
        save(store)

    monkeypatch.setattr(Store, "save", dies_at_the_third_chunk)
    with pytest.raises(OSError, match="No space left"):
        sweep(study, directory=tmp_path / "a", progress=False)
    manifest = json.loads((tmp_path / "a" / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["chunks"]["done"] == [0, 1]
    partial = xr.open_zarr(tmp_path / "a" / RESULT, chunks=None)
    assert not np.isnan(partial["exponents"][:3]).any()
    assert np.isnan(partial["exponents"][3:]).all()
    assert (partial["status"][3:] == -1).all()
    rest = Fake().install(monkeypatch)
    assert not np.isnan(sweep(study, directory=tmp_path / "a", progress=False)["exponents"]).any()
    assert len(rest.calls) == 3 * 8


def test_half_written_files_are_swept_up(study, monkeypatch, tmp_path):
    Fake(fuse=9).install(monkeypatch)
    directory = tmp_path / "a"
    with pytest.raises(KeyboardInterrupt):
        sweep(study, directory=directory, progress=False)
    litter = [directory / ".manifest.json.x.partial", directory / RESULT / "status" / "c" / "9.abc.partial"]
    for path in litter:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{")
    Fake().install(monkeypatch)
    sweep(study, directory=directory, progress=False)
    assert not any(path.exists() for path in litter)
    assert not list(directory.rglob("*.partial"))


def test_write_replaces_whole_files_only(tmp_path, monkeypatch):
    path = tmp_path / "x"
    files.write(path, "old")

    def fails(*_):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(files.os, "replace", fails)
    with pytest.raises(OSError, match="broken"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def refused(study, directory, words, **options):
    before = content(directory)
    with pytest.raises(InputError, match=words) as caught:
        sweep(study, directory=directory, progress=False, **options)
    assert "--fresh" in str(caught.value)
    assert content(directory) == before


def test_stores_of_others_are_refused(study, monkeypatch, tmp_path):
    fake = Fake(fuse=9).install(monkeypatch)
    directory = tmp_path / "a"
    with pytest.raises(KeyboardInterrupt):
        sweep(study, directory=directory, progress=False)
    fake.fuse = None
    refused(study, directory, "study.axes.w.num is 10 there and 11 here", overrides={"axes.w.num": 11})
    refused(study, directory, "study.run.seed is 0 there and 1 here", overrides={"run.seed": 1})
    from rnndyn import kernels
    from rnndyn.sweep import provenance

    with monkeypatch.context() as patch:
        patch.setattr(kernels, "fingerprint", lambda cell: "edited")
        refused(study, directory, "fingerprint is fake there and edited here")
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "version", lambda: "99")
        refused(study, directory, "rnndyn is .* there and 99 here")
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "machine", lambda: {"architecture": "pdp11", "cpu_features": []})
        refused(study, directory, "machine.architecture is .* there and pdp11 here")
    sweep(study, directory=directory, progress=False)


def test_damaged_manifests_and_foreign_folders(study, monkeypatch, tmp_path):
    Fake().install(monkeypatch)
    directory = tmp_path / "a"
    sweep(study, directory=directory, progress=False)
    (directory / MANIFEST).write_text("{", encoding="utf-8")
    refused(study, directory, "manifest.json is damaged")
    (directory / MANIFEST).write_text('{"format": 99}', encoding="utf-8")
    refused(study, directory, "not of this version")
    foreign = tmp_path / "home"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years", encoding="utf-8")
    for fresh in (False, True):
        with pytest.raises(InputError, match="is not empty and holds no result"):
            sweep(study, directory=foreign, progress=False, fresh=fresh)
    assert (foreign / "thesis.tex").read_text(encoding="utf-8") == "years"
    with pytest.raises(InputError, match="is a file"):
        sweep(study, directory=foreign / "thesis.tex", progress=False)


def test_fresh_keeps_what_is_not_ours(study, monkeypatch, tmp_path):
    Fake().install(monkeypatch)
    directory = tmp_path / "a"
    sweep(study, directory=directory, progress=False)
    (directory / "notes.txt").write_text("mine", encoding="utf-8")
    sweep(study, directory=directory, progress=False, fresh=True, overrides={"run.seed": 1})
    assert (directory / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(("step", "calls"), [("remove", 0), ("remove", 1), ("write", 0), ("write", 1), ("flush", 4)])
def test_a_fresh_start_may_be_killed_anywhere(study, monkeypatch, tmp_path, step, calls):
    Fake().install(monkeypatch)
    directory, two_chunks = tmp_path / "a", {"axes.w.num": 2}
    whole = sweep(study, directory=directory, progress=False, overrides=two_chunks).load()
    real, left = getattr(files, step), [calls]

    def dies(*arguments):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(*arguments)

    monkeypatch.setattr(files, step, dies)
    with pytest.raises(KeyboardInterrupt):
        sweep(study, directory=directory, progress=False, fresh=True, overrides=two_chunks)
    monkeypatch.setattr(files, step, real)
    try:
        again = sweep(study, directory=directory, progress=False, overrides=two_chunks)
    except InputError:
        refused(study, directory, "another sweep", overrides=two_chunks)
        again = sweep(study, directory=directory, progress=False, fresh=True, overrides=two_chunks)
    xr.testing.assert_equal(again, whole)


def test_two_sweeps_do_not_write_into_one_folder(study, monkeypatch, tmp_path):
    pytest.importorskip("fcntl")
    Fake().install(monkeypatch)
    (tmp_path / "a").mkdir()
    with files.hold(tmp_path / "a"), pytest.raises(InputError, match="another sweep is writing"):
        sweep(study, directory=tmp_path / "a", progress=False)


def test_progress_counts_to_the_end(study, monkeypatch, tmp_path):
    Fake(fuse=7).install(monkeypatch)
    seen = []
    with pytest.raises(KeyboardInterrupt):
        sweep(study, directory=tmp_path / "a", progress=lambda done, total: seen.append((done, total)))
    Fake().install(monkeypatch)
    again = []
    sweep(study, directory=tmp_path / "a", progress=lambda done, total: again.append((done, total)))
    assert again[0][0] == pytest.approx(again[0][1] * 2 / 10)
    for part in (seen, again):
        assert [done for done, _ in part] == sorted(done for done, _ in part)
    assert again[-1][0] == pytest.approx(again[-1][1])


def test_threads_and_overrides_are_checked(study, monkeypatch):
    Fake().install(monkeypatch)
    with pytest.raises(InputError, match="threads = 0"):
        sweep(study, threads=0)
    from rnndyn.sweep import read_study

    with pytest.raises(InputError, match="overrides change a study file"):
        sweep(read_study(Path(study)), overrides={"run.seed": 1})
