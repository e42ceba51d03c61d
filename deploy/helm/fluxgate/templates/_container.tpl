{{/* What the gateway and its check have in common: the same image, variables and files, or the check would see something else. */}}
{{- define "fluxgate.container" -}}
image: {{ include "fluxgate.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.env }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: { drop: [ALL] }
# Folders, so that changes arrive: a mount by subPath never changes.
volumeMounts:
  - { name: config, mountPath: /etc/fluxgate/config, readOnly: true }
  {{- if include "fluxgate.secret" . }}
  - { name: secrets, mountPath: /etc/fluxgate/secrets, readOnly: true }
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
