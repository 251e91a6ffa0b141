"""Which addresses word may be sent to."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.src.tasks import special, special_host


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2001:4860::8"]
)
def test_the_public_internet_is_not_special(address: str) -> None:
    assert special(address) is None


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("fd12::1", "private"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("192.0.2.1", "reserved"),
        ("198.18.0.1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2001:0:7f00:1::", "reserved"),  # Teredo
        ("2002:7f00:1::", "reserved"),  # 6to4 of 127.0.0.1
        ("::7f00:1", "reserved"),  # 127.0.0.1, "compatible"
        ("4000::1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "cloud metadata"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "cloud metadata"),
        ("64:ff9b:1::808:808", "private"),
        ("169.254.169.254", "cloud metadata"),
        ("169.254.170.2", "cloud metadata"),
        ("100.100.100.200", "cloud metadata"),
        ("168.63.129.16", "cloud metadata"),
        ("fd00:ec2::254", "cloud metadata"),
    ],
)
def test_every_other_is(address: str, kind: str) -> None:
    assert special(address) == kind


def test_what_leads_to_a_public_address_is_not() -> None:
    assert special("::ffff:8.8.8.8") is None
    assert special("64:ff9b::808:808") is None


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_python_itself_calls_special_is_refused(address: IPv4Address | IPv6Address) -> None:
    odd = not address.is_global or address.is_multicast or address.is_reserved
    inner = getattr(address, "ipv4_mapped", None)
    assert special(str(address)) or not odd or (inner and not special(str(inner)))


@given(st.ip_addresses(v=4))
def test_an_address_is_as_special_in_whatever_clothes(address: IPv4Address) -> None:
    mapped, translated = IPv6Address(0xFFFF << 32 | int(address)), IPv6Address(int(ip_address("64:ff9b::")) | int(address))
    assert special(str(mapped)) == special(str(translated)) == special(str(address))


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("localhost", "loopback"),
        ("LOCALHOST.", "loopback"),
        ("a.localhost", "loopback"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("8.8.8.8", None),
        ("example.com", None),
        ("2130706433", None),  # looked up, it is 127.0.0.1; the connection is refused then
    ],
)
def test_a_host_that_needs_no_looking_up(host: str, kind: str | None) -> None:
    assert special_host(host) == kind
