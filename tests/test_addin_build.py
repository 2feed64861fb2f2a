"""The generated files: current, and what Excel, the users and the browser need them to be."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from lxml import etree

from addin import build
from addin.build_office import enum_id
from addin.chinese import CHINESE, chinese
from addin.icons import SIZES, icon
from addin.office_manifest import manifest
from udfs.catalogue import FUNCTIONS
from udfs.function import NAMESPACE
from udfs.function_check import MAX_HELP_CHARS

FOLDER = build.ROOT / "addin" / "office_js"
SCHEMAS = Path(__file__).parent / "schemas"
TASKPANE = "{http://schemas.microsoft.com/office/taskpaneappversionoverrides}"
BASIC = "{http://schemas.microsoft.com/office/officeappbasictypes/1.0}"


# ---- the generator


def test_no_generated_file_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--check"]) == 0, capsys.readouterr().err


def test_check_names_stale_and_missing_files_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = build.generated_files()
    monkeypatch.setattr(build, "ROOT", tmp_path)
    moved = {
        tmp_path / path.relative_to(FOLDER.parent.parent): text for path, text in files.items()
    }
    monkeypatch.setattr(build, "generated_files", lambda: moved)
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0

    changed, missing = tmp_path / "udfs/REFERENCE.md", tmp_path / "addin/office_js/manifest.xml"
    changed.write_text("edited by hand", encoding="utf-8")
    missing.unlink()
    capsys.readouterr()
    assert build.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "udfs/REFERENCE.md" in said
    assert "addin/office_js/manifest.xml" in said
    assert "functions.json" not in said
    assert changed.read_text(encoding="utf-8") == "edited by hand"
    assert not missing.exists()

    assert build.main([]) == 0
    assert changed.read_bytes() == moved[changed]


def test_line_ends_of_a_windows_checkout_are_not_stale(
    tmp_path: Path,
) -> None:
    path = tmp_path / "text.json"
    path.write_bytes(b"{\r\n}\r\n")
    assert build.stale({path: b"{\n}\n"}) == []
    image = tmp_path / "image.png"
    image.write_bytes(b"\0\r\n")
    assert build.stale({image: b"\0\n"}) == [image]


def test_the_generator_needs_no_server_and_no_numerical_library() -> None:
    code = (
        "import sys, addin.build; addin.build.generated_files(); "
        "print([m for m in ('torch','flask','numpy','openvino','server') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=build.ROOT, capture_output=True, text=True
    )
    assert run.stdout.strip() == "[]", run.stderr


# ---- manifest


@pytest.fixture(scope="module")
def manifest_schema() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(SCHEMAS / "office_manifest.rng"))


@pytest.fixture
def tree() -> etree._Element:
    return etree.fromstring((FOLDER / "manifest.xml").read_bytes())


def test_the_manifest_is_as_office_wants_it(
    manifest_schema: etree.RelaxNG, tree: etree._Element
) -> None:
    manifest_schema.assertValid(tree)


@pytest.mark.parametrize(
    ("find", "replace"),
    [
        ("https://localhost:8422/addin/taskpane.html", "http://localhost:8422/addin/taskpane.html"),
        ('id="Page.Url"', f'id="{"P" * 33}"'),
        ("<Id>e", "<Id>x"),
        ("<Version>1.0.0.0", "<Version>1.0"),
        ('lifetime="long"', 'lifetime="short"'),
        ('Name="SharedRuntime"', 'Name="CustomFunctionsRuntime"'),
        ("<DefaultLocale>en-US</DefaultLocale>", ""),
        ('DefaultValue="Shopsheet is ready"', f'DefaultValue="{"x" * 126}"'),
    ],
)
def test_the_manifest_schema_refuses(
    manifest_schema: etree.RelaxNG, find: str, replace: str
) -> None:
    broken = manifest().replace(find, replace)
    assert broken != manifest()
    assert not manifest_schema.validate(etree.fromstring(broken.encode("utf-8")))


def test_runtime_page_and_function_file_are_one_resource(tree: etree._Element) -> None:
    [runtime] = tree.iter(f"{TASKPANE}Runtime")
    [page] = tree.iter(f"{TASKPANE}Page")
    [function_file] = tree.iter(f"{TASKPANE}FunctionFile")
    [action] = tree.iter(f"{TASKPANE}Action")
    used = {
        runtime.get("resid"),
        page[0].get("resid"),
        function_file.get("resid"),
        action.find(f"{TASKPANE}SourceLocation").get("resid"),  # type: ignore[union-attr]
    }
    assert len(used) == 1


def test_every_resource_of_the_manifest_is_defined_once_and_used(tree: etree._Element) -> None:
    defined = [str(node.get("id")) for node in tree.iter(f"{BASIC}*") if node.get("id")]
    used = {node.get("resid") for node in tree.iter() if node.get("resid")}
    assert sorted(set(defined)) == sorted(defined)
    assert set(defined) == used


def test_every_file_that_the_manifest_names_exists(tree: etree._Element) -> None:
    base = "https://localhost:8422/addin/"
    values = [value for node in tree.iter() for value in map(str, node.attrib.values())]
    names = {value.removeprefix(base) for value in values if value.startswith(base)}
    assert {"taskpane.html", "functions.js", "functions.json", "functions.zh.json"} <= names
    assert [name for name in names if not (FOLDER / name).is_file()] == []


def test_the_namespace_of_the_manifest_is_the_catalogues(tree: etree._Element) -> None:
    [namespace] = tree.iter(f"{TASKPANE}Namespace")
    [text] = [n for n in tree.iter(f"{BASIC}String") if n.get("id") == namespace.get("resid")]
    assert text.get("DefaultValue") == NAMESPACE
    assert len(text) == 0  # the same in every language


def test_a_manifest_can_be_made_for_another_port(manifest_schema: etree.RelaxNG) -> None:
    made = manifest("https://localhost:9000")
    manifest_schema.assertValid(etree.fromstring(made.encode("utf-8")))
    assert "8422" not in made


@pytest.mark.parametrize(
    "origin", ["http://localhost:8422", "https://localhost:8422/", "localhost"]
)
def test_a_manifest_for_no_https_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="expected https://HOST:PORT"):
        manifest(origin)


# ---- metadata


def read_metadata(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("name", ["functions.json", "functions.zh.json"])
def test_the_metadata_is_as_excel_wants_it(name: str) -> None:
    schema = json.loads((SCHEMAS / "custom_functions.schema.json").read_text(encoding="utf-8"))
    content = read_metadata(name)
    jsonschema.Draft202012Validator(schema).validate(content)
    ids = [function["id"] for function in content["functions"]]
    assert len(set(ids)) == len(ids)
    enums = {enum["id"] for enum in content["enums"]}
    used = {
        parameter["customEnumId"]
        for function in content["functions"]
        for parameter in function["parameters"]
        if "customEnumId" in parameter
    }
    assert used == enums
    # Once a parameter is optional, all that follow must be.
    for function in content["functions"]:
        optional = [parameter.get("optional", False) for parameter in function["parameters"]]
        assert optional == sorted(optional)


def test_the_metadata_says_what_the_catalogue_says() -> None:
    content = read_metadata("functions.json")
    enums = {enum["id"]: enum for enum in content["enums"]}
    by_name = {function["name"]: function for function in content["functions"]}
    assert list(by_name) == list(FUNCTIONS)
    for declared in FUNCTIONS.values():
        made = by_name[declared.name]
        assert made["description"] == declared.help()
        assert len(made["description"]) <= MAX_HELP_CHARS
        assert made["result"]["dimensionality"] == "matrix"
        assert made["options"] == {"cancelable": True}
        for arg, parameter in zip(declared.args, made["parameters"], strict=True):
            assert parameter["name"] == arg.name
            assert parameter["description"] == arg.help
            assert parameter.get("optional", False) is not arg.required
            assert parameter["dimensionality"] == ("matrix" if arg.kind.takes_range else "scalar")
            if arg.kind.choices:
                values = enums[enum_id(declared, arg)]["values"]
                assert tuple(value["stringValue"] for value in values) == arg.kind.choices


def test_error_cells_reach_the_functions() -> None:
    # Without it Excel answers a range with one error cell by that error, for the whole range.
    assert read_metadata("functions.json")["allowErrorForDataTypeAny"] is True


def test_the_chinese_metadata_differs_in_help_only() -> None:
    english, zh = read_metadata("functions.json"), read_metadata("functions.zh.json")

    def without_help(content: Any) -> Any:
        if isinstance(content, dict):
            return {k: without_help(v) for k, v in content.items() if k != "description"}
        return [without_help(item) for item in content] if isinstance(content, list) else content

    assert without_help(english) == without_help(zh)
    for function, translated in zip(english["functions"], zh["functions"], strict=True):
        assert function["description"] != translated["description"]
        assert re.search(r"[\u4e00-\u9fff]", translated["description"])
        for parameter in translated["parameters"]:
            assert re.search(r"[\u4e00-\u9fff]", parameter["description"])


def test_a_sentence_without_translation_is_named() -> None:
    with pytest.raises(KeyError, match=r"A new sentence.*addin/chinese\.py"):
        chinese("A new sentence.")


def test_no_translation_is_left_over_from_a_sentence_that_is_gone() -> None:
    sentences = {text for f in FUNCTIONS.values() for text in (f.summary, f.returns)}
    sentences |= {arg.help for f in FUNCTIONS.values() for arg in f.args}
    assert set(CHINESE) == sentences


# ---- pages, icons, reference


def test_only_the_task_pane_loads_anything_from_elsewhere() -> None:
    # w3.org and schemas.microsoft.com name formats; nothing is loaded from there.
    found = {
        path.name: set(
            re.findall(r"https?://(?!localhost|www\.w3\.org|schemas\.)[^\s\"'<)]+", text)
        )
        for path in FOLDER.iterdir()
        if path.suffix in {".html", ".js", ".css", ".json", ".xml"}
        for text in [path.read_text(encoding="utf-8")]
    }
    assert {name: urls for name, urls in found.items() if urls} == {
        "taskpane.html": {"https://appsforoffice.microsoft.com/lib/1/hosted/office.js"}
    }


def test_every_script_and_style_of_the_pages_exists() -> None:
    for page in ("taskpane.html", "console.html"):
        text = (FOLDER / page).read_text(encoding="utf-8")
        files = re.findall(r'(?:src|href)="([^":]+)"', text)
        assert "functions.js" in files
        assert [name for name in files if not (FOLDER / name).is_file()] == []


@pytest.mark.parametrize("size", SIZES)
def test_an_icon_is_a_png_with_clear_corners_and_a_solid_middle(size: int) -> None:
    data = icon(size)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        chunks[kind] = body
        at += 12 + length
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (size, size, 8, 6, 0, 0, 0)
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == size * (1 + 4 * size)
    stride = 1 + 4 * size

    def pixel(x: int, y: int) -> bytes:
        return rows[y * stride + 1 + 4 * x : y * stride + 5 + 4 * x]

    assert pixel(0, 0)[3] < 255
    assert pixel(size // 2, size // 2)[3] == 255


def test_the_reference_explains_every_function_and_argument() -> None:
    text = (build.ROOT / "udfs" / "REFERENCE.md").read_text(encoding="utf-8")
    for function in FUNCTIONS.values():
        assert f"## {function.dotted}\n" in text
        for said in (function.summary, function.returns, function.example_formula()):
            assert said in text
        for spelling in (function.dotted, function.underscored, function.saved):
            assert f"`{spelling}`" in text
        for arg in function.args:
            assert f"| `{arg.name}` |" in text
            assert arg.help in text
    for link in re.findall(r"\]\(#([^)]+)\)", text):
        headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
        assert link in {re.sub(r"[^\w -]", "", heading.lower()) for heading in headings}
