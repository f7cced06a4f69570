"""What must hold for every object that an overlay renders: rules that no schema knows.

    for fault in check(render("dev-cpu")): print(fault)          # "budgets: StatefulSet/emend-worker: no PodDisruptionBudget selects its pods"

A rule is a function of all documents that yields one line a fault. docs/guides/kubernetes.md says what is meant; tests/k8s/policy_test.py shows that each rule catches its violation.
"""
import re

NAMESPACE = "emend"
# What whoever deploys provides: Secrets and their keys (k8s/make-secrets.sh makes them).
PROVIDED_SECRETS = {
    "emend-worker-token": {"worker-token"},
    "emend-coordinator-tls": {"tls.crt", "tls.key", "ca.crt"},
    "emend-gateway-tls": {"tls.crt", "tls.key", "ca.crt"},
    "emend-worker-tls": {"tls.crt", "tls.key", "ca.crt"},
    "emend-rest-tls": {"tls.crt", "tls.key", "ca.crt"},
    "emend-answers-tls": {"tls.crt", "tls.key", "ca.crt"},
}
# Volume types of the "restricted" pod security standard that are in use here.
VOLUMES = {"persistentVolumeClaim", "secret", "configMap", "emptyDir"}
WORKER_CLAIMS = {"emend-models", "emend-statistics"}
# Who serves REST behind a proxy and takes workers: component and its container.
SERVERS = {"coordinator": "emendd", "gateway": "gateway"}
WORKERS_PORTS = {"coordinator": 7411, "gateway": 7412}
RULES = {}


def rule(function):
    RULES[function.__name__] = function
    return function


def check(documents):
    return [f"{name}: {fault}" for name, function in RULES.items() for fault in function(documents)]


class Workload:
    """A StatefulSet or LeaderWorkerSet, and the template of its pods."""

    def __init__(self, document):
        self.document = document
        self.name = f"{document['kind']}/{document['metadata']['name']}"
        template = document["spec"]["leaderWorkerTemplate"]["workerTemplate"] if document["kind"] == "LeaderWorkerSet" else document["spec"]["template"]
        self.labels = template["metadata"]["labels"]
        self.pod = template["spec"]
        self.containers = self.pod.get("initContainers", []) + self.pod["containers"]
        self.component = self.labels.get("app.kubernetes.io/component")

    def container(self, name):
        return next(container for container in self.containers if container["name"] == name)

    def ports(self):
        return {key for container in self.containers for port in container.get("ports", []) for key in (port.get("name"), port["containerPort"])}

    def claims(self):
        return {volume["persistentVolumeClaim"]["claimName"] for volume in self.pod["volumes"] if "persistentVolumeClaim" in volume}


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def workloads(documents):
    return [Workload(document) for document in documents if document["kind"] in ("StatefulSet", "LeaderWorkerSet", "Deployment", "DaemonSet", "Job")]


def selects(selector, labels):
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def environment(container):
    return {variable["name"]: variable.get("value", "") for variable in container.get("env", [])}


def option(container, name):
    return next((argument.split("=", 1)[1] for argument in container.get("args", []) if argument.startswith(name + "=")), None)


def bytes_of(quantity):
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi|Ti)?", quantity).groups()
    return int(number) * {None: 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}[unit]


@rule
def namespaces(documents):
    for document in documents:
        if document["kind"] != "Namespace" and document["metadata"].get("namespace") != NAMESPACE:
            yield f"{document['kind']}/{document['metadata']['name']}: not in the namespace {NAMESPACE}"
    for namespace in of_kind(documents, "Namespace"):
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "the namespace does not enforce restricted pod security"


@rule
def restricted_pods(documents):
    for workload in workloads(documents):
        pod, context = workload.pod, workload.pod.get("securityContext", {})
        if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{workload.name}: shares a namespace of its node"
        if not context.get("runAsNonRoot") or context.get("runAsUser", 0) == 0 or context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{workload.name}: the pod may run as root or without seccomp"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{workload.name}: a token of the cluster is mounted, which nothing here needs"
        for volume in pod["volumes"]:
            if not set(volume) - {"name"} <= VOLUMES:
                yield f"{workload.name}: the volume {volume['name']} is of a type that is not allowed"


