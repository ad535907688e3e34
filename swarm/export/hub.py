"""An export on the Hugging Face Hub: what is refused before it is written, and the upload itself.

`upload` is the one place of Swarm that sends anything to the hub, and only `--push-to-hub` calls it. Who may write
there is the hub's own login (`hf auth login`, HF_TOKEN): no token is kept or shown here.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from swarm.core.errors import ConfigError, RunError, first_line
from swarm.export.base import Exported, local_path

FORMS = ("hf", "adapter")  # those that name no folder of this machine once the hub's ids stand for it
# HfHubHTTPError is also an error of the HTTP client that the hub's library uses, whichever that is.
HTTP_FAILURES: tuple[type[Exception], ...] = tuple(
    kind for kind in HfHubHTTPError.__mro__ if issubclass(kind, Exception) and kind is not Exception
)
FAILURES: tuple[type[Exception], ...] = (*HTTP_FAILURES, OfflineModeIsEnabled, OSError, ValueError, RuntimeError)
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]{0,95}")


def check_push(repository: str, format: str) -> None:
    """Raise ConfigError where an export of this form cannot be sent to the repository. Nothing is sent."""
    if format not in FORMS:
        raise ConfigError(
            f"--push-to-hub: --format {format} names folders of this machine; use --format {' or '.join(FORMS)}"
        )
    if not HUB_ID.fullmatch(repository):
        raise ConfigError(f"--push-to-hub: {repository!r} is no id of the hub; give it as OWNER/NAME")
    if get_token() is None:
        raise ConfigError(f"--push-to-hub: nobody is logged in to send {repository}; hf auth login, or set HF_TOKEN")


def check_private(what: Exported, folder: Path) -> None:
    """Raise RunError where a text file of the folder names a folder of this machine that the export was made from."""
    paths = {local_path(path) for path in (what.catalog.base.path, *(e.path for e in what.catalog.sources))}
    for file in _texts(folder):
        content = file.read_text(encoding="utf-8", errors="replace")
        if found := next((path for path in sorted(paths) if path in content), ""):
            raise RunError(f"{file} names {found}, and was not sent; remove the path there, then hf upload ID {folder}")


def upload(folder: Path, repository: str, again: bool) -> str:
    """Send a folder to a model repository, which is made private where it is new. Returns its address.

    again: whether a repository that exists may get new files. Raises RunError.
    """
    api = HfApi()
    try:
        address = api.create_repo(repository, repo_type="model", private=True, exist_ok=again)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Export by Swarm")
    except FAILURES as error:
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
        remedy = (
            "give another id, or --overwrite" if status == 409 else f"mend that, then hf upload {repository} {folder}"
        )
        raise RunError(
            f"--push-to-hub: {repository} was not written ({first_line(error)}); {folder} is whole: {remedy}"
        ) from None
    return str(address)


def _texts(folder: Path) -> Iterator[Path]:
    for suffix in ("json", "md", "yaml", "txt", "jinja"):
        yield from sorted(folder.rglob(f"*.{suffix}"))
