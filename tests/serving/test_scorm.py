"""The SCORM package: its manifest, its files, and what it is not written over."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from flowviz import panels
from flowviz.serving import cli, paths, scorm
from flowviz.serving.scorm import course, manifest
from flowviz.serving.scorm.manifest import Item
from tests.serving.scorm_manifest import IMSCP, objections
from tests.serving.test_site import Parsed, small_lesson

PANEL = "ratio_travels"
"""One whose pages are made in a moment."""


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_lesson(tmp_path_factory.mktemp("lesson"))


@pytest.fixture
def one_lesson(lesson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A course with a small lesson alone."""
    monkeypatch.setattr(paths, "lessons", lambda: [lesson])


@pytest.fixture(scope="module")
def written(lesson: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A package of a lesson and a panel, asked for in that order, and what was said of it."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "lessons", lambda: [lesson])
        file = tmp_path_factory.mktemp("made") / "below" / "flows.zip"
        scorm.write(file, ["01_small", PANEL], say=said.append)
    return file, said


# ---- the manifest --------------------------------------------------------------------------------


def manifest_of(file: Path) -> Element:
    with zipfile.ZipFile(file) as package:
        return ElementTree.fromstring(package.read(manifest.NAME))


def test_the_manifest_is_one_of_scorm_1_2(written):
    assert objections(manifest_of(written[0])) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda text: text.replace("1.2<", "1.3<"), "it is of"),
        (lambda text: text.replace('default="flowviz"', 'default="x"'), "no organization"),
        (lambda text: text.replace('identifier="files-', 'identifier="'), "is no name"),
        (lambda text: re.sub(r'(identifierref="files-)', r"\1x", text), "is no resource"),
        (lambda text: text.replace("scormtype", "scormType"), "resource has"),
        (lambda text: re.sub(r"<title>.*?</title>", "", text), "has no title"),
        (lambda text: re.sub(r"<file .*?/>", "", text), "does not list"),
        (lambda text: re.sub(r"(?s)<resources>.*</resources>", "", text), "manifest holds"),
    ],
)
def test_the_check_of_manifests_sees_what_is_wrong(broken, said):
    items = [Item("01_a", "A", "Group", ["a/index.html"])]
    text = manifest.manifest(items).decode()
    assert objections(ElementTree.fromstring(text)) == []
    assert any(said in one for one in objections(ElementTree.fromstring(broken(text))))


def test_items_are_listed_in_the_courses_order_under_their_headings(written):
    groups = manifest_of(written[0]).findall(f".//{IMSCP}organization/{IMSCP}item")
    listed = {
        group.findtext(f"{IMSCP}title"): [item.findtext(f"{IMSCP}title") for item in group[1:]]
        for group in groups
    }
    assert listed == {
        panels.entry(PANEL).group: [panels.entry(PANEL).title],
        course.LESSONS: ["A small <lesson>"],
    }


def test_the_whole_course_is_the_default():
    units = course.choose([])
    assert [unit.name for unit in units] == [
        *panels.names(),
        *(path.stem for path in paths.lessons()),
    ]


# ---- the files -----------------------------------------------------------------------------------


def test_every_file_is_listed_and_has_a_name_that_every_system_can_write(written):
    with zipfile.ZipFile(written[0]) as package:
        names = package.namelist()
        assert package.testzip() is None
    listed = [file.get("href") for file in manifest_of(written[0]).iter(f"{IMSCP}file")]
    assert sorted(names) == sorted([*listed, manifest.NAME])
    for name in names:
        assert re.fullmatch(r"([a-z0-9_-]+/)?[a-zA-Z0-9_-]+\.(html|xml)", name), name
    assert len({name.lower() for name in names}) == len(names)


def test_every_address_in_a_page_is_a_file_beside_it(written):
    with zipfile.ZipFile(written[0]) as package:
        for name in package.namelist():
            if name.endswith(".html"):
                for address in Parsed(package.read(name).decode()).addresses:
                    assert f"{Path(name).parent}/{address}" in package.namelist(), name


def test_an_item_opens_a_frame_with_its_first_page(written):
    with zipfile.ZipFile(written[0]) as package:
        launch = Parsed(package.read(f"{PANEL}/index.html").decode())
        lesson = package.read("01_small/01_small.html").decode()
    (frame,) = launch.all("iframe")
    assert (frame["src"], frame["title"]) == (f"{PANEL}.html", panels.entry(PANEL).title)
    assert Parsed(lesson).all("iframe") and not Parsed(lesson).all("nav")


def test_a_package_is_the_same_bytes_every_time(written, one_lesson, tmp_path):
    again = scorm.write(tmp_path / "again.zip", [PANEL, "01_small"], say=lambda line: None)
    assert again.read_bytes() == written[0].read_bytes()


def test_what_is_made_is_said_with_its_size(written):
    file, said = written
    assert said[0].startswith(f"{PANEL}/{PANEL}.html: The ratio travels, ")
    assert re.search(r", \d+\.\d MB$", said[0])
    *_, summary, rule = said
    assert re.fullmatch(rf"{re.escape(str(file))}: 2 items, 8 files, \d\.\d MB\.", summary)
    assert "a panel is completed once its picture or its bar was used" in rule


# ---- what is refused -----------------------------------------------------------------------------


def test_a_package_is_written_again_and_nothing_else_is_written_over(
    written, one_lesson, tmp_path, capsys
):
    file = tmp_path / "flows.zip"
    file.write_bytes(written[0].read_bytes())
    assert cli.main(["scorm", str(file), "01_small"]) == 0
    assert len(list(manifest_of(file).iter(f"{IMSCP}resource"))) == 1
    (tmp_path / "thesis.zip").write_text("years of work")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr(manifest.NAME, "<manifest/>")
    (tmp_path / "folder.zip").mkdir()
    before = {path: path.stat() for path in tmp_path.iterdir()}
    for name, why in {
        "thesis.zip": "is something else; allowed are a new file and a package that `flowviz",
        "other.zip": "is something else",
        "folder.zip": "is something else",
        "flows.txt": "does not end in .zip",
    }.items():
        assert cli.main(["scorm", str(tmp_path / name)]) == 1
        assert re.search(rf"{name}' {re.escape(why)}", capsys.readouterr().err)
    assert {path: path.stat() for path in tmp_path.iterdir()} == before


def test_an_unknown_name_is_told_with_the_nearest(tmp_path, capsys):
    assert cli.main(["scorm", str(tmp_path / "flows.zip"), "trajectorys"]) == 1
    said = capsys.readouterr().err
    assert "no panel or lesson 'trajectorys' (did you mean 'trajectories'?)" in said
    assert list(tmp_path.iterdir()) == []


def test_a_package_stays_whole_where_the_next_one_fails(written, one_lesson, tmp_path, monkeypatch):
    file = tmp_path / "flows.zip"
    file.write_bytes(written[0].read_bytes())

    def fails(*_):
        raise ValueError("no page")

    monkeypatch.setattr("flowviz.serving.site.pages.lesson", fails)
    with pytest.raises(ValueError, match="no page"):
        scorm.write(file, ["01_small"], say=lambda line: None)
    assert file.read_bytes() == written[0].read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["flows.zip"]
