"""What the server of the live page gives, and to whom."""

import http.client
import json
import socket

import pytest

from damamba.console import InputError
from damamba.live.conversation import LiveScore
from damamba.live.page import KEPT, Page, serving


@pytest.fixture
def live():
    page = Page("a & b", ["a", "b"], ["clip"])
    with serving(page, 0):
        yield page


def port_of(page) -> int:
    return int(page.address.rsplit(":", 1)[1].strip("/"))


def get(page, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port_of(page), timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    return connection.getresponse()


def both(label, engagement=0.5):
    return [LiveScore(label / 25, name, engagement, {"clip": engagement is not None}, None) for name in "ab"]


def test_every_file_has_a_strict_policy_and_names_no_other_place(live):
    for path in live.files:
        answer = get(live, path)
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        text = answer.read().decode()
        if path != "/uplot.js":  # its banner has an address
            assert "http:" not in text
            assert "https:" not in text
    assert "a &amp; b" in get(live, "/").read().decode()


def test_other_paths_and_other_names_of_the_machine_are_refused(live):
    assert get(live, "/../page.py").status == 404
    assert get(live, "/", "evil.example:80").status == 403
    assert get(live, "/", f"localhost:{port_of(live)}").status == 200


def test_it_listens_on_the_loopback_interface_alone(live):
    other = socket.gethostbyname(socket.gethostname())
    if other.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match=r"refused|unreachable"):
        socket.create_connection((other, port_of(live)), timeout=5)


def test_a_taken_port_is_refused_by_name(live):
    with pytest.raises(InputError, match=r"--port \d+: cannot be used"), serving(Page("", [], []), port_of(live)):
        pass


def test_events_are_the_last_minute_then_what_is_sent_until_the_end(live):
    for label in range(KEPT + 10):
        live.send(both(label))
    live.send(both(KEPT + 10, None))
    live.end()
    text = get(live, "/events").read().decode()
    assert text.endswith("event: end\ndata: {}\n\n")
    events = [json.loads(event.removeprefix("data: ")) for event in text.split("\n\n") if event.startswith("data: ")]
    assert len(events) == KEPT - 1
    assert events[-1]["time_s"] == (KEPT + 10) / 25
    assert events[-1]["people"][0] == {"engagement": None, "missing": ["clip"]}
    assert events[0]["people"][1] == {"engagement": 0.5, "missing": []}
