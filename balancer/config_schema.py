"""The JSON Schema of the configuration file, for editors: shape from the typed settings, words from here.

It owns what an editor shows beside a key. The settings themselves, their defaults and the checks that span
them are `config`; a test compares the two.
"""

from collections.abc import Mapping
from types import MappingProxyType

from balancer.config import Config

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "Config.apiVersion": "Version of this form.",
        "Config.kind": "What the file is.",
        "Config.vcenters": "The vCenters and the accounts used there.",
        "Config.clusters": "The clusters that are watched.",
        "Config.policy_folder": "Looked into for policies before /etc/balancer/policies.",
        "Config.stop_file": "While this file is there nothing is sent; not given: stop beside the journal.",
        "Config.journal": "Where moves are written down before they are made.",
        "Config.history": "What is remembered of demand.",
        "Config.planning": "What the processes that plan may take.",
        "Config.notify": "Through which channels people are told of what they should know.",
        "Config.record": "Whether snapshots are kept for the lab, and how much of them.",
        "Config.http": "Where metrics, probes and /api/v1 are served, and to whom.",
        "Config.log": "Form and loudness of the log.",
        "VCenter.name": "How journal, metrics and log call it.",
        "VCenter.host": "Name or address, without https:// and without a path.",
        "VCenter.port": "TCP port.",
        "VCenter.username": "The account; either this or username_file.",
        "VCenter.username_file": "File with the account's name in one line; either this or username.",
        "VCenter.password_file": "File with the password in one line, read anew at every login.",
        "VCenter.tls": "How the certificate is verified.",
        "VCenter.timeouts": "Total time of one request.",
        "VCenter.proxy": "HTTP proxy; not given: none, the environment is not looked at.",
        "VCenter.page_size": "Objects in one answer.",
        "VCenter.full_read_every_s": "Longest age in seconds of what seldom changes.",
        "VCenter.pool_size": "Most connections of one session at a time.",
        "VCenter.concurrency": "Most statistics queries at a time, within pool_size.",
        "VCenter.change_hints": "Let the vCenter tell of changes between cycles.",
        "VCenter.allow_excess_privileges": "Move VMs even with an account that may do much more.",
        "VCenter.read_tags": "Read vSphere tags through the REST API.",
        "Tls.ca_file": "PEM file; trust the authorities in it instead of the system's.",
        "Tls.thumbprint_sha256": "Trust this one certificate: 64 hexadecimal digits, colons allowed.",
        "Timeouts.connect_s": "Seconds to connect.",
        "Timeouts.read_s": "Seconds of a request that reads.",
        "Timeouts.submit_s": "Seconds of a request that starts a migration.",
        "Proxy.host": "Name or address of a proxy that opens ways with CONNECT.",
        "Proxy.port": "TCP port of the proxy.",
        "Proxy.credentials_file": "File with user:password in one line, read anew.",
        "Proxy.from_environment": "https_proxy and no_proxy of the environment count.",
        "Cluster.vcenter": "The name of one of the vCenters of this file.",
        "Cluster.name": "Name or managed-object id of the cluster.",
        "Cluster.mode": "The freest mode here; the policies may be more careful.",
        "Cluster.policies": "Policies by name or path, merged in order.",
        "Cluster.interval_s": "Seconds between two cycles.",
        "Cluster.shortest_interval_s": "Least seconds between two cycles when changes call for one early.",
        "Journal.path": "An SQLite database.",
        "Journal.retention_days": "For how long what is over is kept; the audit log is kept for good.",
        "History.path": "An SQLite database; not given: history.sqlite beside the journal.",
        "History.five_minute_days": "For how many days figures of five minutes are kept on disk.",
        "History.memory_days": "Days of these figures that memory holds, for forecasts; no more than the file.",
        "History.hourly_days": "For how many days figures of an hour are kept.",
        "History.most_mib": "MiB that it may take on disk; the oldest figures of five minutes go first.",
        "Planning.memory_mib": "MiB of address space of one process that plans.",
        "Planning.patience_s": "Seconds that one plan may take.",
        "Planning.processes": "Plans that may be made at the same time.",
        "Http.listen": "Address of /metrics, /healthz, /readyz and /api/v1.",
        "Http.port": "TCP port; 0 takes a free one.",
        "Notify.webhook": "Channels that take signed JSON.",
        "Notify.slack": "Incoming webhooks of Slack.",
        "Notify.teams": "Workflows of Teams that post a card.",
        "Notify.email": "Mail relays and their recipients.",
        "WebhookChannel.secret_file": "File with the key that signs: 24 to 64 bytes in Base64.",
        "EmailChannel.host": "Name or address of the relay.",
        "EmailChannel.port": "TCP port of the relay.",
        "EmailChannel.security": "starttls, tls from the first byte on, or none: no password is sent then.",
        "EmailChannel.ca_file": "PEM file; trust the authorities in it instead of the system's.",
        "EmailChannel.username": "Account at the relay; not given: none is needed.",
        "EmailChannel.password_file": "File with its password in one line, read anew for each message.",
        "EmailChannel.sender": "Address that the mail comes from.",
        "EmailChannel.recipients": "Addresses that the mail goes to.",
        "Http.tls": "Certificate and key; not given: plain HTTP.",
        "Http.tokens": "Who may use /api/v1; none: nobody.",
        "Http.metrics_need_token": "/metrics asks for a token too; probes never do.",
        "Http.allow_plain_http": "Tokens without TLS beyond loopback: something before it encrypts.",
        "HttpTls.certificate_file": "PEM file, the certificate first; read anew when it changes.",
        "HttpTls.key_file": "PEM file, without a passphrase; read anew when it changes.",
        "HttpToken.name": "What the audit log calls whoever shows the token.",
        "HttpToken.role": "viewer reads; operator also decides; admin also acknowledges and reads the audit log.",
        "HttpToken.sha256": "SHA-256 of the token, 64 hexadecimal digits: balancer token makes both.",
        "Record.folder": "Where snapshots are recorded; not given: nothing is.",
        "Record.anonymize": "Names are replaced by pseudonyms; their key lies beside the journal.",
        "Record.clusters": "Clusters that are recorded, as vcenter/cluster; none named: all.",
        "Record.keep_days": "Older recordings are removed.",
        "Record.most_mib": "MiB of all recordings; the oldest ones are removed when they take more.",
        "Log.format": "auto: text on a terminal, JSON elsewhere.",
        "Log.level": "The least level that is written.",
    }
)
"""What each setting means, by model and key as the file has it."""

