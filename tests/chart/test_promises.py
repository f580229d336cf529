"""What the chart promises about its objects, checked on those that it renders."""

import base64
import json
import re
import subprocess

import pytest
import yaml

from harness import chart, reach, schemas
from microcart import ROOT

NEWEST = schemas.VERSIONS[-1]
ALL = chart.named("all")
SERVICES = ("customers", "cart")
PORTS = {"customers": 8081, "cart": 8082}


@pytest.fixture(name="objects", params=ALL)
def _objects(request):
    return chart.rendered(request.param, NEWEST)


def container(pod: dict) -> dict:
    [only] = pod["spec"]["containers"]
    return only


def environment(pod: dict) -> dict[str, str]:
    variables = container(pod)["env"]
    made = {each["name"]: each["value"] for each in variables}
    assert len(made) == len(variables), "a variable is set twice"
    return made


def files(pod: dict) -> dict[str, tuple[str, str]]:
    """The files of a pod, each with the Secret and the key that it comes from."""
    [volume] = pod["spec"]["volumes"]
    [mount] = container(pod)["volumeMounts"]
    return {f"{mount['mountPath']}/{item['path']}": (source["secret"]["name"], item["key"])
            for source in volume["projected"]["sources"] for item in source["secret"]["items"]}


def deployments(objects: chart.Objects) -> dict[str, dict]:
    return {name: objects.get("Deployment", name) for name in SERVICES}


def job(objects: chart.Objects, name: str) -> dict:
    [found] = [each for each in objects.of("Job")
               if each["metadata"]["labels"]["app.kubernetes.io/component"] == f"{name}-migrate"]
    return found


# --- Pods ---------------------------------------------------------------------------------------

def test_every_pod_is_restricted(objects):
    """The Pod Security Standard `restricted`, and what goes beyond it."""
    pods = objects.pods()
    assert len(pods) == 4
    for pod in pods:
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] >= 10000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]}}
        assert "hostPort" not in str(container(pod).get("ports"))
        assert all(volume.keys() == {"name", "projected"} for volume in spec["volumes"])
        assert all(mount["readOnly"] for mount in container(pod)["volumeMounts"])
        assert container(pod)["resources"]["limits"]["memory"]
        assert container(pod)["resources"]["requests"]["cpu"]


def test_users_and_ports_are_those_of_the_images(objects):
    dockerfile = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    for name, deployment in deployments(objects).items():
        stage = dockerfile[dockerfile.index(f"FROM scratch AS {name}\n"):]
        user, group = re.search(r"^USER (\d+):(\d+)$", stage, re.MULTILINE).groups()
        exposed = re.search(r"^EXPOSE (.*)$", stage, re.MULTILINE)[1].split()
        for pod in (deployment["spec"]["template"], job(objects, name)["spec"]["template"]):
            context = pod["spec"]["securityContext"]
            assert (context["runAsUser"], context["runAsGroup"]) == (int(user), int(group))
            assert context["fsGroup"] == int(group), "the group reads the files of the volume"
        ports = container(deployment["spec"]["template"])["ports"]
        assert sorted(each["containerPort"] for each in ports) == sorted(map(int, exposed))


def test_every_variable_is_in_the_readme(objects):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme[readme.index("| variable | default |"):]
    known = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", table[:table.index("\n\n")]))
    for pod in objects.pods():
        assert environment(pod).keys() <= known


def test_values_reach_the_environment():
    objects = chart.rendered("everything", NEWEST)
    customers = environment(objects.get("Deployment", "customers")["spec"]["template"])
    assert customers["LOG_LEVEL"] == "debug"
    assert customers["PASSWORD_MIN_LENGTH"] == "12"
    assert customers["HTTP_MAX_CONNECTIONS"] == "8000"
    assert customers["WORKERS"] == "4"
    assert customers["TRUSTED_PROXIES"] == "10.1.0.0/16"
    cart = environment(objects.get("Deployment", "cart")["spec"]["template"])
    assert cart["LEGACY_API"] == "true"
    assert cart["HTTP_MAX_CONNECTIONS"] == "4000"
    done = chart.template(version=NEWEST, values={
        "cart": {"env": {"HTTP_MAX_REQUESTS_PER_CONNECTION": 1000000000}}})
    assert 'value: "1000000000"' in done.stdout


