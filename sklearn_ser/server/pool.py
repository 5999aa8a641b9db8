"""Pool of processes that hold the model and predict uploads; each can be replaced any time.

Each process is at the other end of a socket. What comes back over it is lengths and JSON, never
objects: a process that a file has taken over cannot reach further through it.
"""

import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import signal
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from sklearn_ser.exceptions import AudioError, ModelError
from sklearn_ser.persistence import ModelFile
from sklearn_ser.server import worker
from sklearn_ser.server.limits import Limits
from sklearn_ser.server.worker import Kind

__all__ = ["BusyError", "TooSlowError", "WorkerPool"]

logger = logging.getLogger(__name__)

LOAD_SECONDS = 300.0  # TensorFlow on a slow machine
LONGEST_DELAY = 5.0  # between two attempts to start a process
LONGEST_REPLY = 1 << 28

NO_TURN = "No worker was free in time: try again later."
STOPPING = "The server is stopping."

# How a process ends that a decoder has broken; any other end is not the file's fault.
CRASHES = {
    -getattr(signal, name, 0) for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL")
}


class TooSlowError(Exception):
    """The work on a request took longer than the limit; its process was ended."""


class BusyError(Exception):
    """No process can work on a request now: it may be sent again later."""


class WorkerDiedError(Exception):
    """A process ended while it worked on a request, or while it was loading the model."""


