"""Files that are written whole or not at all, whoever reads them meanwhile and however this ends."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(target: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write ``data`` to ``target``, in place of what is there; it is on the disk when this returns.

    Args:
        target: in a folder that exists. A link is replaced by the file: resolve it before, if it is to stay one.
        mode: the file's permissions.

    Raises:
        OSError: it cannot be written, and nothing has changed.
    """
    handle, written = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(written, mode)
        os.replace(written, target)
    except BaseException:
        os.unlink(written)
        raise
