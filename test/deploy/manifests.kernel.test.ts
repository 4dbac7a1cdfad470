/**
 * What `kubectl` makes of the overlays: valid objects, the same ones as the chart's, with no more rights than are used,
 * arguments that the program takes, and Corefiles that it starts. It is this long because each is held against every
 * overlay, which are built once.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { agentProgram } from '../../src/cli/agent.ts';
import { relayProgram } from '../../src/cli/relay.ts';
import {
  AGENT_ANSWER_RULES,
  AGENT_NAMESPACE_RULES,
  AGENT_STATUS_RULES,
  AGENT_WATCH_RULES,
  type PolicyRule,
} from '../../src/kube/rbac.ts';
import { NODE_CACHE_FLAGS, nodeCacheSpec } from '../../src/nodecache/flags.ts';
import { renderTemplate } from '../../src/nodecache/template.ts';
import { BACKEND_ADDRESS_ANNOTATION, parseBackendAddresses } from '../../src/policy/backend-address.ts';
import { parseGoFlags } from '../../src/serve/process/go-flags.ts';
import { chartDefinitions, renderChart } from './chart-template.ts';
import { compileSchema } from './json-schema.ts';
import { SCHEMAS, unknownFields, violations } from './kubernetes-schemas.ts';
import {
  type Container,
  composed,
  find,
  firstContainer,
  kustomize,
  type Manifest,
  nameOf,
  OVERLAYS,
  type PodSpec,
  podSpec,
} from './manifest.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const built = new Map(OVERLAYS.map((name) => [name, kustomize(`overlays/${name}`)]));
const overlay = (name: (typeof OVERLAYS)[number]): readonly Manifest[] => built.get(name) ?? [];
const cleanup = kustomize('overlays/cleanup');
const definition = kustomize('crd');

const CRD_NAME = 'ciliumlocalredirectpolicies.cilium.io';

const home = mkdtempSync(join(tmpdir(), 'zerohop-deploy-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const HUBBLE = ['hubble', 'hubble-relay', 'hubble-names'];
const MEASURED = ['agent-metrics', 'agent-podmonitor', 'agent-servicemonitor'];
const variants: Readonly<Record<string, readonly Manifest[]>> = {
  monitored: composed('monitored', 'overlays/cache-and-agent', ['crd', 'podmonitor', 'servicemonitor']),
  ipvs: composed('ipvs', 'overlays/cache-only', ['ipvs']),
  old: composed('old', 'overlays/cache-and-agent', ['old-kernel', 'localhost-seccomp']),
  answers: composed('answers', 'overlays/cache-and-agent', ['kernel-answers']),
  everywhere: composed('everywhere', 'overlays/cache-and-agent', ['socket-redirect-all']),
  selinux: composed('selinux', 'overlays/cache-and-agent', ['selinux']),
  hubble: composed('hubble', 'overlays/cache-and-agent', HUBBLE),
  besideCilium: composed('beside', 'overlays/beside-cilium', ['hubble', 'hubble-relay']),
  measured: composed('measured', 'overlays/cache-and-agent', MEASURED),
  stock: kustomize('overlays/agent-with-stock-manifest'),
  doctor: kustomize('overlays/doctor'),
  cleanup,
  definition,
};
const everything = [...[...built.values()].flat(), ...Object.values(variants).flat()];
const MONITORED = { monitoring: { podMonitor: true, serviceMonitor: true } };
const RELAYED = { hubble: { relay: { enabled: true } } };
const charts = OVERLAYS.map((mode) => ({
  mode,
  objects: renderChart({
    ...{ mode, ...MONITORED, agent: { metrics: { enabled: true } } },
    hubble: { relay: { enabled: true, tls: { enabled: true, clientCertificates: true } } },
  }).objects,
}));

describe('every object', () => {
  const all = [...everything, ...charts.flatMap(({ objects }) => objects), ...chartDefinitions()];

  it.each(SCHEMAS)('is one of Kubernetes $version', { timeout: 120_000 }, async (schema) => {
    expect(await violations(schema, all)).toEqual([]);
    expect(unknownFields(schema, all)).toEqual([]);
  });

  it.each(SCHEMAS)(
    'would be refused by $version with a mistake in it',
    { timeout: 120_000 },
    async (schema) => {
      const agent = find(overlay('cache-and-agent'), 'DaemonSet', 'zerohop-agent');
      const wrongType = structuredClone(agent) as unknown as {
        spec: { template: { spec: Record<string, unknown> } };
      };
      wrongType.spec.template.spec.hostNetwork = 'yes';
      expect(await violations(schema, [wrongType as unknown as Manifest])).toHaveLength(1);
      const wrongName = structuredClone(agent) as unknown as {
        spec: { template: { spec: Record<string, unknown> } };
      };
      wrongName.spec.template.spec.hostNetwrok = true;
      expect(unknownFields(schema, [wrongName as unknown as Manifest])).toHaveLength(1);
    },
  );

  it('that is a policy fits the definition', () => {
    const { versions } = find(definition, 'CustomResourceDefinition', CRD_NAME).spec as {
      versions: { schema: { openAPIV3Schema: object } }[];
    };
    const against = compileSchema(versions[0]?.schema.openAPIV3Schema ?? { not: {} });
    const policies = all.filter(({ kind }) => kind === 'CiliumLocalRedirectPolicy');
    expect(policies.length).toBeGreaterThan(3);
    expect(policies.flatMap(against)).toEqual([]);
  });

  it('that is a policy for the stock cache names an address that the agent takes', () => {
    const { metadata } = find(variants.stock ?? [], 'CiliumLocalRedirectPolicy', 'nodelocaldns');
    const { annotations = {} } = metadata as { annotations?: Record<string, string> };
    const addresses = parseBackendAddresses(annotations[BACKEND_ADDRESS_ANNOTATION] ?? '');
    expect(addresses).toMatchObject({ ok: true, value: ['169.254.20.10'] });
  });

  it('stands once in its overlay', () => {
    for (const objects of built.values()) {
      const names = objects.map(nameOf);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

describe('the chart', () => {
  it.each(OVERLAYS)('gives in mode %s what the overlay gives', (mode) => {
    expect(renderChart({ mode }).objects.map(comparable).sort(byName)).toEqual(
      overlay(mode).map(comparable).sort(byName),
    );
  });

  it('gives the monitors of the components', () => {
    const monitors = (objects: readonly Manifest[]) =>
      objects
        .filter(({ kind }) => kind.endsWith('Monitor'))
        .map(comparable)
        .sort(byName);
    expect(monitors(renderChart(MONITORED).objects)).toEqual(monitors(variants.monitored ?? []));
  });

  it('gives what the components for metrics, Hubble and its relay give', () => {
    const measured = renderChart({ ...MONITORED, agent: { metrics: { enabled: true } } }).objects;
    const ofCaches = measured.filter(
      ({ kind, metadata }) => kind.endsWith('Monitor') && metadata.name === 'node-local-dns',
    );
    expect(ofCaches).toHaveLength(2);
    expect(
      measured
        .filter((each) => !ofCaches.includes(each))
        .map(comparable)
        .sort(byName),
    ).toEqual((variants.measured ?? []).map(comparable).sort(byName));
    const relayed = renderChart(RELAYED).objects;
    expect(relayed.map(comparable).sort(byName)).toEqual(
      (variants.hubble ?? []).map(comparable).sort(byName),
    );
    const beside = renderChart({ mode: 'beside-cilium', ...RELAYED }).objects;
    expect(beside.map(comparable).sort(byName)).toEqual(
      (variants.besideCilium ?? []).map(comparable).sort(byName),
    );
  });

  it('gives what the components for IPVS, old kernels, SELinux, sockets of pods and kernel answers give', () => {
    const ipvs = renderChart({ mode: 'cache-only', cache: { ipvs: true } }).objects;
    expect(ipvs.map(comparable).sort(byName)).toEqual((variants.ipvs ?? []).map(comparable).sort(byName));
    const agent = { oldKernel: true, localhostSeccompProfile: 'zerohop-agent.json' };
    expect(renderChart({ agent }).objects.map(comparable).sort(byName)).toEqual(
      (variants.old ?? []).map(comparable).sort(byName),
    );
    const selinux = renderChart({ seLinuxType: 'spc_t' }).objects;
    expect(selinux.map(comparable).sort(byName)).toEqual(
      (variants.selinux ?? []).map(comparable).sort(byName),
    );
    const everywhere = renderChart({ agent: { socketRedirect: 'all' } }).objects;
    expect(everywhere.map(comparable).sort(byName)).toEqual(
      (variants.everywhere ?? []).map(comparable).sort(byName),
    );
    const answers = renderChart({ agent: { kernelAnswers: { enabled: true } } }).objects;
    expect(answers.map(comparable).sort(byName)).toEqual(
      (variants.answers ?? []).map(comparable).sort(byName),
    );
  });
});

describe('RBAC', () => {
  const rulesOf = (name: string, kind: string): readonly PolicyRule[] =>
    find(overlay('cache-and-agent'), kind, name).rules as readonly PolicyRule[];

  it('gives the agent the verbs it uses, and no others', () => {
    expect(rulesOf('zerohop-agent', 'ClusterRole')).toEqual(AGENT_WATCH_RULES);
    expect(rulesOf('zerohop-agent-status', 'ClusterRole')).toEqual(AGENT_STATUS_RULES);
    expect(rulesOf('zerohop-agent', 'Role')).toEqual(AGENT_NAMESPACE_RULES);
  });

  it('gives one that answers from the kernel the network policies to read, and nothing else', () => {
    const rules = (objects: readonly Manifest[]) => find(objects, 'ClusterRole', 'zerohop-agent').rules;
    expect(rules(variants.answers ?? [])).toEqual([...AGENT_WATCH_RULES, ...AGENT_ANSWER_RULES]);
    const others = (objects: readonly Manifest[]) =>
      objects.filter(({ rules: all, metadata }) => all !== undefined && metadata.name !== 'zerohop-agent');
    expect(others(variants.answers ?? [])).toEqual(others(overlay('cache-and-agent')));
  });

  it('gives an agent that only watches nothing to write', () => {
    const verbs = overlay('beside-cilium')
      .flatMap(({ rules }) => (rules ?? []) as readonly PolicyRule[])
      .flatMap((rule) => rule.verbs);
    expect(new Set(verbs)).toEqual(new Set(['list', 'watch']));
  });

  it('binds each role to the account of the agent, and the cache has none', () => {
    for (const objects of built.values()) {
      for (const binding of objects.filter(({ kind }) => kind.endsWith('Binding'))) {
        expect(binding.subjects).toEqual([
          { kind: 'ServiceAccount', name: 'zerohop-agent', namespace: 'kube-system' },
        ]);
        const { kind, name } = binding.roleRef as { kind: string; name: string };
        expect(find(objects, kind, name)).toBeDefined();
      }
    }
  });
});

describe('pods', () => {
  const daemonSets = [...[...built.values()].flat(), ...cleanup].filter(({ kind }) => kind === 'DaemonSet');
  const containers = daemonSets.flatMap((daemonSet) => {
    const spec = podSpec(daemonSet);
    return [...(spec.initContainers ?? []), ...spec.containers].map((container) => ({ container, spec }));
  });

  it('are never privileged, cannot gain rights, write to no image and are under seccomp', () => {
    expect(containers.length).toBeGreaterThan(6);
    for (const { container, spec } of containers) {
      const { securityContext } = container;
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(securityContext.privileged ?? false).toBe(false);
      expect(spec.securityContext.seccompProfile).toEqual({ type: 'RuntimeDefault' });
      expect(spec.hostPID ?? false).toBe(false);
    }
  });

  it('have the capabilities that are accounted for, and no others', () => {
    const added = (name: (typeof OVERLAYS)[number], daemonSet: string) =>
      firstContainer(find(overlay(name), 'DaemonSet', daemonSet)).securityContext.capabilities?.add ?? [];
    const agent = ['BPF', 'NET_ADMIN', 'PERFMON', 'NET_BROADCAST', 'NET_RAW', 'SYS_RESOURCE'];
    expect({
      'cache-only': added('cache-only', 'node-local-dns'),
      'cache-and-agent, cache': added('cache-and-agent', 'node-local-dns'),
      'cache-and-agent, agent': added('cache-and-agent', 'zerohop-agent'),
      'beside-cilium': added('beside-cilium', 'zerohop-agent'),
      'other cache': added('agent-with-other-cache', 'node-local-dns'),
    }).toEqual({
      'cache-only': ['NET_ADMIN', 'NET_RAW', 'NET_BIND_SERVICE'],
      'cache-and-agent, cache': ['NET_BIND_SERVICE'],
      'cache-and-agent, agent': agent,
      'beside-cilium': agent,
      'other cache': [],
    });
  });

  it('run without root where nothing of root is needed', () => {
    const rootless = containers.filter(({ container, spec }) => {
      const user = container.securityContext.runAsUser ?? spec.securityContext.runAsUser;
      return user !== 0;
    });
    const names = rootless.map(({ container: { name, securityContext }, spec }) => {
      expect(securityContext.runAsNonRoot ?? spec.securityContext.runAsNonRoot).toBe(true);
      return name;
    });
    expect(names.sort()).toEqual(['done', 'node-cache']);
  });

  it('are handed a token only where it is used', () => {
    for (const daemonSet of daemonSets) {
      const uses = daemonSet.metadata.name === 'zerohop-agent';
      expect(podSpec(daemonSet).automountServiceAccountToken, nameOf(daemonSet)).toBe(uses);
    }
  });

  it('claim no port of the node, so that a new one starts beside the old', () => {
    for (const daemonSet of daemonSets) {
      const spec: PodSpec = podSpec(daemonSet);
      const ports = spec.containers.flatMap((container) => container.ports ?? []);
      if (spec.hostNetwork === true) expect(ports, nameOf(daemonSet)).toEqual([]);
      expect(ports.filter(({ hostPort }) => hostPort !== undefined)).toEqual([]);
    }
  });

  it('mount only volumes they have, and of the node only these', () => {
    const paths = new Set<string>();
    for (const { container, spec } of containers) {
      const volumes = new Map((spec.volumes ?? []).map((volume) => [volume.name, volume]));
      for (const { name } of container.volumeMounts ?? []) expect(volumes.has(name), name).toBe(true);
      for (const { hostPath } of volumes.values()) if (hostPath !== undefined) paths.add(hostPath.path);
    }
    expect([...paths].sort()).toEqual([
      '/run/xtables.lock',
      '/run/zerohop',
      '/run/zerohop-node-cache',
      '/run/zerohop/cache',
      '/sys/fs/bpf',
      '/sys/fs/cgroup',
    ]);
  });

  it('run the image of the Dockerfile in the version of the program, and one of somebody else where it says so', () => {
    const images = new Set(containers.map(({ container }) => container.image));
    expect([...images].sort()).toEqual([
      expect.stringMatching(/\/k8s-dns-node-cache:\d+\.\d+\.\d+$/),
      `zerohop:${version}`,
    ]);
  });

  it('write to nothing below /sys, where the default AppArmor profiles of runtimes refuse it', () => {
    const mounts = containers.flatMap(({ container }) => container.volumeMounts ?? []);
    expect(mounts.filter(({ mountPath }) => mountPath.startsWith('/sys'))).toEqual([]);
    for (const { container } of containers.filter(({ container: { args = [] } }) => args[0] === 'agent')) {
      expect(container.args).toContain('--bpf-directory=/host/sys/fs/bpf/zerohop');
    }
  });

  it('are started with arguments that the program takes', () => {
    const run = [...everything, ...charts.flatMap(({ objects }) => objects)];
    for (const workload of run.filter(({ kind }) => kind === 'DaemonSet' || kind === 'Deployment')) {
      const { containers: main, initContainers = [] } = podSpec(workload);
      for (const container of [...initContainers, ...main]) checkArguments(container);
    }
  });
});

/** Throws, or fails an expectation, as the program would refuse to start. */
function checkArguments({ image, args = [], command }: Container): void {
  if (command !== undefined) return;
  const ours = image.startsWith('zerohop:');
  const [word, ...rest] = ours ? args : ['node-cache', ...args];
  // What the kubelet puts in the place of the variable.
  const flags = rest.map((arg) => arg.replace('$(KUBE_DNS_SERVICE_HOST)', '10.96.0.10'));
  if (word === 'node-cache') {
    const spec = nodeCacheSpec(parseGoFlags(flags, NODE_CACHE_FLAGS));
    expect(spec.upstreamService).toBe('kube-dns-upstream');
    expect(spec.corefile).toBe('/run/zerohop/Corefile');
    return;
  }
  expect(['agent', 'relay']).toContain(word);
  const program = (word === 'relay' ? relayProgram() : agentProgram()).configureOutput({
    writeErr: () => undefined,
  });
  expect(
    () => program.action(() => undefined).parse([...flags], { from: 'user' }),
    flags.join(' '),
  ).not.toThrow();
}

