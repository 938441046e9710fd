"""The page's files: served as they are, from themselves alone."""

from __future__ import annotations

import re

import httpx2
import pytest

from tapeline.web.assets import KINDS, STATIC, asset_routes

pytestmark = pytest.mark.anyio

OWN = [path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts]


@pytest.mark.parametrize("path", ["/", "/index.html", "/css/base.css", "/js/views/loop.js", "/icon.svg"])
async def test_a_file_is_served_with_its_kind_and_not_twice(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == KINDS["." + (path.rpartition(".")[2] if "." in path else "html")]
    again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/js/%2e%2e/%2e%2e/server.py", "/../server.py", "/js/", "/vendor", "/server.py"])
async def test_nothing_else_of_the_disk_is_served(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


def test_every_import_and_link_of_the_page_leads_to_a_file_of_ours() -> None:
    served = {route.path for route in asset_routes()}
    for path in OWN:
        text = path.read_text()
        assert not re.findall(r"""(?:src|href|url\(|from|import\()\s*[=("']*\s*(?:https?:)?//""", text), path
        for target in re.findall(r'from "(\.[^"]+)"|import\("(\.[^"]+)"\)', text):
            found = (path.parent / next(filter(None, target))).resolve()
            assert "/" + found.relative_to(STATIC.resolve()).as_posix() in served


def test_the_page_never_parses_text_as_markup() -> None:
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser")
    for path in OWN:
        assert not forbidden.search(path.read_text()), path
    assert not re.search(r"\son\w+=|\sstyle=|<style", (STATIC / "index.html").read_text())


def test_vendored_parts_carry_their_licence() -> None:
    for folder in (STATIC / "vendor").iterdir():
        assert {"LICENSE", "NOTICE"} <= {path.name for path in folder.iterdir()}
        assert folder.name in (STATIC.parents[3] / "NOTICE").read_text()
