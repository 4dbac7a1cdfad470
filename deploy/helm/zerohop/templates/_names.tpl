{{/* Templates of this chart keep to what its tests can render: see test/deploy/chart-template.ts. */}}

{{- define "zerohop.chartLabels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "zerohop.cacheLabels" -}}
app.kubernetes.io/name: zerohop
app.kubernetes.io/component: cache
{{- end }}

{{- define "zerohop.agentLabels" -}}
app.kubernetes.io/name: zerohop
app.kubernetes.io/component: agent
{{- end }}

{{- define "zerohop.relayLabels" -}}
app.kubernetes.io/name: zerohop
app.kubernetes.io/component: relay
{{- end }}

{{- define "zerohop.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "zerohop.corefile" -}}
{{- $bind := "__PILLAR__LOCAL__DNS__" -}}
{{ .Values.clusterDomain }}:53 {
    errors
    cache {
        success 9984 30
        denial 9984 5
    }
    reload
    loop
    bind {{ $bind }}
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    prometheus :9253
    {{- if eq .Values.mode "cache-only" }}
    health {{ .Values.cache.localAddress }}:8080
    {{- else }}
    health :8080 {
        lameduck 5s
    }
    {{- if eq .Values.mode "cache-and-agent" }}
    ready :8181
    {{- end }}
    {{- end }}
}
in-addr.arpa:53 {
    errors
    cache 30
    reload
    loop
    bind {{ $bind }}
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    prometheus :9253
}
ip6.arpa:53 {
    errors
    cache 30
    reload
    loop
    bind {{ $bind }}
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    prometheus :9253
}
.:53 {
    errors
    cache 30
    reload
    loop
    bind {{ $bind }}
    forward . __PILLAR__UPSTREAM__SERVERS__
    prometheus :9253
}
{{- end }}

{{/* The environment variable in which the kubelet hands the DNS service's address to containers. */}}
{{- define "zerohop.dnsServiceHost" -}}
$({{ .Values.dnsService.name | upper | replace "-" "_" }}_SERVICE_HOST)
{{- end }}

{{- define "zerohop.relayPort" -}}
{{- if .Values.hubble.relay.tls.enabled -}}
- { name: grpc, port: 443, protocol: TCP, targetPort: grpc }
{{- else -}}
- { name: grpc, port: 80, protocol: TCP, targetPort: grpc }
{{- end -}}
{{- end }}
