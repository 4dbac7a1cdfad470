/** Where the agent's programs hang among others, and what that means for packets, as rows of `zerohop status`. */
import type { AgentStatus, InterfaceJson } from '../agent/wire.ts';

/** Interfaces that are alike are one row: `12 tcx, after cil_from_container`. */
export function hookRows({
  interfaces,
  delivery,
}: Pick<AgentStatus, 'interfaces' | 'delivery'>): readonly (readonly [string, string])[] {
  const hooks = [...new Set(interfaces.map(({ hook, redirects }) => hookText(hook, redirects)))].filter(
    Boolean,
  );
  const count = (text: string) =>
    interfaces.filter((row) => hookText(row.hook, row.redirects) === text).length;
  return [
    ...hooks.map((text, i) => [i === 0 ? 'Hooks' : '', `${count(text)} ${text}`] as const),
    ...(delivery === undefined ? [] : ([['Delivery', `${delivery.mode}: ${delivery.reason}`]] as const)),
  ];
}

/** Who else is there decides what a packet meets before and after us; empty while nothing of ours hangs there. */
function hookText(hook: InterfaceJson['hook'], redirects: boolean | undefined): string {
  if (hook === undefined) return '';
  const seen = redirects === false ? ', packets seen only' : '';
  if (hook.others.length === 0) return `${hook.kind}, alone${seen}`;
  const names = (ahead: boolean) => [
    ...new Set(hook.others.filter((other) => other.ahead === ahead).map(({ name }) => name)),
  ];
  const parts = [
    ...(names(true).length === 0 ? [] : [`after ${names(true).join(', ')}`]),
    ...(names(false).length === 0 ? [] : [`before ${names(false).join(', ')}`]),
  ];
  return `${hook.kind}, ${parts.join(', ')}${seen}`;
}