@pytest.mark.parametrize("name", ALL)
def test_a_replica_has_memory_for_its_connections(name):
    """The arithmetic of docs/architecture.md#memory."""
    units = {"Mi": 1, "Gi": 1024}
    for service, deployment in deployments(chart.rendered(name, NEWEST)).items():
        pod = deployment["spec"]["template"]
        text = container(pod)["resources"]["limits"]["memory"]
        mib = int(text[:-2]) * units[text[-2:]]
        connections = int(environment(pod)["HTTP_MAX_CONNECTIONS"])
        hashing = 19 * int(environment(pod)["WORKERS"]) if service == "customers" else 0
        assert mib >= 39 + connections * 64.5 / 1024 + 8 + 8 + hashing


def test_a_worker_has_a_core(objects):
    for deployment in deployments(objects).values():
        pod = deployment["spec"]["template"]
        assert int(environment(pod)["WORKERS"]) == container(pod)["resources"]["requests"]["cpu"]


# --- Updates ------------------------------------------------------------------------------------

def test_a_stopping_replica_has_time_for_its_requests(objects):
    for deployment in deployments(objects).values():
        pod = deployment["spec"]["template"]
        wait = container(pod)["lifecycle"]["preStop"]["sleep"]["seconds"]
        grace = int(environment(pod)["SHUTDOWN_GRACE"])
        assert wait > 0
        assert pod["spec"]["terminationGracePeriodSeconds"] > wait + grace


