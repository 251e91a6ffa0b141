"""Decides which addresses word may be sent to: those of the public internet. Pure: nothing is looked up here.

Python's own `is_global` is another with each of its versions, so the registries of IANA are written out.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

KINDS: dict[str, tuple[IPv4Network | IPv6Network, ...]] = {
    kind: tuple(ip_network(network) for network in networks.split())
    for kind, networks in {
        "cloud metadata": "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 fd20:ce::254",
        "unspecified": "0.0.0.0/8 ::",
        "loopback": "127.0.0.0/8 ::1",
        "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7 64:ff9b:1::/48",
        "link-local": "169.254.0.0/16 fe80::/10 fec0::/10",
        "multicast": "224.0.0.0/4 ff00::/8",
        "reserved": "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 "
        "2001::/23 2001:db8::/32 2002::/16 3fff::/20",
    }.items()
}
UNICAST = IPv6Network("2000::/3")
"""All that IPv6 has given out to the public internet."""
NAT64 = IPv6Network("64:ff9b::/96")


def special(address: str) -> str | None:
    """What kind of special address this is, such as `loopback`; None for one of the public internet. Raises ValueError."""
    found = unwrapped(ip_address(address))
    for kind, networks in KINDS.items():
        if any(found in network for network in networks):
            return kind
    return "reserved" if isinstance(found, IPv6Address) and found not in UNICAST else None


def unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that one of IPv6 leads to: mapped, or through NAT64."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else address


def special_host(host: str) -> str | None:
    """As `special`, of a host as it stands in a URL; None for a name that has to be looked up."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return "loopback"
    try:
        return special(name)
    except ValueError:
        return None
