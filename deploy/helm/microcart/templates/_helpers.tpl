{{/* The beginning of every name. */}}
{{- define "microcart.name" -}}
{{ .Release.Name | trunc 30 | trimSuffix "-" }}
{{- end }}

{{/* What is fixed about each service; the users are those of deploy/Dockerfile. */}}
{{- define "microcart.services" -}}
customers: {port: 8081, metricsPort: 9081, user: 10001}
cart: {port: 8082, metricsPort: 9082, user: 10002}
{{- end }}

{{- define "microcart.grpcPort" -}}50051{{- end }}
{{- define "microcart.grpcHost" -}}{{ include "microcart.name" . }}-customers-grpc{{- end }}

{{/* Labels that select the pods of a component; of the whole release without one. */}}
{{- define "microcart.selector" -}}
app.kubernetes.io/name: microcart
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "microcart.labels" -}}
{{ include "microcart.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "microcart.image" -}}
{{- with .root.Values.image.registry }}{{ . | trimSuffix "/" }}/{{ end -}}
microcart/{{ .name }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Where the database of a service is, and the Secrets for it. */}}
{{- define "microcart.database" -}}
{{- $database := (index .root.Values .name).database -}}
{{- $cluster := printf "%s-%s-db" (include "microcart.name" .root) .name -}}
{{- if eq .root.Values.databases "external" -}}
host: {{ $database.host | quote }}
port: {{ $database.port }}
caSecret: {{ $database.caSecret }}
ownerSecret: {{ $database.ownerSecret }}
servingSecret: {{ $database.servingSecret }}
{{- else -}}
cluster: {{ $cluster }}
host: {{ $cluster }}-rw
port: 5432
caSecret: {{ $cluster }}-ca
ownerSecret: {{ $database.ownerSecret | default (printf "%s-owner" $cluster) }}
servingSecret: {{ $database.servingSecret | default (printf "%s-serving" $cluster) }}
{{- end }}
{{- end }}

{{/* The environment for a role (`user`) of a database, whose files are in /secrets/postgres. */}}
{{- define "microcart.postgresEnv" -}}
{{- $at := include "microcart.database" . | fromYaml -}}
POSTGRES_HOST: {{ $at.host | quote }}
POSTGRES_PORT: {{ $at.port | int }}
POSTGRES_DB: {{ (index .root.Values .name).database.name }}
POSTGRES_USER: {{ .user }}
POSTGRES_PASSWORD_FILE: /secrets/postgres/password
POSTGRES_SSLMODE: verify-full
PGSSLROOTCERT: /secrets/postgres/ca.crt
{{- end }}

{{/* Those files, as sources of a projected volume. */}}
{{- define "microcart.postgresFiles" -}}
{{- $at := include "microcart.database" . | fromYaml -}}
- secret:
    name: {{ .secret }}
    items: [{key: password, path: postgres/password}]
- secret:
    name: {{ $at.caSecret }}
    items: [{key: ca.crt, path: postgres/ca.crt}]
{{- end }}

{{/* A YAML map as a list of environment variables. Numbers of values files are floating-point. */}}
{{- define "microcart.env" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ kindIs "float64" $value | ternary (int64 $value) $value | toString | quote }}
{{- end }}
{{- end }}

{{/* What every pod of the chart has; the pods satisfy the Pod Security Standard "restricted". No pod
talks to Kubernetes. Service links would set variables such as POSTGRES_PORT for a Service that is
called postgres. */}}
{{- define "microcart.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | int }}
  runAsGroup: {{ .user | int }}
  fsGroup: {{ .user | int }}
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "microcart.container" -}}
image: {{ include "microcart.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: secrets, mountPath: /secrets, readOnly: true}
{{- end }}

{{/* A secret in base64: the one that exists under this name and key, or a new one. */}}
{{- define "microcart.keptSecret" -}}
{{- $existing := lookup "v1" "Secret" .root.Release.Namespace .name -}}
{{- if $existing }}{{ index $existing.data .key }}{{ else }}{{ randAlphaNum 64 | b64enc }}{{ end }}
{{- end }}
