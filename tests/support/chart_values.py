"""The values of the Helm chart: their types, defaults and meaning, from which its schema and table are made.

`config` and `policies` are not told here: they are the program's own documents. Nothing of this runs in the
product: Helm reads what is written from it.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Free = dict[str, object]
"""An object of Kubernetes' own form, which the API server checks."""

Texts = dict[str, str]
Name = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
Digest = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")]
Duration = Annotated[str, Field(pattern=r"^([0-9]+(ms|[smhd]))+$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?([EPTGM]i?|[kK]i?)?$")]
Cidr = Annotated[str, Field(pattern=r"^[0-9A-Fa-f.:]+/[0-9]{1,3}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Count = Annotated[int, Field(ge=0, le=100)]


class Section(BaseModel):
    """A section of the values: no key that is not known, names in camel case."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=True)


class Image(Section):
    """Which image is run."""

    repository: Annotated[str, Field(min_length=1, description="Image without tag.")] = (
        "vsphere-balancer"
    )
    tag: Annotated[str, Field(description="Tag; empty: the chart's appVersion.")] = ""
    digest: Annotated[Digest, Field(description="sha256:..., counts before the tag.")] = ""
    pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"], Field(description="When it is fetched.")
    ] = "IfNotPresent"


class SecretName(Section):
    """A Secret of the namespace, by name."""

    name: Annotated[str, Field(min_length=1, description="Name of the Secret.")]


class Persistence(Section):
    """The volume of the journal."""

    enabled: Annotated[
        bool, Field(description="Keep the journal on a volume; else it goes with the pod.")
    ] = True
    existing_claim: Annotated[
        Name, Field(description="A claim that is there already; empty: the chart makes one.")
    ] = ""
    storage_class_name: Annotated[
        str, Field(description="Storage class; empty: the cluster's default.")
    ] = ""
    size: Annotated[Quantity, Field(description="Size of the volume.")] = "1Gi"
    annotations: Annotated[Texts, Field(description="Annotations of the claim.")] = {}


class Service(Section):
    """How metrics and API are reached in the cluster."""

    type: Annotated[
        Literal["ClusterIP", "NodePort", "LoadBalancer"], Field(description="Kind of Service.")
    ] = "ClusterIP"
    port: Annotated[Port, Field(description="Port of the Service.")] = 9715
    annotations: Annotated[Texts, Field(description="Annotations of the Service.")] = {}


class ServiceAccount(Section):
    """The account of the pods, which has no rights."""

    create: Annotated[bool, Field(description="Make one.")] = True
    name: Annotated[Name, Field(description="Its name; empty: that of the release.")] = ""
    annotations: Annotated[Texts, Field(description="Annotations of the account.")] = {}


class NetworkPolicy(Section):
    """What the pods may reach, and who reaches them."""

    enabled: Annotated[
        bool, Field(description="Bound it to name servers, vCenters, proxies, and one port.")
    ] = True
    vcenter_cidrs: Annotated[
        list[Cidr], Field(description="Addresses of the vCenters; empty: any, at their ports.")
    ] = []
    ingress_from: Annotated[
        list[Free], Field(description="NetworkPolicyPeers that may connect; empty: all.")
    ] = []
    extra_egress: Annotated[
        list[Free], Field(description="More egress rules: web hooks, mail, ...")
    ] = []


class PodDisruptionBudget(Section):
    """What a drain of nodes may do."""

    enabled: Annotated[bool, Field(description="Make one.")] = True
    max_unavailable: Annotated[
        Count, Field(description="1 lets nodes be drained, 0 makes a drain wait for you.")
    ] = 1


class ServiceMonitor(Section):
    """For the Prometheus operator: whom to scrape."""

    enabled: Annotated[bool, Field(description="Make one; needs the operator's CRDs.")] = False
    interval: Annotated[Duration, Field(description="Time between two scrapes.")] = "30s"
    scrape_timeout: Annotated[Duration, Field(description="Longest time of a scrape.")] = "10s"
    labels: Annotated[Texts, Field(description="Labels by which Prometheus chooses it.")] = {}
    authorization: Annotated[
        Free, Field(description="Credentials, where config.http.metrics_need_token is set.")
    ] = {}
    tls_config: Annotated[Free, Field(description="TLS, where config.http.tls is set.")] = {}


class PrometheusRule(Section):
    """For the Prometheus operator: recording rules and alerts."""

    enabled: Annotated[bool, Field(description="Make one; needs the operator's CRDs.")] = False
    labels: Annotated[Texts, Field(description="Labels by which Prometheus chooses it.")] = {}


class Dashboards(Section):
    """For Grafana's sidecar: the dashboards."""

    enabled: Annotated[bool, Field(description="Make a ConfigMap of each dashboard.")] = False
    labels: Annotated[Texts, Field(description="Labels by which the sidecar finds them.")] = {
        "grafana_dashboard": "1"
    }
    annotations: Annotated[Texts, Field(description="Annotations, such as a folder.")] = {}


class DryRun(Section):
    """A CronJob for each cluster that prints a plan and moves nothing. With replicas 0: nothing else."""

    enabled: Annotated[bool, Field(description="Make the CronJobs.")] = False
    schedule: Annotated[str, Field(min_length=9, description="When, as cron has it.")] = "0 6 * * *"
    time_zone: Annotated[
        str, Field(description="Time zone of the schedule; Kubernetes 1.27 or newer.")
    ] = ""
    format: Annotated[
        Literal["text", "json", "markdown", "html"], Field(description="Form of the plan.")
    ] = "text"
    failed_jobs_history_limit: Annotated[Count, Field(description="Failed jobs kept.")] = 3
    successful_jobs_history_limit: Annotated[Count, Field(description="Ended jobs kept.")] = 3


class Values(Section):
    """All values but `config` and `policies`."""

    name_override: Annotated[Name, Field(description="In place of the chart's name.")] = ""
    fullname_override: Annotated[Name, Field(description="In place of all objects' name.")] = ""
    image: Annotated[Image, Field(description="Which image is run.")] = Image()
    image_pull_secrets: Annotated[
        list[SecretName], Field(description="Secrets of the image registry.")
    ] = []
    replicas: Annotated[int, Field(ge=0, description="1, or 0 to stop it: one journal.")] = 1
    existing_secret: Annotated[
        Name, Field(description="Required. Secret with the files that `config` names.")
    ] = ""
    certificates: Annotated[
        Texts, Field(description="Certificates by file name, for `ca_file` and the like.")
    ] = {}
    restart_on: Annotated[
        Literal["needed", "any"],
        Field(
            description="Which change of config makes a new pod: what a running one cannot take up, or any."
        ),
    ] = "needed"
    persistence: Annotated[Persistence, Field(description="Journal.")] = Persistence()
    service: Annotated[Service, Field(description="Service.")] = Service()
    service_account: Annotated[ServiceAccount, Field(description="Account.")] = ServiceAccount()
    network_policy: Annotated[NetworkPolicy, Field(description="Network.")] = NetworkPolicy()
    pod_disruption_budget: Annotated[PodDisruptionBudget, Field(description="Drains.")] = (
        PodDisruptionBudget()
    )
    service_monitor: Annotated[ServiceMonitor, Field(description="Scrapes.")] = ServiceMonitor()
    prometheus_rule: Annotated[PrometheusRule, Field(description="Alerts.")] = PrometheusRule()
    dashboards: Annotated[Dashboards, Field(description="Dashboards.")] = Dashboards()
    dry_run: Annotated[DryRun, Field(description="Dry runs.")] = DryRun()
    resources: Annotated[Free, Field(description="Requests and limits of the container.")] = {
        "requests": {"cpu": "200m", "memory": "512Mi"},
        "limits": {"memory": "4Gi"},
    }
    termination_grace_period_seconds: Annotated[
        int, Field(ge=10, le=600, description="A stop takes ten seconds at most.")
    ] = 30
    priority_class_name: Annotated[Name, Field(description="Priority of the pods.")] = ""
    node_selector: Annotated[Texts, Field(description="Labels of nodes that may run it.")] = {}
    tolerations: Annotated[list[Free], Field(description="Taints that are tolerated.")] = []
    affinity: Annotated[Free, Field(description="Affinity of the pods.")] = {}
    pod_annotations: Annotated[Texts, Field(description="More annotations of the pod.")] = {}
    pod_labels: Annotated[Texts, Field(description="More labels of the pods.")] = {}
    extra_env: Annotated[list[Free], Field(description="More environment variables.")] = []
    extra_volumes: Annotated[list[Free], Field(description="More volumes.")] = []
    extra_volume_mounts: Annotated[list[Free], Field(description="More mounts.")] = []
