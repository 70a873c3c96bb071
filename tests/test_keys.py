"""Edits planted in a copy of the code: each changes the keys of what it writes, and no other key."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import damamba

PROGRAM = """
import json
import sys
from damamba import plugins
from damamba.data.align import shard_code
from damamba.features.extract import stream_code
from damamba.features.extractor import Extractor
from damamba.features.faces import FaceTracker

names = ["wav2vec2", "emotion", "clip", "flow", "official", "egemaps", "my_project.gaze"]
extractors = {name: plugins.find("damamba.extractors", name, Extractor) for name in names} | {"faces": FaceTracker}
for _ in sys.stdin:  # sources are read anew for every line
    codes = {name: stream_code(extractor) for name, extractor in extractors.items()}
    print(json.dumps({**codes, "shards": shard_code()}), flush=True)
"""
GAZE = '''"""A cue of one's own."""

from damamba.config import Section
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.streams.stream import FeatureStream


class GazeParams(Section):
    """No settings."""


class Gaze(Extractor[GazeParams]):
    """Gaze."""

    Params = GazeParams
    media = "video"

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Rows."""
        from .geometry import degrees

        return degrees(source)
'''
STREAMS = {"wav2vec2", "emotion", "clip", "flow", "official", "egemaps", "faces", "my_project.gaze"}
SPEECH, SEEING = {"wav2vec2", "emotion"}, {"clip", "flow"}


class Copy:
    """Copy of the package, beside an extractor of one's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        source = Path(damamba.__file__).parent
        shutil.copytree(source, root / "damamba", ignore=shutil.ignore_patterns("__pycache__", "checkpoints"))
        (root / "my_project").mkdir()
        (root / "my_project/__init__.py").touch()
        (root / "my_project/gaze.py").write_text(GAZE)
        (root / "my_project/geometry.py").write_text("def degrees(source):\n    return 1.0\n")
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.before = self.keys()

    def keys(self) -> dict[str, str]:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def changed_by(self, path: str, edit) -> set[str]:
        """Names of the keys that change when `edit` rewrites a file; the file is restored."""
        return self._changed([path], edit)

    def changed_by_each(self, paths: list[str], edit) -> dict[str, set[str]]:
        """Path -> names of the keys that change; all files at once, and one by one only if that changes a key."""
        if not self._changed(paths, edit):
            return {}
        return {path: found for path in paths if (found := self.changed_by(path, edit))}

    def _changed(self, paths: list[str], edit) -> set[str]:
        texts = {self.root / path: (self.root / path).read_text(encoding="utf8") for path in paths}
        edited = {file: edit(text) for file, text in texts.items()}
        assert all(edited[file] != text for file, text in texts.items())
        try:
            for file, text in edited.items():
                file.write_text(text, encoding="utf8")
            now = self.keys()
        finally:
            for file, text in texts.items():
                file.write_text(text, encoding="utf8")
        return {name for name in now if now[name] != self.before[name]}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    made = Copy(tmp_path_factory.mktemp("keys"))
    with made.process:
        yield made
        made.process.stdin.close()


def constant(text: str) -> str:
    return f"{text}\nPLANTED = 1\n"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("damamba/features/faces.py", {"faces"}),
        ("damamba/features/landmarker.py", {"faces"}),
        ("damamba/features/crop.py", SEEING | {"faces"}),
        ("damamba/features/tracked_frames.py", SEEING),
        ("damamba/streams/face_track.py", SEEING | {"faces"}),
        ("damamba/streams/stored_face_track.py", SEEING),
        ("damamba/media/decode.py", SEEING | {"faces"}),
        ("damamba/media/geometry.py", SEEING | {"faces"}),
        ("damamba/media/sound.py", SPEECH | {"egemaps"}),
        ("damamba/media/stamps.py", SPEECH | SEEING | {"egemaps", "faces"}),
        ("damamba/media/container.py", SPEECH | SEEING | {"egemaps", "faces"}),
        ("damamba/media/track.py", STREAMS),
        ("damamba/spool.py", STREAMS | {"shards"}),
        ("damamba/encoders/speech_encoder.py", SPEECH),
        ("damamba/encoders/emotion_model.py", {"emotion"}),
        ("damamba/encoders/checkpoint.py", SPEECH | {"clip"}),
        ("damamba/extractors/official.py", {"official"}),
        ("damamba/corpus/ssi.py", {"official"}),
        ("my_project/geometry.py", {"my_project.gaze"}),
        ("damamba/features/extractor.py", STREAMS),
        ("damamba/streams/store.py", STREAMS | {"shards"}),
        ("damamba/streams/stream.py", STREAMS | {"shards"}),
        ("damamba/streams/reader.py", SEEING | {"shards", "official"}),
        ("damamba/data/moments.py", {"shards"}),
        ("damamba/data/grid.py", {"shards"}),
        ("damamba/data/stream_on_grid.py", {"shards"}),
        ("damamba/data/shard_writer.py", {"shards"}),
    ],
)
def test_a_changed_constant_changes_the_keys_of_what_the_module_writes(copy, path, expected):
    assert copy.changed_by(path, constant) == expected


def test_modules_that_write_no_stream_and_no_shard_change_no_key(copy):
    paths = [
        "damamba/console.py",
        "damamba/executor.py",
        "damamba/files.py",
        "damamba/config/params.py",
        "damamba/encoders/licences.py",
        "damamba/features/extract.py",
        "damamba/features/options.py",
        "damamba/features/landmarker_download.py",
        "damamba/features/regions.py",
        "damamba/features/health.py",
        "damamba/media/glance.py",
        "damamba/media/guarded.py",
        "damamba/media/probe.py",
        "damamba/data/align.py",
        "damamba/data/batch.py",
        "damamba/data/pooling.py",
        "damamba/data/shards.py",
    ]
    assert copy.changed_by_each(paths, constant) == {}


def test_comments_docstrings_formatting_and_imports_for_types_change_no_key(copy):
    def edit(text: str) -> str:
        text = re.sub(r'"""[^"]+?"""', '"""Other words."""', text)  # of modules, classes, functions and fields
        text = re.sub(r"^def ", "# a comment\n\n\n\ndef ", text, flags=re.MULTILINE)
        return text.replace("    return ", "    return  ")

    names = ["features/faces", "features/extractor", "streams/store", "data/moments", "media/decode", "keys"]
    assert copy.changed_by_each([f"damamba/{name}.py" for name in names], edit) == {}


def test_imports_for_type_checkers_add_no_code(copy):
    imports = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from damamba.data.grid import resample\n"
    gaze = copy.root / "my_project/geometry.py"
    gaze.write_text(f"{imports}\n{gaze.read_text()}")
    copy.before = copy.keys()
    assert "my_project.gaze" not in copy.changed_by("damamba/data/grid.py", constant)


def test_a_module_that_does_not_exist_has_no_digest():
    from damamba.keys import source_digest

    with pytest.raises(ModuleNotFoundError, match=r"damamba\.features\.nothing"):
        source_digest("damamba.features.nothing")