@rule
def restricted_containers(documents):
    for workload in workloads(documents):
        for container in workload.containers:
            context = container.get("securityContext", {})
            kept = context.get("capabilities", {})
            if kept.get("drop") != ["ALL"] or kept.get("add") or context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
                yield f"{workload.name}/{container['name']}: may gain privileges"
            if not context.get("readOnlyRootFilesystem"):
                yield f"{workload.name}/{container['name']}: its root file system can be written"
            if any("hostPort" in port for port in container.get("ports", [])):
                yield f"{workload.name}/{container['name']}: takes a port of its node"


@rule
def resources(documents):
    for workload in workloads(documents):
        for container in workload.containers:
            requests, limits = (container.get("resources", {}).get(key, {}) for key in ("requests", "limits"))
            if not {"cpu", "memory"} <= set(requests) & set(limits):
                yield f"{workload.name}/{container['name']}: cpu and memory need a request and a limit"
            elif requests["memory"] != limits["memory"]:
                yield f"{workload.name}/{container['name']}: memory beyond the request is taken back by a kill: request and limit must be equal"


@rule
def probes(documents):
    for workload in workloads(documents):
        for container in workload.containers:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe not in container:
                    yield f"{workload.name}/{container['name']}: no {probe}"


@rule
def endings(documents):
    for workload in workloads(documents):
        for container in workload.containers:
            seconds = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            if seconds == 0:
                yield f"{workload.name}/{container['name']}: no preStop"
            if workload.pod.get("terminationGracePeriodSeconds", 30) < seconds + 20:
                yield f"{workload.name}/{container['name']}: the grace period leaves less than 20 s behind preStop"


@rule
def images(documents):
    for workload in workloads(documents):
        for container in workload.containers:
            image = container["image"]
            if not re.fullmatch(r"[a-z0-9.:-]+/[a-z0-9./-]+(:[0-9][\w.-]*|@sha256:[0-9a-f]{64})", image):
                yield f"{workload.name}/{container['name']}: the image {image} is not pinned by registry and version or digest"


@rule
def budgets(documents):
    budgets_found = of_kind(documents, "PodDisruptionBudget")
    for workload in workloads(documents):
        if len([budget for budget in budgets_found if selects(budget["spec"]["selector"], workload.labels)]) != 1:
            yield f"{workload.name}: its pods need one PodDisruptionBudget"
    for budget in budgets_found:
        name = budget["metadata"]["name"]
        if not any(selects(budget["spec"]["selector"], workload.labels) for workload in workloads(documents)):
            yield f"PodDisruptionBudget/{name}: selects no pod"
        if budget["spec"].get("maxUnavailable", 0) < 1 or budget["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"PodDisruptionBudget/{name}: may hold up the drain of a node for ever"


@rule
def services(documents):
    for service in of_kind(documents, "Service"):
        chosen = [workload for workload in workloads(documents) if selects({"matchLabels": service["spec"]["selector"]}, workload.labels)]
        if not chosen:
            yield f"Service/{service['metadata']['name']}: selects no pod"
        for port in service["spec"].get("ports", []):
            if any(port.get("targetPort", port["port"]) not in workload.ports() for workload in chosen):
                yield f"Service/{service['metadata']['name']}: its pods have no port {port.get('targetPort', port['port'])}"
    names = {service["metadata"]["name"] for service in of_kind(documents, "Service") if service["spec"].get("clusterIP") == "None"}
    for workload in workloads(documents):
        if workload.document["kind"] == "StatefulSet" and workload.document["spec"]["serviceName"] not in names:
            yield f"{workload.name}: its headless Service is not there"


@rule
def bootstrap(documents):
    """The coordinator and gateways are ready once a worker has come, so workers must find them before."""
    for service in of_kind(documents, "Service"):
        ports = {port["port"] for port in service["spec"].get("ports", [])}
        if ports & set(WORKERS_PORTS.values()) and service["spec"].get("publishNotReadyAddresses") is not True:
            yield f"Service/{service['metadata']['name']}: hides its pods until a worker has reached them"
    for workload in workloads(documents):
        if workload.component == "gateway" and workload.document["spec"].get("podManagementPolicy") != "Parallel":
            yield f"{workload.name}: a gateway waits until the one before it can be asked something"


def peers(policy):
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for entry in policy["spec"].get(direction, []):
            yield direction, entry.get(side, []), entry.get("ports", [])


@rule
def default_deny(documents):
    policies = of_kind(documents, "NetworkPolicy")
    closed = [policy for policy in policies if policy["spec"]["podSelector"] == {} and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}]
    if not any(not list(peers(policy)) for policy in closed):
        yield "no NetworkPolicy denies what is not allowed, in both directions"
    for policy in policies:
        for direction, sides, ports in peers(policy):
            if not sides or not ports or any(side == {"namespaceSelector": {}} or "ipBlock" in side for side in sides):
                yield f"NetworkPolicy/{policy['metadata']['name']}: {direction} is open to everybody, or on every port"


