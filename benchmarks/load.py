"""Many clients at once against `serve`: good, bad and huge requests, on loopback, for a minute.

Each client has an address of its own (127.0.0.2 and so on), as different people have. Each response
is checked: the probabilities of good clips against the pipeline's own, refusals for their status.
Stops by itself after `--seconds`.
"""

import asyncio
import io
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from _common import finish, parse_arguments, spread
from _server import memory_of, serving


def make_requests(paths: list[str], pipeline) -> list[tuple[str, bytes, object]]:
    """Return what clients send: a kind, the upload, and what the answer must be."""
    import numpy as np
    import soundfile

    good = [Path(path).read_bytes() for path in paths]
    expected = pipeline.predict_proba(good)
    sent: list = [("good", data, row.tolist()) for data, row in zip(good, expected, strict=True)]
    rng = random.Random(0)
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(24 * 3600 * 1000, np.int16), 1000, "PCM_16", format="FLAC")
    sent += [("bad", data[: len(data) // 2], 422) for data in good[:5]]
    sent += [("bad", rng.randbytes(10_000), 422), ("bad", b"", 422)]
    sent += [("a day of silence", silence.getvalue(), 422)] * 2
    sent += [("25 MB", bytes(25_000_000), 413)]
    return sent


async def be_a_client(number: int, url: str, sent: list, until: float, responses: list) -> None:
    """Send requests until time is up; note kind, status, seconds and whether all was right."""
    import httpx

    rng = random.Random(number)
    transport = httpx.AsyncHTTPTransport(local_address=f"127.0.0.{2 + number}")
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=60) as client:
        while time.monotonic() < until:
            # One in a hundred is huge: as often as the others they would be all that is measured.
            kind, data, expected = sent[-1] if rng.random() < 0.01 else rng.choice(sent[:-1])
            started = time.perf_counter()
            try:
                response = await client.post("/predict", files={"file": ("x", data)})
                status = response.status_code
            except httpx.WriteError:  # hung up on while it was still talking
                response, status = None, 413
            seconds = time.perf_counter() - started
            if status in (429, 503):
                right = response is not None and "retry-after" in response.headers
                await asyncio.sleep(float(response.headers["retry-after"]))
            elif status == 200:
                right = list(response.json()["probabilities"].values()) == expected
            else:
                right = status == expected
            responses.append((kind, status, seconds, right))


async def watch(pid: int, until: float, memory: list[int]) -> None:
    """Note the server's memory every second."""
    while time.monotonic() < until:
        memory.append(await asyncio.to_thread(memory_of, pid))
        await asyncio.sleep(1)


async def attack(url: str, pid: int, sent: list, arguments) -> tuple[list, list[int]]:
    """Let all clients loose."""
    until = time.monotonic() + arguments.seconds
    responses: list = []
    memory: list[int] = []
    clients = [be_a_client(i, url, sent, until, responses) for i in range(arguments.clients)]
    await asyncio.gather(watch(pid, until, memory), *clients)
    return responses, memory


def main() -> None:
    arguments = parse_arguments(__doc__, clips=300, clients=50, seconds=60)

    import numpy as np

    from sklearn_ser import load_pipeline, make_pipeline, save_pipeline
    from sklearn_ser.corpora import load_data

    table = load_data(arguments.data)
    emotion_of = dict(zip(table["path"], table["emotion"], strict=True))
    paths = spread(table["path"], arguments.clips)
    with tempfile.TemporaryDirectory() as folder:
        fitted = make_pipeline("svm", n_jobs=-1).fit(paths, [emotion_of[path] for path in paths])
        model = save_pipeline(fitted, Path(folder) / "model.joblib")
        sent = make_requests(paths[:40], load_pipeline(model))
        with serving(model) as (url, pid):
            responses, memory = asyncio.run(attack(url, pid, sent, arguments))
    seconds = np.array([seconds for _, status, seconds, _ in responses if status == 200])
    wrong = [item for item in responses if not item[3]]
    settled = memory[len(memory) // 4 :]
    results = {
        "clients": arguments.clients,
        "seconds": arguments.seconds,
        "answers": len(responses),
        "wrong": len(wrong),
        "statuses": dict(Counter(str(status) for _, status, _, _ in responses)),
        "kinds": dict(Counter(kind for kind, _, _, _ in responses)),
        "requests_per_second": len(responses) / arguments.seconds,
        "good_per_second": len(seconds) / arguments.seconds,
        "p50_ms": 1000 * float(np.quantile(seconds, 0.5)),
        "p99_ms": 1000 * float(np.quantile(seconds, 0.99)),
        "memory_mb": [round(settled[0] / 1e6), round(max(settled) / 1e6), round(settled[-1] / 1e6)],
    }
    for item in wrong[:5]:
        print("wrong:", item)
    print(
        f"{results['requests_per_second']:.0f} requests/s, p99 {results['p99_ms']:.0f} ms, "
        f"{len(wrong)} wrong, statuses {results['statuses']}, memory first, most and last: "
        f"{results['memory_mb']} MB"
    )
    finish("load", results)


if __name__ == "__main__":
    main()