def test_an_old_replica_goes_when_a_new_one_is_ready(objects):
    for deployment in deployments(objects).values():
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        spec = container(deployment["spec"]["template"])
        assert spec["startupProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
        assert spec["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
        assert spec["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}


@pytest.mark.parametrize("name, is_upgrade, is_hook", (
    ("default", False, False), ("default", True, True),
    ("external", False, True), ("external", True, True)))
def test_migrations_run_before_whatever_needs_them(name, is_upgrade, is_hook):
    """Only the databases that an installation makes itself are not there before it."""
    objects = chart.rendered(name, NEWEST, is_upgrade)
    assert len(objects.of("Job")) == 2
    for each in objects.of("Job"):
        annotations = each["metadata"].get("annotations", {})
        assert ("helm.sh/hook" in annotations) == is_hook
        if is_hook:
            assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"


def test_a_job_that_is_no_hook_is_another_one_for_another_version():
    def name(**image):
        done = chart.template(version=NEWEST, values={"image": image})
        [found] = [each["metadata"]["name"] for each in yaml.safe_load_all(done.stdout)
                   if each and each["kind"] == "Job" and "-cart-" in each["metadata"]["name"]]
        return found
    assert name(tag="1") == name(tag="1") != name(tag="2")


@pytest.mark.parametrize("demo", (False, True))
def test_demo_data_are_a_choice(demo):
    objects = chart.rendered("everything" if demo else "default", NEWEST)
    for each in objects.of("Job"):
        assert container(each["spec"]["template"])["args"] == \
            ["migrate", "--wait", "120", "up", f"--demo={str(demo).lower()}"]


# --- Secrets and roles --------------------------------------------------------------------------

def test_no_secret_is_outside_a_secret():
    objects = chart.rendered("default", NEWEST)
    secrets = chart.secret_values(objects)
    assert len(secrets) == 2 * (1 + 4 + 2)  # JWT; four passwords; two keys.
    rest = json.dumps([each for each in objects.objects if each["kind"] != "Secret"])
    assert not [each for each in secrets if each in rest]
    golden = (chart.VALUES.parent / "golden/default.yaml").read_text(encoding="utf-8")
    assert not [each for each in secrets if each in golden]
    assert "BEGIN" not in golden and "LS0t" not in golden


def test_secrets_are_long_and_made_anew():
    first, second = (
        {(each["metadata"]["name"], key): value for each in yaml.safe_load_all(
            chart.template(version=NEWEST).stdout) if each and each["kind"] == "Secret"
         for key, value in each["data"].items() if key != "username"}
        for _ in range(2))
    assert first.keys() == second.keys() and len(first) == 11
    for key, value in first.items():
        assert value != second[key]
        assert len(base64.b64decode(value)) >= 64


def test_no_secret_is_made_where_yours_are_named():
    assert {each["metadata"]["name"] for each in chart.rendered("external", NEWEST).of("Secret")} == \
        {"store-cart-tls", "store-customers-tls"}
    assert chart.rendered("everything", NEWEST).of("Secret")[0]["metadata"]["name"] == \
        "store-cart-db-owner"
    assert len(chart.rendered("everything", NEWEST).of("Secret")) == 2


def test_data_and_their_secrets_survive_an_uninstallation():
    objects = chart.rendered("default", NEWEST)
    kept = {each["metadata"]["name"] for each in objects.objects
            if each["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"}
    assert kept == {"store-jwt", *(f"store-{service}-db{part}" for service in SERVICES
                                   for part in ("", "-owner", "-serving"))}


def test_a_service_cannot_migrate(objects):
    """It has neither the owner's name nor its password; the migration has nothing else."""
    for name, deployment in deployments(objects).items():
        serving, migrating = deployment["spec"]["template"], job(objects, name)["spec"]["template"]
        role = environment(serving)["POSTGRES_USER"]
        owner = environment(migrating)["POSTGRES_USER"]
        assert role != owner
        assert environment(migrating)["POSTGRES_SERVING_ROLE"] == role
        password = "/secrets/postgres/password"
        assert environment(serving)["POSTGRES_PASSWORD_FILE"] == password
        assert environment(migrating)["POSTGRES_PASSWORD_FILE"] == password
        assert files(serving)[password] != files(migrating)[password]
        assert files(migrating).keys() == {password, "/secrets/postgres/ca.crt"}
        for pod in (serving, migrating):
            assert environment(pod)["POSTGRES_SSLMODE"] == "verify-full"
            assert environment(pod)["PGSSLROOTCERT"] in files(pod)
            for variable, value in environment(pod).items():
                if variable.endswith("_FILE"):
                    assert value in files(pod)
                assert "PASSWORD" not in variable or variable.endswith(("_FILE", "_LENGTH"))


def test_the_authority_s_key_of_a_database_is_not_mounted(objects):
    for pod in objects.pods():
        assert {key for _, key in files(pod).values()} <= {
            "password", "ca.crt", "tls.crt", "tls.key", "jwt_secret", "jwt", "jwt_previous", "previous"}


def test_the_roles_of_a_cluster(objects):
    for name in SERVICES:
        clusters = [each for each in objects.of("Cluster") if each["metadata"]["name"] == f"store-{name}-db"]
        if not clusters:
            continue
        [spec] = [each["spec"] for each in clusters]
        [role] = spec["managed"]["roles"]
        serving = objects.get("Deployment", name)["spec"]["template"]
        migrating = job(objects, name)["spec"]["template"]
        initdb = spec["bootstrap"]["initdb"]
        assert initdb["owner"] == environment(migrating)["POSTGRES_USER"]
        assert initdb["database"] == environment(serving)["POSTGRES_DB"]
        assert role == {"name": environment(serving)["POSTGRES_USER"], "login": True,
                        "passwordSecret": {"name": files(serving)["/secrets/postgres/password"][0]}}
        assert initdb["secret"]["name"] == files(migrating)["/secrets/postgres/password"][0]
        assert environment(serving)["POSTGRES_HOST"] == f"store-{name}-db-rw"
        assert spec["postgresql"]["pg_hba"] == ["hostnossl all all all reject"]
        # Acknowledged commits are on two machines, where there are two.
        assert ("synchronous" in spec["postgresql"]) == (spec["instances"] > 1)


def test_a_cluster_has_connections_for_all_replicas():
    for name in ("default", "everything", "minimal"):
        objects = chart.rendered(name, NEWEST)
        for service, deployment in deployments(objects).items():
            workers = int(environment(deployment["spec"]["template"])["WORKERS"])
            scalers = [each["spec"]["maxReplicas"] for each in objects.of("HorizontalPodAutoscaler")
                       if each["metadata"]["name"] == f"store-{service}"]
            replicas = scalers[0] if scalers else deployment["spec"]["replicas"]
            parameters = objects.get("Cluster", f"{service}-db")["spec"]["postgresql"]["parameters"]
            assert int(parameters["max_connections"]) >= 6 * workers * (replicas + 1) + 20


# --- Certificates -------------------------------------------------------------------------------

def openssl(*arguments) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("service, purpose, host", (
    ("customers", "sslserver", "store-customers-grpc"),
    ("customers", "sslserver", f"store-customers-grpc.{chart.NAMESPACE}.svc"),
    ("cart", "sslclient", "cart")))
def test_certificates_of_the_chart(tmp_path, service, purpose, host):
    data = chart.rendered("default", NEWEST).get("Secret", f"{service}-tls")["data"]
    for key, value in data.items():
        (tmp_path / key).write_bytes(base64.b64decode(value))
    openssl("verify", "-purpose", purpose, "-verify_hostname", host, "-CAfile", tmp_path / "ca.crt",
            tmp_path / "tls.crt")
    assert openssl("x509", "-noout", "-pubkey", "-in", tmp_path / "tls.crt") == \
        openssl("pkey", "-pubout", "-in", tmp_path / "tls.key")
    four_years = 4 * 365 * 24 * 3600
    openssl("x509", "-noout", "-checkend", str(four_years), "-in", tmp_path / "tls.crt")


def test_both_certificates_have_the_same_authority():
    objects = chart.rendered("default", NEWEST)
    assert objects.get("Secret", "customers-tls")["data"]["ca.crt"] == \
        objects.get("Secret", "cart-tls")["data"]["ca.crt"]


def test_certificates_of_cert_manager():
    for name, issuer in (("cert-manager", {"name": "store-authority", "kind": "Issuer"}),
                         ("everything", {"name": "internal", "kind": "ClusterIssuer",
                                         "group": "cert-manager.io"})):
        objects = chart.rendered(name, NEWEST)
        customers = objects.get("Certificate", "customers")["spec"]
        cart = objects.get("Certificate", "cart")["spec"]
        assert customers["issuerRef"] == cart["issuerRef"] == issuer
        assert customers["dnsNames"][0] == "store-customers-grpc"
        assert "server auth" in customers["usages"] and "client auth" not in customers["usages"]
        assert cart["dnsNames"] == ["cart"]
        assert "client auth" in cart["usages"] and "server auth" not in cart["usages"]
        for service, spec in (("customers", customers), ("cart", cart)):
            pod = objects.get("Deployment", service)["spec"]["template"]
            assert {files(pod)[f"/secrets/grpc/{key}"] for key in ("ca.crt", "tls.crt", "tls.key")} == \
                {(spec["secretName"], key) for key in ("ca.crt", "tls.crt", "tls.key")}
        assert bool(objects.of("Issuer")) == (issuer["name"] == "store-authority")


def test_only_the_cart_service_is_admitted(objects):
    customers = environment(objects.get("Deployment", "customers")["spec"]["template"])
    assert customers["GRPC_CLIENTS"] == "cart"
    cart = environment(objects.get("Deployment", "cart")["spec"]["template"])
    service = objects.get("Service", "customers-grpc")
    assert cart["CUSTOMERS_HOST"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    assert cart["GRPC_PORT"] == customers["GRPC_PORT"] == str(service["spec"]["ports"][0]["port"])


# --- Network ------------------------------------------------------------------------------------

def test_exactly_these_connections_are_allowed():
    objects = chart.rendered("default", NEWEST)
    own = {name: reach.Peer.pod(objects.get("Deployment", name)["spec"]["template"]["metadata"]["labels"])
           for name in SERVICES}
    own |= {f"{name}-migrate": reach.Peer.pod(job(objects, name)["spec"]["template"]["metadata"]["labels"])
            for name in SERVICES}
    databases = {f"{name}-db": reach.Peer.pod({"cnpg.io/cluster": f"store-{name}-db"})
                 for name in SERVICES}
    strangers = {
        "ingress": reach.Peer.pod({}, "ingress-nginx"),
        "prometheus": reach.Peer.pod({}, "monitoring"),
        "dns": reach.Peer.pod({"k8s-app": "kube-dns"}, "kube-system"),
        "operator": reach.Peer.pod({"app.kubernetes.io/name": "cloudnative-pg"}, "cnpg-system"),
        "neighbour": reach.Peer.pod({"app": "other"}),
        "impostor": reach.Peer.pod(dict(own["cart"].labels), "other"),
        "internet": reach.Peer(address="203.0.113.7"),
    }
    peers = own | databases | strangers
    ports = ("53/UDP", "53/TCP", "80/TCP", "443/TCP", "5432/TCP", "8000/TCP", "8081/TCP", "8082/TCP",
             "9081/TCP", "9082/TCP", "9187/TCP", "50051/TCP")
    allowed = {(source, target, port) for source in peers for target in peers for port in ports
               if source != target and (source in own or target in own or target in databases)
               and reach.reaches(objects, peers[source], peers[target], int(port.split("/")[0]),
                                 port.split("/")[1])}
    assert allowed == {
        ("ingress", "customers", "8081/TCP"), ("ingress", "cart", "8082/TCP"),
        ("prometheus", "customers", "9081/TCP"), ("prometheus", "cart", "9082/TCP"),
        ("cart", "customers", "50051/TCP"),
        *((f"{name}{part}", f"{name}-db", "5432/TCP") for name in SERVICES for part in ("", "-migrate")),
        *((name, "dns", f"53/{protocol}") for name in own for protocol in ("UDP", "TCP")),
        *(("operator", database, f"{port}/TCP") for database in databases for port in (5432, 8000)),
        *(("prometheus", database, "9187/TCP") for database in databases),
    }
    for database in databases.values():
        assert reach.reaches(objects, database, database, 5432), "instances replicate"


def test_an_external_database_is_reached_at_its_address():
    objects = chart.rendered("external", NEWEST)
    customers, cart = (
        reach.Peer.pod(objects.get("Deployment", name)["spec"]["template"]["metadata"]["labels"])
        for name in SERVICES)
    database, other = reach.Peer(address="192.0.2.10"), reach.Peer(address="192.0.2.11")
    assert reach.reaches(objects, customers, database, 6432)
    assert not reach.reaches(objects, customers, other, 6432)
    assert not reach.reaches(objects, customers, database, 5432)
    assert reach.reaches(objects, cart, other, 5432)
    assert not reach.reaches(objects, cart, other, 443)


def test_the_services_alone_reach_a_collector_that_is_named():
    collector = reach.Peer.pod({}, "observability")
    for name, is_named in (("everything", True), ("default", False)):
        objects = chart.rendered(name, NEWEST)
        for service in SERVICES:
            pod = objects.get("Deployment", service)["spec"]["template"]["metadata"]["labels"]
            assert reach.reaches(objects, reach.Peer.pod(pod), collector, 4318) == is_named
            migrating = job(objects, service)["spec"]["template"]["metadata"]["labels"]
            assert not reach.reaches(objects, reach.Peer.pod(migrating), collector, 4318)


def test_clients_may_be_addresses():
    objects = chart.rendered("everything", NEWEST)
    cart = reach.Peer.pod(objects.get("Deployment", "cart")["spec"]["template"]["metadata"]["labels"])
    for source, is_allowed in ((reach.Peer(address="198.51.100.8"), True),
                               (reach.Peer(address="198.51.100.7"), False),
                               (reach.Peer.pod({"app": "gateway"}, "gateway"), True),
                               (reach.Peer.pod({"app": "other"}, "gateway"), False)):
        assert reach.reaches(objects, source, cart, 8082) == is_allowed


# --- Selection ----------------------------------------------------------------------------------

def is_selected(selector: dict, pod: dict) -> bool:
    return selector.items() <= pod["metadata"]["labels"].items()


def test_selectors_select_the_replicas_of_one_service(objects):
    for name, deployment in deployments(objects).items():
        pod = deployment["spec"]["template"]
        budget = objects.get("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"]
        selectors = [deployment["spec"]["selector"]["matchLabels"], budget,
                     *(each["labelSelector"]["matchLabels"]
                       for each in pod["spec"]["topologySpreadConstraints"]),
                     *(each["spec"]["selector"] for each in objects.of("Service")
                       if each["metadata"]["name"].startswith(f"store-{name}"))]
        for selector in selectors:
            assert [each for each in objects.pods() if is_selected(selector, each)] == [pod]
        assert {each["topologyKey"] for each in pod["spec"]["topologySpreadConstraints"]} == \
            {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


def test_services_lead_to_ports_of_the_pods(objects):
    for service in objects.of("Service"):
        [pod] = [each for each in objects.pods() if is_selected(service["spec"]["selector"], each)]
        named = {each["name"]: each["containerPort"] for each in container(pod)["ports"]}
        for port in service["spec"]["ports"]:
            assert named[port["targetPort"]] == port["port"]
    for name, port in PORTS.items():
        assert [each["port"] for each in objects.get("Service", name)["spec"]["ports"]] == [port]


def test_an_autoscaler_has_the_replicas_to_itself(objects):
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in objects.of("HorizontalPodAutoscaler")}
    for deployment in objects.of("Deployment"):
        assert ("replicas" in deployment["spec"]) != (deployment["metadata"]["name"] in scaled)


def test_names_of_a_long_release_are_short_enough():
    done = chart.helm("template", "r" * 53, chart.DIRECTORY, "--kube-version", NEWEST,
                      "--set", "monitoring.serviceMonitor=true")
    assert done.returncode == 0, done.stderr
    for each in yaml.safe_load_all(done.stdout):
        if each:
            assert len(each["metadata"]["name"]) <= 63


# --- Monitoring ---------------------------------------------------------------------------------

ALERTS = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = ROOT / "deploy/grafana/microcart.json"


def test_alerts_and_dashboard_are_those_of_deploy():
    objects = chart.rendered("everything", NEWEST)
    [rule], [dashboard] = objects.of("PrometheusRule"), objects.of("ConfigMap")
    assert rule["spec"] == yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    assert json.loads(dashboard["data"]["microcart.json"]) == \
        json.loads(DASHBOARD.read_text(encoding="utf-8"))


def test_a_package_contains_them(tmp_path):
    done = chart.helm("package", chart.DIRECTORY, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    [package] = tmp_path.iterdir()
    done = chart.helm("template", "store", package, "--kube-version", NEWEST,
                      "--set", "monitoring.prometheusRule=true,monitoring.dashboard=true")
    assert done.returncode == 0, done.stderr
    made = {each["kind"]: each for each in yaml.safe_load_all(done.stdout) if each}
    assert made["PrometheusRule"]["spec"] == yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    assert "Microcart" in made["ConfigMap"]["data"]["microcart.json"]


def test_prometheus_sees_the_job_that_the_alerts_name():
    objects = chart.rendered("everything", NEWEST)
    [monitor] = objects.of("ServiceMonitor")
    [endpoint] = monitor["spec"]["endpoints"]
    scraped = {each["metadata"]["labels"][monitor["spec"]["jobLabel"]]: each
               for each in objects.of("Service")
               if monitor["spec"]["selector"]["matchLabels"].items() <= each["metadata"]["labels"].items()
               and endpoint["port"] in [port["name"] for port in each["spec"]["ports"]]}
    assert scraped.keys() == set(SERVICES)
    assert 'job=~"customers|cart"' in ALERTS.read_text(encoding="utf-8")
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert objects.of(kind)[0]["metadata"]["labels"]["release"] == "kube-prometheus-stack"