describe('Corefiles', () => {
  it.each(OVERLAYS.filter((name) => name !== 'beside-cilium'))('of %s are right', (name) => {
    const objects = overlay(name);
    const { Corefile = '' } = find(objects, 'ConfigMap', 'node-local-dns').data as Record<string, string>;
    const container = firstContainer(find(objects, 'DaemonSet', 'node-local-dns'));
    const args = (container.args ?? []).slice(container.image.startsWith('zerohop:') ? 1 : 0);
    const flags = args.map((arg) => arg.replace('$(KUBE_DNS_SERVICE_HOST)', '10.96.0.10'));
    const { localIps } = nodeCacheSpec(parseGoFlags(flags, NODE_CACHE_FLAGS));
    const stubDomains = new Map([['corp.example', ['192.0.2.53']]]);
    const values = { localIps, clusterDns: '10.96.170.42', upstreamServers: [], stubDomains, port: 53 };
    const { text, warnings } = renderTemplate(Corefile, values);
    expect(warnings).toEqual([]);
    expect(text).not.toContain('__PILLAR__');
    const file = join(home, `${name}.Corefile`);
    writeFileSync(file, text);
    const told = execFileSync(join(ROOT, 'bin', 'zerohop'), ['dns', 'check', file], { encoding: 'utf8' });
    expect(told).toContain('cluster.local.');
    expect(told).toContain('corp.example.');
    expect(told).not.toContain('warning');
  });

  it('answer to what the probes ask', () => {
    for (const name of OVERLAYS.filter((each) => each !== 'beside-cilium')) {
      const objects = overlay(name);
      const { Corefile = '' } = find(objects, 'ConfigMap', 'node-local-dns').data as Record<string, string>;
      const container = firstContainer(find(objects, 'DaemonSet', 'node-local-dns'));
      const probes = [container.readinessProbe, container.livenessProbe] as readonly Probe[];
      for (const { httpGet } of probes.filter((probe) => probe.httpGet !== undefined)) {
        const plugin = httpGet?.path.slice(1) ?? '';
        const word = `${plugin} ${httpGet?.host ?? ''}:${httpGet?.port}`;
        expect(Corefile, name).toContain(word);
      }
    }
  });
});

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: number; readonly host?: string };
}

/** Without what only the chart adds, and without the white space at the end of a text. */
function comparable(object: Manifest): Manifest {
  const labels = Object.entries(object.metadata.labels ?? {}).filter(
    ([name]) => name !== 'helm.sh/chart' && name !== 'app.kubernetes.io/managed-by',
  );
  const data = Object.entries((object.data ?? {}) as Record<string, string>).map(
    ([name, text]) => [name, `${text.trim()}\n`] as const,
  );
  return {
    ...object,
    metadata: { ...object.metadata, labels: Object.fromEntries(labels) },
    ...(object.data === undefined ? {} : { data: Object.fromEntries(data) }),
  };
}

function byName(a: Manifest, b: Manifest): number {
  return nameOf(a) < nameOf(b) ? -1 : 1;
}
