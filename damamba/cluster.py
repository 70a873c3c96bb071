"""Tasks on a Dask cluster that is there already: Slurm, PBS, LSF and Kubernetes start one by Dask's own means.

A task runs in a worker process with one thread, in the folder of the project, which all machines see under the same
path. A worker that dies costs the tasks that it had, which others take over.
"""

import os
import uuid
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from damamba.console import InputError
from damamba.files import FileError, replace_file
from damamba.keys import package_digest

PREFIX = "dask:"
"""In front of the address of a scheduler, or of its file, in ``extract.executor``."""
INSTALL = "pip install 'damamba[cluster]'"
PATIENCE_S = 10
DIED = "the workers that had it died one after the other (out of memory?); see their logs"
WORKER = "dask worker ADDRESS --nthreads 1 --nworkers N"


def on_dask(
    function: Callable[[Any], Any], tasks: Sequence[Any], address: str
) -> Generator[tuple[int, Any, FileError | str | None], None, None]:
    """(number of a task, its result, what is wrong) as tasks end; ends the rest where the caller stops.

    Raises:
        InputError: Dask is missing, there is no scheduler or no worker at the address, or a worker has other code,
            several threads, or other files.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError:
        raise InputError(f"extract.executor: {PREFIX}{address}: Dask is not installed; {INSTALL}") from None
    options: dict[str, Any] = {"timeout": PATIENCE_S, "set_as_default": False}
    options["scheduler_file" if Path(address).is_file() else "address"] = address
    try:
        client = Client(**options)
    except (OSError, ValueError) as error:  # a timeout is an OSError too
        why = " ".join(str(error).split())[:120]
        raise InputError(f"extract.executor: no Dask scheduler answers at {address} ({why})") from None
    with client:
        here = str(Path.cwd())
        _check_workers(client, here, address)
        futures = {
            client.submit(_run, here, function, task, key=f"damamba-{uuid.uuid4()}", pure=False): index
            for index, task in enumerate(tasks)
        }
        try:
            for future in as_completed(list(futures), loop=client.loop):
                index = futures[future]
                try:
                    result = future.result()  # waits where a worker died after its task, which another one repeats
                except KilledWorker:
                    yield index, None, DIED
                except FileError as error:
                    yield index, None, error
                else:
                    yield index, result, None
        finally:
            client.cancel(list(futures))


def _run(folder: str, function: Callable[[Any], Any], task: Any) -> Any:
    """A task in a worker, which may have been started in any folder."""
    os.chdir(folder)
    return function(task)


def _check_workers(client: Any, here: str, address: str) -> None:
    """Raise InputError unless every worker can do what this process can."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise InputError(f"extract.executor: the Dask cluster at {address} has no workers; start some: {WORKER}")
    if several := [name for name, worker in workers.items() if worker["nthreads"] != 1]:
        raise InputError(
            f"extract.executor: the worker {several[0]} has {workers[several[0]]['nthreads']} threads; a task takes a "
            f"process of its own: {WORKER}"
        )
    sign = Path(here) / "state" / f"cluster-{uuid.uuid4()}"
    sign.parent.mkdir(exist_ok=True)
    replace_file(sign, b"")
    ours = package_digest()
    try:
        for name, (code, sees) in client.run(_look, str(sign)).items():
            if code != ours:
                raise InputError(
                    f"extract.executor: the worker {name} runs another version of damamba; install the same"
                )
            if not sees:
                raise InputError(
                    f"extract.executor: the worker {name} does not see {here}; start it where the folder has this path"
                )
    finally:
        sign.unlink()


def _look(sign: str) -> tuple[str, bool]:
    return package_digest(), Path(sign).exists()
