"""No page of `swarm ui` has a fault that axe calls serious. SWARM_AXE names axe.min.js, of npm's package axe-core."""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.bad_inputs import Scene
from support.browser import Browser, Page, browsing, wait_until
from support.front_runs import front_run
from support.playground import Playground
from swarm.web.pages import Pages
from swarm.web.server import Server, open_server
from swarm.web.watcher import Shelf

RUNS = ("/run/first", "/run/stopped", "/run/front")
PAGES = ("/", *RUNS, "/compare?first=first&second=second", "/compare?first=first&second=stopped")
SERIOUS = "axe.run(document).then(r => JSON.stringify(r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 120)).join(' | '))))"  # fmt: skip # noqa: E501


@pytest.fixture(scope="module")
def axe() -> str:
    if "SWARM_AXE" not in os.environ:
        pytest.skip("SWARM_AXE does not name axe.min.js")
    return Path(os.environ["SWARM_AXE"]).read_text()


@pytest.fixture(scope="module")
def server(playground: Playground, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("shelf")
    for name in ("first", "second"):
        shutil.copytree(finished_run, folder / name)
    shutil.copytree(front_run(playground), folder / "front")
    shutil.move(Scene(folder, playground, finished_run).stopped_run(lines=14), folder / "stopped")
    with open_server(Pages(Shelf((folder,))), 0) as opened:
        threading.Thread(target=opened.serve_forever, daemon=True).start()
        yield opened
        opened.shutdown()


@pytest.fixture(scope="module")
def browser(axe: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def opened(browser: Browser, server: Server, path: str, scheme: str, width: int) -> Page:
    """A page at this width and in this colour scheme."""
    page = browser.open(server.address)  # with its token
    page.bring_to_front()
    features: list[dict[str, Any]] = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", page.session, features=features)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.call("Emulation.setDeviceMetricsOverride", page.session, **metrics)
    wait_until(lambda: page.evaluate("location.protocol + document.readyState") == "http:complete")
    page.evaluate(f"location.href = {path!r}")
    wait_until(lambda: page.evaluate("location.pathname + location.search") == path)
    wait_until(lambda: page.evaluate("document.readyState") == "complete")
    return page


def serious(page: Page, axe: str) -> list[str]:
    """What axe finds: its rule, and the first places."""
    page.evaluate(axe + "; true")
    found = page.browser.call(
        "Runtime.evaluate", page.session, expression=SERIOUS, awaitPromise=True, returnByValue=True
    )
    return list(json.loads(found["result"]["value"]))


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_serious(browser: Browser, server: Server, axe: str, path: str, scheme: str, width: int) -> None:
    assert serious(opened(browser, server, path, scheme, width), axe) == []


@pytest.mark.slow
def test_a_planted_fault_is_found(browser: Browser, server: Server, axe: str) -> None:
    page = opened(browser, server, "/", "light", 1200)
    page.evaluate("document.querySelector('main, body').append(document.createElement('img')); true")
    assert [each.partition(":")[0] for each in serious(page, axe)] == ["image-alt"]
