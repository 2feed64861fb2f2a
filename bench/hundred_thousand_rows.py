"""Every text function on a column of 100,000 rows, through a live server: seconds, memory, losses.

    python bench/hundred_thousand_rows.py                        # a tiny encoder: what we do beside
    python bench/hundred_thousand_rows.py --shipped --distinct 500     # the shipped one, few texts

Rows are Chinese and English reviews (from SHOPSHEET_DATA where it is, else the sample's, joined in
pairs), a fifth of them short and frequent, with bad rows between them. Each function is asked
twice; the second time its texts have been read. Ends in one JSON line.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import ROOT, distinct_texts, parser, print_result, rows_of, texts_of

TOKEN = "token-of-the-benchmark"
DATA = Path(os.environ.get("SHOPSHEET_DATA") or ROOT.parent / "shared" / "data") / "text"
SHORT = (
    "Good;好评;Great product!;不错;Very good.;物流很快;很好;差评;ok;质量不错;Love it!;性价比高;"
    "Works as expected.;Slow delivery;包装破了;Five stars;还行;Too small;东西收到了,很满意;"
    "Broke after a week"
).split(";")
SHORT_SHARE = 0.2
LOOKUP_ROWS = 50_000  # of SIMILAR's column
LABELS = "delivery;price;quality;size and fit;service"
TIMEOUT_S = 3_600.0


@dataclass(frozen=True)
class Ask:
    """A call, how many rows its answer must have (None: a table), and which rows may err."""

    name: str
    function: str
    args: list[Any]
    rows: int | None = None
    bad: dict[int, Any] = field(default_factory=dict)


def main() -> int:
    if len(sys.argv) == 4 and sys.argv[1] == "--serve":
        return serve(port=sys.argv[2], head=Path(sys.argv[3]))
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--distinct", type=int, help="different texts (default: four in five)")
    options.add_argument("--shipped", action="store_true", help="the shipped encoder, not a tiny")
    options.add_argument("--only", nargs="+", help="names of calls, such as TOPICS")
    chosen = options.parse_args()
    distinct = chosen.distinct or int(chosen.rows * (1 - SHORT_SHARE))
    cells = column(chosen.rows, distinct)
    with tempfile.TemporaryDirectory() as folder:
        encoder, head = (
            (chosen.folder, None) if chosen.shipped else build_tiny(Path(folder) / "models")
        )
        with live_server(encoder, head, Path(folder) / "home") as live:
            figures = {}
            for ask in asks(cells):
                if chosen.only and ask.name not in chosen.only:
                    continue
                figures[ask.name] = measure(live, ask)
                print(f"{ask.name:32s} {figures[ask.name]}", flush=True)
    facts = {
        "rows": chosen.rows,
        "distinct": distinct,
        "encoder": "shipped" if head is None else "tiny",
    }
    print_result("hundred_thousand_rows", {**facts, "functions": figures})
    return 0 if all(not one["problems"] for one in figures.values()) else 1


# Texts


def column(rows: int, distinct: int) -> list[Any]:
    """Cells of a column: reviews of both languages, a fifth short ones, and BAD rows."""
    dice = random.Random(20261125)
    pool = distinct_texts(reviews(), distinct)
    cells: list[Any] = []
    for number in range(rows):
        short = dice.random() < SHORT_SHARE
        cells.append(dice.choice(SHORT) if short else pool[number % len(pool)])
    for place, cell in BAD.items():
        cells[place] = cell
    return cells


BAD: dict[int, Any] = {
    3: {"error": {"code": "#N/A", "message": "from the sheet"}},
    10: 2024,
    11: True,
    12: None,
    13: "   ",
    14: "😀😀🎉",
    15: "好" * 32_767,
    16: "very good " * 3_276,
    17: "x" * 32_768,
    18: {"error": {"code": "#REF!"}},
}
ERRORS = {3: "#N/A", 17: "#VALUE!", 18: "#REF!"}  # what an answer shows for them
BLANK = (12, 13)


def reviews() -> list[str]:
    """Reviews in both languages, half each."""
    if not DATA.is_dir():
        return texts_of(rows_of(ROOT / "sample_workbooks" / "reviews.csv"), "review")
    english = texts_of(rows_of(DATA / "stars_en_amazon.csv.gz"))
    chinese = texts_of(rows_of(DATA / "sentiment_zh_online_shopping.csv.gz"))
    count = min(len(english), len(chinese))
    return [*english[:count], *chinese[:count]]


def asks(cells: Sequence[Any]) -> Iterator[Ask]:
    """Every text function, as a sheet asks it of this column."""
    texts = [[cell] for cell in cells]
    rows = len(texts)
    shown = {"rows": rows, "bad": ERRORS}
    examples = [["物流太慢", "delivery"], ["too small", "size and fit"], ["很便宜", "price"]]
    ids = [[f"customer {number % (rows // 5)}"] for number in range(rows)]
    days = [[45_000 + number % 700] for number in range(rows)]
    channels = [[("shop", "social", "service")[number % 3]] for number in range(rows)]
    amounts = [[5 + number % 90] for number in range(rows)]
    orders = [[*a, *b, *c] for a, b, c in zip(ids, days, amounts, strict=True)]
    groups = [[f"product {number % 20}"] for number in range(rows)]
    lookup = [[f"{cell} {number}"] for number, cell in enumerate(cells[:LOOKUP_ROWS])]
    lookup = [row for row in lookup if len(row[0]) < 200] or lookup[:1]
    yield Ask("SENTIMENT", "SENTIMENT", [texts, "all"], **shown)
    yield Ask("ASPECTS named", "ASPECTS", [texts, "price;battery;物流"], **shown)
    yield Ask("ASPECTS open", "ASPECTS", [texts])
    yield Ask("CLEAN", "CLEAN", [texts], **shown)
    yield Ask("KEYWORDS cell", "KEYWORDS", [texts, 3], **shown)
    yield Ask("KEYWORDS range", "KEYWORDS", [texts, 20, "range"])
    yield Ask("NEEDS cell", "NEEDS", [texts, None, "all"], **shown)
    yield Ask("NEEDS taxonomy", "NEEDS", [texts, "faster delivery;lower price;新鲜"], **shown)
    yield Ask("NEEDS ranked", "NEEDS", [texts, None, "ranked"])
    yield Ask("CLASSIFY", "CLASSIFY", [texts, LABELS], **shown)
    yield Ask("CLASSIFY multi", "CLASSIFY", [texts, LABELS, None, True], rows=rows)
    yield Ask("CLASSIFY examples", "CLASSIFY", [texts, LABELS, None, None, examples], **shown)
    yield Ask("SIMILAR in 50,000", "SIMILAR", ["slow delivery", lookup])
    yield Ask("SIMILAR 1,000 in 50,000", "SIMILAR", [texts[20:1020], lookup], rows=1000)
    yield Ask("SIMILAR 100,000 in 1,000", "SIMILAR", [texts, texts[20:1020], None, "none"], **shown)
    yield Ask("SUMMARIZE", "SUMMARIZE", [texts])
    yield Ask("SUMMARIZE groups", "SUMMARIZE", [texts, groups])
    yield Ask("TOPICS", "TOPICS", [texts])
    yield Ask("TOPICS labels", "TOPICS", [texts, "delivery;price;物流"])
    yield Ask("PROFILE", "PROFILE", [ids, texts, days, orders, channels])
    yield Ask("SEGMENT RFM", "SEGMENT", [ids, days, amounts])
    yield Ask("SEGMENT CLV", "SEGMENT", [ids, days, amounts, "CLV"])


# The server


@dataclass(frozen=True)
class Live:
    """A server that runs in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to a POST /v1/calls."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/v1/calls", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def cpu_s(self) -> float:
        """Seconds of processor that it has used: on a busy machine they tell more (Linux)."""
        parts = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self) -> None:
        """The highest memory is counted anew from here (Linux)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_mb(self) -> int:
        """Highest resident memory since then (Linux)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
        return 0