@rule
def network_edges(documents):
    pods = workloads(documents)
    for policy in of_kind(documents, "NetworkPolicy"):
        name = policy["metadata"]["name"]
        chosen = [pod for pod in pods if selects(policy["spec"]["podSelector"], pod.labels)]
        if not chosen:
            yield f"NetworkPolicy/{name}: selects no pod"
        for direction, sides, ports in peers(policy):
            own = [side for side in sides if "namespaceSelector" not in side]
            if any(not any(selects(side["podSelector"], pod.labels) for pod in pods) for side in own):
                yield f"NetworkPolicy/{name}: {direction} names pods that are not there"
            if direction == "ingress":
                single = [port["port"] for port in ports if "endPort" not in port]
                if any(port not in pod.ports() for port in single for pod in chosen):
                    yield f"NetworkPolicy/{name}: allows a port that its pods do not have"
    for pod in pods:
        if len(own_policies(documents, pod)) != 1:
            yield f"{pod.name}: needs one NetworkPolicy of its own"


def own_policies(documents, pod):
    return [policy for policy in of_kind(documents, "NetworkPolicy") if policy["spec"]["podSelector"] and selects(policy["spec"]["podSelector"], pod.labels)]


@rule
def doors(documents):
    """Coordinator and gateways let workers in at one port and labelled clients at the proxy's, and open no connection."""
    workers = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "emend", "app.kubernetes.io/component": "worker"}}}
    clients = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"emend-client": "true"}}}
    for pod in workloads(documents):
        if pod.component not in SERVERS:
            continue
        expected = [("ingress", workers, WORKERS_PORTS[pod.component]), ("ingress", clients, 8443)]
        found = [(direction, side, port.get("port")) for policy in own_policies(documents, pod) for direction, sides, ports in peers(policy) for side in sides for port in ports]
        if found != expected:
            yield f"{pod.name}: its NetworkPolicy allows {found}, expected {expected}"


def is_allowed(documents, direction, pod, other, port):
    """Whether the policies of `pod` let it talk to `other` at this port."""
    for policy in own_policies(documents, pod):
        for found, sides, ports in peers(policy):
            own = [side for side in sides if "namespaceSelector" not in side and selects(side["podSelector"], other.labels)]
            if found == direction and own and any(entry["port"] == port and entry["protocol"] == "TCP" for entry in ports):
                return True
    return False


def listener(documents, address):
    """Whose pods take workers at HOST:PORT, where HOST is a headless Service or a pod of one; none: nobody's."""
    host, _, port = address.partition(":")
    for service in of_kind(documents, "Service"):
        if service["metadata"]["name"] != host.split(".")[-1] or service["spec"].get("clusterIP") != "None":
            continue
        ports = {str(entry["port"]) for entry in service["spec"].get("ports", [])}
        for pod in [pod for pod in workloads(documents) if pod.component in SERVERS and selects({"matchLabels": service["spec"]["selector"]}, pod.labels)]:
            if port in ports and option(pod.container(SERVERS[pod.component]), "--worker-listen") == f"0.0.0.0:{port}":
                return pod
    return None


def gateway_addresses(documents):
    """Of every pod of the gateways, as workers dial it."""
    for workload in workloads(documents):
        if workload.component == "gateway":
            name, spec = workload.document["metadata"]["name"], workload.document["spec"]
            yield from (f"{name}-{i}.{spec['serviceName']}:{WORKERS_PORTS['gateway']}" for i in range(spec["replicas"]))


