"""POST /v1/jobs: long work is started, watched, cancelled, and tells what went wrong."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from server import jobs as jobs_module
from server.app import create_app
from server.engine import Engine
from server.job_kinds import text_field
from server.jobs import JobRunner, NoSuchJob, Work
from server.own.reader import Progress
from server.settings import Settings
from tests.conftest import TOKEN
from tests.test_own_models import aspect_rows, rows
from udfs.errors import BadInput, NotReady

HEADER = ["Text", "Label"]
TRAIN = {"kind": "train sentiment", "text": "Text", "label": "Label"}
SENTIMENT_ROWS = [HEADER, *map(list, rows("positive", "negative"))]


def start(client: FlaskClient, request: Mapping[str, Any]) -> dict[str, Any]:
    response = client.post("/v1/jobs", json=request)
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.get_json()
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert job["state"] in ("queued", "running")
    return job


def outcome(client: FlaskClient, job: Mapping[str, Any]) -> dict[str, Any]:
    """The job once it is over."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        shown: dict[str, Any] = client.get(f"/v1/jobs/{job['id']}").get_json()
        if shown["state"] not in ("queued", "running"):
            return shown
        time.sleep(0.02)
    raise AssertionError(f"the job did not end: {shown}")


def answer(client: FlaskClient, text: str) -> dict[str, Any]:
    call = {"calls": [{"id": "1", "function": "SENTIMENT", "args": [text]}]}
    result: dict[str, Any] = client.post("/v1/calls", json=call).get_json()["results"][0]
    return result


def test_a_range_of_the_sheet_teaches_sentiment(client: FlaskClient) -> None:
    before = answer(client, "the colour arrived")
    assert before["value"] == "neutral"
    done = outcome(client, start(client, {**TRAIN, "rows": SENTIMENT_ROWS}))
    assert done["state"] == "done", done
    result = done["result"]
    assert result["used"]
    assert result["scores"]["macro_f1"] == 1.0 > result["scores_before"]["macro_f1"]
    assert done["progress"] == {"step": "measuring", "done": 1, "total": 1}
    after = answer(client, "the colour arrived")
    assert after["value"] == "positive"
    assert after["model"] == f"sentiment@{result['version']}+{before['model']}"
    again = outcome(client, start(client, {"kind": "train sentiment", "again": True}))
    assert again["result"]["version"] == result["version"]
    shown = client.get("/v1/jobs").get_json()["jobs"]
    assert [job["state"] for job in shown] == ["done", "done"]


def test_a_file_is_scored(client: FlaskClient, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text\ngreat value\nbad box\n", encoding="utf-8")
    request = {"kind": "score", "file": str(source), "function": "SENTIMENT", "column": "text",
               "output": str(target), "options": {"output": "all"}}  # fmt: skip
    done = outcome(client, start(client, request))
    assert done["state"] == "done", done
    assert done["result"]["rows"] == 2
    assert done["progress"] == {"step": "scoring", "done": 2, "total": 2}
    assert "great value,positive," in target.read_text(encoding="utf-8-sig")
    refused = client.post("/v1/jobs", json=request)
    assert refused.status_code == 400
    assert "is there already" in refused.get_json()["error"]["message"]
    assert outcome(client, start(client, {**request, "overwrite": True}))["state"] == "done"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"kind": "train anything"}, "kind is 'train anything'; expected one of train sentiment"),
        ([], r"kind is \[\]; expected"),
        ({**TRAIN}, "Give either file or rows"),
        ({**TRAIN, "rows": ["a"]}, "rows holds something that is no array"),
        ({**TRAIN, "rows": [HEADER, ["good", "great"]]}, "label column holds 'great'"),
        ({**TRAIN, "rows": SENTIMENT_ROWS, "text": 4}, "text is 4; expected JSON of type string"),
        ({**TRAIN, "rows": SENTIMENT_ROWS, "txt": "x"}, "has no field 'txt'; it takes file"),
        ({**TRAIN, "rows": SENTIMENT_ROWS, "text": "Words"}, "no column 'Words'"),
        ({**TRAIN, "rows": SENTIMENT_ROWS, "label": ""}, "label is missing"),
        ({**TRAIN, "file": "reviews.csv"}, "file is 'reviews.csv'; expected a full path"),
        ({**TRAIN, "kind": "train classify", "rows": SENTIMENT_ROWS}, "name is missing"),
        ({"kind": "train sentiment", "again": True}, "no version of sentiment to fit again"),
        ({"kind": "train aspects", "rows": [["Text"]], "text": "Text"}, "Give either aspects"),
        ({"kind": "score", "file": "/x.csv"}, "function is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_at_once(
    client: FlaskClient, request_: Any, message: str
) -> None:
    response = client.post("/v1/jobs", json=request_)
    assert response.status_code == 400
    error = response.get_json()["error"]
    assert error["code"] == "#VALUE!"
    assert re.search(message, error["message"]), error["message"]
    assert client.get("/v1/jobs").get_json() == {"jobs": []}


