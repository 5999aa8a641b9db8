"""The files of the page and of the API's documentation: which path sends which file."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

from sklearn_ser.report.style import PALETTE_FILE

__all__ = ["OPEN_PATHS", "POLICY", "add_page"]

PAGE = Path(__file__).parent / "page"
SCRIPTS = (
    *(
        "api",
        "app",
        "examples",
        "file",
        "live",
        "model",
        "pictures",
        "player",
        "recorder",
        "result",
        "save",
    ),
    *("sketch", "sound", "state"),
)
PAGE_FILES = {
    "/": PAGE / "index.html",
    "/page/palette.css": PALETTE_FILE,
    "/page/style.css": PAGE / "style.css",
    **{f"/page/{name}.js": PAGE / f"{name}.js" for name in SCRIPTS},
}
DOCS = ("/docs", "/docs/start.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js")
POLICY = (
    "default-src 'self'; object-src 'none'; img-src 'self' data:; media-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
# Swagger UI sets styles in its markup.
DOCS_POLICY = f"{POLICY}; style-src 'self' 'unsafe-inline'"
# What needs no token: a browser opens a page without one, and asks its visitor then.
OPEN_PATHS = frozenset([*PAGE_FILES, *DOCS, "/openapi.json", "/health"])


def add_page(app: FastAPI) -> None:
    """Let an application send the page and the documentation."""
    import swagger_ui_bundle

    swagger = Path(swagger_ui_bundle.__file__).parent / "vendor"
    swagger = next(swagger.glob("swagger-ui-*"), swagger)
    docs = (PAGE / "docs.html", PAGE / "docs.js", *(swagger / Path(path).name for path in DOCS[2:]))
    for path, file in {**PAGE_FILES, **dict(zip(DOCS, docs, strict=True))}.items():
        policy = DOCS_POLICY if path in DOCS else POLICY
        app.add_api_route(path, _sender(file, policy), include_in_schema=False)


def _sender(file: Path, policy: str):
    headers = {"cache-control": "no-cache", "content-security-policy": policy}

    async def send() -> FileResponse:
        return FileResponse(file, headers=headers)

    return send
