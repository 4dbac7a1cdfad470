/**
 * What `kubectl` makes of the components for Hubble and of the overlay for a doctor: names of Cilium are taken only where that
 * is asked for, services lead somewhere, Secrets are read by their users alone, and a doctor may do what it does and no more.
 */
import { describe, expect, it } from 'vitest';
import { unlistedCluster } from '../../src/doctor/live/list-cluster.ts';
import { reachNodes } from '../../src/doctor/live/reach-nodes.ts';
import { known, unknown } from '../../src/doctor/site/known.ts';
import { CLUSTER_KINDS, readCluster } from '../../src/doctor/site/read-cluster.ts';
import type { Site } from '../../src/doctor/site/site.ts';
import type { PolicyRule } from '../../src/kube/rbac.ts';
import {
  composed,
  find,
  firstContainer,
  kustomize,
  type Manifest,
  nameOf,
  OVERLAYS,
  podSpec,
} from './manifest.ts';

const hubble = composed('hubble-alone', 'overlays/cache-and-agent', [
  'hubble',
  'hubble-relay',
  'hubble-names',
]);

describe('Hubble', () => {
  it('has names of Cilium nowhere but where they are asked for', () => {
    const taken = ['hubble-peer', 'hubble-relay', 'hubble-metrics'];
    const named = (objects: readonly Manifest[]) =>
      objects.filter(({ metadata }) => taken.includes(metadata.name)).map(nameOf);
    expect(named(OVERLAYS.flatMap((name) => kustomize(`overlays/${name}`)))).toEqual([]);
    const beside = composed('beside-alone', 'overlays/beside-cilium', ['hubble', 'hubble-relay']);
    expect(named(beside)).toEqual([]);
    expect(named(hubble).sort()).toEqual([
      'Service kube-system/hubble-peer',
      'Service kube-system/hubble-relay',
    ]);
  });

  it('leads each service to a port that somebody has', () => {
    const objects = hubble;
    const relay = firstContainer(find(objects, 'Deployment', 'zerohop-relay'));
    const agent = firstContainer(find(objects, 'DaemonSet', 'zerohop-agent'));
    expect(relay.ports).toEqual([{ name: 'grpc', containerPort: 4245, protocol: 'TCP' }]);
    expect(relay.args).toContain('--listen-address=:4245');
    expect(agent.args).toContain('--hubble-listen-address=:4244');
    const port = (service: string) =>
      (find(objects, 'Service', service).spec as { ports: readonly { port: number; targetPort: unknown }[] })
        .ports;
    for (const service of ['zerohop-relay', 'hubble-relay'])
      expect(port(service)).toMatchObject([{ port: 80, targetPort: 'grpc' }]);
    for (const service of ['zerohop-hubble-peer', 'hubble-peer'])
      expect(port(service)).toMatchObject([{ port: 443, targetPort: 4244 }]);
    expect(relay.args).toContain('--peer-service=zerohop-hubble-peer.kube-system.svc.cluster.local:443');
  });

  it('reads its certificates from Secrets that only its user can read', () => {
    for (const [kind, name, mode] of [
      ['DaemonSet', 'zerohop-agent', 0o400],
      ['Deployment', 'zerohop-relay', 0o440],
    ] as const) {
      const { volumes = [], containers } = podSpec(find(hubble, kind, name));
      const secrets = volumes.flatMap((volume) => ('secret' in volume ? [volume] : []));
      expect(secrets).toMatchObject([{ secret: { defaultMode: mode } }]);
      const [mount] = (containers[0]?.volumeMounts ?? []).filter((each) => each.name === secrets[0]?.name);
      const files = (containers[0]?.args ?? []).flatMap(
        (arg) => /=(\/etc\/zerohop\/.*)$/.exec(arg)?.[1] ?? [],
      );
      expect(files.sort()).toEqual(
        ['ca.crt', 'tls.crt', 'tls.key'].map((file) => `${mount?.mountPath}/${file}`),
      );
      expect(mount?.readOnly).toBe(true);
    }
  });

  it('has a relay without rights, token or root', () => {
    const relay = find(hubble, 'Deployment', 'zerohop-relay');
    expect(podSpec(relay)).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(firstContainer(relay).securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });
});

describe('a doctor', () => {
  const objects = kustomize('overlays/doctor');
  const doctor = find(objects, 'DaemonSet', 'zerohop-doctor');

  it('may list what its checks read, and nothing else', () => {
    const rules = (kind: string) => find(objects, kind, 'zerohop-doctor').rules as readonly PolicyRule[];
    const all = [...rules('ClusterRole'), ...rules('Role')];
    expect(new Set(all.flatMap(({ verbs }) => verbs))).toEqual(new Set(['list']));
    const allowed = (some: readonly PolicyRule[]) =>
      some.flatMap(({ apiGroups, resources }) =>
        apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}`)),
      );
    const read = Object.values(CLUSTER_KINDS).map((path) => {
      const [, group = '', namespace, resource = ''] =
        /^\/(?:api|apis\/([^/]+))\/[^/]+(?:\/namespaces\/([^/]+))?\/([^/]+)$/.exec(path) ?? [];
      return { namespace, name: `${group}/${resource}` };
    });
    const named = (inside: boolean) =>
      read.filter(({ namespace }) => (namespace !== undefined) === inside).map(({ name }) => name);
    expect(allowed(rules('ClusterRole')).sort()).toEqual(named(false).sort());
    expect(allowed(rules('Role')).sort()).toEqual(named(true).sort());
  });

  it('runs nothing until it is asked, changes nothing on the node, and is not privileged', () => {
    const container = firstContainer(doctor);
    expect(container.command).toEqual(['sleep', 'infinity']);
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: {
        drop: ['ALL'],
        add: ['SYS_ADMIN', 'SYS_PTRACE', 'DAC_READ_SEARCH', 'NET_ADMIN', 'NET_RAW'],
      },
    });
    const writable = (container.volumeMounts ?? []).filter(({ readOnly }) => readOnly !== true);
    expect(writable).toEqual([{ name: 'xtables-lock', mountPath: '/run/xtables.lock' }]);
    expect(podSpec(doctor)).toMatchObject({ hostPID: true, hostNetwork: true });
  });

  it('is found by a doctor elsewhere, before the agent of its node', () => {
    const template = (object: Manifest) =>
      (object.spec as { template: { metadata: object; spec: object } }).template;
    const pod = (object: Manifest, name: string) => ({
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { ...template(object).metadata, name, namespace: 'kube-system' },
      spec: { ...template(object).spec, nodeName: 'w1' },
      status: { phase: 'Running', podIP: '192.0.2.7', podIPs: [{ ip: '192.0.2.7' }] },
    });
    const agent = find(hubble, 'DaemonSet', 'zerohop-agent');
    const command = (pods: readonly object[]) => {
      const nodes = [{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'w1' } }];
      const raw = { ...unlistedCluster('not asked'), Node: known(nodes), Pod: known(pods) };
      const read = readCluster(raw, unknown('not given'));
      const site: Site = { origin: 'live', takenAtMs: 0, nodes: [], places: new Map(), ...read };
      return reachNodes(site, {
        here: { command: [], names: [], addresses: [] },
        kubectl: ['kubectl'],
      }).reaches[0]?.command.join(' ');
    };
    const exec = (name: string, container: string) =>
      `kubectl -n kube-system exec -i ${name} -c ${container} -- zerohop doctor-node`;
    expect(command([pod(agent, 'a')])).toBe(exec('a', 'agent'));
    expect(command([pod(agent, 'a'), pod(doctor, 'd')])).toBe(exec('d', 'doctor'));
  });
});
