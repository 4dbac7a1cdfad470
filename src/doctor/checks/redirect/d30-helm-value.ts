/**
 * Cilium does nothing with a policy until it is told to, and the value that tells it changed its name with 1.18:
 * `localRedirectPolicy` before, `localRedirectPolicies.enabled` since. Helm takes a name it does not know without a word.
 */
import { recordOf } from '../../../kube/json-fields.ts';
import type { Check, Finding, Fix } from '../../check.ts';
import { type CiliumPicture, ciliumValues, isBefore118, REDIRECT_VALUES } from '../../picture/cilium.ts';
import { type DnsPicture, dnsPicture } from '../../picture/dns-picture.ts';
import { dnsPolicies } from '../../picture/redirects.ts';
import { knownOr } from '../../site/known.ts';
import type { Site } from '../../site/site.ts';

export const d30: Check = {
  id: 'D30',
  title: 'Cilium was not told to redirect, or by a name that it does not know',
  pains: ['P3', 'P30'],
  needs: { cluster: ['workloads', 'configMaps', 'localRedirectPolicies'] },
  run(site) {
    const picture = dnsPicture(site);
    return [...notTold(site, picture), ...oldName(site, picture)];
  },
};

/** Where a zerohop agent does what policies ask, Cilium need not. */
function notTold(site: Site, picture: DnsPicture): readonly Finding[] {
  const { cilium } = picture;
  const policies = dnsPolicies(site.cluster, picture);
  const definitions = knownOr(site.cluster.definitions, []);
  const wanted = policies.length > 0 || picture.caches.some(({ spec }) => !spec.hostNetwork);
  if (!wanted || picture.zerohop || !cilium.present || cilium.redirects !== false) return [];
  const lacksDefinition =
    site.origin === 'live' &&
    definitions.length > 0 &&
    !definitions.includes('ciliumlocalredirectpolicies.cilium.io');
  const wrongName = valueOfOtherVersion(site, cilium);
  return [
    {
      id: 'D30',
      severity: 'bypassed',
      title: d30.title,
      evidence: [
        ...cilium.evidence,
        ...policies.map(
          ({ namespace, name }) => `policy ${namespace}/${name} is there and nobody acts on it`,
        ),
        ...(lacksDefinition ? ['the definition ciliumlocalredirectpolicies.cilium.io is not there'] : []),
        ...(wrongName === undefined ? [] : [wrongName]),
      ],
      cause:
        'local redirect is off in Cilium: its value is called localRedirectPolicy up to 1.17 and localRedirectPolicies.enabled ' +
        'since 1.18, Helm ignores a name that the chart does not know, and operator and agents have to be restarted afterwards',
      fix: enable(cilium),
    },
  ];
}

/** The value of 1.18 given to a 1.17. */
function valueOfOtherVersion(site: Site, { version }: CiliumPicture): string | undefined {
  if (version === undefined || !isBefore118(version)) return undefined;
  const given = knownOr(site.cluster.helmValues, []).find(
    (values) => recordOf(ciliumValues(values).localRedirectPolicies).enabled !== undefined,
  );
  return (
    given && `${given.source} has localRedirectPolicies.enabled, which Cilium ${version.text} does not know`
  );
}

/** 1.18 still takes the older name, and says that it will not for ever. */
function oldName(site: Site, { cilium }: DnsPicture): readonly Finding[] {
  const { version } = cilium;
  if (version === undefined || isBefore118(version)) return [];
  const given = knownOr(site.cluster.helmValues, []).find(
    (values) => ciliumValues(values).localRedirectPolicy !== undefined,
  );
  if (given === undefined) return [];
  return [
    {
      id: 'D30',
      severity: 'warning',
      title: 'A value of Cilium has its name of before 1.18',
      evidence: [`${given.source} has localRedirectPolicy`, ...cilium.evidence],
      cause: `Cilium ${version.text} calls it localRedirectPolicies.enabled; the older name is taken for now`,
      fix: {
        kind: 'text',
        text: `In ${given.source}, in place of localRedirectPolicy:\nlocalRedirectPolicies:\n  enabled: true`,
      },
    },
  ];
}

/** Without its version Helm would take the newest chart and upgrade Cilium on every node: then it is no command to paste. */
function enable({ version }: CiliumPicture): Fix {
  const upgrade = (which: string, value: string): string =>
    `helm upgrade cilium cilium/cilium --namespace kube-system --reuse-values --version ${which} --set ${value}`;
  const restart = [
    'kubectl rollout restart deploy cilium-operator -n kube-system',
    'kubectl rollout restart ds cilium -n kube-system',
  ];
  const values = valuesOf(version);
  if (version?.text.split('.').length === 3)
    return {
      kind: 'command',
      text: [...values.map((value) => upgrade(version.text, value)), ...restart].join('\n'),
    };
  const how = 'With the version that runs for VERSION (helm list -n kube-system)';
  const which =
    values.length === 1 ? '' : `, the first for Cilium 1.18 and later, the second for what was before`;
  return {
    kind: 'text',
    text: [`${how}${which}:`, ...values.map((value) => upgrade('VERSION', value)), ...restart].join('\n'),
  };
}

function valuesOf(version: CiliumPicture['version']): readonly string[] {
  if (version === undefined) return [REDIRECT_VALUES.since118, REDIRECT_VALUES.until117];
  return [isBefore118(version) ? REDIRECT_VALUES.until117 : REDIRECT_VALUES.since118];
}
