"""infinity's own command, on a torch that is newer than the optimum which it needs.

When optimum is imported, its exporter looks for names of torch that have moved since. Serving uses none of them.
"""

from __future__ import annotations

from torch.onnx import symbolic_opset14
from torch.onnx._internal.torchscript_exporter import symbolic_opset14 as moved

for name, value in vars(moved).items():
    vars(symbolic_opset14).setdefault(name, value)

from infinity_emb.cli import cli  # noqa: E402 — only now can it be imported

if __name__ == "__main__":
    cli()
