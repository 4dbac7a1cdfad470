/**
 * What a configuration would do with a question, without asking it: which listener, which block, which plugins in which
 * order, and whether packet threads or the kernel may answer it by themselves. Where views decide, all candidates are told,
 * since who asks is not known. Pure over a prepared configuration.
 */
import type { Token } from '../corefile/ast.ts';
import { TYPE } from '../dns/codes.ts';
import type { Question } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import { findRoute, routerOf, type ServerRoute } from '../server/router.ts';
import type { Generation } from './generation.ts';
import { hotRoutes } from './hot-routes.ts';
import type { ListenerPlan } from './plan/listener-plan.ts';
import type { PluginRecord } from './plugin-setup.ts';

export interface ExplainedPlugin {
  readonly word: string;
  /** Of its first line in the block. */
  readonly at: Token | undefined;
  /** False: it would hand this question on untouched, whatever it knows. */
  readonly takesPart: boolean;
}

export interface ExplainedBlock {
  readonly zone: Name;
  /** Of the block's first key. */
  readonly at: Token | undefined;
  /** Name of the view that must agree; empty without one. */
  readonly view: string;
  /** In chain order; empty when nothing in the block handles queries, so that it refuses them. */
  readonly plugins: readonly ExplainedPlugin[];
  /** A packet thread may give the cached answer; otherwise why not, in words. */
  readonly fast: true | string;
  /** The kernel may, where the node's agent answers there; otherwise why not. */
  readonly kernel: true | string;
}

export interface ExplainedListener {
  readonly server: string;
  /** In the order in which they are considered; empty: REFUSED. */
  readonly blocks: readonly ExplainedBlock[];
}

export function explainQuestion(generation: Generation, question: Question): readonly ExplainedListener[] {
  return generation.listeners.map((plan) => ({
    server: plan.server,
    blocks: candidates(generation, plan, question).map(({ zone, block }) =>
      explainBlock(generation, { plan, zone, block, question }),
    ),
  }));
}

function candidates(
  generation: Generation,
  plan: ListenerPlan,
  question: Question,
): readonly { zone: Name; block: number }[] {
  const { routes } = generation.conduct(plan);
  const blockOf = new Map<ServerRoute, number>();
  for (const [i, { block }] of plan.members.entries()) {
    const route = routes[i];
    if (route !== undefined) blockOf.set(route, block);
  }
  const found: { zone: Name; route: ServerRoute }[] = [];
  const last = findRoute(routerOf(routes), question, (candidate) => {
    found.push(candidate);
    return false;
  });
  if (last !== undefined) found.push(last);
  return found.map(({ zone, route }) => ({ zone, block: blockOf.get(route) ?? 0 }));
}

interface Candidate {
  readonly plan: ListenerPlan;
  readonly zone: Name;
  readonly block: number;
  readonly question: Question;
}

function explainBlock(generation: Generation, { plan, zone, block, question }: Candidate): ExplainedBlock {
  const source = generation.corefile.blocks[block];
  const own = generation.records.filter((record) => record.block === block);
  const chain = own.filter(({ instance }) => instance.plugin !== undefined);
  return {
    zone,
    at: source?.keys[0],
    view: generation.viewName(block),
    plugins: chain.map(({ word, instance }) => ({
      word,
      at: source?.directives.find(({ name }) => name.text === word)?.name,
      takesPart: instance.handles?.(question.name, question.type) ?? true,
    })),
    ...shortWays(generation, plan, { zone, block, own, question }),
  };
}

function shortWays(
  generation: Generation,
  plan: ListenerPlan,
  { zone, block, own, question }: Omit<Candidate, 'plan'> & { own: readonly PluginRecord[] },
): Pick<ExplainedBlock, 'fast' | 'kernel'> {
  const keeper = own.find(({ instance }) => instance.replay?.does === 'keep');
  if (keeper?.instance.handles?.(question.name, question.type) === false) {
    const fast = 'the cache of the block does not keep such answers';
    return { fast, kernel: fast };
  }
  const places = plan.members.flatMap((member) =>
    member.zones.map((served) => ({ block: member.block, served })),
  );
  const [listener] = hotRoutes([plan], generation.records);
  const route = listener?.routes[places.findIndex((each) => each.block === block && each.served === zone)];
  if (route === undefined) throw new Error(`There is no route for ${zone} on ${plan.server}`);
  const { fast, kernel } = route;
  if (question.type !== TYPE.DS || fast !== true) return { fast, kernel };
  const parents = 'a question of type DS is for the parent of its name';
  return { fast: parents, kernel: kernel === true ? parents : kernel };
}
