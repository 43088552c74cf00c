"""Which devices a run may use. Named with an underscore: it is no runner."""

from __future__ import annotations

AUTO = "auto"


def devices(asked: str) -> tuple[str, ...]:
    """Returns one device per worker that may load a model.

    Args:
        asked: ``auto``, a device, or a comma list of devices.

    Returns:
        The list as given; for ``auto`` each CUDA device, or ``auto`` itself where there are fewer
        than two: the runner then chooses.
    """
    if asked != AUTO:
        return tuple(name.strip() for name in asked.split(",") if name.strip())
    try:
        import torch
    except ImportError:
        return (AUTO,)
    found = torch.cuda.device_count()
    return tuple(f"cuda:{index}" for index in range(found)) if found > 1 else (AUTO,)
