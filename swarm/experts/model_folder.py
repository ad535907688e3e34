"""The files of a model's folder lie in that folder: what is read, composed and exported is nothing else.

The folder itself may be a link. A file in it may be a link to another file in it, or to the blobs of the same
repository in a hub's cache, which keeps every file so. A link to anywhere else is refused: people publish what is
exported, and such a link would put a file of theirs into it.
"""

import os
import shutil
from pathlib import Path

from swarm.core.errors import ExpertError

TEMPLATES = "additional_chat_templates"
LISTED = 8  # models of a folder of models


def is_there(path: Path) -> bool:
    """False also for a path that no file can have."""
    try:
        return path.exists()
    except OSError:
        return False


def check_folder(folder: Path, owner: str) -> None:
    """Raise ExpertError where the folder holds models but is none, or a file of it lies outside or is no regular file.

    owner: begins messages.
    """
    try:
        templates = folder / TEMPLATES
        files = sorted([*folder.iterdir(), *(templates.iterdir() if templates.is_dir() else ())])
    except OSError as error:
        raise ExpertError(f"{owner}: {folder} cannot be read ({error.strerror}); give a folder of a model") from None
    if not _is_model(folder) and (models := [file.name for file in files if file.is_dir() and _is_model(file)]):
        more = f" and {len(models) - LISTED} more" if len(models) > LISTED else ""
        raise ExpertError(
            f"{owner}: {folder} is no saved model; it holds the models {', '.join(models[:LISTED])}{more}; "
            f"give each by its own path, such as {folder / models[0]}: several experts are listed one by one"
        )
    for file in files:
        if file.is_dir() and file.name != TEMPLATES:
            continue  # no file of it is read or copied, but those that an index names, which are checked there
        if file.is_symlink() or not (file.is_file() or file.is_dir()):
            check_inside(file, folder, owner)


def _is_model(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("config.json", "adapter_config.json"))


def check_inside(file: Path, folder: Path, owner: str) -> None:
    """Raise ExpertError where a file, once its links are followed, lies outside of its model's folder."""
    try:
        target = file.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a link to itself
        points = f" (a link to {os.readlink(file)})" if file.is_symlink() else ""
        raise ExpertError(f"{owner}: {file}{points} does not exist; copy the file there, or remove the link") from None
    if not (target.is_relative_to(folder.resolve()) or _is_blob(target, folder.resolve())):
        raise ExpertError(
            f"{owner}: {file} leads to {target}, outside of the model's folder; "
            "copy that file into the folder in place of the link, or remove the link"
        )
    if not (target.is_file() or target.is_dir()):
        raise ExpertError(f"{owner}: {file} is no regular file; replace it with the model's own")


def copy_inside(file: Path, folder: Path, dest: Path, owner: str = "base") -> None:
    """Copy a file of a model's folder. Raises ExpertError where it lies outside of that folder."""
    check_inside(file, folder, owner)
    shutil.copyfile(file, dest)


def _is_blob(target: Path, folder: Path) -> bool:
    """True for a blob in the hub's cache that belongs to the repository that the folder is a snapshot of."""
    repository = target.parent.parent
    return target.parent.name == "blobs" and folder.is_relative_to(repository / "snapshots")