_OF_CHANNELS: Mapping[str, str] = MappingProxyType(
    {
        "name": "How log and metrics call the channel: small letters, digits, - and _.",
        "events": "Kinds of notices that it is told; none named: all.",
        "clusters": "Clusters that it is told of, as vcenter/cluster; none named: all.",
        "least_severity": "The least grave notices that it is told.",
        "least_interval_s": "Least seconds between two messages; what comes between is told in one.",
        "url_file": "File with the address in one line, read anew for each message.",
        "ca_file": "PEM file; trust the authorities in it instead of the system's.",
        "proxy": "Proxy such as http://proxy.example.com:3128; the environment is not looked at.",
    }
)
"""What the settings mean that channels of several kinds share."""


def description(model: str, key: str) -> str:
    """Return what a setting means, by the name of its section's type and its key; empty where nobody said."""
    own = DESCRIPTIONS.get(f"{model}.{key}", "")
    return own or (_OF_CHANNELS.get(key, "") if model.endswith("Channel") else "")


def config_schema() -> dict[str, object]:
    """Return the JSON Schema of the configuration, as published in `balancer/schemas`."""
    schema = Config.model_json_schema(by_alias=True)
    for name, part in [("Config", schema), *schema["$defs"].items()]:
        for key, setting in part.get("properties", {}).items():
            setting |= {"description": description(name, key)}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "balancer/config.v1.schema.json",
    }
    return head | schema | {"title": "Configuration of the balancer, version 1"}
