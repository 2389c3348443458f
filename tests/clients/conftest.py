"""Makes clients of the published descriptions, which lie beside the project, while tests run."""

import asyncio
import importlib
import os
import sys
from importlib.util import find_spec
from typing import Any

import pytest
from attrs import evolve, frozen

from generating import generate, published

# Where they must be there, as in CI, nothing is skipped.
REQUIRED = os.environ.get("CLIENTS_REQUIRED") == "1"


@frozen
class Generated:
    """A generated client: a module per operation, a class per body, and whom to send to."""

    package: str
    sender: Any = None
    is_async: bool = False

    def at(self, base_url, token, *, is_async):
        module = importlib.import_module(f"{self.package}.client")
        sender = module.AuthenticatedClient(base_url=base_url, token=token)
        return evolve(self, sender=sender, is_async=is_async)

    async def ask(self, operation, *path, **fields):
        """Return the answer to an operation, named `tag.operation` as the description does."""
        module = importlib.import_module(f"{self.package}.api.{operation}")
        if self.is_async:
            return await module.asyncio_detailed(*path, client=self.sender, **fields)
        return await asyncio.to_thread(module.sync_detailed, *path, client=self.sender, **fields)

    async def done(self, operation, *path, **fields):
        """Return what an operation that succeeds answers, as the client understands it."""
        answer = await self.ask(operation, *path, **fields)
        assert answer.status_code in {200, 201, 204}, answer.content
        return answer.parsed

    def model(self, name, fields):
        """Return a value of one of the client's own classes."""
        return getattr(importlib.import_module(f"{self.package}.models"), name).from_dict(fields)

    def word(self, name, value):
        """Return a member of one of the client's own enums."""
        return getattr(importlib.import_module(f"{self.package}.models"), name)(value)


@pytest.fixture(scope="session")
def present():
    """Skip, or fail where nothing may be skipped, without a package that is to be imported."""

    def check(package):
        if find_spec(package) is None:
            absent(f"{package} is not installed")

    return check


@pytest.fixture(scope="session")
def generated(present, tmp_path_factory):
    """Generate the client of a description."""
    folder = tmp_path_factory.mktemp("generated")
    sys.path.insert(0, str(folder))

    def make(name: str) -> Generated:
        present("openapi_python_client")
        if not published(name).is_file():
            absent("the published descriptions are not here")
        return Generated(generate(name, folder))

    yield make
    sys.path.remove(str(folder))


def absent(why):
    (pytest.fail if REQUIRED else pytest.skip)(why)