def build_tiny(folder: Path) -> tuple[Path, Path]:
    """Folders of a tiny encoder that reads aspects and of a head for NEEDS; as in the tests."""
    from tests.tiny_aspects import build_tiny_aspect_encoder
    from tests.tiny_intents import build_tiny_head

    encoder = build_tiny_aspect_encoder(folder / "encoder")
    return encoder, build_tiny_head(folder / "head", encoder).folder


def serve(port: str, head: Path) -> int:
    """Runs the server with that head for NEEDS: the shipped one belongs to the shipped encoder."""
    from server import cli
    from server.models import intents

    intents.SHIPPED.folder = head
    return cli.main(["serve", "--port", port])


@contextmanager
def live_server(encoder: Path, head: Path | None, home: Path) -> Iterator[Live]:
    """A server with this model and an empty store, stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SHOPSHEET_HOME": str(home),
        "SHOPSHEET_TOKEN": TOKEN,
        "SHOPSHEET_ENCODER": str(encoder),
    }
    command = [sys.executable, "-m", "server.cli", "serve", "--port", str(port)]
    if head is not None:
        command = [sys.executable, str(Path(__file__).resolve()), "--serve", str(port), str(head)]
    home.mkdir()
    with (home / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    live = Live(process, port)
    try:
        wait_until_ready(live)
        yield live
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(live: Live) -> None:
    """Nothing, once the server answers. Raises: RuntimeError if it ended."""
    while live.process.poll() is None:
        try:
            if (
                live.post(b'{"calls":[{"id":"1","function":"SENTIMENT","args":["good"]}]}')[0]
                == 200
            ):
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError("The server ended before it was ready.")


# What is measured


def measure(live: Live, ask: Ask) -> dict[str, Any]:
    """Seconds of the first and the second time, peak memory, sizes, and what is not as it must be.

    An answer that is an error of the whole call is a problem: it is shown with its message.
    """
    calls = {"calls": [{"id": "1", "function": ask.function, "args": ask.args}]}
    body = json.dumps(calls, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    live.forget_peak()
    figures: dict[str, Any] = {}
    answers = []
    for time_name in ("first", "second"):
        start, cpu = time.perf_counter(), live.cpu_s()
        status, answer = live.post(body)
        figures[f"{time_name}_s"] = round(time.perf_counter() - start, 2)
        figures[f"{time_name}_cpu_s"] = round(live.cpu_s() - cpu, 2)
        answers.append(answer)
    figures |= {
        "peak_mb": live.peak_mb(),
        "body_mb": round(len(body) / 1e6, 1),
        "answer_mb": round(len(answers[-1]) / 1e6, 1),
        "problems": problems_of(ask, status, answers),
    }
    return figures


def problems_of(ask: Ask, status: int, answers: Sequence[bytes]) -> list[str]:
    """What is not as it must be: a refusal, rows that are lost, cells that err without a reason."""
    data = json.loads(answers[-1])
    if status != 200:
        return [f"HTTP {status}: {data['error']['message']}"]
    (result,) = data["results"]
    if "error" in result:
        return [f"{result['error']['code']}: {result['error']['message']}"]
    problems = [] if answers[0] == answers[1] else ["the second answer is another one"]
    value = result["value"]
    if ask.rows is None:
        return problems
    if len(value) != ask.rows:
        return [*problems, f"{len(value)} rows for {ask.rows}"]
    for place, row in enumerate(value) if ask.bad else ():
        code = row[0]["error"]["code"] if isinstance(row[0], dict) else None
        if code != ask.bad.get(place):
            problems.append(f"row {place + 1} shows {str(row)[:200]}")
        if place in BLANK and any(cell != "" for cell in row):
            problems.append(f"row {place + 1} is blank and shows {str(row)[:200]}")
    return problems[:5]


if __name__ == "__main__":
    raise SystemExit(main())
