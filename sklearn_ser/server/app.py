"""The application: its endpoints, and what each returns."""

import asyncio
import logging
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    Depends,
    FastAPI,
    File,
    Form,
    HTTPException,
    Request,
    Response,
    UploadFile,
)
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from fastapi.websockets import WebSocket
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import FormData
from threadpoolctl import threadpool_limits

import sklearn_ser
from sklearn_ser.audio.decoding import SERVED_FORMATS
from sklearn_ser.exceptions import ModelError, SerError
from sklearn_ser.server.api_guide import GUIDE, TOKEN_GUIDE
from sklearn_ser.server.examples import ExampleFile, find_examples
from sklearn_ser.server.guard import Guard, bearer, same_token
from sklearn_ser.server.limits import Limits
from sklearn_ser.server.page_files import add_page
from sklearn_ser.server.pool import BusyError, TooSlowError, WorkerPool
from sklearn_ser.server.schemas import (
    Channels,
    Example,
    Health,
    ModelCard,
    Prediction,
    Recording,
    Refusal,
)
from sklearn_ser.server.served_model import ServedModel
from sklearn_ser.server.websocket import StreamEndpoint, check_windows

__all__ = ["make_app"]

logger = logging.getLogger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Metrics:
    """Counts and times for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "sklearn_ser_requests",
            "Responses to POST /predict by HTTP status.",
            ["status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "sklearn_ser_request_seconds",
            "Time a POST /predict took, from its last byte to its response.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.audio = Counter(
            "sklearn_ser_audio_seconds",
            "Audio predicted by POST /predict.",
            registry=self.registry,
        )
        self.streams = Gauge(
            "sklearn_ser_streams", "WebSockets that are open.", registry=self.registry
        )


def make_app(
    model: str | os.PathLike,
    *,
    trust: bool = False,
    token: str | None = None,
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
    abstain_below: float = 0.0,
    limits: Limits | None = None,
    examples: int = 0,
) -> FastAPI:
    """Return the application that serves a model.

    Parameters
    ----------
    model : str or Path
        A run's folder, a model file or `"demo"`, which is read once.
    trust : bool, default=False
        Whether to load a joblib file that was not written here.
    token : str, default=None
        What requests must send; `None` lets anyone in who reaches the server.
    hosts : iterable of str
        Names beside this machine's own under which it may be addressed.
    origins : iterable of str
        Origins of other pages that may use it.
    abstain_below : float, default=0.0
    limits : Limits, default=None
    examples : int, default=0
        How many clips of the model's corpus the page offers to try.

    Returns
    -------
    app : FastAPI
        Its `state.stop()` lets it finish what is worked on and take nothing more; after a failed
        start `state.failure` is the reason.

    Raises
    ------
    ModelError
        If the model cannot be loaded or is not trusted.
    OptionError
        If there are no clips to try.
    """
    limits = limits or Limits()
    served = ServedModel(model, trust, abstain_below)
    service = Service(served, limits, token, find_examples(served.file, examples, limits.max_bytes))
    origins = list(origins)
    app = FastAPI(
        openapi_url="/openapi.json",
        title="sklearn-ser",
        version=sklearn_ser.__version__,
        summary="Speech emotion recognition: audio in, emotions out.",
        description=GUIDE,
        lifespan=service.lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.openapi_version = "3.0.3"  # what the documentation's page can show
    app.state.stop, app.state.failure = service.stop, None
    app.include_router(service.router())
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)
    add_page(app)
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
        count=lambda status: service.metrics.requests.labels(status).inc(),
    )
    return app


class Service:
    """What the endpoints share: the model, the workers and the counts.

    Parameters
    ----------
    model : ServedModel
    limits : Limits
    token : str or None
        What the first message of a WebSocket must hold.
    examples : list of ExampleFile
        Clips to try.
    """

    def __init__(
        self,
        model: ServedModel,
        limits: Limits,
        token: str | None,
        examples: Sequence[ExampleFile],
    ):
        self.model, self.limits, self.clips = model, limits, examples
        self.token = token
        self.metrics = Metrics()
        self.pool = WorkerPool(model.file, model.predictor.abstain_below, limits)
        self.executor = ThreadPoolExecutor(limits.workers, thread_name_prefix="stream")
        self.streams = StreamEndpoint(
            model.predictor, limits, token, self.executor, self.metrics.streams.inc
        )

    @asynccontextmanager
    async def lifespan(self, app: FastAPI):
        """Run the workers while the application runs."""
        # For good: limits that threads set and lift by turns would cross each other.
        threadpool_limits(1, user_api="blas")
        watching = asyncio.create_task(self.model.watch())
        try:
            await self.pool.start()
            yield
        except ModelError as error:
            app.state.failure = error
            raise
        finally:
            watching.cancel()
            await self.pool.stop()
            self.executor.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """Take no more uploads, and end those that are still worked on after a while."""
        self.pool.close()
        loop = asyncio.get_running_loop()
        self._stopping = loop.call_later(self.limits.stop_seconds, self.pool.kill)

    def router(self) -> APIRouter:
        """Return the endpoints of the API."""
        router = APIRouter()
        # The guard looks at tokens; this gives the documentation its button.
        token: Any = [Depends(HTTPBearer(auto_error=False, description=TOKEN_GUIDE))]
        uploads = APIRouter(route_class=UploadRoute)
        uploads.add_api_route(
            "/predict",
            self.predict,
            methods=["POST"],
            tags=["Predictions"],
            response_model=Prediction | Recording | Channels,
            responses=_REFUSALS,
            dependencies=token,
        )
        router.include_router(uploads)
        router.add_api_websocket_route("/stream", self.stream)
        card: dict[int | str, dict[str, Any]] = {200: {"model": ModelCard}}
        router.add_api_route("/card", self.card, responses=card, dependencies=token, tags=["Model"])
        router.add_api_route(
            "/examples",
            self.examples,
            response_model=list[Example],
            dependencies=token,
            tags=["Model"],
        )
        router.add_api_route(
            "/examples/{place:int}",
            self.example,
            response_class=Response,
            dependencies=token,
            tags=["Model"],
            responses={404: {"model": Refusal}},
        )
        unhealthy: dict[int | str, dict[str, Any]] = {503: {"model": Health}}
        router.add_api_route(
            "/health", self.health, response_model=Health, responses=unhealthy, tags=["Server"]
        )
        router.add_api_route(
            "/metrics",
            self.prometheus,
            response_class=PlainTextResponse,
            dependencies=token,
            tags=["Server"],
        )
        return router

    async def predict(
        self,
        file: Annotated[UploadFile, File(description="wav, flac, ogg, opus, mp3 or aiff.")],
        window: Annotated[float | None, Form(description="Seconds; for emotion over time.")] = None,
        hop: Annotated[float | None, Form(description="Seconds between windows.")] = None,
        channels: Annotated[
            str, Form(description="`mix`: their mean; `split`: each channel by itself.")
        ] = "mix",
    ) -> Response:
        """Predict the emotion of a clip, or of each window of a recording."""
        started = time.perf_counter()
        try:
            check_windows(window, hop)
            if channels not in ("mix", "split"):
                raise ValueError("channels: give mix or split.")
            seconds, result = await self.pool.predict(file.read, window, hop, channels)
        except TooSlowError as error:
            why = f"The work on it took more than {self.limits.time_limit:g} s: send less audio."
            raise HTTPException(504, why) from error
        except BusyError as error:
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from error
        except (SerError, ValueError) as error:
            raise HTTPException(422, str(error)) from error
        self.metrics.audio.inc(seconds)
        self.metrics.seconds.observe(time.perf_counter() - started)
        return Response(result, media_type="application/json")

    async def stream(self, socket: WebSocket) -> None:
        """Predict the emotion of samples as they come."""
        await self.streams.serve(socket)

    async def card(self) -> dict[str, Any]:
        """Return what the model is: classes, features, data, split and scores."""
        return self.model.card

    async def examples(self) -> list[Example]:
        """Return the clips to try, if there are any; each is at /examples/ and its place."""
        return [
            Example(place=place, emotion=clip.emotion, unseen=clip.unseen, suffix=clip.suffix)
            for place, clip in enumerate(self.clips, 1)
        ]

    async def example(self, place: int) -> Response:
        """Return the audio of a clip to try."""
        if not 1 <= place <= len(self.clips):
            raise HTTPException(404, f"There are {len(self.clips)} examples.")
        clip = self.clips[place - 1]
        return Response(clip.data, media_type=clip.kind)

    async def health(self, request: Request) -> JSONResponse:
        """Say whether uploads can be answered: status 503 where they cannot."""
        ready = sum(not worker.gone for worker in self.pool.workers)
        health = Health(
            status="ok" if ready else "no worker is ready",
            version=sklearn_ser.__version__,
            workers=ready,
            model=self.model.state,
            authorized=self.token is None or same_token(bearer(request.headers), self.token),
            max_megabytes=self.limits.max_bytes / 1e6,
            max_seconds=self.limits.max_seconds,
            other_formats=self.limits.formats is None
            or not set(self.limits.formats) <= set(SERVED_FORMATS),
        )
        return JSONResponse(health.model_dump(), 200 if ready else 503)

    async def prometheus(self) -> PlainTextResponse:
        """Return counts and times in Prometheus' text format."""
        text = generate_latest(self.metrics.registry).decode()
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


