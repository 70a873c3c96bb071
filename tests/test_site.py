"""The documentation builds as a site; a link that leads nowhere or a reference to nothing fails it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_it_loads_nothing_from_elsewhere_and_lacks_no_file(site):
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf8")
        for source in re.findall(r'(?:<img|<script)[^>]*? src="([^"]+)"', text):
            assert not source.startswith("http"), (page.name, source)
            assert (site / unquote(source)).is_file() or page.name == "404.html", (page.name, source)


@pytest.mark.slow
def test_it_has_every_command_and_the_functions_of_the_package(site):
    commands = (site / "cli.html").read_text(encoding="utf8")
    for name in ("new", "predict", "extract", "export", "init", "plan", "score", "submit", "convert", "preset"):
        assert f"damamba {name}" in commands
    reference = (site / "api.html").read_text(encoding="utf8")
    assert all(f'id="damamba.predictor.{name}"' in reference for name in ("run.predict", "cues.extract", "load.load"))
