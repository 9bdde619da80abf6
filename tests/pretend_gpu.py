"""A GPU where there is none: shapes and devices as on one, no numbers. It shows what would have to wait for a real one."""

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_leaves

DEVICE = "cuda:0"
COPY = torch.ops.aten._to_copy.default
PACK = torch.ops.aten._pack_padded_sequence.default


class PretendGpu(FakeTensorMode):
    """Within it, what is moved to `DEVICE` has no values. Tensors on the CPU are real, and computed with as always.

    Tensors of two devices in one operation raise, and so does a value that is asked for (`.item()`, a branch). Copies to the CPU, and
    those from it that are not told to go on (`non_blocking`), wait for all that a GPU was given before: `waited_for` gathers them.
    """

    def __init__(self):
        super().__init__(allow_non_fake_inputs=True)
        self.waited_for: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        leaves = tree_leaves((args, kwargs or {}))
        if not any(isinstance(leaf, FakeTensor) or leaf == torch.device(DEVICE) for leaf in leaves if not _is_real(leaf)):
            return func(*args, **(kwargs or {}))
        if func is PACK:  # its shape follows from lengths, which are on the CPU
            packed, sizes = func(torch.zeros(args[0].shape), *args[1:])
            return args[0].new_empty(packed.shape), sizes
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if any(isinstance(leaf, torch.Tensor) and leaf.device.type == "cpu" for leaf in tree_leaves(result)):
            self.waited_for.append(f"{func} to the CPU")
        if func is COPY and _is_real(args[0]) and not kwargs.get("non_blocking"):
            self.waited_for.append(f"{func} to the GPU")
        return result


def _is_real(leaf) -> bool:
    return isinstance(leaf, torch.Tensor) and not isinstance(leaf, FakeTensor)
