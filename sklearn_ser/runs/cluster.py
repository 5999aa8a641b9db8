"""Dask clusters: the work of a run on the workers of a scheduler."""

from collections.abc import Iterator
from contextlib import contextmanager

from sklearn_ser.exceptions import OptionError

__all__ = ["work_on"]

_SECONDS_TO_CONNECT = 5


@contextmanager
def work_on(scheduler: str | None) -> Iterator[None]:
    """Let extraction and searches inside run on a Dask cluster.

    The workers need this package, and the audio under the same paths.

    Parameters
    ----------
    scheduler : str or None
        The scheduler's address, such as `"tcp://host:8786"`; `None` means this machine.

    Raises
    ------
    OptionError
        If the extra `cluster` is missing, nothing answers at that address, or no worker is there.
    """
    if scheduler is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise OptionError(
            f"`scheduler={scheduler}` needs Dask: pip install 'sklearn-ser[cluster]'."
        ) from error
    import joblib

    try:
        client = Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise OptionError(
            f"`scheduler={scheduler}`: no Dask scheduler answers there ({error}). Start one with "
            "'dask scheduler', and workers with 'dask worker ADDRESS'."
        ) from error
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise OptionError(
                f"`scheduler={scheduler}` has no workers: start some with 'dask worker ADDRESS'."
            )
        with joblib.parallel_config(backend="dask", client=client):
            yield
