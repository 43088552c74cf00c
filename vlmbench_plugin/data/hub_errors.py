"""Where a public table was found, and what went wrong there in words that help."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from vlmbench_plugin.data.mirrors import Mirror
from vlmbench_plugin.errors import DataError, VlmBenchError

REMOTE = "hf://datasets/"
REPORT = "report this: the table may have moved; a local copy of it serves with --data-dir DIR"
_OFFLINE = (
    "check the network and run again, what was read is kept; without one, copy the table with "
    "`hf download --repo-type dataset` elsewhere and give its folder with --data-dir DIR"
)

_REFUSED = (
    "401 and 403: ask for access on its page and run `hf auth login`; 429 and 5xx: wait and run "
    "again, what was read is kept"
)

_SCRIPT = "copy the table's branch refs/convert/parquet instead (--revision refs/convert/parquet)"
_POINTERS = "copy the table again: a clone without git-lfs holds pointers, not files"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one table was found.

    Attributes:
        hub_id: Its id.
        revision: Its commit, or what stands for it in a mirror.
        path: What ``datasets`` takes: the id, or the mirror's folder.
        base: What its files' names are put after, for ``fsspec``.
    """

    hub_id: str
    revision: str
    path: str
    base: str

    @classmethod
    def local(cls, mirror: Mirror) -> Source:
        """Returns a mirror as a source."""
        folder = str(mirror.folder.resolve())
        return cls(mirror.hub_id, mirror.revision(), folder, folder)

    @property
    def mirrored(self) -> bool:
        """Whether this is a local copy."""
        return not self.base.startswith(REMOTE)


@contextlib.contextmanager
def explained(source: Source) -> Iterator[None]:
    """Turns what the libraries raise into errors that say what to do.

    Of network errors only the kind and the status are shown: their text may hold signed addresses.
    """
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HTTPError,
        LocalEntryNotFoundError,
        RevisionNotFoundError,
    )

    where = f"{source.path} at {source.revision}"
    try:
        yield
    except VlmBenchError:
        raise
    except RevisionNotFoundError:
        raise DataError(f"expected {where}, the hub has no such commit", hint=REPORT) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise DataError(f"expected {where}, the hub refused it ({status})", hint=_REFUSED) from None
    except RuntimeError as error:
        if "script" not in str(error):
            raise
        raise DataError(
            f"expected parquet files in {where}, got a loading script, which `datasets` no longer "
            "runs",
            hint=_SCRIPT if source.mirrored else REPORT,
        ) from error
    except (HTTPError, OSError, ValueError) as error:
        found = isinstance(error, (FileNotFoundError, ValueError)) or source.mirrored
        if isinstance(error, LocalEntryNotFoundError) or not found:
            message = f"expected {where}, could not reach the hub ({type(error).__name__})"
            raise DataError(message, hint=_OFFLINE) from None
        raise DataError(
            f"expected parquet files in {where}, got {type(error).__name__}: {error}",
            hint=_POINTERS if source.mirrored else REPORT,
        ) from error
