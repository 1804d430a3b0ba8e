{{/* What the schema cannot say in words: each refusal tells what was found, what is allowed, what to do. */}}

{{- define "balancer.refusals" -}}
{{- if not .Values.existingSecret -}}
{{- fail "\n\nexistingSecret is empty. Allowed: the name of a Secret in this namespace that holds the vCenters' passwords, one key each; passwords never stand in values. Create it, then name it:\n  kubectl create secret generic vcenter --from-file=vcenter-password=FILE\n  --set existingSecret=vcenter\n" -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail (printf "\n\nreplicas is %d. Allowed: 1, or 0 to stop it: the journal is an SQLite file on one volume, which one process at a time may write. A pod that is lost is replaced by itself, and what it had begun is settled then.\n" (int .Values.replicas)) -}}
{{- end -}}
{{- if not .Values.config.vcenters -}}
{{- fail "\n\nconfig.vcenters is empty. Allowed: at least one vCenter, with name, host, username and password_file (a key of existingSecret). See config.example.yaml.\n" -}}
{{- end -}}
{{- if not .Values.config.clusters -}}
{{- fail "\n\nconfig.clusters is empty. Allowed: at least one cluster, with vcenter and name. See config.example.yaml.\n" -}}
{{- end -}}
{{- if not (and .Values.config.http.listen .Values.config.http.port) -}}
{{- fail "\n\nconfig.http.listen or config.http.port is empty or 0. Allowed: an address that probes reach, 0.0.0.0 or \"::\", and a fixed port.\n" -}}
{{- end -}}
{{- if or (eq .Values.config.http.listen "localhost") (eq .Values.config.http.listen "::1") (hasPrefix "127." .Values.config.http.listen) -}}
{{- fail (printf "\n\nconfig.http.listen is %s, which no probe and no scraper reaches. Allowed: 0.0.0.0 or \"::\".\n" .Values.config.http.listen) -}}
{{- end -}}
{{- if and .Values.config.http.tokens (not .Values.config.http.tls) (not .Values.config.http.allow_plain_http) -}}
{{- fail "\n\nconfig.http.tokens are given, but neither config.http.tls nor config.http.allow_plain_http: tokens would cross the network in clear. Give config.http.tls, or config.http.allow_plain_http: true where a service mesh encrypts.\n" -}}
{{- end -}}
{{- if hasKey .Values.certificates "config.yaml" -}}
{{- fail "\n\ncertificates has a file config.yaml, which is the configuration's name. Allowed: any other name.\n" -}}
{{- end -}}
{{- end -}}