@rule
def dials(documents):
    """Workers dial the coordinator and each gateway, which listen there, and the policies of both sides let them through."""
    for worker in workloads(documents):
        if worker.component != "worker":
            continue
        variables = environment(worker.container("worker"))
        gateways, expected = variables.get("EMEND_GATEWAYS", ""), ",".join(gateway_addresses(documents))
        if gateways != expected:
            yield f"{worker.name}: EMEND_GATEWAYS is {gateways}, expected {expected}"
        for address in [variables.get("EMEND_COORDINATOR", ""), *gateways.split(",")]:
            target, port = listener(documents, address), int(address.rpartition(":")[2] or 0)
            if target is None:
                yield f"{worker.name}: dials {address}, where nobody takes workers"
            elif not is_allowed(documents, "egress", worker, target, port) or not is_allowed(documents, "ingress", target, worker, port):
                yield f"{worker.name}: the network policies keep it from {address}"


@rule
def references(documents):
    there = {(document["kind"], document["metadata"]["name"]) for document in documents}
    for workload in workloads(documents):
        for volume in workload.pod["volumes"]:
            secret = volume.get("secret", {}).get("secretName")
            if secret is not None and secret not in PROVIDED_SECRETS:
                yield f"{workload.name}: the Secret {secret} is not among those that are provided"
            for kind, name in (("ConfigMap", volume.get("configMap", {}).get("name")), ("PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName"))):
                if name is not None and (kind, name) not in there:
                    yield f"{workload.name}: {kind}/{name} is not there"


@rule
def paths(documents):
    """Every file that a program is told to use lies on a volume; in a Secret it is one of its keys."""
    for workload in workloads(documents):
        volumes = {volume["name"]: volume for volume in workload.pod["volumes"]}
        for container in workload.containers:
            mounts = {mount["mountPath"]: volumes.get(mount["name"], {}) for mount in container["volumeMounts"]}
            words = container.get("args", []) + list(environment(container).values())
            words += [word for probe in ("startupProbe", "livenessProbe", "readinessProbe") for word in container.get(probe, {}).get("exec", {}).get("command", [])[2:]]
            for path in [word.split("=", 1)[-1] for word in words]:
                if not path.startswith("/"):
                    continue
                mount = next((mount for mount in mounts if path == mount or path.startswith(mount + "/") or mount.startswith(path + "/")), None)
                secret = mounts.get(mount, {}).get("secret", {}).get("secretName")
                if mount is None:
                    yield f"{workload.name}/{container['name']}: {path} lies on no volume"
                elif secret is not None and path[len(mount) + 1 :] not in PROVIDED_SECRETS.get(secret, set()):
                    yield f"{workload.name}/{container['name']}: the Secret {secret} has no {path[len(mount) + 1 :]}"


@rule
def one_coordinator(documents):
    found = [workload for workload in workloads(documents) if workload.component == "coordinator"]
    if len(found) != 1 or found[0].document["kind"] != "StatefulSet" or found[0].document["spec"]["replicas"] != 1:
        yield "there must be one coordinator, a StatefulSet of one replica"
        return
    for claim in found[0].document["spec"].get("volumeClaimTemplates", []):
        if not set(claim["spec"]["accessModes"]) <= {"ReadWriteOncePod", "ReadWriteOnce"}:
            yield "the store's claim can be mounted on many nodes: two emendd could open the database"


@rule
def loopback(documents):
    """REST has no TLS: it is reached through the proxy alone."""
    for workload in workloads(documents):
        if workload.component not in SERVERS:
            continue
        program = workload.container(SERVERS[workload.component])
        listen = option(program, "--listen") or ""
        if not listen.startswith("127.0.0.1:") or listen.endswith(":0"):
            yield f"{workload.name}: {program['name']} must listen on a fixed port of loopback, not {listen}"
        config = next((document["data"]["nginx.conf"] for document in of_kind(documents, "ConfigMap")), "")
        if f"proxy_pass http://{listen};" not in config:
            yield f"{workload.name}: the proxy does not pass to {listen}"
        listens = re.findall(r"^\s*listen (.*);$", config, re.MULTILINE)
        if listens != [f"{port['containerPort']} ssl" for port in workload.container("proxy")["ports"]]:
            yield f"{workload.name}: the proxy listens at {listens}, expected its container's port, with TLS"
        if not option(program, "--worker-tls-ca"):
            yield f"{workload.name}: workers could dial in without a certificate"


