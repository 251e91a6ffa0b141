"""Where the client finds its server, and its token."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.client.driver import Client, mode
from tests.client.stand_in import TOKEN, StandIn


def test_login_stores_what_the_server_accepted(server: StandIn, tmp_path: Path) -> None:
    stranger = Client(tmp_path)
    assert stranger("skills").code == 4
    done = stranger("login", "--url", f"{server.url}/", "--token-stdin", stdin=f"{TOKEN}\n")
    assert (done.code, TOKEN in done.out + done.err) == (0, False)
    assert json.loads(stranger.config().read_text()) == {"url": server.url, "token": TOKEN}
    assert (mode(stranger.config()), mode(stranger.config().parent)) == (0o600, 0o700)
    assert stranger("skills").code == 0
    assert stranger("logout").code == 0
    assert stranger("skills").code == 4


def test_login_stores_nothing_that_was_refused(server: StandIn, tmp_path: Path) -> None:
    stranger = Client(tmp_path)
    assert stranger("login", "--url", server.url, "--token-stdin", stdin="wrong\n").code == 4
    assert not stranger.config().exists()


def test_the_environment_goes_before_the_file(server: StandIn, tmp_path: Path) -> None:
    stranger = Client(tmp_path, env={"XDG_CONFIG_HOME": str(tmp_path / "xdg")})
    stranger("login", "--url", server.url, "--token-stdin", stdin=TOKEN)
    assert (tmp_path / "xdg" / "modal-invoke" / "config.json").exists()
    assert stranger("skills").code == 0
    assert replace(stranger, token="other")("skills").code == 4


def test_a_stored_token_is_kept_from_other_servers(server: StandIn, tmp_path: Path) -> None:
    stranger = Client(tmp_path)
    stranger("login", "--url", server.url, "--token-stdin", stdin=TOKEN)
    server.seen.clear()
    done = replace(stranger, url=server.url.replace("127.0.0.1", "localhost"))("skills")
    assert done.code == 4
    assert not server.seen


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8000", "ftp://127.0.0.1", "127.0.0.1:8000", "https://user@127.0.0.1", "http://x:y"]
)
def test_an_unfit_url_is_refused_before_anything_is_sent(tmp_path: Path, url: str) -> None:
    assert Client(tmp_path, url, TOKEN)("skills").code == 2


@pytest.mark.parametrize(("args", "env"), [(["--insecure"], {}), ([], {"MODAL_INVOKE_INSECURE": "1"})])
def test_insecure_lets_plain_http_through(server: StandIn, tmp_path: Path, args: list[str], env: dict[str, str]) -> None:
    everywhere = server.url.replace("127.0.0.1", "0.0.0.0")  # reaches this machine, but is no loopback address
    assert Client(tmp_path, everywhere, TOKEN)("skills").code == 2
    assert Client(tmp_path, everywhere, TOKEN, env=env)("skills", *args).code == 0
