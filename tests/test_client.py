"""The client against a small real HTTP server that can misbehave, and against the real one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LiveServer
from tests.wire_server import Handle, Handler, WireServer, running
from udfs import catalogue
from udfs.client import Client, shopsheet_home, token_path
from udfs.errors import BadInput, CellError, ModelFailed, NotReady, OutOfRange, Undecided
from udfs.transport import split_url


@pytest.fixture
def server() -> Iterator[WireServer]:
    with running() as server:
        yield server


@pytest.fixture
def client(server: WireServer) -> Iterator[Client]:
    with Client(server.url, token="secret", timeout_s=10) as client:
        yield client


def always(handle: Handle) -> list[Handle]:
    return [handle] * 20


# What comes back


def test_a_cell_gives_a_value_and_a_range_gives_rows(client: Client) -> None:
    assert client.call("SENTIMENT", "很好") == "很好"
    assert client.call("SENTIMENT", [["a", None], ["b", "c"]]) == [["A", ""], ["B", "C"]]
    assert client.call("SENTIMENT", "abc", "all") == [["ABC", 3.0, 0.9]]
    assert client.call("SENTIMENT", [["abc"], [None]], "all") == [["ABC", 3.0, 0.9], ["", "", ""]]


def test_a_failed_cell_of_a_range_is_a_cell_error_and_a_failed_single_cell_raises(
    client: Client,
) -> None:
    failed = CellError("#N/A", "confidence 0.55 is below 0.8")
    assert client.call("SENTIMENT", [["unsure"], ["a"]]) == [[failed], ["A"]]
    with pytest.raises(Undecided, match=r"0\.55 is below 0\.8"):
        client.call("SENTIMENT", "unsure")


def test_an_error_cell_travels_to_the_server_and_back(client: Client) -> None:
    ref = CellError("#REF!", "deleted")
    assert client.call("SENTIMENT", [[ref], [float("nan")]]) == [
        [ref],
        [CellError("#NUM!", "nan is not a number.")],
    ]


def test_half_an_emoji_can_be_sent(client: Client) -> None:
    assert client.call("SENTIMENT", [["ok \ud83d"]]) == [["OK \ud83d"]]


def test_the_servers_error_text_is_kept(client: Client) -> None:
    with pytest.raises(BadInput) as caught:
        client.call("SENTIMENT", "call fails")
    assert caught.value.message == "the server's own text"


def test_a_bad_argument_is_refused_before_anything_is_sent(
    client: Client, server: WireServer
) -> None:
    with pytest.raises(OutOfRange, match="min_confidence is 80"):
        client.call("SENTIMENT", "a", "label", 80)
    with pytest.raises(BadInput, match="Did you mean SENTIMENT"):
        client.call("SENTIMNT", "a")
    with pytest.raises(BadInput, match="where a cell was expected"):
        client.call("SENTIMENT", object())
    assert server.requests == []


def test_call_many_is_one_request_with_order_kept(client: Client, server: WireServer) -> None:
    values = client.call_many(
        [
            ("SENTIMENT", ["b"]),
            ("SENTIMENT", ["x", "wrong"]),
            ("SENTIMENT", [[["a"], ["unsure"]], "label"]),
            ("SENTIMENT", ["call fails"]),
        ]
    )
    assert values[0] == "B"
    assert isinstance(values[1], BadInput)
    assert values[2] == [["A"], [CellError("#N/A", "confidence 0.55 is below 0.8")]]
    assert isinstance(values[3], BadInput)
    assert len(server.requests) == 1
    assert [call["function"] for call in server.requests[0]["calls"]] == ["SENTIMENT"] * 3


def test_answers_name_the_model(client: Client) -> None:
    assert client.answers([("SENTIMENT", ["a"])])[0].model == "encoder@1"


def test_get_returns_the_json_object(client: Client) -> None:
    assert client.get("/v1/models") == {"path": "/v1/models"}


# Gathering


def test_two_thousand_single_cells_travel_in_few_requests(
    client: Client, server: WireServer
) -> None:
    futures = [client.submit("SENTIMENT", f"text {number}") for number in range(2000)]
    assert [future.result(20) for future in futures] == [f"TEXT {n}" for n in range(2000)]
    # A loaded machine may cut the stream; the rule is far fewer requests and calls than cells.
    assert len(server.requests) <= 10
    assert sum(len(request["calls"]) for request in server.requests) <= 10


def test_single_cells_from_many_threads_travel_together(
    server: WireServer,
) -> None:
    results: dict[int, Any] = {}
    with Client(server.url, gather_ms=100) as client:
        threads = [
            threading.Thread(
                target=lambda n=number: results.update({n: client.call("SENTIMENT", f"t{n}")})
            )
            for number in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {number: f"T{number}" for number in range(50)}
    assert len(server.requests) <= 3


def test_a_call_that_is_waited_for_goes_at_once_while_nothing_is_under_way(
    server: WireServer,
) -> None:
    with Client(server.url, gather_ms=2000) as client:
        started = time.monotonic()
        assert [client.call("SENTIMENT", f"t{n}") for n in range(3)] == ["T0", "T1", "T2"]
        assert time.monotonic() - started < 2
    assert len(server.requests) == 3


def test_gathered_calls_with_different_options_keep_their_own_answers(
    server: WireServer,
) -> None:
    with Client(server.url, gather_ms=50) as client:
        futures = {
            "label": client.submit("SENTIMENT", "abc"),
            "error": client.submit("SENTIMENT", CellError("#REF!", "gone")),
            "unsure": client.submit("SENTIMENT", "unsure"),
            "score": client.submit("SENTIMENT", "abcd", "score"),
            "all": client.submit("SENTIMENT", "ab", "all"),
            "all too": client.submit("SENTIMENT", "unsure", "all"),
            "grid": client.submit("SENTIMENT", [["x"], ["y"]]),
            "number": client.submit("SENTIMENT", 1),
            "true": client.submit("SENTIMENT", True),
        }
        assert futures["label"].result() == "ABC"
        assert futures["score"].result() == 4.0
        assert futures["all"].result() == [["AB", 2.0, 0.9]]
        assert futures["all too"].result()[0][0].code == "#N/A"
        assert futures["grid"].result() == [["X"], ["Y"]]
        assert futures["number"].result() == "1"
        assert futures["true"].result() == "TRUE"
        assert isinstance(futures["unsure"].exception(), Undecided)
        error = futures["error"].exception()
        assert isinstance(error, BadInput)
        assert error.cell_error == "#REF!"
    assert len(server.requests) == 1


def test_identical_calls_under_way_share_one_future(client: Client, server: WireServer) -> None:
    server.script = [lambda handler: handler.server.released.wait(5)]
    first = client.submit("SENTIMENT", "same", "label")
    while not server.requests:
        time.sleep(0.005)
    assert client.submit("SENTIMENT", "same", "label") is first
    assert client.submit("SENTIMENT", "same", "score") is not first
    assert not first.cancel()
    server.released.set()
    assert first.result(5) == "SAME"
    again = client.submit("SENTIMENT", "same", "label")
    assert again is not first
    assert again.result(5) == "SAME"


def test_connections_are_kept_alive(client: Client, server: WireServer) -> None:
    ports = set()

    def note(handler: Handler) -> bool:
        ports.add(handler.client_address[1])
        return True

    server.script = always(note)
    for number in range(5):
        client.call("SENTIMENT", f"{number}")
    assert len(ports) == 1


# When things go wrong


def test_an_unreachable_server_is_named_with_what_to_do() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with Client(url) as client, pytest.raises(NotReady) as caught:
        client.call("SENTIMENT", "a")
    assert caught.value.message == (
        f"The Shopsheet server does not answer at {url}. Start it with: shopsheet serve"
    )
    assert caught.value.cell_error == "#N/A"


def test_a_server_that_never_answers_times_out(server: WireServer) -> None:
    server.script = [lambda handler: handler.server.released.wait(30) and False]
    started = time.monotonic()
    with (
        Client(server.url, timeout_s=0.4) as client,
        pytest.raises(NotReady, match=r"no answer within 0\.42 s"),
    ):
        client.call("SENTIMENT", "a")
    assert time.monotonic() - started < 5
    assert len(server.requests) == 1  # a busy server is not asked again


def test_a_long_column_gets_more_time_than_a_cell(server: WireServer) -> None:
    server.script = [lambda handler: not handler.server.released.wait(0.8)]
    with Client(server.url, timeout_s=0.2) as client:
        column = [[f"text {row}"] for row in range(100)]
        assert client.call("SENTIMENT", column) == [[f"TEXT {row}"] for row in range(100)]


def test_a_server_that_drips_bytes_times_out(server: WireServer) -> None:
    def drip(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        try:
            while not handler.server.released.wait(0.05):
                handler.wfile.write(b" ")
        except OSError:
            pass
        handler.close_connection = True
        return False

    server.script = [drip]
    started = time.monotonic()
    with Client(server.url, timeout_s=0.5) as client, pytest.raises(NotReady, match="no answer"):
        client.call("SENTIMENT", "a")
    assert time.monotonic() - started < 5


def test_a_busy_server_is_asked_once_more_after_the_pause_it_wants(
    client: Client, server: WireServer
) -> None:
    def busy(handler: Handler) -> bool:
        handler.send_json(
            503, {"error": {"code": "#N/A", "message": "busy"}}, {"Retry-After": "0.1"}
        )
        return False

    server.script = [busy]
    assert client.call("SENTIMENT", "a") == "A"
    assert len(server.requests) == 2

    server.script = [busy, busy]
    with pytest.raises(NotReady, match="busy") as caught:
        client.call("SENTIMENT", "b")
    assert caught.value.retry_after_s == pytest.approx(0.1)
    assert len(server.requests) == 4


def test_a_long_pause_is_not_waited_for(client: Client, server: WireServer) -> None:
    def busy(handler: Handler) -> bool:
        handler.send_json(503, {"error": {"message": "come back"}}, {"Retry-After": "3600"})
        return False

    server.script = [busy]
    started = time.monotonic()
    with pytest.raises(NotReady, match="come back"):
        client.call("SENTIMENT", "a")
    assert time.monotonic() - started < 5
    assert len(server.requests) == 1


def test_a_dropped_connection_is_tried_once_more(client: Client, server: WireServer) -> None:
    def drop(handler: Handler) -> bool:
        handler.drop()
        return False

    server.script = [drop]
    assert client.call("SENTIMENT", "a") == "A"
    server.script = always(drop)
    with pytest.raises(NotReady, match="does not"):
        client.call("SENTIMENT", "b")
    server.script = []
    assert client.call("SENTIMENT", "c") == "C"


def test_an_idle_connection_that_the_server_closed_is_replaced(
    client: Client, server: WireServer
) -> None:
    def close_after(handler: Handler) -> bool:
        handler.close_connection = True  # without telling the client
        return True

    server.script = always(close_after)
    for number in range(5):
        assert client.call("SENTIMENT", f"t{number}") == f"T{number}"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"", b"[]", b'{"results": 3}', b"\xff\xfe", b"[" * 100_000],
)
def test_an_answer_that_is_not_ours_is_said_to_be_so(
    client: Client, server: WireServer, body: bytes
) -> None:
    def garbage(handler: Handler) -> bool:
        handler.send_bytes(200, body)
        return False

    server.script = [garbage]
    with pytest.raises(NotReady, match="is not a Shopsheet server"):
        client.call("SENTIMENT", "a")


def test_a_program_that_does_not_speak_http_is_said_to_be_so(
    client: Client, server: WireServer
) -> None:
    def noise(handler: Handler) -> bool:
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        handler.drop()
        return False

    server.script = always(noise)
    with pytest.raises(NotReady, match="does not speak HTTP"):
        client.call("SENTIMENT", "a")


@pytest.mark.parametrize(
    "results",
    [
        [],
        [{"id": "2", "value": [["A"], ["B"]]}],
        [{"id": "1", "value": [["A"]]}],
        [{"id": "1", "value": "A"}],
        [{"id": "1", "value": [["A"], ["B", "C"]]}],
        [{"id": "1", "value": [["A"], "B"]}],
        [{"id": "1", "value": [["A"], [["B"]]]}],
        [{"id": "1", "value": [["A"], [{"what": 1}]]}],
        [{"id": "1", "error": {"code": "oops"}}],
        [{"id": "1"}],
        ["A"],
    ],
)
def test_an_answer_of_the_wrong_shape_is_refused(
    client: Client, server: WireServer, results: list[Any]
) -> None:
    def wrong(handler: Handler) -> bool:
        handler.send_json(200, {"results": results})
        return False

    server.script = [wrong]
    with pytest.raises(ModelFailed):
        client.call("SENTIMENT", [["a"], ["b"]])


def test_every_call_of_a_failed_request_gets_its_own_error(
    client: Client, server: WireServer
) -> None:
    def too_large(handler: Handler) -> bool:
        handler.send_json(413, {"error": {"code": "#VALUE!", "message": "9 MB; at most 8"}})
        return False

    server.script = always(too_large)
    futures = [client.submit("SENTIMENT", f"{number}") for number in range(10)]
    errors = [future.exception(10) for future in futures]
    assert {str(error) for error in errors} == {"9 MB; at most 8"}
    assert all(isinstance(error, BadInput) for error in errors)
    assert len({id(error) for error in errors}) == 10


def test_closing_fails_what_still_waits(server: WireServer) -> None:
    server.script = [lambda handler: handler.server.released.wait(30) and False]
    client = Client(server.url, timeout_s=60)
    running = client.submit("SENTIMENT", "a")
    while not server.requests:
        time.sleep(0.005)
    waiting = client.submit("SENTIMENT", "b")
    started = time.monotonic()
    client.close()
    assert isinstance(running.exception(5), NotReady)
    assert isinstance(waiting.exception(5), NotReady)
    assert time.monotonic() - started < 5
    assert "closed" in str(client.submit("SENTIMENT", "c").exception(0))
    assert not [t for t in threading.enumerate() if t.name.startswith("shopsheet-")]


# Against the real server


def test_the_real_server_gives_each_gathered_cell_its_own_answer(live_server: LiveServer) -> None:
    texts = ["good", "bad", "很好", None, "物流太慢了", "  ", 5.0, "fine"]
    with Client.from_environment(timeout_s=60) as client:
        column = client.call("SENTIMENT", [[text] for text in texts], "all")
        futures = [client.submit("SENTIMENT", text, "all") for text in texts]
        assert [future.result(60)[0] for future in futures] == column
        labels = [client.submit("SENTIMENT", text) for text in texts]
        assert [future.result(60) for future in labels] == [row[0] for row in column]
        grid = client.call("SENTIMENT", [["good", "bad"], [None, "很好"]], "label")
        assert grid == [[column[0][0], column[1][0]], ["", column[2][0]]]


def test_the_real_server_names_its_model_and_functions(live_server: LiveServer) -> None:
    with Client.from_environment(timeout_s=60) as client:
        assert client.wait_until_ready(60)
        answer = client.answers([("SENTIMENT", ["good"])])[0]
        assert answer.model is not None
        assert answer.model.startswith("encoder@")
        functions = client.get("/v1/functions")["functions"]
        assert [function["name"] for function in functions] == list(catalogue.FUNCTIONS)


def test_the_real_server_abstains_and_refuses_like_the_contract(live_server: LiveServer) -> None:
    with Client.from_environment(timeout_s=60) as client:
        cells = client.call("SENTIMENT", [["good"], [CellError("#REF!", "gone")]], "label", 1)
        assert cells[0][0].code == "#N/A"
        assert "min_confidence" in cells[0][0].message
        assert cells[1][0].code == "#REF!"
        with pytest.raises(Undecided, match="min_confidence"):
            client.call("SENTIMENT", "good", "label", 1)


def test_the_real_server_wants_the_token(live_server: LiveServer) -> None:
    with (
        Client(live_server.url, token="wrong") as client,
        pytest.raises(BadInput, match="wants its token"),
    ):
        client.call("SENTIMENT", "good")


# Who we are and where the server is


def test_the_token_is_sent_and_a_wrong_one_explained(client: Client, server: WireServer) -> None:
    def unauthorized(handler: Handler) -> bool:
        handler.send_json(401, {"error": {"code": "#VALUE!", "message": "wrong token"}})
        return False

    client.call("SENTIMENT", "a")
    assert server.headers[-1]["Authorization"] == "Bearer secret"
    server.script = [unauthorized]
    with pytest.raises(
        BadInput, match=r"wants its token and says: wrong token.*SHOPSHEET_TOKEN"
    ) as c:
        client.call("SENTIMENT", "b")
    assert c.value.cell_error == "#N/A"


def test_the_token_file_is_read_when_it_appears(server: WireServer, tmp_path: Path) -> None:
    path = tmp_path / "token"
    with Client(server.url, token_file=path) as client:
        client.call("SENTIMENT", "a")
        assert "Authorization" not in server.headers[-1]
        path.write_text("from file\n", encoding="utf-8")
        client.call("SENTIMENT", "a")
        assert server.headers[-1]["Authorization"] == "Bearer from file"


def test_no_store_is_asked_for(server: WireServer) -> None:
    with Client(server.url, use_store=False) as client:
        client.call("SENTIMENT", "a")
    assert server.headers[-1]["Cache-Control"] == "no-store"


def test_the_environment_says_where_the_server_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: WireServer
) -> None:
    monkeypatch.setenv("SHOPSHEET_HOME", str(tmp_path))
    monkeypatch.delenv("SHOPSHEET_TOKEN", raising=False)
    monkeypatch.setenv("SHOPSHEET_URL", server.url + "/")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # would fail if it were used
    assert token_path() == tmp_path / "token"
    token_path().write_text("local", encoding="utf-8")
    with Client.from_environment(timeout_s=5) as client:
        assert client.call("SENTIMENT", "a") == "A"
    assert server.headers[-1]["Authorization"] == "Bearer local"

    monkeypatch.setenv("SHOPSHEET_TOKEN", "mine")
    with Client.from_environment() as client:
        client.call("SENTIMENT", "a")
    assert server.headers[-1]["Authorization"] == "Bearer mine"


def test_the_token_file_never_leaves_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOPSHEET_TOKEN", raising=False)
    monkeypatch.setenv("SHOPSHEET_URL", "http://shopsheet.example:8421")
    with Client.from_environment() as client:
        assert client._token_file is None


@pytest.mark.parametrize("url", ["8421", "ftp://host", "http://", "http://h:99999", "http://h?x=1"])
def test_a_wrong_address_says_what_one_looks_like(url: str) -> None:
    with pytest.raises(BadInput, match=r"http://127\.0\.0\.1:8421"):
        split_url(url)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("win32", {"LOCALAPPDATA": "/appdata"}, "/appdata/shopsheet"),
        ("darwin", {}, "HOME/Library/Application Support/shopsheet"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/shopsheet"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "HOME/.local/share/shopsheet"),
        ("linux", {"XDG_DATA_HOME": "/data", "SHOPSHEET_HOME": "/own"}, "/own"),
    ],
)
def test_the_home_folder_follows_the_system(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    platform: str,
    variables: dict[str, str],
    expected: str,
) -> None:
    for name in ("SHOPSHEET_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert shopsheet_home() == Path(expected.replace("HOME", str(tmp_path)))
