"""Names of params.yaml find classes: files of a folder by their bare names, modules of one's own by dotted paths."""

import subprocess
import sys

import pytest

from damamba import plugins
from damamba.config import ARCHITECTURES, LOSSES, Section
from damamba.console import InputError
from damamba.losses import Loss
from damamba.losses.ccc import CCCLoss


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a module of a project outside the repository; returns its dotted path."""
    folder = tmp_path / "own_project"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        (folder / f"{name}.py").write_text(text)
        return f"own_project.{name}"

    yield write
    for name in [name for name in sys.modules if name.startswith("own_project")]:
        del sys.modules[name]


LOSS = """
from damamba.config import PositiveFloat, Section
from damamba.losses import Loss

class Settings(Section):
    power: PositiveFloat

class Smooth(Loss[Settings]):
    Params = Settings

    def __call__(self, prediction):
        return prediction.engagement.diff(dim=-1).abs().pow(self.params.power).mean()
"""


def test_a_bare_name_is_a_file_of_the_folder():
    assert plugins.find(LOSSES, "ccc", Loss) is CCCLoss
    assert plugins.names(ARCHITECTURES) == ("boosting", "constant", "da_mamba", "dat", "lstm", "mlp", "ridge", "tcn")
    assert "base" not in plugins.names(LOSSES)


def test_a_dotted_name_is_a_module_of_ones_own(own):
    name = own("smooth", LOSS)
    kind = plugins.find(LOSSES, name, Loss)
    assert kind.__name__ == "Smooth"
    assert plugins.settings_of(LOSSES, name)(power=2.0).power == 2.0
    assert issubclass(plugins.settings_of(LOSSES, name), Section)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must define exactly one Loss; it defines none"),
        (LOSS + "class Other(Smooth):\n    pass\n", r"exactly one Loss; it defines Other, Smooth"),
        ("from damamba.losses.ccc import CCCLoss\n", r"exactly one Loss; it defines none"),
    ],
)
def test_a_module_must_define_exactly_one(own, text, message):
    with pytest.raises(InputError, match=message):
        plugins.find(LOSSES, own("odd", text), Loss)


def test_unknown_names_are_refused_with_those_that_exist(own):
    with pytest.raises(InputError, match=r"damamba/losses/smooth\.py; there are align, ccc"):
        plugins.find(LOSSES, "smooth", Loss)
    with pytest.raises(InputError, match="there is no module own_projects; put its folder on PYTHONPATH"):
        plugins.find(LOSSES, "own_projects.smooth", Loss)
    own("there", "")
    with pytest.raises(InputError, match=r"there is no module own_project\.gone"):
        plugins.find(LOSSES, "own_project.gone", Loss)


def test_a_package_that_a_module_lacks_is_named_and_not_taken_for_the_module(own):
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        plugins.find(LOSSES, own("needs", "import no_such_package"), Loss)


def test_listing_names_imports_nothing():
    program = (
        "import sys; from damamba import plugins; plugins.names('damamba.model.architectures'); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
