"""`sklearn-ser serve`: a model as an HTTP API with a page."""

import os
from typing import Annotated

import typer

from sklearn_ser.cli._app import command, notice
from sklearn_ser.cli._options import AbstainOption, ModelArgument, TrustOption

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@command(name="serve")
def serve(
    model: ModelArgument,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            help="What requests must bear (Authorization: Bearer TOKEN). Better given as "
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
    abstain_below: AbstainOption = 0.0,
    trust: TrustOption = False,
) -> None:
    """Serve a model: POST /predict, a WebSocket /stream, and a page to try it (extra server).

    Without --host it can be reached from this machine alone. Uploads are decoded in processes of
    their own, and bounded in size, length and number.
    """
    from sklearn_ser.exceptions import OptionError

    try:
        import uvicorn

        from sklearn_ser.server.app import make_app
    except ImportError as error:
        raise OptionError(
            f"serve needs more packages ({error.name}): pip install 'sklearn-ser[server]'."
        ) from error
    from sklearn_ser.server import Limits

    token = token or os.environ.get("SKLEARN_SER_TOKEN") or None
    bounds = {} if workers is None else {"workers": workers}
    limits = Limits(
        max_bytes=int(max_megabytes * 1e6),
        max_seconds=max_seconds,
        time_limit=time_limit,
        queue=queue,
        per_client=per_client,
        **bounds,
    )
    app = make_app(
        model,
        trust=trust,
        token=token,
        hosts=[host, *(allow_host or ())],
        origins=allow_origin or (),
        abstain_below=abstain_below,
        limits=limits,
    )
    if host not in LOOPBACK and token is None:
        notice(f"Note: whoever reaches {host} can use this server; --token keeps others out.")
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            proxy_headers=False,  # a client could write any address there
            timeout_keep_alive=10,
            timeout_graceful_shutdown=5,
            ws_max_size=1 << 20,
            ws_max_queue=4,
        )
    )
    _announce(server, host)
    server.run()
    if not server.started:
        raise typer.Exit(1)


def _announce(server, host: str) -> None:
    """Say where the server can be found, once it can."""
    startup = server.startup

    async def told(sockets=None):
        await startup(sockets)
        if server.started:
            port = server.servers[0].sockets[0].getsockname()[1]
            name = f"[{host}]" if ":" in host else host
            notice(f"Serving on http://{name}:{port} (Ctrl+C stops it)")

    server.startup = told
