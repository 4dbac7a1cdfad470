/** The Helm chart: its values, and what comes of them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { defaultValues, mergeValues, renderChart, valuesSchema } from './chart-template.ts';
import { compileSchema } from './json-schema.ts';
import { find, firstContainer, type Manifest, nameOf, podSpec } from './manifest.ts';
import { parseTemplate } from './template/parse-template.ts';
import { runTemplate } from './template/run-template.ts';

const against = compileSchema(valuesSchema());
const withDefaults = (values: object) => mergeValues(defaultValues(), values);
const cacheOf = (values: object): Manifest =>
  find(renderChart(values).objects, 'DaemonSet', 'node-local-dns');
const agentOf = (values: object): Manifest => find(renderChart(values).objects, 'DaemonSet', 'zerohop-agent');

describe('values of the chart', () => {
  it('are right by default', () => {
    expect(against(defaultValues())).toEqual([]);
  });

  it.each([
    { name: 'an unknown name', values: { agnet: {} } },
    { name: 'an unknown name further down', values: { cache: { hartbeat: true } } },
    { name: 'an unknown mode', values: { mode: 'all' } },
    { name: 'a prefix without its length', values: { agent: { addressMatcherCidrs: ['169.254.0.0'] } } },
    { name: 'a name for an address', values: { cache: { localAddress: 'node' } } },
    { name: 'a quantity that is none', values: { cache: { resources: { limits: { memory: 'much' } } } } },
    { name: 'a text for a switch', values: { crd: { manage: 'yes' } } },
    { name: 'a port that is none', values: { hubble: { port: 70000 } } },
    { name: 'room for too few answers', values: { agent: { kernelAnswers: { entries: 999 } } } },
    { name: 'a text for a port', values: { agent: { metrics: { port: '9965' } } } },
    { name: 'a Secret that none can be named', values: { hubble: { tls: { secret: '../certs' } } } },
    { name: 'an unknown name of the relay', values: { hubble: { relay: { tsl: {} } } } },
    { name: 'no selector', values: { dnsService: { selector: null } } },
  ])('refuse $name', ({ values }) => {
    expect(against(withDefaults(values))).not.toEqual([]);
  });

  it('are each described, and closed against what is not', () => {
    const missing: string[] = [];
    const walk = (path: string, schema: Readonly<Record<string, unknown>>): void => {
      if (typeof schema.description !== 'string') missing.push(`${path}: no description`);
      const { properties } = schema as { properties?: Record<string, Readonly<Record<string, unknown>>> };
      if (properties === undefined) return;
      if (schema.additionalProperties !== false) missing.push(`${path}: open`);
      for (const [name, each] of Object.entries(properties)) walk(`${path}.${name}`, each);
    };
    walk('', valuesSchema() as Readonly<Record<string, unknown>>);
    expect(missing).toEqual([]);
  });
});

describe('the chart', () => {
  it('has the version of the program', () => {
    const root = new URL('../../', import.meta.url);
    const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
    const chart = parse(readFileSync(new URL('deploy/helm/zerohop/Chart.yaml', root), 'utf8'));
    expect(chart).toMatchObject({ apiVersion: 'v2', version, appVersion: version });
    expect(firstContainer(cacheOf({})).image).toBe(`zerohop:${version}`);
  });

  it('writes to its release namespace alone, but for what has none', () => {
    const { objects } = renderChart({ monitoring: { podMonitor: true, serviceMonitor: true } }, 'dns');
    const elsewhere = objects.filter(({ metadata }) => metadata.namespace !== 'dns').map(nameOf);
    expect(elsewhere).toEqual([
      'ClusterRole zerohop-agent',
      'ClusterRoleBinding zerohop-agent',
      'ClusterRole zerohop-agent-status',
      'ClusterRoleBinding zerohop-agent-status',
    ]);
  });

  it('runs the cache without root and without any capability where it has no heartbeat to give', () => {
    const cache = cacheOf({ cache: { heartbeat: false } });
    expect(podSpec(cache).securityContext).toMatchObject({ runAsNonRoot: true });
    expect(firstContainer(cache).securityContext.capabilities).toEqual({ drop: ['ALL'] });
  });

  it.each([
    { name: 'both addresses', ipvs: false, localip: '169.254.20.10,$(KUBE_DNS_SERVICE_HOST)' },
    { name: 'its own alone beside IPVS', ipvs: true, localip: '169.254.20.10' },
  ])('has the classic cache listen on $name', ({ ipvs, localip }) => {
    const { args = [] } = firstContainer(cacheOf({ mode: 'cache-only', cache: { ipvs } }));
    expect(args[args.indexOf('-localip') + 1]).toBe(localip);
  });

  it('names the DNS service of the cluster wherever it stands', () => {
    const values = { dnsService: { name: 'rke2-dns', selector: { app: 'dns' } } };
    const classic = firstContainer(cacheOf({ mode: 'cache-only', ...values })).args;
    expect(classic).toContain('169.254.20.10,$(RKE2_DNS_SERVICE_HOST)');
    const { objects } = renderChart(values);
    expect(find(objects, 'Service', 'kube-dns-upstream').spec).toMatchObject({ selector: { app: 'dns' } });
    expect(find(objects, 'CiliumLocalRedirectPolicy', 'nodelocaldns').spec).toMatchObject({
      redirectFrontend: { serviceMatcher: { serviceName: 'rke2-dns', namespace: 'kube-system' } },
    });
  });

  it('hands on what limits policies', () => {
    const agent = { addressMatcherCidrs: ['169.254.0.0/16', 'fd00::/8'], policyNamespaces: ['kube-system'] };
    expect(firstContainer(agentOf({ agent })).args).toEqual([
      'agent',
      '--bpf-directory=/host/sys/fs/bpf/zerohop',
      '--address-matcher-cidrs=169.254.0.0/16',
      '--address-matcher-cidrs=fd00::/8',
      '--policy-namespaces=kube-system',
    ]);
  });

  it('has the kernel answer only where there is a cache of ours to fill the map, and only when told to', () => {
    const flag = (values: object) =>
      firstContainer(agentOf(values)).args?.find((arg) => arg.startsWith('--kernel-answers'));
    const agent = { kernelAnswers: { enabled: true, entries: 50_000 } };
    expect(flag({})).toBe(undefined);
    expect(flag({ agent })).toBe('--kernel-answers=50000');
    expect(flag({ agent, mode: 'agent-with-other-cache' })).toBe(undefined);
    expect(flag({ agent, mode: 'beside-cilium' })).toBe(undefined);
  });

  it('is not rendered with kernel answers and without the heartbeat, by which the cache would get their memory', () => {
    const values = { agent: { kernelAnswers: { enabled: true } }, cache: { heartbeat: false } };
    expect(() => renderChart(values)).toThrow(/agent\.kernelAnswers\.enabled=true.*cache\.heartbeat=true/);
    expect(() => renderChart({ ...values, mode: 'agent-with-other-cache' })).not.toThrow();
    expect(() => renderChart({ cache: { heartbeat: false } })).not.toThrow();
  });

  it('asks for SYS_ADMIN only for old kernels, and for a profile of the nodes only when it is named', () => {
    const capabilities = (values: object) =>
      firstContainer(agentOf(values)).securityContext.capabilities?.add;
    expect(capabilities({})).not.toContain('SYS_ADMIN');
    expect(capabilities({ agent: { oldKernel: true } })).toEqual([
      'SYS_ADMIN',
      'NET_ADMIN',
      'NET_BROADCAST',
      'NET_RAW',
      'SYS_RESOURCE',
    ]);
    const profile = podSpec(agentOf({ agent: { localhostSeccompProfile: 'z.json' } })).securityContext;
    expect(profile.seccompProfile).toEqual({ type: 'Localhost', localhostProfile: 'z.json' });
  });

  it('serves Hubble at a port only when told to, and in the clear only when told to', () => {
    const flags = (values: object) =>
      (firstContainer(agentOf(values)).args ?? []).filter((arg) => arg.startsWith('--hubble'));
    expect(flags({})).toEqual([]);
    expect(flags({ hubble: { enabled: true, port: 4254 } })).toEqual([
      '--hubble-listen-address=:4254',
      '--hubble-tls-cert-file=/etc/zerohop/hubble/tls.crt',
      '--hubble-tls-key-file=/etc/zerohop/hubble/tls.key',
      '--hubble-tls-client-ca-files=/etc/zerohop/hubble/ca.crt',
    ]);
    expect(flags({ hubble: { enabled: true, tls: { enabled: false } } })).toEqual([
      '--hubble-listen-address=:4244',
      '--hubble-disable-tls',
    ]);
    expect(flags({ hubble: { relay: { enabled: true } } })).toHaveLength(4);
  });

  it('has a relay that is asked by TLS on port 443, or in the clear on port 80', () => {
    const relay = (tls: object, hubble: object = {}) => {
      const { objects } = renderChart({ hubble: { ...hubble, relay: { enabled: true, tls } } });
      const { args = [] } = firstContainer(find(objects, 'Deployment', 'zerohop-relay'));
      const { ports } = find(objects, 'Service', 'hubble-relay').spec as { ports: readonly object[] };
      return { args: args.slice(3), ports };
    };
    const client = [
      '--tls-hubble-client-cert-file=/etc/zerohop/hubble-client/tls.crt',
      '--tls-hubble-client-key-file=/etc/zerohop/hubble-client/tls.key',
      '--tls-hubble-server-ca-files=/etc/zerohop/hubble-client/ca.crt',
    ];
    expect(relay({})).toMatchObject({ args: [...client, '--disable-server-tls'], ports: [{ port: 80 }] });
    expect(relay({ enabled: true })).toMatchObject({
      args: [
        ...client,
        '--tls-relay-server-cert-file=/etc/zerohop/hubble-server/tls.crt',
        '--tls-relay-server-key-file=/etc/zerohop/hubble-server/tls.key',
      ],
      ports: [{ port: 443 }],
    });
    expect(relay({}, { tls: { enabled: false } }).args).toEqual([
      '--disable-client-tls',
      '--disable-server-tls',
    ]);
  });

  it('gives no agent and no relay to a cache alone', () => {
    const values = { mode: 'cache-only', hubble: { enabled: true, relay: { enabled: true } } };
    const names = renderChart(values).objects.map(nameOf);
    expect(names.filter((name) => /hubble|relay|agent/.test(name))).toEqual([]);
  });

  it('takes a Corefile as it is', () => {
    const corefile = '.:53 {\n    whoami\n}\n';
    const { data } = find(renderChart({ cache: { corefile } }).objects, 'ConfigMap', 'node-local-dns');
    expect(data).toEqual({ Corefile: expect.stringMatching(/^\n?\.:53 \{\n {4}whoami\n\}\n+$/) });
  });

  it('says after the installation what there is to look at', () => {
    expect(renderChart().notes).toContain('zerohop status');
    expect(renderChart({ mode: 'cache-only' }).notes).not.toContain('zerohop status');
  });
});

describe('the renderer of the tests', () => {
  const render = (source: string, root: unknown = {}) => {
    const template = parseTemplate('t', source);
    return runTemplate(template, { root, defines: template.defines, name: 't' });
  };

  it.each([
    { name: 'text as it is', source: 'a {b}\n', output: 'a {b}\n' },
    { name: 'white space taken on both sides', source: 'a \n {{- "b" -}} \n c', output: 'abc' },
    {
      name: 'the first branch that is true',
      source: '{{ if .no }}1{{ else if .a }}2{{ else }}3{{ end }}',
      output: '2',
    },
    {
      name: 'the dot of with and range',
      source: '{{ with .a }}{{ range .l }}<{{ . }}>{{ end }}{{ end }}',
      output: '<x><y>',
    },
    {
      name: 'variables within their block',
      source: '{{ $v := "1" }}{{ if true }}{{ $v := "2" }}{{ $v }}{{ end }}{{ $v }}',
      output: '21',
    },
    { name: 'the root within a block', source: '{{ with .a }}{{ $.b }}{{ end }}', output: 'B' },
    {
      name: 'pipes and parentheses',
      source: '{{ printf "%s-%s" .b (.none | default "d") | quote }}',
      output: '"B-d"',
    },
    {
      name: 'named templates',
      source: '{{ define "n" }}[{{ .b }}]{{ end }}{{ include "n" . | nindent 2 }}',
      output: '\n  [B]',
    },
    { name: 'comments as nothing', source: 'a{{/* b */}}c', output: 'ac' },
  ])('gives $name', ({ source, output }) => {
    expect(render(source, { a: { l: ['x', 'y'] }, b: 'B' })).toBe(output);
  });

  it.each([
    { name: 'an unknown function', source: '{{ lookup "v1" }}' },
    { name: 'nothing at all', source: '{{ .none }}' },
    { name: 'a field of nothing', source: '{{ .none.a }}' },
    { name: 'a list', source: '{{ .l }}' },
    { name: 'an unknown variable', source: '{{ $v }}' },
    { name: 'range variables', source: '{{ range $i, $e := .l }}{{ end }}' },
    { name: 'template', source: '{{ template "n" . }}' },
    { name: 'a block without an end', source: '{{ if true }}' },
    { name: 'an end without a block', source: '{{ end }}' },
    { name: 'another verb', source: '{{ printf "%d" 1 }}' },
    { name: 'unlike things compared', source: '{{ eq "1" 1 }}' },
    { name: 'what the template refuses itself', source: '{{ if .l }}{{ fail "no" }}{{ end }}' },
  ])('refuses $name', ({ source }) => {
    expect(() => render(source, { l: ['x'] })).toThrow(/^t/);
  });
});
