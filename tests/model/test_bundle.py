"""The bundle: read only when it is whole, written only as a whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from model.bundle import LAYOUT, Bundle, written_whole
from model.decode import Calibration
from model.errors import BundleError
from model.tagger import Tagger
from model.taxonomy import Taxonomy
from tests.bundles import keyword_bundle

FILES = (*LAYOUT.hashed, LAYOUT.manifest)


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A bundle that the test may spoil."""
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def test_a_bundle_says_what_it_holds(bundle: Path) -> None:
    read = Bundle.read(bundle)
    assert read.taxonomy.id == "tiny@1.0"
    assert read.languages == ("fr", "it", "en")
    assert read.calibration.thresholds == [0.5] * len(read.taxonomy.labels)
    assert set(read.files) == set(LAYOUT.hashed)
    assert read.version.startswith("tiny-")


def test_a_manifest_is_read_alone_where_nothing_is_run(copy: Path) -> None:
    whole = Bundle.read(copy)
    (copy / LAYOUT.model).unlink()
    assert Bundle.described(copy) == whole
    (copy / LAYOUT.manifest).write_text("{}")
    with pytest.raises(BundleError, match="altered"):
        Bundle.described(copy)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_one_byte_changed_in_any_file_is_refused(copy: Path, name: str, where: float) -> None:
    content = bytearray((copy / name).read_bytes())
    content[int(len(content) * where)] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError) as caught:
        Tagger.load(copy)
    assert str(copy / name) in str(caught.value)
    assert "altered" in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_or_cut_short_is_refused(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-1])
    with pytest.raises(BundleError):
        Bundle.read(copy)
    (copy / name).unlink()
    with pytest.raises(BundleError, match=r"missing|no bundle"):
        Bundle.read(copy)


@pytest.mark.parametrize(
    "manifest", [b"", b"[]", b"{}", b"null", b'{"sha256": 1}', b"\xff", b'"text"', b'{"sha256": {}}']
)
def test_a_manifest_that_is_none_is_refused(copy: Path, manifest: bytes) -> None:
    (copy / LAYOUT.manifest).write_bytes(manifest)
    with pytest.raises(BundleError):
        Bundle.read(copy)


@pytest.mark.parametrize("path", ["missing", "empty"])
def test_a_folder_without_a_bundle_is_refused_with_the_remedy(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="tympan train"):
        Bundle.read(tmp_path / path)


def test_a_bundle_that_is_whole_but_cannot_be_run_is_refused(copy: Path) -> None:
    (copy / LAYOUT.model).write_bytes(b"no network")
    read = Bundle.read(_sealed_again(copy))
    assert read.path == copy
    with pytest.raises(BundleError, match="cannot be run"):
        Tagger.load(copy)


def test_the_version_changes_with_the_network_and_with_a_threshold(bundle: Path, tmp_path: Path) -> None:
    same = keyword_bundle(tmp_path / "same")
    other_words = keyword_bundle(tmp_path / "words", words={"intent/churn": ["adieu"]})
    taxonomy = Bundle.read(bundle).taxonomy
    neutral = Calibration.neutral(taxonomy)
    higher = Calibration(neutral.slopes, neutral.offsets, [0.6] * len(taxonomy.labels))
    other_thresholds = keyword_bundle(tmp_path / "thresholds", calibration=higher)
    versions = [Bundle.read(path).version for path in (bundle, same, other_words, other_thresholds)]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), written_whole(tmp_path / "new") as draft:
        (draft / "half").write_text("half")
        raise RuntimeError("stopped half-way")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_replacing_leaves_the_old_bundle(copy: Path) -> None:
    before = Bundle.read(copy).version
    with pytest.raises(RuntimeError), written_whole(copy) as draft:
        (draft / "half").write_text("half")
        raise RuntimeError("stopped half-way")
    assert Bundle.read(copy).version == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_writing_again_replaces_the_old_bundle_and_leaves_no_rest(copy: Path) -> None:
    keyword_bundle(copy, words={"intent/churn": ["adieu"]})
    assert Tagger.load(copy).bundle.version == Bundle.read(copy).version
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BundleError, match="cannot be written"), written_whole(tmp_path / "file" / "bundle"):
        pass


def test_a_bundle_can_be_read_by_other_users_of_the_machine(bundle: Path) -> None:
    assert bundle.stat().st_mode & 0o555 == 0o555


def _sealed_again(path: Path) -> Path:
    """Seal a bundle anew after one of its files was changed on purpose."""
    manifest = json.loads((path / LAYOUT.manifest).read_text(encoding="utf-8"))
    taxonomy = Taxonomy.from_dict(manifest["taxonomy"])
    Bundle(path, taxonomy, Calibration(**manifest["calibration"]), manifest["max_length"]).seal()
    return path
