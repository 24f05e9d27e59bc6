"""Downloads MiniLM's files from the model hub.

Imported only when the option `download` allows it.
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError

from sls_plugins.errors import ConfigurationError

__all__ = ["download"]


def download(repository: str, files: tuple[str, ...]) -> Path:
    """Fetch these files into the hub's own cache and return their folder.

    Raises ConfigurationError if the hub cannot be reached.
    """
    try:
        return Path(snapshot_download(repository, allow_patterns=list(files)))
    except (OSError, HfHubHTTPError) as error:
        raise ConfigurationError(f"{repository} could not be downloaded: {error}") from error
