"""The processes of one training run, as `torchrun` starts them: shares of the work, and what passes between them.

Every step has one batch, whatever the number of processes. CCC and InfoNCE do not decompose over windows, so the
outputs of all processes are put together, each computes the loss of the whole, and its gradient at a process's own
outputs goes on into the weights there; the sum over processes is the gradient of one process with the whole batch.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from damamba.console import InputError
from damamba.device import choose_device

PATIENCE_S = 600
"""A process that has not answered for so long is taken for dead; a killed one is noticed at once."""
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Ranks:
    """One of the processes that train together; by default, the only one.

    What passes between them raises InputError where another process has ended or does not answer.
    """

    rank: int = 0
    """Number of this process."""
    size: int = 1
    """How many there are."""
    patience_s: float = PATIENCE_S

    @classmethod
    def launched(cls) -> "Ranks":
        """As `torchrun` has started this process, or another launcher that sets the same variables.

        Raises:
            InputError: They are incomplete.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        if missing := [name for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
            raise InputError(
                f"the environment has WORLD_SIZE but no {missing[0]}: start several processes with torchrun, or one "
                "without WORLD_SIZE"
            )
        return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Join the other processes for the block; its end waits for all of them.

        Raises:
            InputError: Another process is missing, or there are more of them on this machine than GPUs.
        """
        if self.size == 1:
            yield
            return
        device, backend = choose_device(), "gloo"
        if device.type != "cpu":
            local, found = int(os.environ["LOCAL_RANK"]), torch.accelerator.device_count()
            if local >= found:
                raise InputError(f"process {local + 1} on this machine has no GPU, there are {found}; start {found}")
            torch.accelerator.set_device_index(local)
            backend = f"cpu:gloo,{device.type}:{dist.get_default_backend_for_device(device)}"
            os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")  # an error instead of an abort
        try:
            with self._answered():
                dist.init_process_group(
                    backend, rank=self.rank, world_size=self.size, timeout=timedelta(seconds=self.patience_s)
                )
            yield
            with self._answered():
                dist.barrier()
        finally:
            if dist.is_initialized():
                dist.destroy_process_group()

    def share(self, items: Sequence[ItemT]) -> list[ItemT]:
        """Items of this process, as many as every other's.

        Where they do not divide, the first are repeated at the end; `gather` leaves these out again.
        """
        n = self.rows(len(items))
        return [items[i % len(items)] for i in range(self.rank * n, (self.rank + 1) * n)]

    def rows(self, n: int) -> int:
        """How many of `n` items each process has."""
        return -(-n // self.size)

    def gather(self, share: Tensor, n: int) -> Tensor:
        """(n, …) rows of all processes, without gradients, from the `rows(n)` of this one."""
        if self.size == 1:
            return share
        rows = share.detach().contiguous()
        rows = rows.byte() if rows.dtype == torch.bool else rows
        parts = [torch.empty_like(rows) for _ in range(self.size)]
        with self._answered():
            dist.all_gather(parts, rows)
        return torch.cat(parts)[:n].to(share.dtype)

    def own(self, whole: Tensor) -> Tensor:
        """The rows of this process of what `gather` gives; zeros where items are repeated."""
        n = self.rows(len(whole))
        rows = whole[self.rank * n : (self.rank + 1) * n]
        return torch.cat([rows, rows.new_zeros(n - len(rows), *rows.shape[1:])]) if len(rows) < n else rows

    def add_gradients(self, model: nn.Module) -> None:
        """Give every weight the sum of its gradients in all processes; none where no process has one."""
        if self.size == 1:
            return
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        if not weights:
            return
        there = torch.tensor([weight.grad is not None for weight in weights]).to(weights[0])
        flat = torch.cat([*((torch.zeros_like(w) if w.grad is None else w.grad).flatten() for w in weights), there])
        with self._answered():
            dist.all_reduce(flat)
        *sums, there = flat.split([*(weight.numel() for weight in weights), len(weights)])
        for weight, total, n in zip(weights, sums, there.tolist(), strict=True):
            weight.grad = total.view_as(weight).to(weight) if n else None

    def shared(self, items: Sequence[ItemT], work: Callable[[ItemT], ResultT]) -> list[ResultT]:
        """Results for all items, each made by one process: item i by process i modulo their number."""
        made = [work(item) for item in items[self.rank :: self.size]]
        if self.size == 1:
            return made
        parts: list[Any] = [None] * self.size
        with self._answered():
            dist.all_gather_object(parts, made)
        return [parts[i % self.size][i // self.size] for i in range(len(items))]

    def from_first(self, make: Callable[[], ResultT]) -> ResultT:
        """What `make` returns in the first process; it is called there alone."""
        if self.size == 1:
            return make()
        held: list[Any] = [make() if self.first else None]
        with self._answered():
            dist.broadcast_object_list(held, src=0)
        return held[0]

    @contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # of torch.distributed
            reason = " ".join(str(error).split())
            raise InputError(
                f"process {self.rank + 1} of {self.size}: another process has ended, or has not answered for "
                f"{self.patience_s:.0f} s; start all of them again, they go on from the last state that was saved "
                f"({reason[:160]})"
            ) from None