class Worker:
    """One process, and the socket to it.

    Parameters
    ----------
    process : multiprocessing.Process
    reader : asyncio.StreamReader
    writer : asyncio.StreamWriter
    """

    def __init__(self, process: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.process, self.reader, self.writer = process, reader, writer
        self._reply: asyncio.Future = asyncio.get_running_loop().create_future()
        self.on_free: Callable[[Worker], None] | None = None  # called as soon as a reply has come
        self._killed = False
        self._ending: asyncio.Task | None = None
        self.listening = asyncio.create_task(self._listen())

    @property
    def gone(self) -> bool:
        """Whether the process has ended, as far as can be seen from here."""
        return self._killed or self.listening.done()

    async def _listen(self) -> None:
        """Hand replies to whoever waits for them, until the process ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await self.reader.readexactly(worker.REPLY.size)
                kind, seconds, n = worker.REPLY.unpack(head)
                if n > LONGEST_REPLY:
                    break
                body = await self.reader.readexactly(n)
                if not self._reply.done():
                    self._reply.set_result((kind, seconds, body))
                if self.on_free is not None:
                    self.on_free(self)
        self.writer.transport.abort()
        if not self._reply.done():
            self._reply.set_exception(WorkerDiedError())
            self._reply.exception()  # somebody may have stopped waiting

    async def ready(self) -> None:
        """Wait until the model is loaded; raise `ModelError` where it cannot be."""
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                kind, _, body = await self._reply
        except WorkerDiedError as error:
            raise ModelError("its process ended while it loaded the model.") from error
        except TimeoutError as error:
            raise ModelError(f"it was not loaded within {LOAD_SECONDS:g} s.") from error
        if kind != Kind.READY:
            raise ModelError(body.decode("utf-8", "replace"))

    def begin(self, request: list[bytes]) -> asyncio.Future:
        """Send a request, and return the future of its reply, or of a `WorkerDiedError`."""
        self._reply = asyncio.get_running_loop().create_future()
        self.writer.writelines(request)
        return self._reply

    def kill(self) -> None:
        """End the process, if it has not ended."""
        if not self.gone:
            # Not process.kill(): after the death of the fork server that takes each for dead.
            with contextlib.suppress(OSError):
                os.kill(self.process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._killed = True
        self.writer.transport.abort()

    async def end(self) -> int | None:
        """End the process, and return its exit code as far as it can be known."""
        if self._ending is None:  # two threads that waited for it would confuse each other
            self.kill()
            self._ending = asyncio.create_task(self._end())
        return await asyncio.shield(self._ending)

    async def _end(self) -> int | None:
        await asyncio.to_thread(self.process.join, 1.0)
        code = self.process.exitcode
        if code is not None:
            self.process.close()  # or its pipes stay open until it is collected
        return code


class WorkerPool:
    """Predicts uploads in other processes.

    A process that dies or takes too long costs the one request it was working on; another takes
    its place. Every request ends: with a prediction, or with one of the errors below.

    Parameters
    ----------
    model : ModelFile
    abstain_below : float
    limits : Limits
    """

    def __init__(self, model: ModelFile, abstain_below: float, limits: Limits):
        self.limits = limits
        self.workers: set[Worker] = set()  # those that have loaded the model
        self._arguments = (model, abstain_below, limits)
        methods = multiprocessing.get_all_start_methods()
        kind = "forkserver" if "forkserver" in methods else "spawn"
        self._context: Any = multiprocessing.get_context(kind)
        if kind == "forkserver":  # a process that follows a dead one need not import anew
            self._context.set_forkserver_preload(["sklearn_ser.server.worker"])
        self._idle: deque[Worker] = deque()
        self._waiting: deque[tuple[asyncio.Future, list[bytes]]] = deque()
        # Some more than can be worked on, so that the next upload is at hand when a worker is free:
        # it is sent without a turn of the event loop, which many clients make long.
        self._slots = asyncio.Semaphore(2 * limits.workers)
        self._keepers: list[asyncio.Task] = []
        self._closing = False
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the processes and wait for the first, or raise `ModelError`."""
        first = asyncio.get_running_loop().create_future()
        self._keepers = [asyncio.create_task(self._keep(first)) for _ in range(self.limits.workers)]
        try:
            await first
        except ModelError as error:
            await self.stop()
            raise ModelError(f"The model cannot be loaded in another process: {error}") from error

    async def predict(
        self,
        read: Callable[[], Awaitable[bytes]],
        window: float | None,
        hop: float | None,
        channels: str,
    ) -> tuple[float, bytes]:
        """Predict the emotion of an upload, or of its windows.

        Parameters
        ----------
        read : coroutine function
            Returns the bytes of the upload; called when there is a process to send them to.
        window, hop : float or None
            In seconds.
        channels : str
            "mix" or "split".

        Returns
        -------
        seconds : float
            The length of the audio.
        result : bytes
            What `POST /predict` returns, as JSON.

        Raises
        ------
        AudioError
            If the audio cannot be used.
        TooSlowError
            If it took too long.
        BusyError
            If no process was free in time, or the one that worked on it was ended from outside.
        """
        deadline = asyncio.get_running_loop().time() + self.limits.time_limit
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError as error:
            raise BusyError(NO_TURN) from error
        try:
            data = await read()
            head = json.dumps({"window": window, "hop": hop, "channels": channels}).encode()
            request = [worker.REQUEST.pack(len(head), len(data)), head, data]
            kind, seconds, body = await self._reply_of(*await self._send(request, deadline))
        finally:
            self._slots.release()
        if kind == Kind.PREDICTED:
            return seconds, body
        if kind == Kind.REFUSED:
            raise AudioError(body.decode("utf-8", "replace"))
        raise RuntimeError(f"in a worker: {body.decode('utf-8', 'replace')}")

    async def _send(self, request: list[bytes], deadline: float) -> tuple[Worker, asyncio.Future]:
        """Send a request to a worker that is free, waiting for one if need be."""
        if self._closing:
            raise BusyError(STOPPING)
        while self._idle:
            if not (idle := self._idle.pop()).gone:  # its memory is in the caches still
                return idle, idle.begin(request)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, request))
        try:
            async with asyncio.timeout_at(deadline):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                turn.result()[0].kill()  # it began as this request was given up
            if isinstance(error, TimeoutError):
                raise BusyError(NO_TURN) from error
            raise

    async def _reply_of(self, taken: Worker, reply: asyncio.Future) -> tuple[int, float, bytes]:
        """Wait for a reply; a worker that does not give it in time is ended."""
        try:
            async with asyncio.timeout(self.limits.time_limit):
                return await reply
        except WorkerDiedError as error:
            if await taken.end() in CRASHES:
                raise AudioError(
                    "the file broke the decoder: convert it to wav or flac with another program."
                ) from error
            raise BusyError("The process that worked on it was ended: send it again.") from error
        except TimeoutError as error:
            taken.kill()
            raise TooSlowError from error
        except BaseException:  # nobody will take the reply
            taken.kill()
            raise

    def _release(self, freed: Worker) -> None:
        """Send the request that waits longest to a worker, or keep it for the next."""
        if freed.gone:
            return
        while self._waiting:
            turn, request = self._waiting.popleft()
            if not turn.done():
                turn.set_result((freed, freed.begin(request)))
                return
        self._idle.append(freed)

    async def _keep(self, first: asyncio.Future) -> None:
        """Keep one process running, and tell `first` of the first success or failure."""
        delay = 0.0
        while True:
            started = None
            try:
                started = await self._launch()
                await started.ready()
                delay = 0.0
                self.workers.add(started)
                if not first.done():
                    first.set_result(None)
                started.on_free = self._release
                self._release(started)
                await asyncio.wait([started.listening])
            except (ModelError, OSError) as error:
                if not first.done():
                    first.set_exception(ModelError(str(error)))
                logger.error("A worker could not be started: %s", error)
                delay = min(LONGEST_DELAY, 2 * delay or 0.1)
            finally:
                if started is not None:
                    self.workers.discard(started)
                    started.kill()
            if started is not None:
                await started.end()
            await asyncio.sleep(delay)

    async def _launch(self) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = (theirs, *self._arguments)
            process = self._context.Process(target=worker.run, args=arguments, daemon=True)
            try:
                async with self._starting:
                    await asyncio.to_thread(process.start)
            except BaseException:
                ours.close()  # which ends the process, should it have started
                raise
        reader, writer = await asyncio.open_connection(sock=ours)
        return Worker(process, reader, writer)

    def close(self) -> None:
        """Take no more requests, and turn away those that wait; what is worked on goes on."""
        self._closing = True
        for turn, _ in self._waiting:
            if not turn.done():
                turn.set_exception(BusyError(STOPPING))
        self._waiting.clear()

    def kill(self) -> None:
        """End what is still worked on."""
        for worker_ in self.workers:
            worker_.kill()

    async def stop(self) -> None:
        """End all processes."""
        self.close()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
