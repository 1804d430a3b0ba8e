{{/* What the Deployment's pod and the dry run's have in common. */}}

{{- define "balancer.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "balancer.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "balancer.env" -}}
# Where bare names of password_file and the like are looked for, as with systemd's credentials.
- name: CREDENTIALS_DIRECTORY
  value: /run/secrets/balancer
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "balancer.mounts" -}}
- name: config
  mountPath: /etc/balancer
  readOnly: true
- name: secrets
  mountPath: /run/secrets/balancer
  readOnly: true
- name: journal
  mountPath: /var/lib/balancer
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Every volume but the journal's. */}}
{{- define "balancer.volumes" -}}
- name: config
  configMap:
    name: {{ include "balancer.fullname" . }}
    items:
      - {key: config.yaml, path: config.yaml}
      {{- range $name, $_ := .Values.policies }}
      - {key: {{ printf "policy.%s.yaml" $name }}, path: {{ printf "policies/%s.yaml" $name }}}
      {{- end }}
      {{- range $name, $_ := .Values.certificates }}
      - {key: {{ printf "certificate.%s" $name }}, path: {{ $name }}}
      {{- end }}
- name: secrets
  secret:
    secretName: {{ .Values.existingSecret }}
    defaultMode: 288 # 0440: root and the pod's group
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: 64Mi
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "balancer.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
