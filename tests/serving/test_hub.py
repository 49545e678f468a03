"""What `flowviz hub-config` writes, and how a user's server finds our configuration."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from traitlets.config import Config, PyFileConfigLoader

from flowviz.serving import cli, paths
from flowviz.serving.hub import files, singleuser
from tests.serving.chart import SCHEMA


def written(folder: Path, *options: str) -> tuple[Path, Path]:
    assert cli.main(["hub-config", str(folder), *options]) == 0
    return folder / "jupyterhub_config.py", folder / "values.yaml"


def loaded(path: Path) -> Config:
    return PyFileConfigLoader(path.name, str(path.parent)).load_config()


def test_the_values_are_what_the_chart_takes(tmp_path):
    _, path = written(
        tmp_path, "--image", "registry.example.org:5000/courses/flows:2", "--memory", "1536"
    )
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(SCHEMA).validate(values)
    user = values["singleuser"]
    assert user["image"] == {"name": "registry.example.org:5000/courses/flows", "tag": "2"}
    assert user["memory"] == {"guarantee": "512M", "limit": "1536M"}
    assert values["hub"]["config"]["JupyterHub"]["active_server_limit"] == files.STUDENTS
    assert values["scheduling"]["userPlaceholder"]["replicas"] == 3


@pytest.mark.parametrize("wrong", [{"singleuser": {"mem": "2G"}}, {"cull": {"timeout": "1h"}}])
def test_the_schema_refuses_what_the_chart_refuses(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(wrong)


def test_both_files_start_the_same_server_and_end_it_after_the_same_time(tmp_path):
    config, values = written(tmp_path, "--students", "12", "--memory", "3072")
    one, many = loaded(config), yaml.safe_load(values.read_text(encoding="utf-8"))
    python, *command = one.Spawner.cmd
    assert python == sys.executable and many["singleuser"]["cmd"] == ["python", *command]
    assert one.Spawner.default_url == many["singleuser"]["defaultUrl"]
    assert one.Spawner.mem_limit == many["singleuser"]["memory"]["limit"] == "3072M"
    assert one.JupyterHub.active_server_limit == 12
    assert "12 times is 6 GB" in config.read_text(encoding="utf-8")
    (culler,) = one.JupyterHub.services.get_value([])
    assert {f"--timeout={many['cull']['timeout']}", f"--max-age={many['cull']['maxAge']}"} < set(
        culler["command"]
    )


def test_ones_own_services_and_roles_stay(tmp_path):
    config, _ = written(tmp_path / "ours")
    own = tmp_path / "own.py"
    own.write_text(
        "c.JupyterHub.services = [{'name': 'mine'}]\n"
        "c.JupyterHub.load_roles = [{'name': 'teacher'}]\n"
        f"load_subconfig({str(config)!r})\n"
    )
    both = loaded(own).JupyterHub
    assert [service["name"] for service in both.services] == ["mine", "idle-culler"]
    assert [role["name"] for role in both.load_roles] == ["teacher", "idle-culler"]


@pytest.mark.parametrize(
    "options, complaint",
    [
        (["--image", "flowviz"], "'flowviz' is no image; allowed are lower-case names with a tag"),
        (["--image", "Flowviz:1"], "'Flowviz:1' is no image"),
        (["--memory", "256"], "256 MB of memory are too little: a user's server"),
        (["--students", "0"], "0 students? allowed are 1 to 10000"),
    ],
)
def test_what_is_wrong_is_said_in_words(tmp_path, capsys, options, complaint):
    assert cli.main(["hub-config", str(tmp_path / "new"), *options]) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(tmp_path, capsys):
    config, values = written(tmp_path)
    written(tmp_path)
    assert f"{config}: as it was" in capsys.readouterr().out
    values.write_text("mine")
    config.unlink()
    assert cli.main(["hub-config", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert f"{str(values)!r} is there already with other content" in said
    assert values.read_text() == "mine" and not config.exists()
    assert cli.main(["hub-config", str(values)]) == 1
    assert "is a file, not a folder" in capsys.readouterr().err


def test_a_users_server_finds_our_configuration_and_the_user_the_lessons(tmp_path, monkeypatch):
    for name, value in {
        "JUPYTERHUB_ROOT_DIR": "~/work",
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_PATH": "/own",
        "FLOWVIZ_FRAME_ANCESTORS": "https://course.example.org",
    }.items():
        monkeypatch.setenv(name, value)
    mine = tmp_path / "work" / paths.LESSONS / "dashboard.ipynb"
    mine.parent.mkdir(parents=True)
    mine.write_text("my work")
    singleuser.prepare()
    ours, own = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert own == "/own"
    assert loaded(Path(ours) / "jupyter_server_config.py").ServerApp.jpserver_extensions["voila"]
    assert loaded(Path(ours) / "voila.py").VoilaConfiguration.template == "flowviz"
    assert os.environ["FLOWVIZ_FRAME_ANCESTORS"] == "https://course.example.org"
    assert mine.read_text() == "my work" and len(list(mine.parent.iterdir())) > 5
