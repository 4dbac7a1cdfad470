/**
 * The tables as operators of Cilium know them (local-redirect-policy 3.2 to 3.4), as text and as JSON. The caller says
 * which ids the frontends have; nothing is numbered here, because ids must outlive a restart.
 */
import { formatAddressPort } from '../net/port.ts';
import { formatColumns } from './columns.ts';
import { formatFrontend } from './explain.ts';
import { sortTuples, tupleKey } from './order.ts';
import type { Backend, Frontend, PolicyState, ServiceTable } from './table.ts';

export interface LrpListOptions {
  /**
   * Show frontends that match and are not redirected, as `10.96.0.10:9153/TCP -> ` with nothing behind, the way
   * releases up to 1.17 did; newer ones hide them, and so do we unless this is true.
   */
  readonly unredirected?: boolean;
}

/** Stable id of a frontend; undefined leaves the cell empty. */
export type FrontendId = (frontend: Frontend) => number | undefined;

/**
 * `lrp list`. A policy that redirects nothing has one more row that says why, as `<state>: <reason>`.
 * The blanks at the ends of mapping rows belong to the layout.
 */
export function formatLrpList(table: ServiceTable, options: LrpListOptions = {}): string {
  const rows: string[][] = [['LRP namespace', 'LRP name', 'FrontendType', 'Matching Service']];
  const listed = lister(table, options);
  for (const state of table.policies) {
    const { namespace, name } = splitKey(state.policy);
    rows.push([namespace, name, state.frontendType, state.service ?? '']);
    for (const frontend of listed(state)) {
      rows.push([
        '',
        '|',
        `${formatMapping(frontend)} -> ${frontend.backends.map(formatPodBackend).join('')}`,
      ]);
    }
    if (state.state !== 'active') rows.push(['', '|', `${state.state}: ${state.reason}`]);
  }
  return formatColumns(rows);
}

/** `service list`: one row per frontend in the order of the addresses, one more for each further backend. */
export function formatServiceList(frontends: readonly Frontend[], idOf: FrontendId): string {
  const rows: string[][] = [['ID', 'Frontend', 'Service Type', 'Backend']];
  for (const { frontend, id } of withIds(frontends, idOf)) {
    const [first = '', ...rest] = frontend.backends.map(formatStateBackend);
    rows.push([id === undefined ? '' : String(id), formatFrontend(frontend), frontend.type, first]);
    for (const backend of rest) rows.push(['', '', '', backend]);
  }
  return formatColumns(rows);
}

/** What `GET /v1/lrp` answers, with our state and reason beside it; ready for JSON.stringify. */
export function lrpListJson(table: ServiceTable, options: LrpListOptions = {}): readonly unknown[] {
  const listed = lister(table, options);
  return table.policies.map((state) => ({
    uid: state.uid ?? '',
    ...splitKey(state.policy),
    'lrp-type': lrpType(state),
    'frontend-type': state.frontendType,
    'service-id': state.service ?? '',
    'skip-redirect-from-backend': state.skipRedirectFromBackend,
    state: state.state,
    ...(state.code === undefined ? {} : { code: state.code }),
    reason: state.reason,
    'frontend-mappings': listed(state).map((frontend) => ({
      'frontend-address': addressJson(frontend),
      backends: frontend.backends.map((backend) => ({
        'pod-id': backend.pod ?? 'unknown',
        'backend-address': { ...addressJson(backend), state: backend.state },
      })),
    })),
  }));
}

/** The rows of `service list`; ready for JSON.stringify. */
export function serviceListJson(frontends: readonly Frontend[], idOf: FrontendId): readonly unknown[] {
  return withIds(frontends, idOf).map(({ frontend, id }) => ({
    ...(id === undefined ? {} : { id }),
    'frontend-address': addressJson(frontend),
    type: frontend.type,
    service: frontend.service,
    ...(frontend.portName === undefined ? {} : { 'port-name': frontend.portName }),
    ...(frontend.policy === undefined ? {} : { policy: frontend.policy }),
    backends: frontend.backends.map((backend) => ({
      ...addressJson(backend),
      state: backend.state,
      ...(backend.pod === undefined ? {} : { 'pod-id': backend.pod }),
    })),
  }));
}

/** The rows of one policy. A frontend that another policy redirects is that policy's to show. */
function lister(table: ServiceTable, { unredirected = false }: LrpListOptions) {
  const redirectedBy = new Map(table.redirects.map((frontend) => [tupleKey(frontend), frontend.policy]));
  return ({ policy, frontends }: PolicyState): readonly Frontend[] =>
    frontends.filter((frontend) => {
      const owner = redirectedBy.get(tupleKey(frontend));
      return owner === policy || (owner === undefined && unredirected);
    });
}

/** This list alone writes IPv6 without brackets. */
function formatMapping({ address, port, protocol }: Frontend): string {
  return `${address}:${port}/${protocol}`;
}

function formatPodBackend({ address, port, pod = 'unknown' }: Backend): string {
  return `${address}:${port}(${pod}), `;
}

function formatStateBackend(backend: Backend, index: number): string {
  const { address, port, protocol, state } = backend;
  return `${index + 1} => ${formatAddressPort(address, port)}/${protocol} (${state})`;
}

/** By address, port and protocol, so that what belongs together stands together, redirected or not. */
function withIds(frontends: readonly Frontend[], idOf: FrontendId) {
  return sortTuples(frontends).map((frontend) => ({ frontend, id: idOf(frontend) }));
}

function lrpType(state: PolicyState): 'addr' | 'svc' | 'none' {
  if (state.frontendType === 'unknown') return 'none';
  return state.service === undefined ? 'addr' : 'svc';
}

function addressJson({ address, port, protocol }: Pick<Frontend, 'address' | 'port' | 'protocol'>) {
  return { ip: address, port, protocol };
}

function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
