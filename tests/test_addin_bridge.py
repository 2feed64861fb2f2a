"""The Calc add-in without LibreOffice: cell values, memory, a server that misbehaves, the .oxt."""

from __future__ import annotations

import ast
import io
import json
import math
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from addin import build_libreoffice
from addin.build_libreoffice import calc_addins, interface, pack, parameter_name
from addin.libreoffice import bridge
from addin.libreoffice.bridge import (
    Bridge,
    Memo,
    cell_type,
    error_cell,
    error_code,
    rows_key,
    shopsheet_home,
    to_calc,
    to_wire,
)
from addin.libreoffice.neighbours import parse_calls
from tests.wire_server import WireServer, running
from udfs import client
from udfs.catalogue import FUNCTIONS
from udfs.errors import CELL_ERRORS
from udfs.function import NAMESPACE

OOR = "{http://openoffice.org/2001/registry}"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[WireServer]:
    with running() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def calc(
    server: WireServer, clock: Clock, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> Iterator[Bridge]:
    """A bridge to the small server, as the component makes it."""
    monkeypatch.setenv("SHOPSHEET_URL", server.url)
    calc = Bridge({"SENTIMENT": [True, True, False]}, {"url": None, "home": None}, clock)
    yield calc
    calc.close()


def texts(*cells: Any) -> tuple[tuple[Any, ...], ...]:
    """A column as Calc passes it."""
    return tuple((cell,) for cell in cells)


def code(value: Any) -> str:
    assert isinstance(value, float)
    assert math.isnan(value)
    return error_code(value)


# ---- cells


@pytest.mark.parametrize("error", CELL_ERRORS)
def test_every_cell_error_survives_the_way_to_calc_and_back(error: str) -> None:
    assert code(error_cell(error)) == error
    assert to_wire(error_cell(error), True) == {"error": {"code": error, "message": ""}}


def test_calc_s_own_error_numbers_are_used() -> None:
    """As LibreOffice's help lists them: 519 #VALUE!, 532 #DIV/0!, 503 #NUM!, 32767 #N/A."""
    import struct

    for error, number in {"#VALUE!": 519, "#DIV/0!": 532, "#NUM!": 503, "#N/A": 32767}.items():
        assert struct.unpack("<II", struct.pack("<d", error_cell(error))) == (number, 0x7FF80000)


def test_an_unknown_error_is_a_bad_value_and_a_plain_nan_a_bad_number() -> None:
    assert code(error_cell("#SPILL!")) == "#VALUE!"
    assert code(math.nan) == "#NUM!"


def test_a_lone_zero_is_an_empty_cell_only_where_a_text_is_expected() -> None:
    assert to_wire(0.0, True) is None
    assert to_wire(((0.0,),), True) is None
    assert to_wire(0.0, False) == 0.0
    assert to_wire(texts(0.0, "", "a"), True) == [[0.0], [None], ["a"]]


def test_a_range_of_one_cell_is_that_cell() -> None:
    assert to_wire((("很好",),), True) == "很好"
    assert to_wire((("a", "b"),), True) == [["a", "b"]]


def test_calc_gets_texts_and_floats_alone() -> None:
    rows = to_calc([["a", 1, True], [None, 0.5, {"error": {"code": "#N/A", "message": "?"}}]])
    assert rows[0] == ("a", 1.0, 1.0)
    assert [type(cell) for cell in rows[0]] == [str, float, float]
    assert rows[1][:2] == ("", 0.5)
    assert code(rows[1][2]) == "#N/A"
    assert code(to_calc({"error": "odd"})) == "#VALUE!"


def test_a_grid_is_told_by_the_narrowest_type() -> None:
    assert cell_type((("a",), ("",))) == "string"
    assert cell_type(((0.5,), (error_cell("#N/A"),))) == "double"
    assert cell_type((("a",), (error_cell("#N/A"),))) == "any"


def test_rows_with_errors_have_keys_of_their_own() -> None:
    keys = [
        rows_key(rows)
        for rows in (
            (("a",), (error_cell("#N/A"),)),
            (("a",), (error_cell("#VALUE!"),)),
            (("a", error_cell("#N/A")),),
            (("a",), (1.0,)),
        )
    ]
    assert len(set(keys)) == len(keys)
    assert rows_key((("a",), (error_cell("#N/A"),))) == keys[0]


# ---- calls


def test_a_call_travels_with_its_options_and_the_token(
    calc: Bridge, server: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPSHEET_TOKEN", "secret")
    assert calc.call("SENTIMENT", [texts("ab", "", "很好"), "score", None]) == texts(2.0, "", 2.0)
    sent = server.requests[0]["calls"]
    assert sent == [
        {"id": "0", "function": "SENTIMENT", "args": [[["ab"], [None], ["很好"]], "score"]}
    ]
    assert server.headers[0]["Authorization"] == "Bearer secret"


def test_the_token_file_is_read_at_each_call_and_never_sent_away(
    calc: Bridge, server: WireServer, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calc.call("SENTIMENT", ["a"])
    own_home.mkdir()
    (own_home / "token").write_text("from-file\n", encoding="utf-8")
    calc.call("SENTIMENT", ["b"])
    assert "Authorization" not in server.headers[0]
    assert server.headers[1]["Authorization"] == "Bearer from-file"
    monkeypatch.setenv("SHOPSHEET_URL", "http://192.0.2.1:8421")
    assert "Authorization" not in Bridge({}, {})._headers()


def test_a_failed_cell_fails_alone_and_a_failed_call_shows_its_code(
    calc: Bridge, own_home: Path
) -> None:
    rows = calc.call("SENTIMENT", [texts("a", "unsure", "b")])
    assert isinstance(rows, tuple)
    assert (rows[0][0], rows[2][0], code(rows[1][0])) == ("A", "B", "#N/A")
    assert code(calc.call("SENTIMENT", ["call fails"])) == "#VALUE!"
    log = bridge.log_path(own_home).read_text(encoding="utf-8")
    assert "the server's own text" in log


def test_a_repeated_call_is_answered_from_memory_while_the_model_is_heard_of(
    calc: Bridge, server: WireServer, clock: Clock
) -> None:
    for _ in range(3):
        assert calc.call("SENTIMENT", ["ab"]) == "AB"
    assert len(server.requests) == 1
    calc.call("SENTIMENT", ["ab", "score"])
    assert len(server.requests) == 2
    clock.now += bridge.MODEL_CHECK_S + 1
    calc.call("SENTIMENT", ["ab"])
    assert len(server.requests) == 3
    calc.call("SENTIMENT", ["ab", "score"])  # its model has just been heard of
    assert len(server.requests) == 3


def test_answers_of_another_model_are_forgotten(
    calc: Bridge, server: WireServer, clock: Clock
) -> None:
    def newer(handler: Any) -> bool:
        result = {"id": "0", "value": "newer", "model": "encoder@2"}
        handler.send_json(200, {"results": [result]})
        return False

    calc.call("SENTIMENT", ["ab"])
    calc.call("SENTIMENT", ["cd"])
    clock.now += bridge.MODEL_CHECK_S + 1
    server.script.append(newer)
    assert calc.call("SENTIMENT", ["ab"]) == "newer"
    calc.call("SENTIMENT", ["cd"])
    assert len(server.requests) == 4


def test_no_answer_is_not_remembered(calc: Bridge, server: WireServer) -> None:
    for _ in range(2):
        calc.call("SENTIMENT", [texts("a", "unsure")])
    assert len(server.requests) == 2


def test_who_fills_a_column_is_answered_in_few_requests(calc: Bridge, server: WireServer) -> None:
    asked: list[int] = []

    def neighbours() -> list[tuple[str, list[Any]]]:
        asked.append(1)
        return [("SENTIMENT", [f"text {n}", "score"]) for n in range(300)] + [("GONE", ["a"])]

    for number in range(300):
        value = calc.call("SENTIMENT", [((f"text {number}",),), "score", None], neighbours)
        assert value == float(len(f"text {number}"))
    assert len(server.requests) == 3  # two alone, then all
    assert len(server.requests[2]["calls"]) == 298
    assert sum(asked) == 1


def test_looking_ahead_in_vain_becomes_rare(calc: Bridge, server: WireServer) -> None:
    asked: list[int] = []

    def neighbours() -> list[tuple[str, list[Any]]]:
        asked.append(1)
        return [("SENTIMENT", [f"never asked for {n}"]) for n in range(len(asked) + 5)]

    for number in range(200):
        calc.call("SENTIMENT", [f"text {number}"], neighbours)
    assert len(server.requests) == 200
    assert len(asked) <= 7  # after 3, 3, 6, 12, 24, ... calls


def test_single_formulas_that_are_typed_look_at_nothing(calc: Bridge, clock: Clock) -> None:
    def neighbours() -> list[tuple[str, list[Any]]]:
        raise AssertionError("asked")

    for number in range(20):
        calc.call("SENTIMENT", [f"text {number}"], neighbours)
        clock.now += bridge.LOOK_AHEAD_S
    calc.call("SENTIMENT", [texts("a", "b")], neighbours)


def test_a_failing_look_ahead_fails_no_cell(
    calc: Bridge, server: WireServer, own_home: Path
) -> None:
    def broken() -> list[tuple[str, list[Any]]]:
        raise RuntimeError("no such sheet")

    def refuse(handler: Any) -> bool:
        handler.send_json(413, {"error": {"code": "#VALUE!", "message": "too large"}})
        return False

    values = [calc.call("SENTIMENT", [name], broken) for name in "abcd"]
    assert values == ["A", "B", "C", "D"]
    assert "no such sheet" in bridge.log_path(own_home).read_text(encoding="utf-8")

    ask = Bridge({"SENTIMENT": [True, True, False]}, {})
    for name in "ab":
        ask.call("SENTIMENT", [name])
    ask._travelled = bridge.LOOK_AHEAD_AFTER
    ask._travelled_at = time.monotonic()
    server.script.append(refuse)
    assert ask.call("SENTIMENT", ["c"], lambda: [("SENTIMENT", ["d"])]) == "C"
    ask.close()


def test_the_next_calls_are_read_off_formulas() -> None:
    assert parse_calls(
        '=IF(SHOP.SENTIMENT($A$2;"score")>0;SHOP.SENTIMENT(B13);"SHOP.X(A1:A2)")'
    ) == [
        ("SENTIMENT", "A", 2, ["score"]),
        ("SENTIMENT", "B", 13, []),
    ]
    assert parse_calls("=SHOP.SENTIMENT(AB7;;0.8)") == [("SENTIMENT", "AB", 7, [None, 0.8])]
    for other in ("=SHOP.SENTIMENT(A1:A9)", "=SHOP.SENTIMENT(A1;C1)", "=SUM(A1)", "text"):
        assert parse_calls(other) == []


def test_an_unreachable_server_is_tried_once_for_a_column(
    calc: Bridge, server: WireServer, clock: Clock, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    tries: list[float] = []
    connect = bridge.Transport._connect

    def counted(self: Any, fresh: bool) -> Any:
        tries.append(time.monotonic())
        return connect(self, fresh)

    monkeypatch.setattr(bridge.Transport, "_connect", counted)
    monkeypatch.setenv("SHOPSHEET_URL", "http://127.0.0.1:9")  # nobody listens there
    down = Bridge({"SENTIMENT": [True]}, {}, clock)
    assert [code(down.call("SENTIMENT", [f"text {n}"])) for n in range(500)] == ["#N/A"] * 500
    assert len(tries) == 2  # and once again, as the transport does
    clock.now += bridge.DOWN_S
    assert code(down.call("SENTIMENT", ["text"])) == "#N/A"
    assert len(tries) == 4
    log = bridge.log_path(own_home).read_text(encoding="utf-8")
    assert log.count("shopsheet serve") == 1  # the same reason once a minute


def test_a_server_that_hangs_freezes_calc_once(
    calc: Bridge, server: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "CALL_S", 0.3)

    def hang(handler: Any) -> bool:
        handler.server.released.wait(20)
        return False

    server.script.append(hang)
    started = time.monotonic()
    assert code(calc.call("SENTIMENT", ["a"])) == "#N/A"
    assert [code(calc.call("SENTIMENT", [f"{n}"])) for n in range(100)] == ["#N/A"] * 100
    assert time.monotonic() - started < 5
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "expected"), [(400, "#VALUE!"), (401, "#N/A"), (413, "#VALUE!"), (500, "#N/A")]
)
def test_a_refused_request_is_an_error_cell(
    calc: Bridge, server: WireServer, own_home: Path, status: int, expected: str
) -> None:
    def refuse(handler: Any) -> bool:
        handler.send_json(status, {"error": {"code": "#N/A", "message": f"because {status}"}})
        return False

    server.script.append(refuse)
    assert code(calc.call("SENTIMENT", ["a"])) == expected
    assert f"because {status}" in bridge.log_path(own_home).read_text(encoding="utf-8")


def test_another_program_on_the_port_is_no_answer(calc: Bridge, server: WireServer) -> None:
    def other(handler: Any) -> bool:
        handler.send_json(200, ["hello"])
        return False

    server.script.append(other)
    assert code(calc.call("SENTIMENT", ["a"])) == "#N/A"


def test_a_wrong_address_and_an_unknown_function_are_bad_values(
    monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    monkeypatch.setenv("SHOPSHEET_URL", "ftp://example.org")
    broken = Bridge({"SENTIMENT": [True]}, {})
    assert code(broken.call("SENTIMENT", ["a"])) == "#VALUE!"
    assert code(broken.call("NOSUCH", ["a"])) == "#VALUE!"
    assert "KeyError" in bridge.log_path(own_home).read_text(encoding="utf-8")


def test_the_log_does_not_grow_for_ever(
    calc: Bridge, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "LOG_BYTES", 2_000)
    for number in range(200):
        calc._log(f"reason {number}")
    files = sorted(bridge.log_path(own_home).parent.iterdir())
    assert [path.name for path in files] == ["libreoffice.log", "libreoffice.old.log"]
    assert all(path.stat().st_size < 3_000 for path in files)


def test_the_memo_drops_what_was_used_longest_ago() -> None:
    memo = Memo(max_bytes=4 * 1200)
    memo.heard("F", "m@1")
    for name in "abcd":
        memo.put("F", name.encode(), name, 1000)
    assert memo.get("F", b"a") == "a"
    memo.put("F", b"e", "e", 1000)
    assert [memo.get("F", name.encode()) for name in "abcde"] == ["a", None, "c", "d", "e"]
    memo.put("F", b"large", "large", 10_000)
    assert memo.get("F", b"large") is None
    memo.heard("F", "m@2")
    assert memo.get("F", b"a") is None


@pytest.mark.parametrize("system", ["win32", "darwin", "linux"])
@pytest.mark.parametrize("variables", [{}, {"SHOPSHEET_HOME": "~/here"}, {"OTHER": "1"}])
def test_the_token_is_looked_for_where_the_client_looks(
    system: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("SHOPSHEET_HOME", "LOCALAPPDATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", system)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if "OTHER" in variables:
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert shopsheet_home({}) == client.shopsheet_home()
    assert shopsheet_home({"home": None}) == client.shopsheet_home()


def test_the_installed_home_is_used_unless_the_environment_names_one(
    monkeypatch: pytest.MonkeyPatch, own_home: Path, tmp_path: Path
) -> None:
    assert shopsheet_home({"home": str(tmp_path)}) == own_home
    monkeypatch.delenv("SHOPSHEET_HOME")
    assert shopsheet_home({"home": str(tmp_path)}) == tmp_path


# ---- the extension


def members(**options: Any) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack(**options))) as oxt:
        assert oxt.testzip() is None
        return {name: oxt.read(name) for name in oxt.namelist()}


def test_the_extension_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    assert pack() == pack()
    assert pack(home=tmp_path) != pack()


def test_the_manifest_lists_files_that_are_there() -> None:
    files = members()
    manifest = ET.fromstring(files["META-INF/manifest.xml"])
    listed = [next(v for k, v in entry.items() if k.endswith("full-path")) for entry in manifest]
    assert set(listed) <= set(files)
    assert json.loads(files["settings.json"]) == {"url": None, "home": None}
    assert json.loads(members(url="http://h:1")["settings.json"])["url"] == "http://h:1"


def test_function_wizard_interface_and_catalogue_agree() -> None:
    tree = ET.fromstring(calc_addins())
    (service,) = tree.iterfind("node/node")
    assert service.get(f"{OOR}name") == NAMESPACE
    nodes = {node.get(f"{OOR}name"): node for node in service.iterfind("node/node")}
    assert set(nodes) == set(FUNCTIONS)
    functions = json.loads(members()["functions.json"])
    assert list(functions) == list(FUNCTIONS)
    for name, function in FUNCTIONS.items():
        english = {prop.get(f"{OOR}name"): prop[0].text for prop in nodes[name].iterfind("prop")}
        assert english["DisplayName"] == english["CompatibilityName"] == function.dotted
        assert english["Description"] == function.help()
        shown = [node.get(f"{OOR}name") for node in nodes[name].iterfind("node/node")]
        assert shown == [parameter_name(arg) for arg in function.args]
        assert [arg["name"] for arg in functions[name]] == [arg.name for arg in function.args]
        document, *declared = interface().split(f" {name}(")[1].split(");")[0].split(", ")
        assert document.endswith("::XPropertySet document")  # not shown: Calc fills it in
        assert [part.split()[-1] for part in declared] == shown
        for arg, part in zip(function.args, declared, strict=True):
            assert arg.required or part.startswith("[in] any "), "an optional argument is any"


def test_help_is_there_in_chinese() -> None:
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    for prop in ET.fromstring(calc_addins()).iter("prop"):
        if prop.get(f"{OOR}name") == "Description":
            assert {value.get(language) for value in prop} == {"en", "zh-CN"}


def python_members() -> dict[str, str]:
    return {name: data.decode() for name, data in members().items() if name.endswith(".py")}


def test_the_modules_inside_need_nothing_but_libreoffice_s_own_python() -> None:
    allowed = {*sys.stdlib_module_names, "uno", "unohelper", "com", "org"}
    allowed.add(build_libreoffice.PACKAGE)
    headless = Path(bridge.__file__).with_name("headless.py").read_text(encoding="utf-8")
    for name, source in {**python_members(), "headless.py": headless}.items():
        for node in ast.walk(ast.parse(source, name, feature_version=(3, 8))):
            if isinstance(node, ast.Import):
                imported = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, name
                imported = {(node.module or "").split(".")[0]}
            else:
                continue
            assert imported <= allowed, f"{name} imports {imported - allowed}"


def pyenv_pythons(version: str) -> list[str]:
    return [
        str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")
    ]


def test_the_modules_inside_work_in_python_3_8(server: WireServer, tmp_path: Path) -> None:
    found = [path for path in (shutil.which("python3.8"), *pyenv_pythons("3.8")) if path]
    runs = [path for path in found if not subprocess.run([path, "-c", ""], check=False).returncode]
    if not runs:
        pytest.skip("python3.8 is not installed")
    old = runs[0]
    with zipfile.ZipFile(io.BytesIO(pack())) as oxt:
        oxt.extractall(tmp_path)
    script = (
        "from shopsheet_calc.bridge import Bridge\n"
        "calc = Bridge({'SENTIMENT': [True, True, False]}, {'url': None, 'home': None})\n"
        "print(calc.call('SENTIMENT', [(('good',), ('',), ('很好',)), None, None]))\n"
        "print(calc.call('SENTIMENT', ['call fails']))\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path / "pythonpath"),
        "PYTHONIOENCODING": "utf-8",
        "SHOPSHEET_URL": server.url,
    }
    done = subprocess.run(
        [old, "-W", "error", "-c", script],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout.splitlines() == ["(('GOOD',), ('',), ('很好',))", "nan"], done.stderr
