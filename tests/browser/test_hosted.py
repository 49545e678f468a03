"""Binder's way: a notebook server with Voila as its extension, started by our own script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from flowviz.serving.paths import TEMPLATE
from flowviz.widgets.charts import bundle
from tests.conftest import free_port
from tests.serving.test_pages import fetch

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000
INSTALLED = Path(sys.prefix) / "share/jupyter/voila/templates/flowviz"


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A server as Binder starts it."""
    port = free_port()
    log = tmp_path_factory.mktemp("hosted") / "log"
    command = [ROOT / "binder/start", sys.executable, "-m", "jupyter", "server", "--no-browser"]
    options = ["--allow-root", f"--ServerApp.port={port}", "--IdentityProvider.token=letmein"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=ROOT,
        env={**os.environ, "REPO_DIR": str(ROOT)},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    url = f"http://localhost:{port}"
    for _ in range(300):
        try:
            fetch(f"{url}/api")
            break
        except urllib.error.URLError:
            time.sleep(0.2)
    yield url
    process.terminate()
    process.wait(timeout=30)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.mark.skipif(not INSTALLED.exists(), reason="flowviz is not installed, only on the path")
def test_the_template_is_installed_where_voila_looks():
    assert {p.name for p in TEMPLATE.iterdir()} <= {p.name for p in INSTALLED.iterdir()}


@pytest.mark.skipif(not INSTALLED.exists(), reason="flowviz is not installed, only on the path")
def test_any_notebook_is_a_page_in_our_look(origin):
    evil = "theme=%22%3E%3Cscript%3Eevil()%3C/script%3E&template=nonsense"
    reply = fetch(f"{origin}/voila/render/notebooks/dashboard.ipynb?{evil}&token=letmein")
    assert reply.status == 200
    assert "Starting a kernel…" in reply.text and "fv-loading" in reply.text
    assert "vnd.jupyter.widget-view+json" in reply.text
    assert "evil()" not in reply.text and "cdn" not in reply.text
    assert f'"{bundle.CONFIG_KEY}": "{bundle.path()}"' in reply.text
    assert 'data-fv-lessons="/flowviz/lessons"' in reply.text


def test_plotly_comes_by_url_there_too(origin):
    assert fetch(f"{origin}/{bundle.path()}").body == bundle.module()


def test_our_headers_are_on_our_pages_alone_and_jupyterlab_does_not_ask_for_news(origin):
    def policy(reply):
        return reply.headers["Content-Security-Policy"]

    ours = fetch(f"{origin}/flowviz/lessons?token=letmein")
    assert "script-src 'self'" in policy(ours) and "frame-ancestors 'self'" in policy(ours)
    lab = fetch(f"{origin}/lab?token=letmein")
    assert "script-src" not in policy(lab)
    assert '"news": {"disabled": true}' in lab.text


def test_lessons_are_pages_too_and_set_their_formulas_without_the_net(origin):
    assert 'href="/flowviz/render/03' in fetch(f"{origin}/flowviz/lessons?token=letmein").text
    lesson = fetch(f"{origin}/flowviz/render/index.ipynb?token=letmein")
    assert '"fullMathjaxUrl": null' in lesson.text and '"mathjaxConfig": null' in lesson.text
    assert '<a href="/flowviz/">flowviz</a>' in lesson.text


def test_a_page_ends_its_kernel_when_it_is_loaded_again_and_a_notebooks_own_stays(
    origin, open_page
):
    notebook = urllib.request.Request(
        f"{origin}/api/kernels", b"{}", {"Authorization": "token letmein"}
    )
    with urllib.request.urlopen(notebook) as started:
        own = json.load(started)["id"]
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{origin}/flowviz/?layers=6&token=letmein", wait_until="commit")
    page.wait_for_selector(".fv-panel:not(.fv-away)", timeout=PATIENCE)
    mine = page.evaluate("document.body.dataset.kernelId")
    page.reload(wait_until="commit")
    page.wait_for_selector(".fv-panel:not(.fv-away)", timeout=PATIENCE)
    page.get_by_role("link", name="Lessons").click()
    page.get_by_role("heading", name="Lessons").wait_for()
    assert [u for u in asked if not u.startswith((origin, "data:", "blob:"))] == []
    left = {one["id"] for one in json.loads(fetch(f"{origin}/api/kernels?token=letmein").body)}
    assert own in left and mine not in left
