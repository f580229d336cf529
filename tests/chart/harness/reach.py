"""Which pod reaches which port, according to the NetworkPolicies of a rendered chart."""

import dataclasses
import ipaddress

from harness.chart import NAMESPACE, Objects


@dataclasses.dataclass(frozen=True)
class Peer:
    """A pod with its labels and its namespace, or an address outside the cluster."""
    labels: tuple[tuple[str, str], ...] = ()
    namespace: str = NAMESPACE
    address: str | None = None

    @staticmethod
    def pod(labels: dict[str, str], namespace: str = NAMESPACE) -> "Peer":
        return Peer(tuple(sorted(labels.items())), namespace)


def reaches(objects: Objects, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    policies = objects.of("NetworkPolicy")
    return (_allows(policies, source, target, port, protocol, "Egress", "egress", "to")
            and _allows(policies, target, source, port, protocol, "Ingress", "ingress", "from"))


def _allows(policies, pod, other, port, protocol, kind, rules, side) -> bool:
    """Returns whether the policies that select `pod` allow it; a pod that none selects may do all."""
    applying = [each["spec"] for each in policies if kind in each["spec"]["policyTypes"]
                and pod.address is None and pod.namespace == NAMESPACE
                and _selects(each["spec"]["podSelector"], dict(pod.labels))]
    if not applying:
        return True
    return any(_matches(rule, other, port, protocol, side)
               for spec in applying for rule in spec.get(rules, ()))


def _matches(rule, other, port, protocol, side) -> bool:
    ports = rule.get("ports")
    if ports and not any((each["port"], each["protocol"]) == (port, protocol) for each in ports):
        return False
    peers = rule.get(side)
    return not peers or any(_is(peer, other) for peer in peers)


def _is(peer, other) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return other.address is not None and \
            _within(other.address, block["cidr"]) and \
            not any(_within(other.address, each) for each in block.get("except", ()))
    if other.address is not None:
        return False
    if "namespaceSelector" in peer:
        if not _selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace}):
            return False
    elif other.namespace != NAMESPACE:
        return False
    return _selects(peer.get("podSelector", {}), dict(other.labels))


def _within(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)


def _selects(selector: dict, labels: dict[str, str]) -> bool:
    for each in selector.get("matchExpressions", ()):
        assert each["operator"] == "In"
        if labels.get(each["key"]) not in each["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