def test_what_goes_wrong_later_is_told(client: FlaskClient) -> None:
    few = {**TRAIN, "rows": SENTIMENT_ROWS[:20]}
    done = outcome(client, start(client, few))
    assert done["state"] == "failed"
    assert "more rows of 'positive' are needed" in done["error"]["message"]
    aspects = {"kind": "train aspects", "text": "T", "aspect": "A", "polarity": "P"}
    table = [["T", "A", "P"], *map(list, aspect_rows())]
    done = outcome(client, start(client, {**aspects, "rows": table}))
    assert "reads no aspects" in done["error"]["message"]  # as the tiny encoder


def test_an_unknown_job_is_not_found(client: FlaskClient) -> None:
    for response in (client.get("/v1/jobs/nothing"), client.delete("/v1/jobs/nothing")):
        assert response.status_code == 404
        assert "no job 'nothing'" in response.get_json()["error"]["message"]


def test_jobs_are_guarded_as_calls_are(app: Flask, client: FlaskClient) -> None:
    stranger = app.test_client()
    for method, path in (("post", "/v1/jobs"), ("get", "/v1/jobs"), ("delete", "/v1/jobs/x")):
        ask = getattr(stranger, method)
        assert ask(path, json={}).status_code == 401
        ask = getattr(client, method)
        assert ask(path, json={}, headers={"Host": "evil.example"}).status_code == 403
        assert ask(path, json={}, headers={"Origin": "https://evil.example"}).status_code == 403
    own = {"Origin": "http://localhost:8421", "Host": "localhost:8421"}
    allowed = client.options("/v1/jobs/x", headers=own)
    assert "DELETE" in allowed.headers["Access-Control-Allow-Methods"]


