"""The Flask application: routes behind the guard, every error as one clear JSON message."""

from __future__ import annotations

import json
import logging
import secrets
import time

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from server.engine import CallAbandoned, Engine
from server.guard import Guard, server_token
from server.job_kinds import JOB_KINDS
from server.jobs import JobRunner
from server.metrics import Metrics
from server.routes import build_routes
from server.settings import Settings
from udfs.errors import NotReady, ShopsheetError

log = logging.getLogger(__name__)

# What is the same for everybody and tells nothing about the user's data.
PUBLIC = {"/", "/console", "/health", "/openapi.json", "/docs"}
CLIENT_CLOSED_REQUEST = 499  # nobody reads it; the log does


def create_app(settings: Settings, engine: Engine) -> Flask:
    """The WSGI application for these settings and this engine.

    Raises: BadInput if there is no usable token.
    """
    app = Flask("server", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    guard = Guard(settings, server_token(settings))
    metrics = Metrics(engine)
    jobs = JobRunner(engine, settings, JOB_KINDS)
    app.extensions["shopsheet"] = {"metrics": metrics, "jobs": jobs}

    @app.before_request
    def check() -> Response | None:
        g.started = time.perf_counter()
        problem = guard.host_problem(request) or guard.origin_problem(request)
        if problem:
            return _error("#N/A", problem, 403)
        if request.method == "OPTIONS":
            return guard.preflight(request)
        if not _is_public(settings) and not guard.knows_token(request):
            response = _error(
                "#N/A",
                "The token is missing or wrong. Send `Authorization: Bearer <token>` with the "
                f"token of {'SHOPSHEET_TOKEN' if settings.token else 'the token file'}.",
                401,
            )
            response.headers["WWW-Authenticate"] = 'Bearer realm="shopsheet"'
            return response
        return None

    @app.after_request
    def finish(response: Response) -> Response:
        guard.add_cors(request, response)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Cache-Control", "no-store")
        route = request.url_rule.rule if request.url_rule else "other"
        metrics.count_request(route, response.status_code, time.perf_counter() - g.started)
        return response

    @app.errorhandler(ShopsheetError)
    def ours(error: ShopsheetError) -> Response:
        response = _error(error.cell_error, error.message, error.http_status)
        if isinstance(error, NotReady):
            response.headers["Retry-After"] = str(max(1, round(error.retry_after_s or 1)))
        return response

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        if status == 413:
            message = (
                f"The request is larger than {settings.max_body_bytes:,} bytes. "
                "Split the range, or raise SHOPSHEET_MAX_BODY_BYTES."
            )
            return _error("#VALUE!", message, status)
        if status == 404:
            message = f"There is nothing at {request.path[:80]}. See /docs."
        elif status == 405:
            message = f"{request.method} is not possible at {request.path[:80]}. See /docs."
        else:
            message = error.description or error.name
        return _error("#N/A", message, status)

    @app.errorhandler(CallAbandoned)
    def abandoned(error: CallAbandoned) -> Response:
        return _error("#N/A", str(error), CLIENT_CLOSED_REQUEST)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        reference = secrets.token_hex(4)
        log.error("error %s at %s %s", reference, request.method, request.path, exc_info=error)
        message = (
            f"Something went wrong in the server. Its log explains it under reference {reference}."
        )
        return _error("#N/A", message, 500)

    app.register_blueprint(build_routes(settings, engine, guard, metrics, jobs))
    return app


def _is_public(settings: Settings) -> bool:
    if request.path in PUBLIC or request.path.startswith("/addin/"):
        return True
    local = (request.remote_addr or "") in ("127.0.0.1", "::1")
    return request.path == "/metrics" and settings.metrics_without_token and local


def _error(code: str, message: str, status: int) -> Response:
    text = json.dumps({"error": {"code": code, "message": message}})
    return Response(text, status=status, mimetype="application/json")
