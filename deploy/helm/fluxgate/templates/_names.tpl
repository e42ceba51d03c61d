{{- define "fluxgate.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "fluxgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else if contains (include "fluxgate.name" .) .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "fluxgate.name" .) | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes of a release: it may stand in a selector. */}}
{{- define "fluxgate.selector" -}}
app.kubernetes.io/name: {{ include "fluxgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fluxgate.labels" -}}
{{ include "fluxgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "fluxgate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "fluxgate.configMap" -}}
{{- .Values.existingConfigMap | default (include "fluxgate.fullname" .) -}}
{{- end -}}

{{/* Empty where there are no secrets. */}}
{{- define "fluxgate.secret" -}}
{{- if .Values.secrets.existing -}}
{{- .Values.secrets.existing -}}
{{- else if .Values.secrets.values -}}
{{- include "fluxgate.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* The port of an address such as [::]:8080. */}}
{{- define "fluxgate.port" -}}
{{- regexFind "[0-9]+$" . | required (printf "%s has no port" .) -}}
{{- end -}}

{{/* Seconds from SIGTERM to SIGKILL: never less than what the gateway has been promised. */}}
{{- define "fluxgate.gracePeriod" -}}
{{- $server := .Values.config.server -}}
{{- $stop := div (add (int64 ($server.shutdown_delay_ms | default 0)) (int64 ($server.shutdown_timeout_ms | default 0)) 999) 1000 -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{- if not $server.shutdown_timeout_ms -}}
{{- fail "Set terminationGracePeriodSeconds: without config.server.shutdown_timeout_ms a stop waits for the last stream, and the chart cannot know for how long." -}}
{{- end -}}
{{- add $stop 25 -}}
{{- else -}}
{{- if le (int64 $given) (int64 $stop) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, but config.server.shutdown_delay_ms and shutdown_timeout_ms take %d s: raise the one or lower the others." (int64 $given) (int64 $stop)) -}}
{{- end -}}
{{- int64 $given -}}
{{- end -}}
{{- end -}}
