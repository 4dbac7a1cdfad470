/**
 * `;; Got recursion not available`: nslookup of BIND prints it for each answer without the RA bit, and looks at the answer
 * all the same. Told because people search for it; nothing is broken.
 */
import type { Check } from '../../check.ts';
import { knownOr } from '../../site/known.ts';

export const d31: Check = {
  id: 'D31',
  title: 'Answers come without the "recursion available" bit',
  pains: ['P31'],
  needs: { agent: ['probes'] },
  run(site) {
    return site.nodes.flatMap(({ name, agent }) => {
      const answers = knownOr(agent.probes, []).filter(({ outcome }) => outcome === 'answered');
      const without = answers.filter(({ recursionAvailable }) => recursionAvailable === false);
      const [first] = without;
      if (first === undefined) return [];
      return [
        {
          id: 'D31' as const,
          severity: 'info' as const,
          title: d31.title,
          node: name,
          evidence: [
            `${without.length} of ${answers.length} probes were answered with ra=0, as ${first.rcode ?? 'an answer'} from ${first.target}`,
          ],
          cause:
            'CoreDNS answers names of its own zones with authority (aa) and sets ra only on what it forwards, and a cache hands that ' +
            'on; nslookup then prints ";; Got recursion not available" once for each name of the search list, and resolves the name all the same',
          fix: {
            kind: 'text' as const,
            text: 'Nothing needs to be done. Ask with "dig" or "getent hosts", or end the name with a dot, to be spared the message.',
          },
        },
      ];
    });
  },
};
