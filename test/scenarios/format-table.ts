/** The service table in the short dialect of scenario files: one line per frontend, one per policy. */
import { formatAddressPort } from '../../src/net/port.ts';
import { formatFrontend } from '../../src/policy/explain.ts';
import { formatLrpList, formatServiceList } from '../../src/policy/print.ts';
import type { Frontend, PolicyState, ServiceTable } from '../../src/policy/table.ts';
import type { Expected } from './read-scenario.ts';

/** The two lists come along only if `like` has them. */
export function formatTable(table: ServiceTable, frontends: readonly Frontend[], like: Expected): Expected {
  return {
    frontends: frontends.map(formatFrontendLine),
    policies: table.policies.map(formatPolicyLine),
    ...(like.lrpList === undefined ? {} : { lrpList: formatLrpList(table) }),
    ...(like.serviceList === undefined
      ? {}
      : {
          serviceList: formatServiceList(frontends, (frontend) => frontends.indexOf(frontend) + 1),
        }),
  };
}

/** `10.96.0.10:53/UDP LocalRedirect kube-system/kube-dns -> 172.20.0.247:53/UDP (kube-system/cache-a)`. */
function formatFrontendLine(frontend: Frontend): string {
  const backends = frontend.backends.map(({ address, port, protocol, pod, state }) => {
    const leaving = state === 'active' ? '' : ` ${state}`;
    return `${formatAddressPort(address, port)}/${protocol} (${pod ?? 'unknown'})${leaving}`;
  });
  const head = `${formatFrontend(frontend)} ${frontend.type} ${frontend.service} ->`;
  return [head, backends.join(', ')].join(' ').trimEnd();
}

function formatPolicyLine({ policy, state, code, reason, skipRedirectFromBackend }: PolicyState): string {
  const skip = skipRedirectFromBackend ? ' skip' : '';
  return `${policy} ${state}${skip}${code === undefined ? '' : ` ${code}`}${reason === '' ? '' : `: ${reason}`}`;
}
