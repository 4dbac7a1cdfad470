/**
 * Each server block has a cache of its own, so a Corefile of four may fill four times what one was sized for. When the limit
 * is met the kernel ends the server, and a node without it has no DNS until the back-off is over.
 */
import type { Directive } from '../../../corefile/ast.ts';
import type { Check, Finding } from '../../check.ts';
import { blockName, directivesOf, type PlacedDirective } from '../../picture/corefiles.ts';
import { type DnsServer, dnsPicture } from '../../picture/dns-picture.ts';
import { formatBytes } from '../../site/objects/quantity.ts';

export const d17: Check = {
  id: 'D17',
  title: 'The caches of all server blocks may grow beyond the memory limit',
  pains: ['P20'],
  needs: { cluster: ['services', 'workloads', 'pods', 'configMaps'] },
  run(site) {
    return dnsPicture(site).servers.flatMap(judge);
  },
};

/**
 * What an answer costs in CoreDNS's cache. Four blocks of 2 x 9984 answers were measured at about 240 MB (users' table, P20),
 * which is 3 kB for each.
 */
const BYTES_PER_ANSWER = 3_000;
/** The program itself, idle: the budget of KEP-1024 is 20 to 30 MiB. */
const BYTES_OF_PROGRAM = 30 * 2 ** 20;
const DEFAULT_CAPACITY = 9984;

function judge(server: DnsServer): readonly Finding[] {
  const limit = server.container.memoryLimit;
  const caches = directivesOf(server.corefiles, 'cache');
  if (limit === undefined || caches.length === 0) return [];
  const answers = caches.reduce((sum, { directive }) => sum + capacityOf(directive), 0);
  const need = BYTES_OF_PROGRAM + answers * BYTES_PER_ANSWER;
  if (need <= limit) return [];
  const capacity = Math.max(
    128,
    Math.floor((limit - BYTES_OF_PROGRAM) / BYTES_PER_ANSWER / caches.length / 2),
  );
  return [
    {
      id: 'D17',
      severity: 'warning',
      title: d17.title,
      object: server.name,
      evidence: [
        `container ${server.container.name} has a limit of ${formatBytes(limit)}`,
        `${caches.length} caches hold up to ${answers} answers together, about ${formatBytes(need)} with the program: ${caches.map(told).join(', ')}`,
      ],
      cause: 'a cache is of its block alone, and its capacity counts twice: for answers and for denials',
      fix: {
        kind: 'text',
        text: [
          `Raise resources.limits.memory to ${Math.ceil(need / 2 ** 20)}Mi, or make each cache smaller:`,
          'cache 30 {',
          `    success ${capacity}`,
          `    denial ${capacity}`,
          '}',
        ].join('\n'),
      },
    },
  ];
}

function told(cache: PlacedDirective): string {
  return `${blockName(cache)} ${capacityOf(cache.directive)}`;
}

/** Of answers and of denials. `disable` without zones turns one of them off. */
function capacityOf({ body = [] }: Directive): number {
  return (['success', 'denial'] as const).reduce((sum, kind) => {
    const off = body.some(
      ({ name, args }) => name.text === 'disable' && args[0]?.text === kind && args.length === 1,
    );
    if (off) return sum;
    const given = Number(body.find(({ name }) => name.text === kind)?.args[0]?.text);
    return sum + (Number.isSafeInteger(given) && given > 0 ? given : DEFAULT_CAPACITY);
  }, 0);
}
