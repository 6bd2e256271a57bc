{{- define "wxenrich.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "wxenrich.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wxenrich.gateway.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wxenrich.gateway.labels" -}}
{{ include "wxenrich.gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "wxenrich.labels" -}}
{{ include "wxenrich.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "wxenrich.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* What the Go runtime may use: nine tenths of the limit, in MiB. */ -}}
{{- define "wxenrich.gomemlimit" -}}
{{- $limit := . -}}
{{- $mib := $limit | trimSuffix "i" | trimSuffix "M" | trimSuffix "G" | int -}}
{{- if hasSuffix "Gi" $limit -}}{{- $mib = mul $mib 1024 -}}{{- end -}}
{{ div (mul $mib 9) 10 }}MiB
{{- end -}}

{{- define "wxenrich.batchSize" -}}
{{ dig "batch" "size" 100 .Values.config | int }}
{{- end -}}

{{- /* The greatest concurrency of any account: what one replica can ask of one account at a time. */ -}}
{{- define "wxenrich.concurrency" -}}
{{- $most := 1 -}}
{{- range .Values.accounts -}}{{- $most = max $most (dig "config" "concurrency" 4 . | int) -}}{{- end -}}
{{ $most }}
{{- end -}}

{{- /* The calls a day of the account that may make the most: its quota.limit, or what WeChat gives. */ -}}
{{- define "wxenrich.callsPerDay" -}}
{{- $given := int64 .Values.autoscaling.quota.callsPerDay -}}
{{- $most := 0 -}}
{{- range .Values.accounts -}}
{{- $limit := dig "config" "quota" "limit" 0 . | int64 -}}
{{- $most = max $most (ternary (min $limit $given) $given (gt $limit 0)) -}}
{{- end -}}
{{ $most }}
{{- end -}}

{{- /* As many replicas as a day's calls keep busy, and no more than maxReplicas. */ -}}
{{- define "wxenrich.maxReplicas" -}}
{{- $a := .Values.autoscaling -}}
{{- $inFlight := divf (mulf (include "wxenrich.callsPerDay" . | int64) $a.quota.callSeconds) 86400 -}}
{{- $fed := ceil (divf $inFlight (include "wxenrich.concurrency" . | int)) | int -}}
{{ max (int $a.minReplicas) (min (int $a.maxReplicas) $fed) }}
{{- end -}}

{{- /* The section nats, which is the same for the service and the gateway. */ -}}
{{- define "wxenrich.nats" -}}
{{- $nats := dict "url" .Values.nats.url -}}
{{- if .Values.nats.credsSecret.name -}}{{- $_ := set $nats "creds" "/run/secrets/wxenrich/nats/creds" -}}{{- end -}}
{{- if .Values.nats.nkeySecret.name -}}{{- $_ := set $nats "nkey" "/run/secrets/wxenrich/nats/nkey" -}}{{- end -}}
{{- if .Values.nats.passwordSecret.name -}}
{{- $_ := set $nats "user" (required "nats.user is missing beside nats.passwordSecret" .Values.nats.user) -}}
{{- $_ := set $nats "password_file" "/run/secrets/wxenrich/nats/password" -}}
{{- end -}}
{{- with .Values.nats.inboxPrefix -}}{{- $_ := set $nats "inbox_prefix" . -}}{{- end -}}
{{- if .Values.nats.tls.secret -}}
{{- if .Values.nats.tls.ca -}}{{- $_ := set $nats "tls_ca" "/run/secrets/wxenrich/nats-tls/ca.crt" -}}{{- end -}}
{{- if .Values.nats.tls.client -}}
{{- $_ := set $nats "tls_cert" "/run/secrets/wxenrich/nats-tls/tls.crt" -}}
{{- $_ := set $nats "tls_key" "/run/secrets/wxenrich/nats-tls/tls.key" -}}
{{- end -}}
{{- end -}}
{{- $nats | toYaml -}}
{{- end -}}

{{- /* wxenrich.yaml: what the values say, and where the secrets are mounted. */ -}}
{{- define "wxenrich.yaml" -}}
{{- $nats := include "wxenrich.nats" . | fromYaml -}}
{{- $accounts := list -}}
{{- range .Values.accounts -}}
{{- $of := dict "appid" .appid "secret_file" (printf "/run/secrets/wxenrich/accounts/%s" .appid) -}}
{{- $accounts = append $accounts (merge $of (.config | default dict)) -}}
{{- end -}}
{{- $http := dict -}}
{{- if .Values.http.tokenSecret.name -}}{{- $_ := set $http "token_file" "/run/secrets/wxenrich/http/token" -}}{{- end -}}
{{- $own := dict "nats" $nats "accounts" $accounts "shutdown" (dict "grace" (printf "%ds" (int .Values.shutdownGraceSeconds))) -}}
{{- if .Values.accountsDir.sources -}}{{- $_ := set $own "accounts_dir" "/etc/wxenrich-accounts" -}}{{- end -}}
{{- if $http -}}{{- $_ := set $own "http" $http -}}{{- end -}}
{{ merge $own .Values.config | toYaml }}
{{- end -}}

{{- /* The values as the gateway sees them: its NATS user may be its own. */ -}}
{{- define "wxenrich.gateway.values" -}}
{{- $v := deepCopy .Values -}}
{{- if .Values.gateway.credsSecret.name -}}
{{- $none := dict "name" "" "key" "none" -}}
{{- $_ := set $v "nats" (merge (dict "credsSecret" .Values.gateway.credsSecret "nkeySecret" $none "passwordSecret" $none "inboxPrefix" .Values.gateway.inboxPrefix) (omit $v.nats "credsSecret" "nkeySecret" "passwordSecret" "inboxPrefix")) -}}
{{- end -}}
{{ $v | toYaml }}
{{- end -}}

{{- /* wxenrich.yaml of the gateway. What an account says of its input it says for both. */ -}}
{{- define "wxenrich.gateway.yaml" -}}
{{- $nats := include "wxenrich.nats" (dict "Values" (include "wxenrich.gateway.values" . | fromYaml)) | fromYaml -}}
{{- $inputs := dict -}}
{{- range .Values.accounts -}}{{- $_ := set $inputs .appid (dig "config" "input" dict .) -}}{{- end -}}
{{- $accounts := list -}}
{{- range .Values.gateway.accounts -}}
{{- $push := dict "token_file" (printf "/run/secrets/wxenrich/push/%s/token" .appid) -}}
{{- if .aesKey -}}{{- $_ := set $push "aes_key_file" (printf "/run/secrets/wxenrich/push/%s/aes-key" .appid) -}}{{- end -}}
{{- $of := dict "appid" .appid "push" (merge $push (.config | default dict)) -}}
{{- with get $inputs .appid -}}{{- $_ := set $of "input" . -}}{{- end -}}
{{- $accounts = append $accounts $of -}}
{{- end -}}
{{- $http := dict -}}
{{- if .Values.http.tokenSecret.name -}}{{- $_ := set $http "token_file" "/run/secrets/wxenrich/http/token" -}}{{- end -}}
{{- $own := dict "nats" $nats "accounts" $accounts -}}
{{- if .Values.gateway.accountsDir.enabled -}}{{- $_ := set $own "accounts_dir" "/etc/wxenrich-accounts" -}}{{- end -}}
{{- with .Values.gateway.spool -}}
{{- if .enabled -}}{{- $_ := set $own "gateway" (dict "spool" (dict "dir" "/var/lib/wxenrich/spool" "max_bytes" .maxBytes)) -}}{{- end -}}
{{- end -}}
{{- if $http -}}{{- $_ := set $own "http" $http -}}{{- end -}}
{{ merge $own .Values.config | toYaml }}
{{- end -}}

{{- /* The volumes of accounts_dir; a change of what they hold reaches the pod. */ -}}
{{- define "wxenrich.accountsDir.volumes" -}}
- name: accounts
  projected:
    defaultMode: 0440
    sources: {{- toYaml .sources | nindent 6 }}
{{- with .secrets }}
- name: accounts-secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - secret: {{- toYaml . | nindent 10 }}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "wxenrich.accountsDir.mounts" -}}
- {name: accounts, mountPath: /etc/wxenrich-accounts, readOnly: true}
{{- if .secrets }}
- {name: accounts-secrets, mountPath: /run/secrets/wxenrich-accounts, readOnly: true}
{{- end }}
{{- end -}}

{{- /* The Secrets that NATS and http ask for, as sources of a projected volume. */ -}}
{{- define "wxenrich.secrets" -}}
{{- range $file, $of := dict "creds" .Values.nats.credsSecret "nkey" .Values.nats.nkeySecret "password" .Values.nats.passwordSecret }}
{{- if $of.name }}
- secret:
    name: {{ $of.name }}
    items: [{key: {{ $of.key }}, path: nats/{{ $file }}}]
{{- end }}
{{- end }}
{{- with .Values.nats.tls }}
{{- if .secret }}
- secret:
    name: {{ .secret }}
    items:
      {{- if .ca }}
      - {key: ca.crt, path: nats-tls/ca.crt}
      {{- end }}
      {{- if .client }}
      - {key: tls.crt, path: nats-tls/tls.crt}
      - {key: tls.key, path: nats-tls/tls.key}
      {{- end }}
{{- end }}
{{- end }}
{{- with .Values.http.tokenSecret }}
{{- if .name }}
- secret:
    name: {{ .name }}
    items: [{key: {{ .key }}, path: http/token}]
{{- end }}
{{- end }}
{{- end -}}
