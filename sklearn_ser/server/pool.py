"""A few warm processes that answer uploads, each replaceable at any moment."""

import asyncio
import multiprocessing
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from sklearn_ser.exceptions import AudioError, ModelError
from sklearn_ser.server import worker
from sklearn_ser.server.limits import Limits

__all__ = ["TooSlowError", "WorkerPool"]


class TooSlowError(Exception):
    """The work on a request took longer than the limit; its process was ended."""


class WorkerPool:
    """Answers uploads in other processes.

    A process that dies or takes too long fails the one request it was working on; another takes
    its place.

    Parameters
    ----------
    model : Path
    trust : bool
    abstain_below : float
    limits : Limits
    """

    def __init__(self, model: Path, trust: bool, abstain_below: float, limits: Limits):
        self.limits = limits
        self._initargs = [model, trust, abstain_below, limits]
        methods = multiprocessing.get_all_start_methods()
        kind = "forkserver" if "forkserver" in methods else "spawn"
        self._context: Any = multiprocessing.get_context(kind)
        if kind == "forkserver":  # a process that follows a dead one need not import anew
            self._context.set_forkserver_preload(["sklearn_ser.server.worker"])
        self._pool = self._make()
        # One more than can be worked on, so that the next upload is at hand when a process is free.
        self._slots = asyncio.Semaphore(limits.workers + 1)

    async def start(self) -> None:
        """Wait until a process has loaded the model, or raise `ModelError`."""
        try:
            await self._run(worker.ready, timeout=300)
        except Exception as error:
            raise ModelError(f"The model cannot be loaded in another process: {error}") from error

    async def answer(self, read, window: float | None, hop: float | None) -> dict[str, Any]:
        """Answer an upload.

        Parameters
        ----------
        read : coroutine function
            Returns the bytes of the upload; called when there is a process to send them to.
        window, hop : float or None
            In seconds.

        Returns
        -------
        answer : dict

        Raises
        ------
        AudioError
            If the audio cannot be used.
        TooSlowError
            If it took too long.
        """
        from pebble import ProcessExpired

        async with self._slots:
            data = await read()
            try:
                return await self._run(worker.answer, data, window, hop)
            except (ProcessExpired, BrokenProcessPool) as error:
                raise AudioError(
                    "the file broke the decoder: convert it to wav or flac with another program."
                ) from error
            except TimeoutError as error:
                raise TooSlowError from error

    def _make(self) -> Any:
        from pebble import ProcessPool

        return ProcessPool(
            max_workers=self.limits.workers,
            context=self._context,
            initializer=worker.start,
            initargs=self._initargs,
        )

    async def _run(self, function, *arguments: Any, timeout: float | None = None) -> Any:
        how = {"args": arguments, "timeout": timeout or self.limits.time_limit}
        try:
            return await asyncio.wrap_future(self._pool.schedule(function, **how))
        except (BrokenProcessPool, RuntimeError):
            # All processes died at once, as when memory ran out: the pool is of no use any more.
            if not self._pool.active:
                self._pool.stop()
                self._pool = self._make()
            return await asyncio.wrap_future(self._pool.schedule(function, **how))

    def stop(self) -> None:
        """End all processes."""
        self._pool.stop()
        self._pool.join()
