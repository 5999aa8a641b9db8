"""The application: its doors, and what stands behind each."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, HTTPException, UploadFile, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.websockets import WebSocketDisconnect
from threadpoolctl import threadpool_limits

import sklearn_ser
from sklearn_ser.exceptions import SerError
from sklearn_ser.inference import load_predictor
from sklearn_ser.server.guard import Gate, Guard
from sklearn_ser.server.limits import Limits
from sklearn_ser.server.pool import TooSlowError, WorkerPool
from sklearn_ser.server.websocket import TRY_LATER, check_windows, converse

__all__ = ["make_app"]

PAGE = Path(__file__).parent / "page"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Metrics:
    """What Prometheus is told."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "sklearn_ser_requests",
            "Answers to POST /predict by HTTP status.",
            ["status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "sklearn_ser_request_seconds",
            "Time a POST /predict took, from its last byte to its answer.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.audio = Counter(
            "sklearn_ser_audio_seconds",
            "Audio answered by POST /predict.",
            registry=self.registry,
        )
        self.streams = Gauge(
            "sklearn_ser_streams", "WebSockets that are open.", registry=self.registry
        )


def make_app(
    model: Path,
    *,
    trust: bool = False,
    token: str | None = None,
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
    abstain_below: float = 0.0,
    limits: Limits | None = None,
) -> FastAPI:
    """Return the application that serves a model.

    Parameters
    ----------
    model : Path
        A run's folder or a model file.
    trust : bool, default=False
        Whether to load a joblib file that was not written here.
    token : str, default=None
        What requests must bear; `None` lets anyone in who reaches the server.
    hosts : iterable of str
        Names beside this machine's own under which it may be addressed.
    origins : iterable of str
        Origins of other pages that may use it.
    abstain_below : float, default=0.0
    limits : Limits, default=None

    Returns
    -------
    app : FastAPI

    Raises
    ------
    ModelError
        If the model cannot be loaded or is not trusted.
    """
    limits = limits or Limits()
    predictor = load_predictor(model, trust=trust, abstain_below=abstain_below)
    predictor.warm_up()
    card = _public(predictor.card)
    metrics = Metrics()
    streams = Gate(limits.streams, limits.per_client)
    origins = list(origins)
    pool: dict[str, WorkerPool] = {}
    executor = ThreadPoolExecutor(limits.workers, thread_name_prefix="stream")

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        # For good: limits that threads set and lift by turns would cross each other.
        threadpool_limits(1, user_api="blas")
        pool["workers"] = WorkerPool(model, trust, abstain_below, limits)
        try:
            await pool["workers"].start()
            yield
        finally:
            pool["workers"].stop()
            executor.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        openapi_url="/openapi.json",
        title="sklearn-ser",
        version=sklearn_ser.__version__,
        summary="Speech emotion recognition: audio in, emotions out.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )

    app.openapi_version = "3.0.3"  # what the documentation's page can show

    @app.post("/predict", responses=_REFUSALS)
    async def predict(
        file: Annotated[UploadFile, File(description="wav, flac, ogg, mp3 and others.")],
        window: Annotated[float | None, Form(description="Seconds; for emotion over time.")] = None,
        hop: Annotated[float | None, Form(description="Seconds between windows.")] = None,
    ) -> dict[str, Any]:
        """Answer the emotion of a clip, or of each window of a recording."""
        started = time.perf_counter()
        try:
            check_windows(window, hop)
            answer = await pool["workers"].answer(file.read, window, hop)
        except TooSlowError as error:
            why = f"The work on it took more than {limits.time_limit:g} s: send less audio."
            raise HTTPException(504, why) from error
        except (SerError, ValueError) as error:
            raise HTTPException(422, str(error)) from error
        metrics.audio.inc(answer["seconds"])
        metrics.seconds.observe(time.perf_counter() - started)
        return answer

    @app.websocket("/stream")
    async def stream(socket: WebSocket) -> None:
        client = socket.client.host if socket.client else ""
        await socket.accept()
        if streams.enter(client):
            await socket.close(TRY_LATER, "Too many streams are open: try again later.")
            return
        metrics.streams.inc()
        try:
            await converse(socket, predictor, limits, token, executor)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client went away, perhaps while an event was on its way
        except TimeoutError:
            await socket.close(1001, "Nothing came for 30 seconds.")
        finally:
            metrics.streams.dec()
            streams.leave(client)

    @app.get("/card")
    async def get_card() -> dict[str, Any]:
        """Tell what the model is: classes, features, data, split and scores."""
        return card

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Tell that the server is there."""
        return {"status": "ok", "version": sklearn_ser.__version__}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def tell_metrics() -> PlainTextResponse:
        """Tell counts and times in Prometheus' text format."""
        text = generate_latest(metrics.registry).decode()
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    _serve_assets(app)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization"],
        )
    app.add_middleware(
        Guard,
        hosts=[*LOOPBACK, *hosts],
        origins=origins,
        token=token,
        limits=limits,
        count=lambda status: metrics.requests.labels(status).inc(),
    )
    return app


_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "The token is missing or wrong."},
    403: {"description": "The request comes from a page that may not send it."},
    408: {"description": "The upload took too long."},
    413: {"description": "The upload is too large."},
    422: {"description": "The audio or a parameter cannot be used; `detail` says why."},
    429: {"description": "This client has too many requests open; see Retry-After."},
    503: {"description": "All workers are busy; see Retry-After."},
    504: {"description": "The work took too long."},
}


def _serve_assets(app: FastAPI) -> None:
    """Serve the files of the page and of the documentation, each by a path written here."""
    import swagger_ui_bundle

    swagger = Path(swagger_ui_bundle.__file__).parent / "vendor"
    swagger = next(swagger.glob("swagger-ui-*"), swagger)
    files = {
        "/page/style.css": PAGE / "style.css",
        "/page/app.js": PAGE / "app.js",
        "/page/recorder.js": PAGE / "recorder.js",
        "/docs": PAGE / "docs.html",
        "/docs/start.js": PAGE / "docs.js",
        "/docs/swagger-ui.css": swagger / "swagger-ui.css",
        "/docs/swagger-ui-bundle.js": swagger / "swagger-ui-bundle.js",
    }
    for path, file in files.items():
        app.add_api_route(path, _sender(file), include_in_schema=False)


def _sender(file: Path):
    async def send() -> FileResponse:
        return FileResponse(file, headers={"cache-control": "no-cache"})

    return send


def _public(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card without the messages about clips that were skipped, which name paths."""
    data = {k: v for k, v in card.get("data", {}).items() if k != "skipped"}
    return {**card, **({"data": data} if "data" in card else {})}