def test_another_machine_cannot_name_files_of_this_one(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    app = create_app(settings.changed(host="0.0.0.0"), engine)
    afar = {"environ_overrides": {"REMOTE_ADDR": "10.0.0.9"}}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    client = app.test_client()
    for request in ({**TRAIN, "file": "/etc/passwd"}, {"kind": "score", "output": "/tmp/x.csv"}):
        response = client.post("/v1/jobs", json=request, headers=headers, **afar)
        assert response.status_code == 403
        assert "Send rows instead" in response.get_json()["error"]["message"]
    request = {**TRAIN, "rows": SENTIMENT_ROWS}
    response = client.post("/v1/jobs", json=request, headers=headers, **afar)
    assert response.status_code == 202
    app.extensions["shopsheet"]["jobs"].close()


def test_the_contract_describes_requests_and_answers(client: FlaskClient) -> None:
    contract = client.get("/openapi.json").get_json()
    request = contract["components"]["schemas"]["JobRequest"]
    Draft202012Validator(request).validate({**TRAIN, "rows": SENTIMENT_ROWS})
    assert not Draft202012Validator(request).is_valid({**TRAIN, "strange": 1})
    job = dict(contract["components"]["schemas"]["Job"])
    job["properties"] = {k: v for k, v in job["properties"].items() if k != "error"}
    shown = start(client, {**TRAIN, "rows": SENTIMENT_ROWS})
    Draft202012Validator(job).validate(shown)
    Draft202012Validator(job).validate(outcome(client, shown))
    assert "/v1/jobs/{id}" in client.get("/docs").text


# The runner, with a kind of work that waits to be told


class Waits:
    """Work that goes on until it is let go; how another module adds a kind of its own."""

    name, summary, required = "wait", "Waits.", ("word",)

    def __init__(self) -> None:
        self.fields = {"word": text_field("What to say.")}
        self.go = threading.Event()
        self.began = threading.Event()

    def prepare(self, request: Mapping[str, Any], settings: Settings) -> Work:
        def work(engine: Engine, progress: Progress) -> dict[str, Any]:
            progress.step("waiting", 1, 2)
            self.began.set()
            while not self.go.wait(0.01):
                progress.step("waiting", 1, 2)
            if request["word"] == "fail":
                raise ZeroDivisionError
            return {"said": request["word"]}

        return work


def over(runner: JobRunner, job_id: str) -> jobs_module.Job:
    until = time.monotonic() + 30
    while not runner.get(job_id).is_over and time.monotonic() < until:
        time.sleep(0.01)
    return runner.get(job_id)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def runner(engine: Engine, settings: Settings, waits: Waits) -> Any:
    runner = JobRunner(engine, settings, [waits])
    yield runner
    runner.close()


def test_jobs_run_one_after_the_other_and_can_be_cancelled(runner: JobRunner, waits: Waits) -> None:
    first, second, third = (runner.submit({"kind": "wait", "word": word}) for word in "abc")
    assert waits.began.wait(10)
    assert (first.state, second.state, third.state) == ("running", "queued", "queued")
    assert runner.cancel(second.id).state == "cancelled"
    waits.go.set()
    assert over(runner, first.id).result == {"said": "a"}
    assert over(runner, third.id).result == {"said": "c"}
    assert second.result is None
    assert runner.cancel(first.id).state == "done"  # too late


def test_a_running_job_ends_when_it_is_cancelled(runner: JobRunner, waits: Waits) -> None:
    job = runner.submit({"kind": "wait", "word": "a"})
    assert waits.began.wait(10)
    runner.cancel(job.id)
    assert over(runner, job.id).state == "cancelled"
    assert job.to_json()["progress"]["step"] == "waiting"


def test_a_bug_in_a_job_is_told_and_the_next_one_runs(runner: JobRunner, waits: Waits) -> None:
    waits.go.set()
    broken = runner.submit({"kind": "wait", "word": "fail"})
    fine = runner.submit({"kind": "wait", "word": "on"})
    assert over(runner, fine.id).state == "done"
    assert broken.state == "failed"
    assert broken.id in broken.to_json()["error"]["message"]


def test_too_many_jobs_are_refused_and_old_ones_forgotten(
    runner: JobRunner, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "MOST_WAITING", 2)
    monkeypatch.setattr(jobs_module, "MOST_KEPT", 1)
    first = runner.submit({"kind": "wait", "word": "a"})
    assert waits.began.wait(10)
    last = [runner.submit({"kind": "wait", "word": word}) for word in "bc"][-1]
    with pytest.raises(NotReady, match="2 jobs are waiting"):
        runner.submit({"kind": "wait", "word": "d"})
    waits.go.set()
    assert over(runner, last.id).state == "done"
    runner.submit({"kind": "wait", "word": "e"})
    with pytest.raises(NoSuchJob):
        runner.get(first.id)


def test_a_closed_runner_has_ended_its_jobs_and_takes_none(runner: JobRunner, waits: Waits) -> None:
    job = runner.submit({"kind": "wait", "word": "a"})
    assert waits.began.wait(10)
    runner.close()
    assert job.state == "cancelled"
    with pytest.raises(NotReady):
        runner.submit({"kind": "wait", "word": "b"})
    with pytest.raises(BadInput, match="word is missing"):
        runner.submit({"kind": "wait"})