class UploadRequest(Request):
    """A request whose form holds one file and few fields."""

    async def _get_form(self, **_: Any) -> FormData:
        try:
            form = await super()._get_form(max_files=2, max_fields=8, max_part_size=1000)
        except OSError as error:  # uploads of more than a megabyte go to the temporary folder
            logger.error("An upload cannot be kept in the temporary folder: %s", error)
            why = "The server has no room for this upload: try again later."
            raise HTTPException(507, why) from error
        if len(form.getlist("file")) > 1:
            raise HTTPException(400, "Send one file in a request.")
        return form


class UploadRoute(APIRoute):
    """A route that reads its form as `UploadRequest`."""

    def get_route_handler(self):
        """Return the handler of FastAPI for a request of the other class."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(UploadRequest(request.scope, request.receive))

        return handle


async def _say_what_is_wrong(_: Request, error: Exception) -> JSONResponse:
    """Answer a form that does not fit with a sentence, and nothing of what it holds."""
    assert isinstance(error, RequestValidationError)
    names = {str(part["loc"][-1]) for part in error.errors()}
    if "file" in names:
        why = "Send the audio as the field file of a form, as curl -F file=@clip.wav does."
    else:
        names &= {"window", "hop"}
        why = f"{' and '.join(sorted(names)) or 'A field'}: give a number of seconds."
    return JSONResponse({"detail": why}, 422)


_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "model": Refusal}
    for status, description in {
        400: "The request is not whole, or was sent to a host name that is not served.",
        401: "The token is missing or wrong.",
        403: "The request comes from a page that may not send it.",
        408: "The upload took too long.",
        413: "The upload is too large.",
        422: "The audio or a parameter cannot be used; `detail` says why.",
        429: "This client has too many requests open; see Retry-After.",
        503: "All workers are busy, or the server is stopping; see Retry-After.",
        504: "The work took too long.",
        507: "The server has no room for the upload.",
    }.items()
}
