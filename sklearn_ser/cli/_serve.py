"""`sklearn-ser serve`: a model as an HTTP API with a page."""

import os
import socket
from typing import Annotated, Any

import typer

from sklearn_ser.cli._app import command, notice
from sklearn_ser.cli._model import introduce
from sklearn_ser.cli._options import AbstainOption, ModelArgument, TrustOption

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@command(name="serve")
def serve(
    model: ModelArgument = "demo",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            help="What requests must send (Authorization: Bearer TOKEN). Better given as "
            "SKLEARN_SER_TOKEN, which other users of this machine cannot see.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name under which clients reach this server, beside localhost. May be repeated.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Another page that may use it, such as https://example.org. May be repeated.",
            metavar="ORIGIN",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes that decode and predict. Without it: one per core, at most four.",
            min=1,
            show_default=False,
        ),
    ] = None,
    queue: Annotated[int, typer.Option(help="Requests that may wait; more get a 503.", min=0)] = 64,
    per_client: Annotated[
        int, typer.Option(help="Requests of one address at once; more get a 429.", min=1)
    ] = 8,
    max_megabytes: Annotated[float, typer.Option(help="Largest upload, in MB.", min=0.001)] = 20.0,
    max_seconds: Annotated[
        float, typer.Option(help="Longest audio, in seconds as decoded.", min=0.1)
    ] = 600.0,
    time_limit: Annotated[
        float, typer.Option(help="Seconds for an upload, and for the work on it.", min=0.1)
    ] = 30.0,
    formats: Annotated[
        str,
        typer.Option(
            help="Kinds of files to decode, joined by commas; `all` for whatever libsndfile reads.",
            metavar="LIST",
        ),
    ] = "wav,flac,ogg,opus,mp3,aiff",
    worker_megabytes: Annotated[
        int, typer.Option(help="Memory a worker may take beyond its model, in MB.", min=100)
    ] = 1000,
    examples: Annotated[
        int,
        typer.Option(
            help="How many clips the page offers to try: of the test set of the model's run, or of "
            "its corpus. Mind the corpus's licence where others can reach the page.",
            min=0,
            max=50,
        ),
    ] = 0,
    abstain_below: AbstainOption = 0.0,
    trust: TrustOption = False,
) -> None:
    """Serve a model: POST /predict, a WebSocket /stream, and a page to try it (extra server).

    Without a MODEL it is demo, a small model that comes with the package. Without --host it can be
    reached from this machine alone. Uploads are decoded in processes of their own, and bounded in
    size, length and number.
    """
    from sklearn_ser.exceptions import OptionError

    try:
        from sklearn_ser.server.app import make_app
        from sklearn_ser.server.connections import make_server
    except ImportError as error:
        raise OptionError(
            f"serve needs more packages ({error.name}): pip install 'sklearn-ser[server]'."
        ) from error
    from sklearn_ser.server import Limits

    token = token or os.environ.get("SKLEARN_SER_TOKEN") or None
    bounds: dict[str, Any] = {} if workers is None else {"workers": workers}
    limits = Limits(
        max_bytes=int(max_megabytes * 1e6),
        max_seconds=max_seconds,
        formats=_parse_formats(formats),
        time_limit=time_limit,
        worker_memory=worker_megabytes * 1_000_000,
        queue=queue,
        per_client=per_client,
        connections_per_client=max(64, 8 * per_client),
        **bounds,
    )
    introduce(model)
    with _bind(host, port) as listener:
        app = make_app(
            model,
            trust=trust,
            token=token,
            hosts=[host, *(allow_host or ())],
            origins=allow_origin or (),
            abstain_below=abstain_below,
            limits=limits,
            examples=examples,
        )
        if host not in LOOPBACK and token is None:
            notice(f"Note: whoever reaches {host} can use this server; --token keeps others out.")
        try:
            make_server(app, limits, on_started=lambda port: _announce(host, port)).run([listener])
        except SystemExit:
            if app.state.failure is not None:
                raise app.state.failure from None
            raise
        except OSError as error:  # another program came first after all
            raise _cannot_listen(host, port, error) from error


def _parse_formats(text: str) -> tuple[str, ...] | None:
    """Return libsndfile's names of the formats in a list, or None for all."""
    from sklearn_ser.audio.completeness import FORMATS
    from sklearn_ser.audio.ffmpeg import FFMPEG
    from sklearn_ser.exceptions import OptionError

    if text.strip().lower() == "all":
        return None
    names = {name.strip().upper() for name in text.split(",")} - {""}
    known = {*FORMATS, "OPUS", FFMPEG}
    if unknown := sorted(names - known):
        raise OptionError(
            f"`formats` holds {', '.join(unknown)}: there are {', '.join(sorted(known))}, and all."
        )
    if "OPUS" in names:  # a file of OGG, as Vorbis is
        names = names - {"OPUS"} | {"OGG"}
    if "WAV" in names:
        names |= {"WAVEX"}
    return tuple(sorted(names))


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address, before the time that loading a model takes."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    try:
        if os.name == "posix":  # elsewhere it would let two programs have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> Exception:
    import errno

    from sklearn_ser.exceptions import OptionError

    if error.errno == errno.EADDRINUSE:
        return OptionError(
            f"Port {port} of {host} is in use by another program: give another `port`, or 0 for "
            "any that is free."
        )
    if error.errno == errno.EACCES:
        return OptionError(f"Port {port} needs an administrator: give a `port` from 1024 on.")
    return OptionError(f"This machine cannot listen on {host}: {error.strerror or error}.")


def _announce(host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    notice(f"Serving on http://{name}:{port} (Ctrl+C stops it)")