@rule
def gateways_keep_nothing(documents):
    """No store, no model, and of the keys only their own."""
    for workload in workloads(documents):
        if workload.component != "gateway":
            continue
        secrets = {volume["secret"]["secretName"] for volume in workload.pod["volumes"] if "secret" in volume}
        if workload.claims() or workload.document["spec"].get("volumeClaimTemplates"):
            yield f"{workload.name}: mounts a claim"
        if secrets != {"emend-gateway-tls", "emend-answers-tls", "emend-worker-token"}:
            yield f"{workload.name}: mounts the Secrets {sorted(secrets)}"


@rule
def workers_see_no_database(documents):
    for workload in workloads(documents):
        if workload.component != "worker":
            continue
        if workload.claims() != WORKER_CLAIMS:
            yield f"{workload.name}: mounts {sorted(workload.claims())}, expected {sorted(WORKER_CLAIMS)}"
        for mount in workload.container("worker")["volumeMounts"]:
            if mount["name"] == "models" and not mount.get("readOnly"):
                yield f"{workload.name}: could change imported models"


@rule
def same_paths(documents):
    """Messages carry paths: what workers share with the coordinator is mounted where it is for the coordinator."""
    mounted = {}
    for workload in workloads(documents):
        volumes = {volume["name"]: volume.get("persistentVolumeClaim", {}).get("claimName") for volume in workload.pod["volumes"]}
        for mount in workload.pod["containers"][0]["volumeMounts"]:
            if volumes.get(mount["name"]) in WORKER_CLAIMS:
                mounted.setdefault(volumes[mount["name"]], set()).add(mount["mountPath"])
    for claim, places in mounted.items():
        if len(places) != 1:
            yield f"PersistentVolumeClaim/{claim}: mounted at {sorted(places)}, expected one path"


@rule
def ranks(documents):
    for workload in workloads(documents):
        if workload.component != "worker":
            continue
        variables = environment(workload.container("worker"))
        if workload.document["kind"] == "LeaderWorkerSet":
            if {"EMEND_RANK", "EMEND_WORLD_SIZE", "EMEND_GROUP"} & set(variables):
                yield f"{workload.name}: names rank or group by itself, against LeaderWorkerSet's variables"
        elif variables.get("EMEND_WORLD_SIZE") != str(workload.document["spec"]["replicas"]):
            yield f"{workload.name}: EMEND_WORLD_SIZE is {variables.get('EMEND_WORLD_SIZE')}, with {workload.document['spec']['replicas']} replicas"
        if "EMEND_HOST" not in variables or not variables.get("EMEND_COORDINATOR", "").startswith("emend-coordinator:"):
            yield f"{workload.name}: does not say where it is, or dials somebody else"


@rule
def shared_memory(documents):
    for workload in workloads(documents):
        if workload.component != "worker":
            continue
        container = workload.container("worker")
        volumes = {volume["name"]: volume for volume in workload.pod["volumes"]}
        in_memory = {name: volume["emptyDir"] for name, volume in volumes.items() if volume.get("emptyDir", {}).get("medium") == "Memory"}
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        if mounts.get("/dev/shm") not in in_memory:
            yield f"{workload.name}: /dev/shm is no volume in memory, so it has the container runtime's 64 MiB"
        if any("sizeLimit" not in volume for volume in in_memory.values()):
            yield f"{workload.name}: a volume in memory has no limit"
        elif sum(bytes_of(volume["sizeLimit"]) for volume in in_memory.values()) * 4 > bytes_of(container["resources"]["limits"]["memory"]):
            yield f"{workload.name}: volumes in memory may take more than a quarter of the memory limit"


@rule
def spread(documents):
    for workload in workloads(documents):
        if workload.component == "coordinator":
            continue
        preferred = workload.pod.get("affinity", {}).get("podAntiAffinity", {}).get("preferredDuringSchedulingIgnoredDuringExecution", [])
        terms = workload.pod.get("topologySpreadConstraints", []) + [entry["podAffinityTerm"] for entry in preferred]
        if not any(term["topologyKey"] == "kubernetes.io/hostname" and selects(term["labelSelector"], workload.labels) for term in terms):
            yield f"{workload.name}: its pods are not spread over machines"
